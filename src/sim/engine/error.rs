//! Errors as AWS raises them: a code, a sentence, and whose fault it is.

/// An error answer of the simulated AWS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The shape name, for example `ValidationException`.
    pub code: &'static str,
    /// What CloudWatch's older protocols call it, where that differs from the shape.
    pub query_code: Option<&'static str>,
    /// AWS's sentence.
    pub message: String,
    /// HTTP status.
    pub status: u16,
}

impl ApiError {
    fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            query_code: None,
            message: message.into(),
            status: 400,
        }
    }

    /// Input that AWS refuses.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self::client("ValidationException", message)
    }

    /// Application Auto Scaling knows no such target, policy or action.
    #[must_use]
    pub fn object_not_found(message: impl Into<String>) -> Self {
        Self::client("ObjectNotFoundException", message)
    }

    /// Application Auto Scaling knows no resource of this ARN (tag calls).
    #[must_use]
    pub fn resource_not_found(message: impl Into<String>) -> Self {
        Self::client("ResourceNotFoundException", message)
    }

    /// A fixed limit of AWS.
    #[must_use]
    pub fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::client("LimitExceededException", message)
    }

    /// More tags than a target takes.
    #[must_use]
    pub fn too_many_tags(message: impl Into<String>) -> Self {
        Self::client("TooManyTagsException", message)
    }

    /// A page token that is not ours or not of this listing (Application Auto Scaling).
    #[must_use]
    pub fn invalid_next_token() -> Self {
        Self::client("InvalidNextTokenException", "The next token is not valid.")
    }

    /// A page token that is not ours or not of this listing (CloudWatch).
    #[must_use]
    pub fn cloudwatch_invalid_next_token() -> Self {
        Self {
            query_code: Some("InvalidNextToken"),
            ..Self::client("InvalidNextToken", "The next token specified is invalid.")
        }
    }

    /// CloudWatch's general complaint about input.
    #[must_use]
    pub fn cloudwatch_validation(message: impl Into<String>) -> Self {
        Self {
            query_code: Some("ValidationError"),
            ..Self::client("ValidationError", message)
        }
    }

    /// CloudWatch: a parameter has a value it can not have.
    #[must_use]
    pub fn invalid_parameter(message: impl Into<String>) -> Self {
        Self {
            query_code: Some("InvalidParameterValue"),
            ..Self::client("InvalidParameterValueException", message)
        }
    }

    /// CloudWatch: parameters that exclude each other.
    #[must_use]
    pub fn invalid_combination(message: impl Into<String>) -> Self {
        Self {
            query_code: Some("InvalidParameterCombination"),
            ..Self::client("InvalidParameterCombinationException", message)
        }
    }

    /// CloudWatch: a required parameter is absent.
    #[must_use]
    pub fn missing_parameter(name: &str) -> Self {
        Self {
            query_code: Some("MissingParameter"),
            ..Self::client(
                "MissingRequiredParameterException",
                format!("The parameter {name} is required."),
            )
        }
    }

    /// CloudWatch knows no such alarm.
    #[must_use]
    pub fn alarm_not_found(message: impl Into<String>) -> Self {
        Self {
            query_code: Some("ResourceNotFound"),
            status: 404,
            ..Self::client("ResourceNotFound", message)
        }
    }

    /// CloudWatch could not read a text of ours.
    #[must_use]
    pub fn invalid_format(message: impl Into<String>) -> Self {
        Self {
            query_code: Some("InvalidFormat"),
            ..Self::client("InvalidFormatFault", message)
        }
    }

    /// An account-wide limit of SageMaker.
    #[must_use]
    pub fn resource_limit_exceeded(message: impl Into<String>) -> Self {
        Self::client("ResourceLimitExceeded", message)
    }

    /// Another write to the same target is on its way (Application Auto Scaling).
    #[must_use]
    pub fn concurrent_update() -> Self {
        Self::client(
            "ConcurrentUpdateException",
            "You already have a pending update to this scalable target. Wait for it to complete before trying again.",
        )
    }

    /// An error that a client of the sandbox ordered.
    pub(crate) fn ordered(code: &'static str, status: u16, message: &str) -> Self {
        Self {
            status,
            ..Self::client(code, message)
        }
    }

    /// The operation exists in no service of this sandbox.
    #[must_use]
    pub fn unknown_operation() -> Self {
        Self {
            status: 404,
            ..Self::client("UnknownOperationException", "")
        }
    }

    /// The body could not be read as the operation's input.
    #[must_use]
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::client("SerializationException", message)
    }
}
