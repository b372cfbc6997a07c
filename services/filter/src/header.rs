//! The verdict as header fields.
//!
//! `X-Spam-Score` and `X-Spam-Status` are what mail programs and old Sieve scripts look for. Symbols
//! may come from an administrator's rules: whatever is no letter, digit or underscore
//! becomes an underscore.

use std::fmt::Write as _;

use crate::signal::{Scope, Signal};
use crate::verdict::Verdict;

/// Where lines are folded.
const LINE: usize = 76;
/// Symbols shown; the rest is counted.
const SHOWN_MAX: usize = 60;
/// Characters of one symbol shown.
const SYMBOL_MAX: usize = 64;

/// The fields, folded, each ended by CRLF.
pub(crate) fn fields(verdict: &Verdict) -> String {
    let (spam, flag) = match verdict.is_spam() {
        true => ("Yes", "X-Spam-Flag: YES\r\n"),
        false => ("No", ""),
    };
    let mut out = format!(
        "{flag}X-Spam-Score: {score:.2}\r\nX-Spam-Status: {spam}, score={score:.2} required={:.2}",
        verdict.thresholds.spam(),
        score = verdict.score,
    );
    let mut column = LINE;
    let public = |signal: &&Signal| signal.scope == Scope::Message;
    let mut symbols = verdict.signals.iter().filter(public);
    for (index, signal) in symbols.by_ref().take(SHOWN_MAX).enumerate() {
        let name = symbol(&signal.symbol);
        let text = if signal.score == 0.0 {
            name
        } else {
            format!("{name}={:.2}", signal.score)
        };
        if index > 0 {
            out.push(',');
        }
        if column + text.len() + 1 >= LINE {
            out.push_str(if index == 0 {
                "\r\n\ttests="
            } else {
                "\r\n\t "
            });
            column = 14;
        }
        out.push_str(&text);
        column += text.len() + 1;
    }
    match symbols.count() {
        0 => {}
        more => {
            let _ = write!(out, ",\r\n\t and_{more}_more");
        }
    }
    out.push_str("\r\n");
    out
}

fn symbol(name: &str) -> String {
    let known = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars().take(SYMBOL_MAX).map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Action, Thresholds, Timing};
    use proptest::prelude::*;

    fn verdict(signals: Vec<(String, f32)>) -> Verdict {
        let signals = signals
            .into_iter()
            .map(|(symbol, score)| Signal::new(symbol, score, ""));
        Verdict {
            action: Action::Accept,
            score: 3.3,
            signals: signals.collect(),
            thresholds: Thresholds::default(),
            shares: Vec::new(),
            revision: 1,
            timing: Timing::default(),
        }
    }

    #[test]
    fn the_fields_read_as_they_should() {
        let verdict = verdict(vec![
            ("R_SPF_NA".into(), 0.0),
            ("R_DKIM_ALLOW".into(), -0.2),
            ("MISSING_MID".into(), 2.5),
            ("MISSING_DATE".into(), 1.0),
            ("A_RATHER_LONG_SYMBOL".into(), 0.0),
        ]);
        assert_eq!(
            fields(&verdict),
            "X-Spam-Score: 3.30\r\nX-Spam-Status: No, score=3.30 required=6.00\r\n\
             \ttests=R_SPF_NA,R_DKIM_ALLOW=-0.20,MISSING_MID=2.50,\r\n\
             \t MISSING_DATE=1.00,A_RATHER_LONG_SYMBOL\r\n"
        );
    }

    #[test]
    fn no_signal_is_no_list() {
        let text = fields(&verdict(Vec::new()));
        assert!(text.ends_with("required=6.00\r\n"), "{text}");
    }

    proptest! {
        #[test]
        fn the_fields_stay_two_well_formed_fields(
            signals in prop::collection::vec((any::<String>(), -10.0_f32..10.0), 0..200),
        ) {
            let text = fields(&verdict(signals));
            prop_assert!(text.ends_with("\r\n"));
            let mut starts = 0;
            for line in text.strip_suffix("\r\n").unwrap().split("\r\n") {
                prop_assert!(line.len() <= 100 && !line.contains(['\r', '\n']));
                prop_assert!(line.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)));
                starts += usize::from(!line.starts_with('\t'));
            }
            prop_assert_eq!(starts, 2);
        }
    }
}
