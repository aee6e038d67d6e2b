//! A world that keeps up with a clock. Both doors lead here.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::engine::{Instant, World};
use crate::ports::Clock;

/// A world and the clock that moves it.
#[derive(Debug)]
pub struct Sandbox {
    world: Mutex<World>,
    clock: Arc<dyn Clock>,
}

/// The engine's instant for a time of day.
#[must_use]
pub fn to_instant(time: DateTime<Utc>) -> Instant {
    Instant::from_millis(time.timestamp_millis())
}

/// The time of day for an engine's instant.
#[must_use]
pub fn to_time(instant: Instant) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(instant.millis()).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl Sandbox {
    /// Puts a world under a clock.
    #[must_use]
    pub fn new(world: World, clock: Arc<dyn Clock>) -> Self {
        Self {
            world: Mutex::new(world),
            clock,
        }
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Lets the world catch up with the clock, then does something with it. Callers are served one at a time, so what
    /// is done is atomic, as one request to AWS is.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        // A panic inside leaves the world as it was between two events, which is as good as before.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(to_instant(self.clock.now()));
        act(&mut world)
    }
}
