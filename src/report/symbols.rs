//! The signs that stand for things in texts: one table.

use super::style::Tone;
use crate::compat::matrix::Mark;
use crate::plan::saved::Direction;

/// What a step does.
pub(super) const fn direction(direction: Direction) -> (&'static str, Tone) {
    match direction {
        Direction::Additive => ("+", Tone::Good),
        Direction::Deletive => ("-", Tone::Bad),
        Direction::Neutral => ("~", Tone::Quiet),
        Direction::Incompatible => ("!", Tone::Bad),
        Direction::Data => (">", Tone::Change),
        Direction::Opaque => ("?", Tone::Change),
    }
}

/// What a query is at a state.
pub(super) const fn mark(mark: Mark) -> (&'static str, Tone) {
    match mark {
        Mark::Works => ("ok", Tone::Good),
        Mark::Idle => ("ok", Tone::Quiet),
        Mark::Away => ("-", Tone::Quiet),
        Mark::Unknown => ("?", Tone::Change),
        Mark::Otherwise => ("~", Tone::Change),
        Mark::Breaks => ("FAIL", Tone::Bad),
    }
}
