//! Client certificates of X.509 version 1, which `openssl x509 -req` writes when it is given no
//! extensions, and which most of the instructions for Mosquitto therefore produce.
//!
//! They carry no extensions, so they are leaves and nothing else: one is accepted only when a
//! certificate authority of the `cafile` itself signed it, within its dates, and, where there are
//! revocation lists, when a current list of that authority does not name it.

use std::collections::HashSet;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::{CertificateError, Error, SignatureScheme};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, SubjectPublicKeyInfoDer, UnixTime,
};
use x509_parser::prelude::{
    AlgorithmIdentifier, CertificateRevocationList, FromDer, X509Certificate, X509Version,
};

/// Whether `der` is a certificate of version 1.
pub(crate) fn is_version1(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, found)| found.version() == X509Version::V1)
}

/// The certificate's public key.
pub(crate) fn public_key(der: &[u8]) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| CertificateError::BadEncoding)?;
    Ok(SubjectPublicKeyInfoDer::from(certificate.public_key().raw.to_vec()))
}

/// Whether `signature` over `message` was made with `key` by one of the scheme's algorithms.
pub(crate) fn verify_signature(
    algorithms: &WebPkiSupportedAlgorithms,
    key: &SubjectPublicKeyInfoDer<'_>,
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    let entity =
        webpki::RawPublicKeyEntity::try_from(key).map_err(|_| CertificateError::BadEncoding)?;
    // One scheme stands for several curves before TLS 1.3; the key's own decides.
    let verified = algorithms
        .mapping
        .iter()
        .filter(|(candidate, _)| *candidate == scheme)
        .flat_map(|(_, algorithms)| algorithms.iter())
        .any(|algorithm| entity.verify_signature(*algorithm, message, signature).is_ok());
    if verified { Ok(()) } else { Err(CertificateError::BadSignature.into()) }
}

/// The authorities that may have signed a version 1 certificate, and what they revoked.
#[derive(Debug)]
pub(crate) struct Authorities {
    authorities: Vec<Authority>,
    algorithms: WebPkiSupportedAlgorithms,
    check_revocation: bool,
}

#[derive(Debug)]
struct Authority {
    subject: Vec<u8>,
    key: SubjectPublicKeyInfoDer<'static>,
    lists: Vec<RevocationList>,
}

#[derive(Debug)]
struct RevocationList {
    next_update: i64,
    serials: HashSet<Vec<u8>>,
}

impl Authorities {
    pub(crate) fn new(
        certificates: &[CertificateDer<'_>],
        lists: &[CertificateRevocationListDer<'_>],
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        let mut authorities: Vec<_> =
            certificates.iter().filter_map(|der| authority(der)).collect();
        for list in lists {
            let Ok((_, list)) = CertificateRevocationList::from_der(list) else { continue };
            for authority in &mut authorities {
                authority.lists.extend(revocation_list(&list, authority, &algorithms));
            }
        }
        Self { authorities, algorithms, check_revocation: !lists.is_empty() }
    }

    /// Whether one of the authorities vouches for this certificate now.
    pub(crate) fn verify(&self, der: &[u8], now: UnixTime) -> Result<(), Error> {
        let Ok(([], certificate)) = X509Certificate::from_der(der) else {
            return Err(CertificateError::BadEncoding.into());
        };
        if !certificate.extensions().is_empty() {
            return Err(CertificateError::BadEncoding.into());
        }
        let now = now.as_secs() as i64;
        if now < certificate.validity().not_before.timestamp() {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > certificate.validity().not_after.timestamp() {
            return Err(CertificateError::Expired.into());
        }
        let scheme = scheme(&certificate.signature_algorithm)
            .filter(|_| certificate.signature_algorithm == certificate.tbs_certificate.signature)
            .ok_or(CertificateError::BadSignature)?;
        let issuer = certificate.issuer().as_raw();
        let authority = self
            .authorities
            .iter()
            .filter(|authority| authority.subject == issuer)
            .find(|authority| {
                let message = certificate.tbs_certificate.as_ref();
                let signature = &certificate.signature_value.data;
                verify_signature(&self.algorithms, &authority.key, scheme, message, signature)
                    .is_ok()
            })
            .ok_or(CertificateError::UnknownIssuer)?;
        if self.check_revocation {
            authority.check_revocation(certificate.tbs_certificate.raw_serial(), now)?;
        }
        Ok(())
    }
}

impl Authority {
    fn check_revocation(&self, serial: &[u8], now: i64) -> Result<(), Error> {
        if self.lists.iter().any(|list| list.serials.contains(serial)) {
            return Err(CertificateError::Revoked.into());
        }
        if self.lists.iter().any(|list| list.next_update >= now) {
            return Ok(());
        }
        // Without a current list nobody can say, and that is not a yes.
        Err(CertificateError::UnknownRevocationStatus.into())
    }
}

/// An authority that may sign leaves without any restriction that a version 1 leaf could not meet.
fn authority(der: &CertificateDer<'_>) -> Option<Authority> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let may_sign = certificate.version() == X509Version::V1
        || (certificate.is_ca() && matches!(certificate.name_constraints(), Ok(None)));
    may_sign.then(|| Authority {
        subject: certificate.subject().as_raw().to_vec(),
        key: SubjectPublicKeyInfoDer::from(certificate.public_key().raw.to_vec()),
        lists: Vec::new(),
    })
}

/// The list, if `authority` signed it and it speaks of all its certificates.
fn revocation_list(
    list: &CertificateRevocationList<'_>,
    authority: &Authority,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Option<RevocationList> {
    if list.issuer().as_raw() != authority.subject
        || list.extensions().iter().any(|extension| extension.critical)
        || list.signature_algorithm != list.tbs_cert_list.signature
    {
        return None;
    }
    let scheme = scheme(&list.signature_algorithm)?;
    let signature = &list.signature_value.data;
    verify_signature(algorithms, &authority.key, scheme, list.tbs_cert_list.as_ref(), signature)
        .ok()?;
    Some(RevocationList {
        next_update: list.next_update()?.timestamp(),
        serials: list
            .iter_revoked_certificates()
            .map(|entry| entry.raw_serial().to_vec())
            .collect(),
    })
}

/// The TLS name of a certificate's signature algorithm; SHA-1 and older have none here.
fn scheme(algorithm: &AlgorithmIdentifier<'_>) -> Option<SignatureScheme> {
    match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.11" => Some(SignatureScheme::RSA_PKCS1_SHA256),
        "1.2.840.113549.1.1.12" => Some(SignatureScheme::RSA_PKCS1_SHA384),
        "1.2.840.113549.1.1.13" => Some(SignatureScheme::RSA_PKCS1_SHA512),
        "1.2.840.10045.4.3.2" => Some(SignatureScheme::ECDSA_NISTP256_SHA256),
        "1.2.840.10045.4.3.3" => Some(SignatureScheme::ECDSA_NISTP384_SHA384),
        "1.2.840.10045.4.3.4" => Some(SignatureScheme::ECDSA_NISTP521_SHA512),
        "1.3.101.112" => Some(SignatureScheme::ED25519),
        _ => None,
    }
}
