//! Makes rules of what the files say.

use std::collections::{BTreeMap, BTreeSet};

use super::collect::{At, Collected, Draft, What};
use super::eval::{self, Call, Knowledge, Verdict, asks_list};
use super::header::{self, Test, not};
use super::lists::Lists;
use super::probe::{Answers, Probe};
use super::report::{Kind, Outcome, Tally};
use super::{Import, meta, pattern, signal};
use crate::limits::MAX_HITS;
use crate::model::{Condition, Hits, PatternText, Rule, RuleSet};
use crate::vocabulary::{Plain, Scope};

/// How often a rule that counts each match does so when no limit is said.
const UNLIMITED_HITS: u32 = 1_000;
/// The score of a rule that nobody gave one.
const DEFAULT_SCORE: f32 = 1.0;
/// The same while a rule is on trial.
const TRIAL_SCORE: f32 = 0.01;

/// Rules that use the lists of addresses, for files that fill lists and define no rules for them:
/// symbol, function, score, description.
const LIST_RULES: &[(&str, &str, f32, &str)] = &[
    (
        "USER_IN_WELCOMELIST",
        "check_from_in_welcomelist",
        -100.0,
        "The sender is on the list of welcome senders",
    ),
    (
        "USER_IN_BLOCKLIST",
        "check_from_in_blocklist",
        100.0,
        "The sender is on the list of blocked senders",
    ),
    (
        "USER_IN_WELCOMELIST_TO",
        "check_to_in_welcomelist",
        -6.0,
        "A recipient wants to receive most mail",
    ),
    (
        "USER_IN_MORE_SPAM_TO",
        "check_to_in_more_spam",
        -20.0,
        "A recipient wants to receive nearly all mail",
    ),
    (
        "USER_IN_ALL_SPAM_TO",
        "check_to_in_all_spam",
        -100.0,
        "A recipient wants to receive all mail",
    ),
    (
        "USER_IN_BLOCKLIST_TO",
        "check_to_in_blocklist",
        10.0,
        "A recipient is on the list of blocked recipients",
    ),
    (
        "USER_IN_SPF_WELCOMELIST",
        "check_for_spf_welcomelist_from",
        -100.0,
        "The sender is welcome, and SPF confirms it",
    ),
    (
        "USER_IN_DKIM_WELCOMELIST",
        "check_for_dkim_welcomelist_from",
        -100.0,
        "The author is welcome, and DKIM confirms it",
    ),
    (
        "USER_IN_DEF_WELCOMELIST",
        "check_from_in_default_welcomelist",
        -15.0,
        "The sender is on the default list of welcome senders",
    ),
    (
        "USER_IN_DEF_SPF_WL",
        "check_for_def_spf_welcomelist_from",
        -7.5,
        "The sender is welcome by default, and SPF confirms it",
    ),
    (
        "USER_IN_DEF_DKIM_WL",
        "check_for_def_dkim_welcomelist_from",
        -7.5,
        "The author is welcome by default, and DKIM confirms it",
    ),
    (
        "SUBJECT_IN_WELCOMELIST",
        "check_subject_in_welcomelist",
        -100.0,
        "The subject is on the list of welcome subjects",
    ),
    (
        "SUBJECT_IN_BLOCKLIST",
        "check_subject_in_blocklist",
        100.0,
        "The subject is on the list of blocked subjects",
    ),
    (
        "URI_HOST_IN_WELCOMELIST",
        "check_uri_host_in_welcomelist",
        -100.0,
        "A URL leads to a welcome host",
    ),
    (
        "URI_HOST_IN_BLOCKLIST",
        "check_uri_host_in_blocklist",
        100.0,
        "A URL leads to a blocked host",
    ),
];

/// What is to become of a rule, before its patterns have been tried.
enum Plan {
    Test(Test, Vec<u32>),
    Match(Scope, PatternText, Vec<u32>),
    Details(Vec<(Scope, bool, PatternText)>, Vec<u32>),
    Meta(String),
    Verdict(Verdict),
    Given,
}

impl Plan {
    /// The numbers of its patterns.
    fn tried(&self) -> &[u32] {
        match self {
            Self::Test(_, tried) | Self::Match(_, _, tried) | Self::Details(_, tried) => tried,
            Self::Meta(_) | Self::Verdict(_) | Self::Given => &[],
        }
    }
}

/// Makes the rules.
pub(super) fn build(mut collected: Collected) -> Import {
    let entries = std::mem::take(&mut collected.entries);
    let mut lists = Lists::new(&entries);
    let mut drafts: Vec<(String, Draft)> =
        std::mem::take(&mut collected.drafts).into_iter().collect();
    let symbols: BTreeSet<String> = drafts.iter().map(|(symbol, _)| symbol.clone()).collect();
    drafts.sort_by_key(|(_, draft)| draft.at);
    let mut probe = Probe::default();
    let plans: Vec<Result<Plan, String>> = drafts
        .iter()
        .map(|(symbol, draft)| plan(&collected, symbol, draft, &mut probe, &mut lists))
        .collect();
    let answers = probe.run();
    let counted = drafts
        .iter()
        .filter(|(_, draft)| draft.kind == Kind::Eval && counts_something(&draft.text))
        .map(|(symbol, _)| symbol.clone())
        .collect();
    let mut builder = Builder {
        counted,
        collected,
        answers,
        symbols,
        rules: BTreeMap::new(),
        calls: BTreeSet::new(),
    };
    for ((symbol, draft), plan) in drafts.into_iter().zip(plans) {
        builder.rule(&symbol, draft, plan);
    }
    builder.break_circles();
    builder.list_rules(&mut lists);
    builder.finish(lists)
}

fn plan(
    collected: &Collected,
    symbol: &str,
    draft: &Draft,
    probe: &mut Probe,
    lists: &mut Lists<'_>,
) -> Result<Plan, String> {
    let expand = |pattern: &mut PatternText| {
        if collected.tags.concern(symbol) {
            pattern.expression = collected.tags.expand(&pattern.expression, pattern.flags)?;
        }
        Ok::<(), String>(())
    };
    let plan = match draft.kind {
        Kind::Body | Kind::RawBody | Kind::Full | Kind::Uri => {
            let mut pattern = pattern::whole(&draft.text)?;
            expand(&mut pattern)?;
            let tried = vec![probe.add(&pattern, None)?];
            let no_subject = flags(collected, symbol).any(|flag| flag == "nosubject");
            Plan::Match(scope(draft.kind, no_subject), pattern, tried)
        }
        Kind::Header | Kind::MimeHeader => {
            let mut test = header::read(draft.directive, &draft.text)?;
            let mut tried = Vec::new();
            if let Test::Match { pattern, unset, .. } = &mut test {
                expand(pattern)?;
                tried.push(probe.add(pattern, Some(unset))?);
            }
            Plan::Test(test, tried)
        }
        Kind::UriDetail => {
            let mut details = header::read_uri_detail(&draft.text)?;
            let mut tried = Vec::new();
            for (.., pattern) in &mut details {
                expand(pattern)?;
                tried.push(probe.add(pattern, None)?);
            }
            Plan::Details(details, tried)
        }
        Kind::Meta => {
            let text = std::str::from_utf8(&draft.text);
            Plan::Meta(text.map_err(|_| "it is not UTF-8")?.to_owned())
        }
        Kind::AskDns => Plan::Verdict(Verdict::Network("questions to the DNS are not asked")),
        Kind::Eval => {
            let text = draft.text.strip_prefix(b"eval:").unwrap_or(&draft.text);
            let call = Call::parse(text)?;
            let mut knowledge = Knowledge {
                lists,
                zones: &collected.zones,
                symbol,
                all_locales: collected
                    .locales
                    .as_ref()
                    .is_none_or(|locales| locales.split_whitespace().any(|word| word == "all")),
            };
            Plan::Verdict(eval::translate(&call, &mut knowledge))
        }
    };
    // What the filter says itself is not said twice; whatever could not be read is told before.
    Ok(match signal::is_given(symbol) {
        true => Plan::Given,
        false => plan,
    })
}

fn scope(kind: Kind, no_subject: bool) -> Scope {
    Scope::Plain(match kind {
        Kind::RawBody => Plain::RawBody,
        Kind::Full => Plain::Full,
        Kind::Uri => Plain::Url,
        _ if no_subject => Plain::Text,
        _ => Plain::Body,
    })
}

fn flags<'c>(collected: &'c Collected, symbol: &str) -> impl Iterator<Item = &'c str> {
    let flags = collected.flags.get(symbol).map_or("", String::as_str);
    flags.split_whitespace()
}

/// How often a rule counts.
fn hits(collected: &Collected, symbol: &str) -> Hits {
    let mut multiple = false;
    let mut most = UNLIMITED_HITS;
    for flag in flags(collected, symbol) {
        multiple |= flag == "multiple";
        if let Some(Ok(count)) = flag.strip_prefix("maxhits=").map(str::parse::<u32>) {
            most = count.clamp(1, MAX_HITS);
        }
    }
    match multiple {
        true => Hits::Each(most),
        false => Hits::Once,
    }
}

/// Whether the call gives a count where we only know whether there is something.
fn counts_something(text: &[u8]) -> bool {
    let call = Call::parse(text.strip_prefix(b"eval:").unwrap_or(text));
    call.is_ok_and(|call| {
        call.function == "check_for_mime"
            && matches!(call.argument(0), "mime_qp_count" | "mime_base64_count")
    })
}

struct Builder {
    /// Rules whose value would be a count and is 1.
    counted: Vec<String>,
    collected: Collected,
    answers: Answers,
    /// Of all drafts.
    symbols: BTreeSet<String>,
    /// By place and symbol.
    rules: BTreeMap<(At, String), (Draft, Rule)>,
    /// Functions that some rule calls.
    calls: BTreeSet<String>,
}

impl Builder {
    fn rule(&mut self, symbol: &str, draft: Draft, plan: Result<Plan, String>) {
        if draft.kind == Kind::Eval
            && let Ok(call) = Call::parse(draft.text.strip_prefix(b"eval:").unwrap_or_default())
        {
            let rules = LIST_RULES.iter().map(|(_, function, ..)| *function);
            let used = rules.filter(|function| asks_list(&call, function));
            self.calls.extend(used.map(ToOwned::to_owned));
        }
        let plan = plan.and_then(|plan| match self.refused(&plan) {
            Some(reason) => Err(reason),
            None => Ok(plan),
        });
        let settled = plan.and_then(|plan| self.settle(&draft, symbol, plan));
        let translated = match settled {
            Ok(None) => true,
            Ok(Some((condition, signal))) => {
                self.add(symbol, draft.clone(), condition, signal);
                true
            }
            Err(reason) => {
                let network = draft.kind == Kind::AskDns || reason.starts_with(NETWORK);
                let outcome = match network {
                    true => Outcome::Network,
                    false => Outcome::Refused,
                };
                let reason = reason.strip_prefix(NETWORK).unwrap_or(&reason);
                self.note(symbol, &draft, outcome, reason);
                false
            }
        };
        self.count(&draft, translated);
    }

    fn refused(&self, plan: &Plan) -> Option<String> {
        let refused = plan.tried().iter().find_map(|&id| self.answers.refused(id));
        refused.map(|reason| format!("the pattern is refused: {reason}"))
    }

    /// The rule's condition, and whether it only repeats what the filter says itself.
    fn settle(
        &mut self,
        draft: &Draft,
        symbol: &str,
        plan: Plan,
    ) -> Result<Option<(Condition, bool)>, String> {
        let condition = match plan {
            Plan::Match(scope, pattern, _) => Condition::Match {
                scope,
                patterns: vec![pattern],
            },
            Plan::Test(test, tried) => {
                let matched = tried.iter().any(|&id| self.answers.matched(id));
                test.condition(matched)
            }
            Plan::Details(details, _) => {
                let asked = details.into_iter().map(|(scope, negated, pattern)| {
                    let patterns = vec![pattern];
                    let matches = Condition::Match { scope, patterns };
                    if negated { not(matches) } else { matches }
                });
                let reason = "its keys are asked of all URLs, not of one URL together";
                let asked: Vec<Condition> = asked.collect();
                if asked.len() > 1 {
                    self.note(symbol, draft, Outcome::Near, reason);
                }
                Condition::All(asked)
            }
            Plan::Meta(text) => {
                let mut counted = self.counted.iter();
                if let Some(part) = counted.find(|part| meta::counts(&text, part)) {
                    return Err(format!("it needs to know how often {part} holds"));
                }
                Condition::Expression(meta::read(&text, &self.symbols)?)
            }
            Plan::Given => {
                let reason = "the filter gives this symbol itself, with its own score";
                self.note(symbol, draft, Outcome::Given, reason);
                return Ok(None);
            }
            Plan::Verdict(verdict) => match verdict {
                Verdict::Rule(condition) => condition,
                Verdict::Signal(condition) => return Ok(Some((condition, true))),
                Verdict::Idle(reason) => {
                    self.note(symbol, draft, Outcome::Idle, reason);
                    return Ok(None);
                }
                Verdict::Network(reason) => return Err(format!("{NETWORK}{reason}")),
                Verdict::Refused(reason) => return Err(reason),
            },
        };
        Ok(Some((condition, false)))
    }

    fn add(&mut self, symbol: &str, draft: Draft, when: Condition, signal: bool) {
        let nice = flags(&self.collected, symbol).any(|flag| flag == "nice");
        let score = self.collected.scores.get(symbol).copied();
        let score = score.unwrap_or_else(|| {
            let usual = match symbol.starts_with("T_") {
                true => TRIAL_SCORE,
                false => DEFAULT_SCORE,
            };
            if nice { -usual } else { usual }
        });
        if score == 0.0 {
            return self.note(symbol, &draft, Outcome::Off, "its score is zero");
        }
        let mut hits = hits(&self.collected, symbol);
        if hits != Hits::Once && !matches!(when, Condition::Match { .. }) {
            self.note(
                symbol,
                &draft,
                Outcome::Near,
                "it counts once, not each match",
            );
            hits = Hits::Once;
        }
        let part = symbol.starts_with("__");
        if signal && !part {
            let reason = "the filter says the same by a symbol with a score of its own";
            self.note(symbol, &draft, Outcome::Given, reason);
        }
        let hidden = part || signal;
        let rule = Rule {
            symbol: symbol.to_owned(),
            score: if hidden { 0.0 } else { score },
            description: self.description(symbol),
            group: None,
            hidden,
            hits,
            prefilter: None,
            when,
        };
        self.rules
            .insert((draft.at, symbol.to_owned()), (draft, rule));
    }

    fn description(&mut self, symbol: &str) -> String {
        self.collected
            .descriptions
            .remove(symbol)
            .unwrap_or_default()
    }

    fn note(&mut self, symbol: &str, draft: &Draft, outcome: Outcome, reason: &str) {
        let what = What(outcome, reason);
        self.collected
            .note(draft.at, draft.directive, Some(symbol), what);
    }

    fn count(&mut self, draft: &Draft, translated: bool) {
        let tally = |tally: &mut Tally| {
            tally.taken += 1;
            match translated {
                true => tally.translated += 1,
                false => tally.refused += 1,
            }
        };
        tally(self.collected.report.kinds.entry(draft.kind).or_default());
        if let Some(file) = self.collected.report.files.get_mut(draft.at.file) {
            tally(&mut file.tally);
        }
    }

    /// Refuses rules that are made of each other.
    fn break_circles(&mut self) {
        let depends = self.rules.values().map(|(_, rule)| {
            let symbols: Vec<&str> = match &rule.when {
                Condition::Expression(expression) => expression.symbols().collect(),
                _ => Vec::new(),
            };
            (rule.symbol.as_str(), symbols)
        });
        let circles = meta::circles(&depends.collect());
        let circles: BTreeSet<String> = circles.into_iter().map(ToOwned::to_owned).collect();
        let keys: Vec<_> = self.rules.keys().cloned().collect();
        for key in keys
            .into_iter()
            .filter(|(_, symbol)| circles.contains(symbol))
        {
            let Some((draft, rule)) = self.rules.remove(&key) else {
                continue;
            };
            let reason = "it is made of rules that are made of it";
            self.note(&rule.symbol, &draft, Outcome::Refused, reason);
            let again = |tally: &mut Tally| {
                tally.translated -= 1;
                tally.refused += 1;
            };
            again(self.collected.report.kinds.entry(draft.kind).or_default());
            if let Some(file) = self.collected.report.files.get_mut(draft.at.file) {
                again(&mut file.tally);
            }
        }
    }

    /// Adds rules for lists that no rule asks.
    fn list_rules(&mut self, lists: &mut Lists<'_>) {
        for &(name, function, score, description) in LIST_RULES {
            if self.calls.contains(function) || self.symbols.contains(name) {
                continue;
            }
            let call = Call {
                function: function.to_owned(),
                arguments: Vec::new(),
            };
            let mut knowledge = Knowledge {
                lists,
                zones: &self.collected.zones,
                symbol: name,
                all_locales: true,
            };
            let Verdict::Rule(when) = eval::translate(&call, &mut knowledge) else {
                continue;
            };
            let score = self.collected.scores.get(name).copied().unwrap_or(score);
            if score == 0.0 {
                continue;
            }
            let at = At {
                file: usize::MAX,
                line: 0,
            };
            let draft = Draft {
                kind: Kind::Eval,
                directive: "header",
                at,
                text: Vec::new(),
            };
            let rule = Rule {
                symbol: name.to_owned(),
                score,
                description: description.to_owned(),
                group: None,
                hidden: false,
                hits: Hits::Once,
                prefilter: None,
                when,
            };
            self.rules.insert((at, name.to_owned()), (draft, rule));
        }
    }

    fn finish(mut self, lists: Lists<'_>) -> Import {
        let rules: Vec<Rule> = self.rules.into_values().map(|(_, rule)| rule).collect();
        let present: BTreeSet<&str> = rules.iter().map(|rule| rule.symbol.as_str()).collect();
        let mut report = std::mem::take(&mut self.collected.report);
        for rule in &rules {
            let Condition::Expression(expression) = &rule.when else {
                continue;
            };
            let missing: Vec<String> = expression
                .symbols()
                .filter(|symbol| !present.contains(symbol) && !signal::is_given(symbol))
                .map(ToOwned::to_owned)
                .collect();
            if !missing.is_empty() {
                report.incomplete.insert(rule.symbol.clone(), missing);
            }
        }
        for file in &mut report.files {
            file.notes.sort_by_key(|note| note.line);
        }
        report.rules = rules.len();
        let set = RuleSet {
            name: "spamassassin".to_owned(),
            description: "Rules of SpamAssassin's files".to_owned(),
            groups: BTreeMap::new(),
            lists: lists.into_made(),
            rules,
            ..RuleSet::default()
        };
        Import { set, report }
    }
}

/// What reasons begin with inside this module when it is the network that is not asked.
const NETWORK: &str = "network: ";
