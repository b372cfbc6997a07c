//! A rule set on its own, tried on messages before anybody is judged by it.

use std::sync::{Mutex, PoisonError};

use patterns::{Compiler, Database};
use rules::{Book, RuleSet, Workspace};

use crate::engine::Filter;
use crate::facts::{Facts, Setting};
use crate::input::Input;
use crate::rulebook::RulebookError;

/// A compiled rule set that is not in force.
#[derive(Debug)]
pub struct Trial {
    book: Book,
    database: Database,
    workspace: Mutex<Workspace>,
}

impl Trial {
    /// Compiles a rule set.
    ///
    /// # Errors
    /// It contradicts itself.
    pub fn new(set: &RuleSet) -> Result<Self, RulebookError> {
        let book = Book::new(&[set]).map_err(RulebookError::Rules)?;
        let patterns = book
            .patterns()
            .map_err(|error| RulebookError::Rules(vec![error]))?;
        let database = Compiler::new().compile(&patterns, None).database;
        let workspace = Mutex::new(Workspace::new(&database));
        Ok(Self {
            book,
            database,
            workspace,
        })
    }

    /// Whether the rule `symbol` holds for a message: what of it was met.
    pub async fn matches(&self, filter: &Filter, input: &Input, symbol: &str) -> Option<String> {
        let options = filter.options();
        let read = filter.open(input).await.ok()?;
        let setting = Setting {
            hostname: &options.hostname,
            now: options.clock.now().0,
            is_own: |_| false,
        };
        let facts = Facts::read(input, read, setting);
        let mut workspace = self
            .workspace
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let scan = self.book.scan(&self.database, &mut workspace, &facts);
        let conclusion = self.book.conclude(&scan, &[]);
        let mut hits = conclusion.hits.into_iter();
        let hit = hits.find(|hit| &*hit.symbol == symbol)?;
        Some(hit.options.first().cloned().unwrap_or_default())
    }
}
