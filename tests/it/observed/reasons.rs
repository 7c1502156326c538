//! Where text and server differ, and may.

/// Fixture (`*`: any; the beginning of its name is enough), part of the line, and why it is so.
pub(super) const REASONS: &[(&str, &str, &str)] = &[];
