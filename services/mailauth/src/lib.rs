//! SPF, DKIM, DMARC and ARC: verification of inbound mail, signing of outbound mail.
//!
//! [`Authenticator`] asks the questions: SPF when the envelope sender is known, everything else
//! at the end of the data. Its answer, [`AuthResults`], is a value for the filter together with the
//! finished Authentication-Results field, in which nothing a sender wrote can pass for something we
//! found. [`sign`] writes the DKIM-Signature fields of outbound mail.
//!
//! The library `mail-auth` evaluates SPF, verifies signatures and walks the DMARC tree. Around it
//! stands what it leaves to its caller: time and count limits, a bounded cache, the policy on old
//! algorithms and partial signatures, who the author of a message is, and one reading of the header
//! (a message that the library and [`mime`] would read differently has no valid signature).
//!
//! Not here: sealing with ARC, sending reports, DANE and MTA-STS, and what to do about a result,
//! which is the filter's decision.
//!
//! RFC 7208 (SPF), RFC 6376, 8301, 8463 (DKIM), RFC 9989 (DMARC), RFC 8617 (ARC), RFC 8601
//! (Authentication-Results). Start at [`Authenticator`].
#![deny(missing_docs)]

mod author;
mod cache;
mod incoming;
mod render;
mod results;
pub mod sign;
mod verify;

pub use author::Author;
pub use results::{
    Aligned, ArcVerdict, AuthResults, DkimVerdict, DmarcVerdict, IprevVerdict, Outcome, Policy,
    SpfIdentity, SpfOutcome,
};
pub use verify::{Authenticator, Session};
