//! Posting over the SDKs' HTTP client: one TLS stack for everything.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use crate::ports::Poster;

/// Whoever does not answer within this is not reached.
const PATIENCE: Duration = Duration::from_secs(10);

/// The adapter.
#[derive(Debug)]
pub struct HttpPoster {
    connector: Connector,
}

impl HttpPoster {
    /// A poster with connections of its own.
    #[must_use]
    pub fn new() -> Self {
        let connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        Self { connector }
    }
}

impl Default for HttpPoster {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Poster for HttpPoster {
    async fn post(&self, url: &str, body: String) -> Result<(), String> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_uri(url).map_err(|error| error.to_string())?;
        request
            .set_method("POST")
            .map_err(|error| error.to_string())?;
        request
            .headers_mut()
            .insert("content-type", "application/json");
        let answered = tokio::time::timeout(PATIENCE, self.connector.call(request)).await;
        let answer = answered
            .map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?
            .map_err(|error| chain(&error))?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            Ok(())
        } else {
            Err(format!("it answered {status}"))
        }
    }
}

/// An error with what is behind it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
