//! Posting to other programs over HTTP.

use std::fmt::Debug;

use async_trait::async_trait;

/// Posts a body of JSON.
#[async_trait]
pub trait Poster: Debug + Send + Sync {
    /// Posts, within a limit of time, and returns when the other side took it.
    ///
    /// # Errors
    /// A sentence: it could not be reached, or what it answered.
    async fn post(&self, url: &str, body: String) -> Result<(), String>;
}
