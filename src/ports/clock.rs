//! Time.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// The wall clock, and waiting by it.
///
/// A pass reads it once and hands the instant down; two reads that straddle a schedule's edge would let a plan
/// disagree with its own report.
#[async_trait]
pub trait Clock: Debug + Send + Sync {
    /// The time of day.
    fn now(&self) -> DateTime<Utc>;

    /// Waits until so much of this clock's time has passed.
    async fn sleep(&self, duration: Duration);
}
