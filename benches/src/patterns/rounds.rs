//! What is measured in turns, in this process: scans, loading, and changing one rule.
//!
//! Time of scans and changes is CPU time, which other programs on the machine disturb least; loading
//! is measured by the clock on the wall, because it waits for files.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use patterns::{Compiler, Database, PatternSet, Scope, Scratch};
use probe::hyperscan::{self, Mode};
use probe::rules::{self, Rule};
use probe::stream::Stream;
use probe::usage;

use super::contest::{Contest, Plan, ScopeFiles, engine};
use super::peer::{Confirms, Kept};
use crate::error::Result;
use crate::report::{Report, progress};
use crate::statistics::repetitions;

/// What is given to an engine first after it was loaded.
const FIRST: &[u8] = b"Dear friend, this is a short text to begin with.\n";
/// Repetitions of a scan within one sample.
const MOST_REPETITIONS: u32 = 10_000;
/// Rules of a scope that has a line of its own; the others are in the sum only.
const LISTED: usize = 10;
/// What a changed rule matches in addition, with the number of the change behind it.
const ADDITION: &str = "|zyzzyva";
/// The distance between the rules that are changed: a prime, so that they are of all kinds.
const STRIDE: usize = 97;

/// One of those who scan a scope.
enum Contender<'a> {
    Ours(Option<Scope<'a>>),
    /// A peer by its place, alone.
    Alone(usize, hyperscan::Database),
    /// The same with what makes its answer right.
    Confirmed(usize, hyperscan::Database, Confirms),
}

/// A contender and the CPU seconds that each round took it for one pass over the stream.
struct Turn<'a> {
    contender: Contender<'a>,
    repetitions: u32,
    seconds: Vec<f64>,
}

impl<'a> Turn<'a> {
    fn new(contender: Contender<'a>) -> Self {
        Self {
            contender,
            repetitions: 1,
            seconds: Vec::new(),
        }
    }
}

/// A scope and everybody who scans it.
struct Lane<'a> {
    name: &'a str,
    rules: usize,
    stream: &'a Stream,
    turns: Vec<Turn<'a>>,
}

/// Which of the contenders a figure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Ours,
    Alone(usize),
    Confirmed(usize),
}

impl Contender<'_> {
    fn who(&self) -> Who {
        match self {
            Self::Ours(_) => Who::Ours,
            Self::Alone(at, _) => Who::Alone(*at),
            Self::Confirmed(at, ..) => Who::Confirmed(*at),
        }
    }
}

impl Lane<'_> {
    /// Whether the scope has a line of its own for `who`: it has enough rules, and a peer's
    /// confirms are told where there are any.
    fn listed(&self, who: Who) -> bool {
        self.rules >= LISTED && self.turns.iter().any(|turn| turn.contender.who() == who)
    }

    /// The seconds of each round; a peer without need of confirms takes the same time alone.
    fn seconds(&self, who: Who) -> &[f64] {
        let of = |who| self.turns.iter().find(|turn| turn.contender.who() == who);
        let turn = of(who).or_else(|| match who {
            Who::Confirmed(at) => of(Who::Alone(at)),
            _ => None,
        });
        turn.map_or(&[], |turn| &turn.seconds)
    }

    /// Megabytes per CPU second of each round.
    fn rates(&self, who: Who) -> Vec<f64> {
        let size = megabytes(self.stream.size());
        self.seconds(who).iter().map(|time| size / time).collect()
    }
}

/// See the module.
pub(crate) struct Rounds<'a> {
    contest: &'a Contest<'a>,
    scopes: &'a [ScopeFiles<'a>],
    file: &'a Path,
    database: &'a Database,
    plan: Plan,
}

impl<'a> Rounds<'a> {
    /// Measures with our database in `file`, which `database` has open.
    pub(crate) fn new(
        contest: &'a Contest<'a>,
        scopes: &'a [ScopeFiles<'a>],
        file: &'a Path,
        database: &'a Database,
    ) -> Self {
        Self {
            contest,
            scopes,
            file,
            database,
            plan: contest.workshop.plan,
        }
    }

    /// From files to the end of the first scan in each scope: `load`.
    pub(crate) fn load(&self, report: &mut Report) -> Result<()> {
        let peers = &self.contest.workshop.peers;
        let mut ours = Vec::new();
        let mut theirs = vec![Vec::new(); peers.len()];
        for _ in 0..self.plan.loads {
            let start = Instant::now();
            let loaded = self.load_ours()?;
            ours.push(milliseconds(start.elapsed()));
            drop(loaded);
            for (at, times) in theirs.iter_mut().enumerate() {
                let start = Instant::now();
                let loaded = self.load_theirs(at)?;
                times.push(milliseconds(start.elapsed()));
                drop(loaded);
            }
        }
        for (at, times) in theirs.into_iter().enumerate() {
            let name = self.contest.named("load", at);
            self.contest
                .add(report, (&name, "ms"), (ours.clone(), times));
        }
        Ok(())
    }

    fn load_ours(&self) -> Result<(Database, Scratch)> {
        let database = Database::open(self.file).map_err(engine)?;
        let mut scratch = Scratch::new(&database);
        for scope in self.scopes {
            if let Some(scope) = database.scope(scope.name) {
                scope.scan(&mut scratch, FIRST, |_| ControlFlow::Continue(()));
            }
        }
        Ok((database, scratch))
    }

    fn load_theirs(&self, at: usize) -> Result<Vec<hyperscan::Database>> {
        let mut hits = Vec::new();
        let mut loaded = Vec::new();
        for scope in self.scopes {
            let Some((peer, compiled)) =
                self.contest.workshop.peers.get(at).zip(scope.peers.get(at))
            else {
                continue;
            };
            let mut database = peer.load(&compiled.file)?;
            database.scan(FIRST, &mut hits)?;
            loaded.push(database);
        }
        Ok(loaded)
    }

    /// One rule changes and is live, in memory: `edit_one_rule`.
    pub(crate) fn change(&self, report: &mut Report) -> Result<()> {
        let Some(scope) = self.scopes.iter().max_by_key(|scope| scope.rules.len()) else {
            return Ok(());
        };
        let mut ours = Vec::new();
        for round in 0..self.plan.changes {
            let (rules, _) = changed(&self.contest.rules, scope, round);
            let table = rules::write(&rules);
            let before = usage::process();
            let (set, _names) = PatternSet::read_tsv(&table).map_err(engine)?;
            let compiled = Compiler::new().compile(&set, Some(self.database));
            let mut scratch = Scratch::new(&compiled.database);
            if let Some(scope) = compiled.database.scope(scope.name) {
                scope.scan(&mut scratch, FIRST, |_| ControlFlow::Continue(()));
            }
            ours.push(usage::process().saturating_sub(before).as_secs_f64());
        }
        let name = if self.contest.suffix.is_empty() {
            "edit_one_rule"
        } else {
            "edit"
        };
        for at in 0..self.contest.workshop.peers.len() {
            let theirs = self.change_theirs(scope, at)?;
            let name = self.contest.named(name, at);
            self.contest
                .add(report, (&name, "CPU s"), (ours.clone(), vec![theirs]));
        }
        Ok(())
    }

    /// A peer compiles all rules of the scope again; where databases may be kept, the time is the
    /// one that their first compilation took.
    fn change_theirs(&self, scope: &ScopeFiles<'_>, at: usize) -> Result<f64> {
        let workshop = self.contest.workshop;
        let (Some(peer), Some(compiled)) = (workshop.peers.get(at), scope.peers.get(at)) else {
            return Ok(0.0);
        };
        if self.plan.kept == Kept::Allowed {
            progress(&format!(
                "a change of one rule costs {} what compiling {} cost",
                peer.name, scope.name
            ));
            return Ok(compiled.cost.compile);
        }
        let (rules, number) = changed(&self.contest.rules, scope, 0);
        let cost = peer.recompile(&rules, number, compiled)?;
        Ok(cost.checks + cost.compile)
    }

    /// Everybody scans everything in turn: `scan_SCOPE` for scopes with many rules, with `_confirmed`
    /// behind the name when the peer does what a right answer needs, and `scan` over all scopes.
    pub(crate) fn scan(&self, report: &mut Report) -> Result<()> {
        let mut scratch = Scratch::new(self.database);
        let mut lanes = self
            .scopes
            .iter()
            .map(|scope| self.lane(scope))
            .collect::<Result<Vec<_>>>()?;
        let target = self.plan.sample.as_secs_f64();
        for lane in &mut lanes {
            for turn in &mut lane.turns {
                let once = time(&mut turn.contender, &mut scratch, lane.stream, 1)?;
                turn.repetitions = repetitions(once, target, MOST_REPETITIONS);
            }
        }
        for round in 0..self.plan.scans {
            progress(&format!("round {} of {}", round + 1, self.plan.scans));
            for lane in &mut lanes {
                for turn in &mut lane.turns {
                    let count = turn.repetitions;
                    let seconds = time(&mut turn.contender, &mut scratch, lane.stream, count)?;
                    turn.seconds.push(seconds);
                }
            }
        }
        self.report_scans(report, &lanes);
        Ok(())
    }

    fn lane(&self, scope: &'a ScopeFiles<'a>) -> Result<Lane<'a>> {
        let ours = Contender::Ours(self.database.scope(scope.name));
        let mut turns = vec![Turn::new(ours)];
        let peers = &self.contest.workshop.peers;
        for (at, (peer, compiled)) in peers.iter().zip(&scope.peers).enumerate() {
            let database = peer.load(&compiled.file)?;
            turns.push(Turn::new(Contender::Alone(at, database)));
            if compiled.count(Mode::Native) < compiled.modes.len() {
                let database = peer.load(&compiled.file)?;
                let confirms = compiled.confirms(scope.rules.iter().copied());
                turns.push(Turn::new(Contender::Confirmed(at, database, confirms)));
            }
        }
        Ok(Lane {
            name: scope.name,
            rules: scope.rules.len(),
            stream: scope.stream,
            turns,
        })
    }

    fn report_scans(&self, report: &mut Report, lanes: &[Lane<'_>]) {
        let sides = |at| [("", Who::Alone(at)), ("_confirmed", Who::Confirmed(at))];
        for at in 0..self.contest.workshop.peers.len() {
            for (suffix, who) in sides(at) {
                for lane in lanes.iter().filter(|lane| lane.listed(who)) {
                    let scope: String = lane
                        .name
                        .chars()
                        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                        .collect();
                    let name = self.contest.named(&format!("scan_{scope}"), at);
                    let name = format!("{name}{suffix}");
                    let figures = (lane.rates(Who::Ours), lane.rates(who));
                    self.contest.add(report, (&name, "MB/CPU s"), figures);
                }
                let name = format!("{}{suffix}", self.contest.named("scan", at));
                let figures = (total(lanes, Who::Ours), total(lanes, who));
                self.contest.add(report, (&name, "MB/CPU s"), figures);
            }
        }
    }
}

/// Megabytes per CPU second over all lanes, for each round.
fn total(lanes: &[Lane<'_>], who: Who) -> Vec<f64> {
    let size = megabytes(lanes.iter().map(|lane| lane.stream.size()).sum());
    let rounds = lanes.iter().map(|lane| lane.seconds(who).len()).min();
    (0..rounds.unwrap_or(0))
        .map(|round| {
            let times = lanes.iter().filter_map(|lane| lane.seconds(who).get(round));
            size / times.sum::<f64>()
        })
        .collect()
}

/// CPU seconds of one pass over the stream, as the mean of `repetitions`.
fn time(
    contender: &mut Contender<'_>,
    scratch: &mut Scratch,
    stream: &Stream,
    repetitions: u32,
) -> Result<f64> {
    let mut hits = Vec::new();
    let before = usage::thread();
    for _ in 0..repetitions {
        for haystack in stream.haystacks() {
            hits.clear();
            match contender {
                Contender::Ours(None) => {}
                Contender::Ours(Some(scope)) => {
                    scope.scan(scratch, haystack, |id| {
                        hits.push(id);
                        ControlFlow::Continue(())
                    });
                }
                Contender::Alone(_, database) => database.scan(haystack, &mut hits)?,
                Contender::Confirmed(_, database, confirms) => {
                    database.scan(haystack, &mut hits)?;
                    confirms.apply(haystack, &mut hits);
                }
            }
            std::hint::black_box(&hits);
        }
    }
    let spent = usage::thread().saturating_sub(before).as_secs_f64();
    Ok(spent / f64::from(repetitions.max(1)))
}

/// The rules after the change number `round` of one that the peers take as it is, and its number.
fn changed(rules: &[Rule], scope: &ScopeFiles<'_>, round: u32) -> (Vec<Rule>, u32) {
    let taken = |id: u32| {
        scope
            .peers
            .iter()
            .all(|peer| peer.modes.contains(&(id, Mode::Native)))
    };
    let fitting: Vec<u32> = scope
        .rules
        .iter()
        .filter(|(id, rule)| !rule.has('x') && taken(*id))
        .map(|(id, _)| *id)
        .collect();
    let step = usize::try_from(round).unwrap_or(0) + 1;
    let place = (step * STRIDE).checked_rem(fitting.len()).unwrap_or(0);
    let number = fitting.get(place).copied().unwrap_or(0);
    let mut rules = rules.to_vec();
    let rule = usize::try_from(number)
        .ok()
        .and_then(|at| rules.get_mut(at));
    if let Some(rule) = rule {
        let addition = format!("{ADDITION}{round}");
        rule.expression.extend_from_slice(addition.as_bytes());
    }
    (rules, number)
}

fn megabytes(size: usize) -> f64 {
    f64::from(u32::try_from(size).unwrap_or(u32::MAX)) / 1e6
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::peer::{Compiled, Cost};
    use super::*;

    fn lane(stream: &Stream, seconds: [f64; 2]) -> Lane<'_> {
        let mut turn = Turn::new(Contender::Ours(None));
        turn.seconds = seconds.to_vec();
        Lane {
            name: "body",
            rules: 1,
            stream,
            turns: vec![turn],
        }
    }

    #[test]
    fn rates_are_octets_by_time() {
        let mut stream = Stream::default();
        stream.push(0, &[b'x'; 1_000_000]);
        let lanes = [lane(&stream, [1.0, 0.25]), lane(&stream, [1.0, 0.75])];
        assert_eq!(lanes[0].rates(Who::Ours), [1.0, 4.0]);
        assert_eq!(total(&lanes, Who::Ours), [1.0, 2.0]);
        assert!(total(&lanes, Who::Alone(0)).is_empty());
    }

    #[test]
    fn another_rule_changes_each_time() {
        let rules: Vec<Rule> = (0..3)
            .map(|number| Rule {
                name: format!("R{number}"),
                scope: "body".to_owned(),
                flags: String::new(),
                expression: b"a".to_vec(),
            })
            .collect();
        let cost = Cost {
            checks: 0.0,
            compile: 0.0,
            peak: 0.0,
            modes: String::new(),
        };
        let stream = Stream::default();
        let scope = ScopeFiles {
            name: "body",
            stream: &stream,
            rules: rules::numbered(&rules).collect(),
            peers: vec![Compiled {
                file: PathBuf::new(),
                cost,
                modes: vec![(0, Mode::Native), (1, Mode::Prefilter), (2, Mode::Native)],
                recorded: false,
            }],
        };
        let (first, first_number) = changed(&rules, &scope, 0);
        let (_, second_number) = changed(&rules, &scope, 1);
        assert_eq!((first_number, second_number), (2, 0));
        assert_eq!(first[2].expression, b"a|zyzzyva0");
        assert_eq!(first[1], rules[1]);
    }
}
