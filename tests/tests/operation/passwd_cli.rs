//! `midge passwd` does what mosquitto_passwd does, on the same files.

use std::path::PathBuf;

use midge_tests::{Output, Setup, binary, mosquitto_passwd, run};
use tempfile::TempDir;

struct Files {
    directory: TempDir,
}

impl Files {
    fn new() -> Files {
        Files { directory: TempDir::new().expect("temporary directory") }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("passwords")
    }

    /// `midge passwd OPTIONS FILE NAMES`.
    fn passwd(&self, options: &[&str], names: &[&str]) -> Output {
        let path = self.path();
        let path = [path.to_str().expect("UTF-8")];
        run(binary(), &[&["passwd"], options, &path, names].concat())
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn users(&self) -> Vec<String> {
        let lines = self.lines();
        lines.iter().map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
    }

    /// Whether a broker with this file lets a user in.
    fn lets_in(&self, user: &str, password: &str) -> bool {
        let conf = format!("allow_anonymous false\npassword_file {}\n", self.path().display());
        let midge = Setup::conf(&conf).start();
        let (_, connack) = midge.v5("client").user(user, password).attempt();
        connack.reason == midge_codec::ReasonCode::Success
    }
}

#[test]
fn a_file_is_created_extended_and_changed() {
    let files = Files::new();
    files.passwd(&["-b", "-c"], &["alice", "one"]).success();
    files.passwd(&["-b"], &["bob", "two"]).success();
    files.passwd(&["-b"], &["alice", "three"]).success();
    assert_eq!(files.users(), ["alice", "bob"]);
    assert!(files.lines().iter().all(|line| line.contains(":$argon2id$")), "{:?}", files.lines());
    assert!(files.lets_in("alice", "three") && !files.lets_in("alice", "one"));
    assert!(files.lets_in("bob", "two"));
}

#[test]
fn two_users_of_one_password_have_different_hashes() {
    let files = Files::new();
    for scheme in ["argon2id", "sha512-pbkdf2", "sha512"] {
        let create: &[&str] = if scheme == "argon2id" { &["-c"] } else { &[] };
        for user in ["a", "b"] {
            let name = format!("{user}-{scheme}");
            let create = if user == "a" { create } else { &[] };
            files.passwd(&[&["-b", "-H", scheme], create].concat(), &[&name, "same"]).success();
        }
    }
    let mut hashes: Vec<String> = files
        .lines()
        .iter()
        .map(|line| line.split_once(':').expect("a colon").1.to_owned())
        .collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 6);
}

#[test]
fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let files = Files::new();
    files.passwd(&["-b", "-c"], &["alice", "one"]).success();
    let mode = std::fs::metadata(files.path()).expect("the file").permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}

#[test]
fn a_user_is_taken_out() {
    let files = Files::new();
    files.passwd(&["-b", "-c"], &["alice", "one"]).success();
    files.passwd(&["-b"], &["bob", "two"]).success();
    files.passwd(&["-D"], &["alice"]).success();
    assert_eq!(files.users(), ["bob"]);
    let again = files.passwd(&["-D"], &["alice"]);
    assert_ne!(again.code, Some(0));
    assert!(again.stderr.contains("alice"), "{}", again.all());
}

#[test]
fn plain_passwords_are_hashed_in_place() {
    let files = Files::new();
    std::fs::write(files.path(), "alice:one\nbob:two: with a colon\n").expect("written");
    files.passwd(&["-U"], &[]).success();
    assert_eq!(files.users(), ["alice", "bob"]);
    assert!(!files.lines().concat().contains("one") || files.lets_in("alice", "one"));
    assert!(files.lets_in("alice", "one"));
    assert!(files.lets_in("bob", "two: with a colon"));
}

#[test]
fn each_scheme_can_be_chosen_and_read_by_mosquitto() {
    let files = Files::new();
    for (options, mark) in [
        (&["-H", "sha512"][..], "$6$"),
        (&["-H", "sha512-pbkdf2"], "$7$"),
        (&["-H", "sha512-pbkdf2", "-I", "777"], "$7$777$"),
    ] {
        files.passwd(&[&["-b", "-c"], options].concat(), &["alice", "one"]).success();
        assert!(files.lines()[0].starts_with(&format!("alice:{mark}")), "{:?}", files.lines());
        // Mosquitto's own program goes on with the file.
        mosquitto_passwd(&files.path(), "bob", "two");
        assert_eq!(files.users(), ["alice", "bob"]);
        assert!(files.lets_in("alice", "one") && files.lets_in("bob", "two"));
    }
}

#[test]
fn a_file_of_mosquitto_passwd_is_continued() {
    let files = Files::new();
    mosquitto_passwd(&files.path(), "bob", "two");
    let before = files.lines();
    files.passwd(&["-b"], &["alice", "one"]).success();
    assert_eq!(files.users(), ["bob", "alice"]);
    assert_eq!(files.lines()[..1], before);
    assert!(files.lets_in("bob", "two") && files.lets_in("alice", "one"));
}

#[test]
fn a_file_with_a_mistake_is_left_alone() {
    let files = Files::new();
    std::fs::write(files.path(), "alice:plain\n").expect("written");
    let output = files.passwd(&["-b"], &["bob", "two"]);
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains("passwords:1"), "{}", output.all());
    assert_eq!(files.lines(), ["alice:plain"]);
}

#[test]
fn names_and_options_that_make_no_sense_are_refused() {
    let files = Files::new();
    for (options, names) in [
        (&["-b"][..], &["alice"][..]),
        (&["-b", "-c"], &["al:ice", "one"]),
        (&["-b", "-c"], &["", "one"]),
        (&["-b", "-c"], &["alice", ""]),
        (&["-b", "-c", "-H", "md5"], &["alice", "one"]),
        (&["-b", "-c", "-I", "0"], &["alice", "one"]),
        (&["-c", "-D"], &["alice"]),
    ] {
        let output = files.passwd(options, names);
        assert_ne!(output.code, Some(0), "{options:?} {names:?}");
        assert!(!output.stderr.is_empty());
        assert!(!files.path().exists(), "{options:?} {names:?}");
    }
}
