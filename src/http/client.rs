//! One GET to a server on this machine.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why a GET brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The URL is not `http://host:port/path`.
    #[error("`{0}` is not a plain http URL")]
    Url(String),
    /// No connection.
    #[error("can not connect")]
    Connect(#[source] std::io::Error),
    /// The connection broke, or the server does not speak HTTP.
    #[error("no HTTP answer")]
    Http(#[source] hyper::Error),
    /// The answer is longer than anything we ask for.
    #[error("the answer is too long")]
    TooLong,
    /// The server took too long.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

/// The longest answer that is read.
const MOST_BYTES: usize = 1024 * 1024;

/// Gets a page over plain HTTP.
///
/// # Errors
/// [`GetError`] for a URL that is not plain http, and when there is no whole answer in time.
pub async fn get(url: &str, within: Duration) -> Result<(StatusCode, Bytes), GetError> {
    tokio::time::timeout(within, fetch(url))
        .await
        .map_err(|_| GetError::Timeout(within))?
}

async fn fetch(url: &str) -> Result<(StatusCode, Bytes), GetError> {
    let bad = || GetError::Url(url.to_owned());
    let rest = url.strip_prefix("http://").ok_or_else(bad)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let stream = TcpStream::connect(&address)
        .await
        .map_err(GetError::Connect)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(GetError::Http)?;
    let request = Request::get(format!("/{path}"))
        .header(HOST, authority)
        .body(Empty::<Bytes>::new())
        .map_err(|_| bad())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(GetError::Http)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST_BYTES)
            .collect()
            .await;
        let body = body.map_err(|_| GetError::TooLong)?;
        Ok((status, body.to_bytes()))
    };
    tokio::pin!(exchange);
    // The connection moves the bytes; it ends when the exchange lets go of it.
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(GetError::Http(error)),
        },
    }
}
