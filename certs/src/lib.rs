//! From PEM files to rustls configurations: what a TLS listener, and our own TLS clients, need.
//!
//! Nothing here is half loaded: a configuration comes out complete and checked (the key belongs to
//! the certificate, every file says what it holds), or all of its errors come out at once. There is
//! no process-wide state, so a live reload is a second [`ServerTls::load`] whose result replaces the
//! `Arc` of the first; resumption tickets of the old configuration die with it.
//!
//! What this crate does not do: it accepts no connections, watches no files, and opens no encrypted
//! private keys.

mod client;
pub mod development;
mod error;
mod identity;
mod pem;
mod server;
mod verify;
mod version1;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use client::{ClientTls, LoadedClient, system_ca_file};
pub use error::{IdentityError, TlsError, Warning};
pub use identity::{common_name, subject};
pub use pem::PemFile;
pub use server::{LoadedServer, ServerPem, ServerTls, Versions};

/// The cryptography of every configuration made here.
///
/// It is passed explicitly everywhere, so that an embedding program's choice of a process default
/// neither matters nor is touched.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
