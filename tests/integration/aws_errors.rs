//! What the adapters make of AWS's errors: kinds, retries, timeouts, counts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use evenkeel::aws::{ScopeOptions, connect};
use evenkeel::domain::{Bounds, Capacity, TargetId};
use evenkeel::http::Response;
use evenkeel::ports::{ErrorKind, RequestLog, ScopePorts};
use hyper::StatusCode;

use crate::server::{Scripted, Server};

/// Outcomes of requests in order.
#[derive(Debug, Default)]
struct Outcomes(Mutex<Vec<(String, &'static str)>>);

impl RequestLog for Outcomes {
    fn request(&self, _service: &'static str, operation: &str, outcome: &'static str) {
        self.0.lock().unwrap().push((operation.to_owned(), outcome));
    }

    fn metrics(&self, _billed: usize) {}
}

impl Outcomes {
    fn outcomes(&self) -> Vec<&'static str> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(_, outcome)| *outcome)
            .collect()
    }
}

async fn ports(url: String, outcomes: &Arc<Outcomes>, call_timeout: Duration) -> ScopePorts {
    let options = ScopeOptions {
        region: Some("us-east-1".to_owned()),
        assume_role: None,
        endpoint_url: Some(url),
        call_timeout,
    };
    let log: Arc<dyn RequestLog> = outcomes.clone();
    connect(&options, &log).await.unwrap()
}

fn aws_error(status: u16, code: &str) -> Response {
    let body = format!(r#"{{"__type":"{code}","Message":"said by a script"}}"#);
    Response::new(
        StatusCode::from_u16(status).unwrap(),
        "application/x-amz-json-1.1",
        body,
    )
}

async fn register(ports: &ScopePorts) -> Result<(), evenkeel::ports::ApiError> {
    let id: TargetId = "endpoint/chat/variant/AllTraffic".parse().unwrap();
    let one = Capacity::new(1).unwrap();
    ports
        .scaling
        .register(&id, Bounds::new(one, one).unwrap(), None, None)
        .await
}

#[tokio::test]
async fn kinds_follow_from_codes_and_only_what_may_pass_is_retried() {
    for (status, code, kind, attempts) in [
        (400, "LimitExceededException", ErrorKind::LimitExceeded, 1),
        (400, "ValidationException", ErrorKind::Invalid, 1),
        (400, "ConcurrentUpdateException", ErrorKind::Conflict, 1),
        (400, "AccessDeniedException", ErrorKind::Denied, 1),
        (403, "UnrecognizedClientException", ErrorKind::Denied, 1),
        (400, "ThrottlingException", ErrorKind::Throttled, 3),
        (500, "InternalServiceException", ErrorKind::Transient, 3),
        (503, "ServiceUnavailable", ErrorKind::Transient, 3),
    ] {
        let script = Scripted::new(move |_| Some(aws_error(status, code)));
        let server = Server::start(script.clone()).await;
        let outcomes = Arc::new(Outcomes::default());
        let ports = ports(server.url(), &outcomes, Duration::from_secs(20)).await;
        let error = register(&ports).await.unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (kind, "said by a script"),
            "{code}"
        );
        assert_eq!(script.seen.lock().unwrap().len(), attempts, "{code}");
        assert_eq!(outcomes.outcomes(), vec![kind.label(); attempts], "{code}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_on_in_time() {
    let server = Server::start(Scripted::new(|_| None)).await;
    let outcomes = Arc::new(Outcomes::default());
    let ports = ports(server.url(), &outcomes, Duration::from_secs(1)).await;
    let started = tokio::time::Instant::now();
    let error = register(&ports).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let outcomes = Arc::new(Outcomes::default());
    let ports = ports(format!("http://{free}"), &outcomes, Duration::from_secs(10)).await;
    let error = register(&ports).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.message.contains("refused"), "{}", error.message);
}

#[tokio::test]
async fn half_a_listing_is_kept_with_the_reason_why_it_ends() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let script = Scripted::new(move |_| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            let page = r#"{"ScalableTargets":[{"ServiceNamespace":"sagemaker","ResourceId":"endpoint/a/variant/v",
                "ScalableDimension":"sagemaker:variant:DesiredInstanceCount","MinCapacity":1,"MaxCapacity":2,
                "RoleARN":"arn","CreationTime":1.0}],"NextToken":"more"}"#;
            return Some(Response::new(
                StatusCode::OK,
                "application/x-amz-json-1.1",
                page,
            ));
        }
        Some(aws_error(400, "AccessDeniedException"))
    });
    let server = Server::start(script).await;
    let outcomes = Arc::new(Outcomes::default());
    let ports = ports(server.url(), &outcomes, Duration::from_secs(10)).await;
    let listing = ports.scaling.targets().await;
    assert_eq!(listing.items.len(), 1);
    assert_eq!(listing.gap.unwrap().kind, ErrorKind::Denied);
}

#[tokio::test]
async fn a_page_token_that_repeats_ends_the_listing_instead_of_turning_for_ever() {
    let page = r#"{"ScalableTargets":[],"NextToken":"again"}"#;
    let script = Scripted::new(move |_| {
        Some(Response::new(
            StatusCode::OK,
            "application/x-amz-json-1.1",
            page,
        ))
    });
    let server = Server::start(script.clone()).await;
    let outcomes = Arc::new(Outcomes::default());
    let ports = ports(server.url(), &outcomes, Duration::from_secs(10)).await;
    assert!(ports.scaling.targets().await.gap.is_some());
    assert!(script.seen.lock().unwrap().len() <= 3);
}
