//! Functions that ask block lists.

use super::{Call, Knowledge, Verdict, symbol};
use crate::spamassassin::signal;

const UNASKED: &str = "this block list is not among those that the filter asks";

/// What a block list is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::spamassassin) struct Zone {
    /// The list's domain.
    pub(in crate::spamassassin) name: String,
    /// What its answer is compared with; empty when the question is that of a set.
    pub(in crate::spamassassin) answer: String,
}

/// The name of a set of answers without what it says about the relays that are asked about.
pub(in crate::spamassassin) fn base_set(name: &str) -> &str {
    [
        "-lastexternal",
        "-firsttrusted",
        "-untrusted",
        "-notfirsthop",
    ]
    .iter()
    .find_map(|suffix| name.strip_suffix(suffix))
    .unwrap_or(name)
}

pub(super) fn translate(call: &Call, knowledge: &Knowledge<'_, '_>) -> Option<Verdict> {
    let of = |zone: &str, answer: &str| match signal::of_block_list(zone, answer) {
        Some(found) if found != knowledge.symbol => Verdict::Signal(symbol(found)),
        _ => Verdict::Network(UNASKED),
    };
    Some(match call.function.as_str() {
        "check_rbl" | "check_rbl_txt" => of(call.argument(1), call.argument(2)),
        "check_rbl_sub" => {
            let set = format!("set {}", base_set(call.argument(0)));
            match knowledge.zones.get(&set) {
                Some(zone) => of(&zone.name, call.argument(1)),
                None => Verdict::Network(UNASKED),
            }
        }
        "check_uridnsbl" => match knowledge.zones.get(call.argument(0)) {
            Some(zone) => of(&zone.name, &zone.answer),
            None => Verdict::Network(UNASKED),
        },
        "check_rbl_envfrom"
        | "check_rbl_from_host"
        | "check_rbl_from_domain"
        | "check_rbl_headers"
        | "check_rbl_ns_from"
        | "check_rbl_rcvd" => Verdict::Network(UNASKED),
        "check_dns_sender" => Verdict::Network("senders without a mail server are told otherwise"),
        _ => return None,
    })
}
