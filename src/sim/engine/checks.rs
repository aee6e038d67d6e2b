//! The constraint checks that AWS's front end makes before an operation runs, in its wording.
//!
//! All complaints of a request come in one message, as AWS gives them:
//! `2 validation errors detected: Value '' at 'policyName' failed to satisfy constraint: …; Value …`.

use std::fmt::Display;

use super::error::ApiError;

/// Collects complaints about one request.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    complaints: Vec<String>,
}

impl Checks {
    fn complain(&mut self, value: &str, member: &str, constraint: &str) {
        self.complaints.push(format!(
            "Value {value} at '{member}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    /// The member must be there.
    pub(crate) fn required<T>(&mut self, member: &str, value: Option<&T>) -> &mut Self {
        if value.is_none() {
            self.complain("null", member, "not be null");
        }
        self
    }

    /// A text must have between `min` and `max` characters, if it is there.
    pub(crate) fn length(
        &mut self,
        member: &str,
        value: Option<&String>,
        min: usize,
        max: usize,
    ) -> &mut Self {
        let Some(text) = value else { return self };
        let length = text.chars().count();
        let quoted = format!("'{text}'");
        if length < min {
            let rule = format!("have length greater than or equal to {min}");
            self.complain(&quoted, member, &rule);
        }
        if length > max {
            let rule = format!("have length less than or equal to {max}");
            self.complain(&quoted, member, &rule);
        }
        self
    }

    /// A list must have at most `max` entries, if it is there.
    pub(crate) fn entries<T>(
        &mut self,
        member: &str,
        value: Option<&Vec<T>>,
        min: usize,
        max: usize,
    ) -> &mut Self {
        let Some(list) = value else { return self };
        if list.len() < min {
            let rule = format!("have length greater than or equal to {min}");
            self.complain("'[]'", member, &rule);
        }
        if list.len() > max {
            let rule = format!("have length less than or equal to {max}");
            self.complain("'[...]'", member, &rule);
        }
        self
    }

    /// A number must lie between `min` and `max`, if it is there.
    pub(crate) fn range<T: PartialOrd + Display + Copy>(
        &mut self,
        member: &str,
        value: Option<T>,
        min: T,
        max: T,
    ) -> &mut Self {
        let Some(number) = value else { return self };
        if number < min {
            let rule = format!("have value greater than or equal to {min}");
            self.complain(&format!("'{number}'"), member, &rule);
        }
        if number > max {
            let rule = format!("have value less than or equal to {max}");
            self.complain(&format!("'{number}'"), member, &rule);
        }
        self
    }

    /// A word must be one of a set, if it is there.
    pub(crate) fn one_of(
        &mut self,
        member: &str,
        value: Option<&String>,
        set: &[&str],
    ) -> &mut Self {
        let Some(word) = value else { return self };
        if !set.contains(&word.as_str()) {
            let rule = format!("satisfy enum value set: [{}]", set.join(", "));
            self.complain(&format!("'{word}'"), member, &rule);
        }
        self
    }

    /// A text must match a pattern, which `matches` decides, if it is there.
    pub(crate) fn pattern(
        &mut self,
        member: &str,
        value: Option<&String>,
        pattern: &str,
        matches: fn(&str) -> bool,
    ) -> &mut Self {
        let Some(text) = value else { return self };
        if !matches(text) {
            let rule = format!("satisfy regular expression pattern: {pattern}");
            self.complain(&format!("'{text}'"), member, &rule);
        }
        self
    }

    /// SageMaker's rule for names of endpoints, variants and configs.
    pub(crate) fn sagemaker_name(&mut self, member: &str, value: Option<&String>) -> &mut Self {
        self.length(member, value, 0, 63)
            .pattern(member, value, SAGEMAKER_NAME, |name| {
                !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                    && !name.starts_with('-')
                    && !name.ends_with('-')
            })
    }

    /// The complaints as one sentence, if there are any.
    fn sentence(&self) -> Option<String> {
        let count = self.complaints.len();
        let plural = if count == 1 { "error" } else { "errors" };
        (count > 0).then(|| {
            format!(
                "{count} validation {plural} detected: {}",
                self.complaints.join("; ")
            )
        })
    }

    /// Ends the checks of Application Auto Scaling and SageMaker.
    pub(crate) fn finish(&self) -> Result<(), ApiError> {
        self.sentence()
            .map_or(Ok(()), |text| Err(ApiError::validation(text)))
    }

    /// Ends the checks of CloudWatch, which uses another code.
    pub(crate) fn finish_cloudwatch(&self) -> Result<(), ApiError> {
        self.sentence()
            .map_or(Ok(()), |text| Err(ApiError::cloudwatch_validation(text)))
    }
}

const SAGEMAKER_NAME: &str = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_complaints_come_in_one_sentence() {
        let mut checks = Checks::default();
        checks
            .required::<String>("serviceNamespace", None)
            .range("maxResults", Some(0), 1, 50);
        assert_eq!(
            checks.finish().unwrap_err().message,
            "2 validation errors detected: Value null at 'serviceNamespace' failed to satisfy constraint: \
             Member must not be null; Value '0' at 'maxResults' failed to satisfy constraint: Member must \
             have value greater than or equal to 1"
        );
    }

    #[test]
    fn no_complaint_is_no_error() {
        let mut checks = Checks::default();
        checks.length("policyName", Some(&"x".to_owned()), 1, 256);
        assert!(checks.finish().is_ok());
    }
}
