//! When a task runs: at its interval, or when nudged; never twice at once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::domain::PassReason;
use crate::ports::{Clock, Heartbeats};

/// An idempotent activation. It takes no input beyond the world it reads; the reason is for people.
#[async_trait]
pub trait Task: Send {
    /// What the task is called in logs and in the liveness probe.
    fn name(&self) -> String;

    /// From the start of one activation to the start of the next.
    fn interval(&self) -> Duration;

    /// Runs once. When `stop` is cancelled, it starts no more work, lets a write in flight finish, and returns.
    /// Returns when to come back, if sooner than the interval says.
    async fn activate(&mut self, reason: PassReason, stop: &CancellationToken) -> Option<Again>;
}

/// A wish to run again before the interval is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// After so much time.
    pub after: Duration,
    /// Why.
    pub reason: PassReason,
}

/// What a loop needs beside its task.
#[derive(Debug)]
pub struct Pace {
    /// The clock that intervals are measured by.
    pub clock: Arc<dyn Clock>,
    /// Where the loop shows that it lives.
    pub heartbeats: Arc<Heartbeats>,
    /// Seeds the jitter.
    pub seed: u64,
    /// How long an activation may take in real time before the loop counts as dead.
    pub patience: Duration,
}

/// A line on which to wake a loop. One waiting nudge is enough, so a full line loses nothing.
#[must_use]
pub fn nudger() -> (mpsc::Sender<PassReason>, mpsc::Receiver<PassReason>) {
    mpsc::channel(1)
}

/// Runs a task until it is cancelled.
///
/// Waits are drawn from 90 % to 110 % of the interval, so that many daemons do not ask AWS all at once. An activation
/// that takes longer than the interval delays the next one; missed ones are not made up for.
pub async fn drive<T: Task>(
    mut task: T,
    mut nudges: mpsc::Receiver<PassReason>,
    pace: Pace,
    stop: CancellationToken,
) {
    let name = task.name();
    let mut jitter = fastrand::Rng::with_seed(pace.seed);
    let mut reason = PassReason::Start;
    while !stop.is_cancelled() {
        pace.heartbeats.beat(&name, pace.patience);
        let started = pace.clock.now();
        let span = tracing::info_span!("activation", task = %name, reason = reason.label());
        let again = task.activate(reason, &stop).instrument(span).await;
        let interval = task.interval().mul_f64(0.9 + 0.2 * jitter.f64());
        let took = (pace.clock.now() - started).to_std().unwrap_or_default();
        let rest = interval.saturating_sub(took);
        let (wait, next) = match again.filter(|again| again.after < rest) {
            Some(again) => (again.after, again.reason),
            None => (rest, PassReason::Interval),
        };
        pace.heartbeats.beat(&name, pace.patience + wait);
        tokio::select! {
            () = stop.cancelled() => break,
            () = pace.clock.sleep(wait) => reason = next,
            Some(nudge) = nudges.recv() => {
                reason = nudge;
                // A nudge per second at the most: what nudges may itself be caused by a pass. A second of real time
                // will do too: a sandbox's clock may stand still.
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = pace.clock.sleep(SHORTEST_GAP) => {}
                    () = tokio::time::sleep(SHORTEST_GAP) => {}
                }
            }
        }
    }
    pace.heartbeats.retire(&name);
}

const SHORTEST_GAP: Duration = Duration::from_secs(1);
