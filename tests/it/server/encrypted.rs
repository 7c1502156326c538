//! TLS and passwords against a real server on loopback. Names are checked by connecting to `host=db.test hostaddr=127.0.0.1`.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use cutover::postgres::throwaway::{Local, LocalOptions};
use cutover::postgres::{ConnectError, Environment, Session, Target, TlsFailure, connect};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::support::{Authority, local_options, self_signed};

const HBA: &str = "\
local all all trust
hostssl all by_certificate 127.0.0.1/32 cert
hostssl all only_tls 127.0.0.1/32 scram-sha-256
hostnossl all only_plain 127.0.0.1/32 scram-sha-256
host all me 127.0.0.1/32 scram-sha-256
";

/// A server on TCP that asks for passwords.
struct Server {
    local: Local,
    port: u16,
}

impl Server {
    async fn start() -> Self {
        // Another process may take the port between our look at it and the server's; the server then does not start.
        let mut last = None;
        for _ in 0..5 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            match Local::start(&LocalOptions { loopback_port: Some(port), ..local_options() }).await {
                Ok(local) => return Self { local, port },
                Err(error) => last = Some(error),
            }
        }
        panic!("no server: {}", last.unwrap());
    }

    async fn sql(&self, text: &str) {
        connect(self.local.maintenance()).await.unwrap().batch_execute(text).await.unwrap();
    }

    /// A file that the server's user may read and nobody else.
    fn write(&self, name: &str, text: &str) {
        let path = self.local.directory().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let owner = std::fs::metadata(self.local.directory()).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    async fn turn_tls_on(&self, (certificate, key): (String, String), authority: &str) {
        self.write("data/server.crt", &certificate);
        self.write("data/server.key", &key);
        self.write("data/root.crt", authority);
        self.sql("ALTER SYSTEM SET ssl_ca_file = 'root.crt'").await;
        self.sql("ALTER SYSTEM SET ssl = on").await;
        self.reload("SELECT current_setting('ssl') = 'on'").await;
    }

    /// The postmaster rereads its files in its own time.
    async fn reload(&self, until: &str) {
        self.sql("SELECT pg_reload_conf()").await;
        loop {
            let session = connect(self.local.maintenance()).await.unwrap();
            if session.query_one(until, &[]).await.unwrap().get(0) {
                return;
            }
        }
    }

    /// Connects as `me` with the right password unless the text says otherwise.
    async fn connect(&self, text: &str) -> Result<Session, ConnectError> {
        let password = |name: &str| (name == "PGPASSWORD").then(|| "right".to_owned());
        let text = format!("hostaddr=127.0.0.1 port={} user=me dbname=postgres {text}", self.port);
        connect(&Target::parse(&text, &Environment::from_lookup(password)).unwrap()).await
    }

    async fn encrypted(&self, text: &str) -> bool {
        let session = self.connect(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        let row = session.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await.unwrap();
        assert_eq!(session.is_encrypted(), row.get::<_, bool>(0), "{text}");
        session.is_encrypted()
    }

    async fn failure(&self, text: &str) -> TlsFailure {
        match self.connect(text).await {
            Err(ConnectError::Tls { failure, .. }) => failure,
            Err(other) => panic!("{text}: {other}"),
            Ok(_) => panic!("{text}: connected"),
        }
    }
}

/// A server with a certificate of `ca.crt` for `db.test`, and the client's files.
struct Signed {
    server: Server,
    files: ClientFiles,
}

/// The text of the client's files; every test writes its own copies, because a static would leave them behind.
struct ClientFiles {
    ca: String,
    other_ca: String,
    certificate: (String, String),
}

impl ClientFiles {
    fn write(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = &self.certificate;
        for (name, text) in
            [("ca.crt", &self.ca), ("other.crt", &self.other_ca), ("me.crt", certificate), ("me.key", key)]
        {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        directory
    }
}

async fn signed() -> &'static Signed {
    static SIGNED: OnceCell<Signed> = OnceCell::const_new();
    SIGNED
        .get_or_init(|| async {
            let (authority, other) = (Authority::new("the authority"), Authority::new("another"));
            let server = Server::start().await;
            server.sql("CREATE ROLE me LOGIN PASSWORD 'right'; CREATE ROLE only_tls LOGIN PASSWORD 'right'").await;
            server.sql("CREATE ROLE only_plain LOGIN PASSWORD 'right'; CREATE ROLE by_certificate LOGIN").await;
            server.write("data/pg_hba.conf", HBA);
            server.turn_tls_on(authority.sign("ignored.test", &["db.test"]), authority.pem()).await;
            server.reload("SELECT count(*) > 0 FROM pg_hba_file_rules WHERE 'only_tls' = ANY (user_name)").await;
            let files = ClientFiles {
                ca: authority.pem().to_owned(),
                other_ca: other.pem().to_owned(),
                certificate: authority.sign("by_certificate", &[]),
            };
            Signed { server, files }
        })
        .await
}

fn root(directory: &Path, name: &str) -> String {
    format!("sslrootcert='{}'", directory.join(name).display())
}

#[tokio::test]
async fn modes_without_a_root_certificate() {
    let Signed { server, .. } = signed().await;
    for (mode, encrypted) in [("disable", false), ("allow", false), ("prefer", true), ("require", true)] {
        assert_eq!(server.encrypted(&format!("sslmode={mode}")).await, encrypted, "{mode}");
    }
    assert!(server.encrypted("").await, "prefer is the default");
    assert_eq!(server.failure("sslmode=verify-ca").await, TlsFailure::NoRoots);
    assert_eq!(server.failure("sslmode=verify-full").await, TlsFailure::NoRoots);
    let error = server.connect("sslmode=verify-ca").await.unwrap_err();
    assert_eq!(
        error.hint().as_deref(),
        Some("sslmode=verify-ca needs sslrootcert=FILE, sslrootcert=system, or the file ~/.postgresql/root.crt")
    );
}

#[tokio::test]
async fn the_right_authority() {
    let Signed { server, files } = signed().await;
    let directory = files.write();
    let root = root(directory.path(), "ca.crt");
    for text in ["sslmode=require", "sslmode=verify-ca host=other.test", "sslmode=verify-full host=db.test"] {
        assert!(server.encrypted(&format!("{text} {root}")).await, "{text}");
    }
    let wrong = |host: &str| TlsFailure::WrongName { host: host.to_owned() };
    assert_eq!(server.failure(&format!("sslmode=verify-full host=other.test {root}")).await, wrong("other.test"));
    assert_eq!(server.failure(&format!("sslmode=verify-full {root}")).await, wrong("127.0.0.1"));
    // The common name does not count where there are alternative names.
    assert_eq!(server.failure(&format!("sslmode=verify-full host=ignored.test {root}")).await, wrong("ignored.test"));
}

#[tokio::test]
async fn the_wrong_authority() {
    let Signed { server, files } = signed().await;
    let directory = files.write();
    let root = root(directory.path(), "other.crt");
    for mode in ["require", "verify-ca", "verify-full"] {
        let text = format!("host=db.test sslmode={mode} {root}");
        assert_eq!(server.failure(&text).await, TlsFailure::UnknownAuthority, "{mode}");
    }
    // As in libpq: what prefers TLS does without when TLS fails.
    assert!(!server.encrypted(&format!("host=db.test sslmode=prefer {root}")).await);
    let system = server.failure("host=db.test sslrootcert=system").await;
    assert!(matches!(system, TlsFailure::UnknownAuthority | TlsFailure::NoRoots), "{system}");
    let missing = directory.path().join("missing.crt");
    let failure = server.failure(&format!("sslmode=require sslrootcert='{}'", missing.display())).await;
    assert!(matches!(&failure, TlsFailure::File { path, .. } if *path == missing), "{failure}");
}

#[tokio::test]
async fn a_certificate_of_our_own() {
    let Signed { server, files } = signed().await;
    let directory = files.write();
    let path = |name: &str| directory.path().join(name);
    let text = format!(
        "user=by_certificate sslmode=require sslcert='{}' sslkey='{}'",
        path("me.crt").display(),
        path("me.key").display()
    );
    assert!(server.encrypted(&text).await);
    let error = server.connect("user=by_certificate sslmode=require").await.unwrap_err();
    assert!(matches!(error, ConnectError::Authentication { .. }), "{error}");
    std::fs::set_permissions(path("me.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let failure = server.failure(&text).await;
    assert!(matches!(&failure, TlsFailure::File { path: file, .. } if *file == path("me.key")), "{failure}");
}

#[tokio::test]
async fn the_server_picks_the_encryption() {
    let Signed { server, .. } = signed().await;
    assert!(server.encrypted("user=only_tls sslmode=allow").await);
    assert!(server.encrypted("user=only_tls sslmode=prefer").await);
    assert!(!server.encrypted("user=only_plain sslmode=prefer").await);
    for text in ["user=only_tls sslmode=disable", "user=only_plain sslmode=require"] {
        let error = server.connect(text).await.unwrap_err();
        assert!(matches!(error, ConnectError::Authentication { .. }), "{text}: {error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("pg_hba.conf")));
    }
}

#[tokio::test]
async fn passwords() {
    let Signed { server, .. } = signed().await;
    for mode in ["sslmode=disable", "sslmode=require", "sslmode=require channel_binding=require"] {
        server.connect(mode).await.unwrap();
        let error = server.connect(&format!("{mode} password=wrong")).await.unwrap_err();
        assert!(matches!(&error, ConnectError::Authentication { sqlstate, .. } if sqlstate == "28P01"), "{error}");
        assert!(!format!("{error:?} {error}").contains("wrong"));
    }
    let error = server.connect("sslmode=disable channel_binding=require").await.unwrap_err();
    assert!(error.to_string().contains("channel binding"), "{error}");

    let text = format!("host=127.0.0.1 port={} user=me dbname=postgres", server.port);
    let error = connect(&Target::parse(&text, &Environment::empty()).unwrap()).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoPassword { .. }), "{error}");
}

#[tokio::test]
async fn cancelling_under_tls() {
    let Signed { server, .. } = signed().await;
    let (session, other) = (server.connect("sslmode=require").await.unwrap(), server.connect("").await.unwrap());
    let watch = async {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
        while other.query_one(query, &[&session.backend_pid()]).await.unwrap().get::<_, i64>(0) == 0 {}
        session.cancel_handle().cancel().await.unwrap();
    };
    let (outcome, ()) = tokio::join!(session.batch_execute("SELECT pg_sleep(60)"), watch);
    assert_eq!(outcome.unwrap_err().code().unwrap().code(), "57014");
}

#[tokio::test]
async fn a_server_without_tls_and_one_that_signed_itself() {
    let server = Server::start().await;
    server.sql("CREATE ROLE me LOGIN PASSWORD 'right'").await;
    assert!(!server.encrypted("sslmode=prefer").await);
    assert_eq!(server.failure("sslmode=require").await, TlsFailure::NotOffered);

    // The recipe of PostgreSQL's manual: the server's certificate is the root certificate, too, and names the host in its subject.
    let (certificate, key) = self_signed("db.test");
    server.turn_tls_on((certificate.clone(), key), &certificate).await;
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("server.crt"), certificate).unwrap();
    std::fs::write(files.path().join("other.crt"), Authority::new("another").pem()).unwrap();
    let (own, other) = (root(files.path(), "server.crt"), root(files.path(), "other.crt"));
    assert!(server.encrypted("sslmode=require").await);
    assert!(server.encrypted(&format!("sslmode=verify-ca host=other.test {own}")).await);
    assert!(server.encrypted(&format!("sslmode=verify-full host=db.test {own}")).await);
    assert_eq!(
        server.failure(&format!("sslmode=verify-full host=other.test {own}")).await,
        TlsFailure::WrongName { host: "other.test".into() }
    );
    assert_eq!(server.failure(&format!("sslmode=verify-ca host=db.test {other}")).await, TlsFailure::UnknownAuthority);
}
