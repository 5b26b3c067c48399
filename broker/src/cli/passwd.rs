//! `midge passwd`: keeps a password file, as mosquitto_passwd does.
//!
//! The file is replaced whole or not at all, keeps its owner and mode, and a new one is readable by
//! its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use midge_acl::{FileError, Hash, PasswordFile, Scheme, upgrade};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::options::{PasswdAction, PasswdOptions};

/// Does it.
pub(super) fn run(options: &PasswdOptions) -> Result<(), String> {
    let path = &options.file;
    match &options.action {
        PasswdAction::Upgrade => {
            let file =
                upgrade(&read(path)?, options.scheme, |bytes| salt(bytes).unwrap_or_default());
            write(path, &file.map_err(|errors| lines(path, &errors))?)
        }
        PasswdAction::Delete { user } => {
            let mut file = parse(path)?;
            if !file.remove(user) {
                return Err(format!("{}: no user {user:?}", path.display()));
            }
            write(path, &file)
        }
        PasswdAction::Set { user, password, create } => {
            let mut file = if *create { empty()? } else { parse(path)? };
            let password = match password {
                Some(password) => password.clone(),
                None => ask()?,
            };
            if password.is_empty() {
                return Err("the password is empty".to_owned());
            }
            let salt = salt(options.scheme.salt_bytes())?;
            let hash = Hash::create(options.scheme, password.as_bytes(), &salt)
                .map_err(|error| error.to_string())?;
            file.set(user, hash).map_err(|error| error.to_string())?;
            if matches!(options.scheme, Scheme::Sha512) {
                eprintln!("Warning: one round of SHA-512 is weak, argon2id is the default");
            }
            write(path, &file)
        }
    }
}

fn empty() -> Result<PasswordFile, String> {
    PasswordFile::parse("").map_err(|errors| lines(Path::new("-c"), &errors))
}

fn parse(path: &Path) -> Result<PasswordFile, String> {
    PasswordFile::parse(&read(path)?).map_err(|errors| lines(path, &errors))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{}: {error}, -c makes a new file", path.display()),
        _ => format!("{}: {error}", path.display()),
    })
}

fn lines(path: &Path, errors: &[FileError]) -> String {
    errors.iter().map(|error| crate::policy::file_line(path, error)).collect::<Vec<_>>().join("\n")
}

fn salt(bytes: usize) -> Result<Vec<u8>, String> {
    let mut salt = vec![0; bytes];
    getrandom::fill(&mut salt).map_err(|error| format!("no randomness: {error}"))?;
    Ok(salt)
}

/// Puts a new file in the place of the old one.
fn write(path: &Path, file: &PasswordFile) -> Result<(), String> {
    replace(path, file.to_string().as_bytes())
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    // A link stays one; what it points to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(hidden);
    let result = write_new(&new, &path, contents).and_then(|()| fs::rename(&new, &path));
    if result.is_err() {
        // The error that counts is the first one.
        let _ = fs::remove_file(&new);
        return result;
    }
    // The name lasts once its directory is on disk.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_new(new: &Path, old: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    if let Ok(before) = fs::metadata(old) {
        fchown(&file, Some(before.uid()), Some(before.gid()))?;
        file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o777))?;
    }
    file.write_all(contents)?;
    file.sync_all()
}

/// Asks for a password, twice.
fn ask() -> Result<String, String> {
    let password = secret("Password: ")?;
    if secret("Reenter password: ")? != password {
        return Err("the passwords differ".to_owned());
    }
    Ok(password)
}

/// Reads a line that a terminal does not show.
fn secret(prompt: &str) -> Result<String, String> {
    let stdin = io::stdin();
    let before = stdin.is_terminal().then(|| tcgetattr(&stdin)).transpose().map_err(text)?;
    if let Some(shown) = &before {
        eprint!("{prompt}");
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &hidden).map_err(text)?;
    }
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if let Some(shown) = &before {
        tcsetattr(&stdin, OptionalActions::Flush, shown).map_err(text)?;
        eprintln!();
    }
    match read {
        Ok(0) => Err("no password".to_owned()),
        Ok(_) => Ok(line.trim_end_matches(['\n', '\r']).to_owned()),
        Err(error) => Err(text(error)),
    }
}

#[allow(clippy::needless_pass_by_value)] // as map_err wants it
fn text(error: impl ToString) -> String {
    error.to_string()
}
