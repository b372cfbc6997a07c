//! Judging a message, step by step.
//!
//! ```text
//! read     facts, patterns, lists, tokens       computation: inline, or on a thread when it is long
//! ask      name servers, virus scanner, memory  waiting: all at once, each with its deadline
//! weigh    maps, then rules, then thresholds    computation
//! settle   reputation, autolearn                after the reply, in the background
//! ```

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ambient::Clock;
use antivirus::{Antivirus, OnFailure, Scanned};
use blocklist::Blocklist;
use bytes::Bytes;
use learn::{Learn, Owner, Tokens};
use mail::Opinion;
use parsebox::{Answer, Parsebox};
use policy::{Effect, Forwarding, Policy, Snapshot};
use rules::{Conclusion, Known, Prefilter, RuleSet, Scan, Workspace};
use smtp::address::Domain;
use store::{AccountId, Db};
use tokio::task::JoinError;

use crate::builtin;
use crate::facts::{Facts, Parts, Setting};
use crate::input::{Input, Origin};
use crate::memory::{Lesson, Material, Memory, Recalled, Teaching};
use crate::personal::Personal;
use crate::rulebook::{LayerStatus, Rulebook, RulebookError, Rules, RulesStatus};
use crate::signal::{Scope, Signal, Signals};
use crate::verdict::{Action, Evidence, Override, Thresholds, Timing, Verdict};

/// Octets of a message from which on it is read on a thread of its own.
const INLINE: usize = 64 * 1024;
/// How long a message waits for the first rules after a start.
const PATIENCE: Duration = Duration::from_secs(60);
/// Workspaces that are kept for the next messages.
const MAX_IDLE: usize = 16;

/// Numbers that an operator sets.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// Thresholds of recipients that have none of their own.
    pub thresholds: Thresholds,
    /// What stands before a rewritten subject where nobody says otherwise.
    pub subject_prefix: String,
    /// Whether verdicts teach the classifier.
    pub autolearn: bool,
    /// From this score on they teach spam.
    pub learn_spam: f32,
    /// Up to this score they teach good mail.
    pub learn_ham: f32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            subject_prefix: "[SPAM] ".to_owned(),
            autolearn: true,
            learn_spam: 12.0,
            learn_ham: -4.5,
        }
    }
}

/// What a filter works with.
#[derive(Debug)]
pub struct Options {
    /// Our name, for the hop from the client.
    pub hostname: Domain,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where what was learned is kept.
    pub db: Db,
    /// What users and administrators say.
    pub policy: Policy,
    /// What was learned.
    pub learn: Learn,
    /// Name servers; `None` asks nobody.
    pub blocklist: Option<Blocklist>,
    /// The virus scanner.
    pub antivirus: Option<(Antivirus, OnFailure)>,
    /// Who reads pages and attachments.
    pub parsers: Parsebox,
    /// The directory of compiled patterns; without it nothing outlives the process.
    pub cache: Option<PathBuf>,
    /// Numbers.
    pub tuning: Tuning,
}

/// The filter. One for the whole server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Filter(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) memory: Memory,
    rulebook: Arc<Rulebook>,
    idle: Mutex<Vec<Workspace>>,
    /// The revision of the policy whose maps and rule sets are in force.
    applied: tokio::sync::Mutex<u64>,
}

/// A verdict, and what becomes of it once the message's fate is sealed.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The message could not be looked at as the operator wants it: the sender is to come again.
    pub must_wait: bool,
    /// The message belongs to monitoring: it stays out of records, logs and statistics.
    pub is_quiet: bool,
    /// What stands before the subject when it is rewritten.
    pub subject_prefix: String,
    pub(crate) lesson: Lesson,
}

/// What was read of a message; owned, so that it outlives the facts.
struct Reading {
    signals: Signals,
    maps: Scan,
    sets: Scan,
    tokens: Tokens,
    question: crate::memory::Question,
    timing: Timing,
}

impl Filter {
    /// A filter with the rules that the policy has now; does not wait for compilers.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(options: Options) -> std::io::Result<Self> {
        let snapshot = options.policy.snapshot();
        let rulebook = Arc::new(Rulebook::new(options.cache.clone()));
        // The thread ends by itself; whoever needs its rules waits for them.
        drop(rulebook.start(sets(&snapshot), Arc::clone(snapshot.map_rules()))?);
        let memory = Memory::new(options.learn.clone());
        Ok(Self(Arc::new(Inner {
            memory,
            rulebook,
            idle: Mutex::default(),
            applied: tokio::sync::Mutex::new(snapshot.rules_revision()),
            options,
        })))
    }

    /// What the filter works with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Waits until the first rules are in force; false when they are not within `patience`.
    pub async fn ready(&self, patience: Duration) -> bool {
        self.0.rulebook.ready(patience).await.is_some()
    }

    /// What is in force.
    #[must_use]
    pub fn rules_status(&self) -> RulesStatus {
        self.0.rulebook.status()
    }

    /// Puts the maps and rule sets in force that the policy has now, and says which revision that
    /// is. What is in force stays when they cannot be used.
    ///
    /// # Errors
    /// The rules contradict themselves or cannot be compiled.
    pub async fn refresh(&self) -> Result<(u64, Vec<LayerStatus>), RulebookError> {
        let inner = &self.0;
        // One after the other: a later one has everything that an earlier one wanted. The first
        // rules are older than any of these, and must not come into force after them.
        let mut applied = inner.applied.lock().await;
        inner.rulebook.started().await;
        let snapshot = inner.options.policy.snapshot();
        let rulebook = Arc::clone(&inner.rulebook);
        let wanted = snapshot.rules_revision();
        if *applied == wanted && rulebook.current().is_some() {
            return Ok((rulebook.status().revision, Vec::new()));
        }
        let work = move || -> Result<Vec<LayerStatus>, RulebookError> {
            let maps = rulebook.replace_maps(snapshot.map_rules())?;
            let sets = rulebook.replace_sets(&sets(&snapshot))?;
            Ok([maps, sets].into_iter().flatten().collect())
        };
        let changed = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| RulebookError::Patterns(error.to_string()))??;
        *applied = wanted;
        Ok((inner.rulebook.status().revision, changed))
    }

    /// Follows changes of the policy that others make, until the process ends.
    pub async fn follow(self) {
        let mut changes = self.0.options.db.hub().policy();
        self.ready(PATIENCE).await;
        loop {
            if let Err(error) = self.refresh().await {
                tracing::error!(%error, "changed rules cannot be used; those before stay in force");
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// The verdict on one message.
    pub async fn judge(&self, input: &Input) -> Judged {
        let started = Instant::now();
        let inner = &self.0;
        let snapshot = inner.options.policy.snapshot();
        let rules = inner.rulebook.ready(PATIENCE).await;
        let mut reading = self.read(input, rules.clone(), &snapshot).await;
        let waiting = Instant::now();
        let question = &reading.question;
        let (network, virus, recalled) = tokio::join!(
            inner.ask_network(input, question),
            inner.ask_antivirus(input),
            inner.memory.recall(input, question, &reading.tokens),
        );
        let waited = micros(waiting);
        let personal = Personal::of(&snapshot, input, &question.authors);
        let mut signals = std::mem::take(&mut reading.signals);
        let must_wait = note_virus(virus, &mut signals);
        note_network(network, &snapshot, &mut signals);
        recalled.note(&mut signals);
        let concluded = conclude(rules.as_deref(), &reading, &mut signals);
        let mut decided = concluded.decided;
        if personal.forwarding == Some(Forwarding::Unfiltered) {
            signals.add(
                "FORWARDING_HOST",
                0.0,
                "a forwarding host's mail is not filtered",
            );
            decided = Some(Override::Accept);
        }
        for signal in personal.signals.iter().cloned() {
            signals.push(signal);
        }
        let mut verdict = Verdict::weigh(
            input,
            Evidence {
                signals: signals.into_vec(),
                correction: concluded.correction,
                decided,
                thresholds: inner.options.tuning.thresholds,
                own: personal.thresholds.clone(),
                revision: rules.as_ref().map_or(0, |rules| rules.revision),
            },
        );
        personal.apply(&mut verdict);
        let is_quiet = verdict
            .signals
            .iter()
            .any(|signal| snapshot.effect(&signal.symbol) == Some(Effect::NoLog));
        if verdict.action == Action::Greylist {
            inner.greylist(input, &personal, &mut verdict).await;
        }
        let lesson = Lesson::new(input, reading.question, reading.tokens, &verdict)
            .with_traps(&personal.traps);
        verdict.timing = Timing {
            facts: reading.timing.facts,
            rules: reading.timing.rules,
            waiting: waited,
            total: micros(started),
        };
        Judged {
            verdict,
            must_wait,
            is_quiet,
            subject_prefix: inner.options.tuning.subject_prefix.clone(),
            lesson,
        }
    }

    /// Lets what was decided teach: call it once the message has been accepted or refused. Returns
    /// at once; what is lost in a crash is one message's worth of experience.
    pub fn settle(&self, judged: Judged) {
        let filter = self.clone();
        tokio::spawn(async move { filter.learn_from(judged).await });
    }

    async fn learn_from(&self, judged: Judged) {
        let tuning = &self.0.options.tuning;
        let memory = &self.0.memory;
        memory.settle(&judged.lesson, tuning, &judged.verdict).await;
    }

    /// Teaches what a message is, for an account or for everybody. `raw` is the message as it is
    /// stored: what servers added to its header makes no difference.
    ///
    /// # Errors
    /// Those of the memory.
    pub async fn teach(
        &self,
        account: Option<AccountId>,
        opinion: Opinion,
        raw: Bytes,
    ) -> Result<Teaching, learn::Error> {
        let cut = |_| learn::Error::Cut;
        let input = tokio::task::spawn_blocking(move || Input::stored(raw));
        let input = input.await.map_err(cut)?;
        let read = self.open(&input).await.map_err(cut)?;
        let filter = self.clone();
        let material = tokio::task::spawn_blocking(move || {
            let setting = Setting {
                hostname: &filter.0.options.hostname,
                now: 0,
                is_own: |_| false,
            };
            Material::of(&Facts::read(&input, read, setting))
        });
        let material = material.await.map_err(cut)?;
        let owner = account.map_or(Owner::Global, Owner::Account);
        self.0
            .memory
            .teach_material(owner, opinion, &material)
            .await
    }

    /// Checks a rule set as it would stand beside those in force, without storing it.
    ///
    /// # Errors
    /// What is wrong with it, with line and column where there is one.
    pub fn check(&self, name: &str, toml: &str) -> Result<(), RulebookError> {
        let mut new = RuleSet::parse(toml).map_err(|error| RulebookError::Rules(vec![error]))?;
        name.clone_into(&mut new.name);
        let snapshot = self.0.options.policy.snapshot();
        let mut sets = sets(&snapshot);
        sets.retain(|set| set.name != name);
        sets.push(Arc::new(new));
        let current = self.0.rulebook.current();
        let previous = current.as_ref().map(|rules| &rules.sets.database);
        crate::rulebook::check(&sets, previous)
    }

    /// Decodes the parts of a message and has them read.
    pub(crate) async fn open(&self, input: &Input) -> Result<(Parts, Answer), JoinError> {
        let owned = input.clone();
        let decode = move || Parts::decode(&owned.raw, &owned.summary.structure);
        let (parts, job) = compute(input, decode).await?;
        Ok((parts, self.0.options.parsers.read(job).await))
    }

    async fn read(
        &self,
        input: &Input,
        rules: Option<Arc<Rules>>,
        policy: &Arc<Snapshot>,
    ) -> Reading {
        self.try_read(input, rules, policy)
            .await
            .unwrap_or_else(|error| {
                // A fault of ours must not cost anybody a message.
                tracing::error!(%error, "a message could not be read by the filter");
                Reading::nothing()
            })
    }

    async fn try_read(
        &self,
        input: &Input,
        rules: Option<Arc<Rules>>,
        policy: &Arc<Snapshot>,
    ) -> Result<Reading, JoinError> {
        let started = Instant::now();
        let read = self.open(input).await?;
        let (filter, owned, policy) = (self.clone(), input.clone(), Arc::clone(policy));
        let opening = micros(started);
        let conclude = move || filter.0.read(&owned, read, rules.as_deref(), &policy);
        let mut reading = compute(input, conclude).await?;
        reading.timing.facts += opening;
        Ok(reading)
    }
}

/// Computes something about a message: on a thread of its own if that takes long.
async fn compute<T: Send + 'static>(
    about: &Input,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    if about.raw.len() <= INLINE {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await
}

/// The built-in rules and those of administrators.
fn sets(snapshot: &Snapshot) -> Vec<Arc<RuleSet>> {
    static BUILTIN: OnceLock<Vec<Arc<RuleSet>>> = OnceLock::new();
    let builtin = BUILTIN.get_or_init(|| rules::builtin().iter().cloned().map(Arc::new).collect());
    builtin
        .iter()
        .chain(snapshot.rule_sets())
        .map(Arc::clone)
        .collect()
}

impl Reading {
    fn nothing() -> Self {
        let mut signals = Signals::default();
        signals.add(
            "FILTER_FAILED",
            0.0,
            "the filter could not read the message",
        );
        Self {
            signals,
            maps: Scan::default(),
            sets: Scan::default(),
            tokens: Tokens::default(),
            question: crate::memory::Question::default(),
            timing: Timing::default(),
        }
    }
}

impl Inner {
    /// Everything that needs nothing but the message and what was found in its parts.
    fn read(
        &self,
        input: &Input,
        read: (Parts, Answer),
        rules: Option<&Rules>,
        policy: &Snapshot,
    ) -> Reading {
        let started = Instant::now();
        let now = input
            .received_at
            .unwrap_or_else(|| self.options.clock.now().0);
        let setting = Setting {
            hostname: &self.options.hostname,
            now,
            is_own: |address| policy.is_own_network(address),
        };
        let facts = Facts::read(input, read, setting);
        let mut signals = Signals::default();
        builtin::collect(input, facts.defects(), &mut signals);
        if facts.over_budget() {
            signals.add(
                "BUDGET_EXCEEDED",
                0.0,
                "too large or too deep to be looked at in full",
            );
        }
        if facts.lost > 0 {
            signals.add(
                "PARSER_LOST",
                LOST_SCORE,
                "a part of the message ended the process that read it",
            );
        }
        let tokens = crate::tokens::of(&facts);
        let question = crate::memory::Question::of(&facts);
        let facts_took = micros(started);
        let scanning = Instant::now();
        let (maps, sets) = match rules {
            Some(rules) => {
                let mut workspace = self.workspace(rules);
                let maps = rules
                    .maps
                    .book
                    .scan(&rules.maps.database, &mut workspace, &facts);
                let sets = rules
                    .sets
                    .book
                    .scan(&rules.sets.database, &mut workspace, &facts);
                self.put_back(workspace);
                (maps, sets)
            }
            None => {
                signals.add("RULES_MISSING", 0.0, "no rules were in force");
                (Scan::default(), Scan::default())
            }
        };
        Reading {
            signals,
            maps,
            sets,
            tokens,
            question,
            timing: Timing {
                facts: facts_took,
                rules: micros(scanning),
                ..Timing::default()
            },
        }
    }

    fn workspace(&self, rules: &Rules) -> Workspace {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        idle.unwrap_or_else(|| Workspace::new(&rules.sets.database))
    }

    fn put_back(&self, workspace: Workspace) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(workspace);
        }
    }

    async fn ask_network(
        &self,
        input: &Input,
        question: &crate::memory::Question,
    ) -> Option<blocklist::Answer> {
        let blocklist = self.options.blocklist.as_ref()?;
        if input.origin == Origin::Authenticated {
            return None;
        }
        Some(question.ask(blocklist, input).await)
    }

    async fn ask_antivirus(&self, input: &Input) -> Option<Result<Scanned, (String, OnFailure)>> {
        let (antivirus, on_failure) = self.options.antivirus.as_ref()?;
        let scanned = antivirus.scan(&input.raw).await;
        Some(scanned.map_err(|error| (error.to_string(), *on_failure)))
    }

    async fn greylist(&self, input: &Input, personal: &Personal, verdict: &mut Verdict) {
        // Forwarding hosts have their own queue and come back anyway, with everybody's mail.
        let spared = personal.forwarding.is_some()
            || input.client_is_near()
            || self.options.policy.snapshot().is_own_network(input.ip);
        if spared
            || self
                .memory
                .greylisted(input, self.options.clock.now())
                .await
        {
            verdict.pass_greylist();
        }
    }
}

/// What the virus scanner said; whether the message has to wait.
fn note_virus(answer: Option<Result<Scanned, (String, OnFailure)>>, signals: &mut Signals) -> bool {
    match answer {
        None | Some(Ok(Scanned::Clean)) => false,
        Some(Ok(Scanned::Infected { name })) => {
            signals.push(
                Signal::new("CLAM_VIRUS", VIRUS_SCORE, "the virus scanner knows this").with(name),
            );
            false
        }
        Some(Err((reason, on_failure))) => {
            tracing::warn!(reason, "a message was not scanned for viruses");
            signals.push(
                Signal::new("CLAM_VIRUS_FAIL", 0.0, "the virus scanner did not answer")
                    .with(reason),
            );
            on_failure == OnFailure::Defer
        }
    }
}

/// Mail that breaks readers is seldom meant well; a fault of ours must not get it refused.
const LOST_SCORE: f32 = 4.0;

/// A virus is refused whatever else is known, unless the sender is welcome.
const VIRUS_SCORE: f32 = 2_000.0;

fn note_network(answer: Option<blocklist::Answer>, policy: &Snapshot, signals: &mut Signals) {
    let Some(answer) = answer else { return };
    for found in answer.signals {
        signals.push(Signal {
            symbol: found.symbol.into(),
            score: found.score,
            description: found.description.into(),
            scope: Scope::Message,
            options: found.options,
        });
    }
    if let Some(asn) = answer.asn {
        for (symbol, score) in policy.system(asn) {
            signals.push(
                Signal::new(
                    symbol.to_string(),
                    score,
                    "the client's network is on a map",
                )
                .with(format!("AS{asn}")),
            );
        }
    }
}

/// What the rules conclude.
#[derive(Debug, Default)]
struct Concluded {
    decided: Option<Override>,
    correction: f64,
}

/// Evaluates maps, then rules, and adds what they found to the signals.
fn conclude(rules: Option<&Rules>, reading: &Reading, signals: &mut Signals) -> Concluded {
    let Some(rules) = rules else {
        return Concluded::default();
    };
    let book = &rules.sets.book;
    signals.retain(|signal| !book.is_disabled(&signal.symbol));
    for signal in signals.found_mut() {
        if let Some(score) = book.score_of(&signal.symbol) {
            signal.score = score;
        }
    }
    let mut concluded = Concluded::default();
    for (layer, scan) in [(&rules.maps, &reading.maps), (&rules.sets, &reading.sets)] {
        let conclusion = {
            let known: Vec<Known<'_>> = signals
                .found()
                .iter()
                .filter(|signal| signal.scope == Scope::Message)
                .map(|signal| Known {
                    symbol: &signal.symbol,
                    score: signal.score,
                })
                .collect();
            layer.book.conclude(scan, &known)
        };
        concluded.take(conclusion, signals);
    }
    concluded
}

impl Concluded {
    fn take(&mut self, conclusion: Conclusion, signals: &mut Signals) {
        if let Some((prefilter, _)) = conclusion.prefilter {
            self.decided.get_or_insert(match prefilter {
                Prefilter::Accept => Override::Accept,
                Prefilter::Reject => Override::Reject,
            });
        }
        self.correction += conclusion
            .caps
            .iter()
            .map(|(_, correction)| f64::from(*correction))
            .sum::<f64>();
        for hit in conclusion.hits {
            signals.push(Signal {
                symbol: hit.symbol.to_string().into(),
                score: hit.score,
                description: hit.description.to_string().into(),
                scope: Scope::Message,
                options: hit.options,
            });
        }
        for symbol in conclusion.undecided {
            signals.push(
                Signal::new("RULE_UNDECIDED", 0.0, "a rule ran out of its budget")
                    .with(symbol.to_string()),
            );
        }
    }
}

/// Microseconds since `start`.
fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// What was recalled, as the engine uses it.
impl Recalled {
    /// Adds what memory says to the signals.
    fn note(&self, signals: &mut Signals) {
        for signal in &self.signals {
            signals.push(signal.clone());
        }
    }
}
