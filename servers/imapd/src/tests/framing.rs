//! Commands as bytes: pipelines, literals, nonsense.

use super::{Client, Fixture, SMALL, quick};
use crate::Limits;

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let fixture = Fixture::new().await;
    let mut client = fixture.inbox(&[SMALL]).await;
    client
        .send(
            b"p1 NOOP\r\np2 FETCH 1 (UID FLAGS)\r\np3 STORE 1 +FLAGS (\\Deleted)\r\n\
              p4 EXPUNGE\r\np5 UNSELECT\r\np6 LIST \"\" {5+}\r\nINBOX\r\np7 NOOP\r\n",
        )
        .await;
    for expected in [
        "p1 OK NOOP completed",
        "* 1 FETCH (UID 1 FLAGS ())",
        "p2 OK FETCH completed",
        "* 1 FETCH (FLAGS (\\Deleted))",
        "p3 OK STORE completed",
        "* 1 EXPUNGE",
        "p4 OK EXPUNGE completed",
        "p5 OK UNSELECT completed",
        "* LIST (\\HasNoChildren) \"/\" INBOX",
        "p6 OK LIST completed",
        "p7 OK NOOP completed",
    ] {
        assert_eq!(client.line().await, expected);
    }
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let fixture = Fixture::new().await;
    let mut client = fixture.alice().await;
    for byte in b"x1 CREATE {3+}\r\nOne\r\nx2 NOOP\r\n" {
        client.send(&[*byte]).await;
    }
    assert_eq!(client.line().await, "x1 OK CREATE completed");
    assert_eq!(client.line().await, "x2 OK NOOP completed");
}

#[tokio::test]
async fn nonsense_is_bad_and_too_much_of_it_the_end() {
    let fixture = Fixture::with(Limits {
        bad_commands: 12,
        ..quick()
    })
    .await;
    let mut client = fixture.alice().await;
    for (line, answer) in [
        ("a FROBNICATE", "a BAD unknown command"),
        ("a FETCH", "a BAD "),
        ("a UID NOOP", "a BAD unknown command"),
        ("a NOOP x", "a BAD unexpected data after the command"),
        ("", "* BAD "),
        ("*", "* BAD "),
        ("+ x", "* BAD "),
        ("a", "a BAD "),
        ("a LOGOUT {5}", "a BAD no literal is allowed here"),
        (
            "a SELECT {99999999999999999999}",
            "a BAD literal is too large",
        ),
        ("a SELECT \"x\0y\"", "a BAD "),
    ] {
        client.send(format!("{line}\r\n").as_bytes()).await;
        let response = client.line().await;
        assert!(response.starts_with(answer), "{line:?}: {response}");
    }
    // One good command and all is forgiven.
    client.ok("NOOP").await;
    for _ in 0..11 {
        assert!(client.answer("WHAT").await.starts_with("BAD "));
    }
    assert!(client.answer("WHAT").await.starts_with("BAD "));
    assert_eq!(client.line().await, "* BYE Too many errors");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn lines_have_a_length() {
    let fixture = Fixture::new().await;
    let mut client = fixture.connect().await;
    let tag = client
        .start(&format!("LOGIN {} x", "a".repeat(9_000)))
        .await;
    assert_eq!(client.finish(&tag).await, ["BAD command line is too long"]);
    client.ok("NOOP").await;
    // Whoever goes on and on is cut off.
    client.send(&vec![b'x'; 8_192]).await;
    for _ in 0..20 {
        if client.stream_is_broken(&[b'x'; 8_192]).await {
            return;
        }
    }
    while let Some(line) = client.next().await {
        assert!(
            line.starts_with("* BAD") || line.starts_with("* BYE"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_refused_literal_leaves_the_session_in_step() {
    let fixture = Fixture::with(Limits {
        append_bytes: 1_000,
        ..quick()
    })
    .await;
    let mut client = fixture.alice().await;
    let answer = client.answer("APPEND INBOX {1001}").await;
    assert_eq!(answer, "NO [TOOBIG] message is too large");
    client
        .send(format!("b APPEND INBOX {{1001+}}\r\n{}\r\n", "x".repeat(1_001)).as_bytes())
        .await;
    assert_eq!(client.line().await, "b NO [TOOBIG] message is too large");
    client
        .send(format!("c CREATE {{5000+}}\r\n{}\r\n", "x".repeat(5_000)).as_bytes())
        .await;
    assert_eq!(
        client.line().await,
        "c BAD non-synchronizing literal is too large"
    );
    client.ok("NOOP").await;
}

#[tokio::test]
async fn a_literal_waits_for_memory_and_the_session_gives_up() {
    let limits = Limits {
        bytes_in_flight: 100_000,
        budget_timeout: std::time::Duration::from_millis(100),
        ..quick()
    };
    let fixture = Fixture::with(limits).await;
    let (mut one, mut two) = (fixture.alice().await, fixture.alice().await);
    let tag = one.start("APPEND INBOX {90000}").await;
    assert_eq!(one.line().await, "+ OK");
    two.start("APPEND INBOX {90000}").await;
    assert_eq!(
        two.line().await,
        "* BYE [UNAVAILABLE] Server is busy, try again later"
    );
    let message = format!("{SMALL}{}", "x".repeat(90_000 - SMALL.len()));
    one.send(format!("{message}\r\n").as_bytes()).await;
    assert!(one.finish(&tag).await[0].starts_with("OK [APPENDUID "));
    // What is larger than all memory there is comes alone.
    assert!(
        one.append("INBOX", &message.repeat(3))
            .await
            .starts_with("OK ")
    );
    one.ok("SELECT INBOX").await;
    let fetched = one.ok("FETCH 1:* BODY.PEEK[]").await;
    assert_eq!(fetched.len(), 2);
    assert!(fetched[1].contains(&message.repeat(3)));
}

impl Client {
    /// Sends octets; true when the server is gone.
    async fn stream_is_broken(&mut self, octets: &[u8]) -> bool {
        use tokio::io::AsyncWriteExt as _;
        self.stream.write_all(octets).await.is_err() || self.stream.flush().await.is_err()
    }
}
