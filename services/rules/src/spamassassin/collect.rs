//! Reads the lines of all files: which rules there are, and what is said of them.

use std::collections::BTreeMap;

use super::condition::{self, Surroundings};
use super::eval::{Zone, base_set};
use super::header;
use super::line::{self, Line, Read, word, words};
use super::lists::Entries;
use super::replace::Tags;
use super::report::{FileReport, Kind, Note, Outcome, Report};
use super::settings::{self, Setting};
use super::{MAX_FILE, MAX_LINE, MAX_NESTING};
use crate::limits::{MAX_RULES, MAX_SCORE};

/// The most characters of a description.
const LONGEST_DESCRIPTION: usize = 1_000;

/// A line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    /// The file's index.
    pub(super) file: usize,
    /// The line, counted from 1.
    pub(super) line: usize,
}

/// A rule as a line defines it.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    pub(super) directive: &'static str,
    pub(super) at: At,
    /// What follows its symbol.
    pub(super) text: Vec<u8>,
}

/// Everything that the files say.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// Rules by symbol, as they are defined last.
    pub(super) drafts: BTreeMap<String, Draft>,
    pub(super) scores: BTreeMap<String, f32>,
    pub(super) descriptions: BTreeMap<String, String>,
    /// What `tflags` says.
    pub(super) flags: BTreeMap<String, String>,
    pub(super) tags: Tags,
    pub(super) entries: Entries,
    /// What rules of `check_uridnsbl` and sets of `check_rbl` ask.
    pub(super) zones: BTreeMap<String, Zone>,
    /// Lists of languages that mail may be in; none said is all.
    pub(super) locales: Option<String>,
    pub(super) report: Report,
    surroundings: Surroundings,
}

/// An open `if`.
struct Open {
    line: usize,
    /// Whether its lines count.
    active: bool,
    /// Whether the lines around it count.
    around: bool,
}

/// The conditions around a line.
#[derive(Default)]
struct Nesting {
    open: Vec<Open>,
    /// How many more are open than may be; nothing inside counts.
    deeper: usize,
}

impl Nesting {
    fn active(&self) -> bool {
        self.deeper == 0 && self.open.last().is_none_or(|open| open.active)
    }
}

/// Reads all files.
pub(super) fn collect(files: &[(String, &[u8])]) -> Collected {
    let mut collected = Collected::default();
    for (index, (name, content)) in files.iter().enumerate() {
        collected.report.files.push(FileReport {
            name: name.clone(),
            ..FileReport::default()
        });
        collected.file(index, content);
    }
    collected
}

impl Collected {
    /// Notes something about a line.
    pub(super) fn note(&mut self, at: At, directive: &str, symbol: Option<&str>, what: What<'_>) {
        if let Some(file) = self.report.files.get_mut(at.file) {
            file.note(Note {
                line: at.line,
                directive: directive.chars().take(60).collect(),
                symbol: symbol.map(ToOwned::to_owned),
                outcome: what.0,
                reason: what.1.to_owned(),
            });
        }
    }

    fn refuse(&mut self, at: At, directive: &str, reason: &str) {
        self.note(at, directive, None, What(Outcome::Refused, reason));
    }

    fn file(&mut self, file: usize, content: &[u8]) {
        if content.len() > MAX_FILE {
            let reason = format!("the file is longer than {MAX_FILE} octets");
            return self.refuse(At { file, line: 0 }, "", &reason);
        }
        let mut nesting = Nesting::default();
        let mut lines = 0;
        for (index, text) in content.split(|&byte| byte == b'\n').enumerate() {
            lines = index + 1;
            let at = At { file, line: lines };
            match line::read(lines, text, MAX_LINE) {
                Read::Nothing => {}
                Read::TooLong => {
                    let reason = format!("the line is longer than {MAX_LINE} octets");
                    self.refuse(at, "", &reason);
                }
                Read::Line(line) => self.line(at, line, &mut nesting),
            }
        }
        for left in nesting.open {
            let at = At {
                file,
                line: left.line,
            };
            self.refuse(at, "if", "the condition has no endif");
        }
        if let Some(report) = self.report.files.get_mut(file) {
            report.lines = lines;
        }
    }

    fn line(&mut self, at: At, line: Line, nesting: &mut Nesting) {
        match line.directive.as_str() {
            "if" | "ifplugin" => self.open(at, &line, nesting),
            "else" | "endif" if nesting.open.is_empty() => {
                self.refuse(at, &line.directive, "there is no if before it");
            }
            "else" if nesting.deeper > 0 => {}
            "else" => {
                if let Some(open) = nesting.open.last_mut() {
                    open.active = open.around && !open.active;
                }
            }
            "endif" if nesting.deeper > 0 => nesting.deeper -= 1,
            "endif" => drop(nesting.open.pop()),
            _ if nesting.active() => self.directive(at, &line),
            _ => {}
        }
    }

    fn open(&mut self, at: At, line: &Line, nesting: &mut Nesting) {
        let around = nesting.active();
        if nesting.open.len() >= MAX_NESTING {
            nesting.deeper += 1;
            return self.refuse(at, &line.directive, "conditions are nested too deep");
        }
        let mut holds = false;
        if around {
            match self.condition(line) {
                Ok(found) => holds = found,
                Err(reason) => self.refuse(at, &line.directive, &reason),
            }
        }
        nesting.open.push(Open {
            line: at.line,
            active: around && holds,
            around,
        });
    }

    fn condition(&self, line: &Line) -> Result<bool, String> {
        let text = String::from_utf8_lossy(&line.rest);
        match line.directive.as_str() {
            "ifplugin" if text.is_empty() => Err("a plugin is missing".to_owned()),
            "ifplugin" => Ok(condition::has_plugin(&text)),
            _ => condition::evaluate(&text, &self.surroundings),
        }
    }

    fn directive(&mut self, at: At, line: &Line) {
        const DEFINITIONS: [(&str, Kind); 9] = [
            ("body", Kind::Body),
            ("rawbody", Kind::RawBody),
            ("full", Kind::Full),
            ("uri", Kind::Uri),
            ("uri_detail", Kind::UriDetail),
            ("header", Kind::Header),
            ("mimeheader", Kind::MimeHeader),
            ("meta", Kind::Meta),
            ("askdns", Kind::AskDns),
        ];
        let directive = line.directive.as_str();
        let rest = line.rest.as_slice();
        let definition = DEFINITIONS.iter().find(|(name, _)| *name == directive);
        let result = if let Some(&(directive, kind)) = definition {
            self.define(at, directive, kind, rest)
        } else if directive.starts_with("replace_") {
            self.tags.take(directive, rest)
        } else if let Some(list) = super::entries::list(directive) {
            super::entries::take(&mut self.entries, list, rest)
        } else {
            match directive {
                "score" => self.score(rest),
                "describe" => self.describe(rest),
                "tflags" => header::symbol(rest).map(|(symbol, rest)| {
                    let flags = String::from_utf8_lossy(rest).into_owned();
                    self.flags.insert(symbol.to_owned(), flags);
                }),
                "loadplugin" | "tryplugin" => {
                    self.plugin(rest);
                    Ok(())
                }
                "enable_compat" => {
                    self.surroundings.compatible.extend(words(rest));
                    Ok(())
                }
                "ok_locales" => {
                    self.locales = Some(String::from_utf8_lossy(rest).to_ascii_lowercase());
                    Ok(())
                }
                "urirhsbl" | "urirhssub" | "uridnsbl" | "uridnssub" | "urinsrhsbl"
                | "urinsrhssub" | "urifullnsrhsbl" | "urifullnsrhssub" => self.zone(rest),
                "include" => Err("files that it names are not read: import them too".to_owned()),
                _ => return self.setting(at, directive),
            }
        };
        if let Err(reason) = result {
            self.refuse(at, directive, &reason);
        }
    }

    fn setting(&mut self, at: At, directive: &str) {
        match settings::find(directive) {
            Setting::Silent => {}
            Setting::Known(reason) => {
                self.note(at, directive, None, What(Outcome::NotApplicable, reason));
            }
            Setting::Unknown => self.refuse(at, directive, "there is no such directive"),
        }
    }

    fn define(
        &mut self,
        at: At,
        directive: &'static str,
        kind: Kind,
        rest: &[u8],
    ) -> Result<(), String> {
        let (symbol, text) = header::symbol(rest)?;
        if !self.drafts.contains_key(symbol) && self.drafts.len() >= MAX_RULES {
            return Err(format!("there are more than {MAX_RULES} rules"));
        }
        let kind = match text.starts_with(b"eval:") {
            true if kind != Kind::Meta => Kind::Eval,
            _ => kind,
        };
        if kind == Kind::Eval {
            self.set(text);
        }
        let draft = Draft {
            kind,
            directive,
            at,
            text: text.to_vec(),
        };
        self.drafts.insert(symbol.to_owned(), draft);
        Ok(())
    }

    /// `check_rbl` names the list whose answers `check_rbl_sub` compares.
    fn set(&mut self, text: &[u8]) {
        let call = text.strip_prefix(b"eval:").unwrap_or(text);
        let Ok(call) = super::eval::Call::parse(call) else {
            return;
        };
        if matches!(call.function.as_str(), "check_rbl" | "check_rbl_txt") {
            let name = format!("set {}", base_set(call.argument(0)));
            let zone = Zone {
                name: call.argument(1).to_owned(),
                answer: String::new(),
            };
            self.zones.entry(name).or_insert(zone);
        }
    }

    fn zone(&mut self, rest: &[u8]) -> Result<(), String> {
        let (symbol, rest) = header::symbol(rest)?;
        let mut rest = words(rest);
        let name = rest.next().ok_or_else(|| "a list is missing".to_owned())?;
        let answer = rest.nth(1).unwrap_or_default();
        let zone = Zone { name, answer };
        self.zones.insert(symbol.to_owned(), zone);
        Ok(())
    }

    fn score(&mut self, rest: &[u8]) -> Result<(), String> {
        let (symbol, rest) = header::symbol(rest)?;
        let values: Vec<String> = words(rest).take(5).collect();
        // One value for all ways to run, or the fourth for Bayes and network, which is how we do.
        let value = match values.as_slice() {
            [value] | [_, _, _, value] => value,
            _ => return Err("a score has one value or four".to_owned()),
        };
        let relative = value
            .strip_prefix('(')
            .and_then(|value| value.strip_suffix(')'));
        let number: f32 = relative
            .unwrap_or(value)
            .trim()
            .parse()
            .map_err(|_| "a score is a number".to_owned())?;
        let old = match relative {
            Some(_) => self.scores.get(symbol).copied().unwrap_or_default(),
            None => 0.0,
        };
        let number = old + number;
        if number.is_nan() || number.abs() > MAX_SCORE {
            return Err(format!("a score lies between -{MAX_SCORE} and {MAX_SCORE}"));
        }
        self.scores.insert(symbol.to_owned(), number);
        Ok(())
    }

    fn describe(&mut self, rest: &[u8]) -> Result<(), String> {
        let (symbol, text) = header::symbol(rest)?;
        let text = String::from_utf8_lossy(text);
        let plain = text.chars().map(|letter| match letter.is_control() {
            true => ' ',
            false => letter,
        });
        let description = plain.take(LONGEST_DESCRIPTION).collect();
        self.descriptions.insert(symbol.to_owned(), description);
        Ok(())
    }

    fn plugin(&mut self, rest: &[u8]) {
        let (name, _) = word(rest);
        let name = String::from_utf8_lossy(name);
        let understood = condition::has_plugin(&name);
        let name: String = condition::plugin_name(&name).chars().take(200).collect();
        if self.report.plugins.len() < 1_000 {
            self.report.plugins.insert(name, understood);
        }
    }
}

/// An outcome and its reason.
#[derive(Debug, Clone, Copy)]
pub(super) struct What<'a>(pub(super) Outcome, pub(super) &'a str);

#[cfg(test)]
mod tests;
