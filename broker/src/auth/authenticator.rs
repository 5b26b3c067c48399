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
