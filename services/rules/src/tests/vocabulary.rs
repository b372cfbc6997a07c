//! Names of scopes, and the page that lists them.

use crate::{HeaderPart, Plain, RuleSet, Scope, vocabulary_table};

#[test]
fn scopes_are_read_and_written() {
    let header = |name: &str, part| Scope::Header {
        name: name.into(),
        part,
    };
    for (text, scope, written) in [
        ("body", Scope::Plain(Plain::Body), "body"),
        ("url.host", Scope::Plain(Plain::UrlHost), "url.host"),
        ("header[*]", Scope::Plain(Plain::Headers), "headers"),
        (
            "header.Subject",
            header("subject", HeaderPart::Value),
            "header.subject",
        ),
        (
            "header.X-A.raw",
            header("x-a", HeaderPart::Raw),
            "header.x-a.raw",
        ),
        (
            "header.to.address",
            header("to", HeaderPart::Address),
            "header.to.address",
        ),
        (
            "header.to.name",
            header("to", HeaderPart::Name),
            "header.to.name",
        ),
        (
            "mime.Content-Type.raw",
            Scope::Mime {
                name: "content-type".into(),
                raw: true,
            },
            "mime.content-type.raw",
        ),
    ] {
        assert_eq!(text.parse(), Ok(scope.clone()), "{text}");
        assert_eq!(scope.to_string(), written);
    }
    for plain in Plain::ALL {
        assert_eq!(plain.name().parse(), Ok(Scope::Plain(*plain)));
    }
    for (text, hint) in [
        ("bdy", Some("body")),
        ("url.hosts", Some("url.host")),
        ("header.", None),
        ("header.a b", None),
        ("zzz", None),
    ] {
        let unknown = text.parse::<Scope>().unwrap_err();
        if hint.is_some() {
            assert_eq!(unknown.hint, hint, "{text}");
        }
        assert_eq!(unknown.name, text);
    }
}

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rules.md"));

#[test]
fn the_page_lists_the_whole_vocabulary() {
    let (_, after) = PAGE.split_once("<!-- vocabulary -->\n\n").unwrap();
    let (table, _) = after.split_once("\n<!-- end of vocabulary -->").unwrap();
    assert_eq!(
        table,
        vocabulary_table(),
        "put this into docs/rules.md:\n{}",
        vocabulary_table()
    );
}

#[test]
fn the_examples_of_the_page_are_rule_files() {
    let examples: Vec<&str> = PAGE
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split_once("```").unwrap().0)
        .collect();
    assert!(examples.len() >= 3);
    for example in examples {
        if let Err(error) = RuleSet::parse(example) {
            panic!("{error}\n{example}");
        }
    }
}
