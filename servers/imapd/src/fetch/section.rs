//! The octets of a section: of a whole message, or which of them to load.

use std::borrow::Cow;
use std::ops::Range;

use mime::section::{SectionPath, Text, find, resolve};
use mime::{Kind, Structure, header};

use super::plan::SectionItem;

/// Finds sections in messages. Of a message without parts of interest it reads the header only.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    /// A message without parts, whose extent is adjusted to the one at hand.
    plain: Option<Structure>,
}

impl Resolver {
    /// The octets of a section, of which the partial cuts a window; `None` when there is no such
    /// section. `structure` may be missing when the section names no part.
    pub(super) fn resolve<'r>(
        &mut self,
        raw: &'r [u8],
        structure: Option<&Structure>,
        item: &SectionItem,
    ) -> Option<Cow<'r, [u8]>> {
        let found = match structure {
            Some(structure) => resolve(raw, structure, &item.path)?,
            None if item.path == SectionPath::whole() => Cow::Borrowed(raw),
            None => resolve(raw, self.plain(raw)?, &item.path)?,
        };
        let Some(partial) = item.partial else {
            return Some(found);
        };
        Some(match found {
            Cow::Borrowed(octets) => Cow::Borrowed(partial.of(octets)),
            Cow::Owned(octets) => Cow::Owned(partial.of(&octets).to_vec()),
        })
    }

    fn plain(&mut self, raw: &[u8]) -> Option<&Structure> {
        let structure = self.plain.get_or_insert_with(|| Structure::parse(b""));
        let part = structure.parts.first_mut()?;
        let end = u32::try_from(raw.len()).unwrap_or(u32::MAX);
        let body = u32::try_from(header::header_end(raw)).unwrap_or(u32::MAX);
        part.header = 0..body;
        part.body = body..end;
        Some(structure)
    }
}

/// Octets to load for a section of a large message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where they are in the message.
    pub(super) range: Range<u64>,
    /// Whether they are a header of which the section chooses fields.
    pub(super) is_header: bool,
}

impl Extent {
    /// Where a section is; `None` when there is no such section.
    pub(super) fn of(item: &SectionItem, structure: &Structure, size: u64) -> Option<Self> {
        let message = structure.parts.first()?;
        let (part, enclosed) = match item.path.parts.as_slice() {
            [] => (None, Some(message)),
            path => {
                let part = find(structure, path)?;
                let enclosed = match part.kind {
                    Kind::Message { root, .. } => structure.get(root),
                    Kind::Leaf | Kind::Multipart { .. } => None,
                };
                (Some(part), enclosed)
            }
        };
        let range = match (&item.path.text, part) {
            (Text::Full, None) => 0..size,
            (Text::Full, Some(part)) => wide(&part.body),
            (Text::Mime, part) => wide(&part?.header),
            (Text::Text, _) => wide(&enclosed?.body),
            (Text::Header | Text::HeaderFields(_) | Text::HeaderFieldsNot(_), _) => {
                wide(&enclosed?.header)
            }
        };
        let is_header = matches!(
            item.path.text,
            Text::HeaderFields(_) | Text::HeaderFieldsNot(_)
        );
        let range = match item.partial {
            // The window is cut from the chosen fields.
            Some(_) if is_header => range,
            Some(partial) => {
                let start = range.start.saturating_add(partial.first).min(range.end);
                start
                    ..start
                        .saturating_add(partial.count.get().into())
                        .min(range.end)
            }
            None => range,
        };
        Some(Self { range, is_header })
    }

    /// The section, from the octets loaded for it.
    pub(super) fn section(&self, octets: Vec<u8>, item: &SectionItem) -> Option<Vec<u8>> {
        if !self.is_header {
            return Some(octets);
        }
        let top = SectionItem {
            path: SectionPath {
                parts: Vec::new(),
                text: item.path.text.clone(),
            },
            ..item.clone()
        };
        Resolver::default()
            .resolve(&octets, None, &top)
            .map(Cow::into_owned)
    }
}

fn wide(range: &Range<u32>) -> Range<u64> {
    range.start.into()..range.end.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use imap::Partial;
    use mime::Summary;
    use std::num::NonZeroU32;

    use super::super::plan::Name;

    const RAW: &[u8] = b"Subject: outer\r\nTo: a@example.org\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\n\
        Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nFrom: b@example.org\r\n\r\nbody\r\n\
        --b--\r\n";

    fn items() -> Vec<SectionItem> {
        let names = || vec![b"subject".to_vec()];
        let texts = [
            Text::Full,
            Text::Header,
            Text::HeaderFields(names()),
            Text::HeaderFieldsNot(names()),
            Text::Text,
            Text::Mime,
        ];
        let parts: [&[u32]; 6] = [&[], &[1], &[2], &[2, 1], &[3], &[1, 1]];
        let partials = [None, Some((0, 4)), Some((3, 100)), Some((1_000, 1))];
        let mut items = Vec::new();
        for text in &texts {
            for parts in parts {
                for partial in partials {
                    let (parts, text) = (parts.to_vec(), text.clone());
                    items.push(SectionItem {
                        name: Name::Rfc822,
                        path: SectionPath { parts, text },
                        partial: partial.map(|(first, count)| Partial {
                            first,
                            count: NonZeroU32::new(count).unwrap(),
                        }),
                    });
                }
            }
        }
        items
    }

    #[test]
    fn loading_a_range_gives_what_the_whole_message_gives() {
        let summary = Summary::parse(RAW);
        let size = u64::from(summary.size);
        for item in items() {
            let whole = Resolver::default().resolve(RAW, Some(&summary.structure), &item);
            let ranged = Extent::of(&item, &summary.structure, size).and_then(|extent| {
                let range = &extent.range;
                let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap());
                let octets = RAW[start..end].to_vec();
                extent.section(octets, &item)
            });
            assert_eq!(whole.as_deref(), ranged.as_deref(), "{item:?}");
        }
    }

    #[test]
    fn sections_without_parts_need_no_structure() {
        let summary = Summary::parse(RAW);
        for item in items()
            .into_iter()
            .filter(|item| item.path.parts.is_empty())
        {
            let with = Resolver::default().resolve(RAW, Some(&summary.structure), &item);
            let without = Resolver::default().resolve(RAW, None, &item);
            assert_eq!(with, without, "{item:?}");
        }
    }
}
