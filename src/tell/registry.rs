//! Every kind of listener.

use super::{Listener, command, slack, webhook};
use crate::outside::{Needs, SettingsSchema, Surroundings};
use crate::release::Configured;

/// A kind of listener.
#[derive(Debug)]
pub struct ListenerKind {
    /// As `kind` of `[hooks.MOMENT]` and `[notify.NAME]` says.
    pub name: &'static str,
    /// How it is told.
    pub about: &'static str,
    /// What must be known of it.
    pub needs: Needs,
    /// The JSON Schema of its settings.
    pub settings: SettingsSchema,
    /// Makes it; an error says what is wrong with its settings.
    pub open: fn(&Configured, &Surroundings) -> OpenedListener,
}

/// A listener, or what is wrong with its settings.
pub type OpenedListener = Result<Box<dyn Listener>, String>;

/// Every kind, a line each.
pub static KINDS: &[ListenerKind] = &[command::KIND, webhook::KIND, slack::KIND];

/// Makes a listener.
pub fn open(configured: &Configured, surroundings: &Surroundings) -> OpenedListener {
    let kind = kind(configured).ok_or_else(|| {
        let known = KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        format!("{}: there is no kind {:?}; there are {known}", configured.name, configured.kind)
    })?;
    (kind.open)(configured, surroundings).map_err(|why| format!("{}: {why}", configured.name))
}

/// The kind of a listener.
pub fn kind(configured: &Configured) -> Option<&'static ListenerKind> {
    KINDS.iter().find(|kind| kind.name == configured.kind)
}
