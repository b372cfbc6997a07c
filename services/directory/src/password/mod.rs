//! Passwords: hashing new ones, checking stored ones, and doing neither on the reactor.
//!
//! New hashes are argon2id in PHC notation, with a SCRAM-SHA-256 verifier beside them; imported
//! ones are read by [`stored`]. [`Hasher`] bounds how much time and memory all of it may take at
//! once, and remembers good passwords for ten minutes so that a mail client which connects all
//! day is not hashed all day.
//!
//! Passwords are compared octet by octet as the client sent them.
//
// TODO RFC 8265 §4.2: the OpaqueString profile (NFC, and every space the ASCII one), when a
// Unicode normaliser is among our dependencies.

mod md5crypt;
pub(crate) mod stored;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ambient::{Clock, Random, Timestamp};
use argon2::password_hash::{PasswordHasher, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::hmac;
use sasl::{ScramCredential, Secret, scram};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Error;
use stored::Stored;

/// Characters a new password needs.
pub const MIN_PASSWORD: usize = 8;
/// Octets of a password: what a client may send and what a new one may have.
pub const MAX_PASSWORD: usize = 1_024;

/// How long a good password is remembered.
const REMEMBER_MILLIS: i64 = 10 * 60 * 1_000;
/// How many good passwords are remembered.
const MAX_REMEMBERED: usize = 10_000;
/// How long a sign-in waits for its turn to be hashed.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most threads that hash at the same time.
const MAX_CONCURRENCY: u32 = 16;

/// What a new password hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashing {
    memory_kib: u32,
    passes: u32,
    scram_iterations: u32,
}

impl Hashing {
    /// What OWASP recommends for argon2id: 19 MiB, two passes, one lane.
    #[must_use]
    pub const fn production() -> Self {
        Self {
            memory_kib: 19 * 1_024,
            passes: 2,
            scram_iterations: scram::DEFAULT_ITERATIONS,
        }
    }

    /// Next to nothing: for tests that create many accounts.
    #[must_use]
    pub const fn cheap_for_tests() -> Self {
        Self {
            memory_kib: 8,
            passes: 1,
            scram_iterations: scram::MIN_ITERATIONS,
        }
    }

    #[cfg(test)]
    pub(crate) fn scram_iterations(self) -> u32 {
        self.scram_iterations
    }

    fn params(self) -> Result<Params, argon2::Error> {
        Params::new(self.memory_kib, self.passes, 1, None)
    }

    fn work(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }

    /// Whether `stored` is what [`Hasher::hash`] makes today.
    fn made(self, stored: &Stored) -> bool {
        matches!(stored, Stored::Argon2 { params, id: true, .. }
            if params.m_cost() == self.memory_kib
                && params.t_cost() == self.passes
                && params.p_cost() == 1)
    }
}

/// A new password, in clear or as a hash from another server.
#[derive(Debug, Clone)]
pub enum NewPassword {
    /// 8 characters to 1,024 octets without control characters.
    Clear(Secret),
    /// A PHC or crypt(3) string or Dovecot's `{SCHEME}…`. It is replaced by our own hash at the
    /// first sign-in; until then the account cannot use SCRAM.
    Hashed(String),
}

/// What is stored of a password.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) hash: String,
    pub(crate) scram: Option<ScramCredential>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").finish_non_exhaustive()
    }
}

/// Whose hash is checked: a part of the cache's key, so that equal passwords of two accounts
/// never answer for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Credential(i64),
    Administrator(i64),
}

/// How a password compared with a stored hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    /// It is wrong, or the hash is unusable.
    No,
    /// It is right.
    Yes,
    /// It is right, and the hash should be replaced by one of ours.
    Outdated,
}

/// Counters since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HashingMetrics {
    /// Passwords hashed: checks, checks for nothing, and new passwords.
    pub computed: u64,
    /// The part of them that was done for unknown users, or after a hash that was too quick.
    pub dummies: u64,
    /// Sign-ins answered from the cache.
    pub remembered: u64,
}

/// Hashes and checks passwords on blocking threads, a bounded number at a time.
pub(crate) struct Hasher {
    hashing: Hashing,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// One permit is a core and the memory of one of our own hashes.
    permits: Arc<Semaphore>,
    total_permits: u32,
    /// A hash of nothing, with our own parameters.
    dummy: Arc<Stored>,
    /// Keys the cache; dies with the process.
    key: hmac::Key,
    /// HMACs of good passwords, and when they were good (milliseconds).
    remembered: Mutex<HashMap<[u8; 32], i64>>,
    computed: AtomicU64,
    dummies: AtomicU64,
    hits: AtomicU64,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("hashing", &self.hashing)
            .finish_non_exhaustive()
    }
}

impl Hasher {
    pub(crate) fn new(hashing: Hashing, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let total_permits = u32::try_from(cores)
            .unwrap_or(MAX_CONCURRENCY)
            .min(MAX_CONCURRENCY);
        let mut key = [0; 32];
        random.fill(&mut key);
        Self {
            hashing,
            permits: Arc::new(Semaphore::new(usize::try_from(total_permits).unwrap_or(1))),
            total_permits,
            dummy: Arc::new(dummy(hashing, &*random)),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            clock,
            random,
            remembered: Mutex::default(),
            computed: AtomicU64::new(0),
            dummies: AtomicU64::new(0),
            hits: AtomicU64::new(0),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn metrics(&self) -> HashingMetrics {
        HashingMetrics {
            computed: self.computed.load(Ordering::Relaxed),
            dummies: self.dummies.load(Ordering::Relaxed),
            remembered: self.hits.load(Ordering::Relaxed),
        }
    }

    /// Turns a new password into what is stored, and refuses one that cannot be used.
    pub(crate) async fn prepare(&self, password: NewPassword) -> Result<Credential, Error> {
        match password {
            NewPassword::Clear(password) => {
                check_new(password.expose())?;
                self.hash(&password).await
            }
            NewPassword::Hashed(hash) => match Stored::parse(&hash)? {
                Stored::Clear(clear) => {
                    let clear = String::from_utf8(clear.to_vec());
                    let clear = Secret::new(clear.map_err(|_| Error::HashUnsupported)?);
                    if clear.expose().is_empty() || clear.expose().len() > MAX_PASSWORD {
                        return Err(Error::HashUnsupported);
                    }
                    self.hash(&clear).await
                }
                _ => Ok(Credential { hash, scram: None }),
            },
        }
    }

    /// Hashes a password whose quality is not our concern any more.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<Credential, Error> {
        let (hashing, password) = (self.hashing, password.clone());
        let mut salts = [[0; 16]; 2];
        salts.iter_mut().for_each(|salt| self.random.fill(salt));
        let [argon2_salt, scram_salt] = salts;
        self.run(1, move || {
            let hash = argon2id(hashing, password.expose().as_bytes(), &argon2_salt)?;
            let iterations = hashing.scram_iterations;
            let scram = ScramCredential::derive(password.expose(), &scram_salt, iterations);
            Ok(Credential {
                hash,
                scram: Some(scram),
            })
        })
        .await?
    }

    /// Compares `password` with a stored hash. A password that was good for this very hash within
    /// the last ten minutes is not hashed again; a wrong one always costs at least one of our
    /// own hashes, whatever the stored scheme.
    pub(crate) async fn check(
        &self,
        owner: Owner,
        hash: &str,
        password: &Secret,
    ) -> Result<Match, Error> {
        let tag = self.tag(owner, hash, password);
        let stored = match Stored::parse(hash) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(?owner, %error, "stored password hash is not usable");
                self.waste(password).await?;
                return Ok(Match::No);
            }
        };
        let good = if self.hashing.made(&stored) {
            Match::Yes
        } else {
            Match::Outdated
        };
        if self.is_remembered(&tag) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(good);
        }
        let is_faster = stored.is_faster_than(self.hashing.work());
        let permits = stored.memory_kib().div_ceil(self.hashing.memory_kib);
        let copy = password.clone();
        let verify = move || stored.verify(copy.expose().as_bytes());
        if self.run(permits, verify).await? {
            self.remember(tag);
            return Ok(good);
        }
        if is_faster {
            self.waste(password).await?;
        }
        Ok(Match::No)
    }

    /// Spends the time of one check where there is nothing to check.
    pub(crate) async fn waste(&self, password: &Secret) -> Result<(), Error> {
        self.dummies.fetch_add(1, Ordering::Relaxed);
        let (dummy, password) = (Arc::clone(&self.dummy), password.clone());
        self.run(1, move || dummy.verify(password.expose().as_bytes()))
            .await?;
        Ok(())
    }

    /// Remembers a password that was hashed anew, under its new hash.
    pub(crate) fn remember_new(&self, owner: Owner, hash: &str, password: &Secret) {
        self.remember(self.tag(owner, hash, password));
    }

    /// Runs `work` on a blocking thread once enough permits are free. When the caller goes away
    /// meanwhile, the work ends in peace and its permits come back only then.
    async fn run<T: Send + 'static>(
        &self,
        permits: u32,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permits = permits.clamp(1, self.total_permits);
        let turn = Arc::clone(&self.permits).acquire_many_owned(permits);
        let turn: OwnedSemaphorePermit = match tokio::time::timeout(PATIENCE, turn).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) | Err(_) => return Err(Error::Busy),
        };
        self.computed.fetch_add(1, Ordering::Relaxed);
        let work = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        // The task fails only when the runtime shuts down or the work panicked.
        work.await.map_err(|_| Error::Busy)
    }

    /// HMAC over who, which password and which hash: a changed hash has another tag.
    fn tag(&self, owner: Owner, hash: &str, password: &Secret) -> [u8; 32] {
        let (kind, id) = match owner {
            Owner::Credential(id) => (0_u8, id),
            Owner::Administrator(id) => (1, id),
        };
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&[kind]);
        context.update(&id.to_le_bytes());
        context.update(&password.expose().len().to_le_bytes());
        context.update(password.expose().as_bytes());
        context.update(hash.as_bytes());
        let mut tag = [0; 32];
        tag.iter_mut()
            .zip(context.sign().as_ref())
            .for_each(|(to, from)| *to = *from);
        tag
    }

    fn is_remembered(&self, tag: &[u8; 32]) -> bool {
        let now = self.clock.now_millis();
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered.get(tag).is_some_and(|&at| is_fresh(at, now))
    }

    fn remember(&self, tag: [u8; 32]) {
        let now = self.clock.now_millis();
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, &mut at| is_fresh(at, now));
        }
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(tag, now);
    }
}

/// A clock that jumped back makes an entry stale, not eternal.
fn is_fresh(at: i64, now: i64) -> bool {
    (0..REMEMBER_MILLIS).contains(&now.saturating_sub(at))
}

fn check_new(password: &str) -> Result<(), Error> {
    if password.chars().count() < MIN_PASSWORD {
        Err(Error::PasswordTooShort)
    } else if password.len() > MAX_PASSWORD {
        Err(Error::PasswordTooLong)
    } else if password.chars().any(char::is_control) {
        Err(Error::PasswordControl)
    } else {
        Ok(())
    }
}

fn argon2id(hashing: Hashing, password: &[u8], salt: &[u8; 16]) -> Result<String, Error> {
    // Neither can fail with our parameters; a failure would be a bug and is an error all the same.
    let failed = |_| Error::Internal("invalid hashing parameters");
    let salt = SaltString::encode_b64(salt).map_err(failed)?;
    let params = hashing.params().map_err(|error| failed(error.into()))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(argon2
        .hash_password(password, &salt)
        .map_err(failed)?
        .to_string())
}

/// A well-formed hash of our own cost that no password matches: its output is random.
fn dummy(hashing: Hashing, random: &dyn Random) -> Stored {
    use base64::Engine;
    let base64 = &base64::engine::general_purpose::STANDARD_NO_PAD;
    let (mut salt, mut output) = ([0; 16], [0; 32]);
    random.fill(&mut salt);
    random.fill(&mut output);
    let phc = format!(
        "$argon2id$v=19$m={},t={},p=1${}${}",
        hashing.memory_kib,
        hashing.passes,
        base64.encode(salt),
        base64.encode(output)
    );
    Stored::Argon2 {
        phc,
        params: hashing.params().unwrap_or_default(),
        id: true,
    }
}
