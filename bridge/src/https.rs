//! TLS of our own HTTP clients: who vouches for a server, and what proves to it who we are.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{
    Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider, parse_pem,
};

use crate::kafka::ca_bundle;

/// TLS by these files in PEM: the authorities, or else the system's, which `option` would name, and
/// our own certificate with its key.
///
/// # Errors
/// When a file cannot be read or does not hold what it should.
pub(crate) fn config(
    authorities: Option<&Path>,
    own: Option<&Path>,
    option: &str,
) -> Result<TlsConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let trusted = match authorities {
        Some(path) => path.to_owned(),
        None => ca_bundle().ok_or_else(|| {
            format!("the system has no certificate authorities, expected {option}")
        })?,
    };
    let (authorities, _) = read(&trusted)?;
    if authorities.is_empty() {
        let shown = trusted.display();
        return Err(format!("{shown}: found no certificate, expected at least one"));
    }
    let own = own.map(client).transpose()?;
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::new_with_certs(&authorities))
        .client_cert(own)
        .build())
}

fn client(path: &Path) -> Result<ClientCert, String> {
    match read(path)? {
        (chain, Some(key)) if !chain.is_empty() => Ok(ClientCert::new_with_certs(&chain, key)),
        (chain, key) => {
            let (shown, keys) = (path.display(), if key.is_some() { 1 } else { 0 });
            let count = chain.len();
            Err(format!(
                "{shown}: found {count} certificates and {keys} keys, expected at least one and one"
            ))
        }
    }
}

type Items = (Vec<Certificate<'static>>, Option<PrivateKey<'static>>);

fn read(path: &Path) -> Result<Items, String> {
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
    let (mut certificates, mut key) = (Vec::new(), None);
    for item in parse_pem(&pem) {
        match item.map_err(|error| format!("{shown}: {error}"))? {
            PemItem::Certificate(certificate) => certificates.push(certificate),
            PemItem::PrivateKey(found) => key = Some(found),
            _ => {}
        }
    }
    Ok((certificates, key))
}
