//! Rspamd's HTTP protocol.
//!
//! | path | answer |
//! |---|---|
//! | `/checkv2` | the verdict on the message in the body |
//! | `/check`, `/symbols` | the same in the older form |
//! | `/learnspam`, `/learnham` | learns the message; needs the password |
//! | `/stat` | counts; needs the password |
//! | `/maps` | the administrator's maps; needs the password |
//! | `/getmap`, `/savemap` | the lines of the one in the field `Map`; need the password |
//! | `/ping` | `pong` |
//!
//! The password comes in the field `Password`. Start at [`serve`].

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use bytes::Bytes;
use sasl::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use crate::json;
use crate::judge::{CheckError, CheckReply, Judge, LearnClass, LearnReply, LearnRequest};
use crate::maps::{MapError, Maps};
use crate::request::{self, BadRequest, Encoding};

/// Octets of a map's text that are taken; the maps themselves have a lower limit or the same.
const MAP_MAX: usize = 16 * 1024 * 1024;

/// Pause after a failed accept, so that a lasting failure does not spin.
const PAUSE: Duration = Duration::from_millis(50);

/// How the listener behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Octets of a message.
    pub message_max: usize,
    /// How long the body of a request may take to come.
    pub body_timeout: Duration,
    /// How long a check may take.
    pub check_timeout: Duration,
    /// Connections at once; more wait.
    pub connections: usize,
    /// What everything but checks wants to hear. Without one nobody may ask.
    pub password: Option<Secret>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            message_max: 50 * 1024 * 1024,
            body_timeout: Duration::from_secs(60),
            check_timeout: Duration::from_secs(30),
            connections: 200,
            password: None,
        }
    }
}

#[derive(Debug, Clone)]
struct Shared {
    judge: Arc<dyn Judge>,
    maps: Arc<dyn Maps>,
    options: Arc<Options>,
}

/// Answers on `listener` until `shutdown`; requests under way are finished.
///
/// # Errors
/// What the operating system says when the socket fails for good.
pub async fn serve(
    listener: TcpListener,
    judge: Arc<dyn Judge>,
    maps: Arc<dyn Maps>,
    options: Options,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let listener = Limited {
        slots: Arc::new(Semaphore::new(options.connections.max(1))),
        // Nothing moves on a connection while its message is being checked.
        idle: options.body_timeout + options.check_timeout,
        listener,
    };
    let shared = Shared {
        judge,
        maps,
        options: Arc::new(options),
    };
    let router = Router::new()
        .route("/checkv2", any(check))
        .route("/check", any(check_legacy))
        .route("/symbols", any(check_legacy))
        .route("/learnspam", any(learn_spam))
        .route("/learnham", any(learn_ham))
        .route("/stat", get(statistics))
        .route("/maps", get(list_maps))
        .route("/getmap", get(get_map))
        .route("/savemap", post(save_map))
        .route("/ping", any(|| async { "pong\r\n" }))
        .fallback(|| async { failure(StatusCode::NOT_FOUND, "no such command") })
        .with_state(shared);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await
}

async fn check(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    match shared.judged(&headers, body).await {
        Ok(reply) => answer(StatusCode::OK, &json::check(&reply)),
        Err(refusal) => refusal.into_response(),
    }
}

async fn check_legacy(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    match shared.judged(&headers, body).await {
        Ok(reply) => answer(StatusCode::OK, &json::legacy(&reply)),
        Err(refusal) => refusal.into_response(),
    }
}

async fn learn_spam(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    shared.learned(&headers, body, LearnClass::Spam).await
}

async fn learn_ham(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    shared.learned(&headers, body, LearnClass::Ham).await
}

async fn statistics(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if !shared.may(&headers) {
        return unauthorized();
    }
    let statistics = shared.judge.statistics().await;
    answer(StatusCode::OK, &json::statistics(&statistics))
}

async fn list_maps(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if !shared.may(&headers) {
        return unauthorized();
    }
    match shared.maps.list().await {
        Ok(maps) => answer(StatusCode::OK, &maps.iter().map(json::map).collect()),
        Err(error) => Refusal::Map(error).into_response(),
    }
}

async fn get_map(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if !shared.may(&headers) {
        return unauthorized();
    }
    let Some(name) = map_name(&headers) else {
        return Refusal::Map(MapError::NotFound).into_response();
    };
    match shared.maps.text(name).await {
        Ok(text) => text.into_response(),
        Err(error) => Refusal::Map(error).into_response(),
    }
}

async fn save_map(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    match shared.saved(&headers, body).await {
        Ok(reply) => answer(StatusCode::OK, &reply),
        Err(refusal) => refusal.into_response(),
    }
}

/// The map that a request is about.
fn map_name(headers: &HeaderMap) -> Option<String> {
    let name = headers.get("map")?.to_str().ok()?;
    Some(name.to_owned())
}

impl Shared {
    async fn saved(&self, headers: &HeaderMap, body: Body) -> Result<Value, Refusal> {
        if !self.may(headers) {
            return Err(Refusal::Password);
        }
        let name = map_name(headers).ok_or(Refusal::Map(MapError::NotFound))?;
        let text = self.body(body, MAP_MAX).await?;
        let text = String::from_utf8(text.into())
            .map_err(|_| MapError::Invalid("the lines are not UTF-8".to_owned()))
            .map_err(Refusal::Map)?;
        let saved = self.maps.save(name, text).await.map_err(Refusal::Map)?;
        Ok(json!({
            "success": true,
            "revision": saved.revision,
            "refused": saved.refused,
        }))
    }

    async fn body(&self, body: Body, limit: usize) -> Result<Bytes, BadRequest> {
        tokio::time::timeout(self.options.body_timeout, axum::body::to_bytes(body, limit))
            .await
            .map_err(|_elapsed| BadRequest::Slow)?
            .map_err(|_| BadRequest::TooLarge)
    }

    async fn message(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, BadRequest> {
        let limit = self.options.message_max;
        let encoding = request::encoding(headers)?;
        let body = self.body(body, limit).await?;
        let message = match encoding {
            Encoding::Plain => body,
            Encoding::Zstd => {
                tokio::task::spawn_blocking(move || request::decompress(&body, limit))
                    .await
                    .map_err(|_| BadRequest::Broken)??
            }
        };
        if message.is_empty() {
            return Err(BadRequest::Empty);
        }
        Ok(message)
    }

    async fn judged(&self, headers: &HeaderMap, body: Body) -> Result<CheckReply, Refusal> {
        let message = self.message(headers, body).await?;
        let request = request::check(headers, message);
        tokio::time::timeout(self.options.check_timeout, self.judge.check(request))
            .await
            .unwrap_or(Err(CheckError::Timeout))
            .map_err(Refusal::Check)
    }

    async fn learned(&self, headers: &HeaderMap, body: Body, class: LearnClass) -> Response {
        if !self.may(headers) {
            return unauthorized();
        }
        let message = match self.message(headers, body).await {
            Ok(message) => message,
            Err(bad) => return Refusal::from(bad).into_response(),
        };
        let request = LearnRequest {
            user: request::check(headers, Bytes::new()).user,
            message,
            class,
        };
        let learned = tokio::time::timeout(self.options.check_timeout, self.judge.learn(request));
        match learned.await.unwrap_or(Err(CheckError::Timeout)) {
            Ok(LearnReply::Learned) => answer(StatusCode::OK, &json!({ "success": true })),
            Ok(LearnReply::AlreadyLearned) => failure(
                StatusCode::ALREADY_REPORTED,
                "the message has been learned before",
            ),
            Ok(LearnReply::Skipped(reason)) => answer(
                StatusCode::OK,
                &json!({ "success": false, "error": reason }),
            ),
            Err(error) => Refusal::Check(error).into_response(),
        }
    }

    /// Whether the client may do more than have messages checked.
    fn may(&self, headers: &HeaderMap) -> bool {
        let given = headers
            .get("password")
            .map(|value| Secret::new(String::from_utf8_lossy(value.as_bytes()).into_owned()));
        match (&self.options.password, given) {
            (Some(password), Some(given)) => *password == given,
            _ => false,
        }
    }
}

/// Why there is no answer.
enum Refusal {
    Password,
    Request(BadRequest),
    Check(CheckError),
    Map(MapError),
}

impl From<BadRequest> for Refusal {
    fn from(bad: BadRequest) -> Self {
        Self::Request(bad)
    }
}

/// The one place where errors become replies.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Password => failure(StatusCode::FORBIDDEN, "a password is needed"),
            Self::Request(bad) => {
                let status = match bad {
                    BadRequest::Empty | BadRequest::Broken => StatusCode::BAD_REQUEST,
                    BadRequest::ByName | BadRequest::Compression => {
                        StatusCode::UNSUPPORTED_MEDIA_TYPE
                    }
                    BadRequest::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                    BadRequest::Slow => StatusCode::REQUEST_TIMEOUT,
                };
                failure(status, &bad.to_string())
            }
            Self::Check(error) => {
                let status = match error {
                    CheckError::Busy => StatusCode::SERVICE_UNAVAILABLE,
                    CheckError::Timeout => StatusCode::GATEWAY_TIMEOUT,
                    CheckError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                    CheckError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
                };
                failure(status, &error.to_string())
            }
            Self::Map(error) => {
                let status = match error {
                    MapError::NotFound => StatusCode::NOT_FOUND,
                    MapError::Invalid(_) => StatusCode::BAD_REQUEST,
                    MapError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
                };
                failure(status, &error.to_string())
            }
        }
    }
}

fn unauthorized() -> Response {
    Refusal::Password.into_response()
}

fn failure(status: StatusCode, error: &str) -> Response {
    answer(status, &json!({ "error": error }))
}

fn answer(status: StatusCode, value: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, value.to_string()).into_response()
}

/// A listener that takes so many connections at once.
struct Limited {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    idle: Duration,
}

impl axum::serve::Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let slot = Arc::clone(&self.slots).acquire_owned().await;
            match (slot, self.listener.accept().await) {
                (Ok(slot), Ok((stream, address))) => {
                    let connection = Connection {
                        stream,
                        idle: self.idle,
                        until: Box::pin(tokio::time::sleep(self.idle)),
                        _slot: slot,
                    };
                    return (connection, address);
                }
                (_, Err(error)) => {
                    tracing::warn!(%error, "filter's HTTP listener cannot accept");
                    tokio::time::sleep(PAUSE).await;
                }
                (Err(_closed), _) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when nothing has moved on it for a while.
struct Connection {
    stream: TcpStream,
    idle: Duration,
    until: Pin<Box<Sleep>>,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    /// `result` if there is one, and time anew; otherwise whether the time is over.
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            let until = Instant::now() + self.idle;
            self.until.as_mut().reset(until);
            return result;
        }
        match self.until.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watched(context, result)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, octets);
        self.watched(context, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
