//! The sandbox's clock: starts at the real time and runs by a factor.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::ports::Clock;

/// A clock that runs `speed` times as fast as another one, and can be turned forward.
///
/// At speed 1 it is the other clock. At speed 0 it stands still and moves only when turned.
#[derive(Debug)]
pub struct SandboxClock {
    real: Arc<dyn Clock>,
    /// What the real clock read when this one read `started`.
    real_started: DateTime<Utc>,
    started: DateTime<Utc>,
    speed: f64,
    turned_millis: AtomicI64,
}

/// How long the sandbox's clock may be away from a sleeper that cannot compute its wake-up, in real time.
const LONGEST_NAP: Duration = Duration::from_millis(20);

impl SandboxClock {
    /// A clock that starts at the real time. `speed` is finite and not negative.
    #[must_use]
    pub fn new(real: Arc<dyn Clock>, speed: f64) -> Self {
        let started = real.now();
        Self::starting_at(started, real, speed)
    }

    /// A clock that reads `started` now: another process's sandbox, say.
    #[must_use]
    pub fn starting_at(started: DateTime<Utc>, real: Arc<dyn Clock>, speed: f64) -> Self {
        Self {
            real_started: real.now(),
            real,
            started,
            speed: speed.max(0.0),
            turned_millis: AtomicI64::new(0),
        }
    }

    /// The factor.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Turns the clock forward.
    pub fn turn(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.turned_millis.fetch_add(millis, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for SandboxClock {
    fn now(&self) -> DateTime<Utc> {
        let real = (self.real.now() - self.real_started).num_milliseconds();
        let ran = crate::num::round_to_i64(crate::num::from_i64(real) * self.speed);
        let turned = self.turned_millis.load(Ordering::Relaxed);
        let since =
            TimeDelta::try_milliseconds(ran.saturating_add(turned)).unwrap_or(TimeDelta::MAX);
        self.started
            .checked_add_signed(since)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    async fn sleep(&self, duration: Duration) {
        let wake = TimeDelta::from_std(duration)
            .ok()
            .and_then(|d| self.now().checked_add_signed(d))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        // The clock may be turned meanwhile, so a sleeper looks up now and then.
        while let Ok(left) = (wake - self.now()).to_std() {
            if left.is_zero() {
                break;
            }
            let real = if self.speed > 0.0 {
                left.div_f64(self.speed).max(Duration::from_micros(200))
            } else {
                LONGEST_NAP
            };
            self.real.sleep(real.min(LONGEST_NAP)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Hands(AtomicI64);

    #[async_trait]
    impl Clock for Hands {
        fn now(&self) -> DateTime<Utc> {
            DateTime::from_timestamp_millis(self.0.load(Ordering::Relaxed)).unwrap()
        }

        async fn sleep(&self, duration: Duration) {
            self.0.fetch_add(
                i64::try_from(duration.as_millis()).unwrap().max(1),
                Ordering::Relaxed,
            );
        }
    }

    fn clock(speed: f64) -> (Arc<Hands>, SandboxClock) {
        let hands = Arc::new(Hands(AtomicI64::new(1_800_000_000_000)));
        (Arc::clone(&hands), SandboxClock::new(hands, speed))
    }

    #[test]
    fn it_runs_by_its_factor_from_the_real_time() {
        let (hands, clock) = clock(120.0);
        assert_eq!(clock.now(), hands.now());
        hands.0.fetch_add(1_000, Ordering::Relaxed);
        assert_eq!((clock.now() - hands.now()).num_seconds(), 119);
    }

    #[test]
    fn at_speed_one_it_is_the_real_clock_and_at_zero_it_stands() {
        let (hands, real) = clock(1.0);
        hands.0.fetch_add(5_000, Ordering::Relaxed);
        assert_eq!(real.now(), hands.now());
        let (hands, still) = clock(0.0);
        let before = still.now();
        hands.0.fetch_add(5_000, Ordering::Relaxed);
        assert_eq!(still.now(), before);
        still.turn(Duration::from_mins(1));
        assert_eq!((still.now() - before).num_seconds(), 60);
    }

    #[tokio::test]
    async fn sleepers_wake_by_the_sandboxs_time() {
        let (hands, clock) = clock(120.0);
        let (started, real) = (clock.now(), hands.now());
        clock.sleep(Duration::from_mins(4)).await;
        assert!((clock.now() - started).num_seconds() >= 240);
        assert!((hands.now() - real).num_seconds() <= 3);
    }
}
