//! A new configuration for a running broker.

use std::path::{Path, PathBuf};

use midge::{Config, StartError};
use midge_acl::{Hash, PasswordFile, Scheme};
use midge_codec::ReasonCode;

use crate::client::Client;
use crate::{config, start};

/// Writes a password file with these users, each with the name as password.
fn passwords(directory: &Path, users: &[&str]) -> PathBuf {
    let mut file = PasswordFile::parse("").unwrap_or_else(|errors| panic!("{errors:?}"));
    for user in users {
        let salt = vec![7; Scheme::Sha512.salt_bytes()];
        let hash = Hash::create(Scheme::Sha512, user.as_bytes(), &salt).expect("hashed");
        file.set(user, hash).expect("a user");
    }
    let path = directory.join("passwords");
    std::fs::write(&path, file.to_string()).expect("written");
    path
}

fn guarded(password_file: PathBuf) -> Config {
    let mut config = config();
    config.listeners[0].authentication.allow_anonymous = false;
    config.listeners[0].authentication.password_file = Some(password_file);
    config
}

#[tokio::test]
async fn a_user_that_is_gone_is_disconnected_and_the_others_stay() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = guarded(passwords(directory.path(), &["ann", "bob"]));
    let mut broker = start(config.clone());
    let (mut ann, mut bob) = (Client::silent(&broker), Client::silent(&broker));
    assert_eq!(ann.connect("ann", Some(("ann", "ann"))), ReasonCode::Success);
    assert_eq!(bob.connect("bob", Some(("bob", "bob"))), ReasonCode::Success);

    passwords(directory.path(), &["bob"]);
    broker.reload(config).await.expect("reloaded");

    assert_eq!(ann.reason_of_disconnect(), ReasonCode::NotAuthorized as u8);
    bob.subscribe("still/here");
    let mut again = Client::silent(&broker);
    assert_eq!(again.connect("ann", Some(("ann", "ann"))), ReasonCode::NotAuthorized);
    broker.shutdown().await;
}

#[tokio::test]
async fn a_mistake_leaves_everything_as_it_was_and_is_named_with_its_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = passwords(directory.path(), &["ann"]);
    let config = guarded(path.clone());
    let mut broker = start(config.clone());

    std::fs::write(&path, "# a comment\nno colon\n").expect("written");
    let error = broker.reload(config).await.expect_err("a mistake");

    assert!(matches!(error, StartError::Files(_)), "{error:?}");
    assert!(error.to_string().starts_with(&format!("{}:2: ", path.display())), "{error}");
    let mut ann = Client::silent(&broker);
    assert_eq!(ann.connect("ann", Some(("ann", "ann"))), ReasonCode::Success);
    broker.shutdown().await;
}

#[tokio::test]
async fn a_wrong_password_a_missing_one_and_no_name_are_all_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let broker = start(guarded(passwords(directory.path(), &["ann"])));
    for login in [Some(("ann", "wrong")), Some(("eve", "ann")), Some(("ann", "")), None] {
        let reason = Client::silent(&broker).connect("client", login);
        assert_eq!(reason, ReasonCode::NotAuthorized, "{login:?}");
    }
    broker.shutdown().await;
}

#[tokio::test]
async fn new_access_rules_count_for_who_is_connected() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("acl");
    std::fs::write(&path, "topic read open/#\n").expect("written");
    let mut config = config();
    config.listeners[0].authentication.acl_file = Some(path.clone());
    let mut broker = start(config.clone());
    let mut client = Client::connected(&broker, "reader");
    client.subscribe("open/#");

    std::fs::write(&path, "topic read open/b\n").expect("written");
    broker.reload(config).await.expect("reloaded");

    for topic in ["open/a", "open/b"] {
        broker.publish(topic, "", midge::QoS::AtLeastOnce, false).await.expect("published");
    }
    assert_eq!(client.message().0, "open/b");
    broker.shutdown().await;
}
