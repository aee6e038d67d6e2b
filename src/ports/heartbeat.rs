//! Signs of life of the loops, for the liveness probe.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When each loop last ticked, and how long it may be silent.
#[derive(Debug, Default)]
pub struct Heartbeats {
    beats: Mutex<BTreeMap<String, (Instant, Duration)>>,
}

impl Heartbeats {
    /// A loop ticks. It promises to tick again within `within`.
    pub fn beat(&self, task: &str, within: Duration) {
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        beats.insert(task.to_owned(), (Instant::now(), within));
    }

    /// A loop ended on purpose; nobody waits for it any more.
    pub fn retire(&self, task: &str) {
        self.beats
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(task);
    }

    /// Loops that have been silent for too long, and for how long.
    #[must_use]
    pub fn silent(&self) -> Vec<(String, Duration)> {
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let late = |(task, (last, within)): (&String, &(Instant, Duration))| {
            let silence = last.elapsed();
            (silence > *within).then(|| (task.clone(), silence))
        };
        beats.iter().filter_map(late).collect()
    }
}
