use std::num::NonZeroU32;

use super::*;
use crate::atom::Tag;
use crate::capability::Capability;
use crate::command::Id;
use crate::date::DateTime;
use crate::flag::{Flag, Keyword};
use crate::mailbox::{MailboxName, SpecialUse};
use crate::number::{ModSeq, SeqNum, Uid, UidValidity};
use crate::section::{Section, SectionText};
use crate::sequence::{By, UidSet};

fn written_in(mode: Utf8Mode, response: &impl Encode) -> String {
    let mut out = Vec::new();
    response.encode_to(&mut out, mode);
    let text = String::from_utf8(out).unwrap();
    text.strip_suffix("\r\n").expect("a whole line").to_owned()
}

fn written(response: &impl Encode) -> String {
    written_in(Utf8Mode::ModifiedUtf7, response)
}

fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

fn set(uids: &[u32]) -> UidSet {
    uids.iter().filter_map(|uid| Uid::new(*uid)).collect()
}

#[test]
fn status_responses() {
    let tag = || Tag::new("a1").unwrap();
    let ok = StatusResponse::new(Status::Ok, "done");
    assert_eq!(written(&ok), "* OK done");
    assert_eq!(written(&ok.clone().tagged(tag())), "a1 OK done");
    let bye = StatusResponse::new(Status::Bye, "see you").tagged(tag());
    assert_eq!(written(&bye), "* BYE see you");
    let preauth = StatusResponse::new(Status::PreAuth, "x").tagged(tag());
    assert_eq!(written(&preauth), "* PREAUTH x");

    let coded = |code: ResponseCode| {
        written(
            &StatusResponse::new(Status::No, "x")
                .tagged(tag())
                .with_code(code),
        )
    };
    let validity = UidValidity::new(38_505).unwrap();
    for (code, expected) in [
        (ResponseCode::TryCreate, "TRYCREATE"),
        (ResponseCode::ReadOnly, "READ-ONLY"),
        (
            ResponseCode::AppendUid(validity, Uid::new(7).unwrap()),
            "APPENDUID 38505 7",
        ),
        (
            ResponseCode::CopyUid(
                CopyUid::new(validity, set(&[304, 319, 320]), set(&[3956, 3957, 3958])).unwrap(),
            ),
            "COPYUID 38505 304,319:320 3956:3958",
        ),
        (ResponseCode::BadCharset(vec![UTF_8]), "BADCHARSET (UTF-8)"),
        (
            ResponseCode::Capability(vec![Capability::Imap4Rev2, Capability::AppendLimit(9)]),
            "CAPABILITY IMAP4rev2 APPENDLIMIT=9",
        ),
        (
            ResponseCode::HighestModSeq(ModSeq::new(715).unwrap()),
            "HIGHESTMODSEQ 715",
        ),
        (ResponseCode::Modified(set(&[7, 9])), "MODIFIED 7,9"),
        (
            ResponseCode::PermanentFlags(PermanentFlags {
                flags: vec![Flag::Deleted, Flag::Seen],
                new_keywords: true,
            }),
            "PERMANENTFLAGS (\\Deleted \\Seen \\*)",
        ),
        (
            ResponseCode::PermanentFlags(PermanentFlags::default()),
            "PERMANENTFLAGS ()",
        ),
        (ResponseCode::UidNext(4_392), "UIDNEXT 4392"),
        (ResponseCode::UidValidity(validity), "UIDVALIDITY 38505"),
        (ResponseCode::Unseen(12), "UNSEEN 12"),
    ] {
        assert_eq!(coded(code), format!("a1 NO [{expected}] x"));
    }
}

#[test]
fn copied_uids_come_in_pairs() {
    let validity = UidValidity::new(1).unwrap();
    assert_eq!(CopyUid::new(validity, set(&[]), set(&[])), None);
    assert_eq!(CopyUid::new(validity, set(&[1, 2]), set(&[3])), None);
}

#[test]
fn no_text_breaks_its_line() {
    let text = |mode, text: &'static str| written_in(mode, &StatusResponse::new(Status::Ok, text));
    let (utf7, utf8) = (Utf8Mode::ModifiedUtf7, Utf8Mode::Utf8);
    assert_eq!(text(utf7, "a\r\n* BYE b"), "* OK a??* BYE b");
    assert_eq!(text(utf7, ""), "* OK -");
    assert_eq!(text(utf7, "[ALERT] x"), "* OK (ALERT] x");
    assert_eq!(text(utf7, "größer"), "* OK gr??er");
    assert_eq!(text(utf8, "größer"), "* OK größer");
    assert_eq!(text(utf8, "a\u{85}\0"), "* OK a??");
}

#[test]
fn mailbox_data() {
    use MailboxAttribute::{HasChildren, NonExistent, Subscribed};
    let entwürfe = name("Entwürfe");
    let mut list = ListData {
        kind: ListKind::List,
        attributes: &[
            HasChildren,
            MailboxAttribute::SpecialUse(SpecialUse::Drafts),
        ],
        mailbox: &entwürfe,
        child_subscribed: false,
        old_name: None,
    };
    assert_eq!(
        written(&list),
        "* LIST (\\HasChildren \\Drafts) \"/\" Entw&APw-rfe"
    );
    assert_eq!(
        written_in(Utf8Mode::Utf8, &list),
        "* LIST (\\HasChildren \\Drafts) \"/\" \"Entwürfe\""
    );
    let old = name("a b");
    (list.attributes, list.child_subscribed, list.old_name) =
        (&[NonExistent, Subscribed], true, Some(&old));
    assert_eq!(
        written(&list),
        "* LIST (\\NonExistent \\Subscribed) \"/\" Entw&APw-rfe (\"CHILDINFO\" (\"SUBSCRIBED\") \
         \"OLDNAME\" (\"a b\"))"
    );
    assert_eq!(
        written(&ListDelimiter(ListKind::Lsub)),
        "* LSUB (\\Noselect) \"/\" \"\""
    );

    let values = [
        StatusValue::Messages(231),
        StatusValue::UidNext(44_292),
        StatusValue::UidValidity(UidValidity::new(1).unwrap()),
        StatusValue::Unseen(0),
        StatusValue::Deleted(2),
        StatusValue::Size(1 << 40),
        StatusValue::HighestModSeq(7),
        StatusValue::Recent(0),
        StatusValue::AppendLimit(None),
    ];
    assert_eq!(
        written(&StatusData {
            mailbox: &old,
            values: &values
        }),
        "* STATUS \"a b\" (MESSAGES 231 UIDNEXT 44292 UIDVALIDITY 1 UNSEEN 0 DELETED 2 SIZE \
         1099511627776 HIGHESTMODSEQ 7 RECENT 0 APPENDLIMIT NIL)"
    );
    let namespaces = NamespaceData {
        personal: vec![NamespacePrefix::Root],
        other_users: vec![],
        shared: vec![NamespacePrefix::Below(name("Gemeinsam/ü"))],
    };
    assert_eq!(
        written(&namespaces),
        "* NAMESPACE ((\"\" \"/\")) NIL ((\"Gemeinsam/&APw-/\" \"/\"))"
    );
}

#[test]
fn short_data() {
    assert_eq!(written(&Exists(23)), "* 23 EXISTS");
    assert_eq!(written(&Recent(0)), "* 0 RECENT");
    assert_eq!(written(&Expunged(SeqNum::new(4).unwrap())), "* 4 EXPUNGE");
    assert_eq!(
        written(&FlagsData(&[
            Flag::Answered,
            Flag::Keyword(Keyword::new("$Junk").unwrap())
        ])),
        "* FLAGS (\\Answered $Junk)"
    );
    let capabilities = [
        Capability::Imap4Rev1,
        Capability::Utf8Accept,
        Capability::parse("auth=plain").unwrap(),
    ];
    assert_eq!(
        written(&CapabilityData(&capabilities)),
        "* CAPABILITY IMAP4rev1 UTF8=ACCEPT AUTH=PLAIN"
    );
    assert_eq!(written(&Enabled(&[])), "* ENABLED");
    assert_eq!(
        written(&Enabled(&[Capability::CondStore])),
        "* ENABLED CONDSTORE"
    );
    assert_eq!(written(&IdData(&Id::default())), "* ID NIL");
    assert_eq!(
        written(&IdData(&Id {
            fields: vec![("name".into(), Some("Muskox".into()))]
        })),
        "* ID (\"name\" \"Muskox\")"
    );
    assert_eq!(written(&Continuation::Ready), "+ OK");
    assert_eq!(written(&Continuation::Challenge(b"")), "+ ");
    assert_eq!(written(&Continuation::Challenge(b"abc")), "+ YWJj");
}

#[test]
fn search_results() {
    let mod_seq = ModSeq::new(917);
    assert_eq!(
        written(&SearchData {
            numbers: &[],
            mod_seq
        }),
        "* SEARCH"
    );
    assert_eq!(
        written(&SearchData {
            numbers: &[2, 84],
            mod_seq: None
        }),
        "* SEARCH 2 84"
    );
    assert_eq!(
        written(&SearchData {
            numbers: &[2],
            mod_seq
        }),
        "* SEARCH 2 (MODSEQ 917)"
    );

    let (tag, none, all) = (Tag::new("A1").unwrap(), UidSet::new(), set(&[2, 10, 11]));
    let mut found = ESearch {
        tag: &tag,
        by: By::Uid,
        min: None,
        max: None,
        all: Some(&none),
        count: Some(0),
        mod_seq: None,
    };
    assert_eq!(written(&found), "* ESEARCH (TAG \"A1\") UID COUNT 0");
    found = ESearch {
        by: By::Seq,
        min: Some(2),
        max: Some(11),
        all: Some(&all),
        mod_seq,
        ..found
    };
    assert_eq!(
        written(&found),
        "* ESEARCH (TAG \"A1\") MIN 2 MAX 11 ALL 2,10:11 COUNT 0 MODSEQ 917"
    );
}

fn fetched(mode: Utf8Mode, write: impl FnOnce(&mut FetchWriter<'_, '_>)) -> String {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, mode);
    let mut fetch = FetchWriter::begin(&mut writer, SeqNum::new(12).unwrap());
    write(&mut fetch);
    fetch.end();
    let text = String::from_utf8(out).unwrap();
    text.strip_suffix("\r\n").unwrap().to_owned()
}

#[test]
fn fetch_items() {
    let section = |part: &[u32], text| {
        Section::new(
            part.iter().filter_map(|n| NonZeroU32::new(*n)).collect(),
            text,
        )
        .unwrap()
    };
    let text = fetched(Utf8Mode::Utf8, |fetch| {
        fetch
            .uid(Uid::new(99).unwrap())
            .flags(&[Flag::Seen])
            .flags(&[])
            .recent_flags(&[Flag::Draft]);
        fetch
            .mod_seq(ModSeq::new(5).unwrap())
            .internal_date(DateTime::utc(0))
            .rfc822_size(44_827);
    });
    assert_eq!(
        text,
        "* 12 FETCH (UID 99 FLAGS (\\Seen) FLAGS () FLAGS (\\Recent \\Draft) MODSEQ (5) \
         INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\" RFC822.SIZE 44827)"
    );
    let text = fetched(Utf8Mode::Utf8, |fetch| {
        fetch.body_section(&Section::whole(), None, Some(b"a\r\nb"));
        fetch.body_section(&section(&[1, 2], SectionText::Text), Some(3), Some(b""));
        fetch.body_section(&section(&[9], SectionText::Mime), None, None);
        fetch.body_section(
            &section(
                &[],
                SectionText::HeaderFields(vec!["Date".into(), "X(".into()]),
            ),
            None,
            Some(b"\r\n"),
        );
        fetch.rfc822(b"x").rfc822_header(b"y").rfc822_text(b"z");
        fetch.other("PREVIEW", |writer| {
            writer.string(b"hi");
        });
    });
    assert_eq!(
        text,
        "* 12 FETCH (BODY[] {4}\r\na\r\nb BODY[1.2.TEXT]<3> {0}\r\n BODY[9.MIME] NIL \
         BODY[HEADER.FIELDS (Date \"X(\")] {2}\r\n\r\n RFC822 {1}\r\nx RFC822.HEADER {1}\r\ny \
         RFC822.TEXT {1}\r\nz PREVIEW \"hi\")"
    );
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, Utf8Mode::Utf8);
    let mut fetch = FetchWriter::begin(&mut writer, SeqNum::new(1).unwrap());
    fetch.body_section_header(&Section::whole(), Some(0), 5_000_000_000);
    assert_eq!(out, b"* 1 FETCH (BODY[]<0> {5000000000}\r\n");
}

struct Letter {
    subject: Option<Vec<u8>>,
    from: Vec<EnvelopeAddress<'static>>,
}

impl EnvelopeSource for &Letter {
    fn date(&self) -> Option<&[u8]> {
        Some(b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)")
    }
    fn subject(&self) -> Option<&[u8]> {
        self.subject.as_deref()
    }
    fn in_reply_to(&self) -> Option<&[u8]> {
        None
    }
    fn message_id(&self) -> Option<&[u8]> {
        Some(b"<B27397@cac.example>")
    }
    fn addresses(&self, field: AddressField) -> impl Iterator<Item = EnvelopeAddress<'_>> {
        let shown: &[EnvelopeAddress<'_>] = if field == AddressField::From {
            &self.from
        } else {
            &[]
        };
        shown.iter().copied()
    }
}

const TERRY: EnvelopeAddress<'_> = EnvelopeAddress {
    name: Some(b"Terry \"T\" Gray"),
    mailbox: Some(b"gray"),
    host: Some(b"cac.example"),
};

const TERRY_WRITTEN: &str = "(\"Terry \\\"T\\\" Gray\" NIL \"gray\" \"cac.example\")";

#[test]
fn envelopes() {
    let shown = |mode, letter: &Letter| {
        let text = fetched(mode, |fetch| {
            fetch.envelope(&letter);
        });
        let inner = text
            .strip_prefix("* 12 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" ")
            .and_then(|text| text.strip_suffix(" NIL \"<B27397@cac.example>\"))"));
        inner.expect("the frame of an envelope").to_owned()
    };
    let mut letter = Letter {
        subject: None,
        from: vec![],
    };
    let mode = Utf8Mode::ModifiedUtf7;
    assert_eq!(shown(mode, &letter), "NIL NIL NIL NIL NIL NIL NIL");
    letter.from = vec![TERRY, EnvelopeAddress::default()];
    letter.subject = Some("é".into());
    let from = format!("({TERRY_WRITTEN}(NIL NIL NIL NIL)) NIL NIL NIL NIL NIL");
    assert_eq!(shown(mode, &letter), format!("{{2}}\r\né {from}"));
    assert_eq!(shown(Utf8Mode::Utf8, &letter), format!("\"é\" {from}"));
    // A header cannot put in lines of its own.
    letter.subject = Some(b"a\r\n* 1 EXPUNGE\0".to_vec());
    assert_eq!(
        shown(mode, &letter),
        format!("{{14}}\r\na\r\n* 1 EXPUNGE {from}")
    );
    letter.from = vec![TERRY; MAX_ENVELOPE_ADDRESSES + 1];
    assert_eq!(
        shown(mode, &letter).matches("Terry").count(),
        MAX_ENVELOPE_ADDRESSES
    );
}

type Parts = Vec<(&'static str, &'static str, Shape)>;

enum Shape {
    Leaf,
    Message(u32),
    Multipart(Vec<u32>),
}

struct Tree {
    parts: Parts,
    parameters: Vec<(Vec<u8>, Vec<u8>)>,
    language: Vec<Vec<u8>>,
    letter: Letter,
}

impl Tree {
    fn new(parts: Parts) -> Self {
        let letter = Letter {
            subject: None,
            from: vec![],
        };
        Self {
            parts,
            parameters: vec![],
            language: vec![],
            letter,
        }
    }
}

impl BodySource for Tree {
    type Envelope<'a> = &'a Letter;

    fn part(&self, number: u32) -> Option<BodyPart<'_, &Letter>> {
        let (media, subtype, shape) = self.parts.get(number as usize)?;
        let kind = match shape {
            Shape::Leaf => BodyKind::Leaf,
            Shape::Message(body) => BodyKind::Message {
                envelope: &self.letter,
                body: *body,
            },
            Shape::Multipart(children) => BodyKind::Multipart(children),
        };
        let disposition = (!self.language.is_empty()).then_some(Disposition {
            kind: b"attachment",
            parameters: &self.parameters,
        });
        Some(BodyPart {
            media: media.as_bytes(),
            subtype: subtype.as_bytes(),
            parameters: &self.parameters,
            id: None,
            description: None,
            encoding: None,
            size: 10 + number,
            lines: number,
            md5: None,
            disposition,
            language: &self.language,
            location: None,
            kind,
        })
    }
}

fn body(tree: &Tree, extensions: Extensions) -> String {
    let text = fetched(Utf8Mode::ModifiedUtf7, |fetch| {
        fetch.body_structure(tree, extensions);
    });
    let inner = text
        .strip_prefix("* 12 FETCH (BODY")
        .and_then(|text| text.strip_suffix(")"));
    let inner = inner.expect("a FETCH response");
    inner
        .strip_prefix("STRUCTURE")
        .unwrap_or(inner)
        .trim_start()
        .to_owned()
}

const EMPTY_TEXT: &str = "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0)";

#[test]
fn body_structures() {
    use Shape::{Leaf, Message, Multipart};
    let mut tree = Tree::new(vec![("text", "plain", Leaf)]);
    assert_eq!(
        body(&tree, Extensions::Without),
        "(\"text\" \"plain\" NIL NIL NIL \"7BIT\" 10 0)"
    );
    assert_eq!(
        body(&tree, Extensions::With),
        "(\"text\" \"plain\" NIL NIL NIL \"7BIT\" 10 0 NIL NIL NIL NIL)"
    );
    tree.parameters = vec![(b"charset".to_vec(), b"x\"y".to_vec())];
    tree.language = vec![b"de".to_vec(), b"en".to_vec()];
    assert_eq!(
        body(&tree, Extensions::With),
        "(\"text\" \"plain\" (\"charset\" \"x\\\"y\") NIL NIL \"7BIT\" 10 0 NIL (\"attachment\" \
         (\"charset\" \"x\\\"y\")) (\"de\" \"en\") NIL)"
    );

    let tree = Tree::new(vec![
        ("multipart", "mixed", Multipart(vec![1, 2])),
        ("image", "png", Leaf),
        ("message", "rfc822", Message(3)),
        ("multipart", "alternative", Multipart(vec![4])),
        ("text", "html", Leaf),
    ]);
    let envelope = "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" NIL NIL NIL NIL NIL NIL NIL NIL \
                    \"<B27397@cac.example>\")";
    assert_eq!(
        body(&tree, Extensions::Without),
        format!(
            "((\"image\" \"png\" NIL NIL NIL \"7BIT\" 11)(\"message\" \"rfc822\" NIL NIL NIL \
             \"7BIT\" 12 {envelope} ((\"text\" \"html\" NIL NIL NIL \"7BIT\" 14 4) \
             \"alternative\") 2) \"mixed\")"
        )
    );
    assert_eq!(
        body(&tree, Extensions::With),
        format!(
            "((\"image\" \"png\" NIL NIL NIL \"7BIT\" 11 NIL NIL NIL NIL)(\"message\" \"rfc822\" \
             NIL NIL NIL \"7BIT\" 12 {envelope} ((\"text\" \"html\" NIL NIL NIL \"7BIT\" 14 4 NIL \
             NIL NIL NIL) \"alternative\" NIL NIL NIL NIL) 2 NIL NIL NIL NIL) \"mixed\" NIL NIL \
             NIL NIL)"
        )
    );
}

#[test]
fn odd_structures_stay_within_the_grammar() {
    use Shape::{Leaf, Message, Multipart};
    let without = |parts: Parts| body(&Tree::new(parts), Extensions::Without);
    assert_eq!(without(vec![]), EMPTY_TEXT);
    assert_eq!(
        without(vec![("multipart", "mixed", Multipart(vec![]))]),
        EMPTY_TEXT
    );
    assert_eq!(
        without(vec![("multipart", "mixed", Leaf)]),
        "(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 10 0)"
    );
    assert_eq!(
        without(vec![("Message", "RFC822", Leaf)]),
        "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"7BIT\" 10)"
    );
    // Cycles, and children that are not there.
    assert_eq!(
        without(vec![("multipart", "mixed", Multipart(vec![0, 0, 7]))]),
        format!("({EMPTY_TEXT}{EMPTY_TEXT}{EMPTY_TEXT} \"mixed\")")
    );
    assert!(without(vec![("message", "rfc822", Message(0))]).contains(EMPTY_TEXT));
}

#[test]
fn bombs_of_parts_are_bounded() {
    let chain = |levels: u32| -> Parts {
        (1..=levels)
            .map(|next| ("multipart", "mixed", Shape::Multipart(vec![next])))
            .collect()
    };
    let deep = body(&Tree::new(chain(100_000)), Extensions::With);
    assert_eq!(deep.matches("\"mixed\"").count(), MAX_BODY_DEPTH);
    // Each level has the next one twice: 2^60 parts, if one believed it.
    let doubled = (1..60).map(|next| ("multipart", "mixed", Shape::Multipart(vec![next, next])));
    let wide = body(&Tree::new(doubled.collect()), Extensions::With);
    assert!(wide.matches("\"mixed\"").count() <= MAX_BODY_PARTS);
    assert!(wide.len() < 2_000_000, "{}", wide.len());
    assert_eq!(wide.matches('(').count(), wide.matches(')').count());
    let mut flat: Parts = vec![(
        "multipart",
        "mixed",
        Shape::Multipart((1..1_000_000).collect()),
    )];
    flat.extend((1..1_000).map(|_| ("text", "plain", Shape::Leaf)));
    assert!(body(&Tree::new(flat), Extensions::With).len() < 2_000_000);
}

#[test]
fn flags_of_fifty_thousand_messages() {
    let flags = [
        Flag::Seen,
        Flag::Answered,
        Flag::Keyword(Keyword::new("$Forwarded").unwrap()),
    ];
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, Utf8Mode::ModifiedUtf7);
    for number in (1..=50_000).filter_map(SeqNum::new) {
        let mut fetch = FetchWriter::begin(&mut writer, number);
        fetch.uid(Uid::from(NonZeroU32::from(number))).flags(&flags);
        fetch.end();
    }
    assert_eq!(out.split(|b| *b == b'\n').count(), 50_001);
    assert!(out.ends_with(b"* 50000 FETCH (UID 50000 FLAGS (\\Seen \\Answered $Forwarded))\r\n"));
}
