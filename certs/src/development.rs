//! A certificate authority for development: a CA, a server and a client certificate in a directory.
//!
//! No file that exists is replaced unless that is asked for, keys are readable by their owner only,
//! and each file appears whole or not at all, so that a broker reloading meanwhile reads no half.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::pem::unix_seconds;

const DAY: u64 = 24 * 60 * 60;
const CA_DAYS: u64 = 3650;
/// The longest that all common clients accept of a server certificate.
const LEAF_DAYS: u64 = 825;

/// What went wrong while making certificates.
#[derive(Debug, thiserror::Error)]
pub enum DevelopmentError {
    /// Files are there already.
    #[error("{} exists already, and nothing is replaced unless asked for", path.display())]
    Exists {
        /// The first of them.
        path: PathBuf,
    },
    /// A file or the directory could not be written or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The name cannot stand in a certificate or be a file's name.
    #[error("{what} \"{name}\": {expected} was expected")]
    Name {
        /// Host or client.
        what: &'static str,
        /// The name given.
        name: String,
        /// What may be given.
        expected: &'static str,
    },
    /// The certificate library refused.
    #[error("certificate for \"{name}\": {source}")]
    Certificate {
        /// Whose certificate it was to be.
        name: String,
        /// Why.
        source: rcgen::Error,
    },
}

/// A certificate's file and its key's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, PEM.
    pub certfile: PathBuf,
    /// The private key, PEM, PKCS#8, mode 0600.
    pub keyfile: PathBuf,
}

/// All that [`create`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevelopmentFiles {
    /// The authority: `ca.crt`, `ca.key`.
    pub ca: CertificateFiles,
    /// The broker: `server.crt`, `server.key`.
    pub server: CertificateFiles,
    /// A client whose common name is `client`: `client.crt`, `client.key`.
    pub client: CertificateFiles,
}

/// Whether files that exist may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They stay, and nothing is written.
    Keep,
    /// They are replaced.
    Replace,
}

/// Makes a CA, a server certificate for `hosts` (names and addresses) and a client certificate.
pub fn create(
    directory: &Path,
    hosts: &[String],
    existing: Existing,
    now: SystemTime,
) -> Result<DevelopmentFiles, DevelopmentError> {
    let [ca, server, client] = ["ca", "server", "client"].map(|name| files(directory, name));
    for files in [&ca, &server, &client] {
        refuse_existing(files, existing)?;
    }
    let Some(first) = hosts.first() else {
        let expected = "at least one name or address";
        return Err(DevelopmentError::Name { what: "host", name: String::new(), expected });
    };

    let (ca_params, ca_key) = (authority(now), key("Midge development CA")?);
    let ca_certificate = ca_params.self_signed(&ca_key).map_err(refused("Midge development CA"))?;
    let issuer = Issuer::new(ca_params, ca_key);
    let server_pair = signed(&issuer, &server_params(hosts, first, now)?, first)?;
    let client_pair = signed(&issuer, &client_params("client", now), "client")?;

    fs::create_dir_all(directory)
        .map_err(|source| DevelopmentError::Io { path: directory.into(), source })?;
    write(&ca, &(ca_certificate.pem(), issuer.key().serialize_pem()))?;
    write(&server, &server_pair)?;
    write(&client, &client_pair)?;
    Ok(DevelopmentFiles { ca, server, client })
}

/// Makes one more client certificate with the CA that [`create`] left in `directory`; its common
/// name is `name`, and its files are `NAME.crt` and `NAME.key`.
pub fn client(
    directory: &Path,
    name: &str,
    existing: Existing,
    now: SystemTime,
) -> Result<CertificateFiles, DevelopmentError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let reserved = matches!(name, "ca" | "server");
    if name.is_empty()
        || name.len() > 64
        || name.starts_with('.')
        || reserved
        || !name.chars().all(fits)
    {
        let expected = "1 to 64 letters, digits, `-`, `_`, `.` or `@`, not `ca` or `server`";
        return Err(DevelopmentError::Name { what: "client", name: name.into(), expected });
    }
    let ca = files(directory, "ca");
    let read = |path: &Path| {
        fs::read_to_string(path)
            .map_err(|source| DevelopmentError::Io { path: path.into(), source })
    };
    let ca_key = KeyPair::from_pem(&read(&ca.keyfile)?).map_err(refused("ca.key"))?;
    let issuer =
        Issuer::from_ca_cert_pem(&read(&ca.certfile)?, ca_key).map_err(refused("ca.crt"))?;
    let out = files(directory, name);
    refuse_existing(&out, existing)?;
    write(&out, &signed(&issuer, &client_params(name, now), name)?)?;
    Ok(out)
}

fn authority(now: SystemTime) -> CertificateParams {
    let mut params = named("Midge development CA", CA_DAYS, now);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params(
    hosts: &[String],
    first: &str,
    now: SystemTime,
) -> Result<CertificateParams, DevelopmentError> {
    let mut params = named(first, LEAF_DAYS, now);
    for host in hosts {
        let expected = "a DNS name or an IP address";
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '*' | '_');
        let refused = || DevelopmentError::Name { what: "host", name: host.clone(), expected };
        if host.is_empty() || !host.chars().all(fits) {
            return Err(refused());
        }
        let name = CertificateParams::new([host.clone()]).map_err(|_| refused())?;
        params.subject_alt_names.extend(name.subject_alt_names);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn client_params(name: &str, now: SystemTime) -> CertificateParams {
    let mut params = named(name, LEAF_DAYS, now);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn named(name: &str, days: u64, now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    // A day back, for devices whose clock is behind ours.
    let start = (unix_seconds(now) as u64).saturating_sub(DAY);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(start);
    params.not_after = epoch + Duration::from_secs(start + days * DAY);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params
}

fn key(name: &str) -> Result<KeyPair, DevelopmentError> {
    KeyPair::generate().map_err(refused(name))
}

/// Certificate and key as PEM.
fn signed(
    issuer: &Issuer<'_, KeyPair>,
    params: &CertificateParams,
    name: &str,
) -> Result<(String, String), DevelopmentError> {
    let key = key(name)?;
    let certificate = params.signed_by(&key, issuer).map_err(refused(name))?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn refused(name: &str) -> impl FnOnce(rcgen::Error) -> DevelopmentError {
    let name = name.to_owned();
    move |source| DevelopmentError::Certificate { name, source }
}

fn files(directory: &Path, name: &str) -> CertificateFiles {
    CertificateFiles {
        certfile: directory.join(format!("{name}.crt")),
        keyfile: directory.join(format!("{name}.key")),
    }
}

fn refuse_existing(files: &CertificateFiles, existing: Existing) -> Result<(), DevelopmentError> {
    let there = [&files.certfile, &files.keyfile].into_iter().find(|path| path.exists());
    match (existing, there) {
        (Existing::Keep, Some(path)) => Err(DevelopmentError::Exists { path: path.clone() }),
        _ => Ok(()),
    }
}

fn write(
    files: &CertificateFiles,
    (certificate, key): &(String, String),
) -> Result<(), DevelopmentError> {
    write_file(&files.keyfile, key, 0o600)?;
    write_file(&files.certfile, certificate, 0o644)
}

fn write_file(path: &Path, text: &str, mode: u32) -> Result<(), DevelopmentError> {
    let failed = |source| DevelopmentError::Io { path: path.into(), source };
    let mut partial = path.as_os_str().to_owned();
    partial.push(".new");
    let partial = PathBuf::from(partial);
    // A left-over of an interrupted run may have another mode: never write a key into it.
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&partial)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    fs::rename(&partial, path).map_err(failed)
}
