//! Office documents in ZIP files: OOXML (ECMA-376) and OpenDocument.
//!
//! Looked for are macros, relations to targets elsewhere, DDE fields and links, and embedded files.

use memchr::memmem;

use crate::bytes::{contains, ends_ignoring_case, head, starts_ignoring_case};
use crate::walk::{Item, PEEK, Walk, Worth};
use crate::zip::{Directory, Entry};

/// Octets of an element's start tag.
const MAX_ELEMENT: usize = 4 << 10;
/// Octets of field instructions that are kept of a part.
const MAX_INSTRUCTIONS: usize = 64 << 10;

/// Relations that a reader follows when it opens the document.
const FOLLOWED: &[&[u8]] = &[
    b"/attachedtemplate",
    b"/oleobject",
    b"/frame",
    b"/subdocument",
    b"/externallinkpath",
    b"/externallink",
    b"/package",
    b"/control",
    b"/customui",
    b"/xlexternallinkpath",
    b"/aferef",
    b"/afchunk",
];

/// What a part is, by its name.
enum Part {
    Types,
    Macros,
    MacroSheet,
    Relations,
    Words,
    ExternalLink,
    Workbook,
    Ribbon,
    ActiveX,
    Embedded,
    Manifest,
    Script,
    Events,
    Unknown,
}

fn part(name: &str) -> Part {
    let lower = name.replace('\\', "/").to_ascii_lowercase();
    let within = |folder: &str| lower.starts_with(folder);
    if lower == "[content_types].xml" {
        return Part::Types;
    }
    if lower.ends_with("vbaproject.bin") {
        return Part::Macros;
    }
    if within("xl/macrosheets/") || within("xl/intlmacrosheets/") {
        return Part::MacroSheet;
    }
    if lower.ends_with(".rels") {
        return Part::Relations;
    }
    if within("xl/externallinks/") {
        return Part::ExternalLink;
    }
    if lower == "xl/workbook.xml" || lower == "xl/workbook.bin" {
        return Part::Workbook;
    }
    if within("customui/") {
        return Part::Ribbon;
    }
    if lower.contains("/activex/") {
        return Part::ActiveX;
    }
    if lower.contains("/embeddings/") || lower.contains("/afchunk") {
        return Part::Embedded;
    }
    if lower == "meta-inf/manifest.xml" {
        return Part::Manifest;
    }
    // OpenDocument 1.3 part 2: Basic libraries and scripts of other languages.
    if within("basic/") || within("scripts/") {
        return Part::Script;
    }
    if lower == "content.xml" {
        return Part::Events;
    }
    if within("word/") && lower.ends_with(".xml") {
        return Part::Words;
    }
    if lower.ends_with(".xml") || within("docprops/") || within("xl/") && !lower.ends_with(".bin") {
        return Part::Unknown;
    }
    Part::Embedded
}

/// Looks through a document's parts.
pub(crate) fn open(walk: &mut Walk<'_>, item: &Item<'_>, directory: &Directory) {
    let mut facts = Facts::default();
    for entry in &directory.entries {
        look(walk, item, entry, &mut facts);
    }
    walk.report.macros |= facts.macro_sheet;
    walk.report.auto_macro |= facts.macro_sheet && facts.auto_name;
    walk.report.auto_macro |= facts.ribbon && walk.report.macros;
}

/// What several parts say together.
#[derive(Default)]
struct Facts {
    macro_sheet: bool,
    auto_name: bool,
    ribbon: bool,
}

fn look(walk: &mut Walk<'_>, item: &Item<'_>, entry: &Entry, facts: &mut Facts) {
    match part(&entry.name) {
        Part::Macros => {
            walk.report.macros = true;
            let project = entry.content(walk, &item.bytes);
            walk.enqueue(&entry.name, project, item.depth);
        }
        Part::MacroSheet => facts.macro_sheet |= !entry.name.ends_with(".rels"),
        Part::Types => {
            let types = lower(walk, item, entry);
            walk.report.macros |= contains(&types, b"ms-office.vbaproject")
                || contains(&types, b"main+xml") && contains(&types, b"macroenabled");
            facts.macro_sheet |= contains(&types, b"macrosheet+xml");
        }
        Part::Relations => relations(walk, item, entry),
        Part::Words => {
            let words = lower(walk, item, entry);
            walk.report.remote |= has_dde_field(&words);
        }
        Part::ExternalLink => {
            let link = lower(walk, item, entry);
            walk.report.remote |= contains(&link, b"<ddelink") || contains(&link, b":ddelink");
        }
        Part::Workbook => {
            // XLSB holds the names in UTF-16.
            let narrow: Vec<u8> = lower(walk, item, entry)
                .into_iter()
                .filter(|&octet| octet != 0)
                .collect();
            facts.auto_name |= ["auto_open", "auto_close", "auto_activate"]
                .iter()
                .any(|name| contains(&narrow, name.as_bytes()));
        }
        Part::Ribbon => facts.ribbon |= contains(&lower(walk, item, entry), b"onload="),
        Part::ActiveX => {
            walk.word("ActiveX");
            embedded(walk, item, entry);
        }
        Part::Embedded => embedded(walk, item, entry),
        Part::Manifest => {
            let manifest = lower(walk, item, entry);
            walk.report.encrypted |= contains(&manifest, b"encryption-data");
        }
        Part::Script => {
            let index = ends_ignoring_case(&entry.name, "script-lc.xml")
                || ends_ignoring_case(&entry.name, "script-lb.xml")
                || entry.name.ends_with('/');
            walk.report.macros |= !index;
        }
        Part::Events => {
            let content = lower(walk, item, entry);
            let listens = contains(&content, b"script:event-listener")
                && (contains(&content, b"vnd.sun.star.script:"));
            walk.report.auto_macro |= listens;
            walk.report.remote |= contains(&content, b"<office:dde-source");
        }
        Part::Unknown => {}
    }
}

/// A part's content in lower case.
fn lower(walk: &mut Walk<'_>, item: &Item<'_>, entry: &Entry) -> Vec<u8> {
    let mut content = entry.content(walk, &item.bytes);
    content.make_ascii_lowercase();
    content
}

/// A part that is no XML of the document's: a picture, a font, an object, a file.
fn embedded(walk: &mut Walk<'_>, item: &Item<'_>, entry: &Entry) {
    let start = entry.start(walk, &item.bytes);
    let found = crate::magic::identify(head(&start, PEEK));
    let harmless = found.class.is_media()
        || matches!(
            found.class,
            crate::Class::Other | crate::Class::Empty | crate::Class::Font | crate::Class::Text
        );
    if !harmless && walk.embedded(&entry.name, &start, item.depth) == Worth::Look {
        let content = entry.content(walk, &item.bytes);
        walk.enqueue(&entry.name, content, item.depth);
    }
}

/// ECMA-376 part 2 §9.3: relations to targets outside the document.
fn relations(walk: &mut Walk<'_>, item: &Item<'_>, entry: &Entry) {
    let relations = lower(walk, item, entry);
    for at in memmem::find_iter(&relations, b"<relationship ") {
        let rest = crate::bytes::from(&relations, at);
        let inside = crate::bytes::from(rest, 1);
        let end = memchr::memchr2(b'>', b'<', inside).unwrap_or(inside.len());
        let element = head(inside, end);
        let external = attribute(element, b"targetmode") == Some(b"external");
        let kind = attribute(element, b" type").unwrap_or_default();
        let target = attribute(element, b" target").unwrap_or_default();
        let followed = FOLLOWED.iter().any(|suffix| kind.ends_with(suffix));
        // A link that a reader must click may still name a handler that runs commands.
        let handler = [
            &b"mhtml:"[..],
            b"ms-msdt:",
            b"search-ms:",
            b"script:",
            b"x-usc:",
        ]
        .iter()
        .any(|scheme| target.starts_with(scheme));
        walk.report.remote |= external && (handler || followed && is_elsewhere(target));
    }
}

/// The value of an attribute, in quotes of either kind.
fn attribute<'a>(element: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = memmem::find_iter(element, name).find(|at| {
        let after = at.saturating_add(name.len());
        matches!(element.get(after), Some(b'=' | b' '))
    })?;
    let rest = crate::bytes::from(element, at);
    let open = memchr::memchr2(b'"', b'\'', rest)?;
    let quote = *rest.get(open)?;
    let value = rest.get(open.checked_add(1)?..)?;
    value.get(..memchr::memchr(quote, value)?)
}

/// Whether a target lies on another machine.
fn is_elsewhere(target: &[u8]) -> bool {
    let target = target.trim_ascii();
    if let Some(path) = target.strip_prefix(b"file:") {
        let slashes = path
            .iter()
            .take_while(|octet| matches!(octet, b'/' | b'\\'))
            .count();
        let host = path.get(slashes..).unwrap_or_default();
        let drive = matches!(host, [_, b':' | b'|', ..]);
        return !drive && (slashes == 2 || slashes >= 4) && !host.starts_with(b"localhost");
    }
    [
        &b"http:"[..],
        b"https:",
        b"ftp:",
        b"\\\\",
        b"//",
        b"mhtml:",
        b"webdav:",
    ]
    .iter()
    .any(|scheme| starts_ignoring_case(target, scheme))
}

/// ECMA-376 part 1 §17.16.5.15 and its kin: a field of type DDE, whose name may be spread over
/// several runs. The part is in lower case.
fn has_dde_field(part: &[u8]) -> bool {
    let mut instructions: Vec<u8> = Vec::new();
    for at in memchr::memchr_iter(b'<', part) {
        let element = crate::bytes::from(part, at.saturating_add(1));
        let name_end = memchr::memchr(b':', head(element, 16)).map_or(0, |colon| colon + 1);
        let local = crate::bytes::from(element, name_end);
        if local.starts_with(b"fldchar") {
            instructions.push(b'\n');
        } else if local.starts_with(b"fldsimple") {
            let local = head(local, MAX_ELEMENT);
            let end = memchr::memchr(b'>', local).unwrap_or(local.len());
            instructions.push(b'\n');
            instructions.extend(attribute(head(local, end), b"instr").unwrap_or_default());
            instructions.push(b'\n');
        } else if local.starts_with(b"instrtext") {
            let start = memchr::memchr(b'>', head(local, MAX_ELEMENT)).map_or(0, |end| end + 1);
            let text = crate::bytes::from(local, start);
            let end = memchr::memchr(b'<', text).unwrap_or(text.len());
            instructions.extend_from_slice(head(text, end));
        }
        if instructions.len() > MAX_INSTRUCTIONS {
            break;
        }
    }
    instructions
        .split(|&octet| octet == b'\n')
        .any(|field| is_dde(field.trim_ascii_start()))
}

/// Whether a field's instruction is of type DDE or DDEAUTO, case and quotes aside.
pub(crate) fn is_dde(instruction: &[u8]) -> bool {
    let bare = instruction.strip_prefix(b"\"").unwrap_or(instruction);
    let Some(rest) = starts_ignoring_case(bare, b"dde").then(|| crate::bytes::from(bare, 3)) else {
        return false;
    };
    let rest = if starts_ignoring_case(rest, b"auto") {
        crate::bytes::from(rest, 4)
    } else {
        rest
    };
    matches!(rest.first(), Some(b' ' | b'"' | b'\t' | 0xa0) | None)
}

/// Whether HTML or SVG has a script or an event handler.
pub(crate) fn has_script(bytes: &[u8]) -> bool {
    let narrowed: Vec<u8>;
    let bytes = if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        narrowed = bytes.iter().copied().filter(|&octet| octet != 0).collect();
        narrowed.as_slice()
    } else {
        bytes
    };
    memchr::memchr_iter(b'<', bytes).any(|at| {
        let rest = crate::bytes::from(bytes, at.saturating_add(1));
        if starts_ignoring_case(rest, b"script") {
            return true;
        }
        let rest = head(rest, MAX_ELEMENT);
        let end = memchr::memchr2(b'>', b'<', rest).unwrap_or(rest.len());
        has_handler(head(rest, end))
    })
}

/// Whether an element has an attribute `on…=` or an address of the scheme `javascript:`.
fn has_handler(element: &[u8]) -> bool {
    let mut words = element
        .split(|octet| octet.is_ascii_whitespace() || matches!(octet, b'/' | b'"' | b'\''))
        .skip(1);
    words.any(|word| {
        let name = memchr::memchr(b'=', word).map(|equals| head(word, equals));
        let handler = name.is_some_and(|name| {
            name.len() > 4
                && starts_ignoring_case(name, b"on")
                && name.iter().all(u8::is_ascii_alphabetic)
        });
        handler || starts_ignoring_case(word, b"javascript:")
    })
}
