//! SEARCH.

use std::collections::HashMap;

use imap::command::{KeyId, Search, SearchKey, SearchReturn};
use imap::response::{ESearch, ResponseCode, SearchData};
use imap::{By, Date, Flag, ModSeq, SequenceSet, Tag, Uid, UidSet};
use mail::{Field, Flags, Key, NodeId, SearchQuery};

use crate::client::{Answer, Client, Failure, done};
use crate::refusal;
use crate::selected::{Positions, Selected, number};

const SECONDS_PER_DAY: i64 = 86_400;

impl Selected {
    /// RFC 9051 §6.4.4.
    pub(crate) async fn search(
        &mut self,
        client: &mut Client,
        tag: &Tag,
        search: &Search,
    ) -> Answer {
        let saves = search.returns.is_some_and(|returns| returns.save);
        let found = match self.find(client, search).await {
            Ok(found) => found,
            // RFC 9051 §6.4.4.1: `$` is empty after a search that was to be saved and failed.
            Err(Failure::Mail(error)) if saves => {
                self.saved = UidSet::new();
                let response = refusal::mail(&client.id, &error);
                return Ok(response.with_code(ResponseCode::NotSaved));
            }
            Err(failure) => return Err(failure),
        };
        let wants_mod_seq = search
            .query
            .keys()
            .iter()
            .any(|key| matches!(key, SearchKey::ModSeq(_)));
        client.dialect.condstore |= wants_mod_seq;
        // RFC 9051 §6.4.4: rev2 has no other answer than ESEARCH.
        let returns = search
            .returns
            .or(client.dialect.rev2.then_some(SearchReturn::ALL));
        let Some(returns) = returns else {
            let numbers: Vec<u32> = found
                .iter()
                .filter_map(|at| self.answered(search.by, *at))
                .collect();
            let mod_seq = wants_mod_seq.then(|| self.highest(&found)).flatten();
            client.say(&SearchData {
                numbers: &numbers,
                mod_seq,
            });
            return Ok(done("SEARCH"));
        };
        let shown = shown(returns, &found);
        if saves {
            self.saved = shown.iter().filter_map(|at| self.uid(*at)).collect();
        }
        if returns.min || returns.max || returns.all || returns.count {
            let all: UidSet = match returns.all {
                true => self.number_set(search.by, &found),
                false => UidSet::new(),
            };
            let answered = |at: Option<&usize>| at.and_then(|at| self.answered(search.by, *at));
            client.say(&ESearch {
                tag,
                by: search.by,
                min: answered(found.first().filter(|_| returns.min)),
                max: answered(found.last().filter(|_| returns.max)),
                all: returns.all.then_some(&all),
                count: returns
                    .count
                    .then(|| u32::try_from(found.len()).unwrap_or(u32::MAX)),
                mod_seq: wants_mod_seq.then(|| self.highest(&shown)).flatten(),
            });
        }
        Ok(done("SEARCH"))
    }

    /// The positions that match, ascending.
    async fn find(&self, client: &Client, search: &Search) -> Result<Vec<usize>, Failure> {
        let query = self.convert(&search.query)?;
        let snapshot = self.view.snapshot().clone();
        Ok(client.server.mail.search(snapshot, query).await?)
    }

    fn uid(&self, position: usize) -> Option<Uid> {
        self.view.entries().get(position).map(|entry| entry.uid)
    }

    /// A position as the answer counts.
    fn answered(&self, by: By, position: usize) -> Option<u32> {
        match by {
            By::Seq => number(position).map(imap::SeqNum::get),
            By::Uid => self.uid(position).map(Uid::get),
        }
    }

    fn number_set(&self, by: By, positions: &[usize]) -> UidSet {
        match by {
            By::Seq => positions.iter().filter_map(|at| number(*at)).collect(),
            By::Uid => positions.iter().filter_map(|at| self.uid(*at)).collect(),
        }
    }

    fn highest(&self, positions: &[usize]) -> Option<ModSeq> {
        let entries = positions
            .iter()
            .filter_map(|at| self.view.entries().get(*at));
        entries
            .map(|entry| entry.modseq)
            .max()
            .and_then(ModSeq::new)
    }

    /// The query with sets resolved in this view. Children come before their parents.
    fn convert(&self, query: &imap::command::SearchQuery) -> Result<SearchQuery, Failure> {
        let mut converted = SearchQuery::new();
        let mut nodes: HashMap<KeyId, NodeId> = HashMap::new();
        let mut open = vec![query.root()];
        while let Some(id) = open.last().copied() {
            let Some(key) = query.get(id) else { break };
            let before = open.len();
            open.extend(
                children(key)
                    .iter()
                    .filter(|child| !nodes.contains_key(child)),
            );
            if open.len() == before {
                open.pop();
                let node = self.convert_key(&mut converted, key, &nodes)?;
                nodes.insert(id, node);
            }
        }
        Ok(converted)
    }

    fn convert_key(
        &self,
        query: &mut SearchQuery,
        key: &SearchKey,
        nodes: &HashMap<KeyId, NodeId>,
    ) -> Result<NodeId, Failure> {
        let node = |id: &KeyId| nodes.get(id).copied();
        let header = |field, text: &String| Key::Header {
            field,
            text: text.clone(),
        };
        let key = match key {
            SearchKey::All | SearchKey::Old => Key::All,
            // RFC 3501 §2.3.2: no message is ever recent here.
            SearchKey::Recent | SearchKey::New => Key::Not(query.push(Key::All)),
            SearchKey::Set(set) => Key::Numbers(self.numbers(By::Seq, set)?),
            SearchKey::Uid(set) => Key::Uids(self.numbers(By::Uid, set)?),
            SearchKey::Has(flag) => has(flag),
            SearchKey::Lacks(flag) => Key::Not(query.push(has(flag))),
            SearchKey::Before(day) => Key::ReceivedBefore(first_second(*day)),
            SearchKey::Since(day) => Key::ReceivedSince(first_second(*day)),
            SearchKey::On(day) => {
                let start = first_second(*day);
                let since = query.push(Key::ReceivedSince(start));
                let before = query.push(Key::ReceivedBefore(start + SECONDS_PER_DAY));
                Key::And(vec![since, before])
            }
            SearchKey::SentBefore(day) => Key::SentBefore(day.unix_days()),
            SearchKey::SentSince(day) => Key::SentSince(day.unix_days()),
            SearchKey::SentOn(day) => {
                let since = query.push(Key::SentSince(day.unix_days()));
                let before = query.push(Key::SentBefore(day.unix_days() + 1));
                Key::And(vec![since, before])
            }
            SearchKey::Larger(octets) => Key::Larger(*octets),
            SearchKey::Smaller(octets) => Key::Smaller(*octets),
            SearchKey::ModSeq(since) => Key::ModSeq(*since),
            SearchKey::Bcc(text) => header(Field::Bcc, text),
            SearchKey::Cc(text) => header(Field::Cc, text),
            SearchKey::From(text) => header(Field::From, text),
            SearchKey::Subject(text) => header(Field::Subject, text),
            SearchKey::To(text) => header(Field::To, text),
            SearchKey::Body(text) => Key::Body(text.clone()),
            SearchKey::Text(text) => Key::Text(text.clone()),
            SearchKey::Header { field, value } => header(Field::named(field), value),
            SearchKey::Not(child) => node(child).map_or(Key::All, Key::Not),
            SearchKey::Or(a, b) => node(a)
                .zip(node(b))
                .map_or(Key::All, |(a, b)| Key::Or(a, b)),
            SearchKey::And(children) => Key::And(children.iter().filter_map(node).collect()),
        };
        Ok(query.push(key))
    }

    /// A set as ranges of sequence numbers or UIDs.
    fn numbers(
        &self,
        by: By,
        set: &SequenceSet,
    ) -> Result<Vec<std::ops::RangeInclusive<u32>>, Failure> {
        let positions: Positions = self.positions(by, set)?;
        Ok(match by {
            By::Uid => self.uids(&positions).ranges().collect(),
            By::Seq => positions
                .into_iter()
                .filter_map(|range| {
                    let last = u32::try_from(range.end).ok()?;
                    Some(number(range.start)?.get()..=last)
                })
                .collect(),
        })
    }
}

/// RFC 9051 §6.4.4.1, RFC 4731 §3.1: the messages that a result is about: those found, unless only
/// the first or the last of them was asked for.
fn shown(returns: SearchReturn, found: &[usize]) -> Vec<usize> {
    if returns.all || returns.count || !(returns.min || returns.max) {
        return found.to_vec();
    }
    let min = found.first().filter(|_| returns.min);
    let max = found.last().filter(|_| returns.max);
    let mut shown: Vec<usize> = min.into_iter().chain(max).copied().collect();
    shown.dedup();
    shown
}

fn children(key: &SearchKey) -> Vec<KeyId> {
    match key {
        SearchKey::Not(child) => vec![*child],
        SearchKey::Or(a, b) => vec![*a, *b],
        SearchKey::And(children) => children.clone(),
        _ => Vec::new(),
    }
}

fn has(flag: &Flag) -> Key {
    match (Flags::of(flag), flag) {
        (Some(bit), _) => Key::Flags(bit),
        (None, Flag::Keyword(keyword)) => Key::Keyword(keyword.clone()),
        // Every flag that is no keyword is a bit.
        (None, _) => Key::All,
    }
}

/// RFC 9051 §6.4.4: dates compare days, times and zones aside.
fn first_second(day: Date) -> i64 {
    day.unix_days() * SECONDS_PER_DAY
}
