//! The `ssl…` parameters, with libpq's meaning.

use std::fmt;
use std::path::PathBuf;

use super::environment::Environment;
use super::settings::Settings;
use super::target::TargetError;

/// `sslmode`, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS only if the server refuses the connection without.
    Allow,
    /// TLS if the server has it, otherwise without.
    Prefer,
    /// TLS or nothing. The server's certificate is checked only if there is a root certificate file, as under `verify-ca`.
    Require,
    /// TLS with a certificate of a trusted authority, whatever name it is for.
    VerifyCa,
    /// TLS with a certificate of a trusted authority for the very host name.
    VerifyFull,
}

impl SslMode {
    const WORDS: &[(&str, Self)] = &[
        ("disable", Self::Disable),
        ("allow", Self::Allow),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, mode)| mode == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

/// What the server's certificate must lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// No root certificate file was given and there is none at the default place: nothing to check against.
    None,
    /// `sslrootcert=system`: what the operating system trusts.
    System,
    /// The certificates of a PEM file.
    File(PathBuf),
}

/// The client's own certificate and key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientCertificate {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsSettings {
    pub(super) mode: SslMode,
    pub(super) roots: Roots,
    pub(super) client: Option<ClientCertificate>,
    /// Whether the handshake names the host (`sslsni`).
    pub(super) sni: bool,
    /// TLS without asking first (`sslnegotiation=direct`, PostgreSQL 17).
    pub(super) direct: bool,
    /// TLS 1.3 at least.
    pub(super) only_1_3: bool,
}

impl TlsSettings {
    pub(super) fn resolve(settings: &Settings<'_>, environment: &Environment) -> Result<Self, TargetError> {
        let in_home = |name: &str| environment.in_home(".postgresql").map(|dir| dir.join(name));
        let mode =
            settings.one_of("sslmode", SslMode::WORDS, "disable, allow, prefer, require, verify-ca or verify-full")?;
        let roots = match settings.text("sslrootcert") {
            Some(word) if word == "system" => Roots::System,
            Some(file) => Roots::File(file.into()),
            None => in_home("root.crt").filter(|path| path.exists()).map_or(Roots::None, Roots::File),
        };
        let mode = match (mode, &roots) {
            (None, Roots::System) => SslMode::VerifyFull,
            (None, Roots::None | Roots::File(_)) => SslMode::Prefer,
            (Some(mode), Roots::System) if mode < SslMode::VerifyFull => {
                return Err(settings.conflict("sslmode", "sslrootcert=system allows only verify-full"));
            }
            (Some(mode), _) => mode,
        };
        let client = match settings.text("sslcert").map(PathBuf::from) {
            Some(path) => Some(path),
            None => in_home("postgresql.crt").filter(|path| path.exists()),
        };
        let client = match client {
            None => None,
            Some(certificate) => {
                let key = settings.text("sslkey").map(PathBuf::from).or_else(|| in_home("postgresql.key"));
                let key = key.ok_or_else(|| settings.conflict("sslcert", "there is no sslkey for it"))?;
                Some(ClientCertificate { certificate, key })
            }
        };
        let direct =
            settings.one_of("sslnegotiation", &[("postgres", false), ("direct", true)], "postgres or direct")?;
        if direct == Some(true) && mode < SslMode::Require {
            return Err(settings.conflict("sslnegotiation", "direct needs sslmode require, verify-ca or verify-full"));
        }
        let versions = [("TLSv1", false), ("TLSv1.1", false), ("TLSv1.2", false), ("TLSv1.3", true)];
        Ok(Self {
            mode,
            roots,
            client,
            sni: settings.one_of("sslsni", &[("0", false), ("1", true)], "0 or 1")?.unwrap_or(true),
            direct: direct.unwrap_or(false),
            only_1_3: settings
                .one_of("ssl_min_protocol_version", &versions, "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3")?
                .unwrap_or(false),
        })
    }

    /// Whether the server's certificate must be of a trusted authority.
    pub(super) fn verifies(&self) -> bool {
        self.mode >= SslMode::VerifyCa || self.roots != Roots::None
    }
}

#[cfg(test)]
mod tests {
    use super::super::conninfo;
    use super::*;

    fn resolve(text: &str, environment: &Environment) -> Result<TlsSettings, TargetError> {
        let settings = Settings::new(conninfo::parse(text).unwrap(), environment).unwrap();
        TlsSettings::resolve(&settings, environment)
    }

    #[test]
    fn modes_and_what_they_verify() {
        let check = |text: &str, mode: SslMode, verifies: bool| {
            let tls = resolve(text, &Environment::empty()).unwrap();
            assert_eq!((tls.mode, tls.verifies()), (mode, verifies), "{text}");
        };
        check("", SslMode::Prefer, false);
        check("sslmode=require", SslMode::Require, false);
        check("sslmode=require sslrootcert=x", SslMode::Require, true);
        check("sslmode=verify-ca", SslMode::VerifyCa, true);
        check("sslrootcert=system", SslMode::VerifyFull, true);
        assert!(resolve("sslrootcert=system sslmode=require", &Environment::empty()).is_err());
        assert!(resolve("sslnegotiation=direct", &Environment::empty()).is_err());
        assert_eq!(SslMode::VerifyCa.to_string(), "verify-ca");
    }

    #[test]
    fn files_below_the_home_directory_are_found() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join(".postgresql");
        std::fs::create_dir(&dir).unwrap();
        let environment = Environment::empty().with_home(home.path());
        assert_eq!(resolve("", &environment).unwrap().roots, Roots::None);
        for name in ["root.crt", "postgresql.crt"] {
            std::fs::write(dir.join(name), "").unwrap();
        }
        let tls = resolve("sslmode=require", &environment).unwrap();
        assert_eq!(tls.roots, Roots::File(dir.join("root.crt")));
        assert!(tls.verifies());
        let key = dir.join("postgresql.key");
        assert_eq!(tls.client, Some(ClientCertificate { certificate: dir.join("postgresql.crt"), key }));
    }
}
