//! Tables of what browsers and people make of URLs.

use super::*;

/// Written, normalised.
const PARSED: &[(&str, &str)] = &[
    ("http://example.com", "http://example.com/"),
    ("HTTP://EXAMPLE.COM/A", "http://example.com/A"),
    ("  https://example.com/a b \n", "https://example.com/a%20b"),
    ("https:\\\\example.com\\a\\b", "https://example.com/a/b"),
    ("https:/example.com", "https://example.com/"),
    ("https:example.com", "https://example.com/"),
    ("https:////example.com/", "https://example.com/"),
    ("ht\ntp://exa\tmple.com/", "http://example.com/"),
    ("//example.com/x", "http://example.com/x"),
    ("www.example.com/x", "http://www.example.com/x"),
    ("example.com:8080/x", "http://example.com:8080/x"),
    ("example[.]com", "http://example.com/"),
    (
        "hxxps[:]//www(dot)example(dot)com/a",
        "https://www.example.com/a",
    ),
    ("http://example.com:80/", "http://example.com/"),
    ("http://example.com:8080", "http://example.com:8080/"),
    ("http://example.com:x/", "http://example.com/"),
    (
        "https://bank.test@evil.example/",
        "https://bank.test@evil.example/",
    ),
    ("https://a:b@c@evil.example/", "https://a:b@c@evil.example/"),
    ("https://@evil.example/", "https://evil.example/"),
    ("http://ex%61mple%2ecom/", "http://example.com/"),
    ("http://exam\u{200b}ple.com/", "http://example.com/"),
    ("http://exam\u{ad}ple.com/", "http://example.com/"),
    ("http://example\u{3002}com/", "http://example.com/"),
    ("http://ｅｘａｍｐｌｅ．ｃｏｍ/", "http://example.com/"),
    ("http://bücher.example/", "http://xn--bcher-kva.example/"),
    (
        "http://XN--bcher-KVA.example/",
        "http://xn--bcher-kva.example/",
    ),
    ("http://example.com./x", "http://example.com/x"),
    ("http://0x7f.1/", "http://127.0.0.1/"),
    ("http://017700000001/", "http://127.0.0.1/"),
    ("http://2130706433/", "http://127.0.0.1/"),
    ("http://0300.0250.1.1", "http://192.168.1.1/"),
    ("http://192.0.2.1/", "http://192.0.2.1/"),
    ("http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/"),
    ("http://[fe80::1%25eth0]/", "http://[fe80::1]/"),
    ("http://example.com?a=b#c", "http://example.com/?a=b#c"),
    (
        "http://example.com/a/./b/../c/%2e%2E/d",
        "http://example.com/a/d",
    ),
    ("http://example.com/../..", "http://example.com/"),
    (
        "http://example.com/%7ejoe/%c3%a9%2f%zz",
        "http://example.com/~joe/%C3%A9%2F%25zz",
    ),
    ("http://example.com/%%361", "http://example.com/%2561"),
    (
        "mailto:Joe@example.com?subject=x",
        "mailto:Joe@example.com?subject=x",
    ),
    ("javascript:alert(1)", "javascript:alert(1)"),
    ("java\nscript:alert(1)", "javascript:alert(1)"),
    ("DATA:text/html,<b>", "data:text/html,<b>"),
    ("cid:part1@example.com", "cid:part1@example.com"),
    ("foo://bar/x", "foo://bar/x"),
    (
        "http://under_score.example.com/",
        "http://under_score.example.com/",
    ),
];

const REFUSED: &[&str] = &[
    "",
    "http://",
    "http:///",
    "https://user@/",
    "hello",
    "hello world",
    "setup.exe",
    "foo:bar",
    "#top",
    "/path",
    "http://a..b/",
    "http://256.1.1.1.1/",
    "http://1.2.3.999/",
    "http://exa mple.com/",
    "http://[::g]/",
    "http://a\u{300}\u{202e}<b>/",
];

#[test]
fn as_browsers_do() {
    for (written, expected) in PARSED {
        let url = Url::parse(written).unwrap_or_else(|| panic!("{written:?} is refused"));
        assert_eq!(url.normalised(), *expected, "{written:?}");
        let again = Url::parse(expected).unwrap();
        assert_eq!(again.normalised(), *expected, "{written:?}");
    }
    for written in REFUSED {
        assert_eq!(Url::parse(written), None, "{written:?}");
    }
}

#[test]
fn oddities() {
    let base = Flags::default();
    for (written, expected) in [
        ("http://example.com/", base),
        ("example.com", Flags { bare: true, ..base }),
        (
            "hxxp://example.com",
            Flags {
                defanged: true,
                ..base
            },
        ),
        (
            "http://example[.]com",
            Flags {
                defanged: true,
                ..base
            },
        ),
        (
            "http://0x7f000001/",
            Flags {
                obfuscated_ip: true,
                ..base
            },
        ),
        (
            "http://127.1/",
            Flags {
                obfuscated_ip: true,
                ..base
            },
        ),
        ("http://127.0.0.1/", base),
        (
            "http://%65xample.com/",
            Flags {
                obfuscated_host: true,
                ..base
            },
        ),
        (
            "http://e\u{200b}xample.com/",
            Flags {
                obfuscated_host: true,
                ..base
            },
        ),
        (
            "http://bücher.example/",
            Flags {
                punycode: true,
                ..base
            },
        ),
        (
            "http://pаypal.com/",
            Flags {
                punycode: true,
                homograph: true,
                ..base
            },
        ),
        (
            "http://xn--pypal-4ve.com/",
            Flags {
                punycode: true,
                homograph: true,
                ..base
            },
        ),
        (
            "http://a.test/?u=https%3A%2F%2Fb.test%2F",
            Flags {
                nested: true,
                ..base
            },
        ),
    ] {
        assert_eq!(Url::parse(written).unwrap().flags, expected, "{written}");
    }
}

#[test]
fn inside_others() {
    for (written, expected) in [
        ("http://a.test/http://b.test/x?y", &["http://b.test/x"][..]),
        ("http://a.test/?u=http://b.test/x&v=1", &["http://b.test/x"]),
        (
            "http://a.test/?u=https%3A%2F%2Fb.test%2Fx%3Fy%3D1&v=1",
            &["https://b.test/x?y=1"],
        ),
        (
            "http://a.test/?u=https%253A%252F%252Fb.test%252F",
            &["https://b.test/"],
        ),
        (
            "http://a.test/?u=http%3A%2F%2Fb.test%2F%3Fv%3Dhttp%253A%252F%252Fc.test",
            &["http://b.test/?v=http%3A%2F%2Fc.test", "http://c.test/"],
        ),
        (
            "http://a.test/?u=www.example.com/x",
            &["http://www.example.com/x"],
        ),
        (
            "http://a.test/?u=aHR0cHM6Ly9iLnRlc3QveA",
            &["https://b.test/x"],
        ),
        (
            "http://a.test/?u=aHR0cHM6Ly9iLnRlc3QveHg%3D",
            &["https://b.test/xx"],
        ),
        (
            "https://urldefense.proofpoint.com/v2/url?u=https-3A__b.example.com_x&d=DwM",
            &["https://b.example.com/x"],
        ),
        (
            "https://urldefense.com/v3/__https://b.example.com/x__;!!abc",
            &["https://b.example.com/x"],
        ),
        (
            "https://www.google.com/amp/s/example.com/x",
            &["https://example.com/x"],
        ),
        ("http://a.test/#http://b.test", &["http://b.test/"]),
        ("http://a.test/?q=http", &[]),
        ("http://a.test/x?y=z", &[]),
        ("mailto:http://b.test/", &[]),
    ] {
        let url = Url::parse(written).unwrap();
        let nested: Vec<String> = url.nested().iter().map(Url::normalised).collect();
        assert_eq!(nested, expected, "{written}");
        assert_eq!(url.flags.nested, !expected.is_empty(), "{written}");
    }
}

#[test]
fn in_text() {
    for (text, expected) in [
        ("see http://example.com.", &["http://example.com"][..]),
        ("(http://example.com/a_(b))", &["http://example.com/a_(b)"]),
        ("(see http://example.com/a)", &["http://example.com/a"]),
        ("[http://example.com/a], b", &["http://example.com/a"]),
        ("\"http://example.com/\"", &["http://example.com/"]),
        (
            "http://a.test,http://b.test",
            &["http://a.test", "http://b.test"],
        ),
        (
            "http://a.test/?u=http://b.test",
            &["http://a.test/?u=http://b.test"],
        ),
        ("go:http://a.test/", &["http://a.test/"]),
        ("xhttps://a.test/", &["https://a.test/"]),
        (
            "<http://example.com/long\n/path\n  /more> x",
            &["http://example.com/long\n/path\n  /more"],
        ),
        ("<http://example.com/a\nb c>", &["http://example.com/a"]),
        (
            "www.example.com/x, example.org!",
            &["www.example.com/x", "example.org"],
        ),
        ("visit example.com/path?q=1.", &["example.com/path?q=1"]),
        (
            "example[.]com and hxxp://a.test",
            &["example[.]com", "hxxp://a.test"],
        ),
        ("example[dot]com", &["example[dot]com"]),
        ("joe@example.com", &[]),
        ("mailto:joe@example.com", &["mailto:joe@example.com"]),
        ("javascript:alert(1)", &["javascript:alert(1)"]),
        ("report.pdf setup.py README.md 1.2 v1.0.3 e.g. U.S.A.", &[]),
        ("It is done.In time", &[]),
        ("a.m. and p.m. 10.0.0.0/8", &[]),
        ("192.0.2.1/login", &["192.0.2.1/login"]),
        (
            "host example.com:8080 note:example.com:x",
            &["example.com:8080", "example.com"],
        ),
        ("siehe www.bücher.example。", &["www.bücher.example"]),
        ("看http://example.com/a，好", &["http://example.com/a"]),
        ("http:\\\\example.com\\a", &["http:\\\\example.com\\a"]),
        ("https://", &[]),
        ("http://a.test/**", &["http://a.test/"]),
        (
            "tel:+123456 data:text/html,x",
            &["tel:+123456", "data:text/html,x"],
        ),
        ("ratio 3:4, time 10:30, std::vec", &[]),
        ("example。com/a", &["example。com/a"]),
    ] {
        let found: Vec<&str> = find(text).map(|found| found.written).collect();
        assert_eq!(found, expected, "{text:?}");
        for found in find(text) {
            assert_eq!(&text[found.range.clone()], found.written);
        }
    }
}

#[test]
fn addresses_in_text() {
    for (text, expected) in [
        ("Joe.Doe+x@Example.COM.", &["joe.doe+x@example.com"][..]),
        (
            "<joe@example.com>,(ann@example.org)",
            &["joe@example.com", "ann@example.org"],
        ),
        (
            "mailto:joe@example.com?cc=ann@example.org",
            &["joe@example.com", "ann@example.org"],
        ),
        ("http://joe@example.com/", &[]),
        (
            "http://example.com/?to=joe@example.com",
            &["joe@example.com"],
        ),
        ("joe@localhost @example.com a@b joe@setup.exe", &[]),
        ("'joe@example.com'", &["joe@example.com"]),
        ("jürgen@bücher.de", &["jürgen@xn--bcher-kva.de"]),
        ("a@example.com@example.org", &["a@example.com"]),
    ] {
        let found: Vec<String> = addresses(text).map(|m| m.address).collect();
        assert_eq!(found, expected, "{text:?}");
    }
    let mailbox = addresses("joe@example.com").next().unwrap();
    assert_eq!(mailbox.domain(), "example.com");
}

#[test]
fn there_is_an_end() {
    let text = "http://a.test ".repeat(MAX_URLS + 5);
    assert_eq!(find(&text).count(), MAX_URLS);
    let long = format!("http://a.test/{}", "x".repeat(2 * MAX_URL_LENGTH));
    assert!(find(&long).all(|found| found.written.len() <= MAX_URL_LENGTH));
    assert!(Url::parse(&long).unwrap().path.len() <= MAX_URL_LENGTH);
}
