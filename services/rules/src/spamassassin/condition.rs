//! What `if` and `ifplugin` ask: plugins, versions and abilities.
//!
//! Read from left to right onto two stacks, as deep as the line is long; nothing recurses.

use std::collections::BTreeSet;

/// The version of SpamAssassin whose rules are understood, as its own number.
pub(super) const VERSION: f64 = 4.0;
/// The version of Perl that rules may count on.
const PERL_VERSION: f64 = 5.036;
/// The most tokens of a condition.
const MOST_TOKENS: usize = 1_000;

/// Plugins of SpamAssassin whose rules and settings are understood, without their common prefix.
/// Rules that ask whether one of these is loaded hear yes, whatever `loadplugin` lines say.
pub const PLUGINS: &[&str] = &[
    "AntiVirus",
    "AskDNS",
    "Bayes",
    "BodyEval",
    "Check",
    "DKIM",
    "DMARC",
    "DNSEval",
    "FreeMail",
    "FromNameSpoof",
    "HTMLEval",
    "HTTPSMismatch",
    "HeaderEval",
    "MIMEEval",
    "MIMEHeader",
    "RaciallyCharged",
    "RelayEval",
    "ReplaceTags",
    "SPF",
    "URIDNSBL",
    "URIDetail",
    "URIEval",
    "VBounce",
    "WLBLEval",
    "WelcomeListSubject",
    "WhiteListSubject",
];

/// Abilities of SpamAssassin's configuration that are understood.
const FEATURES: &[&str] = &[
    "feature_blocklist_welcomelist",
    "feature_bug6558_free",
    "feature_compile_regexp",
    "feature_dns_block_rule",
    "feature_dns_local_ports_permit_avoid",
    "feature_dns_query_restriction",
    "feature_edns",
    "feature_get_host",
    "feature_header_address_parser",
    "feature_header_match_many",
    "feature_local_tests_only",
    "feature_meta_rules_matching",
    "feature_originating_ip_headers",
    "feature_registryboundaries",
    "feature_subjprefix",
    "feature_uri_host_listed",
    "feature_welcomelist_blocklist",
    "feature_yesno_takes_args",
    "perl_min_version_5010000",
];

const PLUGIN_PREFIX: &str = "Mail::SpamAssassin::Plugin::";

/// The name of a plugin without the prefix that all of SpamAssassin's own have.
pub(super) fn plugin_name(name: &str) -> &str {
    name.strip_prefix(PLUGIN_PREFIX).unwrap_or(name)
}

/// Whether the plugin's rules are understood.
pub(super) fn has_plugin(name: &str) -> bool {
    name.strip_prefix(PLUGIN_PREFIX)
        .is_some_and(|name| PLUGINS.contains(&name))
}

/// What an `if` may ask about that files can change.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// What `enable_compat` names.
    pub(super) compatible: BTreeSet<String>,
}

impl Surroundings {
    fn can(&self, ability: &str) -> bool {
        let Some((module, method)) = ability.rsplit_once("::") else {
            return false;
        };
        if module == "Mail::SpamAssassin::Conf" {
            return match method.strip_prefix("compat_") {
                Some(name) => self.compatible.contains(name),
                None => FEATURES.contains(&method),
            };
        }
        has_plugin(module) && (method.starts_with("has_") || method.starts_with("feature_"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Open,
    Or,
    And,
    Not,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Operator {
    fn precedence(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::Unequal => 3,
            Self::Less | Self::AtMost | Self::Greater | Self::AtLeast => 4,
            Self::Not => 5,
        }
    }
}

enum Token {
    Operator(Operator),
    Close,
    Value(f64),
}

/// Whether the condition holds.
///
/// # Errors
///
/// What cannot be understood in it.
pub(super) fn evaluate(text: &str, surroundings: &Surroundings) -> Result<bool, String> {
    let mut machine = Machine::default();
    let mut rest = text.trim_start();
    let mut count = 0_usize;
    while !rest.is_empty() {
        count += 1;
        if count > MOST_TOKENS {
            return Err("the condition is too long".to_owned());
        }
        let (token, after) = token(rest, surroundings)?;
        machine.take(token)?;
        rest = after.trim_start();
    }
    machine.finish().map(|value| value != 0.0)
}

fn token<'a>(text: &'a str, surroundings: &Surroundings) -> Result<(Token, &'a str), String> {
    const SIGNS: [(&str, Operator); 9] = [
        ("&&", Operator::And),
        ("||", Operator::Or),
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("!", Operator::Not),
    ];
    for (sign, operator) in SIGNS {
        if let Some(rest) = text.strip_prefix(sign) {
            return Ok((Token::Operator(operator), rest));
        }
    }
    if let Some(rest) = text.strip_prefix('(') {
        return Ok((Token::Operator(Operator::Open), rest));
    }
    if let Some(rest) = text.strip_prefix(')') {
        return Ok((Token::Close, rest));
    }
    let end = text
        .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '.')
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let value = |holds: bool| Token::Value(f64::from(u8::from(holds)));
    let token = match word {
        "and" => Token::Operator(Operator::And),
        "or" => Token::Operator(Operator::Or),
        "not" => Token::Operator(Operator::Not),
        "version" => Token::Value(VERSION),
        "perl_version" => Token::Value(PERL_VERSION),
        "local_tests_only" => value(false),
        "plugin" | "can" | "has" => {
            let (name, rest) = argument(rest)
                .ok_or_else(|| format!("{word} is not followed by a name in parentheses"))?;
            let holds = match word {
                "plugin" => has_plugin(name),
                _ => surroundings.can(name),
            };
            return Ok((value(holds), rest));
        }
        number => match number.parse() {
            Ok(number) => Token::Value(number),
            Err(_) => {
                let start: String = text.chars().take(40).collect();
                return Err(format!("{start:?} means nothing in a condition"));
            }
        },
    };
    Ok((token, rest))
}

fn argument(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.trim_start().strip_prefix('(')?.split_once(')')?;
    let name = name.trim();
    (!name.is_empty()).then_some((name, rest))
}

#[derive(Default)]
struct Machine {
    operators: Vec<Operator>,
    values: Vec<f64>,
    /// Whether a value has just been read, so that an operator must follow.
    complete: bool,
}

impl Machine {
    fn take(&mut self, token: Token) -> Result<(), String> {
        match token {
            Token::Value(_) | Token::Operator(Operator::Open | Operator::Not) if self.complete => {
                return Err("an operator is missing in the condition".to_owned());
            }
            Token::Value(value) => {
                self.values.push(value);
                self.complete = true;
            }
            Token::Operator(operator @ (Operator::Open | Operator::Not)) => {
                self.operators.push(operator);
            }
            Token::Close => {
                if !self.complete {
                    return Err("a value is missing in the condition".to_owned());
                }
                loop {
                    match self.operators.pop() {
                        Some(Operator::Open) => break,
                        Some(operator) => self.apply(operator)?,
                        None => return Err("a parenthesis was never opened".to_owned()),
                    }
                }
            }
            Token::Operator(operator) => {
                if !self.complete {
                    return Err("a value is missing in the condition".to_owned());
                }
                self.complete = false;
                while let Some(&above) = self.operators.last() {
                    if above.precedence() < operator.precedence() {
                        break;
                    }
                    self.operators.pop();
                    self.apply(above)?;
                }
                self.operators.push(operator);
            }
        }
        Ok(())
    }

    fn apply(&mut self, operator: Operator) -> Result<(), String> {
        let missing = || "a value is missing in the condition".to_owned();
        let right = self.values.pop().ok_or_else(missing)?;
        if operator == Operator::Not {
            self.values.push(f64::from(u8::from(right == 0.0)));
            return Ok(());
        }
        let left = self.values.pop().ok_or_else(missing)?;
        let holds = match operator {
            Operator::Or => left != 0.0 || right != 0.0,
            Operator::And => left != 0.0 && right != 0.0,
            Operator::Equal => left == right,
            Operator::Unequal => left != right,
            Operator::Less => left < right,
            Operator::AtMost => left <= right,
            Operator::Greater => left > right,
            Operator::AtLeast => left >= right,
            Operator::Open | Operator::Not => return Err("a parenthesis is not closed".to_owned()),
        };
        self.values.push(f64::from(u8::from(holds)));
        Ok(())
    }

    fn finish(mut self) -> Result<f64, String> {
        if !self.complete {
            return Err("a value is missing in the condition".to_owned());
        }
        while let Some(operator) = self.operators.pop() {
            self.apply(operator)?;
        }
        self.values
            .pop()
            .ok_or_else(|| "the condition is empty".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_what_perl_makes_of_them() {
        let mut surroundings = Surroundings::default();
        surroundings.compatible.insert("old_names".to_owned());
        let cases = [
            ("(version >= 3.004002)", true),
            ("(version >= 4.000000)", true),
            ("version >= 4.000001", false),
            ("(version < 4)", false),
            ("plugin(Mail::SpamAssassin::Plugin::ReplaceTags)", true),
            ("plugin (Mail::SpamAssassin::Plugin::Pyzor)", false),
            ("plugin(ReplaceTags)", false),
            ("!plugin(Mail::SpamAssassin::Plugin::DKIM)", false),
            ("!(!plugin(Mail::SpamAssassin::Plugin::DKIM))", true),
            ("!!plugin(Mail::SpamAssassin::Plugin::DKIM)", true),
            ("can(Mail::SpamAssassin::Conf::feature_bug6558_free)", true),
            ("can(Mail::SpamAssassin::Conf::compat_old_names)", true),
            ("can(Mail::SpamAssassin::Conf::compat_new_names)", false),
            ("has(Mail::SpamAssassin::Plugin::DKIM::has_arc)", true),
            ("has(Mail::SpamAssassin::Plugin::Pyzor::has_it)", false),
            ("can(feature_bug6558_free)", false),
            ("0 || 1 && 0", false),
            ("1 || 1 && 0", true),
            ("(1 || 1) && 0", false),
            ("not 0 and 1", true),
            ("version > 3 == 1", true),
            ("local_tests_only", false),
            ("perl_version >= 5.018000", true),
        ];
        for (text, expected) in cases {
            assert_eq!(evaluate(text, &surroundings), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let long = "!".repeat(MOST_TOKENS + 1);
        let cases = [
            "", "(", ")", "()", "1 1", "1 (", "! ", "1 &&", "&& 1", "(1", "1)", "plugin", "can()",
            "nonsense", "1 % 2", "\u{fc}", &long,
        ];
        for text in cases {
            assert!(evaluate(text, &Surroundings::default()).is_err(), "{text}");
        }
    }
}
