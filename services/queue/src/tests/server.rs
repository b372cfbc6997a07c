//! Remote servers that follow a script.
//!
//! A script has one line per step; the connection goes through them in order.
//!
//! | line | the server |
//! |---|---|
//! | `S text` | sends the line; lines that follow each other go in one segment |
//! | `C text` | reads a line and expects it to start with the text |
//! | `D` | reads a message up to the final dot |
//! | `T` | takes the server's side of a TLS handshake |
//! | `W` | waits until the test lets it go on ([`Server::go_on`]) |
//! | `X` | closes the connection |
//!
//! Behind the script RSET and QUIT are answered as they should be; anything else is an error, and
//! [`Server::finish`] fails the test for it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tls::MaybeTls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

#[derive(Debug, Default, Clone)]
pub(super) struct Log {
    /// Lines the client sent, in clear and in TLS.
    pub(super) heard: Vec<String>,
    /// The octets between DATA's reply and the end of the dot line, that line included.
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) connections: usize,
    pub(super) open: usize,
    pub(super) most_open: usize,
    errors: Vec<String>,
}

pub(super) struct Server {
    log: Arc<Mutex<Log>>,
    gate: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Plays `scripts`, one for each connection; the last one is played again for further ones if
    /// `repeat` is set, otherwise they are closed at once and counted as errors.
    pub(super) async fn start(
        address: SocketAddr,
        scripts: &[&str],
        tls: Option<Arc<ServerConfig>>,
        repeat: Repeat,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let scripts: Vec<String> = scripts.iter().map(|&script| script.to_owned()).collect();
        let (log, gate) = (
            Arc::new(Mutex::new(Log::default())),
            Arc::new(Semaphore::new(0)),
        );
        let shared = (Arc::clone(&log), Arc::clone(&gate));
        let task = tokio::spawn(async move {
            let mut number = 0;
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let (log, gate) = shared.clone();
                let script = match (scripts.get(number), repeat) {
                    (Some(script), _) => script.clone(),
                    (None, Repeat::Last) => scripts.last().unwrap().clone(),
                    (None, Repeat::No) => {
                        log.lock()
                            .unwrap()
                            .errors
                            .push("one connection too many".into());
                        continue;
                    }
                };
                number += 1;
                let tls = tls.clone();
                tokio::spawn(async move {
                    enter(&log);
                    let mut connection = Connection {
                        stream: Some(MaybeTls::Plain(stream)),
                        log: &log,
                        tls,
                        gate,
                    };
                    let played = connection.play(&script).await;
                    let mut log = log.lock().unwrap();
                    log.open -= 1;
                    if let Err(error) = played {
                        log.errors.push(error);
                    }
                });
            }
        });
        Self { log, gate, task }
    }

    pub(super) fn log(&self) -> Log {
        self.log.lock().unwrap().clone()
    }

    /// Lets `count` waiting connections (`W`) go on.
    pub(super) fn go_on(&self, count: usize) {
        self.gate.add_permits(count);
    }

    /// What happened; fails if a client left a script.
    pub(super) fn finish(&self) -> Log {
        let log = self.log();
        assert!(log.errors.is_empty(), "{:#?}", log.errors);
        log
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    No,
    Last,
}

fn enter(log: &Mutex<Log>) {
    let mut log = log.lock().unwrap();
    log.connections += 1;
    log.open += 1;
    log.most_open = log.most_open.max(log.open);
}

/// The steps of a script, neighbouring `S` lines made one.
fn segments(script: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for line in script
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        match (line.strip_prefix("S "), steps.last_mut()) {
            (Some(text), Some(last)) if last.starts_with("S ") => {
                last.push_str(text);
                last.push_str("\r\n");
            }
            (Some(_), _) => steps.push(format!("{line}\r\n")),
            (None, _) => steps.push(line.to_owned()),
        }
    }
    steps
}

struct Connection<'a> {
    stream: Option<MaybeTls<TcpStream>>,
    log: &'a Mutex<Log>,
    tls: Option<Arc<ServerConfig>>,
    gate: Arc<Semaphore>,
}

impl Connection<'_> {
    async fn play(&mut self, script: &str) -> Result<(), String> {
        for step in segments(script) {
            let (kind, text) = step.split_once(' ').unwrap_or((&step, ""));
            match kind {
                "S" => self.say(text).await?,
                "C" => {
                    let line = self
                        .line()
                        .await?
                        .ok_or(format!("closed instead of {text:?}"))?;
                    if !line.starts_with(text) {
                        return Err(format!("{line:?} instead of {text:?}"));
                    }
                }
                "D" => self.message().await?,
                "T" => self.handshake().await?,
                "W" => self.gate.acquire().await.unwrap().forget(),
                "X" => return Ok(()),
                _ => panic!("bad step {step:?}"),
            }
        }
        while let Some(line) = self.line().await? {
            match line.as_str() {
                "RSET" => self.say("250 2.0.0 reset\r\n").await?,
                "QUIT" => return self.say("221 2.0.0 bye\r\n").await,
                _ => return Err(format!("{line:?} behind the script")),
            }
        }
        Ok(())
    }

    fn stream(&mut self) -> &mut MaybeTls<TcpStream> {
        self.stream.as_mut().unwrap()
    }

    async fn say(&mut self, text: &str) -> Result<(), String> {
        let stream = self.stream();
        stream
            .write_all(text.as_bytes())
            .await
            .map_err(|error| error.to_string())?;
        stream.flush().await.map_err(|error| error.to_string())
    }

    /// One line, octet by octet so that nothing behind it is read; `None` at the end.
    async fn line(&mut self) -> Result<Option<String>, String> {
        let mut line = Vec::new();
        loop {
            match self.stream().read_u8().await {
                Ok(octet) => line.push(octet),
                Err(_) if line.is_empty() => return Ok(None),
                Err(error) => return Err(error.to_string()),
            }
            if line.ends_with(b"\n") {
                break;
            }
        }
        let line = String::from_utf8(line).map_err(|error| error.to_string())?;
        let line = line
            .strip_suffix("\r\n")
            .ok_or("a command with a bare LF")?
            .to_owned();
        self.log.lock().unwrap().heard.push(line.clone());
        Ok(Some(line))
    }

    async fn message(&mut self) -> Result<(), String> {
        let mut message = Vec::new();
        while !message.ends_with(b"\r\n.\r\n") && message != b".\r\n" {
            message.push(
                self.stream()
                    .read_u8()
                    .await
                    .map_err(|error| error.to_string())?,
            );
        }
        self.log.lock().unwrap().messages.push(message);
        Ok(())
    }

    async fn handshake(&mut self) -> Result<(), String> {
        let Some(MaybeTls::Plain(stream)) = self.stream.take() else {
            return Err("TLS twice".into());
        };
        let acceptor = TlsAcceptor::from(self.tls.clone().unwrap());
        let stream = acceptor
            .accept(stream)
            .await
            .map_err(|error| error.to_string())?;
        self.stream = Some(MaybeTls::Server(Box::new(stream)));
        Ok(())
    }
}
