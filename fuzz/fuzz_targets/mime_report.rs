//! A delivery report is three parts whatever strangers have put into its texts, and none of them
//! makes a field or a line of its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mime::report::{Action, DeliveryReport, RecipientReport};
use mime::{Kind, Summary, header};

fn report(texts: &str, original: &[u8]) -> DeliveryReport {
    let mut pieces = texts.split('\u{1}').map(str::to_owned).peekable();
    let mut report = DeliveryReport {
        reporting_mta: pieces.next().unwrap_or_default(),
        from: "postmaster@example.org".to_owned(),
        to: pieces.next().unwrap_or_default(),
        message_id: "unguessable@example.org".to_owned(),
        date: 0,
        arrival_date: Some(1),
        envelope_id: pieces.next(),
        recipients: Vec::new(),
        original: original.to_vec(),
    };
    while pieces.peek().is_some() && report.recipients.len() < 4 {
        report.recipients.push(RecipientReport {
            final_recipient: pieces.next().unwrap_or_default(),
            original_recipient: pieces.next(),
            action: Action::Failed,
            status: "5.1.1".to_owned(),
            remote_mta: pieces.next(),
            diagnostic: pieces.next(),
            last_attempt: Some(2),
            will_retry_until: None,
        });
    }
    report
}

fuzz_target!(|input: (&str, &[u8])| {
    let (texts, original) = input;
    let report = report(texts, original);
    let raw = report.render();
    for (at, octet) in raw.iter().enumerate() {
        match octet {
            b'\n' => assert!(at > 0 && raw[at - 1] == b'\r'),
            b'\r' => assert_eq!(raw.get(at + 1), Some(&b'\n')),
            _ => {}
        }
    }
    for name in [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
    ] {
        let count = header::fields(&raw).filter(|field| field.is(name)).count();
        assert_eq!(count, 1, "{name}");
    }
    let summary = Summary::parse(&raw);
    let parts = &summary.structure.parts;
    let Kind::Multipart { children } = &parts[0].kind else {
        panic!("one part");
    };
    assert_eq!(children.len(), 3);
    let status = &parts[children[1] as usize];
    let groups = String::from_utf8_lossy(status.body_of(&raw)).into_owned();
    let lines = |name: &str| groups.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!(lines("Reporting-MTA:"), 1);
    assert_eq!(lines("Final-Recipient:"), report.recipients.len());
    assert_eq!(lines("Status:"), report.recipients.len());
});
