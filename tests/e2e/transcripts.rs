//! Replays every file of `transcripts/` against a fresh server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use testkit::TestServer;
use testkit::client::Client;
use testkit::transcript::{Action, Holes, Preparation, Transcript, fill, matches};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The problem of the first line that went wrong, with the conversation up to it.
async fn replay(file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let transcript = Transcript::parse(&text).map_err(|error| format!("{name}: {error}"))?;
    let server = TestServer::start().await;
    for preparation in &transcript.preparations {
        prepare(&server, preparation).await;
    }
    let mut clients: BTreeMap<usize, Client> = BTreeMap::new();
    let mut holes = Holes::new();
    for step in &transcript.steps {
        let mut client = match clients.remove(&step.connection) {
            Some(client) => client,
            None => connect(&server, &transcript.listener).await,
        };
        if step.action == Action::StartTls {
            let secured = client
                .start_tls(server.client_config(), server.name())
                .await;
            client = secured.map_err(|error| format!("{name}:{}: {error}", step.line))?;
        } else if let Err(problem) = take(&mut client, &step.action, &mut holes).await {
            return Err(format!("{name}:{}: {problem}\n{}", step.line, client.log()));
        }
        clients.insert(step.connection, client);
    }
    server.stop().await;
    Ok(())
}

async fn prepare(server: &TestServer, preparation: &Preparation) {
    let read = |file: &str| std::fs::read(folder("messages").join(file)).unwrap();
    match preparation {
        Preparation::Deliver(account, file) => server.deliver(account, &read(file)).await,
        Preparation::Append(account, file) => {
            let appended = server
                .imap(account)
                .await
                .append("INBOX", &read(file))
                .await;
            assert!(
                appended.as_ref().is_ok_and(|answer| answer.is_ok()),
                "{appended:?}"
            );
        }
        Preparation::Account(address) => server.account(address).await,
        Preparation::Alias(name, targets) => {
            let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
            server.alias(name, &targets).await;
        }
        Preparation::Quota(address, octets) => server.quota(address, *octets).await,
    }
}

async fn connect(server: &TestServer, listener: &str) -> Client {
    let address = server.address(listener);
    let client = match listener {
        "imaps" | "submissions" => {
            Client::connect_tls(address, server.client_config(), server.name()).await
        }
        _ => Client::connect(address).await,
    };
    client.unwrap()
}

async fn take(client: &mut Client, action: &Action, holes: &mut Holes) -> Result<(), String> {
    let broken = |error: std::io::Error| error.to_string();
    match action {
        Action::Send(line) => client.send(&fill(line, holes)).await.map_err(broken),
        Action::SendRaw(octets) => client.send_raw(octets).await.map_err(broken),
        Action::Expect(pattern) => match client.line().await.map_err(broken)? {
            Some(line) if matches(pattern, &line, holes) => Ok(()),
            Some(line) => Err(format!("expected {pattern:?}, got {line:?}")),
            None => Err(format!("expected {pattern:?}, the server closed")),
        },
        Action::Await(pattern) => {
            while let Some(line) = client.line().await.map_err(broken)? {
                if matches(pattern, &line, holes) {
                    return Ok(());
                }
            }
            Err(format!("expected {pattern:?}, the server closed"))
        }
        Action::Among {
            wanted,
            unwanted,
            end,
        } => {
            let mut lines = Vec::new();
            loop {
                match client.line().await.map_err(broken)? {
                    Some(line) if matches(end, &line, holes) => break,
                    Some(line) => lines.push(line),
                    None => return Err(format!("expected {end:?}, the server closed")),
                }
            }
            let found = |pattern: &String| {
                lines
                    .iter()
                    .find(|line| matches(pattern, line, &mut holes.clone()))
            };
            if let Some((pattern, line)) = unwanted
                .iter()
                .find_map(|pattern| Some((pattern, found(pattern)?)))
            {
                return Err(format!("unexpected {line:?} ({pattern:?})"));
            }
            for pattern in wanted {
                let Some(at) = lines.iter().position(|line| matches(pattern, line, holes)) else {
                    return Err(format!("expected {pattern:?} among the lines"));
                };
                lines.remove(at);
            }
            Ok(())
        }
        Action::StartTls => Err("the caller's business".to_owned()),
        Action::Closed => match client.line().await {
            Ok(None) => Ok(()),
            Ok(Some(line)) => Err(format!("expected the end, got {line:?}")),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => Err(broken(error)),
            // A reset is a close, too: the server had unread input.
            Err(_) => Ok(()),
        },
    }
}

/// Replays all files, some at a time, and tells everything that went wrong.
async fn replay_all(protocol: &str, at_least: usize) {
    let folder = folder("transcripts").join(protocol);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    // So that no transcript gets lost unnoticed.
    assert!(
        files.len() >= at_least,
        "only {} transcripts of {protocol}",
        files.len()
    );
    let chosen = std::env::var("MUSKOX_TRANSCRIPT").unwrap_or_default();
    files.retain(|file| file.to_string_lossy().contains(&chosen));
    assert!(
        !files.is_empty(),
        "no transcript's name contains {chosen:?}"
    );
    let mut replays = tokio::task::JoinSet::new();
    let slots = std::sync::Arc::new(tokio::sync::Semaphore::new(4));
    for file in files {
        let slots = std::sync::Arc::clone(&slots);
        replays.spawn(async move {
            let _slot = slots.acquire_owned().await.unwrap();
            replay(&file).await
        });
    }
    let results = replays.join_all().await;
    let mut problems: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    problems.sort();
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn smtp() {
    replay_all("smtp", 40).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imap() {
    replay_all("imap", 45).await;
}
