//! Behaviour of whole rule sets, on messages that are tables.

mod books;
mod conditions;
mod expressions;
mod files;
mod generate;
mod large;
mod vocabulary;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use patterns::{Compiler, Database};

use crate::{Book, Conclusion, Flag, Known, Number, RuleError, RuleSet, Scope, Subject, Workspace};

/// A message: what it answers, and what it was asked.
#[derive(Default)]
struct Message {
    texts: BTreeMap<Scope, Vec<Vec<u8>>>,
    numbers: BTreeMap<Number, f64>,
    flags: BTreeSet<Flag>,
    asked: RefCell<Vec<String>>,
}

impl Message {
    fn text(mut self, scope: &str, text: impl AsRef<[u8]>) -> Self {
        let texts = self.texts.entry(scope.parse().unwrap()).or_default();
        texts.push(text.as_ref().to_vec());
        self
    }

    fn number(mut self, name: &str, value: f64) -> Self {
        self.numbers.insert(name.parse().unwrap(), value);
        self
    }

    fn flag(mut self, name: &str) -> Self {
        self.flags.insert(name.parse().unwrap());
        self
    }
}

impl Subject for Message {
    fn haystacks<'s>(&'s self, scope: &Scope, into: &mut Vec<&'s [u8]>) {
        self.asked.borrow_mut().push(scope.to_string());
        into.extend(
            self.texts
                .get(scope)
                .into_iter()
                .flatten()
                .map(Vec::as_slice),
        );
    }

    fn number(&self, number: Number) -> f64 {
        self.asked.borrow_mut().push(number.to_string());
        self.numbers.get(&number).copied().unwrap_or_default()
    }

    fn holds(&self, flag: Flag) -> bool {
        self.asked.borrow_mut().push(flag.to_string());
        self.flags.contains(&flag)
    }
}

/// A book, ready to be used.
struct Rig {
    book: Book,
    database: Database,
    workspace: Workspace,
}

impl Rig {
    fn new(files: &[&str]) -> Self {
        let sets: Vec<RuleSet> = files
            .iter()
            .map(|file| match RuleSet::parse(file) {
                Ok(set) => set,
                Err(error) => panic!("{error}\n{file}"),
            })
            .collect();
        let sets: Vec<&RuleSet> = sets.iter().collect();
        Self::of(Book::new(&sets).unwrap())
    }

    fn of(book: Book) -> Self {
        let compiled = Compiler::new().compile(&book.patterns().unwrap(), None);
        assert_eq!(compiled.refused, []);
        let workspace = Workspace::new(&compiled.database);
        Self {
            book,
            database: compiled.database,
            workspace,
        }
    }

    fn conclude(&mut self, message: &Message, known: &[&str]) -> Conclusion {
        let known: Vec<Known<'_>> = known
            .iter()
            .map(|symbol| Known { symbol, score: 1.0 })
            .collect();
        let scan = self.book.scan(&self.database, &mut self.workspace, message);
        self.book.conclude(&scan, &known)
    }

    /// The symbols that hold.
    fn symbols(&mut self, message: &Message, known: &[&str]) -> Vec<String> {
        symbols(&self.conclude(message, known))
    }
}

fn symbols(conclusion: &Conclusion) -> Vec<String> {
    conclusion
        .hits
        .iter()
        .map(|hit| hit.symbol.to_string())
        .collect()
}

/// The mistakes of sets that are fine each by itself.
fn mistakes(files: &[&str]) -> Vec<String> {
    let sets: Vec<RuleSet> = files
        .iter()
        .map(|file| RuleSet::parse(file).unwrap())
        .collect();
    let sets: Vec<&RuleSet> = sets.iter().collect();
    lines(&Book::new(&sets).unwrap_err())
}

fn lines(errors: &[RuleError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}
