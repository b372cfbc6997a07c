//! The queue against scripted servers on the loopback, with a real store and a clock moved by hand.

mod accept;
mod administration;
mod failures;
mod leases;
mod model;
mod rig;
mod routes;
mod server;
mod sessions;

/// The beginning of every friendly conversation, with PIPELINING.
const HELLO: &str = "S 220 mx.remote.test ESMTP\nC EHLO mail.us.test\n\
    S 250-mx.remote.test\nS 250-PIPELINING\nS 250-8BITMIME\nS 250 SIZE 100000\n";

/// A transaction from alice for one recipient, up to the reply to the final dot.
fn transaction(recipient: &str) -> String {
    format!(
        "C MAIL FROM:<alice@us.test> SIZE=\nC RCPT TO:<{recipient}>\nS 250 2.1.0 ok\n\
         S 250 2.1.5 ok\nC DATA\nS 354 go on\nD\nS 250 2.0.0 taken\n"
    )
}

/// A whole friendly conversation for one recipient.
fn friendly(recipient: &str) -> String {
    format!("{HELLO}{}", transaction(recipient))
}
