//! A certificate for the brokers' TLS listeners, and clients that trust it.
//!
//! It is made for one run of the harness, for `localhost`, and every broker gets the same.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};

/// A key and its certificate in files, and what signed it.
pub(crate) struct Certificate {
    roots: Arc<RootCertStore>,
    lines: String,
}

impl Certificate {
    /// Makes one in a directory.
    pub(crate) fn make(directory: &Path) -> io::Result<Self> {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(authority, key).map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let leaf = CertificateParams::new(vec!["localhost".to_owned()])
            .and_then(|params| params.signed_by(&key, &issuer))
            .map_err(io::Error::other)?;

        let mut roots = RootCertStore::empty();
        roots.add(issuer.der().clone()).map_err(io::Error::other)?;
        let (certfile, keyfile) = (directory.join("server.pem"), directory.join("server.key"));
        std::fs::write(&certfile, leaf.pem())?;
        std::fs::write(&keyfile, key.serialize_pem())?;
        let lines = format!("certfile {}\nkeyfile {}\n", certfile.display(), keyfile.display());
        Ok(Self { roots: Arc::new(roots), lines })
    }

    /// What a `mosquitto.conf` needs for a listener on that port beside the plain one.
    pub(crate) fn listener(&self, port: u16) -> String {
        format!("listener {port} 127.0.0.1\n{}", self.lines)
    }

    /// A client that trusts it, and takes up earlier sessions or never does.
    pub(crate) fn client(&self, resuming: bool) -> Arc<ClientConfig> {
        let mut config = ClientConfig::builder()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        if !resuming {
            config.resumption = Resumption::disabled();
        }
        Arc::new(config)
    }
}
