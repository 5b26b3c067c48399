//! Our own connections to TLS servers: which authorities are trusted, and who we are.
//!
//! Without a `cafile` the system's certificates are trusted; there is no way to trust everything.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};

use crate::pem::PemFile;
use crate::server::{Versions, certified_key};
use crate::{TlsError, Warning, provider};

/// Where systems keep the certificates of public authorities, in one PEM file.
const SYSTEM_CA_FILES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The system's certificates: `SSL_CERT_FILE`, or the first of the usual files that exists.
///
/// A statically linked OpenSSL, such as librdkafka's, knows no such place and must be told.
pub fn system_ca_file() -> Option<PathBuf> {
    match std::env::var_os("SSL_CERT_FILE") {
        Some(file) if !file.is_empty() => Some(file.into()),
        _ => SYSTEM_CA_FILES.map(PathBuf::from).into_iter().find(|file| file.is_file()),
    }
}

/// A client's TLS settings, by file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ClientTls {
    /// The authorities trusted to vouch for servers; the system's when there is none.
    pub cafile: Option<PathBuf>,
    /// Our own certificate and its private key, for servers that ask for one.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The protocol versions offered.
    pub versions: Versions,
}

/// A configuration ready to connect.
#[derive(Debug, Clone)]
pub struct LoadedClient {
    /// What each connection takes.
    pub config: Arc<ClientConfig>,
    /// What works, but should be looked at.
    pub warnings: Vec<Warning>,
}

impl ClientTls {
    /// Reads the files and builds the configuration.
    pub fn load(&self, now: SystemTime) -> Result<LoadedClient, TlsError> {
        let provider = provider();
        let mut warnings = Vec::new();
        let roots = match &self.cafile {
            Some(path) => chosen_roots(path, now, &mut warnings)?,
            None => system_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(self.versions.as_rustls())
            .expect("the provider has suites for both versions")
            .with_root_certificates(roots);
        let config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some((certfile, keyfile)) => {
                let certfile = PemFile::read("certfile", certfile)?;
                let keyfile = PemFile::read("keyfile", keyfile)?;
                let chain = certfile.certificates()?;
                warnings.extend(certfile.validity(&chain, now));
                let key = keyfile.private_key()?;
                let certified = certified_key(chain, key, &certfile, &keyfile, &provider)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
        };
        Ok(LoadedClient { config: Arc::new(config), warnings })
    }
}

/// Authorities somebody chose: each of them must be usable.
fn chosen_roots(
    path: &Path,
    now: SystemTime,
    warnings: &mut Vec<Warning>,
) -> Result<RootCertStore, TlsError> {
    let file = PemFile::read("cafile", path)?;
    let certificates = file.certificates()?;
    warnings.extend(file.validity(&certificates, now));
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| {
            let found = format!("certificate {} is no authority ({error})", index + 1);
            file.error(found, "certificates of authorities that sign server certificates")
        })?;
    }
    Ok(roots)
}

/// The system's authorities: a few odd ones among hundreds are no reason to trust none.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let because = "a TLS connection, and the system has no file of certificates \
                   (Debian's package ca-certificates brings it)";
    let path = system_ca_file().ok_or(TlsError::Missing { option: "cafile", because })?;
    let file = PemFile::read("system certificates", &path)?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(file.certificates()?);
    if added == 0 {
        let found = "no usable certificate found".to_owned();
        return Err(file.error(found, "certificates of public authorities"));
    }
    Ok(roots)
}
