//! From the SDKs' errors to our kinds.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::ports::{ApiError, ErrorKind};

/// Reduces an SDK error. `operation` is what we were doing.
pub(super) fn classify<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> ApiError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let (kind, message) = match error {
        SdkError::TimeoutError(_) => (ErrorKind::Timeout, "no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) => {
            let kind = if lacks_credentials(error) {
                ErrorKind::Denied
            } else if failure.is_timeout() {
                ErrorKind::Timeout
            } else {
                ErrorKind::Unreachable
            };
            (kind, chain(error))
        }
        SdkError::ConstructionFailure(_) => {
            let denied = lacks_credentials(error);
            (
                if denied {
                    ErrorKind::Denied
                } else {
                    ErrorKind::Unknown
                },
                chain(error),
            )
        }
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            let message = service.err().message().unwrap_or(code).to_owned();
            (
                kind_of(code, &message, service.raw().status().as_u16()),
                message,
            )
        }
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            let kind = if status >= 500 {
                ErrorKind::Transient
            } else {
                ErrorKind::Unknown
            };
            (
                kind,
                format!("an answer with status {status} that can not be read"),
            )
        }
        _ => (ErrorKind::Unknown, chain(error)),
    };
    let request_id = match error {
        SdkError::ServiceError(service) => service
            .err()
            .meta()
            .extra("aws_request_id")
            .map(str::to_owned),
        _ => None,
    };
    ApiError {
        operation,
        kind,
        message,
        request_id,
    }
}

fn kind_of(code: &str, message: &str, status: u16) -> ErrorKind {
    match ErrorKind::of_code(code) {
        // SageMaker's way of saying not found, which its model does not list (aws-autoscaling.md 5.1).
        ErrorKind::Invalid if message.starts_with("Could not find") => ErrorKind::NotFound,
        ErrorKind::Unknown if status >= 500 => ErrorKind::Transient,
        ErrorKind::Unknown if matches!(status, 401 | 403) => ErrorKind::Denied,
        ErrorKind::Unknown if status == 429 => ErrorKind::Throttled,
        kind => kind,
    }
}

/// An error that says what we asked of AWS and what came back that we can not use.
pub(super) fn unreadable(operation: &'static str, what: &str) -> ApiError {
    ApiError {
        operation,
        kind: ErrorKind::Unknown,
        message: format!("the answer {what}"),
        request_id: None,
    }
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|source| source.downcast_ref::<CredentialsError>().is_some())
}

fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The whole chain in one line; the SDK's own top line only says that something went wrong.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for source in sources(error).skip(1) {
        let text = source.to_string();
        if parts.last().is_none_or(|last| !last.ends_with(&text)) {
            parts.push(text);
        }
    }
    if parts.is_empty() {
        error.to_string()
    } else {
        parts.join(": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_from_code_message_and_status() {
        let cases = [
            (
                ("ThrottlingException", "Rate exceeded", 400),
                ErrorKind::Throttled,
            ),
            (
                ("LimitExceededException", "You have reached", 400),
                ErrorKind::LimitExceeded,
            ),
            (("ConcurrentUpdateException", "", 400), ErrorKind::Conflict),
            (
                (
                    "ValidationException",
                    "Could not find endpoint \"arn\".",
                    400,
                ),
                ErrorKind::NotFound,
            ),
            (
                ("ValidationException", "1 validation error detected", 400),
                ErrorKind::Invalid,
            ),
            (
                ("AccessDeniedException", "User is not authorized", 400),
                ErrorKind::Denied,
            ),
            (("SomethingNew", "", 503), ErrorKind::Transient),
            (("SomethingNew", "", 403), ErrorKind::Denied),
            (("SomethingNew", "", 418), ErrorKind::Unknown),
        ];
        for ((code, message, status), kind) in cases {
            assert_eq!(kind_of(code, message, status), kind, "{code} {status}");
        }
    }
}
