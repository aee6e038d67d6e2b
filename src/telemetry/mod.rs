//! Logs and metrics.
//!
//! [`Telemetry`] listens to the runtime's events: each is logged and counted in one place. Gauges are not kept but
//! made from the fleet snapshot when someone scrapes, so a target that leaves the config leaves the metrics with it,
//! and a scrape never waits for AWS.

mod alerts;
mod events;
mod fleet;
mod journal;
mod logs;
mod memory;
mod metrics;
mod signals;

pub use events::Telemetry;
pub use journal::{JOURNAL, Journal, Listeners};
pub use logs::{LogFormat, init_logs, is_journal};
pub use memory::StateFiles;
