//! The rows of `map`, and their changes.

use ambient::Timestamp;
use store::{Reader, Row, Tx};

use super::{Effect, Kind, MapRecord, Maps, SYSTEM_SCOPE, builtin, compile_check_since};
use crate::owner::{check_text, exists, score, thousandths};
use crate::revision::{Section, bump};
use crate::{Error, Policy};

/// A map to be made.
#[derive(Debug, Clone)]
pub struct NewMap {
    /// What it is called: lower-case letters, digits, `.`, `_` and `-`, at most 100.
    pub name: String,
    /// What its lines are.
    pub kind: Kind,
    /// What its rule is called: letters, digits and underscores, at most 64.
    pub symbol: String,
    /// What it is compared with: a scope of the rule language; `asn` for autonomous systems.
    pub scope: String,
    /// By how much it makes a message worse.
    pub score: f32,
    /// What happens when a line applies.
    pub effect: Effect,
    /// For people.
    pub description: String,
    /// Its lines.
    pub text: String,
}

/// What to change of a map; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct MapChange {
    /// Its lines, all of them.
    pub text: Option<String>,
    /// By how much it makes a message worse.
    pub score: Option<f32>,
    /// Whether it counts.
    pub active: Option<bool>,
    /// For people.
    pub description: Option<String>,
}

/// Maps beside the built-in ones.
const MOST_MAPS: usize = 200;

macro_rules! columns {
    () => {
        "name, kind, symbol, scope, score, effect, active, description, body, updated_at"
    };
}

// Index: map.name (unique).
const PUT: &str = concat!(
    "INSERT INTO map (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (name) DO UPDATE SET \
     score = excluded.score, active = excluded.active, description = excluded.description, \
     body = excluded.body, updated_at = excluded.updated_at"
);
const DELETE: &str = "DELETE FROM map WHERE name = ?1";
const FIND: &str = concat!("SELECT ", columns!(), " FROM map WHERE name = ?1");
// A scan in the order of map.name: there are few, and all are wanted.
const ALL: &str = concat!("SELECT ", columns!(), " FROM map ORDER BY name");
/// The statements of this module.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[PUT, DELETE, FIND];

fn record(row: &Row<'_>) -> Result<MapRecord, store::Error> {
    let column = |index, expected| store::Error::Column { index, expected };
    let name = row.text(0)?;
    Ok(MapRecord {
        name: name.to_owned(),
        kind: row.text(1)?.parse().map_err(|_| column(1, "a kind"))?,
        symbol: row.text(2)?.to_owned(),
        scope: row.text(3)?.to_owned(),
        score: score(row.int(4)?),
        effect: row.text(5)?.parse().map_err(|_| column(5, "an effect"))?,
        active: row.bool(6)?,
        description: row.text(7)?.to_owned(),
        text: row.text(8)?.to_owned(),
        builtin: builtin::find(name).is_some(),
        updated_at: Some(row.time(9).map(|Timestamp(seconds)| seconds)?),
    })
}

/// The maps as they stand: the built-in ones, edited or not, then the others by name.
fn all(rx: &mut dyn Reader) -> Result<Vec<MapRecord>, Error> {
    let mut stored = rx.query_all(ALL, &[], record)?;
    let mut maps: Vec<MapRecord> = builtin::all().collect();
    for map in &mut maps {
        if let Some(place) = stored.iter().position(|edited| edited.name == map.name) {
            *map = stored.remove(place);
        }
    }
    maps.append(&mut stored);
    Ok(maps)
}

fn find(rx: &mut dyn Reader, name: &str) -> Result<MapRecord, Error> {
    rx.query_one(FIND, &[name.into()], record)?
        .or_else(|| builtin::find(name))
        .ok_or_else(|| Error::NotFound(format!("map {name}")))
}

fn put(tx: &mut dyn Tx, map: &MapRecord) -> Result<u64, Error> {
    let now = tx.now();
    tx.exec(
        PUT,
        &[
            (&map.name).into(),
            map.kind.name().into(),
            (&map.symbol).into(),
            (&map.scope).into(),
            thousandths(map.score)?.into(),
            map.effect.name().into(),
            map.active.into(),
            (&map.description).into(),
            (&map.text).into(),
            now.into(),
        ],
    )
    .map_err(|error| exists(error, || format!("the symbol {}", map.symbol)))?;
    bump(tx, Section::Maps)
}

fn create(tx: &mut dyn Tx, new: &MapRecord) -> Result<u64, Error> {
    let maps = all(tx)?;
    if maps.iter().any(|map| map.name == new.name) {
        return Err(Error::Exists(format!("the map {}", new.name)));
    }
    if maps.iter().filter(|map| !map.builtin).count() >= MOST_MAPS {
        return Err(Error::TooMuch {
            what: "maps",
            most: MOST_MAPS,
        });
    }
    put(tx, new)
}

/// `checked` is the kind that the new text was checked as.
fn change(tx: &mut dyn Tx, name: &str, checked: Kind, change: &MapChange) -> Result<u64, Error> {
    let old = find(tx, name)?;
    if old.kind != checked {
        return Err(Error::NotFound(format!("map {name} of {checked} lines")));
    }
    let new = MapRecord {
        text: change.text.clone().unwrap_or(old.text),
        score: change.score.unwrap_or(old.score),
        active: change.active.unwrap_or(old.active),
        description: change.description.clone().unwrap_or(old.description),
        ..old
    };
    put(tx, &new)
}

fn remove(tx: &mut dyn Tx, name: &str) -> Result<u64, Error> {
    if tx.exec(DELETE, &[name.into()])? == 0 && builtin::find(name).is_none() {
        return Err(Error::NotFound(format!("map {name}")));
    }
    bump(tx, Section::Maps)
}

/// Reads everything.
pub(crate) fn load(rx: &mut dyn Reader) -> Result<Maps, Error> {
    Ok(Maps::new(&all(rx)?))
}

fn check_new(new: &NewMap) -> Result<(), Error> {
    let named =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if !(1..=100).contains(&new.name.len()) || !new.name.bytes().all(named) {
        return Err(Error::Name(
            "a map's name has 1 to 100 lower-case letters, digits, dots, underscores and hyphens",
        ));
    }
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let symbol = new.symbol.as_bytes();
    let begins = symbol.first().is_some_and(|first| !first.is_ascii_digit());
    if !begins || symbol.len() > rules::MAX_SYMBOL || !symbol.iter().copied().all(word) {
        return Err(Error::Name(
            "a symbol has 1 to 64 letters, digits and underscores and does not begin with a digit",
        ));
    }
    if builtin::has_symbol(&new.symbol) {
        return Err(Error::Exists(format!("the symbol {}", new.symbol)));
    }
    match new.kind {
        Kind::System if new.scope == SYSTEM_SCOPE => {}
        Kind::System => return Err(Error::Name("the scope of autonomous systems is asn")),
        _ => {
            let _: rules::Scope = new.scope.parse()?;
        }
    }
    check_text(&new.description)?;
    thousandths(new.score).map(|_| ())
}

/// Checks the text off the reactor: compiling many patterns takes a while. Lines of `known` have
/// been checked before.
async fn check_lines(kind: Kind, text: &str, known: String) -> Result<(), Error> {
    let text = text.to_owned();
    tokio::task::spawn_blocking(move || compile_check_since(kind, &text, &known))
        .await
        .map_err(|_| Error::Internal("the check of a map was cut short"))?
        .map(|_| ())
        .map_err(Error::Lines)
}

impl Policy {
    /// All maps with their texts: the built-in ones in a fixed order, then the others by name.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn maps(&self) -> Result<Vec<MapRecord>, Error> {
        self.db.read(all).await
    }

    /// One map.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn map(&self, name: &str) -> Result<MapRecord, Error> {
        let name = name.to_owned();
        self.db.read(move |rx| find(rx, &name)).await
    }

    /// Makes a map. Live when it returns; the answer is the new revision.
    ///
    /// # Errors
    /// [`Error::Lines`], [`Error::Name`], [`Error::Scope`], [`Error::Score`], [`Error::Text`];
    /// [`Error::Exists`] when the name or the symbol is taken; [`Error::TooMuch`].
    pub async fn create_map(&self, new: NewMap) -> Result<u64, Error> {
        check_new(&new)?;
        check_lines(new.kind, &new.text, String::new()).await?;
        let record = MapRecord {
            name: new.name,
            kind: new.kind,
            symbol: new.symbol,
            scope: new.scope,
            score: new.score,
            effect: new.effect,
            active: true,
            description: new.description,
            text: new.text,
            builtin: false,
            updated_at: None,
        };
        self.write(move |tx| create(tx, &record)).await
    }

    /// Changes a map. A text with a line that cannot be used changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Lines`], [`Error::Score`], [`Error::Text`].
    pub async fn change_map(&self, name: &str, new: MapChange) -> Result<u64, Error> {
        if let Some(description) = &new.description {
            check_text(description)?;
        }
        new.score.map(thousandths).transpose()?;
        let name = name.to_owned();
        let old = self.map(&name).await?;
        let kind = old.kind;
        if let Some(text) = &new.text {
            check_lines(kind, text, old.text).await?;
        }
        self.write(move |tx| change(tx, &name, kind, &new)).await
    }

    /// Removes a map; a built-in one is again as it comes with the program.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_map(&self, name: &str) -> Result<u64, Error> {
        let name = name.to_owned();
        self.write(move |tx| remove(tx, &name)).await
    }
}
