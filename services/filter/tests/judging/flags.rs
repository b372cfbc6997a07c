//! Flags: messages as text, and what holds for them.

use std::net::IpAddr;

use filter::{Input, Origin, Recipient};
use rules::Flag;
use smtp::address::ReversePath;

use crate::files;
use crate::house::{
    HEADER, House, Row, address, ask, fields, good, holds, mail, named, page, parts, says, with,
};

fn from_ip(ip: &str) -> Input {
    let ip: IpAddr = ip.parse().unwrap();
    with(good(), |input| input.ip = ip)
}

fn from_sender(sender: &str) -> Input {
    with(good(), |input| {
        input.from = ReversePath::Address(address(sender));
    })
}

fn for_recipients(input: Input, recipients: &[&str]) -> Input {
    with(input, |input| {
        let recipients = recipients.iter().map(|text| Recipient::new(address(text)));
        input.recipients = recipients.collect();
    })
}

fn link(text: &str, href: &str) -> Input {
    page(&format!(
        "<p>See <a href=\"{href}\">{text}</a> for more</p>"
    ))
}

#[tokio::test]
async fn a_plain_message_has_two_flags_and_no_others() {
    let house = House::new().await;
    let holding: Vec<&str> = Flag::ALL
        .iter()
        .map(|flag| flag.name())
        .filter(|name| holds(&house.filter, &format!("flag = '{name}'"), &good()))
        .collect();
    assert_eq!(holding, ["has_plain", "message_id.matches_from"]);
}

fn ways() -> Vec<Row> {
    vec![
        Row(
            "flag = 'authenticated'",
            with(good(), |input| input.origin = Origin::Authenticated),
            true,
        ),
        Row("flag = 'client_is_near'", from_ip("10.1.2.3"), true),
        Row("flag = 'client_is_near'", from_ip("::ffff:127.0.0.1"), true),
        Row("flag = 'client_is_near'", from_ip("fe80::1"), true),
        Row("flag = 'client_is_near'", from_ip("2001:db8::1"), false),
        Row(
            "flag = 'null_sender'",
            with(good(), |input| input.from = ReversePath::Null),
            true,
        ),
        Row(
            "flag = 'envelope_from.is_client'",
            named(good(), "mail.example.com"),
            true,
        ),
        Row(
            "flag = 'envelope_from.is_client'",
            named(good(), "mail.example.net"),
            false,
        ),
        Row(
            "flag = 'client_name.has_address'",
            named(good(), "198-51-100-1.dsl.example.net"),
            true,
        ),
        Row(
            "flag = 'client_name.has_address'",
            named(good(), "mail51.example.net"),
            false,
        ),
        Row(
            "flag = 'helo.has_address'",
            with(good(), |input| input.helo = "1.100.51.198.example".into()),
            true,
        ),
        Row(
            "flag = 'helo.has_address'",
            with(good(), |input| input.helo = "[198.51.100.1]".into()),
            false,
        ),
    ]
}

fn people() -> Vec<Row> {
    vec![
        Row(
            "flag = 'envelope_from.differs'",
            from_sender("anna@example.net"),
            true,
        ),
        Row(
            "flag = 'envelope_from.differs'",
            from_sender("bounce@news.example.com"),
            false,
        ),
        Row(
            "flag = 'reply_to.differs'",
            fields("Reply-To: anna@example.net\n"),
            true,
        ),
        Row(
            "flag = 'reply_to.differs'",
            fields("Reply-To: anna@mail.example.com\n"),
            false,
        ),
        Row(
            "flag = 'reply_to.is_from'",
            fields("Reply-To: Anna <ANNA@example.com>\n"),
            true,
        ),
        Row(
            "flag = 'from.name_is_address'",
            fields("From: \"boss@example.org\" <anna@example.com>\n"),
            true,
        ),
        Row(
            "flag = 'from.name_is_address'",
            fields("From: \"Anna@Example.com\" <anna@example.com>\n"),
            false,
        ),
        Row(
            "flag = 'from.name_is_domain'",
            fields("From: \"www.example.net\" <anna@example.com>\n"),
            true,
        ),
        Row(
            "flag = 'from.name_is_domain'",
            fields("From: \"www.example.com\" <anna@example.com>\n"),
            false,
        ),
        Row(
            "flag = 'from.is_recipient'",
            fields("From: Ann <Ann@Example.org>\n"),
            true,
        ),
        Row(
            "flag = 'from.name_has_recipient_domain'",
            fields("From: \"Help Desk of example.org\" <anna@example.com>\n"),
            true,
        ),
        Row(
            "flag = 'from.name_has_recipient_domain'",
            fields("From: \"Example.org\" <it@example.org>\n"),
            false,
        ),
    ]
}

fn addressees() -> Vec<Row> {
    let seven = "To: a@example.org, b@example.org, c@example.org, d@example.org\n\
                 Cc: e@example.org, f@example.org, g@example.org\n";
    vec![
        Row(
            "flag = 'recipient.hidden'",
            for_recipients(good(), &["carl@example.org"]),
            true,
        ),
        Row(
            "flag = 'recipient.hidden'",
            for_recipients(good(), &["carl@example.org", "Ann@example.org"]),
            false,
        ),
        Row(
            "flag = 'to.undisclosed'",
            fields("To: undisclosed-recipients:;\n"),
            true,
        ),
        Row(
            "flag = 'to.undisclosed'",
            mail("From: anna@example.com\n\nHello\n"),
            true,
        ),
        Row("flag = 'recipients.sorted'", fields(seven), true),
        Row(
            "flag = 'recipients.sorted'",
            fields(&seven.replace("a@", "z@")),
            false,
        ),
        Row("flag = 'addressees.sorted'", fields(seven), true),
        Row(
            "flag = 'addressees.sorted'",
            fields(&seven.replace("f@", "e@").replace("g@", "e@")),
            false,
        ),
        Row(
            "flag = 'addressees.similar'",
            fields(
                &seven
                    .replace("@example", "nna@example")
                    .replace("To: ", "To: x@y.example, "),
            ),
            false,
        ),
        Row(
            "flag = 'addressees.similar'",
            fields(&seven.replace(": ", ": ann").replace(", ", ", ann")),
            true,
        ),
        Row(
            "flag = 'message_id.matches_from'",
            fields("Message-ID: <1@mail.example.com>\n"),
            true,
        ),
        Row(
            "flag = 'message_id.matches_from'",
            fields("Message-ID: <1@localhost>\n"),
            false,
        ),
        Row(
            "flag = 'message_id.matches_recipient'",
            fields("Message-ID: <1@mx.example.org>\n"),
            true,
        ),
    ]
}

fn subjects() -> Vec<Row> {
    let ann = "To: anneliese@example.org\n";
    let to = |subject: &str| {
        let input = fields(&format!("Subject: {subject}\n{ann}"));
        for_recipients(input, &["anneliese@example.org"])
    };
    vec![
        Row(
            "flag = 'subject.encoded_needlessly'",
            fields("Subject: =?utf-8?q?Lunch_at_noon?=\n"),
            true,
        ),
        Row(
            "flag = 'subject.encoded_needlessly'",
            fields("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"),
            false,
        ),
        Row(
            "flag = 'from.encoded_needlessly'",
            fields("From: =?utf-8?B?QW5uYQ==?= <anna@example.com>\n"),
            true,
        ),
        Row(
            "flag = 'from.encoded_needlessly'",
            fields("From: =?iso-8859-1?q?J=FCrgen?= <anna@example.com>\n"),
            false,
        ),
        Row("flag = 'subject.recipient'", to("Anneliese, look"), true),
        Row(
            "flag = 'subject.recipient'",
            to("Re: hello anneliese"),
            true,
        ),
        Row("flag = 'subject.recipient'", to("anneliese"), true),
        Row("flag = 'subject.recipient'", to("anneliese is here"), false),
        Row(
            "flag = 'subject.has_recipient'",
            to("For Anneliese only"),
            true,
        ),
        Row(
            "flag = 'subject.has_recipient'",
            to("anneliese@example.org has mail"),
            true,
        ),
        Row("flag = 'subject.has_recipient'", to("anneliesen"), false),
        Row(
            "flag = 'header.eight_bit'",
            fields("Subject: Gr\u{fc}\u{df}e\n"),
            true,
        ),
    ]
}

fn texts() -> Vec<Row> {
    let coded = |content: &str, body: &str| mail(&format!("{HEADER}{content}\n\n{body}\n"));
    vec![
        Row(
            "flag = 'text.base64_needlessly'",
            coded(
                "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64",
                "SGVsbG8gQW5uLCBsdW5jaD8=",
            ),
            true,
        ),
        Row(
            "flag = 'text.base64_needlessly'",
            coded(
                "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64",
                "R3LDvMOfZQ==",
            ),
            false,
        ),
        Row(
            "flag = 'text.direction_override'",
            says("open photo\u{202e}gpj.exe now\n"),
            true,
        ),
        Row("flag = 'text.empty'", says("\n \n"), true),
        Row(
            "flag = 'text.empty'",
            page("<p>&nbsp;</p><img src='cid:1'>"),
            true,
        ),
        Row(
            "flag = 'text.undeclared_eight_bit'",
            coded(
                "Content-Type: text/plain; charset=us-ascii",
                "Gr\u{fc}\u{df}e",
            ),
            true,
        ),
        Row(
            "flag = 'text.undeclared_eight_bit'",
            coded("Content-Type: text/plain; charset=utf-8", "Gr\u{fc}\u{df}e"),
            false,
        ),
        Row(
            "flag = 'text.eight_bit_undeclared'",
            coded("Content-Type: text/plain; charset=utf-8", "Gr\u{fc}\u{df}e"),
            true,
        ),
        Row(
            "flag = 'text.eight_bit_undeclared'",
            coded(
                "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit",
                "Gr\u{fc}\u{df}e",
            ),
            false,
        ),
        Row(
            "flag = 'text.has_recipient'",
            says("Your mailbox Ann@Example.org is full\n"),
            true,
        ),
        Row(
            "flag = 'text.has_recipient'",
            says("Your mailbox joann@example.org is full\n"),
            false,
        ),
        Row(
            "flag = 'mime.long_quoted_line'",
            coded(
                "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable",
                &"x".repeat(80),
            ),
            true,
        ),
        Row(
            "flag = 'mime.long_quoted_line'",
            coded(
                "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable",
                &"x".repeat(79),
            ),
            false,
        ),
    ]
}

fn pages() -> Vec<Row> {
    vec![
        Row("flag = 'has_plain'", good(), true),
        Row("flag = 'has_html'", page("<p>Hello</p>"), true),
        Row("flag = 'has_plain'", page("<p>Hello</p>"), false),
        Row(
            "flag = 'html.hidden_text'",
            page("<p>Hello</p><div style='display:none'>words</div>"),
            true,
        ),
        Row(
            "flag = 'html.hidden_text'",
            page("<style>.x{visibility:hidden}</style><p class=x>words</p>"),
            true,
        ),
        Row(
            "flag = 'html.hidden_text'",
            page("<div style='display:block'>words</div>"),
            false,
        ),
        Row(
            "flag = 'html.tiny_text'",
            page("<span style='font-size:1px'>words</span>"),
            true,
        ),
        Row(
            "flag = 'html.tiny_text'",
            page("<span style='font-size:12px'>words</span>"),
            false,
        ),
        Row(
            "flag = 'html.low_contrast'",
            page("<p><font color='#fefefe'>words</font></p>"),
            true,
        ),
        Row(
            "flag = 'html.low_contrast'",
            page("<p style='background:#000'><font color='#fff'>words</font></p>"),
            false,
        ),
    ]
}

fn page_parts() -> Vec<Row> {
    let long = "There is a whole sentence here that says more than forty letters do. ";
    vec![
        Row(
            "flag = 'html.form'",
            page("<form action='https://example.net/'><input name=a></form>"),
            true,
        ),
        Row(
            "flag = 'html.password'",
            page("<form><input type=\"password\" name=p></form>"),
            true,
        ),
        Row(
            "flag = 'html.password'",
            page("<p>type=password</p>"),
            false,
        ),
        Row("flag = 'html.script'", page("<script>x()</script>"), true),
        Row("flag = 'html.script'", page("<p onclick='x()'>a</p>"), true),
        Row("flag = 'html.script'", page("<p>&lt;script&gt;</p>"), false),
        Row(
            "flag = 'html.frame'",
            page("<iframe src='https://example.net/'></iframe>"),
            true,
        ),
        Row(
            "flag = 'html.object'",
            page("<object data='https://example.net/a'></object>"),
            true,
        ),
        Row(
            "flag = 'html.remote_style'",
            page("<link rel=stylesheet href='https://example.net/a.css'><p>a</p>"),
            true,
        ),
        Row(
            "flag = 'html.refresh'",
            page("<meta http-equiv=refresh content='0;url=https://example.net/'>"),
            true,
        ),
        Row(
            "flag = 'html.base'",
            page("<base href='https://example.net/'><p>a</p>"),
            true,
        ),
        Row("flag = 'html.unbalanced'", page("<b><i>x</b></i>"), true),
        Row("flag = 'html.unbalanced'", page("<b><i>x</i></b>"), false),
        Row(
            "flag = 'html.image_only'",
            page("<img src='https://example.net/a.png'><p>Hi</p>"),
            true,
        ),
        Row(
            "flag = 'html.image_only'",
            page(&format!(
                "<img src='https://example.net/a.png'><p>{long}</p>"
            )),
            false,
        ),
        Row(
            "flag = 'html.linked_image'",
            page("<a href='https://example.net/'><img src='cid:a'></a>"),
            true,
        ),
        Row(
            "flag = 'html.linked_image'",
            page("<a href='https://example.net/'><img src='cid:a'>Read</a>"),
            false,
        ),
    ]
}

fn links() -> Vec<Row> {
    vec![
        Row(
            "flag = 'link.mismatch'",
            link("https://www.example.com/login", "https://evil.example.net/"),
            true,
        ),
        Row(
            "flag = 'link.mismatch'",
            link("www.example.com", "https://login.example.com/"),
            false,
        ),
        Row(
            "flag = 'link.mismatch'",
            link("click here", "https://evil.example.net/"),
            false,
        ),
        Row(
            "flag = 'link.mismatch'",
            link("(example.com)", "https://evil.example.net/"),
            true,
        ),
        Row(
            "flag = 'link.mismatch'",
            link("sign in at www.example.com", "https://evil.example.net/"),
            true,
        ),
        Row(
            "flag = 'link.mismatch'",
            link("Example.com: the news", "https://count.example.net/c?q=1"),
            false,
        ),
        Row(
            "flag = 'link.downgrade'",
            link("https://www.example.com/", "http://www.example.com/"),
            true,
        ),
        Row(
            "flag = 'link.downgrade'",
            link("www.example.com", "http://www.example.com/"),
            false,
        ),
    ]
}

fn goes(url: &str) -> Input {
    link("here", url)
}

fn urls() -> Vec<Row> {
    vec![
        Row("flag = 'url.ip'", says("http://192.0.2.1/x\n"), true),
        Row("flag = 'url.ip'", goes("http://[2001:db8::1]/"), true),
        Row(
            "flag = 'url.ip'",
            goes("http://192.0.2.1.example.com/"),
            false,
        ),
        Row(
            "flag = 'url.obfuscated_ip'",
            goes("http://0xC0000201/"),
            true,
        ),
        Row(
            "flag = 'url.obfuscated_ip'",
            goes("http://3221225985/"),
            true,
        ),
        Row(
            "flag = 'url.obfuscated_ip'",
            goes("http://192.0.2.1/"),
            false,
        ),
        Row(
            "flag = 'url.user'",
            goes("https://bank.example@evil.example.net/"),
            true,
        ),
        Row("flag = 'url.user'", goes("mailto:anna@example.com"), false),
        Row("flag = 'url.port'", goes("https://example.com:8443/"), true),
        Row("flag = 'url.port'", goes("https://example.com:443/"), false),
        Row(
            "flag = 'url.punycode'",
            goes("https://b\u{fc}cher.example/"),
            true,
        ),
        Row(
            "flag = 'url.homograph'",
            goes("https://www.p\u{430}ypal.com/"),
            true,
        ),
        Row(
            "flag = 'url.homograph'",
            goes("https://b\u{fc}cher.example/"),
            false,
        ),
        Row(
            "flag = 'url.obfuscated'",
            goes("https://ex%61mple.com/"),
            true,
        ),
        Row(
            "flag = 'url.obfuscated'",
            goes("https://example.com/%61"),
            false,
        ),
        Row(
            "flag = 'url.nested'",
            goes("https://example.com/?to=https%3A%2F%2Fexample.net%2F"),
            true,
        ),
        Row(
            "in = 'url.host', match = '/^example\\.net$/'",
            goes("https://example.com/?to=https%3A%2F%2Fexample.net%2F"),
            true,
        ),
        Row("flag = 'url.script'", goes("javascript:alert(1)"), true),
        Row(
            "flag = 'url.recipient'",
            goes("https://example.net/?who=Ann%40example.org"),
            true,
        ),
        Row(
            "flag = 'url.recipient'",
            goes("https://example.net/#ann@example.org"),
            true,
        ),
        Row(
            "flag = 'url.recipient'",
            goes("https://example.net/?who=bob@example.org"),
            false,
        ),
        Row(
            "flag = 'url.author_domain'",
            goes("https://shop.example.com/"),
            true,
        ),
        Row(
            "flag = 'url.author_domain'",
            goes("https://example.com.example.net/"),
            false,
        ),
    ]
}

fn kinds() -> Vec<Row> {
    let text = || "Content-Type: text/plain\n\nHello\n".to_owned();
    let part = |content: &str| format!("Content-Type: {content}\n\nx\n");
    vec![
        Row(
            "flag = 'signed_or_encrypted'",
            parts(
                "signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256",
                &[text(), part("application/pkcs7-signature; name=smime.p7s")],
            ),
            true,
        ),
        Row(
            "flag = 'signed_or_encrypted'",
            fields("Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n"),
            true,
        ),
        Row(
            "flag = 'mailing_list'",
            fields("List-Id: Friends <friends.example.com>\n"),
            true,
        ),
        Row(
            "flag = 'mailing_list'",
            fields("List-Unsubscribe: <https://example.com/u>\n"),
            false,
        ),
        Row(
            "flag = 'report'",
            parts(
                "report; report-type=delivery-status",
                &[text(), part("message/delivery-status")],
            ),
            true,
        ),
        Row(
            "flag = 'automatic'",
            fields("Auto-Submitted: auto-replied (vacation)\n"),
            true,
        ),
        Row("flag = 'automatic'", fields("Auto-Submitted: no\n"), false),
        Row(
            "flag = 'calendar'",
            parts(
                "alternative",
                &[text(), part("text/calendar; method=REQUEST")],
            ),
            true,
        ),
        Row(
            "flag = 'mime.alternative_other'",
            parts("alternative", &[text(), part("image/png")]),
            true,
        ),
        Row(
            "flag = 'mime.alternative_other'",
            parts("alternative", &[text(), part("text/calendar")]),
            false,
        ),
        Row(
            "flag = 'budget_exceeded'",
            fields(&"X-A: b\n".repeat(2_001)),
            true,
        ),
        Row(
            "flag = 'budget_exceeded'",
            fields(&"X-A: b\n".repeat(1_990)),
            false,
        ),
    ]
}

fn all() -> Vec<Row> {
    [
        ways(),
        people(),
        addressees(),
        subjects(),
        texts(),
        pages(),
        page_parts(),
        links(),
        urls(),
        kinds(),
        files::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[tokio::test]
async fn the_way_and_the_client() {
    ask(ways()).await;
}

#[tokio::test]
async fn authors() {
    ask(people()).await;
}

#[tokio::test]
async fn recipients_and_addressees() {
    ask(addressees()).await;
}

#[tokio::test]
async fn subjects_and_names() {
    ask(subjects()).await;
}

#[tokio::test]
async fn texts_and_their_encodings() {
    ask(texts()).await;
}

#[tokio::test]
async fn what_pages_hide() {
    ask(pages()).await;
}

#[tokio::test]
async fn what_pages_do() {
    ask(page_parts()).await;
}

#[tokio::test]
async fn where_links_lead() {
    ask(links()).await;
}

#[tokio::test]
async fn what_is_odd_about_urls() {
    ask(urls()).await;
}

#[tokio::test]
async fn kinds_of_messages() {
    ask(kinds()).await;
}

#[test]
fn every_flag_has_a_row() {
    let rows = all();
    let missing: Vec<&str> = Flag::ALL
        .iter()
        .map(|flag| flag.name())
        .filter(|name| {
            let asked = format!("flag = '{name}'");
            !rows
                .iter()
                .any(|Row(when, _, wanted)| *wanted && *when == asked)
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(rows.len() >= 80, "{}", rows.len());
}
