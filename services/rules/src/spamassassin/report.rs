//! What became of the lines of the imported files.

use std::collections::BTreeMap;
use std::fmt;

/// The most notes that are kept of a file.
pub const MAX_NOTES: usize = 10_000;

/// What kind of rule it is, as SpamAssassin has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A pattern over what readers see.
    Body,
    /// A pattern over the decoded text parts.
    RawBody,
    /// A pattern over the message as it came.
    Full,
    /// A pattern over URLs.
    Uri,
    /// Patterns over parts of URLs.
    UriDetail,
    /// A pattern over a header field, or whether it is there.
    Header,
    /// The same of the header fields of MIME parts.
    MimeHeader,
    /// An expression over other rules.
    Meta,
    /// A function of SpamAssassin's code, whatever it is applied to.
    Eval,
    /// A question to the DNS.
    AskDns,
}

impl Kind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Body,
        Self::RawBody,
        Self::Full,
        Self::Uri,
        Self::UriDetail,
        Self::Header,
        Self::MimeHeader,
        Self::Meta,
        Self::Eval,
        Self::AskDns,
    ];

    /// Its name: that of the directive, or `eval`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::RawBody => "rawbody",
            Self::Full => "full",
            Self::Uri => "uri",
            Self::UriDetail => "uri_detail",
            Self::Header => "header",
            Self::MimeHeader => "mimeheader",
            Self::Meta => "meta",
            Self::Eval => "eval",
            Self::AskDns => "askdns",
        }
    }
}

/// How many rules, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Rules that the files define, each symbol once, without those that a condition excludes.
    pub taken: usize,
    /// Those that are understood. Rules that are switched off by a score of zero and rules that can
    /// never hold are among them.
    pub translated: usize,
    /// Those that are not. `taken` is the sum of the two.
    pub refused: usize,
}

impl Tally {
    /// How many in a thousand are understood; all if there are none.
    #[must_use]
    pub fn per_mille(&self) -> usize {
        (self.translated * 1_000)
            .checked_div(self.taken)
            .unwrap_or(1_000)
    }
}

/// What became of a line that is no rule in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It is not understood, or wrong.
    Refused,
    /// It is a rule that asks the network and for which there is no list here.
    Network,
    /// It is a setting of SpamAssassin that means nothing here.
    NotApplicable,
    /// Its symbol is one that the filter gives by itself, with a score of its own.
    Given,
    /// It is understood, and can never hold as things are.
    Idle,
    /// It is understood, and switched off by a score of zero.
    Off,
    /// It is in use, as something that comes near to it.
    Near,
}

/// A line, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The line, counted from 1.
    pub line: usize,
    /// Its directive.
    pub directive: String,
    /// The symbol of the rule it is about.
    pub symbol: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, a sentence without a full stop.
    pub reason: String,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileReport {
    /// Its name.
    pub name: String,
    /// Its lines.
    pub lines: usize,
    /// The rules that it defines last.
    pub tally: Tally,
    /// What is to be said of its lines, in their order; at most [`MAX_NOTES`].
    pub notes: Vec<Note>,
    /// How many notes are not kept.
    pub more_notes: usize,
}

impl FileReport {
    pub(super) fn note(&mut self, note: Note) {
        match self.notes.len() {
            MAX_NOTES.. => self.more_notes += 1,
            _ => self.notes.push(note),
        }
    }
}

/// What became of all files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// By file, in the order in which they were given.
    pub files: Vec<FileReport>,
    /// By kind of rule.
    pub kinds: BTreeMap<Kind, Tally>,
    /// The plugins that the files load, without SpamAssassin's own prefix, and whether their rules
    /// are understood.
    pub plugins: BTreeMap<String, bool>,
    /// Rules made of others of which some are not there: refused, switched off or never defined.
    /// They count as 0. By symbol, with the symbols that are missing.
    pub incomplete: BTreeMap<String, Vec<String>>,
    /// Rules in the resulting set.
    pub rules: usize,
}

impl Report {
    /// The counts of all kinds together.
    #[must_use]
    pub fn total(&self) -> Tally {
        self.kinds
            .values()
            .fold(Tally::default(), |sum, tally| Tally {
                taken: sum.taken + tally.taken,
                translated: sum.translated + tally.translated,
                refused: sum.refused + tally.refused,
            })
    }

    /// The notes with this outcome, with the names of their files.
    pub fn notes(&self, outcome: Outcome) -> impl Iterator<Item = (&str, &Note)> {
        self.files.iter().flat_map(move |file| {
            let notes = file.notes.iter();
            notes
                .filter(move |note| note.outcome == outcome)
                .map(|note| (file.name.as_str(), note))
        })
    }
}

impl fmt::Display for Report {
    /// A table of the kinds of rules, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, tally: &Tally| {
            let share = tally.per_mille();
            writeln!(
                f,
                "{name:<12}{:>8}{:>12}{:>9}{:>6}.{} %",
                tally.taken,
                tally.translated,
                tally.refused,
                share / 10,
                share % 10
            )
        };
        for kind in Kind::ALL {
            if let Some(tally) = self.kinds.get(kind) {
                row(kind.name(), tally)?;
            }
        }
        row("total", &self.total())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_shown_as_a_table() {
        let mut report = Report::default();
        let tally = |taken, translated| Tally {
            taken,
            translated,
            refused: taken - translated,
        };
        report.kinds.insert(Kind::Meta, tally(3, 2));
        report.kinds.insert(Kind::Body, tally(1000, 999));
        assert_eq!(
            report.to_string(),
            "body            1000         999        1    99.9 %\n\
             meta               3           2        1    66.6 %\n\
             total           1003        1001        2    99.8 %\n"
        );
        assert_eq!(Tally::default().per_mille(), 1_000);
    }

    #[test]
    fn notes_are_limited() {
        let mut file = FileReport::default();
        for line in 0..MAX_NOTES + 3 {
            file.note(Note {
                line,
                directive: "body".into(),
                symbol: None,
                outcome: Outcome::Refused,
                reason: String::new(),
            });
        }
        assert_eq!((file.notes.len(), file.more_notes), (MAX_NOTES, 3));
    }
}
