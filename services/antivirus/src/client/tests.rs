//! The client against a scripted daemon, on a Unix socket and over TCP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

use super::*;

/// What the daemon does with a connection.
#[derive(Clone)]
enum Script {
    /// Reads the command and the whole message, answers.
    Answer(Vec<u8>),
    /// Reads the command only, answers and hangs up.
    Early(Vec<u8>),
    /// Reads everything, never answers.
    Silent,
    /// Hangs up at once.
    HangUp,
    /// Answers without end.
    Endless,
}

/// What the daemon heard.
#[derive(Default)]
struct Heard {
    command: Vec<u8>,
    message: Vec<u8>,
    chunks: usize,
}

async fn hear(stream: &mut impl Stream) -> Heard {
    let mut heard = Heard::default();
    while !heard.command.ends_with(&[0]) {
        heard.command.push(stream.read_u8().await.unwrap());
    }
    if heard.command != b"zINSTREAM\0" {
        return heard;
    }
    loop {
        let length = stream.read_u32().await.unwrap();
        if length == 0 {
            return heard;
        }
        let mut chunk = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut chunk).await.unwrap();
        heard.message.extend(chunk);
        heard.chunks += 1;
    }
}

async fn play(mut stream: impl Stream, script: Script) -> Heard {
    match script {
        Script::Answer(reply) => {
            let heard = hear(&mut stream).await;
            stream.write_all(&reply).await.unwrap();
            heard
        }
        Script::Early(reply) => {
            let mut command = [0; 10];
            stream.read_exact(&mut command).await.unwrap();
            stream.write_all(&reply).await.unwrap();
            stream.shutdown().await.unwrap();
            // A socket closed with unread octets would take the answer with it.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            Heard::default()
        }
        Script::Silent => {
            let heard = hear(&mut stream).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            heard
        }
        Script::HangUp => Heard::default(),
        Script::Endless => {
            while stream.write_all(&[b'x'; 1000]).await.is_ok() {}
            Heard::default()
        }
    }
}

/// A daemon for one connection over TCP.
async fn tcp(script: Script) -> (Antivirus, JoinHandle<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let daemon = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        play(stream, script).await
    });
    (client(Address::Tcp(place)), daemon)
}

fn client(address: Address) -> Antivirus {
    Antivirus::new(Options {
        address,
        timeout_seconds: 60,
        max_bytes: 1 << 20,
        ..Options::default()
    })
}

fn reply(text: &str) -> Script {
    Script::Answer(text.as_bytes().to_vec())
}

#[tokio::test]
async fn clean_message_in_chunks_over_tcp() {
    let (antivirus, daemon) = tcp(reply("stream: OK\0")).await;
    let message: Vec<u8> = (0..=255).cycle().take(CHUNK * 2 + 7).collect();
    assert_eq!(antivirus.scan(&message).await.unwrap(), Scanned::Clean);
    let heard = daemon.await.unwrap();
    assert_eq!(heard.chunks, 3);
    assert!(heard.message == message);
}

#[tokio::test]
async fn infected_message_over_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd.ctl");
    let listener = UnixListener::bind(&path).unwrap();
    let daemon = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        play(stream, reply("stream: Test.Signature\r\nX: y FOUND\0")).await
    });
    let scanned = client(Address::Unix(path)).scan(b"mail").await.unwrap();
    let name = "Test.Signature__X:_y".to_owned();
    assert_eq!(scanned, Scanned::Infected { name });
    assert_eq!(daemon.await.unwrap().message, b"mail");
}

#[tokio::test]
async fn empty_message_is_only_an_end() {
    let (antivirus, daemon) = tcp(reply("stream: OK\0")).await;
    assert_eq!(antivirus.scan(b"").await.unwrap(), Scanned::Clean);
    assert_eq!(daemon.await.unwrap().chunks, 0);
}

#[tokio::test]
async fn answers_that_are_errors() {
    for text in [
        "stream: Can't allocate memory ERROR\0",
        "UNKNOWN COMMAND\0",
        "stream: OK",
        "stream: OK\n",
        "stream: Test.Signature FOU",
        "\0",
        "",
        "\u{1}\u{2}garbage\0",
        "PONG\0",
    ] {
        let (antivirus, _daemon) = tcp(reply(text)).await;
        let error = antivirus.scan(b"mail").await.unwrap_err();
        assert!(
            matches!(&error, Error::Protocol(said) if !said.contains(char::is_control)),
            "{text:?}: {error}"
        );
    }
}

#[tokio::test]
async fn size_limits_of_either_side() {
    let early = Script::Early(b"INSTREAM size limit exceeded. ERROR\0".to_vec());
    let (antivirus, _daemon) = tcp(early).await;
    let message = vec![b'x'; 1 << 20];
    assert!(matches!(
        antivirus.scan(&message).await,
        Err(Error::TooLarge)
    ));
    // Nobody is asked about a message that is over our own limit.
    let nowhere = client("127.0.0.1:1".parse().unwrap());
    let message = vec![b'x'; (1 << 20) + 1];
    assert!(matches!(nowhere.scan(&message).await, Err(Error::TooLarge)));
}

#[tokio::test]
async fn hanging_up_is_no_opinion() {
    let (antivirus, _daemon) = tcp(Script::HangUp).await;
    let error = antivirus.scan(b"mail").await.unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
}

#[tokio::test]
async fn endless_answer_is_cut() {
    let (antivirus, _daemon) = tcp(Script::Endless).await;
    let error = antivirus.scan(b"mail").await.unwrap_err();
    assert!(matches!(error, Error::Protocol(said) if said.len() < 200));
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    drop(listener);
    for address in [
        Address::Tcp(place),
        "/nonexistent/clamd.ctl".parse().unwrap(),
    ] {
        let error = client(address).ping().await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    }
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let (antivirus, daemon) = tcp(Script::Silent).await;
    let options = Options {
        timeout_seconds: 1,
        ..antivirus.options
    };
    let error = Antivirus::new(options).scan(b"mail").await.unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error}");
    assert_eq!(daemon.await.unwrap().message, b"mail");
}

#[tokio::test]
async fn ping_and_version() {
    let (antivirus, daemon) = tcp(reply("PONG\0")).await;
    antivirus.ping().await.unwrap();
    assert_eq!(daemon.await.unwrap().command, b"zPING\0");
    let (antivirus, daemon) = tcp(reply("ClamAV 1.4.3/27000/today\0")).await;
    assert_eq!(
        antivirus.version().await.unwrap(),
        "ClamAV 1.4.3/27000/today"
    );
    assert_eq!(daemon.await.unwrap().command, b"zVERSION\0");
    let (antivirus, _daemon) = tcp(reply("SSH-2.0\0")).await;
    assert!(matches!(antivirus.version().await, Err(Error::Protocol(_))));
}

/// Ten scans, two connections: the daemon never sees a third one at the same time.
#[tokio::test]
async fn connections_are_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    let daemon = tokio::spawn(async move {
        let open = Arc::new(AtomicUsize::new(0));
        // Nobody is answered before two are there at the same time.
        let pair = Arc::new(tokio::sync::Barrier::new(2));
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (open, seen) = (Arc::clone(&open), Arc::clone(&seen));
            let pair = Arc::clone(&pair);
            tokio::spawn(async move {
                seen.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                hear(&mut stream).await;
                pair.wait().await;
                open.fetch_sub(1, Ordering::SeqCst);
                stream.write_all(b"stream: OK\0").await.unwrap();
            });
        }
    });
    let antivirus = Arc::new(Antivirus::new(Options {
        address: Address::Tcp(place),
        connections: 2,
        ..Options::default()
    }));
    let scans: Vec<_> = (0..10)
        .map(|_| {
            let antivirus = Arc::clone(&antivirus);
            tokio::spawn(async move { antivirus.scan(b"mail").await })
        })
        .collect();
    for scan in scans {
        assert_eq!(scan.await.unwrap().unwrap(), Scanned::Clean);
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
    daemon.abort();
}

#[test]
fn options_are_written_by_operators() {
    let options: Options =
        toml::from_str("address = \"[::1]:3310\"\ntimeout_seconds = 5\non_failure = \"defer\"")
            .unwrap();
    assert_eq!(options.address, Address::Tcp("[::1]:3310".to_owned()));
    assert_eq!(options.on_failure, OnFailure::Defer);
    assert_eq!(options.connections, Options::default().connections);
    assert!(toml::from_str::<Options>("adress = \"/x\"").is_err());
    assert!(toml::from_str::<Options>("address = \"x\"").is_err());
}
