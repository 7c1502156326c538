//! Connection parameters by name, with where each came from, and their typed readers.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::ChannelBinding;

use super::conninfo::Parameters;
use super::environment::Environment;
use super::secret::Secret;
use super::service;
use super::target::{Address, CONNECT_TIMEOUT, Endpoint, Keepalive, SessionAttrs, TargetError};

/// Parameters that are understood.
const SUPPORTED: &[&str] = &[
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "options",
    "passfile",
    "password",
    "port",
    "service",
    "servicefile",
    "ssl_min_protocol_version",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Parameters that change nothing here: what they ask for is so in any case, or is left to the server.
const WITHOUT_EFFECT: &[&str] = &["client_encoding", "gssdelegation", "krbsrvname", "gsslib", "sslcompression"];

/// libpq's other parameters. Each asks for something that would silently not happen.
const UNSUPPORTED: &[&str] = &[
    "gssencmode",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "scram_client_key",
    "scram_server_key",
    "ssl_max_protocol_version",
    "sslcertmode",
    "sslcrl",
    "sslcrldir",
    "sslkeylogfile",
    "sslpassword",
];

/// Values of unsupported parameters that ask for nothing.
const HARMLESS: &[(&str, &str)] =
    &[("gssencmode", "disable"), ("gssencmode", "prefer"), ("load_balance_hosts", "disable"), ("sslcertmode", "allow")];

/// Where Debian and where upstream put the socket.
const SOCKET_DIRECTORIES: &[&str] = &["/var/run/postgresql", "/tmp"];

/// Where Debian has the service file of all users.
const SERVICES: &str = "/etc/postgresql-common/pg_service.conf";

const DEFAULT_PORT: u16 = 5432;

pub(super) struct Settings<'a> {
    text: Parameters,
    /// The section of the service file that the text or the environment names.
    service: Parameters,
    environment: &'a Environment,
}

/// A value and the name of what gave it.
struct Value {
    name: String,
    value: String,
}

impl Value {
    fn invalid(self, expected: &'static str) -> TargetError {
        TargetError::InvalidValue { name: self.name, value: self.value, expected }
    }

    fn parse<T: FromStr>(self, expected: &'static str) -> Result<T, TargetError> {
        self.value.trim().parse().map_err(|_| self.invalid(expected))
    }
}

impl<'a> Settings<'a> {
    /// Refuses parameters that are not known or would silently not be honoured.
    pub(super) fn new(text: Parameters, environment: &'a Environment) -> Result<Self, TargetError> {
        Self::check(&text)?;
        let mut settings = Self { text, service: Parameters::new(), environment };
        if let Some(name) = settings.text("service") {
            let given = settings.text("servicefile").map(PathBuf::from);
            let files = match given {
                Some(file) => vec![file],
                None => environment.in_home(".pg_service.conf").into_iter().chain([SERVICES.into()]).collect(),
            };
            settings.service = service::section(&files, &name).map_err(|why| settings.conflict("service", why))?;
            Self::check(&settings.service)?;
        }
        Ok(settings)
    }

    fn check(text: &Parameters) -> Result<(), TargetError> {
        let has_password = text.iter().any(|(name, _)| name == "password");
        for (name, value) in text {
            let known = |names: &[&str]| names.contains(&name.as_str());
            if known(SUPPORTED) || known(WITHOUT_EFFECT) || HARMLESS.contains(&(name.as_str(), value.as_str())) {
                continue;
            }
            return Err(if known(UNSUPPORTED) {
                TargetError::Unsupported { name: name.clone() }
            } else if has_password {
                // The rest of a password that was not quoted looks like a parameter.
                TargetError::Malformed {
                    reason: "it has an unknown parameter, or a password that is not quoted".into(),
                }
            } else {
                TargetError::UnknownParameter { name: name.clone() }
            });
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Option<Value> {
        // As in libpq, the service comes between the text and the environment.
        let said = self.service.iter().chain(&self.text).rev();
        match said.into_iter().find(|(key, value)| key == name && !value.is_empty()) {
            Some((name, value)) => Some(Value { name: name.clone(), value: value.clone() }),
            None => self
                .environment
                .default_of(name)
                .map(|(variable, value)| Value { name: variable.to_owned(), value: value.to_owned() }),
        }
    }

    /// A parameter as it is.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.value)
    }

    /// A parameter that is one of a few words.
    pub(super) fn one_of<T: Copy>(
        &self,
        name: &str,
        words: &[(&str, T)],
        expected: &'static str,
    ) -> Result<Option<T>, TargetError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == value.value) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => Err(value.invalid(expected)),
        }
    }

    /// An error about a parameter that does not fit another one.
    pub(super) fn conflict(&self, name: &str, reason: impl Into<String>) -> TargetError {
        let name = self.get(name).map_or_else(|| name.to_owned(), |value| value.name);
        TargetError::Conflict { name, reason: reason.into() }
    }

    /// The password, and whether the text held one.
    pub(super) fn password(&self) -> (Option<Secret>, bool) {
        let in_text = self.text.iter().any(|(name, value)| name == "password" && !value.is_empty());
        (self.text("password").map(Secret::new), in_text)
    }

    pub(super) fn endpoints(&self) -> Result<Vec<Endpoint>, TargetError> {
        let list = |name: &str| self.text(name).map(|text| text.split(',').map(|e| e.trim().to_owned()).collect());
        let hosts: Vec<String> = list("host").unwrap_or_default();
        let hostaddrs: Vec<String> = list("hostaddr").unwrap_or_default();
        if !hosts.is_empty() && !hostaddrs.is_empty() && hosts.len() != hostaddrs.len() {
            let reason = format!("there are {} addresses for {} hosts", hostaddrs.len(), hosts.len());
            return Err(self.conflict("hostaddr", reason));
        }
        let count = hosts.len().max(hostaddrs.len()).max(1);
        let ports = self.ports(count)?;
        (0..count)
            .map(|at| {
                let present = |list: &[String]| list.get(at).filter(|entry| !entry.is_empty()).cloned();
                let port = ports[at];
                let hostaddr = match present(&hostaddrs) {
                    None => None,
                    Some(value) => {
                        Some(Value { name: "hostaddr".into(), value }.parse::<IpAddr>("a numeric IP address")?)
                    }
                };
                let address = match (present(&hosts), hostaddr) {
                    (Some(host), None) if host.starts_with('/') => Address::Socket(host.into()),
                    (Some(host), hostaddr) => Address::Tcp { host, hostaddr },
                    (None, Some(hostaddr)) => Address::Tcp { host: hostaddr.to_string(), hostaddr: Some(hostaddr) },
                    (None, None) => default_address(port),
                };
                Ok(Endpoint { address, port })
            })
            .collect()
    }

    fn ports(&self, hosts: usize) -> Result<Vec<u16>, TargetError> {
        let Some(Value { name, value }) = self.get("port") else { return Ok(vec![DEFAULT_PORT; hosts]) };
        let ports = value
            .split(',')
            .map(|entry| match entry.trim() {
                "" => Ok(DEFAULT_PORT),
                entry => {
                    let value = Value { name: name.clone(), value: entry.to_owned() };
                    Ok(value.parse::<std::num::NonZeroU16>("a number from 1 to 65535")?.get())
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        match ports.as_slice() {
            [port] => Ok(vec![*port; hosts]),
            ports if ports.len() == hosts => Ok(ports.to_vec()),
            ports => Err(self.conflict("port", format!("there are {} ports for {hosts} hosts", ports.len()))),
        }
    }

    /// Zero or less waits for ever, as in libpq.
    pub(super) fn connect_timeout(&self) -> Result<Option<Duration>, TargetError> {
        let Some(value) = self.get("connect_timeout") else { return Ok(Some(CONNECT_TIMEOUT)) };
        let seconds: i64 = value.parse("a number of seconds")?;
        Ok(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs))
    }

    pub(super) fn session_attrs(&self) -> Result<SessionAttrs, TargetError> {
        let words = [
            ("any", SessionAttrs::Any),
            ("read-write", SessionAttrs::ReadWrite),
            ("read-only", SessionAttrs::ReadOnly),
            ("primary", SessionAttrs::Primary),
            ("standby", SessionAttrs::Standby),
        ];
        let found = self.one_of("target_session_attrs", &words, "any, read-write, read-only, primary or standby")?;
        Ok(found.unwrap_or(SessionAttrs::Any))
    }

    pub(super) fn channel_binding(&self) -> Result<ChannelBinding, TargetError> {
        let words = [
            ("disable", ChannelBinding::Disable),
            ("prefer", ChannelBinding::Prefer),
            ("require", ChannelBinding::Require),
        ];
        let found = self.one_of("channel_binding", &words, "disable, prefer or require")?;
        Ok(found.unwrap_or(ChannelBinding::Prefer))
    }

    /// Where nobody says otherwise, a network that has gone silent is noticed as soon as the server notices it of an executor
    /// (`execute/session.rs`): libpq leaves it to the system, whose two hours no release should wait.
    pub(super) fn keepalive(&self) -> Result<Keepalive, TargetError> {
        let number = |name: &str| self.get(name).map(|value| value.parse::<i64>("a number")).transpose();
        let positive = |name: &str| Ok(number(name)?.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0));
        let enabled = number("keepalives")? != Some(0);
        // Zero is the system's own.
        let or = |name: &str, usual: u64| match self.get(name) {
            Some(_) => positive(name),
            None => Ok(enabled.then_some(usual)),
        };
        Ok(Keepalive {
            enabled,
            idle: or("keepalives_idle", 5)?.map(Duration::from_secs),
            interval: or("keepalives_interval", 2)?.map(Duration::from_secs),
            count: or("keepalives_count", 3)?.and_then(|count| u32::try_from(count).ok()),
            user_timeout: or("tcp_user_timeout", 10_000)?.map(Duration::from_millis),
        })
    }
}

/// The directory that holds a socket for the port, or else the one a server of this machine would use. libpq has one of them built in.
fn default_address(port: u16) -> Address {
    let has_socket = |directory: &&&str| Path::new(directory).join(format!(".s.PGSQL.{port}")).exists();
    let exists = |directory: &&&str| Path::new(directory).is_dir();
    let found = SOCKET_DIRECTORIES.iter().find(has_socket).or_else(|| SOCKET_DIRECTORIES.iter().find(exists));
    match found {
        Some(directory) => Address::Socket(PathBuf::from(directory)),
        None => Address::Tcp { host: "localhost".into(), hostaddr: None },
    }
}
