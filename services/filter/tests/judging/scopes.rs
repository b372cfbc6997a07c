//! Scopes: a message in which each has something to show, and what it shows.

use filter::Input;
use rules::Plain;

use crate::files;
use crate::house::{House, holds, mail, named, octets};

/// A message in which every scope has something to show.
fn full() -> Input {
    let page = "<p>Guten Tag, hier ist die Rechnung, die wir Ihnen heute schicken. \
        Bitte zahlen Sie den Betrag bis zum Ende des Monats, damit wir die Ware liefern k\u{f6}nnen.</p>\
        <a href='https://shop.example.net:8443/a/b?c=d#e'>Zum Laden</a>\
        <div style='display:none'>unseen words</div><p>Write to Help@Example.net</p>";
    let input = mail(&format!(
        "Received: from [203.0.113.9] (helo=inner.example.com) by mail.example.com with ESMTPSA\n\
         \tid 4ab; Thu, 01 Jan 2026 00:00:00 +0000\n\
         Received: from c.example.com (c.example.com [203.0.113.8]) by b.example.com with ESMTP id 7;\n\
         \tThu, 01 Jan 2026 00:00:00 +0000\n\
         From: =?utf-8?q?J=C3=BCrgen?= <Juergen@Example.com>\n\
         Reply-To: Desk <desk@reply.example.net>\n\
         To: Ann <ann@example.org>\nCc: carl@cc.example.org\n\
         Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n =?utf-8?q?_an_alle?=\n\
         Message-ID: <a1@example.com>\nX-Message-ID: b2\nMIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=next\n\n\
         --next\nContent-Type: text/html; charset=utf-8\n\n{page}\n\
         --next\nContent-Type: application/octet-stream; name=\"a b.zip\"\n\
         Content-Disposition: attachment; filename=\"a b.zip\"\nContent-Transfer-Encoding: base64\n\n{}\n\
         --next--\n",
        files::base64(&files::zip(&[("in/side.txt", b"text", 0)])),
    ));
    named(input, "mail.example.com")
}

#[tokio::test]
async fn scopes_show_what_they_say() {
    let rows: Vec<(Plain, &str)> = vec![
        (Plain::Headers, "/^Subject: Gr\u{fc}\u{df}e an alle$/m"),
        (Plain::HeadersRaw, "/^Subject: =\\?utf-8\\?q\\?Gr=C3/m"),
        (Plain::Full, "/--next--\\r\\n$/"),
        (Plain::Body, "/^Gr\u{fc}\u{df}e an alle$/"),
        (Plain::RawBody, "/<div style='display:none'>/"),
        (Plain::Text, "/Guten Tag/"),
        (Plain::HiddenText, "/^unseen words$/"),
        (
            Plain::Url,
            "/^https:\\/\\/shop\\.example\\.net:8443\\/a\\/b\\?c=d#e$/",
        ),
        (Plain::UrlHost, "/^shop\\.example\\.net$/"),
        (Plain::UrlDomain, "/^example\\.net$/"),
        (Plain::UrlTld, "/^net$/"),
        (Plain::UrlPath, "/^\\/a\\/b\\?c=d#e$/"),
        (Plain::LinkText, "/^Zum Laden$/"),
        (Plain::BodyAddress, "/^help@example\\.net$/"),
        (Plain::From, "/^juergen@example\\.com$/"),
        (Plain::FromName, "/^J\u{fc}rgen$/"),
        (Plain::FromDomain, "/^example\\.com$/"),
        (Plain::ReplyTo, "/^desk@reply\\.example\\.net$/"),
        (Plain::ReplyToDomain, "/^reply\\.example\\.net$/"),
        (Plain::EnvelopeFrom, "/^anna@example\\.com$/"),
        (Plain::EnvelopeFromDomain, "/^example\\.com$/"),
        (Plain::Recipient, "/^ann@example\\.org$/"),
        (Plain::RecipientDomain, "/^example\\.org$/"),
        (Plain::To, "/^carl@cc\\.example\\.org$/"),
        (Plain::ToDomain, "/^cc\\.example\\.org$/"),
        (Plain::AttachmentName, "/^a b\\.zip$/"),
        (Plain::AttachmentType, "/^application\\/zip$/"),
        (Plain::ArchiveName, "/^in\\/side\\.txt$/"),
        (Plain::Helo, "/^mail\\.example\\.com$/"),
        (Plain::ClientName, "/^mail\\.example\\.com$/"),
        (Plain::ClientAddress, "/^198\\.51\\.100\\.1$/"),
        (Plain::Language, "/^de$/"),
        (Plain::RelaysTrusted, "/^$/"),
        (
            Plain::RelaysUntrusted,
            "/^\\[ ip=198\\.51\\.100\\.1 rdns=mail\\.example\\.com helo=mail\\.example\\.com by=mx\\.example\\.org .*\\] \
             \\[ ip=203\\.0\\.113\\.9 .*helo=inner\\.example\\.com by=mail\\.example\\.com .*auth=esmtpa.*\\] \
             \\[ ip=203\\.0\\.113\\.8 rdns=c\\.example\\.com helo=c\\.example\\.com by=b\\.example\\.com .* id=7 auth= /",
        ),
        (Plain::MessageIds, "/^b2$/"),
    ];
    let missing: Vec<&str> = Plain::ALL
        .iter()
        .filter(|scope| !rows.iter().any(|(asked, _)| asked == *scope))
        .map(|scope| scope.name())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let house = House::new().await;
    let input = full();
    for (scope, pattern) in rows {
        let condition = format!("in = '{scope}', match = '''{pattern}'''");
        assert!(holds(&house.filter, &condition, &input), "{condition}");
    }
    for (condition, wanted) in [
        (
            "in = 'header.subject.raw', match = '/\\?=\\r\\n =\\?/'",
            true,
        ),
        (
            "in = 'header.from.address', match = '/^juergen@example\\.com$/'",
            true,
        ),
        ("in = 'header.from.name', match = '/^J\u{fc}rgen$/'", true),
        (
            "in = 'mime.content-type', match = '/^application\\/octet-stream/'",
            true,
        ),
        (
            "in = 'mime.content-type.raw', match = '/^text\\/html/'",
            true,
        ),
        ("in = 'mime.content-disposition', match = '/inline/'", false),
        ("exists = 'header.x-message-id'", true),
        ("exists = 'header.x-mailer'", false),
        ("same = ['envelope_from.domain', 'from.domain']", true),
        ("same = ['envelope_from', 'from']", false),
    ] {
        assert_eq!(
            holds(&house.filter, condition, &input),
            wanted,
            "{condition}"
        );
    }
}

#[tokio::test]
async fn octets_outside_utf8_are_still_matched() {
    let mut raw = b"From: anna@example.com\r\nSubject: caf\xe9\r\n\r\nf\xfcr Sie\r\n".to_vec();
    let house = House::new().await;
    let input = octets(raw.clone());
    let full = "in = 'full', match = '/f.{1,3}r Sie/'";
    assert!(holds(&house.filter, full, &input));
    assert!(holds(&house.filter, "flag = 'header.eight_bit'", &input));
    raw.retain(u8::is_ascii);
    let cleaned = octets(raw);
    assert!(!holds(&house.filter, "flag = 'header.eight_bit'", &cleaned));
}
