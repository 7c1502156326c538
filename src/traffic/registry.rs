//! Every backend, by its kind.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{TrafficBackend, exec, haproxy, manual, simulated};
use crate::release::Traffic;

/// A kind of backend.
#[derive(Debug)]
pub struct BackendKind {
    /// As `kind` of `[traffic.NAME]` says.
    pub name: &'static str,
    /// What it does, as in help.
    pub about: &'static str,
    /// What it needs to be known.
    pub needs: Needs,
    /// Makes it; an error says what is wrong with its settings.
    pub open: fn(&Traffic, &Surroundings) -> Opened,
}

/// A backend, or what is wrong with its settings.
pub type Opened = Result<Box<dyn TrafficBackend>, String>;

/// What must be known of a backend before it can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// Its name.
    Nothing,
    /// Settings.
    Settings,
    /// Settings that name a program of this machine. They are taken from files and the command line, never from a journal: whoever can write there
    /// could run what they like.
    Program,
}

/// What a backend may know of the process that it works in.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Names of environment variables that no other program gets: the database's password is none of its business.
    pub hidden_environment: Vec<String>,
}

/// Every kind, a line each.
pub static KINDS: &[BackendKind] = &[manual::KIND, simulated::KIND, exec::KIND, haproxy::KIND];

/// Why a backend cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is none of that kind.
    #[error("traffic {name}: there is no kind {kind:?}; there are {}", KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", "))]
    NoKind {
        /// What the release calls it.
        name: String,
        /// What was asked for.
        kind: String,
    },
    /// It is called as another kind is.
    #[error("traffic {name}: it is of kind {kind:?}, and {name} is the name of another kind; call it something else")]
    OtherKind {
        /// What the release calls it.
        name: String,
        /// What it is.
        kind: String,
    },
    /// Its settings are wrong.
    #[error("traffic {name}: {why}")]
    Settings {
        /// What the release calls it.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// The kind of a backend.
pub fn kind(traffic: &Traffic) -> Result<&'static BackendKind, OpenError> {
    let no_kind = || OpenError::NoKind { name: traffic.name.clone(), kind: traffic.kind.clone() };
    KINDS.iter().find(|kind| kind.name == traffic.kind).ok_or_else(no_kind)
}

/// Makes a backend.
pub fn open(traffic: &Traffic, surroundings: &Surroundings) -> Result<Box<dyn TrafficBackend>, OpenError> {
    if traffic.name != traffic.kind && KINDS.iter().any(|kind| kind.name == traffic.name) {
        return Err(OpenError::OtherKind { name: traffic.name.clone(), kind: traffic.kind.clone() });
    }
    let settings = |why| OpenError::Settings { name: traffic.name.clone(), why };
    (kind(traffic)?.open)(traffic, surroundings).map_err(settings)
}

/// The settings as a backend's own type.
pub(super) fn settings<T: DeserializeOwned>(traffic: &Traffic) -> Result<T, String> {
    T::deserialize(Value::Object(traffic.settings.clone())).map_err(|error| error.to_string())
}

/// The settings of a backend that has none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoSettings {}

/// A path of the settings. A bare name is looked for by the system.
pub(super) fn path(traffic: &Traffic, path: &str) -> Utf8PathBuf {
    if path.contains('/') { traffic.folder.join(path) } else { Utf8Path::new(path).to_owned() }
}
