//! What files say when they are wrong, and that no bytes make the parser panic.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use midge_certs::development::{self, Existing};
use midge_certs::{PemFile, ServerPem, ServerTls, Versions, common_name, subject};
use proptest::prelude::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn file(option: &'static str, name: &str) -> PemFile {
    PemFile::new(option, name, fs::read(data(name)).expect("a fixture"))
}

fn server(certfile: PemFile, keyfile: PemFile) -> ServerPem {
    ServerPem {
        certfile,
        keyfile,
        cafile: None,
        crlfile: None,
        require_certificate: false,
        versions: Versions::default(),
    }
}

fn errors(pem: &ServerPem) -> Vec<String> {
    let errors = pem.build(SystemTime::now()).expect_err("errors");
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_key_of_another_certificate_is_refused_by_name() {
    let pem = server(file("certfile", "server.crt"), file("keyfile", "device.key"));
    assert_eq!(
        errors(&pem),
        ["keyfile device.key: the key does not match the certificate in certfile server.crt, \
          the private key that belongs to this certificate was expected"]
    );
}

#[test]
fn files_in_each_others_place_are_both_reported() {
    let pem = server(file("certfile", "server.key"), file("keyfile", "server.crt"));
    assert_eq!(
        errors(&pem),
        [
            "certfile server.key: no certificate found, only `PRIVATE KEY`, \
             a PEM block `CERTIFICATE` was expected",
            "keyfile server.crt: no private key found, only `CERTIFICATE`, \
             a PEM block `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY` was expected",
        ]
    );
}

#[test]
fn empty_and_foreign_files_say_so() {
    let pem = server(
        PemFile::new("certfile", "server.crt", Vec::new()),
        PemFile::new("keyfile", "server.key", b"not PEM at all\n".to_vec()),
    );
    let errors = errors(&pem);
    assert!(errors[0].contains("no certificate found, the file is empty"), "{errors:?}");
    assert!(errors[1].contains("no private key found, the file has no PEM blocks"), "{errors:?}");
}

#[test]
fn encrypted_keys_name_the_command_that_helps() {
    for name in ["device.encrypted.key", "device.encrypted.pkcs1.key"] {
        let pem = server(file("certfile", "device.crt"), file("keyfile", name));
        assert_eq!(
            errors(&pem),
            [format!(
                "keyfile {name}: the private key is encrypted with a passphrase, a key without \
                 one (`openssl pkey -in OLD -out NEW` writes it) was expected"
            )]
        );
    }
}

#[test]
fn every_key_encoding_is_read() {
    for (certificate, key) in [
        ("device.crt", "device.key"),
        ("device.crt", "device.pkcs1.key"),
        ("revoked.crt", "revoked.key"),
        ("revoked.crt", "revoked.sec1.key"),
    ] {
        let pem = server(file("certfile", certificate), file("keyfile", key));
        pem.build(SystemTime::now()).unwrap_or_else(|errors| panic!("{key}: {errors:?}"));
    }
}

#[test]
fn a_missing_file_is_named() {
    let tls = ServerTls {
        certfile: "/nonexistent/server.crt".into(),
        keyfile: data("server.key"),
        ..ServerTls::default()
    };
    let errors = tls.load(SystemTime::now()).expect_err("an error");
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].to_string().starts_with("certfile /nonexistent/server.crt: No such file"),
        "{}",
        errors[0]
    );
}

#[test]
fn requiring_certificates_without_an_authority_is_refused() {
    let mut pem = server(file("certfile", "server.crt"), file("keyfile", "server.key"));
    pem.require_certificate = true;
    assert_eq!(
        errors(&pem),
        ["cafile: not set, a file was expected because of require_certificate true"]
    );
}

#[test]
fn a_certificate_in_place_of_a_revocation_list_is_refused() {
    let mut pem = server(file("certfile", "server.crt"), file("keyfile", "server.key"));
    pem.cafile = Some(file("cafile", "ca.crt"));
    pem.crlfile = Some(file("crlfile", "ca.crt"));
    pem.require_certificate = true;
    assert_eq!(
        errors(&pem),
        ["crlfile ca.crt: no revocation list found, only `CERTIFICATE`, \
          a PEM block `X509 CRL` was expected"]
    );
}

#[test]
fn an_expired_certificate_is_a_warning_that_names_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let long_ago = SystemTime::now() - Duration::from_secs(900 * 24 * 60 * 60);
    let hosts = ["localhost".to_owned()];
    let files = development::create(directory.path(), &hosts, Existing::Keep, long_ago);
    let files = files.expect("files");
    let tls = ServerTls {
        certfile: files.server.certfile.clone(),
        keyfile: files.server.keyfile,
        ..ServerTls::default()
    };
    let loaded = tls.load(SystemTime::now()).expect("it still works");
    let [warning] = loaded.warnings.as_slice() else { panic!("{:?}", loaded.warnings) };
    assert_eq!(warning.path, files.server.certfile);
    assert!(
        warning.found.starts_with("the certificate of \"CN=localhost\" expired on "),
        "{warning}"
    );
}

#[test]
fn development_files_are_kept_unless_replacing_is_asked_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, hosts, now) = (directory.path(), ["localhost".to_owned()], SystemTime::now());
    let files = development::create(path, &hosts, Existing::Keep, now).expect("files");
    for pair in [&files.ca, &files.server, &files.client] {
        let mode = fs::metadata(&pair.keyfile).expect("a key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", pair.keyfile.display());
    }
    let before = fs::read(&files.ca.certfile).expect("a certificate");
    let error = development::create(path, &hosts, Existing::Keep, now).expect_err("kept");
    assert!(error.to_string().contains("ca.crt exists already"), "{error}");
    assert_eq!(fs::read(&files.ca.certfile).expect("a certificate"), before);
    development::create(path, &hosts, Existing::Replace, now).expect("replaced");
    assert_ne!(fs::read(&files.ca.certfile).expect("a certificate"), before);
    assert_eq!(fs::read_dir(path).expect("a directory").count(), 6);
}

#[test]
fn development_names_cannot_leave_the_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, now) = (directory.path(), SystemTime::now());
    development::create(path, &["localhost".to_owned()], Existing::Keep, now).expect("files");
    for name in ["", "../x", "a/b", ".hidden", "ca", "server", "a b"] {
        let error = development::client(path, name, Existing::Replace, now).expect_err(name);
        assert!(error.to_string().starts_with("client "), "{error}");
    }
    for host in ["", "a b", "ä.example", "a/b"] {
        let hosts = [host.to_owned()];
        let error = development::create(path, &hosts, Existing::Replace, now).expect_err(host);
        assert!(error.to_string().starts_with("host "), "{error}");
    }
}

#[test]
fn names_are_written_as_openssl_writes_them() {
    let device = file("certfile", "device.crt").certificates().expect("a certificate");
    assert_eq!(common_name(&device[0]), Ok("#meter 7 ".to_owned()));
    // `openssl x509 -in device.crt -noout -subject -nameopt RFC2253`
    let expected = r#"emailAddress=m7@example.org,CN=\#meter 7\ ,OU=hall 2+OU=plant,O=Caf\C3\A9\, \"Ltd\",C=DE"#;
    assert_eq!(subject(&device[0]), Ok(expected.to_owned()));
}

#[test]
fn names_with_nul_or_bad_utf8_are_refused() {
    let device = file("certfile", "device.crt").certificates().expect("a certificate");
    let der = device[0].to_vec();
    let at = der.windows(7).position(|window| window == b"meter 7").expect("the common name");
    for (byte, expected) in [
        (0, "the client certificate's common name contains a NUL character"),
        (0xff, "the client certificate's common name is not valid UTF-8"),
    ] {
        let mut der = der.clone();
        der[at + 5] = byte;
        let error = common_name(&der).expect_err("refused");
        assert_eq!(error.to_string(), expected);
        subject(&der).expect_err("refused");
    }
    let error = common_name(b"no certificate").expect_err("refused");
    assert_eq!(error.to_string(), "the client certificate is not valid DER");
}

fn everything(bytes: &[u8]) {
    let _ = common_name(bytes);
    let _ = subject(bytes);
    let file = |option| PemFile::new(option, "fuzzed", bytes.to_vec());
    let pem = ServerPem {
        certfile: file("certfile"),
        keyfile: file("keyfile"),
        cafile: Some(file("cafile")),
        crlfile: Some(file("crlfile")),
        require_certificate: true,
        versions: Versions::default(),
    };
    let _ = pem.build(SystemTime::UNIX_EPOCH);
    let mut pem = server(self::file("certfile", "server.crt"), self::file("keyfile", "server.key"));
    pem.cafile = Some(file("cafile"));
    pem.crlfile = Some(file("crlfile"));
    pem.require_certificate = true;
    let _ = pem.build(SystemTime::UNIX_EPOCH);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        everything(&bytes);
    }

    #[test]
    fn damaged_files_never_panic(
        which in 0..4usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let name = ["device.crt", "revoked.sec1.key", "list.crl", "ca.crt"][which];
        let mut bytes = fs::read(data(name)).expect("a fixture");
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        everything(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        everything(&bytes);
    }

    #[test]
    fn damaged_certificates_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let device = file("certfile", "device.crt").certificates().expect("a certificate");
        let mut der = device[0].to_vec();
        for (index, byte) in changes {
            let at = index.index(der.len());
            der[at] = byte;
        }
        let _ = common_name(&der);
        let _ = subject(&der);
    }
}
