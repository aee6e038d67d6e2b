//! Errors of remote calls, reduced to the kinds that decisions are made on.

use std::fmt;

/// What kind of failure a remote call met. Policy (skip, retry, alert) matches on this, never on message text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// Too many requests; backing off helps.
    Throttled,
    /// The thing does not exist.
    NotFound,
    /// Another write to the same thing is in flight; a retry soon helps.
    Conflict,
    /// A fixed limit of AWS, not throttling; a retry does not help.
    LimitExceeded,
    /// Credentials are missing, expired or not allowed to do this.
    Denied,
    /// AWS refuses the input, or the endpoint is not ready for it.
    Invalid,
    /// AWS failed; a retry later helps.
    Transient,
    /// No answer in time.
    Timeout,
    /// No connection.
    Unreachable,
    /// Anything else, among it answers that we can not read.
    Unknown,
}

impl ErrorKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Throttled,
        Self::NotFound,
        Self::Conflict,
        Self::LimitExceeded,
        Self::Denied,
        Self::Invalid,
        Self::Transient,
        Self::Timeout,
        Self::Unreachable,
        Self::Unknown,
    ];

    /// The kind as a stable label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::LimitExceeded => "limit_exceeded",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Transient => "transient",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }

    /// The kind that an AWS error code stands for, whatever service raised it (aws-autoscaling.md 1.9).
    #[must_use]
    pub fn of_code(code: &str) -> Self {
        match code {
            "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "SlowDown"
            | "RequestThrottled" => Self::Throttled,
            "ObjectNotFoundException" | "ResourceNotFoundException" | "ResourceNotFound" => {
                Self::NotFound
            }
            "ConcurrentUpdateException" => Self::Conflict,
            // A real quota, although the SDK's own classifier counts it as throttling.
            "LimitExceededException"
            | "LimitExceeded"
            | "LimitExceededFault"
            | "ResourceLimitExceeded"
            | "TooManyTagsException" => Self::LimitExceeded,
            "AccessDeniedException"
            | "AccessDenied"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "UnrecognizedClientException"
            | "IncompleteSignature"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "MissingAuthenticationToken"
            | "OptInRequired"
            | "FailedResourceAccessException" => Self::Denied,
            "ValidationException"
            | "ValidationError"
            | "InvalidParameterValue"
            | "InvalidParameterCombination"
            | "MissingParameter"
            | "InvalidNextTokenException"
            | "InvalidNextToken"
            | "SerializationException"
            | "InvalidParameterValueException"
            | "InvalidParameterCombinationException"
            | "MissingRequiredParameterException" => Self::Invalid,
            "InternalServiceException"
            | "InternalFailure"
            | "InternalServiceError"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "InternalServerError" => Self::Transient,
            _ => Self::Unknown,
        }
    }
}

/// A remote call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The operation, for example `PutScalingPolicy`.
    pub operation: &'static str,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// AWS's sentence, or ours when there was no answer.
    pub message: String,
    /// AWS's id of the request, for its support.
    pub request_id: Option<String>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} failed ({}): {}",
            self.operation,
            self.kind.label(),
            self.message
        )?;
        match &self.request_id {
            Some(id) => write!(f, " [request {id}]"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

/// The outcome of a deletion: what is not there need not be deleted.
///
/// # Errors
/// Every error but that it was not found.
pub fn absent_is_deleted(result: Result<(), ApiError>) -> Result<(), ApiError> {
    match result {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_not_throttling_and_a_conflict_is_neither() {
        assert_eq!(
            ErrorKind::of_code("LimitExceededException"),
            ErrorKind::LimitExceeded
        );
        assert_eq!(
            ErrorKind::of_code("ThrottlingException"),
            ErrorKind::Throttled
        );
        assert_eq!(
            ErrorKind::of_code("ConcurrentUpdateException"),
            ErrorKind::Conflict
        );
        assert_eq!(ErrorKind::of_code("SomethingNew"), ErrorKind::Unknown);
    }
}
