//! One PEM file: its bytes, the option that named it, and what can be taken out of it.
//!
//! Parsing is pure and bounded: it works on bytes already read, and never more than [`MAX_BYTES`] of
//! them. Whatever the bytes are, the answer is a value or a [`TlsError`].

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{TlsError, Warning};

/// The largest file read: a revocation list of a large fleet fits, a device file does not.
const MAX_BYTES: u64 = 16 << 20;

/// A file's bytes with the option that named it, so that every message can say both.
#[derive(Clone)]
pub struct PemFile {
    /// The option, as the user wrote it: `certfile`, `keyfile`, `cafile`, `crlfile`.
    pub option: &'static str,
    /// The file's name.
    pub path: PathBuf,
    bytes: Vec<u8>,
}

impl PemFile {
    /// A file whose bytes are already there.
    pub fn new(option: &'static str, path: impl Into<PathBuf>, bytes: Vec<u8>) -> Self {
        Self { option, path: path.into(), bytes }
    }

    /// Reads the file.
    pub fn read(option: &'static str, path: &Path) -> Result<Self, TlsError> {
        let unreadable = |source| TlsError::Unreadable { option, path: path.into(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_BYTES {
            let size = io::Error::other(format!("larger than {MAX_BYTES} bytes"));
            return Err(unreadable(size));
        }
        Ok(Self::new(option, path, bytes))
    }

    /// All certificates, at least one, in the order of the file.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        const EXPECTED: &str = "a PEM block `CERTIFICATE`";
        let certificates = CertificateDer::pem_slice_iter(&self.bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.broken(&error, EXPECTED))?;
        if certificates.is_empty() {
            return Err(self.unexpected("no certificate found", EXPECTED));
        }
        for (index, certificate) in certificates.iter().enumerate() {
            if !matches!(X509Certificate::from_der(certificate), Ok(([], _))) {
                let found = format!("certificate {} is not valid X.509", index + 1);
                return Err(self.error(found, "a DER certificate inside the PEM block"));
            }
        }
        Ok(certificates)
    }

    /// The first private key: PKCS#8, PKCS#1 or SEC1.
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        const EXPECTED: &str = "a PEM block `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`";
        // PKCS#1's own encryption keeps the label and adds a header.
        if self.labels().iter().any(|label| label == "ENCRYPTED PRIVATE KEY")
            || contains(&self.bytes, b"Proc-Type: 4,ENCRYPTED")
        {
            let found = "the private key is encrypted with a passphrase".to_owned();
            let expected = "a key without one (`openssl pkey -in OLD -out NEW` writes it)";
            return Err(self.error(found, expected));
        }
        match PrivateKeyDer::from_pem_slice(&self.bytes) {
            Ok(key) => Ok(key),
            Err(pem::Error::NoItemsFound) => Err(self.unexpected("no private key found", EXPECTED)),
            Err(error) => Err(self.broken(&error, EXPECTED)),
        }
    }

    /// All revocation lists, at least one.
    pub fn revocation_lists(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
        const EXPECTED: &str = "a PEM block `X509 CRL`";
        let lists = CertificateRevocationListDer::pem_slice_iter(&self.bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.broken(&error, EXPECTED))?;
        if lists.is_empty() {
            return Err(self.unexpected("no revocation list found", EXPECTED));
        }
        Ok(lists)
    }

    /// What the operator should know about the validity of these certificates at `now`.
    pub(crate) fn validity(
        &self,
        certificates: &[CertificateDer<'_>],
        now: SystemTime,
    ) -> Vec<Warning> {
        let now = unix_seconds(now);
        let mut warnings = Vec::new();
        for certificate in certificates {
            let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { continue };
            let validity = certificate.validity();
            let problem = if validity.not_after.timestamp() < now {
                format!("expired on {}", validity.not_after)
            } else if validity.not_before.timestamp() > now {
                format!("is not valid before {}", validity.not_before)
            } else {
                continue;
            };
            let found = format!("the certificate of \"{}\" {problem}", certificate.subject());
            warnings.push(self.warning(found));
        }
        warnings
    }

    pub(crate) fn warning(&self, found: String) -> Warning {
        Warning { option: self.option, path: self.path.clone(), found }
    }

    pub(crate) fn error(&self, found: String, expected: &'static str) -> TlsError {
        TlsError::Unexpected { option: self.option, path: self.path.clone(), found, expected }
    }

    /// Nothing of the right kind: say what kinds there are instead.
    fn unexpected(&self, nothing: &str, expected: &'static str) -> TlsError {
        let labels = self.labels();
        let found = if self.bytes.is_empty() {
            format!("{nothing}, the file is empty")
        } else if labels.is_empty() {
            format!("{nothing}, the file has no PEM blocks")
        } else {
            format!("{nothing}, only `{}`", labels.join("`, `"))
        };
        self.error(found, expected)
    }

    fn broken(&self, error: &pem::Error, expected: &'static str) -> TlsError {
        let found = match error {
            pem::Error::MissingSectionEnd { .. } => "a PEM block has no END line".to_owned(),
            pem::Error::IllegalSectionStart { .. } => {
                "a PEM block starts inside another one".to_owned()
            }
            pem::Error::Base64Decode(_) => "a PEM block is not valid base64".to_owned(),
            other => format!("the file is not PEM ({other:?})"),
        };
        self.error(found, expected)
    }

    /// The labels of the file's first PEM blocks, fit for a message.
    fn labels(&self) -> Vec<String> {
        const MOST: usize = 4;
        const LONGEST: usize = 40;
        self.bytes
            .split(|&byte| byte == b'\n' || byte == b'\r')
            .filter_map(|line| line.trim_ascii().strip_prefix(b"-----BEGIN "))
            .filter_map(|rest| rest.strip_suffix(b"-----"))
            .filter(|label| label.len() <= LONGEST)
            .filter(|label| label.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic()))
            .map(|label| String::from_utf8_lossy(label).into_owned())
            .take(MOST)
            .collect()
    }
}

/// Seconds since 1970, as X.509 counts; a clock before that is 1970.
pub(crate) fn unix_seconds(now: SystemTime) -> i64 {
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
