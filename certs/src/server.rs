//! A TLS listener: certificate, key, and, when clients must have certificates too, whose.
//!
//! A [`LoadedServer`] offers only what its files allow, and its resumption tickets are sealed with a
//! key of its own: after a reload no client resumes past a new CA or revocation list.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::pem::{PemFile, unix_seconds};
use crate::verify::DeviceVerifier;
use crate::{TlsError, Warning, provider, version1};

/// The protocol versions a listener offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Versions {
    /// TLS 1.2 and 1.3.
    #[default]
    Tls12AndTls13,
    /// TLS 1.2 only.
    Tls12,
    /// TLS 1.3 only.
    Tls13,
}

impl Versions {
    pub(crate) fn as_rustls(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            Self::Tls12AndTls13 => &BOTH,
            Self::Tls12 => &BOTH[1..],
            Self::Tls13 => &BOTH[..1],
        }
    }
}

/// A listener's TLS settings, by file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ServerTls {
    /// The server's certificate, followed by the intermediate ones.
    pub certfile: PathBuf,
    /// The private key of the certificate.
    pub keyfile: PathBuf,
    /// The authorities whose client certificates are accepted; they also complete our own chain.
    pub cafile: Option<PathBuf>,
    /// Revocation lists for client certificates.
    pub crlfile: Option<PathBuf>,
    /// Whether a client must have a certificate. Without it none is asked for.
    pub require_certificate: bool,
    /// The protocol versions offered.
    pub versions: Versions,
}

/// A listener's TLS settings with the files' contents.
#[derive(Clone)]
pub struct ServerPem {
    /// See [`ServerTls::certfile`].
    pub certfile: PemFile,
    /// See [`ServerTls::keyfile`].
    pub keyfile: PemFile,
    /// See [`ServerTls::cafile`].
    pub cafile: Option<PemFile>,
    /// See [`ServerTls::crlfile`].
    pub crlfile: Option<PemFile>,
    /// See [`ServerTls::require_certificate`].
    pub require_certificate: bool,
    /// See [`ServerTls::versions`].
    pub versions: Versions,
}

/// A configuration ready to serve.
#[derive(Debug, Clone)]
pub struct LoadedServer {
    /// What a listener hands to each of its connections.
    pub config: Arc<ServerConfig>,
    /// What works, but should be looked at.
    pub warnings: Vec<Warning>,
}

impl ServerTls {
    /// Reads the files and builds the configuration; all errors at once.
    pub fn load(&self, now: SystemTime) -> Result<LoadedServer, Vec<TlsError>> {
        let mut errors = Vec::new();
        let mut read = |option, path| keep(PemFile::read(option, path), &mut errors);
        let certfile = read("certfile", &self.certfile);
        let keyfile = read("keyfile", &self.keyfile);
        let cafile = self.cafile.as_ref().map(|path| read("cafile", path));
        let crlfile = self.crlfile.as_ref().map(|path| read("crlfile", path));
        let (Some(certfile), Some(keyfile), []) = (certfile, keyfile, errors.as_slice()) else {
            return Err(errors);
        };
        ServerPem {
            certfile,
            keyfile,
            cafile: cafile.flatten(),
            crlfile: crlfile.flatten(),
            require_certificate: self.require_certificate,
            versions: self.versions,
        }
        .build(now)
    }
}

impl ServerPem {
    /// Builds the configuration; all errors at once.
    pub fn build(&self, now: SystemTime) -> Result<LoadedServer, Vec<TlsError>> {
        let provider = provider();
        let mut errors = Vec::new();
        let mut warnings = Vec::new();
        let chain = keep(self.certfile.certificates(), &mut errors);
        let key = keep(self.keyfile.private_key(), &mut errors);
        let authorities = match &self.cafile {
            Some(file) => keep(file.certificates(), &mut errors).unwrap_or_default(),
            None => Vec::new(),
        };
        if let Some(chain) = &chain {
            warnings.extend(self.certfile.validity(chain, now));
        }
        let certified = chain.zip(key).and_then(|(mut chain, key)| {
            complete(&mut chain, &authorities);
            keep(certified_key(chain, key, &self.certfile, &self.keyfile, &provider), &mut errors)
        });
        let verifier = self.verifier(&authorities, &provider, now, &mut warnings, &mut errors);
        let (Some(certified), []) = (certified, errors.as_slice()) else { return Err(errors) };

        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions.as_rustls())
            .expect("the provider has suites for both versions");
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let resolver = SingleCertAndKey::from(certified);
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        // Stateless tickets cost no memory per client; one is enough for a device that comes back.
        if let Ok(ticketer) = Ticketer::new() {
            config.ticketer = ticketer;
        }
        config.send_tls13_tickets = 1;
        Ok(LoadedServer { config: Arc::new(config), warnings })
    }

    fn verifier(
        &self,
        authorities: &[CertificateDer<'static>],
        provider: &Arc<CryptoProvider>,
        now: SystemTime,
        warnings: &mut Vec<Warning>,
        errors: &mut Vec<TlsError>,
    ) -> Option<Arc<dyn ClientCertVerifier>> {
        let lists = match &self.crlfile {
            Some(file) => keep(file.revocation_lists(), errors)?,
            None => Vec::new(),
        };
        if let Some(file) = &self.crlfile {
            keep(check_lists(file, &lists, now, warnings), errors)?;
        }
        let Some(file) = &self.cafile else {
            if self.require_certificate {
                let because = "require_certificate true";
                errors.push(TlsError::Missing { option: "cafile", because });
            }
            return None;
        };
        if authorities.is_empty() || !self.require_certificate {
            return None;
        }
        warnings.extend(file.validity(authorities, now));
        let verifier = DeviceVerifier::new(authorities, lists, provider.clone());
        let expected = "certificates of authorities that sign client certificates";
        let verifier = keep(verifier.map_err(|found| file.error(found, expected)), errors)?;
        Some(Arc::new(verifier))
    }
}

/// The revocation lists must be ones rustls can use; an outdated one refuses every client.
fn check_lists(
    file: &PemFile,
    lists: &[CertificateRevocationListDer<'_>],
    now: SystemTime,
    warnings: &mut Vec<Warning>,
) -> Result<(), TlsError> {
    for (index, list) in lists.iter().enumerate() {
        let number = index + 1;
        webpki::BorrowedCertRevocationList::from_der(list).map_err(|error| {
            let found = format!("revocation list {number} cannot be used ({error:?})");
            file.error(found, "a complete X.509 revocation list of version 2")
        })?;
        let Ok((_, list)) = CertificateRevocationList::from_der(list) else { continue };
        if let Some(next) = list.next_update().filter(|next| next.timestamp() < unix_seconds(now)) {
            warnings.push(file.warning(format!(
                "revocation list {number} of \"{}\" is outdated since {next}, \
                 so every client certificate of this authority is refused",
                list.issuer()
            )));
        }
    }
    Ok(())
}

/// Certificate and key as a pair. The comparison is ours, because rustls' own does not read the
/// version 1 certificates that many existing set-ups have.
pub(crate) fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: rustls_pki_types::PrivateKeyDer<'static>,
    certfile: &PemFile,
    keyfile: &PemFile,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let key = provider.key_provider.load_private_key(key).map_err(|error| {
        let expected = "an RSA key of 2048 to 8192 bits, an ECDSA or an Ed25519 key";
        keyfile.error(format!("the private key cannot be used ({error})"), expected)
    })?;
    let in_certificate = chain.first().and_then(|leaf| version1::public_key(leaf).ok());
    if key.public_key().is_some_and(|public| in_certificate.as_ref() != Some(&public)) {
        return Err(TlsError::KeyMismatch {
            keyfile: keyfile.path.clone(),
            certfile: certfile.path.clone(),
        });
    }
    Ok(CertifiedKey::new(chain, key))
}

/// Adds the intermediate certificates a lone leaf needs from the `cafile`, as OpenSSL does.
fn complete(chain: &mut Vec<CertificateDer<'static>>, authorities: &[CertificateDer<'static>]) {
    const LONGEST: usize = 8;
    if chain.len() != 1 {
        return;
    }
    while chain.len() < LONGEST {
        let Some(next) = chain.last().and_then(|last| issuer_of(last, authorities)) else { return };
        chain.push(next.clone());
    }
}

/// The authority that issued `certificate`, unless it is a root, which nobody sends.
fn issuer_of<'a>(
    certificate: &CertificateDer<'_>,
    authorities: &'a [CertificateDer<'static>],
) -> Option<&'a CertificateDer<'static>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    authorities.iter().find(|candidate| {
        X509Certificate::from_der(candidate).is_ok_and(|(_, authority)| {
            authority.subject().as_raw() == certificate.issuer().as_raw()
                && authority.subject().as_raw() != authority.issuer().as_raw()
        })
    })
}

/// The value, or its error among the others.
fn keep<T>(result: Result<T, TlsError>, errors: &mut Vec<TlsError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            errors.push(error);
            None
        }
    }
}
