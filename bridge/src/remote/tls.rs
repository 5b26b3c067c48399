//! Who vouches for another MQTT broker, and what proves to it who we are.
//!
//! Without a file of authorities those of the system count; there is no way to trust everything.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::connect::plan::RemoteTls;
use crate::kafka::ca_bundle;

/// The TLS settings that the files make.
///
/// # Errors
/// With the file, what was found and what was expected.
pub(crate) fn config(files: &RemoteTls) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities(files.ca.as_deref())?);
    let config = match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates(Path::new(certificate))?;
            let shown = key;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| format!("{shown}: {error}, expected a private key in PEM"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("{certificate} and {shown}: {error}"))?
        }
        // The class has refused one without the other.
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn authorities(chosen: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match chosen {
        Some(path) => {
            for certificate in certificates(Path::new(path))? {
                roots.add(certificate).map_err(|error| {
                    format!("{path}: {error}, expected certificates of authorities")
                })?;
            }
        }
        None => {
            let path = ca_bundle().ok_or(
                "the system has no certificate authorities, expected a file of them in the \
                 connector's options",
            )?;
            let (added, _) = roots.add_parsable_certificates(certificates(&path)?);
            if added == 0 {
                return Err(format!("{}: found no usable certificate", path.display()));
            }
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = read.map_err(|error| format!("{shown}: {error}"))?;
    match found.is_empty() {
        true => Err(format!("{shown}: found no certificate, expected at least one in PEM")),
        false => Ok(found),
    }
}
