//! SCRAM-SHA-256: both sides prove that they know the password, neither shows it.
//!
//! The server keeps a [`ScramCredential`] per account: whoever steals it can try passwords against
//! it, but cannot sign in with it. Channel binding is not offered, so of the three flags a client
//! may send `n` (does not support it) and `y` (believes that we do not) are right and `p` is not.
//!
//! Implements RFC 5802 and RFC 7677, without `-PLUS`. Nonces come from the caller.
//!
//! Start at [`ScramServer`] or [`ScramClient`].

mod client;
mod message;
mod server;

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use zeroize::Zeroizing;

pub use client::ScramClient;
pub use server::ScramServer;

/// RFC 7677 §4: the least iterations a credential should have; our client takes no fewer.
pub const MIN_ITERATIONS: u32 = 4_096;
/// Iterations of new credentials: what a phone computes in a blink at every connection.
pub const DEFAULT_ITERATIONS: u32 = 32_768;
/// The most iterations our client lets a server ask for.
pub const MAX_ITERATIONS: u32 = 1_000_000;
/// Octets of salt in new credentials.
pub const SALT_LENGTH: usize = 16;

/// Octets of a SHA-256 digest.
const KEY_LENGTH: usize = 32;

type Key = [u8; KEY_LENGTH];

/// What the server keeps of a password: enough to check a proof, not enough to make one.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    /// Random octets, different for every password.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// SHA-256 of the key the client proves to have.
    pub stored_key: [u8; 32],
    /// The key with which the server proves that it has the credential.
    pub server_key: [u8; 32],
}

impl ScramCredential {
    /// Computes the credential of a password. Takes as long as `iterations` says, so it is work for
    /// a blocking thread. Zero iterations count as one.
    ///
    /// RFC 5802 §3: StoredKey = H(HMAC(SaltedPassword, "Client Key")),
    /// ServerKey = HMAC(SaltedPassword, "Server Key")
    pub fn derive(password: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        let (_, stored_key) = client_keys(&salted);
        let server_key = mac(&salted[..], &[b"Server Key"]);
        Self {
            salt: salt.to_vec(),
            iterations,
            stored_key,
            server_key,
        }
    }

    /// A credential for a user who does not exist: always the same for one seed and name, and no
    /// password fits it. With a secret `seed` and real credentials of [`DEFAULT_ITERATIONS`] and
    /// [`SALT_LENGTH`], a client cannot tell it from a real one.
    pub fn dummy(seed: &[u8], username: &str) -> Self {
        // Lengths are fixed by the purpose's own text, so no two inputs run together.
        let part = |purpose: &[u8]| mac(seed, &[purpose, username.as_bytes()]);
        Self {
            salt: part(b"scram salt\0")
                .iter()
                .copied()
                .take(SALT_LENGTH)
                .collect(),
            iterations: DEFAULT_ITERATIONS,
            stored_key: part(b"scram stored key\0"),
            server_key: part(b"scram server key\0"),
        }
    }
}

impl fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramCredential")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// RFC 5802 §2.2: Hi(password, salt, i), which is PBKDF2 with HMAC-SHA-256.
//
// TODO RFC 5802 §2.2: prepare non-ASCII passwords with SASLprep (RFC 4013); they are used as typed.
fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Zeroizing<Key> {
    let mut salted = Zeroizing::new([0; KEY_LENGTH]);
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(
        algorithm,
        iterations,
        salt,
        password.as_bytes(),
        &mut salted[..],
    );
    salted
}

/// RFC 5802 §3: ClientKey and StoredKey.
fn client_keys(salted: &Key) -> (Zeroizing<Key>, Key) {
    let client_key = Zeroizing::new(mac(salted, &[b"Client Key"]));
    let stored_key = hash(&client_key);
    (client_key, stored_key)
}

fn hash(key: &Key) -> Key {
    let mut out = [0; KEY_LENGTH];
    out.copy_from_slice(digest::digest(&digest::SHA256, key).as_ref());
    out
}

/// HMAC-SHA-256 over the parts in a row.
fn mac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut out = [0; KEY_LENGTH];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// RFC 5802 §3: ClientProof and ClientKey are each the other XOR ClientSignature.
fn xor(a: &Key, b: &Key) -> Zeroizing<Key> {
    let mut out = Zeroizing::new(*a);
    for (out, b) in out.iter_mut().zip(b) {
        *out ^= b;
    }
    out
}

#[cfg(test)]
mod tests;
