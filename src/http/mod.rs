//! HTTP/1.1 on hyper: a small server with limits, and a smaller client. The status page and the sandbox's wire
//! door stand on it; it knows nothing of either.

mod access;
mod client;

use std::convert::Infallible;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use access::{Access, TlsError, Token, server_tls};
pub use client::{Answer, GetError, get, get_from_self};

/// A request, read to its end.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// What follows the question mark.
    pub query: Option<String>,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// A header field as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// A response of one content type.
    #[must_use]
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self {
            status,
            headers,
            body: body.into(),
        }
    }

    /// Plain text.
    #[must_use]
    pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// Adds a header field; one whose value is not a legal value is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// Answers requests.
#[async_trait]
pub trait Handler: Debug + Send + Sync + 'static {
    /// Answers one request.
    async fn handle(&self, request: Request) -> Response;

    /// Whether a path is answered to everyone, where others need a token.
    fn is_open(&self, _path: &str) -> bool {
        false
    }
}

/// What a client may do.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// How long a client may take to send its header, and to agree on TLS before it.
    pub header_time: Duration,
    /// The longest header, request line included.
    pub header_bytes: usize,
    /// How long a client may take to send its body.
    pub body_time: Duration,
    /// The longest body.
    pub body_bytes: usize,
    /// How long a connection may last; then it may finish what it is at for a moment. Who takes an answer too slowly
    /// is held to nothing else.
    pub connection_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            header_time: Duration::from_secs(10),
            header_bytes: 16 * 1024,
            body_time: Duration::from_secs(10),
            body_bytes: 64 * 1024,
            connection_time: Duration::from_mins(5),
        }
    }
}

/// An address that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can not listen on {address}")]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

/// Opens a listener.
///
/// # Errors
/// [`ListenError`], for example when the port is in use.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ListenError { address, source })
}

/// How long open connections may take to end after a stop, or after their time.
const DRAIN: Duration = Duration::from_secs(3);

/// What `access` is for a server that answers everyone.
#[must_use]
pub fn to_everyone() -> watch::Receiver<Arc<Access>> {
    watch::channel(Arc::new(Access::default())).1
}

/// Serves until `stop`, then lets requests in flight finish for a moment. What a client needs is read for each
/// connection and each request anew.
pub async fn serve(
    listener: TcpListener,
    handler: Arc<dyn Handler>,
    limits: Limits,
    access: watch::Receiver<Arc<Access>>,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let slot = tokio::select! {
            () = stop.cancelled() => break,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let connection = Connection {
                    handler: Arc::clone(&handler),
                    limits,
                    access: access.clone(),
                    stop: stop.clone(),
                };
                connections.spawn(async move {
                    connection.open(stream).await;
                    drop(slot);
                });
            }
            // Out of file descriptors, most likely: trying again at once would spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        connections.abort_all();
    }
}

/// A client that breaks off, or is too slow, is its own loss: how a connection ends is not looked at.
struct Connection {
    handler: Arc<dyn Handler>,
    limits: Limits,
    access: watch::Receiver<Arc<Access>>,
    stop: CancellationToken,
}

impl Connection {
    async fn open(self, stream: TcpStream) {
        let tls = self.access.borrow().tls.clone();
        let Some(tls) = tls else {
            return self.serve(stream).await;
        };
        let handshake = TlsAcceptor::from(tls).accept(stream);
        if let Ok(Ok(stream)) = tokio::time::timeout(self.limits.header_time, handshake).await {
            self.serve(stream).await;
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Self {
            handler,
            limits,
            access,
            stop,
        } = self;
        let service = service_fn(move |request| {
            let (handler, access) = (Arc::clone(&handler), Arc::clone(&access.borrow()));
            async move { Ok::<_, Infallible>(answer(request, handler.as_ref(), limits, &access).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_time)
            .max_buf_size(limits.header_bytes)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stop.cancelled() => {}
            () = tokio::time::sleep(limits.connection_time) => {}
        }
        connection.as_mut().graceful_shutdown();
        drop(tokio::time::timeout(DRAIN, connection).await);
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    handler: &dyn Handler,
    limits: Limits,
    access: &Access,
) -> hyper::Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let is_known = |token: &Token| token.is_in(&parts.headers);
    if !access.token.as_ref().is_none_or(is_known) && !handler.is_open(parts.uri.path()) {
        let refused = Response::text(StatusCode::UNAUTHORIZED, "a token is needed\n");
        // A browser asks for a name and a password, and the token is the password.
        return built(refused.with_header(WWW_AUTHENTICATE, "Basic realm=\"evenkeel\""));
    }
    let body = Limited::new(body, limits.body_bytes).collect();
    let response = match tokio::time::timeout(limits.body_time, body).await {
        Ok(Ok(collected)) => {
            let request = Request {
                method: parts.method,
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().map(str::to_owned),
                headers: parts.headers,
                body: collected.to_bytes(),
            };
            handler.handle(request).await
        }
        Ok(Err(_)) => Response::text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n"),
        Err(_) => Response::text(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
    };
    built(response)
}

fn built(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut built = hyper::Response::new(Full::new(response.body));
    *built.status_mut() = response.status;
    *built.headers_mut() = response.headers;
    built
}
