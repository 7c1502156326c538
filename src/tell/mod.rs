//! Telling others what a release does: hooks, which it waits for, and news, which it does not. One trait, one file a kind, and a line in [`KINDS`].

mod command;
mod listener;
mod registry;
mod set;
mod slack;
mod webhook;

pub use listener::{FORMAT_VERSION, Listener, Occasion, Telling};
pub use registry::{KINDS, ListenerKind, OpenedListener, kind, open};
pub use set::{HookSet, NewsSet};
