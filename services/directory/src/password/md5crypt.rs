//! MD5-crypt (`$1$salt$hash`), verification only.
//!
//! The scheme of old Unix password files and of {MD5-CRYPT}. Its thousand rounds of MD5 are weak;
//! it is here so that an imported account can sign in once and be hashed anew. The construction is
//! the one of FreeBSD's crypt(3), of which there is no RFC.

use md5::{Digest, Md5};

/// The salt's significant octets; crypt(3) ignores the rest.
const MAX_SALT: usize = 8;
const ROUNDS: u32 = 1_000;
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Which octets of the digest make up each group of four letters, most significant first.
const GROUPS: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];

/// The 22 letters that stand behind the salt when `password` is hashed with it.
pub(super) fn hash(password: &[u8], salt: &[u8]) -> String {
    let salt = salt.get(..MAX_SALT).unwrap_or(salt);
    let mut digest = stretch(password, salt, first_digest(password, salt));
    let letters = encode(&digest);
    zeroize::Zeroize::zeroize(&mut digest);
    letters
}

/// The digest that enters the rounds: password, magic and salt, then as many octets of a second
/// digest as the password has, then one octet for each bit of the password's length.
fn first_digest(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password);
    let inner: [u8; 16] = inner.finalize().into();
    let mut outer = Md5::new()
        .chain_update(password)
        .chain_update("$1$")
        .chain_update(salt);
    for chunk in password.chunks(inner.len()) {
        outer.update(inner.get(..chunk.len()).unwrap_or(&inner));
    }
    let mut length = password.len();
    while length > 0 {
        let octet = if length & 1 == 1 {
            0
        } else {
            password.first().copied().unwrap_or(0)
        };
        outer.update([octet]);
        length >>= 1;
    }
    outer.finalize().into()
}

fn stretch(password: &[u8], salt: &[u8], mut digest: [u8; 16]) -> [u8; 16] {
    for round in 0..ROUNDS {
        let odd = round % 2 == 1;
        let mut next = Md5::new();
        next.update(if odd { password } else { &digest });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if odd { &digest } else { password });
        digest = next.finalize().into();
    }
    digest
}

fn encode(digest: &[u8; 16]) -> String {
    let octet = |index: usize| u32::from(digest.get(index).copied().unwrap_or(0));
    let mut letters = String::with_capacity(22);
    let mut push = |mut bits: u32, count: u32| {
        for _ in 0..count {
            let letter = usize::try_from(bits & 63)
                .ok()
                .and_then(|index| ALPHABET.get(index));
            letters.extend(letter.map(|&letter| char::from(letter)));
            bits >>= 6;
        }
    };
    for [high, middle, low] in GROUPS {
        push(octet(high) << 16 | octet(middle) << 8 | octet(low), 4);
    }
    push(octet(11), 2);
    letters
}
