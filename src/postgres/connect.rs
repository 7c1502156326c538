//! From a [`Target`] to a [`Session`]: every server of the list in turn, with or without TLS as `sslmode` says.
//!
//! The socket and the question for TLS are handled here rather than by `tokio-postgres`, whose three modes are not libpq's six and
//! whose errors do not tell a server without TLS from one that is not to be trusted.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use tokio_postgres::config::{SslMode as Negotiated, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, NoTlsStream};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Secret;
use super::connect_error::ConnectError;
use super::session::{Door, Session, Wire};
use super::socket::{Peer, Socket, offers_tls, open};
use super::target::{Address, Endpoint, SessionAttrs, Target};
use super::tls::{self, TlsFailure};
use super::tls_settings::SslMode;

/// What a session's TLS stream is; `tokio-postgres-rustls` does not give it a public name.
pub(super) type TlsConnector = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
pub(super) type TlsStream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
pub(super) type PlainConnection = tokio_postgres::Connection<Socket, NoTlsStream>;
pub(super) type TlsConnection = tokio_postgres::Connection<Socket, TlsStream>;

/// Connects: tries the servers of the list in turn and returns the first session that fits, or why the last one did not.
pub async fn connect(target: &Target) -> Result<Session, ConnectError> {
    let asked = match &target.password_source {
        Some(source) if target.password.is_none() => Some(
            source
                .ask()
                .await
                .map_err(|reason| ConnectError::PasswordCommand { target: target.display().to_string(), reason })?,
        ),
        _ => None,
    };
    let mut last = None;
    for endpoint in &target.endpoints {
        match connect_to(target, endpoint, asked.as_ref()).await {
            Ok(session) => return Ok(session),
            Err(error) if error.is_about_this_server() => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| ConnectError::Unreachable {
        target: target.display().to_string(),
        reason: "no server is named".into(),
    }))
}

/// Tries every address of one server.
async fn connect_to(target: &Target, endpoint: &Endpoint, asked: Option<&Secret>) -> Result<Session, ConnectError> {
    let shown = format!("{}@{endpoint}/{}", target.user, target.database);
    let limit = target.connect_timeout;
    let mut last = None;
    for peer in within(limit, &shown, resolve(endpoint, &shown)).await? {
        let attempt = Attempt {
            target,
            endpoint,
            password: asked.or_else(|| target.password_for(endpoint)),
            peer,
            shown: &shown,
        };
        match within(limit, &shown, attempt.run()).await {
            Ok(session) => return Ok(session),
            Err(error) if error.is_about_this_server() => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or(ConnectError::Unreachable { target: shown, reason: "the host name has no address".into() }))
}

async fn within<T>(
    limit: Option<Duration>,
    shown: &str,
    work: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    match limit {
        None => work.await,
        Some(after) => tokio::time::timeout(after, work)
            .await
            .unwrap_or_else(|_| Err(ConnectError::Timeout { target: shown.to_owned(), after })),
    }
}

async fn resolve(endpoint: &Endpoint, shown: &str) -> Result<Vec<Peer>, ConnectError> {
    match &endpoint.address {
        Address::Socket(directory) => Ok(vec![Peer::Socket(directory.join(format!(".s.PGSQL.{}", endpoint.port)))]),
        Address::Tcp { hostaddr: Some(address), .. } => Ok(vec![Peer::Tcp((*address, endpoint.port).into())]),
        Address::Tcp { host, hostaddr: None } => tokio::net::lookup_host((host.as_str(), endpoint.port))
            .await
            .map(|found| found.map(Peer::Tcp).collect())
            .map_err(|error| ConnectError::Unreachable { target: shown.to_owned(), reason: error.to_string() }),
    }
}

/// How one try treats TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encryption {
    Never,
    IfOffered,
    Always,
}

/// One address of one server.
struct Attempt<'a> {
    target: &'a Target,
    endpoint: &'a Endpoint,
    password: Option<&'a Secret>,
    peer: Peer,
    shown: &'a str,
}

impl Attempt<'_> {
    async fn run(self) -> Result<Session, ConnectError> {
        let mode = match self.endpoint.address {
            // As in libpq: a unix socket has no TLS, whatever the mode.
            Address::Socket(_) => SslMode::Disable,
            Address::Tcp { .. } => self.target.tls.mode,
        };
        let session = match mode {
            SslMode::Disable => self.try_with(Encryption::Never).await,
            SslMode::Allow => match self.try_with(Encryption::Never).await {
                Err(refused) if is_refusal(&refused) => match self.try_with(Encryption::Always).await {
                    Err(ConnectError::Tls { failure: TlsFailure::NotOffered, .. }) => Err(refused),
                    other => other,
                },
                other => other,
            },
            SslMode::Prefer => match self.try_with(Encryption::IfOffered).await {
                Err(ConnectError::Tls { .. }) => self.try_with(Encryption::Never).await,
                Err(refused) if is_refusal(&refused) => self
                    .try_with(Encryption::Never)
                    .await
                    .map_err(|second| if is_refusal(&second) { refused } else { second }),
                other => other,
            },
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => self.try_with(Encryption::Always).await,
        }?;
        if self.fits(&session).await? {
            Ok(session)
        } else {
            Err(ConnectError::WrongRole { target: self.shown.into() })
        }
    }

    async fn try_with(&self, encryption: Encryption) -> Result<Session, ConnectError> {
        // Read the certificate files first: a mistake in them should not cost a connection.
        let tls = match encryption {
            Encryption::Never => None,
            Encryption::IfOffered | Encryption::Always => Some(self.tls_connector()?),
        };
        let mut socket = open(&self.peer, &self.target.keepalive).await.map_err(|error| self.unreachable(&error))?;
        let tls = match tls {
            Some(tls) if self.target.tls.direct => Some(tls),
            Some(tls) => match offers_tls(&mut socket).await.map_err(|error| self.broken(&error))? {
                true => Some(tls),
                false if encryption == Encryption::Always => return Err(self.tls(TlsFailure::NotOffered)),
                false => None,
            },
            None => None,
        };
        let handshake = tls.as_ref().map(|tls| connector_for(tls, self.host()));
        let started = match handshake {
            None => start_plain(self.config(), socket).await,
            Some(handshake) => start_encrypted(self.config(), socket, handshake).await,
        };
        let (client, wire) = started.map_err(|error| self.failed(&error))?;
        let door = Door {
            peer: self.peer.clone(),
            host: self.host().to_owned(),
            shown: self.shown.to_owned(),
            target: self.target.clone(),
            tls,
        };
        Session::open(client, wire, door).await.map_err(|error| self.failed(&error))
    }

    fn config(&self) -> Config {
        let Target { user, database, application_name, options, channel_binding, .. } = self.target;
        let mut config = Config::new();
        config.user(user).dbname(database).application_name(application_name).channel_binding(*channel_binding);
        if let Some(options) = options {
            config.options(options);
        }
        if let Some(password) = self.password {
            config.password(password.reveal());
        }
        config
    }

    async fn fits(&self, session: &Session) -> Result<bool, ConnectError> {
        let wanted = self.target.session_attrs;
        if wanted == SessionAttrs::Any {
            return Ok(true);
        }
        let query = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only') = 'on'";
        let row = session.query_one(query, &[]).await.map_err(|error| self.failed(&error))?;
        let (standby, read_only): (bool, bool) = (row.get(0), row.get(1));
        Ok(match wanted {
            SessionAttrs::Any => true,
            SessionAttrs::ReadWrite => !read_only,
            SessionAttrs::ReadOnly => read_only,
            SessionAttrs::Primary => !standby,
            SessionAttrs::Standby => standby,
        })
    }

    fn tls_connector(&self) -> Result<MakeRustlsConnect, ConnectError> {
        tls::connector(&self.target.tls).map_err(|failure| self.tls(failure))
    }

    fn host(&self) -> &str {
        match &self.endpoint.address {
            Address::Tcp { host, .. } => host,
            Address::Socket(_) => "",
        }
    }

    fn tls(&self, failure: TlsFailure) -> ConnectError {
        ConnectError::Tls { target: self.shown.into(), mode: self.target.tls.mode, failure }
    }

    fn unreachable(&self, error: &std::io::Error) -> ConnectError {
        ConnectError::Unreachable { target: self.shown.into(), reason: error.to_string() }
    }

    fn broken(&self, error: &std::io::Error) -> ConnectError {
        ConnectError::Protocol { target: self.shown.into(), reason: error.to_string() }
    }

    /// Tells the reasons apart that `tokio-postgres` has for not starting a session.
    fn failed(&self, error: &tokio_postgres::Error) -> ConnectError {
        let target = self.shown.to_owned();
        if let Some(error) = error.as_db_error() {
            return ConnectError::from_server(target, &self.target.database, error);
        }
        if let Some(error) = rustls_error(error) {
            return self.tls(TlsFailure::from_rustls(error, self.host()));
        }
        let reason = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
        if self.password.is_none() && reason.ends_with("password missing") {
            return ConnectError::NoPassword { target };
        }
        ConnectError::Protocol { target, reason }
    }
}

async fn start_plain(mut config: Config, socket: Socket) -> Result<(Client, Wire), tokio_postgres::Error> {
    let (client, connection) = config.ssl_mode(Negotiated::Disable).connect_raw(socket, NoTls).await?;
    Ok((client, Wire::Plain(Box::new(connection))))
}

/// The server has already said that it speaks TLS, or is not to be asked: either way it is "direct" to `tokio-postgres`.
async fn start_encrypted(
    mut config: Config,
    socket: Socket,
    tls: TlsConnector,
) -> Result<(Client, Wire), tokio_postgres::Error> {
    config.ssl_mode(Negotiated::Require).ssl_negotiation(SslNegotiation::Direct);
    let (client, connection) = config.connect_raw(socket, tls).await?;
    Ok((client, Wire::Tls(Box::new(connection))))
}

/// Whether `pg_hba.conf` has no entry for a connection with this kind of encryption; libpq then tries the other kind.
fn is_refusal(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Authentication { sqlstate, .. }
        if sqlstate == SqlState::INVALID_AUTHORIZATION_SPECIFICATION.code())
}

/// A connector for one handshake.
pub(super) fn connector_for(tls: &MakeRustlsConnect, host: &str) -> TlsConnector {
    let connector = <MakeRustlsConnect as MakeTlsConnect<Socket>>::make_tls_connect(&mut tls.clone(), host);
    match connector {
        Ok(connector) => connector,
        Err(never) => match never {},
    }
}

fn rustls_error(error: &tokio_postgres::Error) -> Option<&rustls::Error> {
    let io: &std::io::Error = error.source()?.downcast_ref()?;
    io.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers spawn it on runtimes with many threads.
    #[test]
    fn the_future_is_send() {
        fn check<T: Send>(_: impl FnOnce(&'static Target) -> T) {}
        check(connect);
    }
}
