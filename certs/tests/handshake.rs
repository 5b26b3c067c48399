//! Handshakes in memory between our server configurations and clients of every kind.

mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use midge_certs::development::{self, DevelopmentFiles, Existing};
use midge_certs::{ClientTls, ServerTls, Versions, common_name};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, ProtocolVersion, ServerConfig};
use tempfile::TempDir;
use wire::{data, handshake, resume};

const BOTH: [(Versions, ProtocolVersion); 2] =
    [(Versions::Tls12, ProtocolVersion::TLSv1_2), (Versions::Tls13, ProtocolVersion::TLSv1_3)];

fn authority() -> (TempDir, DevelopmentFiles) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let now = SystemTime::now();
    let files = development::create(directory.path(), &hosts, Existing::Keep, now).expect("files");
    (directory, files)
}

fn server(files: &DevelopmentFiles, require_certificate: bool) -> ServerTls {
    ServerTls {
        certfile: files.server.certfile.clone(),
        keyfile: files.server.keyfile.clone(),
        cafile: Some(files.ca.certfile.clone()),
        require_certificate,
        ..ServerTls::default()
    }
}

fn load_server(tls: &ServerTls) -> Arc<ServerConfig> {
    let loaded = tls.load(SystemTime::now()).expect("a server configuration");
    assert_eq!(loaded.warnings, []);
    loaded.config
}

fn client(
    cafile: &Path,
    pair: Option<(PathBuf, PathBuf)>,
    versions: Versions,
) -> Arc<ClientConfig> {
    let tls = ClientTls { cafile: Some(cafile.into()), certificate: pair, versions };
    tls.load(SystemTime::now()).expect("a client configuration").config
}

fn device(files: &DevelopmentFiles, versions: Versions) -> Arc<ClientConfig> {
    let pair = (files.client.certfile.clone(), files.client.keyfile.clone());
    client(&files.ca.certfile, Some(pair), versions)
}

#[test]
fn a_client_without_certificate_connects_when_none_is_required() {
    let (_directory, files) = authority();
    let server = load_server(&server(&files, false));
    for (versions, expected) in BOTH {
        let client = client(&files.ca.certfile, None, versions);
        let established = handshake(&client, &server, "localhost").expect("established");
        assert_eq!(established.version, Some(expected));
        assert_eq!(established.client_certificate, None);
    }
}

#[test]
fn a_server_certificate_holds_for_addresses_too() {
    let (_directory, files) = authority();
    let server = load_server(&server(&files, false));
    let client = client(&files.ca.certfile, None, Versions::default());
    for host in ["127.0.0.1", "::1"] {
        handshake(&client, &server, host).expect("established");
    }
    let error = handshake(&client, &server, "example.org").expect_err("another host");
    assert!(error.contains("NotValidForName") || error.contains("not valid for name"), "{error}");
}

#[test]
fn a_required_client_certificate_gives_the_user_name() {
    let (_directory, files) = authority();
    let server = load_server(&server(&files, true));
    for (versions, expected) in BOTH {
        let established =
            handshake(&device(&files, versions), &server, "localhost").expect("established");
        assert_eq!(established.version, Some(expected));
        let certificate = established.client_certificate.expect("a client certificate");
        assert_eq!(common_name(&certificate), Ok("client".to_owned()));
    }
}

#[test]
fn a_client_without_the_required_certificate_is_refused() {
    let (_directory, files) = authority();
    let server = load_server(&server(&files, true));
    for (versions, _) in BOTH {
        let client = client(&files.ca.certfile, None, versions);
        let error = handshake(&client, &server, "localhost").expect_err("refused");
        assert_eq!(error, "server: peer sent no certificates");
    }
}

#[test]
fn a_client_certificate_of_another_authority_is_refused() {
    let (_directory, files) = authority();
    let (_other_directory, other) = authority();
    let server = load_server(&server(&files, true));
    for (versions, _) in BOTH {
        let pair = (other.client.certfile.clone(), other.client.keyfile.clone());
        let stranger = client(&files.ca.certfile, Some(pair), versions);
        let error = handshake(&stranger, &server, "localhost").expect_err("refused");
        // Both authorities have the same name, so it is the signature that tells them apart.
        assert_eq!(error, "server: invalid peer certificate: BadSignature");
    }
}

#[test]
fn a_server_of_another_authority_is_refused_by_the_client() {
    let (_directory, files) = authority();
    let (_other_directory, other) = authority();
    let server = load_server(&server(&files, false));
    for (versions, _) in BOTH {
        let client = client(&other.ca.certfile, None, versions);
        let error = handshake(&client, &server, "localhost").expect_err("refused");
        assert_eq!(error, "client: invalid peer certificate: BadSignature");
    }
}

#[test]
fn versions_that_do_not_meet_are_refused() {
    let (_directory, files) = authority();
    let tls13 = ServerTls { versions: Versions::Tls13, ..server(&files, false) };
    let client = client(&files.ca.certfile, None, Versions::Tls12);
    let error = handshake(&client, &load_server(&tls13), "localhost").expect_err("refused");
    assert!(error.contains("incompatible"), "{error}");
}

#[test]
fn a_second_client_of_the_same_authority_has_its_own_name() {
    let (directory, files) = authority();
    let now = SystemTime::now();
    let pump = development::client(directory.path(), "pump-1", Existing::Keep, now).expect("files");
    let server = load_server(&server(&files, true));
    let pair = Some((pump.certfile, pump.keyfile));
    let client = client(&files.ca.certfile, pair, Versions::default());
    let established = handshake(&client, &server, "localhost").expect("established");
    let certificate = established.client_certificate.expect("a client certificate");
    assert_eq!(common_name(&certificate), Ok("pump-1".to_owned()));
}

#[test]
fn a_resumption_ticket_dies_with_its_configuration() {
    let (_directory, files) = authority();
    let tls = server(&files, true);
    let (old, new) = (load_server(&tls), load_server(&tls));
    for (versions, _) in BOTH {
        let client = device(&files, versions);
        assert!(!resume(&client, &old), "the first connection has nothing to resume");
        assert!(resume(&client, &old), "the second one has a ticket");
        assert!(!resume(&client, &new), "the reloaded configuration does not know it");
    }
}

/// The certificates of an existing installation: version 1, made by `openssl x509 -req`.
fn existing(crlfile: bool) -> ServerTls {
    ServerTls {
        certfile: data("server.crt"),
        keyfile: data("server.key"),
        cafile: Some(data("ca.crt")),
        crlfile: crlfile.then(|| data("list.crl")),
        require_certificate: true,
        versions: Versions::default(),
    }
}

fn existing_device(name: &str, key: &str, versions: Versions) -> Arc<ClientConfig> {
    let tls = ClientTls {
        cafile: None,
        certificate: Some((data(&format!("{name}.crt")), data(key))),
        versions,
    };
    wire::trusting_all(&tls)
}

#[test]
fn version_1_certificates_of_an_existing_installation_are_accepted() {
    for crlfile in [false, true] {
        let server = load_server(&existing(crlfile));
        for (versions, _) in BOTH {
            let client = existing_device("device", "device.pkcs1.key", versions);
            let established = handshake(&client, &server, "localhost").expect("established");
            let certificate = established.client_certificate.expect("a client certificate");
            assert_eq!(common_name(&certificate), Ok("#meter 7 ".to_owned()));
        }
    }
}

#[test]
fn a_revoked_version_1_certificate_is_refused() {
    for (versions, _) in BOTH {
        let client = existing_device("revoked", "revoked.sec1.key", versions);
        handshake(&client, &load_server(&existing(false)), "localhost").expect("no list, no check");
        let error = handshake(&client, &load_server(&existing(true)), "localhost");
        assert_eq!(error.expect_err("refused"), "server: invalid peer certificate: Revoked");
    }
}

#[test]
fn a_version_1_certificate_of_another_authority_is_refused() {
    let (_directory, files) = authority();
    let server = load_server(&server(&files, true));
    for (versions, _) in BOTH {
        let client = existing_device("device", "device.key", versions);
        let error = handshake(&client, &server, "localhost").expect_err("refused");
        assert_eq!(error, "server: invalid peer certificate: UnknownIssuer");
    }
}

#[test]
fn a_version_1_certificate_with_another_devices_key_is_refused() {
    let server = load_server(&existing(false));
    for (versions, _) in BOTH {
        let client = wire::impostor(&data("device.crt"), &data("server.key"), versions);
        let error = handshake(&client, &server, "localhost").expect_err("refused");
        assert_eq!(error, "server: invalid peer certificate: BadSignature");
    }
}

#[test]
fn a_list_of_revocations_that_does_not_cover_the_authority_refuses_its_clients() {
    let (_directory, files) = authority();
    let tls = ServerTls { crlfile: Some(data("list.crl")), ..server(&files, true) };
    let error = handshake(&device(&files, Versions::Tls13), &load_server(&tls), "localhost");
    assert_eq!(
        error.expect_err("refused"),
        "server: invalid peer certificate: UnknownRevocationStatus"
    );
}

#[test]
fn a_lone_server_certificate_is_completed_from_the_cafile() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        (params, KeyPair::generate().expect("a key"))
    };
    let (root_params, root_key) = authority("root");
    let root = root_params.self_signed(&root_key).expect("a root");
    let root_issuer = Issuer::new(root_params, root_key);
    let (plant_params, plant_key) = authority("plant");
    let plant = plant_params.signed_by(&plant_key, &root_issuer).expect("an intermediate");
    let plant_issuer = Issuer::new(plant_params, plant_key);
    let leaf_key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let leaf = leaf.signed_by(&leaf_key, &plant_issuer).expect("a leaf");
    fs::write(path("server.crt"), leaf.pem()).expect("a file");
    fs::write(path("server.key"), leaf_key.serialize_pem()).expect("a file");
    fs::write(path("root.crt"), root.pem()).expect("a file");
    fs::write(path("all.crt"), root.pem() + &plant.pem()).expect("a file");

    let client = client(&path("root.crt"), None, Versions::default());
    let alone = ServerTls {
        certfile: path("server.crt"),
        keyfile: path("server.key"),
        ..ServerTls::default()
    };
    let error = handshake(&client, &load_server(&alone), "localhost").expect_err("incomplete");
    assert_eq!(error, "client: invalid peer certificate: UnknownIssuer");
    let complete = ServerTls { cafile: Some(path("all.crt")), ..alone };
    handshake(&client, &load_server(&complete), "localhost").expect("established");
}
