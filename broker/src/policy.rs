//! What the operator decides about clients, as one generation of it: the broker's counterpart of
//! the core's `Generation`, made with it and replaced with it.
//!
//! A policy is complete: every file it needs has been read and every value checked, or it does not
//! exist and all that was wrong is known.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use midge_acl::{Acl, PasswordFile};
use midge_certs::{ServerTls, Versions};
use midge_codec::Text;
use midge_config::{Authentication, CertificateUsername, Config, Listener, NamedFiles, TlsVersion};
use midge_core::Client;
use rustls::ServerConfig;

use crate::auth::Login;

/// One generation of decisions about clients.
pub(crate) struct Policy {
    pub(crate) max_packet_size: u32,
    pub(crate) connection_messages: bool,
    pub(crate) set_tcp_nodelay: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_connect_size: u32,
    pub(crate) max_half_open: usize,
    pub(crate) max_connections: Option<usize>,
    pub(crate) listeners: Vec<Arc<ListenerPolicy>>,
}

/// What applies to the clients of one listener.
pub(crate) struct ListenerPolicy {
    /// Names the listener in `Client::listener` and in messages.
    pub(crate) name: Text,
    pub(crate) max_connections: Option<usize>,
    pub(crate) tls: Option<ListenerTls>,
    pub(crate) authentication: Authentication,
    pub(crate) passwords: Option<Arc<PasswordFile>>,
    pub(crate) acl: Option<Arc<Acl>>,
}

/// TLS of one listener.
pub(crate) struct ListenerTls {
    pub(crate) config: Arc<ServerConfig>,
    /// What of the client's certificate is its user name.
    pub(crate) username: Option<CertificateUsername>,
}

/// A file's contents, or every mistake in it.
type Loaded<T> = Result<Arc<T>, Vec<String>>;

impl Policy {
    /// Reads every file that `config` names.
    ///
    /// # Errors
    /// Everything that is wrong in any of them, a line each.
    pub(crate) fn load(config: &Config) -> Result<Policy, Vec<String>> {
        let mut errors = Vec::new();
        let mut files = Files::default();
        let listeners = config
            .listeners
            .iter()
            .map(|listener| Arc::new(files.listener(listener, &mut errors)))
            .collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let limits = &config.limits;
        Ok(Policy {
            max_packet_size: u32::try_from(limits.max_packet_size).unwrap_or(u32::MAX),
            connection_messages: config.connection_messages,
            set_tcp_nodelay: config.set_tcp_nodelay,
            connect_timeout: limits.connect_timeout,
            max_connect_size: u32::try_from(limits.max_connect_size).unwrap_or(u32::MAX),
            max_half_open: limits.max_half_open_connections,
            max_connections: limits.max_connections,
            listeners,
        })
    }

    /// What is wrong with password and ACL files, a line each.
    pub(crate) fn mistakes(named: &NamedFiles) -> Vec<String> {
        let passwords = named
            .password_files
            .iter()
            .map(|path| load(path, PasswordFile::parse).err().unwrap_or_default());
        let acls =
            named.acl_files.iter().map(|path| load(path, Acl::parse).err().unwrap_or_default());
        passwords.chain(acls).flatten().collect()
    }

    /// The policy of a listener; a socket keeps its name for life.
    pub(crate) fn listener(&self, name: &str) -> Option<&Arc<ListenerPolicy>> {
        self.listeners.iter().find(|listener| listener.name.as_str() == name)
    }

    /// Whether a client that logged in this way could do so again.
    pub(crate) fn still_admits(&self, client: &Client, login: &Login) -> bool {
        let Some(listener) = self.listener(&client.listener) else { return false };
        match (login, &listener.passwords) {
            (Login::Anonymous, _) => listener.authentication.allow_anonymous,
            (Login::Unchecked, passwords) => {
                passwords.is_none() && listener.authentication.allow_anonymous
            }
            (Login::Certificate, _) => {
                listener.tls.as_ref().is_some_and(|tls| tls.username.is_some())
            }
            (Login::Password(_), None) => listener.authentication.allow_anonymous,
            (Login::Password(fingerprint), Some(passwords)) => client
                .username
                .as_deref()
                .and_then(|user| passwords.find(user))
                .is_some_and(|hash| hash.fingerprint() == *fingerprint),
        }
    }
}

/// How a listener is called in messages and in `Client::listener`.
pub(crate) fn listener_name(listener: &Listener) -> String {
    match &listener.bind {
        midge_config::BindAddress::Any => listener.port.to_string(),
        midge_config::BindAddress::Loopback => format!("loopback:{}", listener.port),
        midge_config::BindAddress::Host(host) => format!("{host}:{}", listener.port),
    }
}

/// Files read so far: listeners mostly name the same ones.
#[derive(Default)]
struct Files {
    passwords: HashMap<PathBuf, Option<Arc<PasswordFile>>>,
    acls: HashMap<PathBuf, Option<Arc<Acl>>>,
}

impl Files {
    fn listener(&mut self, listener: &Listener, errors: &mut Vec<String>) -> ListenerPolicy {
        let authentication = listener.authentication.clone();
        let passwords = authentication
            .password_file
            .as_deref()
            .and_then(|path| once(&mut self.passwords, path, errors, PasswordFile::parse));
        let acl = authentication
            .acl_file
            .as_deref()
            .and_then(|path| once(&mut self.acls, path, errors, Acl::parse));
        let tls = listener.tls.as_ref().and_then(|tls| match load_tls(tls) {
            Ok(config) => Some(ListenerTls { config, username: tls.username }),
            Err(found) => {
                errors
                    .extend(found.into_iter().map(|error| format!("{}: {error}", listener.origin)));
                None
            }
        });
        ListenerPolicy {
            name: Text::try_from(listener_name(listener)).unwrap_or_default(),
            max_connections: listener.max_connections,
            tls,
            authentication,
            passwords,
            acl,
        }
    }
}

/// Reads and parses a file unless that was done before; its errors are reported the first time.
fn once<T>(
    seen: &mut HashMap<PathBuf, Option<Arc<T>>>,
    path: &Path,
    errors: &mut Vec<String>,
    parse: impl FnOnce(&str) -> Result<T, Vec<midge_acl::FileError>>,
) -> Option<Arc<T>> {
    if let Some(known) = seen.get(path) {
        return known.clone();
    }
    let loaded = load(path, parse).map_err(|found| errors.extend(found)).ok();
    seen.insert(path.to_owned(), loaded.clone());
    loaded
}

fn load<T>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, Vec<midge_acl::FileError>>,
) -> Loaded<T> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| vec![format!("{}: {error}", path.display())])?;
    let parsed = parse(&text)
        .map_err(|errors| errors.iter().map(|error| file_line(path, error)).collect::<Vec<_>>())?;
    Ok(Arc::new(parsed))
}

/// A mistake in a file, as all of them are told.
pub(crate) fn file_line(path: &Path, error: &midge_acl::FileError) -> String {
    let midge_acl::FileError { line, found, expected } = error;
    format!("{}:{line}: found {found}, expected {expected}", path.display())
}

fn load_tls(tls: &midge_config::Tls) -> Loaded<ServerConfig> {
    let files = ServerTls {
        certfile: tls.certfile.clone(),
        keyfile: tls.keyfile.clone(),
        cafile: tls.cafile.clone(),
        crlfile: tls.crlfile.clone(),
        require_certificate: tls.require_certificate,
        versions: match tls.minimum_version {
            TlsVersion::V1_2 => Versions::Tls12AndTls13,
            TlsVersion::V1_3 => Versions::Tls13,
        },
    };
    let loaded = files
        .load(SystemTime::now())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.config)
}
