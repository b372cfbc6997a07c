//! HTTP. So far only the private listener: what a monitoring system asks.
//!
//! `/metrics` is the OpenMetrics text of the registry, `/healthz` says that the process answers,
//! `/readyz` whether it takes mail. None needs a password: the listener belongs on loopback or
//! behind an allow-list. Start at [`serve_private`].

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Why the listener ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket failed.
    #[error("the HTTP listener failed: {0}")]
    Io(#[from] std::io::Error),
}

/// What the private listener shows.
#[derive(Clone)]
pub struct Private {
    /// All metrics of the server.
    pub registry: Arc<Registry>,
    /// Whether the server takes mail now. Called for each `/readyz`; must not block.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Private").finish_non_exhaustive()
    }
}

/// Answers on `listener` until `shutdown`.
///
/// # Errors
/// [`Error::Io`] when the socket fails for good.
pub async fn serve_private(
    listener: TcpListener,
    private: Private,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(private);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await?;
    Ok(())
}

async fn metrics(State(private): State<Private>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &private.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn ready(State(private): State<Private>) -> Response {
    if (private.ready)() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}
