//! The milter listener over sockets, with the MTA's side of the protocol.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use common::Obedient;
use filterd::milter::{OnFailure, Options, serve};
use milter::{Actions, Command, Framer, Negotiation, Peer, Protocol, Response, Text};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

struct Mta {
    stream: TcpStream,
    framer: Framer,
}

impl Mta {
    async fn new(stream: TcpStream) -> Self {
        let mut mta = Self {
            stream,
            framer: Framer::default(),
        };
        let offer = Negotiation {
            version: 6,
            actions: Actions(0x1ff),
            protocol: Protocol(0x1f_ffff),
            macros: Vec::new(),
        };
        mta.tell(&[Command::Negotiate(offer)]).await;
        assert!(matches!(mta.answer().await, Response::Negotiate(_)));
        mta
    }

    async fn tell(&mut self, commands: &[Command]) {
        let mut octets = Vec::new();
        for command in commands {
            command.encode(&mut octets);
        }
        self.stream.write_all(&octets).await.unwrap();
    }

    async fn answer(&mut self) -> Response {
        loop {
            if let Some(response) = self.framer.next_response().unwrap() {
                return response;
            }
            let mut octets = [0; 1_000];
            let read = self.stream.read(&mut octets).await.unwrap();
            assert_ne!(read, 0, "the filter left");
            self.framer.feed(octets.get(..read).unwrap());
        }
    }

    /// The answers to a whole message with this subject.
    async fn message(&mut self, subject: &str) -> Vec<Response> {
        let field = |name: &str, value: &str| Command::Header {
            name: name.into(),
            value: value.into(),
        };
        self.tell(&[
            Command::Connect {
                host: "client.test".into(),
                peer: Peer::Inet(Ipv4Addr::new(192, 0, 2, 1), 4_000),
            },
            Command::Helo("helo.test".into()),
            Command::Macros {
                step: b'M',
                values: vec![("{auth_authen}".into(), "alice".into())],
            },
            Command::Mail {
                path: "<a@b.test>".into(),
                arguments: Vec::new(),
            },
            Command::Rcpt {
                path: "<c@d.test>".into(),
                arguments: Vec::new(),
            },
            field("Subject", &format!(" {subject}")),
            field("X-Spam-Score", " -100"),
            Command::EndOfHeaders,
            Command::Body(b"text\r\n".to_vec()),
        ])
        .await;
        assert_eq!(self.answer().await, Response::Continue);
        self.tell(&[
            Command::Macros {
                step: b'E',
                values: vec![("i".into(), "4F2A".into())],
            },
            Command::EndOfBody(Vec::new()),
        ])
        .await;
        let mut answers = Vec::new();
        while answers
            .last()
            .is_none_or(|last: &Response| !last.is_final())
        {
            answers.push(self.answer().await);
        }
        answers
    }
}

struct Filter {
    address: std::net::SocketAddr,
    judge: Arc<Obedient>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Filter {
    async fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let judge = Arc::new(Obedient::default());
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, judge.clone(), options, stop.clone()));
        Self {
            address,
            judge,
            stop,
            task,
        }
    }

    async fn connect(&self) -> Mta {
        Mta::new(TcpStream::connect(self.address).await.unwrap()).await
    }
}

fn removed() -> Response {
    Response::ChangeHeader {
        index: 1,
        name: "X-Spam-Score".into(),
        value: Text::default(),
    }
}

fn added(name: &str, value: &str) -> Response {
    Response::AddHeader {
        name: name.into(),
        value: value.into(),
    }
}

fn refusal(code: u16, text: &str) -> Response {
    Response::Reply {
        code,
        text: text.into(),
    }
}

#[tokio::test]
async fn each_action_has_its_answer_on_one_connection() {
    let filter = Filter::start(Options::default()).await;
    let mut mta = filter.connect().await;
    let marked = [removed(), added("X-Spam-Score", " 6.1")];
    let [remove, add] = marked;
    assert_eq!(
        mta.message("good").await,
        [remove.clone(), add.clone(), Response::Accept]
    );
    assert_eq!(
        mta.message("junk").await,
        [remove, add, added("X-Spam", " Yes"), Response::Accept]
    );
    assert_eq!(
        mta.message("reject").await,
        [refusal(550, "5.7.1 The message looks like spam")]
    );
    assert_eq!(
        mta.message("greylist").await,
        [refusal(451, "4.7.1 Try again later")]
    );
    assert_eq!(mta.message("discard").await, [Response::Discard]);
    // Nobody could tell: delivered.
    assert_eq!(mta.message("fail").await, [Response::Accept]);
    let checked = filter.judge.checked.lock().unwrap().remove(0);
    assert_eq!(
        &checked.message[..],
        b"Subject: good\r\nX-Spam-Score: -100\r\n\r\ntext\r\n"
    );
    assert_eq!(checked.client, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(checked.helo.as_deref(), Some("helo.test"));
    assert_eq!(checked.hostname.as_deref(), Some("client.test"));
    assert_eq!(checked.sender.as_deref(), Some("a@b.test"));
    assert_eq!(checked.recipients, ["c@d.test"]);
    assert_eq!(checked.user.as_deref(), Some("alice"));
    assert_eq!(checked.queue_id.as_deref(), Some("4F2A"));
}

#[tokio::test]
async fn failures_are_closed_where_that_is_wanted_and_checks_end() {
    let filter = Filter::start(Options {
        on_failure: OnFailure::Refuse,
        check_timeout: Duration::from_millis(50),
        ..Options::default()
    })
    .await;
    let mut mta = filter.connect().await;
    let later = [refusal(
        451,
        "4.7.1 The message could not be checked, try again later",
    )];
    assert_eq!(mta.message("fail").await, later);
    assert_eq!(mta.message("slow").await, later);
}

#[tokio::test]
async fn nonsense_and_silence_end_the_connection() {
    let filter = Filter::start(Options {
        idle_timeout: Duration::from_millis(50),
        ..Options::default()
    })
    .await;
    let mut nonsense = filter.connect().await;
    nonsense.tell(&[Command::EndOfHeaders]).await;
    assert_eq!(nonsense.stream.read(&mut [0; 10]).await.unwrap(), 0);
    let mut silent = filter.connect().await;
    assert_eq!(silent.stream.read(&mut [0; 10]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_shutdown_lets_the_message_under_way_finish() {
    let filter = Filter::start(Options::default()).await;
    let mut idle = filter.connect().await;
    let mut busy = filter.connect().await;
    busy.tell(&[
        Command::Mail {
            path: "<>".into(),
            arguments: Vec::new(),
        },
        Command::EndOfHeaders,
        Command::Body(b"text".to_vec()),
    ])
    .await;
    // Answered, so the message is under way.
    assert_eq!(busy.answer().await, Response::Continue);
    filter.stop.cancel();
    assert_eq!(idle.stream.read(&mut [0; 10]).await.unwrap(), 0);
    busy.tell(&[Command::EndOfBody(Vec::new())]).await;
    while !busy.answer().await.is_final() {}
    assert_eq!(busy.stream.read(&mut [0; 10]).await.unwrap(), 0);
    filter.task.await.unwrap();
}
