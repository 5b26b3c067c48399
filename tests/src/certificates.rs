//! Certificates made for one test, by another hand than the broker's.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};

/// Serial numbers of certificates, each given once.
static SERIALS: AtomicU64 = AtomicU64::new(1_000);

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key.
pub struct Certificate {
    /// The certificate in PEM.
    pub certificate: String,
    /// The key in PEM (PKCS #8).
    pub key: String,
    serial: SerialNumber,
}

impl Authority {
    /// Makes one.
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().expect("key");
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.distinguished_name.push(DnType::CommonName, name);
        let pem = parameters.self_signed(&key).expect("certificate").pem();
        Authority { issuer: Issuer::new(parameters, key), pem }
    }

    /// Its own certificate in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Signs a server for localhost and 127.0.0.1.
    pub fn server(&self) -> Certificate {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        self.sign(names, "localhost", ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Signs a client with this common name.
    pub fn client(&self, common_name: &str) -> Certificate {
        self.sign(Vec::new(), common_name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, names: Vec<String>, name: &str, usage: ExtendedKeyUsagePurpose) -> Certificate {
        let key = KeyPair::generate().expect("key");
        let mut parameters = CertificateParams::new(names).expect("parameters");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.extended_key_usages = vec![usage];
        let serial = SerialNumber::from(SERIALS.fetch_add(1, Ordering::Relaxed));
        parameters.serial_number = Some(serial.clone());
        let certificate = parameters.signed_by(&key, &self.issuer).expect("certificate");
        Certificate { certificate: certificate.pem(), key: key.serialize_pem(), serial }
    }

    /// A list, in PEM, that revokes a certificate of its own.
    pub fn revocation_list(&self, revoked: &Certificate) -> String {
        let issued = rcgen::date_time_ymd(2020, 1, 1);
        CertificateRevocationListParams {
            this_update: issued,
            next_update: rcgen::date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: revoked.serial.clone(),
                revocation_time: issued,
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .and_then(|list| list.pem())
        .expect("revocation list")
    }
}

impl Certificate {
    /// Writes `NAME.crt` and `NAME.key` into a directory; returns their paths.
    pub fn write(&self, directory: &Path, name: &str) -> (PathBuf, PathBuf) {
        let certificate = directory.join(format!("{name}.crt"));
        let key = directory.join(format!("{name}.key"));
        std::fs::write(&certificate, &self.certificate).expect("certificate");
        std::fs::write(&key, &self.key).expect("key");
        (certificate, key)
    }
}
