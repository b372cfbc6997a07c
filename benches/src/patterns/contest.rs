//! One set of rules, our engine and its peers: compiled, loaded, scanned in turn, changed.

#![expect(
    clippy::disallowed_methods,
    reason = "writes rules and haystacks for the probe"
)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use patterns::{Database, Scratch};
use probe::hyperscan::Mode;
use probe::rules::{self, Numbered, Rule};
use probe::stream::Stream;
use tempfile::TempDir;

use super::child::{Answer, Probe, file, pair};
use super::peer::{Compiled, Kept, Peer};
use super::rounds::Rounds;
use super::scopes::Streams;
use super::{agreement, oracle};
use crate::error::{Context as _, Error, Result};
use crate::report::{Better, Report, Samples, progress};

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Rounds of scans.
    pub(crate) scans: u32,
    /// CPU time one sample of a scan lasts at least.
    pub(crate) sample: Duration,
    /// Rounds of loading.
    pub(crate) loads: u32,
    /// Rounds of changing one rule and, for us, of compiling.
    pub(crate) changes: u32,
    /// Whether peers' databases of earlier runs will do.
    pub(crate) kept: Kept,
}

/// What all contests of a run have in common.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) cache: PathBuf,
    pub(crate) directory: TempDir,
    pub(crate) probe: Probe,
    /// At least one; the first is the one whose figures have the plain names.
    pub(crate) peers: Vec<Peer>,
    pub(crate) plan: Plan,
}

/// A set of rules and the text it is tried on.
#[derive(Debug)]
pub(crate) struct Contest<'a> {
    pub(crate) workshop: &'a Workshop,
    /// Behind the name of each metric.
    pub(crate) suffix: &'a str,
    pub(crate) rules: Vec<Rule>,
    pub(crate) streams: &'a Streams,
    /// What PCRE2 is asked about; the scopes are those of `streams`.
    pub(crate) checked: &'a Streams,
}

/// One scope of the rules on all sides.
#[derive(Debug)]
pub(crate) struct ScopeFiles<'a> {
    pub(crate) name: &'a str,
    pub(crate) stream: &'a Stream,
    pub(crate) rules: Vec<Numbered<'a>>,
    /// In the order of the workshop's peers.
    pub(crate) peers: Vec<Compiled>,
}

impl<'a> Contest<'a> {
    /// Keeps the rules whose scope has any text.
    pub(crate) fn new(
        workshop: &'a Workshop,
        suffix: &'a str,
        rules: Vec<Rule>,
        (streams, checked): (&'a Streams, &'a Streams),
    ) -> Self {
        let all = rules.len();
        let rules: Vec<Rule> = rules
            .into_iter()
            .filter(|rule| streams.contains_key(&rule.scope))
            .collect();
        if rules.len() < all {
            let without = all - rules.len();
            progress(&format!("{without} rules look at text that no message has"));
        }
        Self {
            workshop,
            suffix,
            rules,
            streams,
            checked,
        }
    }

    /// Measures everything, adds the figures to `report` and gives the number of wrong answers.
    pub(crate) fn run(&self, report: &mut Report) -> Result<usize> {
        let file = self.path("ours", "database");
        let ours = self.compile_ours(&file)?;
        let scopes = self.compile_theirs()?;
        self.compiled(report, &ours, &scopes);
        self.sizes(report, &file, &scopes)?;
        self.memory(report, &file, &scopes)?;
        let database = Database::open(&file).map_err(engine)?;
        let wrong = self.check(&database, &scopes)?;
        let rounds = Rounds::new(self, &scopes, &file, &database);
        rounds.load(report)?;
        rounds.change(report)?;
        rounds.scan(report)?;
        Ok(wrong)
    }

    /// The peer whose figures have the plain names.
    pub(crate) fn peer(&self) -> Result<&'a Peer> {
        let first = self.workshop.peers.first();
        first.ok_or_else(|| Error::Missing("no peer".to_owned()))
    }

    fn path(&self, name: &str, extension: &str) -> PathBuf {
        let directory = self.workshop.directory.path();
        file(directory, &format!("{name}{}", self.suffix), extension)
    }

    /// Adds a metric with this contest's suffix; `unit` says what is better.
    pub(crate) fn add(
        &self,
        report: &mut Report,
        (name, unit): (&str, &'static str),
        (ours, peer): (Vec<f64>, Vec<f64>),
    ) {
        let better = if unit.starts_with("MB/") {
            Better::More
        } else {
            Better::Less
        };
        let samples = Samples { ours, peer };
        report.add(&format!("{name}{}", self.suffix), unit, better, &samples);
    }

    /// Compiles with our engine; seconds and peaks of memory.
    fn compile_ours(&self, out: &Path) -> Result<(Vec<f64>, Vec<f64>)> {
        let table = self.path("rules", "tsv");
        fs::write(&table, rules::write(&self.rules)).context("the table of rules")?;
        let arguments = ["ours".as_ref(), table.as_os_str(), out.as_os_str()];
        let (mut seconds, mut peaks) = (Vec::new(), Vec::new());
        for round in 0..self.workshop.plan.changes.max(1) {
            let text = self.workshop.probe.output("compile", arguments)?;
            let refusals = text.lines().filter(|line| line.starts_with("refused "));
            if round == 0 {
                refusals.for_each(|line| progress(&format!("our engine: {line}")));
            }
            let answer = Answer::parse(&text);
            seconds.push(answer.number("compile")?);
            peaks.push(answer.number("peak")?);
        }
        Ok((seconds, peaks))
    }

    fn compile_theirs(&'a self) -> Result<Vec<ScopeFiles<'a>>> {
        let mut scopes = Vec::new();
        for (name, stream) in self.streams {
            let own: Vec<_> = rules::numbered(&self.rules)
                .filter(|(_, rule)| rule.scope == *name)
                .collect();
            if own.is_empty() {
                continue;
            }
            let Workshop { peers, plan, .. } = self.workshop;
            let compiled = peers
                .iter()
                .map(|peer| peer.compile(&self.rules, name, plan.kept))
                .collect::<Result<Vec<_>>>()?;
            for (peer, compiled) in peers.iter().zip(&compiled) {
                let [native, prefilter, refused] =
                    [Mode::Native, Mode::Prefilter, Mode::Refused].map(|mode| compiled.count(mode));
                progress(&format!(
                    "{} {name}: {native} as they are, {prefilter} as prefilters, {refused} refused",
                    peer.name
                ));
            }
            scopes.push(ScopeFiles {
                name,
                stream,
                rules: own,
                peers: compiled,
            });
        }
        Ok(scopes)
    }

    /// `compile`: all patterns together, as the peers do it for all scopes in turn. A peer must
    /// also try each pattern alone, which `compile_checked` contains.
    fn compiled(
        &self,
        report: &mut Report,
        (seconds, peaks): &(Vec<f64>, Vec<f64>),
        scopes: &[ScopeFiles<'_>],
    ) {
        for (at, peer) in self.workshop.peers.iter().enumerate() {
            let costs = || {
                scopes
                    .iter()
                    .filter_map(move |scope| scope.peers.get(at))
                    .map(|compiled| &compiled.cost)
            };
            let recorded = scopes
                .iter()
                .filter_map(|scope| scope.peers.get(at))
                .any(|compiled| compiled.recorded);
            if recorded {
                let name = peer.name;
                progress(&format!(
                    "{name}'s cost of compiling was measured in an earlier run on this machine"
                ));
            }
            let together: f64 = costs().map(|cost| cost.compile).sum();
            let checks: f64 = costs().map(|cost| cost.checks).sum();
            let most = costs().map(|cost| cost.peak).fold(0.0, f64::max);
            for (name, unit, ours, theirs) in [
                ("compile", "CPU s", seconds, together),
                ("compile_checked", "CPU s", seconds, together + checks),
                ("peak_memory_compile", "B", peaks, most),
            ] {
                let name = self.named(name, at);
                self.add(report, (&name, unit), (ours.clone(), vec![theirs]));
            }
        }
    }

    /// The metric's name for the peer at this place: the first has the plain ones.
    pub(crate) fn named(&self, metric: &str, peer: usize) -> String {
        match self.workshop.peers.get(peer) {
            Some(peer) if peer.path != self.first() => format!("{metric}_{}", peer.name),
            _ => metric.to_owned(),
        }
    }

    fn first(&self) -> PathBuf {
        let first = self.workshop.peers.first();
        first.map_or_else(PathBuf::new, |peer| peer.path.clone())
    }

    fn sizes(&self, report: &mut Report, ours: &Path, scopes: &[ScopeFiles<'_>]) -> Result<()> {
        let own = super::peer::size(ours)?;
        for at in 0..self.workshop.peers.len() {
            let theirs = scopes
                .iter()
                .filter_map(|scope| scope.peers.get(at))
                .map(|compiled| super::peer::size(&compiled.file))
                .sum::<Result<f64>>()?;
            let name = self.named("file_size", at);
            self.add(report, (&name, "B"), (vec![own], vec![theirs]));
        }
        Ok(())
    }

    /// The most memory of a process that loads the files of all scopes and scans everything.
    fn memory(&self, report: &mut Report, ours: &Path, scopes: &[ScopeFiles<'_>]) -> Result<()> {
        let mut own: Vec<OsString> = vec!["ours".into(), ours.into()];
        let mut paths = Vec::new();
        for scope in scopes {
            let path = self.path(scope.name, "stream");
            scope.stream.save(&path)?;
            own.push(pair(scope.name, &path));
            paths.push(path);
        }
        let probe = &self.workshop.probe;
        let own = probe.run("memory", own)?.number("peak")?;
        for (at, peer) in self.workshop.peers.iter().enumerate() {
            let mut arguments: Vec<OsString> = vec![peer.path.clone().into()];
            for (scope, path) in scopes.iter().zip(&paths) {
                let compiled = scope.peers.get(at);
                arguments.extend(compiled.map(|compiled| pair(&compiled.file, path)));
            }
            let theirs = probe.run("memory", arguments)?.number("peak")?;
            let name = self.named("peak_memory", at);
            self.add(report, (&name, "B"), (vec![own], vec![theirs]));
        }
        Ok(())
    }

    /// Compares all answers with PCRE2's and the first peer's; gives the number of wrong ones.
    fn check(&self, database: &Database, scopes: &[ScopeFiles<'_>]) -> Result<usize> {
        let mut scratch = Scratch::new(database);
        let mut wrong = 0;
        for scope in scopes {
            let (Some(stream), Some(compiled)) =
                (self.checked.get(scope.name), scope.peers.first())
            else {
                continue;
            };
            let truth = oracle::truth(&self.workshop.cache, &scope.rules, stream)?;
            let theirs = agreement::theirs(&mut self.peer()?.load(&compiled.file)?, stream)?;
            let ours = match database.scope(scope.name) {
                Some(own) => agreement::ours(own, &mut scratch, stream),
                None => Default::default(),
            };
            let findings = agreement::compare(ours, &theirs, &truth, compiled);
            let peer = self.peer()?.name;
            agreement::tell(scope.name, &findings, &truth, &scope.rules, peer);
            wrong += findings.wrong();
        }
        Ok(wrong)
    }
}

/// An error of our engine.
pub(crate) fn engine(error: impl std::fmt::Display) -> Error {
    Error::Engine(error.to_string())
}
