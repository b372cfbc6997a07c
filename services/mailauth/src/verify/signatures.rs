//! DKIM: which signatures are worth verifying, and what came of it.
//!
//! RFC 6376 §6.1 (verification), RFC 8301 (SHA-1 and short keys), RFC 8463 (Ed25519).

use ambient::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use mail_auth::common::crypto::{Algorithm, CryptoError};
use mail_auth::common::headers::Header;
use mail_auth::common::verify::VerifySignature;
use mail_auth::dkim::{DkimError, Signature};
use mail_auth::{AuthenticatedMessage, DkimResult, DnsError, Error as Reason, Txt};
use smtp::address::Domain;
use tokio::time::{Instant, timeout_at};

use super::{Authenticator, DKIM_TIME, Reading};
use crate::results::{DkimVerdict, Outcome};

/// Signatures verified per message; those of the author's domain come first.
const VERIFIED_MAX: usize = 5;
/// Signatures that are reported without being verified.
const REFUSED_MAX: usize = 10;
/// RFC 8301 §3.2: shorter RSA keys do not make valid signatures.
const RSA_BITS_MIN: usize = 1_024;
/// The `t=y` flag as the library keeps it in a key's flags.
const TESTING: u64 = 0x10;

/// A verdict on its way into the results.
pub(super) struct Verified {
    pub(super) verdict: DkimVerdict,
}

/// The signatures of a message, sorted by whether they get verified.
pub(super) struct Candidates<'x> {
    pub(super) to_verify: Vec<Header<'x, Signature>>,
    pub(super) refused: Vec<Verified>,
}

/// Takes the signatures out of the reading and sorts them.
pub(super) fn select<'x>(
    reading: &mut Reading<'x>,
    author: Option<&Domain>,
    now: Timestamp,
) -> Candidates<'x> {
    let mut found = std::mem::take(&mut reading.message.dkim_headers);
    // Verification of the author's own signature must not depend on what others put above it.
    found.sort_by_key(|header| !author.is_some_and(|author| related(&header.header.d, author)));
    let mut to_verify = Vec::new();
    let mut refused: Vec<Verified> = unreadable(&reading.message);
    for mut header in found {
        let refusal = if reading.agrees {
            refusal(&header.header, now)
        } else {
            Some((Outcome::PermError, "ambiguous header"))
        };
        match refusal {
            Some((result, reason)) => refused.push(verdict(&header.header, result, Some(reason))),
            None if to_verify.len() >= VERIFIED_MAX => {
                refused.push(verdict(
                    &header.header,
                    Outcome::Neutral,
                    Some("too many signatures"),
                ));
            }
            None => {
                // What costs lookups and decides nothing here: reports (RFC 6651) and third-party
                // signatures (RFC 6541). The expiry has been judged by our clock.
                header.header.r = false;
                header.header.atps = None;
                header.header.x = 0;
                to_verify.push(header);
            }
        }
    }
    refused.truncate(REFUSED_MAX);
    Candidates { to_verify, refused }
}

/// Signatures that could not be parsed, among them those with `l=`.
fn unreadable(message: &AuthenticatedMessage<'_>) -> Vec<Verified> {
    let fields = message.errors.iter();
    let fields = fields.filter(|field| field.name.eq_ignore_ascii_case(b"dkim-signature"));
    fields
        .take(REFUSED_MAX)
        .map(|field| {
            let (result, reason) = explain(&field.header);
            verdict(&Signature::default(), result, Some(reason))
        })
        .collect()
}

/// Why a signature is not worth verifying.
fn refusal(signature: &Signature, now: Timestamp) -> Option<(Outcome, &'static str)> {
    let now = u64::try_from(now.0).unwrap_or(0);
    if signature.a == Algorithm::RsaSha1 {
        // RFC 8301 §3.1: rsa-sha1 has permanently failed evaluation.
        return Some((Outcome::PermError, "sha-1 is not accepted"));
    }
    if !signature
        .h
        .iter()
        .any(|name| name.eq_ignore_ascii_case("from"))
    {
        // RFC 6376 §5.4: the From field must be signed.
        return Some((Outcome::PermError, "author not signed"));
    }
    if signature.x != 0 && (signature.x < signature.t || signature.x < now) {
        return Some((Outcome::Neutral, "signature expired"));
    }
    None
}

/// Whether one domain is the other or contains it.
fn related(signer: &str, author: &Domain) -> bool {
    let signer = signer.to_ascii_lowercase();
    let below = |name: &str, top: &str| {
        name.strip_suffix(top)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    below(&signer, author.as_str()) || below(author.as_str(), &signer)
}

impl Authenticator {
    /// Verifies the signatures side by side within [`DKIM_TIME`].
    pub(super) async fn verify_signatures(
        &self,
        message: &AuthenticatedMessage<'_>,
        candidates: Vec<Header<'_, Signature>>,
    ) -> Vec<Verified> {
        let deadline = Instant::now() + DKIM_TIME;
        join_all(
            candidates
                .into_iter()
                .map(|header| self.verify_one(message, header, deadline)),
        )
        .await
    }

    async fn verify_one(
        &self,
        message: &AuthenticatedMessage<'_>,
        header: Header<'_, Signature>,
        deadline: Instant,
    ) -> Verified {
        let single = AuthenticatedMessage {
            headers: message.headers.clone(),
            raw_message: message.raw_message,
            body_offset: message.body_offset,
            body_hashes: message.body_hashes.clone(),
            dkim_headers: vec![header.clone()],
            ..AuthenticatedMessage::default()
        };
        let outputs = timeout_at(deadline, self.inner.verify_dkim(self.caches.with(&single))).await;
        let signature = &header.header;
        let Ok(outputs) = outputs else {
            return verdict(signature, Outcome::TempError, Some("key lookup timed out"));
        };
        match outputs.first().map(mail_auth::DkimOutput::result) {
            Some(DkimResult::Pass) => verdict(signature, Outcome::Pass, None),
            Some(
                DkimResult::Neutral(error)
                | DkimResult::Fail(error)
                | DkimResult::PermError(error)
                | DkimResult::TempError(error),
            ) => self.failed(signature, error),
            Some(DkimResult::None) | None => verdict(signature, Outcome::Neutral, None),
        }
    }

    fn failed(&self, signature: &Signature, error: &Reason) -> Verified {
        let (result, reason) = explain(error);
        if result == Outcome::Fail
            && let Some(Txt::DomainKey(key)) = self.caches.txt(&signature.domain_key())
        {
            if signature.a == Algorithm::RsaSha256 && key.p.public_key_bits() < RSA_BITS_MIN {
                return verdict(signature, Outcome::PermError, Some("key too short"));
            }
            // RFC 6376 §3.6.1: while a domain tests, its broken signatures count as absent.
            if key.f & TESTING != 0 {
                return verdict(signature, Outcome::Neutral, Some("domain is testing dkim"));
            }
        }
        verdict(signature, result, Some(reason))
    }
}

/// The library's error in our terms.
pub(super) fn explain(error: &Reason) -> (Outcome, &'static str) {
    match error {
        Reason::Dkim(DkimError::FailedBodyHashMatch) => (Outcome::Fail, "body hash mismatch"),
        Reason::Dkim(DkimError::FailedAuidMatch) => (Outcome::PermError, "identity mismatch"),
        Reason::Dkim(DkimError::SignatureExpired) => (Outcome::Neutral, "signature expired"),
        // RFC 6376 §8.2: a partly signed body says nothing about the rest of it.
        Reason::Dkim(DkimError::SignatureLength) => (Outcome::Neutral, "body length limit"),
        Reason::Dkim(DkimError::RevokedPublicKey) => (Outcome::PermError, "key revoked"),
        Reason::Dkim(DkimError::UnsupportedKeyType) => (Outcome::PermError, "unknown key type"),
        Reason::Dkim(_) => (Outcome::Neutral, "unsupported signature"),
        Reason::Crypto(CryptoError::IncompatibleAlgorithms) => {
            (Outcome::PermError, "key of another algorithm")
        }
        Reason::Crypto(_) => (Outcome::Fail, "signature mismatch"),
        Reason::Dns(DnsError::Resolver(_)) => (Outcome::TempError, "key lookup failed"),
        Reason::Dns(DnsError::RecordNotFound(_)) => (Outcome::PermError, "no key"),
        Reason::Dns(DnsError::InvalidRecordType) => (Outcome::PermError, "unusable key"),
        _ => (Outcome::Neutral, "unreadable signature"),
    }
}

fn verdict(signature: &Signature, result: Outcome, reason: Option<&'static str>) -> Verified {
    let start = signature.b.get(..6).unwrap_or(&signature.b);
    Verified {
        verdict: DkimVerdict {
            domain: signature.d.clone(),
            selector: signature.s.clone(),
            result,
            reason,
            signature: STANDARD.encode(start),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_above_and_below_are_related() {
        let author = Domain::parse("mail.example.test").unwrap();
        for (signer, expected) in [
            ("mail.example.test", true),
            ("Example.Test", true),
            ("a.mail.example.test", true),
            ("ample.test", false),
            ("other.test", false),
        ] {
            assert_eq!(related(signer, &author), expected, "{signer}");
        }
    }
}
