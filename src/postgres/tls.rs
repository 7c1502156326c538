//! TLS as libpq does it, on rustls: which certificates are accepted, and the connector that says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::tls_settings::{ClientCertificate, Roots, SslMode, TlsSettings};

/// What went wrong with TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFailure {
    /// The server has no TLS.
    #[error("the server does not offer TLS")]
    NotOffered,
    /// No authority that is trusted has signed the certificate.
    #[error("no trusted authority has signed the server's certificate")]
    UnknownAuthority,
    /// The certificate is for other names.
    #[error("the server's certificate is not for {host}")]
    WrongName {
        /// The name it should be for.
        host: String,
    },
    /// Out of its period of validity, or not acceptable for another reason.
    #[error("the server's certificate is not acceptable: {reason}")]
    BadCertificate {
        /// What rustls says of it.
        reason: String,
    },
    /// A mode that verifies, and nothing to verify against.
    #[error("there is no root certificate to verify the server's certificate with")]
    NoRoots,
    /// A certificate or key file cannot be used.
    #[error("{} cannot be used: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Anything else, among it what the server says about our certificate.
    #[error("the handshake failed: {reason}")]
    Handshake {
        /// What rustls or the server said.
        reason: String,
    },
}

impl TlsFailure {
    /// Reads rustls's word on a handshake with `host`.
    pub(super) fn from_rustls(error: &rustls::Error, host: &str) -> Self {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => Self::UnknownAuthority,
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::WrongName { host: host.to_owned() },
            rustls::Error::InvalidCertificate(why) => Self::BadCertificate { reason: why.to_string() },
            other => Self::Handshake { reason: other.to_string() },
        }
    }

    /// What to do next.
    pub(super) fn hint(&self, mode: SslMode) -> String {
        match self {
            Self::NotOffered => format!(
                "sslmode={mode} insists on TLS: turn on ssl on the server, or use sslmode=prefer on a network you trust"
            ),
            Self::UnknownAuthority => {
                "name the authority's certificate file with sslrootcert=FILE, or use sslrootcert=system for a public one".into()
            }
            Self::WrongName { .. } => {
                "connect by a name the certificate holds, or use sslmode=verify-ca to accept any name of this authority".into()
            }
            Self::BadCertificate { .. } => "have the server's certificate renewed (X.509 version 3 is needed)".into(),
            Self::NoRoots => format!(
                "sslmode={mode} needs sslrootcert=FILE, sslrootcert=system, or the file ~/.postgresql/root.crt"
            ),
            Self::File { .. } => "check the files that sslrootcert, sslcert and sslkey name".into(),
            Self::Handshake { .. } => {
                "check that the server asks for no client certificate (sslcert, sslkey) and speaks TLS 1.2 or later".into()
            }
        }
    }
}

/// Makes the connector. rustls's ring provider is named here, so that no process-wide default is set or needed.
pub(super) fn connector(settings: &TlsSettings) -> Result<MakeRustlsConnect, TlsFailure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier {
        trusted: trusted(settings)?,
        check_name: settings.mode == SslMode::VerifyFull,
        algorithms: provider.signature_verification_algorithms,
    };
    let versions: &[_] = if settings.only_1_3 {
        &[&rustls::version::TLS13]
    } else {
        &[&rustls::version::TLS12, &rustls::version::TLS13]
    };
    let failed = |error: rustls::Error| TlsFailure::Handshake { reason: error.to_string() };
    let builder = ClientConfig::builder_with_provider(Arc::<CryptoProvider>::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &settings.client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let (chain, key) = client_certificate(client)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| file(&client.key, error))?
        }
    };
    config.enable_sni = settings.sni;
    if settings.direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(MakeRustlsConnect::new(config))
}

fn file(path: &Path, reason: impl ToString) -> TlsFailure {
    TlsFailure::File { path: path.to_owned(), reason: reason.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFailure> {
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| file(path, error))?;
    if found.is_empty() { Err(file(path, "it holds no certificate in PEM form")) } else { Ok(found) }
}

fn trusted(settings: &TlsSettings) -> Result<Option<Trusted>, TlsFailure> {
    let certificates = match &settings.roots {
        Roots::None if settings.verifies() => return Err(TlsFailure::NoRoots),
        Roots::None => return Ok(None),
        Roots::File(path) => certificates(path)?,
        Roots::System => rustls_native_certs::load_native_certs().certs,
    };
    let mut store = RootCertStore::empty();
    let (usable, _) = store.add_parsable_certificates(certificates.iter().cloned());
    if usable == 0 {
        return Err(match &settings.roots {
            Roots::File(path) => file(path, "none of its certificates can be used"),
            Roots::None | Roots::System => TlsFailure::NoRoots,
        });
    }
    Ok(Some(Trusted { store, certificates }))
}

fn client_certificate(
    client: &ClientCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsFailure> {
    let metadata = std::fs::metadata(&client.key).map_err(|error| file(&client.key, error))?;
    if is_exposed(&metadata) {
        let reason = "group or others may read it; run chmod 600 on it (0640 if root owns it)";
        return Err(file(&client.key, reason));
    }
    let key = PrivateKeyDer::from_pem_file(&client.key).map_err(|error| file(&client.key, error))?;
    Ok((certificates(&client.certificate)?, key))
}

/// libpq's rule for a private key: 0600, or 0640 where root owns it.
fn is_exposed(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let allowed = if metadata.uid() == 0 { 0o740 } else { 0o700 };
    metadata.mode() & 0o777 & !allowed != 0
}

/// The certificates that are trusted, as anchors and as they stand in the file.
#[derive(Debug)]
struct Trusted {
    store: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

#[derive(Debug)]
struct Verifier {
    /// `None` accepts every certificate, as libpq's `require` does without a root certificate file.
    trusted: Option<Trusted>,
    check_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let parsed = ParsedCertificate::try_from(end_entity)?;
        if trusted.certificates.contains(end_entity) {
            // PostgreSQL's manual has the server's self-signed certificate double as the root certificate. OpenSSL takes that; webpki
            // would refuse an authority's certificate in the server's place, although it is the very one that is trusted.
            check_period(end_entity, now)?;
        } else {
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, &trusted.store, intermediates, now, algorithms)
                .map_err(
                    // webpki's first complaint about such a certificate is that it could sign others.
                    |error| if is_self_signed(end_entity) { CertificateError::UnknownIssuer.into() } else { error },
                )?;
        }
        if self.check_name {
            verify_server_name(&parsed, server_name)
                .or_else(|error| if matches_common_name(end_entity, server_name) { Ok(()) } else { Err(error) })?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| parsed.subject() == parsed.issuer())
}

fn check_period(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let period = parsed.validity();
    if now < period.not_before.timestamp() {
        Err(CertificateError::NotValidYet.into())
    } else if now > period.not_after.timestamp() {
        Err(CertificateError::Expired.into())
    } else {
        Ok(())
    }
}

/// libpq's fallback: a certificate without alternative names (of hosts or addresses) is for its common name.
fn matches_common_name(certificate: &CertificateDer<'_>, server_name: &ServerName<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    let is_host = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_));
    match certificate.subject_alternative_name() {
        Ok(Some(names)) if names.value.general_names.iter().any(is_host) => return false,
        Ok(_) => {}
        Err(_) => return false,
    }
    let host = server_name.to_str();
    // libpq compares with the first common name.
    certificate
        .subject()
        .iter_common_name()
        .next()
        .and_then(|name| name.as_str().ok())
        .is_some_and(|pattern| pattern.eq_ignore_ascii_case(&host) || matches_wildcard(pattern, &host))
}

/// As in libpq, `*.example.com` stands for exactly one label, and for nothing in an address.
fn matches_wildcard(pattern: &str, host: &str) -> bool {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(pattern), Some((label, rest))) => !is_address && !label.is_empty() && pattern.eq_ignore_ascii_case(rest),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    /// A certificate for a common name only, of the years 2020 to 2029, which is trusted itself.
    fn check(common_name: &str, host: &'static str, year: u64) -> Result<(), rustls::Error> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2030, 1, 1));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone();
        let verifier = Verifier {
            trusted: Some(Trusted { store: RootCertStore::empty(), certificates: vec![certificate.clone()] }),
            check_name: true,
            algorithms: rustls::crypto::ring::default_provider().signature_verification_algorithms,
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600));
        let host = ServerName::try_from(host).unwrap();
        verifier.verify_server_cert(&certificate, &[], &host, &[], now).map(drop)
    }

    #[test]
    fn common_names() {
        for (common_name, host, expected) in [
            ("db.test", "DB.test", true),
            ("db.test", "other.test", false),
            ("*.db.test", "a.db.test", true),
            ("*.db.test", "a.b.db.test", false),
            ("*.db.test", "db.test", false),
            ("*.test", "a.test", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("*.0.0.1", "127.0.0.1", false),
        ] {
            assert_eq!(check(common_name, host, 2025).is_ok(), expected, "{common_name} for {host}");
        }
    }

    #[test]
    fn a_trusted_certificate_expires_all_the_same() {
        let failure = |year| TlsFailure::from_rustls(&check("db.test", "db.test", year).unwrap_err(), "db.test");
        assert!(matches!(failure(2031), TlsFailure::BadCertificate { reason } if reason.contains("Expired")));
        assert!(matches!(failure(2019), TlsFailure::BadCertificate { reason } if reason.contains("NotValidYet")));
    }
}
