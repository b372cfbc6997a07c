//! ARC: whether those who handed the message on vouch for what they saw.
//!
//! RFC 8617 §5.2. The chain is verified; whose word counts is for the filter to say. Signatures
//! over SHA-1 or part of the body break it, as they do DKIM.

use ambient::Timestamp;
use mail_auth::common::crypto::Algorithm;
use mail_auth::{AuthenticatedMessage, DkimResult};
use tokio::time::timeout;

use super::{Authenticator, DKIM_TIME, Reading};
use crate::results::{ArcVerdict, Outcome};

/// What can be said about a chain before any key is looked up.
pub(super) enum Chain {
    /// No ARC field at all.
    Absent,
    /// It cannot be valid.
    Broken,
    /// It is worth verifying.
    Whole,
}

/// Looks at the chain's form and takes the judgement of its age to our clock.
pub(super) fn prepare(reading: &mut Reading<'_>, now: Timestamp) -> Chain {
    let agrees = reading.agrees;
    let message = &mut reading.message;
    let sets = [
        message.ams_headers.len(),
        message.as_headers.len(),
        message.aar_headers.len(),
    ];
    if sets == [0; 3] && !message.has_arc_errors {
        return Chain::Absent;
    }
    let now = u64::try_from(now.0).unwrap_or(0);
    let weak = message
        .ams_headers
        .iter()
        .any(|header| header.header.a == Algorithm::RsaSha1)
        || message
            .as_headers
            .iter()
            .any(|header| header.header.a == Algorithm::RsaSha1);
    // Only the latest signature must still hold.
    let expired = message.ams_headers.last_mut().is_some_and(|latest| {
        let x = std::mem::take(&mut latest.header.x);
        x != 0 && (x < latest.header.t || x < now)
    });
    let unsigned = message.ams_headers.last().is_some_and(|latest| {
        !latest
            .header
            .h
            .iter()
            .any(|name| name.eq_ignore_ascii_case("from"))
    });
    if !agrees || message.has_arc_errors || sets.contains(&0) || weak || expired || unsigned {
        return Chain::Broken;
    }
    Chain::Whole
}

impl Authenticator {
    /// Verifies the chain within [`DKIM_TIME`].
    pub(super) async fn verify_chain(
        &self,
        message: &AuthenticatedMessage<'_>,
        chain: Chain,
    ) -> ArcVerdict {
        let only = |result| ArcVerdict {
            result,
            sealers: Vec::new(),
        };
        match chain {
            Chain::Absent => return only(Outcome::None),
            Chain::Broken => return only(Outcome::Fail),
            Chain::Whole => {}
        }
        let verification = self.inner.verify_arc(self.caches.with(message));
        let Ok(output) = timeout(DKIM_TIME, verification).await else {
            return only(Outcome::TempError);
        };
        let result = match output.result() {
            DkimResult::Pass => Outcome::Pass,
            DkimResult::TempError(_) => Outcome::TempError,
            DkimResult::None => Outcome::None,
            // RFC 8617 §5.2: there is no neutral chain.
            DkimResult::Fail(_) | DkimResult::Neutral(_) | DkimResult::PermError(_) => {
                Outcome::Fail
            }
        };
        let sealers = output
            .sets()
            .iter()
            .map(|set| set.seal.header.d.clone())
            .collect();
        ArcVerdict { result, sealers }
    }
}
