//! A node before and after it has its place.

use super::access::Access;
use super::node::Node;
use super::saved::{Direction, Phase};
use crate::compat::Requirements;
use crate::shared::Shared;

/// A node with what the versions make of it, and what it touches.
pub(super) struct Judged<'a> {
    pub(super) node: Shared<Node>,
    pub(super) requirements: Requirements<'a>,
    pub(super) access: Access,
}

/// A node with its place.
pub(super) struct Placed<'a> {
    pub(super) node: Shared<Node>,
    pub(super) requirements: Requirements<'a>,
    pub(super) access: Access,
    pub(super) placement: Placement,
    /// Whether it runs once more behind the cutover.
    pub(super) again: bool,
}

/// Where a node goes, and why.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    pub(crate) phase: Phase,
    pub(crate) direction: Direction,
    pub(crate) reason: Reason,
}

/// Why a node is where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its own effect.
    Own,
    /// The author said so.
    Author,
    /// It has run.
    Ran,
    /// It stands on this node.
    Follows(usize),
    /// This node, which must be before, stands on it.
    NeededBy(usize),
}
