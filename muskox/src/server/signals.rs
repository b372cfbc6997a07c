//! Signals and systemd: when to stop, when to read the configuration again, and telling the
//! service manager that all is well.

use std::path::Path;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Server, reload};

/// Waits for the end; whether the store failed.
pub(super) async fn until_stopped(server: &Server, config: &Path) -> bool {
    let mut failed = std::pin::pin!(server.services.db.failed());
    let (mut terminate, mut interrupt, mut hangup) = (
        signal(SignalKind::terminate()).ok(),
        signal(SignalKind::interrupt()).ok(),
        signal(SignalKind::hangup()).ok(),
    );
    notify(&[NotifyState::Ready]);
    let mut watchdog = tokio::time::interval(watchdog_interval());
    loop {
        tokio::select! {
            () = next(&mut terminate) => break,
            () = next(&mut interrupt) => break,
            () = next(&mut hangup) => {
                notify(&[NotifyState::Reloading]);
                reload(server, config);
                notify(&[NotifyState::Ready]);
            }
            () = &mut failed => {
                notify(&[NotifyState::Stopping]);
                return true;
            }
            _ = watchdog.tick() => notify(&[NotifyState::Watchdog]),
        }
    }
    tracing::info!("stopping: sessions end, accepted mail is on disk");
    notify(&[NotifyState::Stopping]);
    false
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Half of what the service manager allows; an hour when it does not watch.
fn watchdog_interval() -> Duration {
    sd_notify::watchdog_enabled().map_or(Duration::from_secs(3600), |limit| limit / 2)
}

fn notify(states: &[NotifyState<'_>]) {
    // Without a service manager there is nobody to tell.
    let _ = sd_notify::notify(states);
}
