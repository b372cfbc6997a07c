//! Rspamd's HTTP protocol over a socket.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Obedient;
use filterd::http::{self, Options};
use filterd::{LearnClass, LearnRequest, MapError, MapSaved, MapSummary, Maps};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// One map, `words.map`; a text with `(` in it cannot be used.
#[derive(Debug, Default)]
struct OneMap(Mutex<String>);

impl Maps for OneMap {
    fn list(&self) -> BoxFuture<'_, Result<Vec<MapSummary>, MapError>> {
        Box::pin(std::future::ready(Ok(vec![MapSummary {
            name: "words.map".to_owned(),
            kind: "pattern".to_owned(),
            description: "Bad words".to_owned(),
            active: true,
        }])))
    }

    fn text(&self, name: String) -> BoxFuture<'_, Result<String, MapError>> {
        Box::pin(std::future::ready(match name.as_str() {
            "words.map" => Ok(self.0.lock().unwrap().clone()),
            _ => Err(MapError::NotFound),
        }))
    }

    fn save(&self, name: String, text: String) -> BoxFuture<'_, Result<MapSaved, MapError>> {
        Box::pin(std::future::ready(match name.as_str() {
            "words.map" if text.contains('(') => {
                Err(MapError::Invalid("line 1: no end".to_owned()))
            }
            "words.map" => {
                *self.0.lock().unwrap() = text;
                Ok(MapSaved {
                    revision: 7,
                    refused: Vec::new(),
                })
            }
            _ => Err(MapError::NotFound),
        }))
    }
}

struct Server {
    address: SocketAddr,
    judge: Arc<Obedient>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let judge = Arc::new(Obedient::default());
        let stop = CancellationToken::new();
        let maps = Arc::new(OneMap::default());
        let task = tokio::spawn(http::serve(
            listener,
            judge.clone(),
            maps,
            options,
            stop.clone(),
        ));
        Self {
            address,
            judge,
            stop,
            task,
        }
    }

    /// Status and body of the answer.
    async fn ask(&self, path: &str, fields: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    async fn json(&self, path: &str, fields: &str, body: &[u8]) -> (u16, Value) {
        let (status, body) = self.ask(path, fields, body).await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

fn with_password() -> Options {
    Options {
        password: Some(sasl::Secret::new("secret")),
        ..Options::default()
    }
}

#[tokio::test]
async fn a_message_is_checked_with_what_is_known_of_it() {
    let server = Server::start(Options::default()).await;
    let fields = "IP: 192.0.2.1\r\nHelo: helo.test\r\nFrom: a@b.test\r\nRcpt: c@d.test\r\nRcpt: e@d.test\r\nQueue-Id: 4F2A\r\n";
    let (status, reply) = server
        .json("/checkv2", fields, b"Subject: junk\r\n\r\nx")
        .await;
    assert_eq!((status, &reply["action"]), (200, &json!("add header")));
    assert_eq!(reply["symbols"]["EXAMPLE"]["metric_score"], json!(6.1));
    assert_eq!(
        reply["milter"]["add_headers"]["X-Spam-Score"]["value"],
        json!("6.1")
    );
    let checked = server.judge.checked.lock().unwrap().remove(0);
    assert_eq!(&checked.message[..], b"Subject: junk\r\n\r\nx");
    assert_eq!(checked.client, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(checked.recipients, ["c@d.test", "e@d.test"]);
    let (_, old) = server.json("/check", "", b"x").await;
    assert_eq!(old["default"]["EXAMPLE"]["score"], json!(6.1));
    assert_eq!(
        server.ask("/ping", "", b"").await,
        (200, "pong\r\n".to_owned())
    );
    assert_eq!(server.ask("/nothing", "", b"").await.0, 404);
}

#[tokio::test]
async fn what_cannot_be_checked_says_why() {
    let server = Server::start(Options {
        message_max: 1_000,
        check_timeout: Duration::from_millis(50),
        ..Options::default()
    })
    .await;
    for (fields, body, status) in [
        ("", b"".to_vec(), 400),
        ("Shm: x\r\n", b"x".to_vec(), 415),
        ("Compression: gzip\r\n", b"x".to_vec(), 415),
        ("Compression: zstd\r\n", b"x".to_vec(), 400),
        ("", vec![b'x'; 1_001], 413),
        ("", b"Subject: fail\n".to_vec(), 500),
        ("", b"Subject: busy\n".to_vec(), 503),
        ("", b"Subject: slow\n".to_vec(), 504),
    ] {
        let (seen, reply) = server.json("/checkv2", fields, &body).await;
        assert_eq!(seen, status, "{reply}");
        assert!(reply["error"].is_string());
    }
    let packed = zstd::stream::encode_all(b"Subject: reject\n\nx".as_slice(), 1).unwrap();
    let (_, reply) = server
        .json("/checkv2", "Compression: zstd\r\n", &packed)
        .await;
    assert_eq!(reply["action"], json!("reject"));
    // A small body that would unpack to a large one.
    let bomb = zstd::stream::encode_all(vec![b'x'; 1_000_000].as_slice(), 1).unwrap();
    assert!(bomb.len() < 1_000);
    let (status, _) = server
        .json("/checkv2", "Compression: zstd\r\n", &bomb)
        .await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn learning_and_counts_need_the_password() {
    let server = Server::start(with_password()).await;
    for path in ["/learnspam", "/learnham"] {
        for fields in ["", "Password: wrong\r\n"] {
            assert_eq!(server.ask(path, fields, b"x").await.0, 403);
        }
    }
    assert!(server.judge.learned.lock().unwrap().is_empty());
    let fields = "Password: secret\r\nUser: alice\r\n";
    let learned = server.json("/learnspam", fields, b"x").await;
    assert_eq!(learned, (200, json!({ "success": true })));
    assert_eq!(server.ask("/learnspam", fields, b"x").await.0, 208);
    let learned = server.judge.learned.lock().unwrap().remove(0);
    let expected = LearnRequest {
        message: b"x".as_slice().into(),
        class: LearnClass::Spam,
        user: Some("alice".to_owned()),
    };
    assert_eq!(learned, expected);
}

#[tokio::test]
async fn without_a_password_set_nobody_may() {
    let server = Server::start(Options::default()).await;
    for fields in ["", "Password: \r\n", "Password: secret\r\n"] {
        assert_eq!(server.ask("/learnham", fields, b"x").await.0, 403);
    }
}

#[tokio::test]
async fn the_password_opens_the_counts() {
    let server = Server::start(with_password()).await;
    let fields = "Password: secret\r\n";
    assert_eq!(server.ask("/learnham", fields, b"x").await.0, 200);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let get = format!("GET /stat HTTP/1.1\r\nHost: x\r\n{fields}Connection: close\r\n\r\n");
    stream.write_all(get.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let counts: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (&counts["scanned"], &counts["learned"]),
        (&json!(10), &json!(2))
    );
    assert_eq!(counts["actions"]["reject"], json!(3));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_and_a_silent_one_ends() {
    let server = Server::start(Options {
        connections: 1,
        body_timeout: Duration::from_millis(100),
        check_timeout: Duration::from_millis(100),
        ..Options::default()
    })
    .await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    // Answered only because the silent one gives up its place.
    assert_eq!(server.ask("/ping", "", b"").await.0, 200);
    assert_eq!(silent.read(&mut [0; 10]).await.unwrap(), 0);
    server.stop.cancel();
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn maps_are_listed_read_and_saved() {
    let server = Server::start(with_password()).await;
    let get = |path: &'static str, fields: &'static str| {
        let address = server.address;
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head =
                format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            (head[9..12].parse::<u16>().unwrap(), body.to_owned())
        }
    };
    let (status, list) = get("/maps", "Password: secret\r\n").await;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((status, &list[0]["map"]), (200, &json!("words.map")));

    let own = "Password: secret\r\nMap: words.map\r\n";
    let (status, reply) = server.json("/savemap", own, b"/pills/i\n").await;
    assert_eq!((status, &reply["revision"]), (200, &json!(7)));
    assert_eq!(get("/getmap", own).await, (200, "/pills/i\n".to_owned()));

    let (status, reply) = server.json("/savemap", own, b"/(/\n").await;
    assert_eq!((status, &reply["error"]), (400, &json!("line 1: no end")));
    let (status, _) = server.json("/savemap", own, b"\xff\n").await;
    assert_eq!(status, 400);
    assert_eq!(get("/getmap", own).await.1, "/pills/i\n");

    for fields in ["Password: secret\r\n", "Password: secret\r\nMap: other\r\n"] {
        assert_eq!(server.ask("/savemap", fields, b"x").await.0, 404);
        assert_eq!(get("/getmap", fields).await.0, 404);
    }
    for fields in ["Map: words.map\r\n", "Password: x\r\nMap: words.map\r\n"] {
        assert_eq!(server.ask("/savemap", fields, b"x").await.0, 403);
        assert_eq!(get("/getmap", fields).await.0, 403);
        assert_eq!(get("/maps", fields).await.0, 403);
    }
    server.stop.cancel();
    server.task.await.unwrap().unwrap();
}
