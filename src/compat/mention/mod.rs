//! Where a version's source tree mentions what a step takes away. A mention proves nothing: it may be dead code, a comment, or another thing of
//! the same name. So it moves no step and waives nothing; it says where to look, above all where queries are not known.
//!
//! The search is pure: files come as text from a [`Tree`], and what comes back is places.

mod search;
mod spelling;
mod taken;

use std::fmt;

use camino::Utf8Path;

pub use search::{FoundMentions, MOST_PLACES, Mentions, search};
pub use taken::{Taken, TakenKind, TakenName, taken};

use crate::source::Sources;

/// Files of text, one after the other, always in the same order.
pub trait Tree: fmt::Debug + Sync {
    /// Shows each file, and returns how many there are that could not be read as text.
    fn each(&self, see: &mut dyn FnMut(&Utf8Path, &str)) -> u32;
}

impl Tree for Sources {
    fn each(&self, see: &mut dyn FnMut(&Utf8Path, &str)) -> u32 {
        for (_, file) in self.iter() {
            see(&file.path, &file.text);
        }
        0
    }
}
