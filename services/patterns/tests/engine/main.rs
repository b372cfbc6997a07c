//! The engine from outside, through its public interface, against PCRE2.
//!
//! | module | what |
//! |---|---|
//! | `spamassassin` | every expression of Debian's `spamassassin` package over real and made text |
//! | `generated` | random expressions over random text, alone and hundreds together |
//! | `syntax` | a table of what is easily got wrong |
//! | `damaged` | files that were damaged by accident or on purpose |
//! | `linear` | expressions and texts that make backtracking explode |
//! | `portable` | equal sets give equal bytes |
//!
//! The rest serves these: `oracle` is PCRE2, `perl` Perl itself, `rules` reads SpamAssassin's
//! files, `parse` and `expression` make strings that match an expression, `texts` gathers real
//! text.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "tests read files and say what they did"
)]

#[cfg(test)]
mod damaged;
#[cfg(test)]
mod expression;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod linear;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod parse;
#[cfg(test)]
mod perl;
#[cfg(test)]
mod portable;
#[cfg(test)]
mod random;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod spamassassin;
#[cfg(test)]
mod syntax;
#[cfg(test)]
mod texts;
