//! Two TLS endpoints joined by byte vectors, and clients that behave worse than ours may.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use midge_certs::{ClientTls, PemFile, Versions, provider};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, ProtocolVersion,
    ServerConfig, ServerConnection, SignatureScheme,
};

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) version: Option<ProtocolVersion>,
    pub(crate) client_certificate: Option<CertificateDer<'static>>,
}

pub(crate) fn handshake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    host: &str,
) -> Result<Established, String> {
    let (_, server) = connect(client, server, host)?;
    Ok(Established {
        version: server.protocol_version(),
        client_certificate: server
            .peer_certificates()
            .and_then(|chain| chain.first())
            .map(|certificate| certificate.clone().into_owned()),
    })
}

/// Connects once more and says whether the earlier session was resumed.
pub(crate) fn resume(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> bool {
    let (_, server) = connect(client, server, "localhost").expect("established");
    server.handshake_kind() == Some(HandshakeKind::Resumed)
}

fn connect(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    host: &str,
) -> Result<(ClientConnection, ServerConnection), String> {
    let host = ServerName::try_from(host.to_owned()).expect("a host");
    let mut client = ClientConnection::new(client.clone(), host).expect("a client");
    let mut server = ServerConnection::new(server.clone()).expect("a server");
    let mut moved = true;
    while moved {
        moved = false;
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("a vector takes everything");
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            moved = true;
            server.read_tls(&mut rest).expect("a slice gives everything");
            server.process_new_packets().map_err(|error| format!("server: {error}"))?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("a vector takes everything");
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            moved = true;
            client.read_tls(&mut rest).expect("a slice gives everything");
            client.process_new_packets().map_err(|error| format!("client: {error}"))?;
        }
    }
    match client.is_handshaking() || server.is_handshaking() {
        true => Err("both: nothing more to send, and no handshake".to_owned()),
        false => Ok((client, server)),
    }
}

/// Our client, but with a server check that, like OpenSSL's, does not mind version 1.
pub(crate) fn trusting_all(tls: &ClientTls) -> Arc<ClientConfig> {
    let loaded = ClientTls { cafile: Some(data("ca.crt")), ..tls.clone() };
    let mut config = (*loaded.load(SystemTime::now()).expect("a client").config).clone();
    config.dangerous().set_certificate_verifier(Arc::new(Anyone));
    Arc::new(config)
}

/// A client that shows one certificate and signs with another's key.
pub(crate) fn impostor(certfile: &Path, keyfile: &Path, versions: Versions) -> Arc<ClientConfig> {
    let tls = ClientTls { cafile: None, certificate: None, versions };
    let mut config = (*trusting_all(&tls)).clone();
    let chain = PemFile::read("certfile", certfile).and_then(|file| file.certificates());
    let key = PemFile::read("keyfile", keyfile).and_then(|file| file.private_key());
    let key = provider().key_provider.load_private_key(key.expect("a key")).expect("a signer");
    let certified = CertifiedKey::new(chain.expect("a chain"), key);
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    Arc::new(config)
}

#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
