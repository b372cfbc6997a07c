//! A peer's databases: one for each scope, compiled in a process of its own and kept.
//!
//! As Rspamd does it, each pattern is tried alone first, as it is and then as a prefilter; then all
//! that were taken are compiled together, serialised and written to a file. Compiling spam rules
//! takes minutes, so files stay in a directory below `target/`, by the digest of library, processor
//! and rules, with a record of what they cost on this machine.

#![expect(clippy::disallowed_methods, reason = "keeps databases between runs")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use probe::hyperscan::{Database, Library, Mode};
use probe::rules::{self, Numbered, Rule};
use serde::{Deserialize, Serialize};

use super::child::Probe;
use super::oracle::Oracle;
use crate::error::{Context as _, Result};
use crate::report::progress;

/// Whether an earlier run's database and its figures will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Allowed,
    /// Compile again and measure it.
    Refused,
}

/// What compiling cost; stored beside the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// CPU seconds for trying patterns alone.
    pub(crate) checks: f64,
    /// CPU seconds for all together.
    pub(crate) compile: f64,
    /// The most memory of the process, in bytes.
    pub(crate) peak: f64,
    /// A letter for each rule, see [`Mode::letter`].
    pub(crate) modes: String,
}

/// A library, and where its databases are kept.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    library: Library,
    probe: Probe,
    cache: PathBuf,
}

/// One scope's database in its file.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) file: PathBuf,
    pub(crate) cost: Cost,
    /// Each rule of the scope and how it was taken.
    pub(crate) modes: Vec<(u32, Mode)>,
    /// Whether `cost` was measured in an earlier run.
    pub(crate) recorded: bool,
}

impl Peer {
    /// Loads the library at `path`; `probe` will compile with it.
    pub(crate) fn new(
        name: &'static str,
        path: PathBuf,
        probe: &Probe,
        cache: &Path,
    ) -> Result<Self> {
        let library = Library::open(&path)?;
        Ok(Self {
            name,
            path,
            library,
            probe: probe.clone(),
            cache: cache.to_owned(),
        })
    }

    /// Its version.
    pub(crate) fn version(&self) -> String {
        self.library.version()
    }

    /// Compiles the rules of `scope`, or finds the database of an earlier run.
    pub(crate) fn compile(&self, rules: &[Rule], scope: &str, kept: Kept) -> Result<Compiled> {
        let ids: Vec<u32> = rules::numbered(rules)
            .filter(|(_, rule)| rule.scope == scope)
            .map(|(id, _)| id)
            .collect();
        let file = self.file(rules, scope);
        let record = file.with_extension("json");
        let known = fs::read(&record)
            .ok()
            .and_then(|text| serde_json::from_slice::<Cost>(&text).ok())
            .filter(|_| kept == Kept::Allowed && self.load(&file).is_ok());
        if let Some(cost) = known {
            return Ok(Compiled::new(file, cost, &ids, true));
        }
        progress(&format!(
            "{} compiles {scope} ({} rules)",
            self.name,
            ids.len()
        ));
        let cost = self.run(rules, scope, &file, "")?;
        let text = serde_json::to_string(&cost)
            .map_err(std::io::Error::from)
            .context("a record")?;
        fs::write(&record, text).context(record.display().to_string())?;
        Ok(Compiled::new(file, cost, &ids, false))
    }

    /// Compiles `scope` after a change of its rule `changed`, the modes of the others being known.
    pub(crate) fn recompile(
        &self,
        rules: &[Rule],
        changed: u32,
        before: &Compiled,
    ) -> Result<Cost> {
        let modes: String = before
            .modes
            .iter()
            .map(|(id, mode)| if *id == changed { '?' } else { mode.letter() })
            .collect();
        let scope = usize::try_from(changed)
            .ok()
            .and_then(|at| rules.get(at))
            .map_or("", |rule| rule.scope.as_str());
        let file = before.file.with_extension("changed");
        self.run(rules, scope, &file, &modes)
    }

    fn run(&self, rules: &[Rule], scope: &str, file: &Path, modes: &str) -> Result<Cost> {
        let table = tempfile::NamedTempFile::new_in(&self.cache).context("a table of rules")?;
        fs::write(table.path(), rules::write(rules)).context("a table of rules")?;
        let paths = [&self.path, table.path(), Path::new(scope), file].map(Path::as_os_str);
        let answer = self
            .probe
            .run("compile", paths.into_iter().chain([modes.as_ref()]))?;
        Ok(Cost {
            checks: answer.number("checks")?,
            compile: answer.number("compile")?,
            peak: answer.number("peak")?,
            modes: answer.text("modes")?.to_owned(),
        })
    }

    fn file(&self, rules: &[Rule], scope: &str) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.library.version().as_bytes());
        hasher.update(&processor());
        for (id, rule) in rules::numbered(rules).filter(|(_, rule)| rule.scope == scope) {
            hasher.update(&id.to_le_bytes());
            hasher.update(&rules::write([rule]));
        }
        let digest = hasher.finalize().to_hex();
        self.cache.join(format!("{}-{digest}.hs", self.name))
    }

    /// Reads a database's file and makes it ready to scan.
    pub(crate) fn load(&self, file: &Path) -> Result<Database> {
        let bytes = fs::read(file).context(file.display().to_string())?;
        Ok(self.library.load(&bytes)?)
    }
}

impl Compiled {
    fn new(file: PathBuf, cost: Cost, ids: &[u32], recorded: bool) -> Self {
        let modes = cost.modes.chars().filter_map(Mode::from_letter);
        Self {
            modes: ids.iter().copied().zip(modes).collect(),
            file,
            cost,
            recorded,
        }
    }

    /// How many rules were taken so.
    pub(crate) fn count(&self, mode: Mode) -> usize {
        self.modes
            .iter()
            .filter(|(_, taken)| *taken == mode)
            .count()
    }

    /// Confirms for this database's prefilters, and for the rules it does not hold.
    pub(crate) fn confirms<'a>(&self, rules: impl Iterator<Item = Numbered<'a>>) -> Confirms {
        let of = |wanted: Mode| {
            self.modes
                .iter()
                .filter(move |(_, mode)| *mode == wanted)
                .map(|(id, _)| *id)
        };
        let unsure: BTreeSet<u32> = of(Mode::Prefilter).collect();
        let refused: Vec<u32> = of(Mode::Refused).collect();
        let wanted = rules.filter(|(id, _)| unsure.contains(id) || refused.contains(id));
        Confirms {
            oracle: Oracle::new(wanted),
            unsure,
            refused,
        }
    }
}

/// PCRE2's part in a right answer.
#[derive(Debug)]
pub(crate) struct Confirms {
    oracle: Oracle,
    unsure: BTreeSet<u32>,
    refused: Vec<u32>,
}

impl Confirms {
    /// Takes wrong hits of prefilters out of `hits` and adds those of refused rules.
    pub(crate) fn apply(&self, haystack: &[u8], hits: &mut Vec<u32>) {
        hits.retain(|id| {
            !self.unsure.contains(id) || self.oracle.matches(*id, haystack).unwrap_or(false)
        });
        let found = self
            .refused
            .iter()
            .filter(|id| self.oracle.matches(**id, haystack).unwrap_or(false));
        hits.extend(found);
    }
}

/// What kind of processor this is: databases and figures are of one kind.
fn processor() -> Vec<u8> {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let told = |line: &&str| line.starts_with("model name") || line.starts_with("flags");
    text.lines()
        .filter(told)
        .take(2)
        .flat_map(str::bytes)
        .collect()
}

/// Octets of a file.
pub(crate) fn size(path: &Path) -> Result<f64> {
    let file = fs::metadata(path).context(path.display().to_string())?;
    Ok(f64::from(u32::try_from(file.len()).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(modes: &str) -> Compiled {
        let cost = Cost {
            checks: 0.0,
            compile: 0.0,
            peak: 0.0,
            modes: modes.to_owned(),
        };
        Compiled::new(PathBuf::new(), cost, &[4, 5, 6], false)
    }

    #[test]
    fn modes_belong_to_rules() {
        let compiled = compiled("npr");
        assert_eq!(
            compiled.modes,
            [(4, Mode::Native), (5, Mode::Prefilter), (6, Mode::Refused)]
        );
        assert_eq!(compiled.count(Mode::Prefilter), 1);
    }

    #[test]
    fn confirms_make_the_answer_right() {
        let rule = |expression: &str| Rule {
            name: String::new(),
            scope: "body".to_owned(),
            flags: String::new(),
            expression: expression.as_bytes().to_vec(),
        };
        let rules = [rule("a"), rule("b(?!c)"), rule("(d)\\1")];
        let confirms = compiled("npr").confirms((4..).zip(&rules));
        let mut hits = vec![4, 5];
        confirms.apply(b"a bc dd", &mut hits);
        assert_eq!(hits, [4, 6]);
        let mut hits = vec![5];
        confirms.apply(b"bd", &mut hits);
        assert_eq!(hits, [5]);
    }
}
