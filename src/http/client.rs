//! One GET to a server on this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{HOST, SERVER};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, SignatureScheme, crypto};

/// What a GET brought.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// What the server calls itself.
    pub server: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Why a GET brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The URL is not `http://host:port/path`.
    #[error("`{0}` is not a plain http URL")]
    Url(String),
    /// No connection.
    #[error("can not connect")]
    Connect(#[source] std::io::Error),
    /// No TLS.
    #[error("can not agree on TLS")]
    Tls(#[source] std::io::Error),
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
pub async fn get(url: &str, within: Duration) -> Result<Answer, GetError> {
    tokio::time::timeout(within, fetch(url))
        .await
        .map_err(|_| GetError::Timeout(within))?
}

async fn fetch(url: &str) -> Result<Answer, GetError> {
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
    exchange(stream, authority, &format!("/{path}")).await
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    authority: &str,
    path: &str,
) -> Result<Answer, GetError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(GetError::Http)?;
    let request = Request::get(path)
        .header(HOST, authority)
        .body(Empty::<Bytes>::new())
        .map_err(|_| GetError::Url(format!("{authority}{path}")))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(GetError::Http)?;
        let status = response.status();
        let server = response.headers().get(SERVER);
        let server = server.and_then(|name| Some(name.to_str().ok()?.to_owned()));
        let body = Limited::new(response.into_body(), MOST_BYTES)
            .collect()
            .await;
        let body = body.map_err(|_| GetError::TooLong)?;
        Ok(Answer {
            status,
            server,
            body: body.to_bytes(),
        })
    };
    tokio::pin!(answered);
    // The connection moves the bytes; it ends when the exchange lets go of it.
    tokio::select! {
        answer = &mut answered => answer,
        ended = connection => match ended {
            Ok(()) => answered.await,
            Err(error) => Err(GetError::Http(error)),
        },
    }
}

/// Gets a page of a daemon on this machine, with TLS or without. Whose certificate it is does not matter: it is made
/// out to another name than that of the loopback, nothing secret is sent, and the answer is believed no further than
/// that of anyone who listens there.
///
/// # Errors
/// [`GetError`] when there is no whole answer in time.
pub async fn get_from_self(
    address: SocketAddr,
    path: &str,
    tls: bool,
    within: Duration,
) -> Result<Answer, GetError> {
    let authority = address.to_string();
    let fetched = async {
        let stream = TcpStream::connect(address)
            .await
            .map_err(GetError::Connect)?;
        if !tls {
            return exchange(stream, &authority, path).await;
        }
        let connector = TlsConnector::from(Arc::new(trusting()?));
        let stream = connector
            .connect(ServerName::IpAddress(address.ip().into()), stream)
            .await
            .map_err(GetError::Tls)?;
        exchange(stream, &authority, path).await
    };
    tokio::time::timeout(within, fetched)
        .await
        .map_err(|_| GetError::Timeout(within))?
}

fn trusting() -> Result<ClientConfig, GetError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| GetError::Tls(std::io::Error::other(error)))?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth())
}

/// Takes every certificate whose owner holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
