//! Checks who a client says it is.
//!
//! Order of the cheap and the dear: what the listener's settings decide alone, then the memory of
//! right passwords, then the pool. A password is hashed only when all before left it open.

use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use midge_acl::VerifiedCache;
use midge_codec::{ReasonCode, Text};
use midge_config::Limits;
use tokio::sync::oneshot;

use crate::auth::Login;
use crate::auth::failures::Failures;
use crate::auth::pool::{Check, Pool};
use crate::policy::ListenerPolicy;

/// Successful log-ins remembered: a fleet of this size reconnects without hashing.
const REMEMBERED: usize = 100_000;

/// What a client shows.
pub(crate) struct Credentials {
    pub(crate) address: IpAddr,
    pub(crate) username: Option<Text>,
    pub(crate) password: Option<Bytes>,
}

/// Checks who clients say they are.
pub(crate) struct Authenticator {
    pool: Pool,
    verified: Mutex<VerifiedCache>,
    failures: Mutex<Failures>,
}

impl Authenticator {
    /// Starts the pool.
    pub(crate) fn start(limits: &Limits) -> io::Result<Authenticator> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        Ok(Authenticator {
            pool: Pool::start(limits.password_threads, limits.max_waiting_logins)?,
            verified: Mutex::new(VerifiedCache::new(&key, REMEMBERED)),
            failures: Mutex::default(),
        })
    }

    /// Judges a client of a listener whose user name does not come from a certificate.
    ///
    /// # Errors
    /// What the CONNACK says.
    pub(crate) async fn login(
        &self,
        listener: &ListenerPolicy,
        credentials: Credentials,
        deadline: Instant,
    ) -> Result<Login, ReasonCode> {
        let allow_anonymous = listener.authentication.allow_anonymous;
        let decide =
            |allowed, login| if allowed { Ok(login) } else { Err(ReasonCode::NotAuthorized) };
        let Some(user) = credentials.username else {
            return decide(allow_anonymous, Login::Anonymous);
        };
        let Some(passwords) = &listener.passwords else {
            // As in Mosquitto: a name that nothing can be checked against is worth no name.
            return decide(allow_anonymous, Login::Unchecked);
        };
        let Some(password) = credentials.password else {
            return Err(ReasonCode::NotAuthorized);
        };
        let known = passwords.find(&user);
        if let Some(hash) = known
            && self.verified().lookup(&user, hash, &password)
        {
            return Ok(Login::Password(hash.fingerprint()));
        }
        if self.failures().is_blocked(credentials.address, Instant::now()) {
            return Err(ReasonCode::ServerBusy);
        }
        let (answer, answered) = oneshot::channel();
        let check = Check {
            passwords: passwords.clone(),
            user: user.clone(),
            password: password.clone(),
            deadline,
            answer,
        };
        if !self.pool.submit(check) {
            return Err(ReasonCode::ServerBusy);
        }
        // No answer: it came too late to be made.
        let right = answered.await.map_err(|_| ReasonCode::ServerBusy)?;
        match known.filter(|_| right) {
            Some(hash) => {
                self.verified().insert(&user, hash, &password);
                Ok(Login::Password(hash.fingerprint()))
            }
            None => {
                self.failures().note(credentials.address, Instant::now());
                Err(ReasonCode::NotAuthorized)
            }
        }
    }

    fn verified(&self) -> MutexGuard<'_, VerifiedCache> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use midge_acl::PasswordFile;
    use midge_config::Authentication;

    use super::*;

    /// `ann` with the password `ann`: one round of SHA-512, so that tests are quick.
    fn listener(allow_anonymous: bool, with_passwords: bool) -> ListenerPolicy {
        let mut passwords = PasswordFile::parse("").unwrap_or_else(|errors| panic!("{errors:?}"));
        let hash = midge_acl::Hash::create(midge_acl::Scheme::Sha512, b"ann", &[7; 12]);
        passwords.set("ann", hash.expect("hashed")).expect("a user");
        ListenerPolicy {
            name: Text::from_static("1883"),
            max_connections: None,
            tls: None,
            authentication: Authentication {
                allow_anonymous,
                password_file: None,
                acl_file: None,
                acl_deny_subscribe: true,
                allow_zero_length_clientid: true,
                auto_id_prefix: String::new(),
            },
            passwords: with_passwords.then(|| Arc::new(passwords)),
            acl: None,
        }
    }

    fn authenticator(max_waiting_logins: usize) -> Authenticator {
        let limits = Limits { password_threads: 1, max_waiting_logins, ..Limits::default() };
        Authenticator::start(&limits).expect("threads")
    }

    async fn login(
        authenticator: &Authenticator,
        listener: &ListenerPolicy,
        user: Option<&'static str>,
        password: Option<&'static str>,
    ) -> Result<Login, ReasonCode> {
        let credentials = Credentials {
            address: IpAddr::from([192, 0, 2, 1]),
            username: user.map(Text::from_static),
            password: password.map(|password| Bytes::from_static(password.as_bytes())),
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        authenticator.login(listener, credentials, deadline).await
    }

    #[tokio::test]
    async fn without_a_name_allow_anonymous_decides_also_beside_a_password_file() {
        let authenticator = authenticator(8);
        for with_passwords in [false, true] {
            let listener = listener(true, with_passwords);
            let answer = login(&authenticator, &listener, None, None).await;
            assert_eq!(answer, Ok(Login::Anonymous));
        }
        let answer = login(&authenticator, &listener(false, true), None, None).await;
        assert_eq!(answer, Err(ReasonCode::NotAuthorized));
    }

    #[tokio::test]
    async fn a_name_that_nothing_can_check_is_worth_no_name() {
        let authenticator = authenticator(8);
        let (user, password) = (Some("ann"), Some("ann"));
        let open = login(&authenticator, &listener(true, false), user, password).await;
        assert_eq!(open, Ok(Login::Unchecked));
        let closed = login(&authenticator, &listener(false, false), user, password).await;
        assert_eq!(closed, Err(ReasonCode::NotAuthorized));
    }

    #[tokio::test]
    async fn a_name_needs_its_password_even_where_anonymous_clients_may_come() {
        let authenticator = authenticator(8);
        let listener = listener(true, true);
        for (user, password) in [("ann", Some("wrong")), ("eve", Some("ann")), ("ann", None)] {
            let answer = login(&authenticator, &listener, Some(user), password).await;
            assert_eq!(answer, Err(ReasonCode::NotAuthorized), "{user} {password:?}");
        }
        let answer = login(&authenticator, &listener, Some("ann"), Some("ann")).await;
        assert!(matches!(answer, Ok(Login::Password(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn when_the_pool_is_full_only_remembered_passwords_are_admitted() {
        let full = authenticator(0);
        let listener = listener(false, true);
        let answer = login(&full, &listener, Some("ann"), Some("ann")).await;
        assert_eq!(answer, Err(ReasonCode::ServerBusy));
        let passwords = listener.passwords.as_ref().expect("a password file");
        let hash = passwords.find("ann").expect("the user");
        full.verified().insert("ann", hash, b"ann");
        let answer = login(&full, &listener, Some("ann"), Some("ann")).await;
        assert!(matches!(answer, Ok(Login::Password(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn an_address_that_only_fails_is_not_hashed_for_any_more() {
        let authenticator = authenticator(8);
        let listener = listener(false, true);
        let mut refused = 0;
        let busy = loop {
            match login(&authenticator, &listener, Some("ann"), Some("wrong")).await {
                Err(ReasonCode::NotAuthorized) if refused < 100 => refused += 1,
                other => break other,
            }
        };
        assert_eq!(busy, Err(ReasonCode::ServerBusy), "after {refused} failures");
    }
}
