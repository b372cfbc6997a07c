//! The maps that come with the program: mailcow's, under its names and with its scores, and what
//! they hold at first.

use super::{Effect, Kind, MapRecord};

struct BuiltIn {
    name: &'static str,
    kind: Kind,
    symbol: &'static str,
    scope: &'static str,
    score: f32,
    effect: Effect,
    description: &'static str,
    text: &'static str,
}

macro_rules! builtin {
    ($($name:literal, $kind:ident, $symbol:expr, $scope:literal, $score:literal, $effect:ident,
        $description:literal;)+) => {
        const BUILTIN: &[BuiltIn] = &[$(BuiltIn {
            name: $name,
            kind: Kind::$kind,
            symbol: $symbol,
            scope: $scope,
            score: $score,
            effect: Effect::$effect,
            description: $description,
            text: include_str!(concat!("../../maps/", $name)),
        },)+];
    };
}

builtin! {
    "global_smtp_from_whitelist.map", Pattern, "GLOBAL_SMTP_FROM_WL", "envelope_from", -2050.0, Score,
        "Envelope senders that are always welcome";
    "global_smtp_from_blacklist.map", Pattern, "GLOBAL_SMTP_FROM_BL", "envelope_from", 2050.0, ScoreUnkept,
        "Envelope senders that are never wanted";
    "global_mime_from_whitelist.map", Pattern, "GLOBAL_MIME_FROM_WL", "from", -2050.0, Score,
        "Authors that are always welcome";
    "global_mime_from_blacklist.map", Pattern, "GLOBAL_MIME_FROM_BL", "from", 2050.0, ScoreUnkept,
        "Authors that are never wanted";
    "global_rcpt_whitelist.map", Pattern, "GLOBAL_RCPT_WL", "recipient", 0.0, Accept,
        "Recipients whose mail is not filtered";
    "global_rcpt_blacklist.map", Pattern, "GLOBAL_RCPT_BL", "recipient", 0.0, Reject,
        "Recipients whose mail is refused";
    "fishy_tlds.map", Pattern, "FISHY_TLD", "envelope_from.domain", 0.1, Score,
        "Senders in top-level domains of bad reputation";
    "bad_words.map", Pattern, "BAD_WORDS", "text", 0.1, Score,
        "Words of spam";
    "bad_words_de.map", Pattern, "BAD_WORDS_DE", "text", 0.1, Score,
        "Words of spam in German";
    "bad_languages.map", Pattern, "LANG_FILTER", "language", 5.0, Score,
        "Languages nobody here reads";
    "bulk_header.map", Pattern, "BULK_HEADER", "headers", 4.0, Score,
        "Header fields of programs that send to many";
    "bad_header.map", Pattern, "BAD_HEADER", "headers", 10.0, Score,
        "Header fields that only spam has";
    "monitoring_nolog.map", Pattern, "NO_LOG_STAT", "from", 0.0, NoLog,
        "Authors of test messages, which are neither logged nor counted";
    "ip_wl.map", Network, "IP_WHITELIST", "client_address", -2050.0, Score,
        "Clients that are always welcome";
    "bad_asn.map", System, "LOCAL_BL_ASN", "asn", 5.0, Score,
        "Autonomous systems of bad reputation";
    "chat_versions.map", Pattern, super::rules_of::CHAT_VERSION, "header.chat-version", 0.0, Score,
        "Versions of chat programs that send encrypted mail";
}

impl BuiltIn {
    fn record(&self) -> MapRecord {
        MapRecord {
            name: self.name.to_owned(),
            kind: self.kind,
            symbol: self.symbol.to_owned(),
            scope: self.scope.to_owned(),
            score: self.score,
            effect: self.effect,
            active: true,
            description: self.description.to_owned(),
            text: self.text.to_owned(),
            builtin: true,
            updated_at: None,
        }
    }
}

/// All built-in maps as they come.
pub(crate) fn all() -> impl Iterator<Item = MapRecord> {
    BUILTIN.iter().map(BuiltIn::record)
}

/// One built-in map as it comes.
pub(crate) fn find(name: &str) -> Option<MapRecord> {
    BUILTIN
        .iter()
        .find(|map| map.name == name)
        .map(BuiltIn::record)
}

/// Whether a rule of this name comes with the program.
pub(crate) fn has_symbol(symbol: &str) -> bool {
    [super::COMPOSITE, super::CHAT].contains(&symbol)
        || BUILTIN.iter().any(|map| map.symbol == symbol)
}
