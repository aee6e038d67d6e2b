//! Every request counted, and a quota told from throttling.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    FinalizerInterceptorContextRef, InterceptorContext,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::ports::{ErrorKind, RequestLog};

/// Tells the log of every attempt: what leaves the machine is what AWS counts and bills.
pub(super) struct RequestCounter {
    service: &'static str,
    log: Arc<dyn RequestLog>,
}

impl RequestCounter {
    pub(super) fn new(service: &'static str, log: Arc<dyn RequestLog>) -> Self {
        Self { service, log }
    }
}

impl fmt::Debug for RequestCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestCounter")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for RequestCounter {
    fn name(&self) -> &'static str {
        "RequestCounter"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = bag.load::<Metadata>().map_or("unknown", Metadata::name);
        let outcome = match context.response() {
            Some(response) if response.status().is_success() => "ok",
            Some(response) => error_kind(response).label(),
            None => match context.output_or_error() {
                Some(Err(error)) if error.is_timeout_error() => ErrorKind::Timeout.label(),
                _ => ErrorKind::Unreachable.label(),
            },
        };
        tracing::trace!(aws.operation = operation, outcome, "{operation}: {outcome}");
        self.log.request(self.service, operation, outcome);
        Ok(())
    }
}

/// Stops the SDK from retrying what it takes for throttling and is a fixed quota (aws-autoscaling.md 1.9).
#[derive(Debug)]
pub(super) struct QuotaIsNotThrottling;

impl ClassifyRetry for QuotaIsNotThrottling {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(error_kind) {
            Some(ErrorKind::LimitExceeded) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "QuotaIsNotThrottling"
    }
}

/// The kind of an error response, before the SDK has made a typed error of it.
fn error_kind(response: &HttpResponse) -> ErrorKind {
    let status = response.status();
    if status.is_success() {
        return ErrorKind::Unknown;
    }
    let code = error_code(response).unwrap_or_default();
    match ErrorKind::of_code(&code) {
        ErrorKind::Unknown if status.is_server_error() => ErrorKind::Transient,
        ErrorKind::Unknown if matches!(status.as_u16(), 401 | 403) => ErrorKind::Denied,
        kind => kind,
    }
}

/// The error code: in a header for CloudWatch, in the body for the JSON protocols.
fn error_code(response: &HttpResponse) -> Option<String> {
    let headers = response.headers();
    if let Some(value) = headers
        .get("x-amzn-query-error")
        .or(headers.get("x-amzn-errortype"))
    {
        return Some(bare(value).to_owned());
    }
    let body: serde_json::Value = serde_json::from_slice(response.body().bytes()?).ok()?;
    body.get("__type")?
        .as_str()
        .map(|code| bare(code).to_owned())
}

/// The code without the namespace before it and the address or fault after it.
fn bare(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or(code);
    code.split([':', ';']).next().unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_stripped_of_their_surroundings() {
        for code in [
            "ThrottlingException",
            "com.amazonaws.autoscaling#ThrottlingException",
            "ThrottlingException:http://internal.amazon.com/",
            "ThrottlingException;Sender",
        ] {
            assert_eq!(bare(code), "ThrottlingException");
        }
    }
}
