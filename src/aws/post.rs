//! Posting over the SDKs' HTTP client: one TLS stack for everything.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use crate::ports::{PostFault, Poster, Secret};

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
    async fn post(&self, url: &str, token: Option<&Secret>, body: String) -> Result<(), PostFault> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_uri(url).map_err(unusable)?;
        request.set_method("POST").map_err(unusable)?;
        request
            .headers_mut()
            .insert("content-type", "application/json");
        if let Some(token) = token {
            let value = format!("Bearer {}", token.reveal());
            let headers = request.headers_mut();
            headers
                .try_insert("authorization", value)
                .map_err(unusable)?;
        }
        let answered = tokio::time::timeout(PATIENCE, self.connector.call(request)).await;
        let answer = answered
            .map_err(|_| passing(format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(|error| passing(chain(&error)))?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            Ok(())
        } else {
            Err(PostFault {
                text: format!("it answered {status}"),
                // Too many, too slow, or its own fault: later it may be taken.
                is_final: (400..500).contains(&status) && !matches!(status, 408 | 425 | 429),
            })
        }
    }
}

fn passing(text: String) -> PostFault {
    PostFault {
        text,
        is_final: false,
    }
}

/// What can not even be sent. The error may name what is to stay secret.
fn unusable<E>(_: E) -> PostFault {
    passing("its address or token has characters that do not belong there".to_owned())
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
