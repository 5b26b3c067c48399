//! The verifier of client certificates: rustls' own, and beside it version 1 certificates.
//!
//! Version 3 certificates never reach our own code: they are rustls' alone, by the version the
//! certificate states.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use crate::version1::{self, Authorities};

/// Verifies the certificates of devices.
#[derive(Debug)]
pub(crate) struct DeviceVerifier {
    webpki: Arc<dyn ClientCertVerifier>,
    version1: Authorities,
    provider: Arc<CryptoProvider>,
}

impl DeviceVerifier {
    /// A verifier for the authorities in `certificates`, all of which must be usable as such.
    pub(crate) fn new(
        certificates: &[CertificateDer<'static>],
        lists: Vec<CertificateRevocationListDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            roots
                .add(certificate.clone())
                .map_err(|error| format!("certificate {} is no authority ({error})", index + 1))?;
        }
        let algorithms = provider.signature_verification_algorithms;
        let version1 = Authorities::new(certificates, &lists, algorithms);
        // Like OpenSSL's X509_V_FLAG_CRL_CHECK: the leaf is looked up, an outdated list is no answer.
        let webpki = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .with_crls(lists)
            .only_check_end_entity_revocation()
            .enforce_revocation_expiration()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { webpki, version1, provider })
    }
}

impl ClientCertVerifier for DeviceVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if version1::is_version1(end_entity) {
            self.version1.verify(end_entity, now)?;
            return Ok(ClientCertVerified::assertion());
        }
        self.webpki.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if version1::is_version1(certificate) {
            let algorithms = &self.provider.signature_verification_algorithms;
            let key = version1::public_key(certificate)?;
            let signature = signed.signature();
            version1::verify_signature(algorithms, &key, signed.scheme, message, signature)?;
            return Ok(HandshakeSignatureValid::assertion());
        }
        self.webpki.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if version1::is_version1(certificate) {
            let algorithms = &self.provider.signature_verification_algorithms;
            let key = version1::public_key(certificate)?;
            return verify_tls13_signature_with_raw_key(message, &key, signed, algorithms);
        }
        self.webpki.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
