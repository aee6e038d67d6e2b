//! Calls spread over time, to stay below rates that AWS shares among all users of an account.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Lets one call through per gap. Callers wait in the order in which they came.
#[derive(Debug)]
pub(super) struct Pacer {
    gap: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pacer {
    /// A pacer for so many calls a second; the rest of AWS's rate is for others.
    pub(super) fn per_second(calls: f64) -> Self {
        Self::every(Duration::from_secs_f64(1.0 / calls.max(0.001)))
    }

    /// A pacer that holds nobody up.
    pub(super) fn free() -> Self {
        Self::every(Duration::ZERO)
    }

    fn every(gap: Duration) -> Self {
        Self {
            gap,
            next: Mutex::new(None),
        }
    }

    /// Waits for this call's turn.
    pub(super) async fn turn(&self) {
        if self.gap.is_zero() {
            return;
        }
        let mut next = self.next.lock().await;
        let now = Instant::now();
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.gap);
        drop(next);
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_are_spread_and_a_pause_is_not_made_up_for() {
        let pacer = Pacer::per_second(4.0);
        let started = Instant::now();
        for _ in 0..9 {
            pacer.turn().await;
        }
        assert_eq!(started.elapsed(), Duration::from_secs(2));
        tokio::time::sleep(Duration::from_mins(1)).await;
        let later = Instant::now();
        pacer.turn().await;
        pacer.turn().await;
        assert_eq!(later.elapsed(), Duration::from_millis(250));
        let free = Pacer::free();
        free.turn().await;
        assert_eq!(later.elapsed(), Duration::from_millis(250));
    }
}
