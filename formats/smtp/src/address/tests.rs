//! Tables of addresses, and the laws every accepted address obeys.

use proptest::prelude::*;

use super::*;

/// (input, what it prints as)
const ACCEPTED: &[(&str, &str)] = &[
    ("ann@example.org", "ann@example.org"),
    ("Ann.Lee+tag@EXAMPLE.Org", "Ann.Lee+tag@example.org"),
    ("a@localhost", "a@localhost"),
    ("a@my_host.example", "a@my_host.example"),
    ("a@r3---sn.example", "a@r3---sn.example"),
    ("a@1.example", "a@1.example"),
    (
        "user%elsewhere.example@example.org",
        "user%elsewhere.example@example.org",
    ),
    ("host!user@example.org", "host!user@example.org"),
    (
        "!#$%&'*+-/=?^_`{|}~@example.org",
        "!#$%&'*+-/=?^_`{|}~@example.org",
    ),
    (r#""plain"@example.org"#, "plain@example.org"),
    (r#""pl\ain"@example.org"#, "plain@example.org"),
    (
        r#""Fred Bloggs"@example.org"#,
        r#""Fred Bloggs"@example.org"#,
    ),
    (r#""a@b"@example.org"#, r#""a@b"@example.org"#),
    (r#""a..b"@example.org"#, r#""a..b"@example.org"#),
    (r#""."@example.org"#, r#""."@example.org"#),
    (r#""a\"b\\c"@example.org"#, r#""a\"b\\c"@example.org"#),
    (r#"">,(x)"@example.org"#, r#"">,(x)"@example.org"#),
    ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
    ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
    ("a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example"),
    // Decomposed and ideographic spellings meet in one A-label.
    ("a@bu\u{308}cher.example", "a@xn--bcher-kva.example"),
    ("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah"),
    ("用户@example.org", "用户@example.org"),
];

const REFUSED: &[(&str, AddressError)] = &[
    ("", AddressError::MissingAt),
    ("ann", AddressError::MissingAt),
    (r#""ann""#, AddressError::MissingAt),
    ("@example.org", AddressError::EmptyLocalpart),
    (r#"""@example.org"#, AddressError::EmptyLocalpart),
    (
        "@a.example,@b.example:c@d.example",
        AddressError::SourceRoute,
    ),
    ("@a.example:c@d.example", AddressError::SourceRoute),
    ("a@[192.0.2.1]", AddressError::AddressLiteral),
    ("a@[IPv6:2001:db8::1]", AddressError::AddressLiteral),
    ("a@192.0.2.1", AddressError::NumericDomain),
    ("a@example.org.", AddressError::TrailingDot),
    ("a@例え。テスト。", AddressError::TrailingDot),
    ("a@", AddressError::EmptyDomain),
    ("a@.", AddressError::EmptyLabel),
    ("a@.example.org", AddressError::EmptyLabel),
    ("a@example..org", AddressError::EmptyLabel),
    ("a@example.org..", AddressError::EmptyLabel),
    ("a@-example.org", AddressError::InvalidDomain),
    ("a@example-.org", AddressError::InvalidDomain),
    ("a@exam ple.org", AddressError::InvalidDomain),
    ("a@b@example.org", AddressError::InvalidDomain),
    ("a@b\u{ff20}example.org", AddressError::InvalidDomain),
    ("a@example.org,b", AddressError::InvalidDomain),
    ("a@xn--.example", AddressError::InvalidIdn),
    ("a@xn--a.example", AddressError::InvalidIdn),
    ("(c)a@example.org", AddressError::Comment),
    ("a(c)@example.org", AddressError::Comment),
    ("a@example.org(c)", AddressError::Comment),
    ("a\0@example.org", AddressError::Control),
    ("a@example.org\0", AddressError::Control),
    ("a\r\n@example.org", AddressError::Control),
    ("\"a\tb\"@example.org", AddressError::Control),
    ("a\u{85}@example.org", AddressError::Control),
    ("a\u{202e}@example.org", AddressError::Control),
    (".a@example.org", AddressError::MisplacedDot),
    ("a.@example.org", AddressError::MisplacedDot),
    ("a..b@example.org", AddressError::MisplacedDot),
    ("a b@example.org", AddressError::InvalidLocalpart),
    (" a@example.org", AddressError::InvalidLocalpart),
    ("a<b@example.org", AddressError::InvalidLocalpart),
    (r#"a"b"@example.org"#, AddressError::InvalidLocalpart),
    (r#""a"b@example.org"#, AddressError::InvalidLocalpart),
    (r#""a"."b"@example.org"#, AddressError::InvalidLocalpart),
    (r#""a@example.org"#, AddressError::UnterminatedQuote),
    (r#""a\"#, AddressError::UnterminatedQuote),
];

#[test]
fn accepted_addresses_print_in_one_form() {
    for (input, printed) in ACCEPTED {
        let address = Address::parse(input).unwrap_or_else(|e| panic!("{input}: {e}"));
        assert_eq!(address.to_string(), *printed, "{input}");
        assert_eq!(Address::parse(printed), Ok(address), "{input}");
    }
}

#[test]
fn refused_addresses_say_why() {
    for (input, error) in REFUSED {
        assert_eq!(Address::parse(input), Err(*error), "{input}");
    }
}

#[test]
fn lengths_are_bounded() {
    let address =
        |local: usize, domain: &str| Address::parse(&format!("{}@{domain}", "a".repeat(local)));
    assert!(address(MAX_LOCALPART, "example.org").is_ok());
    assert_eq!(
        address(MAX_LOCALPART + 1, "example.org"),
        Err(AddressError::LocalpartTooLong)
    );
    let quoted = format!("\"{}\"@example.org", "\\a".repeat(MAX_LOCALPART));
    assert!(Address::parse(&quoted).is_ok());

    let label = "b".repeat(MAX_LABEL);
    assert!(Domain::parse(&label).is_ok());
    assert_eq!(
        Domain::parse(&format!("{label}b")),
        Err(AddressError::LabelTooLong)
    );
    let longest = format!("{label}.{label}.{label}.{}", "c".repeat(61));
    assert_eq!(longest.len(), MAX_DOMAIN);
    assert!(Domain::parse(&longest).is_ok());
    assert_eq!(
        Domain::parse(&format!("{longest}c")),
        Err(AddressError::DomainTooLong)
    );
    assert_eq!(address(1, &longest), Err(AddressError::TooLong));
    assert_eq!(
        Domain::parse(&"d.".repeat(1_000_000)),
        Err(AddressError::DomainTooLong)
    );
    let expanding = "ü".repeat(300);
    assert!(Domain::parse(&expanding).is_err());
}

#[test]
fn paths_have_their_special_cases() {
    assert_eq!(ReversePath::parse(""), Ok(ReversePath::Null));
    assert_eq!(ReversePath::Null.to_string(), "<>");
    assert_eq!(ReversePath::Null.as_address(), None);
    assert_eq!(
        ForwardPath::parse("PostMaster"),
        Ok(ForwardPath::Postmaster)
    );
    assert_eq!(ForwardPath::parse(""), Err(AddressError::MissingAt));
    let path = ForwardPath::parse("postmaster@example.org").unwrap();
    assert_eq!(path.to_string(), "<postmaster@example.org>");
    assert_eq!(
        ReversePath::parse("postmaster"),
        Err(AddressError::MissingAt)
    );
}

#[test]
fn routed_forms_are_recognised() {
    for (input, routed) in [
        ("a%b.example@example.org", true),
        ("b!a@example.org", true),
        (r#""a@b"@example.org"#, true),
        ("a@example.org", false),
    ] {
        assert_eq!(
            Address::parse(input).unwrap().localpart.looks_routed(),
            routed,
            "{input}"
        );
    }
}

#[test]
fn domains_are_shown_with_u_labels() {
    let domain = Domain::parse("xn--bcher-kva.example").unwrap();
    assert_eq!(domain.to_unicode(), "bücher.example");
    assert!(Address::parse("a@bücher.example").unwrap().is_ascii());
    assert!(!Address::parse("ü@example.org").unwrap().is_ascii());
}

proptest! {
    #[test]
    fn any_text_parses_or_is_refused(text in "\\PC{0,80}") {
        if let Ok(address) = Address::parse(&text) {
            let printed = address.to_string();
            prop_assert_eq!(Address::parse(&printed), Ok(address.clone()), "{}", printed);
            let shown = address.domain.to_unicode();
            prop_assert_eq!(Domain::parse(&shown), Ok(address.domain), "{}", shown);
        }
    }

    #[test]
    fn near_addresses_parse_or_are_refused(text in "[a-zA-Z0-9@.\"\\\\ (<>\\[%!:üß\u{0}\r\n-]{0,40}") {
        if let Ok(address) = Address::parse(&text) {
            let printed = address.to_string();
            prop_assert_eq!(Address::parse(&printed), Ok(address), "{}", printed);
        }
    }

    #[test]
    fn any_content_survives_quoting(content in "[ -~üß用]{1,20}") {
        let localpart = Localpart::from_content(&content).unwrap();
        prop_assert_eq!(localpart.as_str(), &content);
        prop_assert_eq!(Localpart::parse(&localpart.to_string()), Ok(localpart));
    }
}

#[test]
fn non_ascii_local_parts_have_one_spelling() {
    let composed = Localpart::parse("jos\u{e9}").unwrap();
    assert_eq!(Localpart::parse("jose\u{301}").unwrap(), composed);
    assert_eq!(composed.as_str(), "jos\u{e9}");
}
