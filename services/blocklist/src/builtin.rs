//! The well-known lists.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::list::List;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    list: Vec<List>,
}

/// The lists that Muskox knows, in the order in which they are asked and reported. Those whose
/// terms ask for something first are not enabled and say why in [`List::note`].
#[must_use]
pub fn builtin() -> &'static [List] {
    static LISTS: LazyLock<Vec<List>> = LazyLock::new(|| {
        // A test reads the same file; what does not parse cannot be released.
        toml::from_str::<File>(include_str!("../builtin/lists.toml"))
            .map(|file| file.list)
            .unwrap_or_default()
    });
    &LISTS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::list::Ask;

    #[test]
    fn the_file_parses_and_names_are_unique() {
        let file: File = toml::from_str(include_str!("../builtin/lists.toml")).unwrap();
        assert_eq!(file.list, builtin());
        let names: BTreeSet<_> = builtin().iter().map(|list| &list.name).collect();
        assert_eq!(names.len(), builtin().len());
    }

    #[test]
    fn every_list_is_complete() {
        for list in builtin() {
            assert!(!list.asks.is_empty() && !list.codes.is_empty(), "{list:?}");
            assert!(list.enabled || !list.note.is_empty(), "{list:?}");
            assert!(!list.zone.is_empty() || list.keyed_zone.is_some());
            assert!(list.zone.is_empty() <= !list.enabled, "{list:?}");
            assert_eq!(
                list.asks.contains(&Ask::Email),
                list.email_hash.is_some(),
                "{list:?}"
            );
            for symbol in list
                .codes
                .iter()
                .map(|code| &code.symbol)
                .chain([&list.blocked])
            {
                let valid = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
                assert!(symbol.bytes().all(valid), "{symbol}");
            }
        }
    }

    #[test]
    fn terms_are_respected() {
        let off: Vec<_> = builtin()
            .iter()
            .filter(|list| !list.enabled)
            .map(|list| list.name.as_str())
            .collect();
        for name in [
            "spamhaus",
            "dbl",
            "zrd",
            "surbl",
            "barracuda",
            "senderscore",
        ] {
            assert!(off.contains(&name), "{name}");
        }
    }
}
