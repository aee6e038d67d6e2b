//! Receivers of alerts that are told once, and what they are told with.

use std::fmt;

use crate::domain::{Grouping, Urgency};

/// Something that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for whom it is meant.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// In what form a receiver takes messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Our own JSON.
    Generic,
    /// Slack's incoming webhooks.
    Slack,
    /// PagerDuty's Events API v2.
    PagerDuty {
        /// The integration's key.
        routing_key: Secret,
    },
}

/// A receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// What it is called in metrics and logs.
    pub name: String,
    /// In what form it takes messages.
    pub form: Form,
    /// Where it listens. Whoever knows Slack's may post there.
    pub url: Secret,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// What makes one message.
    pub grouping: Grouping,
    /// It is not told of anything less urgent.
    pub least: Urgency,
}
