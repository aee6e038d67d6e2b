//! Names as types: a string that has passed its rule once is never checked again.

use std::fmt;
use std::str::FromStr;

/// A name that breaks the rule of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a valid {kind}: {rule}")]
pub struct NameError {
    /// What the name was meant to name, in the field's own word.
    pub kind: &'static str,
    /// The rejected text.
    pub value: String,
    /// The rule it breaks, in words.
    pub rule: &'static str,
}

/// SageMaker's rule for endpoint, variant and component names:
/// `[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}`, service model 2017-07-24.
fn is_sagemaker_name(s: &str) -> bool {
    (1..=63).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !s.starts_with('-')
        && !s.ends_with('-')
}

const SAGEMAKER_RULE: &str = "1 to 63 letters, digits and hyphens, no hyphen at either end";

/// Application Auto Scaling's rule for policy names: 1 to 256 printable characters, service model 2016-02-06.
fn is_policy_name(s: &str) -> bool {
    (1..=256).contains(&s.chars().count()) && !s.chars().any(char::is_control)
}

/// Our own names (scopes, profiles) become labels and parts of messages, so they stay plain.
fn is_plain_name(s: &str) -> bool {
    (1..=63).contains(&s.len())
        && s.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

const PLAIN_RULE: &str = "1 to 63 letters, digits, hyphens, underscores and dots";

/// Application Auto Scaling's rule for names of scheduled actions (aws-autoscaling.md 1.3).
fn is_schedule_name(s: &str) -> bool {
    (1..=256).contains(&s.chars().count())
        && !s.chars().any(char::is_control)
        && !s.contains([':', '/', '|'])
        && s.trim() == s
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(s: &str) -> Result<Self, NameError> {
                if $check(s) {
                    Ok(Self(s.to_owned()))
                } else {
                    Err(NameError { kind: $kind, value: s.to_owned(), rule: $rule })
                }
            }
        }
    };
}

name!(
    /// Name of a schedule, unique on its target.
    ScheduleName,
    "schedule name",
    is_schedule_name,
    "1 to 256 characters without `:`, `/` and `|`, and no space at either end"
);

name!(
    /// Name of a SageMaker endpoint. Case sensitive, unique per account and region.
    EndpointName, "endpoint name", is_sagemaker_name, SAGEMAKER_RULE
);
name!(
    /// Name of a production variant. Case sensitive, unique per endpoint.
    VariantName, "variant name", is_sagemaker_name, SAGEMAKER_RULE
);
name!(
    /// Name of an inference component. Case sensitive, unique per account and region.
    ComponentName, "inference component name", is_sagemaker_name, SAGEMAKER_RULE
);
name!(
    /// Name of a scaling policy, unique per target. It can not be changed once the policy exists.
    PolicyName, "policy name", is_policy_name, "1 to 256 printable characters"
);
name!(
    /// Name of a scope: one AWS account and region. Ours; it becomes a metric label.
    ScopeName, "scope name", is_plain_name, PLAIN_RULE
);
name!(
    /// Whose policies and alarms are whose: the beginning of the names of what evenkeel makes.
    OwnerName, "owner", is_plain_name, PLAIN_RULE
);
name!(
    /// Name of a profile in the config: bounds and policies that several targets share.
    ProfileName, "profile name", is_plain_name, PLAIN_RULE
);

impl ScopeName {
    /// A scope that needs no name, as there is no other.
    #[must_use]
    pub fn any() -> Self {
        Self("default".to_owned())
    }
}

/// What the owner is called unless the config says otherwise.
impl Default for OwnerName {
    fn default() -> Self {
        Self("evenkeel".to_owned())
    }
}

/// Whether a text looks like a region, `us-west-2`.
#[must_use]
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let plain = |part: &&str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        !part.is_empty() && part.chars().all(fits)
    };
    let ends_in_number = |part: &&str| part.chars().all(|c| c.is_ascii_digit());
    parts.len() >= 3 && parts.iter().all(plain) && parts.last().is_some_and(ends_in_number)
}

/// Whether a text looks like the ARN of a role.
#[must_use]
pub fn is_role(text: &str) -> bool {
    text.starts_with("arn:") && text.contains(":iam::") && text.contains(":role/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sagemaker_names_follow_the_service_model() {
        for good in ["a", "AllTraffic", "variant-name-1", "a--b", &"x".repeat(63)] {
            assert!(good.parse::<EndpointName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a_b", "a/b", "ü", &"x".repeat(64)] {
            assert!(bad.parse::<EndpointName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn policy_names_may_hold_slashes_and_spaces_but_no_control_characters() {
        assert!("a/b: c".parse::<PolicyName>().is_ok());
        assert!("a\nb".parse::<PolicyName>().is_err());
        assert!("".parse::<PolicyName>().is_err());
    }
}
