//! From a set of patterns to a database.
//!
//! Each pattern is compiled on its own into a unit ([`crate::unit`]), or its unit is taken over
//! from the previous database, which makes no difference to the result. Then the tables over all
//! of them are built, and the file is put together ([`crate::file::write`]).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use crate::damage::Damage;
use crate::database::{Database, Refused};
use crate::file::write::{self, Contents, Refusal};
use crate::program::EmitError;
use crate::set::{Digest, Entry, Pattern, PatternSet};
use crate::syntax::SyntaxError;
use crate::{Statistics, Text, parallel, plan, program, syntax, unit};

/// So many patterns to compile keep one more thread busy.
const PATTERNS_PER_THREAD: usize = 32;

/// Compiles sets of patterns. It has no state beside the statistics it plans with.
#[derive(Clone, Debug)]
pub struct Compiler {
    statistics: BTreeMap<Text, Planning>,
}

/// What patterns of one kind of text are planned with.
#[derive(Clone, Debug)]
struct Planning {
    statistics: Cow<'static, Statistics>,
    digest: Digest,
}

impl Planning {
    fn new(statistics: Cow<'static, Statistics>) -> Self {
        let digest = Digest(*blake3::hash(&statistics.to_bytes()).as_bytes());
        Self { statistics, digest }
    }
}

/// What became of a set.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The patterns that could be compiled.
    pub database: Database,
    /// The others.
    pub refused: Vec<Refused>,
    /// How many patterns were compiled, or refused.
    pub compiled: usize,
    /// How many were taken over from the previous database.
    pub reused: usize,
}

/// Why a pattern is refused.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    #[error(transparent)]
    Program(#[from] EmitError),
    /// A defect of the engine. The pattern is left out rather than the engine trusted.
    #[error("the engine contradicts itself: {0}")]
    Contradiction(#[from] Damage),
}

impl Default for Compiler {
    fn default() -> Self {
        Self::new()
    }
}

impl Compiler {
    /// A compiler that plans with the statistics that come with the engine.
    #[must_use]
    pub fn new() -> Self {
        Self {
            statistics: Text::ALL
                .into_iter()
                .map(|text| {
                    (
                        text,
                        Planning::new(Cow::Borrowed(Statistics::builtin(text))),
                    )
                })
                .collect(),
        }
    }

    /// Plans patterns for a kind of text with other statistics, such as those of the
    /// administrator's own mail.
    #[must_use]
    pub fn with_statistics(mut self, text: Text, statistics: Statistics) -> Self {
        self.statistics
            .insert(text, Planning::new(Cow::Owned(statistics)));
        self
    }

    /// Compiles a set. What `previous` has compiled already is taken over from it; the database is
    /// the same without it, byte for byte. A pattern that cannot be compiled is left out and
    /// reported.
    #[must_use]
    pub fn compile(&self, set: &PatternSet, previous: Option<&Database>) -> Compiled {
        let mut work = Work::new(self, set, previous);
        work.compile_missing();
        work.assemble()
    }

    fn compile_one(&self, text: Text, pattern: &Pattern) -> Result<Vec<u8>, Reason> {
        let statistics = self.statistics.get(&text).map_or_else(
            || Statistics::builtin(text),
            |planning| planning.statistics.as_ref(),
        );
        let parsed = syntax::parse(&pattern.expression, pattern.flags)?;
        let planned = plan::plan(&parsed, statistics);
        let code = program::emit(
            &planned.confirm,
            planned.marks,
            planned.exact.as_ref(),
            planned.ordered.as_ref(),
        )?;
        Ok(unit::encode(&planned, &code)?)
    }

    fn digest(&self, text: Text, pattern: &Pattern) -> Digest {
        let statistics = self
            .statistics
            .get(&text)
            .map_or(Digest([0; 32]), |planning| planning.digest);
        unit::digest(&statistics, text, pattern.flags, &pattern.expression)
    }
}

/// A unit, or why there is none.
type Compilation = Result<Vec<u8>, Reason>;

/// A pattern, its unit's digest, and the unit if a database before has it.
type Wanted<'a> = (&'a Entry, Digest, Option<&'a [u8]>);

/// A compilation under way.
struct Work<'a> {
    compiler: &'a Compiler,
    set: &'a PatternSet,
    /// By scope and id.
    patterns: Vec<Vec<Wanted<'a>>>,
    reused: usize,
    /// Patterns whose unit the previous database lacks, each digest once.
    missing: Vec<(Text, &'a Pattern)>,
    /// Which of them a digest is.
    numbers: HashMap<Digest, usize>,
    /// What became of them.
    compilations: Vec<Compilation>,
}

impl<'a> Work<'a> {
    fn new(compiler: &'a Compiler, set: &'a PatternSet, previous: Option<&'a Database>) -> Self {
        let mut work = Self {
            compiler,
            set,
            patterns: Vec::with_capacity(set.scopes().len()),
            reused: 0,
            missing: Vec::new(),
            numbers: HashMap::new(),
            compilations: Vec::new(),
        };
        for (_, scope) in set.scopes() {
            let mut patterns = Vec::with_capacity(scope.entries.len());
            for entry in scope.entries.values() {
                let digest = compiler.digest(scope.text, &entry.pattern);
                let known = previous.and_then(|previous| previous.unit(&digest));
                if known.is_some() {
                    work.reused += 1;
                } else {
                    work.numbers.entry(digest).or_insert_with(|| {
                        work.missing.push((scope.text, &entry.pattern));
                        work.missing.len() - 1
                    });
                }
                patterns.push((entry, digest, known));
            }
            work.patterns.push(patterns);
        }
        work
    }

    /// Compiles what is missing, on several threads if it is much. Which thread compiles what
    /// makes no difference.
    fn compile_missing(&mut self) {
        let (compiler, missing) = (self.compiler, &self.missing);
        let compile = |number: usize| {
            let (text, pattern) = missing.get(number)?;
            Some(compiler.compile_one(*text, pattern))
        };
        let compilations = parallel::map(missing.len(), PATTERNS_PER_THREAD, compile);
        self.compilations = compilations.into_iter().flatten().collect();
    }

    /// The unit of a digest that had to be compiled, or why there is none.
    fn compiled(&self, digest: &Digest) -> Result<&[u8], &Reason> {
        let number = self.numbers.get(digest);
        match number.and_then(|&number| self.compilations.get(number)) {
            Some(compilation) => compilation.as_deref(),
            None => Ok(&[]),
        }
    }

    fn assemble(self) -> Compiled {
        let mut units: Vec<(Digest, &[u8])> = Vec::new();
        let mut reasons = Vec::new();
        for (scope, patterns) in self.patterns.iter().enumerate() {
            for (entry, digest, known) in patterns {
                let unit = known.map_or_else(|| self.compiled(digest), Ok);
                match unit {
                    Ok(bytes) => units.push((*digest, bytes)),
                    Err(reason) => reasons.push((scope, *entry, reason.to_string())),
                }
            }
        }
        units.sort_unstable_by_key(|(digest, _)| *digest);
        units.dedup_by_key(|(digest, _)| *digest);

        let number = |digest: &Digest| {
            units
                .binary_search_by_key(digest, |(digest, _)| *digest)
                .ok()
        };
        let scopes = self
            .set
            .scopes()
            .zip(&self.patterns)
            .map(|((name, scope), patterns)| write::Scope {
                name,
                text: scope.text,
                patterns: patterns
                    .iter()
                    .filter_map(|(entry, digest, _)| Some((*entry, number(digest)?)))
                    .collect(),
            })
            .collect();
        let contents = Contents {
            digest: self.set.digest(),
            scopes,
            refused: reasons
                .iter()
                .map(|(scope, entry, reason)| Refusal {
                    scope: *scope,
                    entry,
                    reason,
                })
                .collect(),
            units,
        };
        let database = assembled(write::assemble(&contents));
        Compiled {
            refused: database.refused().collect(),
            compiled: self.set.len() - self.reused,
            reused: self.reused,
            database,
        }
    }
}

#[expect(
    clippy::panic,
    reason = "bytes that were put together a moment ago are laid out as they must be"
)]
fn assembled(memory: crate::file::Memory) -> Database {
    match Database::assembled(memory) {
        Ok(database) => database,
        Err(error) => panic!("an assembled database is refused: {error}"),
    }
}
