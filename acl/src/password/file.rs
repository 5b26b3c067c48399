//! A password file: its users, and every line as the operator left it.
//!
//! No user stands there twice, and each has a hash that can be checked. An unknown user is checked
//! against a decoy of the scheme most users have, so that time does not tell who exists.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;

use super::encoding::{self, Refused};
use super::hash::{Derivation, Hash, Scheme};
use crate::file_error::{FileError, FileErrors, numbered_lines, quote};

/// An MQTT user name carries its length in two bytes [MQTT-1.5.4]; a longer one never connects.
const USER_BYTES_MAX: usize = u16::MAX as usize;

/// A name that cannot stand in a password file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "found user name {found}, expected 1 to {USER_BYTES_MAX} bytes without colon, line break, \
     space at either end or # at the start"
)]
pub struct InvalidUser {
    /// The name in quotes, shortened when it is long.
    pub found: String,
}

enum FileLine {
    /// A comment or an empty line.
    Other(String),
    User {
        name: String,
        text: String,
    },
}

/// The users of a password file with their hashes.
///
/// It has no `Debug`. `Display` is the file's text: comments, order and untouched lines as they
/// were, each ended by a line feed.
pub struct PasswordFile {
    lines: Vec<FileLine>,
    hashes: HashMap<String, Hash>,
    decoy: Hash,
}

impl Default for PasswordFile {
    fn default() -> Self {
        let decoy = prevailing_decoy([].into_iter());
        Self { lines: Vec::new(), hashes: HashMap::new(), decoy }
    }
}

impl PasswordFile {
    /// Reads a password file.
    ///
    /// # Errors
    /// Every line that is neither a comment nor empty nor `user:hash` with a new user and a hash
    /// within the limits.
    pub fn parse(text: &str) -> Result<Self, Vec<FileError>> {
        Self::read(text, |value, _| encoding::decode(value))
    }

    /// Reads lines of `user:value`, where `hash_of` makes a hash of each value; it also learns
    /// whether an error was found before, so that it need not do slow work in vain.
    pub(super) fn read(
        text: &str,
        mut hash_of: impl FnMut(&str, bool) -> Result<Hash, Refused>,
    ) -> Result<Self, Vec<FileError>> {
        let mut errors = FileErrors::default();
        let mut file = Self::default();
        let mut line_of_user = HashMap::new();
        for (number, line) in numbered_lines(text) {
            if line.starts_with('#') || line.trim_ascii().is_empty() {
                file.lines.push(FileLine::Other(line.into()));
                continue;
            }
            let Some((user, value)) = line.split_once(':') else {
                // The line may be a password that lost its user: it is not repeated.
                let expected = "user:hash, or # in the first column for a comment";
                errors.push(number, "a line without a colon", expected);
                continue;
            };
            let (user, value) = (user.trim_ascii(), value.trim_ascii());
            if check_user(user).is_err() {
                let found = format!("user name {}", quote(user));
                let expected =
                    format!("a name of 1 to {USER_BYTES_MAX} bytes that starts without #");
                errors.push(number, found, expected);
                continue;
            }
            if let Some(first) = line_of_user.insert(user, number) {
                let found = format!("user {} again", quote(user));
                errors.push(number, found, format!("each user once, line {first} has this one"));
                continue;
            }
            match hash_of(value, errors.is_empty()) {
                Ok(hash) => {
                    let text = if encoding::claims_to_be_hash(value) {
                        line.into()
                    } else {
                        format!("{user}:{hash}")
                    };
                    file.lines.push(FileLine::User { name: user.into(), text });
                    file.hashes.insert(user.into(), hash);
                }
                Err(refused) => {
                    let found = format!("{} for user {}", refused.found, quote(user));
                    errors.push(number, found, refused.expected);
                }
            }
        }
        file.choose_decoy();
        errors.or(file)
    }

    /// The hash of a user.
    #[must_use]
    pub fn find(&self, user: &str) -> Option<&Hash> {
        self.hashes.get(user)
    }

    /// A hash to check the password of an unknown user against, for the time it takes: the scheme
    /// and costs that most users of the file have. Whatever it answers, the user stays unknown.
    #[must_use]
    pub fn decoy(&self) -> &Hash {
        &self.decoy
    }

    /// Whether `user` is in the file with this password; takes as long when the user is not.
    #[must_use]
    pub fn verify(&self, user: &str, password: &[u8]) -> bool {
        let found = self.find(user);
        let verified = found.unwrap_or(&self.decoy).verify(password);
        verified && found.is_some()
    }

    /// How many users the file has.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.hashes.len()
    }

    /// Gives `user` this hash: in the user's line, or in a new one at the end.
    ///
    /// # Errors
    /// The name cannot stand in a password file.
    pub fn set(&mut self, user: &str, hash: Hash) -> Result<(), InvalidUser> {
        check_user(user)?;
        let new_text = format!("{user}:{hash}");
        let line = self.lines.iter_mut().find_map(|line| match line {
            FileLine::User { name, text } if name == user => Some(text),
            _ => None,
        });
        match line {
            Some(text) => *text = new_text,
            None => self.lines.push(FileLine::User { name: user.into(), text: new_text }),
        }
        self.hashes.insert(user.into(), hash);
        self.choose_decoy();
        Ok(())
    }

    /// Takes `user` out; `false` when there was none of this name.
    pub fn remove(&mut self, user: &str) -> bool {
        let was_there = self.hashes.remove(user).is_some();
        if was_there {
            self.lines.retain(|line| !matches!(line, FileLine::User { name, .. } if name == user));
            self.choose_decoy();
        }
        was_there
    }

    fn choose_decoy(&mut self) {
        let users_in_order = self.lines.iter().filter_map(|line| match line {
            FileLine::User { name, .. } => self.hashes.get(name),
            FileLine::Other(_) => None,
        });
        self.decoy = prevailing_decoy(users_in_order);
    }
}

/// A decoy that costs what most of these hashes cost; of equally frequent costs, the first.
fn prevailing_decoy<'a>(hashes: impl Iterator<Item = &'a Hash>) -> Hash {
    let mut counts: HashMap<(Derivation, usize), (usize, Reverse<usize>)> = HashMap::new();
    for (index, hash) in hashes.enumerate() {
        let cost = (hash.derivation, hash.salt.len());
        counts.entry(cost).or_insert((0, Reverse(index))).0 += 1;
    }
    let (derivation, salt_bytes) = counts
        .into_iter()
        .max_by_key(|&(_, rank)| rank)
        .map_or((Derivation::ARGON2ID_DEFAULT, Scheme::Argon2id.salt_bytes()), |(cost, _)| cost);
    Hash::decoy(derivation, salt_bytes)
}

fn check_user(user: &str) -> Result<(), InvalidUser> {
    let fits = (1..=USER_BYTES_MAX).contains(&user.len())
        && user.trim_ascii() == user
        && !user.starts_with(['#', '\u{feff}'])
        && !user.contains([':', '\n', '\r']);
    if fits { Ok(()) } else { Err(InvalidUser { found: quote(user) }) }
}

impl fmt::Display for PasswordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| match line {
            FileLine::Other(text) | FileLine::User { text, .. } => writeln!(f, "{text}"),
        })
    }
}
