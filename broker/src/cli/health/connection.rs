//! A CONNECT and the answer to it, in plain or inside TLS.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use midge_codec::{
    Connect, ConnectProperties, Disconnect, Packet, ProtocolVersion, ReasonCode, Text,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    StreamOwned,
};

use super::text;

/// Bytes of a CONNACK of 3.1.1.
const CONNACK_BYTES: usize = 4;

/// The first byte of a record of TLS that carries an alert (RFC 8446, 5.1).
const TLS_ALERT: u8 = 21;

/// Asks whether a broker is there.
pub(super) fn ask(mut socket: TcpStream, tls: bool) -> Result<(), String> {
    if !tls {
        return converse(&mut socket).map_err(text);
    }
    let name = ServerName::try_from("localhost").map_err(text)?;
    let client = ClientConnection::new(trusting_anyone()?, name).map_err(text)?;
    match converse(&mut StreamOwned::new(client, socket)) {
        // A broker that asks who we are is well.
        Err(Failure::Io(error)) if asks_for_certificate(&error) => Ok(()),
        result => result.map_err(text),
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Io(std::io::Error),
    #[error("the port speaks TLS, expected plain MQTT (--tls asks inside TLS)")]
    SpeaksTls,
    #[error("found no CONNACK but bytes that begin with {0:02x?}, expected an MQTT broker")]
    NoBroker([u8; CONNACK_BYTES]),
    #[error("refused: {0}")]
    Refused(ReasonCode),
    #[error("{0}")]
    Encode(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Io(match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                std::io::Error::new(ErrorKind::TimedOut, "no answer in time")
            }
            ErrorKind::UnexpectedEof => {
                std::io::Error::new(error.kind(), "closed without an answer")
            }
            _ => error,
        })
    }
}

fn converse(stream: &mut (impl Read + Write)) -> Result<(), Failure> {
    let connect = Packet::Connect(Box::new(Connect {
        version: ProtocolVersion::V311,
        bridge: false,
        clean_start: true,
        keep_alive: 10,
        properties: ConnectProperties::default(),
        client_id: Text::from_static("midge-health"),
        will: None,
        username: None,
        password: None::<Bytes>,
    }));
    stream.write_all(&encoded(&connect)?)?;
    let mut answer = [0; CONNACK_BYTES];
    stream.read_exact(&mut answer)?;
    match reason(answer)? {
        ReasonCode::Success => {
            let reason = ReasonCode::Success;
            let disconnect = Packet::Disconnect(Disconnect { reason, properties: None });
            stream.write_all(&encoded(&disconnect)?)?;
            Ok(stream.flush()?)
        }
        // A broker that asks who we are is well.
        ReasonCode::NotAuthorized | ReasonCode::BadUserNameOrPassword => Ok(()),
        reason => Err(Failure::Refused(reason)),
    }
}

/// What a CONNACK says.
fn reason(answer: [u8; CONNACK_BYTES]) -> Result<ReasonCode, Failure> {
    let mut bytes = BytesMut::from(&answer[..]);
    match midge_codec::decode(&mut bytes, ProtocolVersion::V311, CONNACK_BYTES as u32) {
        Ok(Some(Packet::Connack(connack))) => Ok(connack.reason),
        _ if answer[..2] == [TLS_ALERT, 3] => Err(Failure::SpeaksTls),
        _ => Err(Failure::NoBroker(answer)),
    }
}

fn encoded(packet: &Packet) -> Result<BytesMut, Failure> {
    let mut bytes = BytesMut::new();
    midge_codec::encode(packet, ProtocolVersion::V311, u32::MAX, &mut bytes)
        .map_err(|error| Failure::Encode(error.to_string()))?;
    Ok(bytes)
}

/// Whether a broker ended the handshake since we have no certificate to show.
fn asks_for_certificate(error: &std::io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)))
}

fn trusting_anyone() -> Result<Arc<ClientConfig>, String> {
    let provider = midge_certs::provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(text)?;
    let verifier = Arc::new(AnyCertificate(provider));
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Takes any certificate whose key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
