//! Certificates made for one test, by another hand than the broker's.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

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
        let certificate = parameters.signed_by(&key, &self.issuer).expect("certificate");
        Certificate { certificate: certificate.pem(), key: key.serialize_pem() }
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
