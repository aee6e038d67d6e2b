//! Answers ordered in advance: errors that AWS gives now and then, on demand.

use super::error::ApiError;
use super::scaling::TargetKey;
use super::time::Instant;
use super::world::World;

/// Errors that the next calls of an operation get instead of being run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The operation, for example `PutScalingPolicy`.
    pub operation: String,
    /// The error's code, for example `ThrottlingException`; [`World::add_fault`] knows which there are.
    pub code: String,
    /// How many calls.
    pub times: u32,
}

/// Codes that can be ordered, with HTTP status and a message (aws-autoscaling.md 1.1, 1.2).
const CODES: [(&str, u16, &str); 16] = [
    ("ThrottlingException", 400, "Rate exceeded"),
    ("Throttling", 400, "Rate exceeded"),
    (
        "TooManyRequestsException",
        429,
        "Too many requests, please wait before trying again.",
    ),
    (
        "InternalServiceException",
        500,
        "The service encountered an internal error. Please try again later.",
    ),
    (
        "InternalServiceFault",
        500,
        "The service encountered an internal error. Please try again later.",
    ),
    (
        "InternalFailure",
        500,
        "The request processing has failed because of an unknown error, exception or failure.",
    ),
    (
        "ServiceUnavailable",
        503,
        "The request has failed due to a temporary failure of the server.",
    ),
    (
        "ConcurrentUpdateException",
        400,
        "You already have a pending update to this scalable target. Wait for it to complete before trying again.",
    ),
    (
        "AccessDeniedException",
        403,
        "User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform this operation",
    ),
    (
        "UnrecognizedClientException",
        403,
        "The security token included in the request is invalid.",
    ),
    (
        "ExpiredTokenException",
        403,
        "The security token included in the request is expired",
    ),
    ("ValidationException", 400, "The request is not valid."),
    (
        "LimitExceededException",
        400,
        "You have reached the limit of this resource.",
    ),
    (
        "ObjectNotFoundException",
        400,
        "No scalable target found for the request.",
    ),
    (
        "FailedResourceAccessException",
        400,
        "Failed access to resources caused an exception.",
    ),
    (
        "ResourceLimitExceeded",
        400,
        "The account-level service limit is reached.",
    ),
];

impl World {
    /// Orders errors for the next calls of an operation; orders for one operation are served in turn.
    ///
    /// # Errors
    /// `ValidationException` when the code is none that AWS has.
    pub fn add_fault(&mut self, fault: Fault) -> Result<(), ApiError> {
        if CODES.iter().all(|(code, ..)| *code != fault.code) {
            let known: Vec<&str> = CODES.iter().map(|(code, ..)| *code).collect();
            return Err(ApiError::validation(format!(
                "`{}` is no error that can be ordered; there are {}",
                fault.code,
                known.join(", ")
            )));
        }
        if fault.times > 0 {
            self.faults.push(fault);
        }
        Ok(())
    }

    /// The error that a call of `operation` gets instead of being run, if one was ordered. Each call uses one up.
    pub fn take_fault(&mut self, operation: &str) -> Option<ApiError> {
        let at = self.faults.iter().position(|f| f.operation == operation)?;
        let fault = self.faults.get_mut(at)?;
        fault.times = fault.times.saturating_sub(1);
        let (code, status, message) = CODES.iter().find(|(code, ..)| *code == fault.code)?;
        if fault.times == 0 {
            self.faults.remove(at);
        }
        Some(ApiError::ordered(code, *status, message))
    }

    /// Notes a write to a target, which another one may not follow too soon.
    ///
    /// # Errors
    /// `ConcurrentUpdateException` within the window of the option.
    pub(crate) fn claim_write(&mut self, key: TargetKey) -> Result<(), ApiError> {
        let window = self.options.concurrent_update_window;
        if window <= super::time::Span::ZERO {
            return Ok(());
        }
        let now: Instant = self.now;
        let written = self.scaling.written.get(&key);
        if written.is_some_and(|at| now - *at < window) {
            return Err(ApiError::concurrent_update());
        }
        self.scaling.written.insert(key, now);
        Ok(())
    }
}
