//! What libpq would take from the process environment, passed in by the caller: the library itself never reads it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Environment variables that give defaults, each with the connection parameter it stands for.
pub const VARIABLES: &[(&str, &str)] = &[
    ("PGAPPNAME", "application_name"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGDATABASE", "dbname"),
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGOPTIONS", "options"),
    ("PGPASSFILE", "passfile"),
    ("PGPASSWORD", "password"),
    ("PGPORT", "port"),
    ("PGSERVICE", "service"),
    ("PGSERVICEFILE", "servicefile"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGUSER", "user"),
];

/// Values of the [`VARIABLES`], the home directory, and the operating system's user name.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<&'static str, String>,
    home: Option<PathBuf>,
    os_user: Option<String>,
}

impl Environment {
    /// Nothing set: every default is the built-in one.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Asks `lookup` for each of the [`VARIABLES`] and for `HOME`. An empty value counts as not set, as in libpq.
    ///
    /// The command line passes `|name| std::env::var(name).ok()`, and adds
    /// [`Environment::with_process_user`].
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let values = VARIABLES.iter().filter_map(|(name, _)| Some((*name, get(name)?))).collect();
        Self { values, home: get("HOME").map(PathBuf::from), os_user: None }
    }

    /// Adds the operating system's name of the user who runs the process: the default for `user`.
    #[must_use]
    pub fn with_os_user(mut self, name: impl Into<String>) -> Self {
        self.os_user = Some(name.into());
        self
    }

    /// As [`Environment::with_os_user`], with the user who runs this process by the operating system's list of users, as in libpq.
    #[must_use]
    pub fn with_process_user(self) -> Self {
        match nix::unistd::User::from_uid(nix::unistd::geteuid()) {
            Ok(Some(user)) => self.with_os_user(user.name),
            Ok(None) | Err(_) => self,
        }
    }

    /// Sets the home directory, where `.pgpass` and `.postgresql/` are looked for.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// The variable that gives a default for a connection parameter, with its value.
    pub(super) fn default_of(&self, parameter: &str) -> Option<(&'static str, &str)> {
        let (variable, _) = VARIABLES.iter().find(|(_, of)| *of == parameter)?;
        Some((variable, self.values.get(variable)?))
    }

    /// A path below the home directory.
    pub(super) fn in_home(&self, path: &str) -> Option<PathBuf> {
        Some(self.home.as_ref()?.join(path))
    }

    /// The operating system's user name.
    pub(super) fn os_user(&self) -> Option<&str> {
        self.os_user.as_deref()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): (&&'static str, &String)| {
            (*name, if *name == "PGPASSWORD" { "[redacted]".to_owned() } else { value.clone() })
        };
        f.debug_struct("Environment")
            .field("values", &self.values.iter().map(shown).collect::<BTreeMap<_, _>>())
            .field("home", &self.home)
            .field("os_user", &self.os_user)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_password() {
        let environment = Environment::from_lookup(|name| Some(format!("value of {name}")));
        let shown = format!("{environment:?}");
        assert!(!shown.contains("value of PGPASSWORD"), "{shown}");
        assert!(shown.contains("value of PGHOST"), "{shown}");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let environment = Environment::from_lookup(|name| Some(if name == "PGUSER" { "me" } else { "" }.to_owned()));
        assert_eq!(environment.default_of("user"), Some(("PGUSER", "me")));
        assert_eq!(environment.default_of("host"), None);
        assert_eq!(environment.in_home(".pgpass"), None);
    }
}
