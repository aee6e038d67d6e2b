//! The real clock, and one that a test turns.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::ports::Clock;

/// The machine's clock. The only place that reads it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one real clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A wall clock that follows tokio's timer: under a paused runtime both move together, and a day passes as soon as
/// everyone waits for it.
#[derive(Debug, Clone, Copy)]
pub struct VirtualClock {
    epoch: DateTime<Utc>,
    started: Instant,
}

impl VirtualClock {
    /// A clock that reads `epoch` now. Needs a tokio runtime.
    #[must_use]
    pub fn starting_at(epoch: DateTime<Utc>) -> Self {
        Self {
            epoch,
            started: Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        let since = TimeDelta::from_std(self.started.elapsed()).unwrap_or(TimeDelta::MAX);
        self.epoch
            .checked_add_signed(since)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
