//! Why AWS could not scale, read from its sentence.

use super::super::activity::Activity;

/// A reason that AWS gives, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A quota of the account; the numbers are AWS's, in the order of its sentence.
    Quota {
        /// What is limited, for example `ml.g5.2xlarge for endpoint usage`.
        what: String,
        /// The limit.
        limit: Option<u64>,
        /// What is used already.
        used: Option<u64>,
        /// What was asked for on top.
        asked: Option<u64>,
    },
    /// AWS has no machines of the type.
    NoCapacity,
    /// The endpoint was busy.
    Busy,
    /// Anything else.
    Other,
}

/// Reads the status message of a failed activity (aws-autoscaling.md 5.6).
#[must_use]
pub fn refusal_of(activity: &Activity) -> Refusal {
    let message = activity.status_message.as_deref().unwrap_or_default();
    let lower = message.to_lowercase();
    if lower.contains("service limit")
        || lower.contains("resourcelimitexceeded")
        || lower.contains("quota")
    {
        return Refusal::Quota {
            what: quoted(message).unwrap_or_else(|| "an account-level limit".to_owned()),
            limit: number_after(&lower, "' is "),
            used: number_after(&lower, "current utilization of "),
            asked: number_after(&lower, "request delta of "),
        };
    }
    if lower.contains("insufficient") && lower.contains("capacity")
        || lower.contains("unable to provision requested ml compute capacity")
    {
        return Refusal::NoCapacity;
    }
    if lower.contains("not scalable") || lower.contains("in status") {
        return Refusal::Busy;
    }
    Refusal::Other
}

impl Refusal {
    /// The reason in plain words; `None` where only AWS's own sentence says it.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Quota {
                what,
                limit,
                used,
                asked,
            } => {
                let say = |n: &Option<u64>, before: &str, after: &str| {
                    n.map(|n| format!("{before}{n}{after}"))
                };
                let numbers: Vec<String> = [
                    say(limit, "limit ", ""),
                    say(used, "in use ", ""),
                    say(asked, "", " more asked for"),
                ]
                .into_iter()
                .flatten()
                .collect();
                let numbers = match numbers.join(", ") {
                    none if none.is_empty() => none,
                    numbers => format!(" ({numbers})"),
                };
                Some(format!(
                    "a quota of the account: {what}{numbers}; ask AWS to raise it"
                ))
            }
            Self::NoCapacity => Some(
                "AWS has no machines of this type just now: try another type or instance pools"
                    .to_owned(),
            ),
            Self::Busy => Some("the endpoint was being changed at that moment".to_owned()),
            Self::Other => None,
        }
    }
}

fn quoted(text: &str) -> Option<String> {
    let mut parts = text.split('\'');
    let quoted = parts.nth(1)?;
    parts.next().map(|_| quoted.to_owned())
}

fn number_after(text: &str, words: &str) -> Option<u64> {
    let (_, rest) = text.split_once(words)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
