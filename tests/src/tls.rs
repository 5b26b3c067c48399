//! TLS for connections made here; Mosquitto's clients bring their own.

use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::{Authority, Certificate, Raw};

impl Raw {
    /// Continues inside TLS, toward a server this authority vouches for, perhaps showing a
    /// certificate of our own.
    ///
    /// # Panics
    /// When the files are no certificates.
    #[must_use]
    pub fn tls(self, trusted: &Authority, own: Option<&Certificate>) -> Raw {
        self.tls_with(trusted, own, rustls::ALL_VERSIONS)
    }

    /// As [`Raw::tls`], with these versions of the protocol only.
    ///
    /// # Panics
    /// When the files are no certificates.
    #[must_use]
    pub fn tls_with(
        self,
        trusted: &Authority,
        own: Option<&Certificate>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Raw {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(trusted.pem())).expect("root certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).expect("versions");
        let builder = builder.with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("key");
                let chain = vec![certificate(&own.certificate)];
                builder.with_client_auth_cert(chain, key).expect("certificate with its key")
            }
        };
        let name = ServerName::try_from("localhost").expect("a name");
        self.inside(ClientConnection::new(Arc::new(config), name).expect("TLS"))
    }
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate in PEM")
}
