//! Posting to other programs over HTTP.

use std::fmt::{self, Debug};

use async_trait::async_trait;

use super::webhook::Secret;

/// Why something could not be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostFault {
    /// A sentence: it could not be reached, or what it answered. It names neither address nor secret.
    pub text: String,
    /// Whether the same would be refused again.
    pub is_final: bool,
}

impl fmt::Display for PostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Posts a body of JSON.
#[async_trait]
pub trait Poster: Debug + Send + Sync {
    /// Posts, within a limit of time, and returns when the other side took it. A token goes into the header
    /// `Authorization`.
    ///
    /// # Errors
    /// Why it was not taken.
    async fn post(&self, url: &str, token: Option<&Secret>, body: String) -> Result<(), PostFault>;
}
