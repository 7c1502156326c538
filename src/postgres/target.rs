//! Where to connect and how: libpq's parameters, resolved once, with no secret in anything that is shown.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;

use super::conninfo;
use super::environment::Environment;
use super::passfile::{Passfile, PassfileWarning};
use super::password_source::PasswordSource;
use super::secret::Secret;
use super::settings::Settings;
use super::tls_settings::TlsSettings;

/// What `application_name` is when nobody says otherwise.
pub const APPLICATION_NAME: &str = "cutover";

/// How long one attempt to connect may take when `connect_timeout` is not given. (libpq would wait for ever.)
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A database to connect to. `Debug` and [`Target::display`] never show the password.
#[derive(Debug, Clone)]
pub struct Target {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    pub(super) password_source: Option<PasswordSource>,
    pub(super) database: String,
    pub(super) application_name: String,
    pub(super) options: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) session_attrs: SessionAttrs,
    pub(super) channel_binding: ChannelBinding,
    pub(super) tls: TlsSettings,
    pub(super) keepalive: Keepalive,
    passfile: Passfile,
    password_in_text: bool,
    warnings: Vec<PassfileWarning>,
}

/// One server of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    pub(super) port: u16,
}

/// How an [`Endpoint`] is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// The directory of a unix socket.
    Socket(PathBuf),
    /// A name (which certificates are checked against), and the address if the name is not to be looked up.
    Tcp { host: String, hostaddr: Option<IpAddr> },
}

/// `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionAttrs {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
}

/// The `keepalives…` parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keepalive {
    pub(super) enabled: bool,
    pub(super) idle: Option<Duration>,
    pub(super) interval: Option<Duration>,
    pub(super) count: Option<u32>,
    pub(super) user_timeout: Option<Duration>,
}

/// Why a connection text is not understood. No variant holds the text itself, because it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Neither of the two spellings.
    #[error("the connection text is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// libpq has no such parameter.
    #[error("unknown connection parameter {name}")]
    UnknownParameter {
        /// Its name.
        name: String,
    },
    /// libpq has it, `cutover` does not, and ignoring it would not be safe.
    #[error("connection parameter {name} is not supported")]
    Unsupported {
        /// Its name.
        name: String,
    },
    /// The value is not one of those allowed.
    #[error("{name} is {value:?}, expected {expected}")]
    InvalidValue {
        /// The parameter, or the environment variable that gave it.
        name: String,
        /// The value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// Two parameters that exclude each other.
    #[error("{name} does not fit: {reason}")]
    Conflict {
        /// The parameter, or the environment variable that gave it.
        name: String,
        /// Why not.
        reason: String,
    },
    /// No user name anywhere.
    #[error("no user name: give one in the connection text or in PGUSER")]
    NoUser,
}

impl Target {
    /// Reads a `postgres://` URL or libpq's `key=value` pairs; what the text leaves open comes from the environment, then from the
    /// defaults. Reads the password file and looks for the socket and the certificate files below the home directory.
    pub fn parse(text: &str, environment: &Environment) -> Result<Self, TargetError> {
        let settings = Settings::new(conninfo::parse(text)?, environment)?;
        let (password, password_in_text) = settings.password();
        let user =
            settings.text("user").or_else(|| environment.os_user().map(str::to_owned)).ok_or(TargetError::NoUser)?;
        let passfile = settings.text("passfile").map(PathBuf::from).or_else(|| environment.in_home(".pgpass"));
        let (passfile, warnings) = match passfile.filter(|_| password.is_none()).map(|path| Passfile::read(&path)) {
            Some(Ok(passfile)) => (passfile, Vec::new()),
            Some(Err(warning)) => (Passfile::default(), vec![warning]),
            None => (Passfile::default(), Vec::new()),
        };
        Ok(Self {
            endpoints: settings.endpoints()?,
            password,
            password_source: None,
            password_in_text,
            passfile,
            warnings,
            database: settings.text("dbname").unwrap_or_else(|| user.clone()),
            user,
            application_name: settings
                .text("application_name")
                .or_else(|| settings.text("fallback_application_name"))
                .unwrap_or_else(|| APPLICATION_NAME.to_owned()),
            options: settings.text("options"),
            connect_timeout: settings.connect_timeout()?,
            session_attrs: settings.session_attrs()?,
            channel_binding: settings.channel_binding()?,
            tls: TlsSettings::resolve(&settings, environment)?,
            keepalive: settings.keepalive()?,
        })
    }

    /// A database behind a unix socket, as `user` without a password.
    pub fn on_socket(directory: &Path, port: u16, user: &str, database: &str) -> Result<Self, TargetError> {
        let text = [
            conninfo::pair("host", &directory.to_string_lossy()),
            conninfo::pair("port", &port.to_string()),
            conninfo::pair("user", user),
            conninfo::pair("dbname", database),
        ];
        Self::parse(&text.join(" "), &Environment::empty())
    }

    /// `user@host:port/dbname`, for people. Several servers are joined by commas.
    pub fn display(&self) -> impl fmt::Display {
        let endpoints: Vec<String> = self.endpoints.iter().map(Endpoint::to_string).collect();
        format!("{}@{}/{}", self.user, endpoints.join(","), self.database)
    }

    /// Whether the text itself held a password. On a command line others can see that, so it is refused there.
    pub fn has_password_in_text(&self) -> bool {
        self.password_in_text
    }

    /// What there is to say about the password file.
    pub fn warnings(&self) -> &[PassfileWarning] {
        &self.warnings
    }

    /// The user to connect as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database to connect to.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The `application_name` the session shows in `pg_stat_activity`.
    pub fn application_name(&self) -> &str {
        &self.application_name
    }

    /// The same server, another database.
    #[must_use]
    pub fn with_database(&self, name: impl Into<String>) -> Self {
        Self { database: name.into(), ..self.clone() }
    }

    /// The same, under another `application_name`.
    #[must_use]
    pub fn with_application_name(&self, name: impl Into<String>) -> Self {
        Self { application_name: name.into(), ..self.clone() }
    }

    /// The same, with another limit on each attempt to connect; `None` waits for ever.
    #[must_use]
    pub fn with_connect_timeout(&self, timeout: Option<Duration>) -> Self {
        Self { connect_timeout: timeout, ..self.clone() }
    }

    /// The same, whose password somebody is asked for, unless the text or `PGPASSWORD` has one.
    #[must_use]
    pub fn with_password_source(&self, source: PasswordSource) -> Self {
        Self { password_source: Some(source), ..self.clone() }
    }

    /// The password for one server: from the text, from `PGPASSWORD`, or from the password file.
    pub(super) fn password_for(&self, endpoint: &Endpoint) -> Option<&Secret> {
        let host = match &endpoint.address {
            Address::Socket(_) => "localhost",
            Address::Tcp { host, .. } => host,
        };
        self.password.as_ref().or_else(|| self.passfile.password(host, endpoint.port, &self.database, &self.user))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Socket(directory) => write!(f, "{}:{}", directory.display(), self.port),
            Address::Tcp { host, .. } if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Address::Tcp { host, .. } => write!(f, "{host}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str, variables: &[(&str, &str)]) -> Result<Target, TargetError> {
        let lookup =
            |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        Target::parse(text, &Environment::from_lookup(lookup).with_os_user("me"))
    }

    fn shown(text: &str, variables: &[(&str, &str)]) -> String {
        target(text, variables).unwrap().display().to_string()
    }

    #[test]
    fn the_text_wins_over_the_environment_over_the_default() {
        assert_eq!(shown("postgres://db/", &[]), "me@db:5432/me");
        assert_eq!(shown("postgres://db/", &[("PGUSER", "you"), ("PGPORT", "7")]), "you@db:7/you");
        assert_eq!(shown("postgres://a@db:9/x", &[("PGUSER", "you"), ("PGPORT", "7")]), "a@db:9/x");
        assert_eq!(shown("", &[("PGHOST", "/run/pg"), ("PGDATABASE", "shop")]), "me@/run/pg:5432/shop");
        assert_eq!(shown("host=a,b,::1 port=1,,3", &[]), "me@a:1,b:5432,[::1]:3/me");
        assert_eq!(shown("hostaddr=127.0.0.1", &[]), "me@127.0.0.1:5432/me");
        assert_eq!(shown("host=a,b port=6", &[]), "me@a:6,b:6/me");
        assert_eq!(target("host=a", &[("PGAPPNAME", "x")]).unwrap().application_name(), "x");
        assert_eq!(target("host=a", &[]).unwrap().application_name(), APPLICATION_NAME);
    }

    #[test]
    fn a_database_name_is_taken_literally_by_with_database() {
        let target = target("host=db", &[]).unwrap().with_database("a=b'c").with_application_name("other");
        assert_eq!(target.database(), "a=b'c");
        assert_eq!(target.application_name(), "other");
    }

    #[test]
    fn passwords_never_show() {
        let in_text = target("postgres://me:hunter2@db/shop", &[]).unwrap();
        assert!(in_text.has_password_in_text());
        let in_environment = target("postgres://me@db/shop", &[("PGPASSWORD", "hunter2")]).unwrap();
        assert!(!in_environment.has_password_in_text());
        for target in [in_text, in_environment] {
            assert_eq!(target.password_for(&target.endpoints[0]).map(Secret::reveal), Some("hunter2"));
            assert!(!format!("{target:?} {}", target.display()).contains("hunter2"));
        }
        let error = target("password=hunter1 hunter2=3", &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error}");
    }

    #[test]
    fn a_password_file_is_asked_for_the_server_and_database_at_hand() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(".pgpass");
        std::fs::write(&path, "db:5432:shop:me:one\nlocalhost:*:*:me:two\n").unwrap();
        let environment = Environment::empty().with_home(home.path()).with_os_user("me");
        let parse = |text: &str| Target::parse(text, &environment).unwrap();
        let password = |target: &Target| target.password_for(&target.endpoints[0]).map(|p| p.reveal().to_owned());

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let target = parse("host=db dbname=shop");
        assert_eq!(password(&target), None);
        assert_eq!(target.warnings(), [PassfileWarning::Exposed { path: path.clone() }]);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let target = parse("host=db dbname=shop");
        assert_eq!(target.warnings(), []);
        assert_eq!(password(&target).as_deref(), Some("one"));
        assert_eq!(password(&target.with_database("other")), None);
        assert_eq!(password(&parse("host=/run/pg dbname=other")).as_deref(), Some("two"));
        assert!(!parse("host=db").has_password_in_text());
    }

    #[test]
    fn mistakes() {
        let error = |text: &str| target(text, &[]).unwrap_err().to_string();
        assert_eq!(error("host=a prot=5"), "unknown connection parameter prot");
        assert!(
            error("service=x servicefile=/nowhere").starts_with("service does not fit: no section [x] in /nowhere")
        );
        assert_eq!(error("host=a port=0"), "port is \"0\", expected a number from 1 to 65535");
        assert_eq!(error("host=a,b port=1,2,3"), "port does not fit: there are 3 ports for 2 hosts");
        assert_eq!(
            error("host=a sslmode=yes"),
            "sslmode is \"yes\", expected disable, allow, prefer, require, verify-ca or verify-full"
        );
        assert_eq!(
            target("host=a", &[("PGCONNECT_TIMEOUT", "x")]).unwrap_err().to_string(),
            "PGCONNECT_TIMEOUT is \"x\", expected a number of seconds"
        );
        assert_eq!(Target::parse("host=a", &Environment::empty()).unwrap_err(), TargetError::NoUser);
    }
}
