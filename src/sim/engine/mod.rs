//! The engine: a seeded, deterministic AWS with no IO and no clock of its own.
//!
//! It follows aws-autoscaling.md and shares no scaling maths with `crate::domain`: a simulator that borrows the
//! code under test agrees with its bugs.
//!
//! # Design notes
//!
//! - Time moves in two ways: a tick at every full minute (metrics are published, alarms evaluated), and single
//!   events in between (a change ends, a signal arrives). A day of one endpoint is 1,440 ticks and a handful of
//!   events.
//! - Chance has no state: a draw is a hash of what it is for (see `chance`), so the same seed gives the same
//!   world whatever is asked of it in between.
//! - Operations of the API are methods of [`World`] in [`api`]; both doors call them.

mod activity;
mod alarm;
mod alarms;
pub mod api;
mod chance;
mod change;
mod checks;
mod component;
mod control;
mod error;
mod faults;
mod fleet;
mod gauge;
mod hosting;
mod kinds;
mod limits;
mod machine;
mod math;
mod meter;
mod missing;
mod mute;
mod options;
mod queue;
mod resource;
mod scaling;
mod schedule;
mod scheduled;
mod series;
mod setup;
mod stats;
mod time;
mod traffic;
mod world;

pub use alarm::AlarmState;
pub use change::Status;
pub use error::ApiError;
pub use faults::Fault;
pub use kinds::{Hosting, Serverless};
pub use machine::Machine;
pub use options::{AlarmShape, Options, ScheduleOrder, SpanRange};
pub use setup::{ComponentSetup, EndpointSetup, Extras, TimelineEntry, VariantSetup};
pub use time::{Instant, Span, Timestamp};
pub use traffic::{Shape, Traffic};
pub use world::World;

#[cfg(test)]
mod tests;
