//! A throwaway cluster that logs every statement, and reading what it logged.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Binaries, Local, LocalOptions, ThrowawayError};
use crate::postgres::{Environment, Target, connect};
use crate::workload::LogFormat;

/// How long the log may lag behind the last statement.
const LAG: Duration = Duration::from_secs(30);

/// The name that our own sessions have in the log.
pub const RECORDER: &str = "cutover-record";

/// A cluster that logs every statement, reachable for any program on 127.0.0.1.
#[derive(Debug)]
pub struct Logged {
    server: Local,
    port: u16,
    password: String,
    format: LogFormat,
}

impl Logged {
    /// Starts one. `values`: whether the values of parameters are logged.
    pub async fn start(options: &LocalOptions, values: bool) -> Result<Self, ThrowawayError> {
        let binaries = match &options.bin_directory {
            Some(directory) => Binaries::in_directory(directory)?,
            None => Binaries::find(options.search_path.as_deref())?,
        };
        let (format, destination) =
            if binaries.major() >= 15 { (LogFormat::Json, "jsonlog") } else { (LogFormat::Csv, "csvlog") };
        let settings = [
            ("logging_collector", "on"),
            ("log_destination", destination),
            ("log_directory", "statements"),
            ("log_filename", "statements.log"),
            ("log_rotation_age", "0"),
            ("log_rotation_size", "0"),
            ("log_statement", "all"),
            ("log_min_duration_statement", "-1"),
            ("log_min_error_statement", "error"),
            ("log_parameter_max_length", if values { "-1" } else { "0" }),
            ("log_parameter_max_length_on_error", "0"),
            ("lc_messages", "C"),
        ];
        let port = free_port()?;
        let options = LocalOptions {
            loopback_port: Some(port),
            bin_directory: Some(binaries.directory().to_owned()),
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..options.clone()
        };
        let server = Local::start(&options).await?;
        let session = connect(&server.maintenance().with_application_name(RECORDER)).await?;
        let failed = |error: tokio_postgres::Error| ThrowawayError::database("prepare", "the throwaway", &error);
        let row = session.query_one("SELECT pg_catalog.gen_random_uuid()::text", &[]).await.map_err(failed)?;
        let password: String = row.get(0);
        let role = format!("ALTER ROLE {} PASSWORD '{password}'", server.maintenance().user());
        session.batch_execute(&role).await.map_err(failed)?;
        session.close().await;
        Ok(Self { server, port, password, format })
    }

    /// Which server it is, for the output.
    pub fn describe(&self) -> String {
        self.server.describe()
    }

    /// The format of its log.
    pub fn format(&self) -> LogFormat {
        self.format
    }

    /// An empty database: for our own sessions, and for programs of any language (127.0.0.1 and a password).
    pub async fn create_database(&self) -> Result<(Target, Target), ThrowawayError> {
        let own = self.server.create_database().await?.with_application_name(RECORDER);
        let text = format!(
            "host=127.0.0.1 port={} user={} password={} dbname={} sslmode=disable",
            self.port,
            own.user(),
            self.password,
            own.database()
        );
        let handed = Target::parse(&text, &Environment::empty());
        let handed = handed.map_err(|error| ThrowawayError::System {
            action: "name the throwaway server".into(),
            reason: error.to_string(),
        })?;
        Ok((own, handed))
    }

    /// Everything that was logged until now, once the log has caught up.
    pub async fn log(&self) -> Result<String, ThrowawayError> {
        let session = connect(&self.server.maintenance().with_application_name(RECORDER)).await?;
        let row = session.query_one("SELECT pg_catalog.gen_random_uuid()::text", &[]).await;
        let failed =
            |error: tokio_postgres::Error| ThrowawayError::database("read the log of", "the throwaway", &error);
        let mark: String = row.map_err(failed)?.get(0);
        session.batch_execute(&format!("SELECT '{mark}'")).await.map_err(failed)?;
        session.close().await;
        let deadline = Instant::now() + LAG;
        loop {
            let path = self.path();
            let bytes = std::fs::read(&path)
                .map_err(|error| ThrowawayError::system(format!("read {}", path.display()), &error))?;
            // The log is in order, so the mark is the end of what counts.
            let text = String::from_utf8_lossy(&bytes);
            if let Some(at) = text.rfind(&mark) {
                let end = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
                return Ok(text[..end].to_owned());
            }
            if Instant::now() > deadline {
                return Err(ThrowawayError::System {
                    action: "read the log of the throwaway server".into(),
                    reason: "it does not catch up with what was run".into(),
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the server.
    pub fn stop(self) {
        self.server.stop();
    }

    fn path(&self) -> PathBuf {
        let extension = match self.format {
            LogFormat::Json => "json",
            LogFormat::Csv => "csv",
        };
        self.server.directory().join("data/statements/statements").with_extension(extension)
    }
}

/// A port that nobody listens at.
fn free_port() -> Result<u16, ThrowawayError> {
    let found = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    found.map(|address| address.port()).map_err(|error| ThrowawayError::system("find a free port", &error))
}
