//! The runtime: tasks that observe, plan, check and execute, again and again.
//!
//! tokio lives here. A task is an idempotent activation; a [`drive()`] loop owns when it runs. Triggers (interval,
//! reload, nudge) only say *wake up*, never *what changed*: there is one code path, and it runs all the time.
//! There are no retries inside a pass beyond the short ones for eventual consistency; the next pass is the retry.
//!
//! # Design notes
//!
//! - The clock is read once per activation, and that instant is handed down.
//! - Nothing is remembered that AWS or the config could not tell again, but for back-off and for telling a new
//!   difference from one already told.

mod alerts;
mod board;
mod clock;
mod conflict;
mod details;
mod digest;
mod drive;
mod dues;
mod execute;
mod observe;
mod pass;
mod policies;
mod resets;
mod scheduled;
mod send;
mod supervise;
mod watch;

pub use alerts::Alerter;
pub use board::Board;
pub use clock::{SystemClock, VirtualClock};
pub use drive::{Pace, Task, drive, nudger};
pub use dues::Dues;
pub use execute::{Executed, Executor, execute};
pub use observe::{Look, Observer};
pub use pass::Reconciler;
pub use send::{Render, Sender};
pub use supervise::{Fault, Supervisor};
pub use watch::Watcher;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::{DesiredFleet, Mode, Safety, ScopeName};

/// What the tasks need of the config. A reload replaces it as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether to write.
    pub mode: Mode,
    /// From one pass to the next.
    pub reconcile_interval: Duration,
    /// From one look of the watcher to the next.
    pub watch_interval: Duration,
    /// How much one pass may take away.
    pub safety: Safety,
    /// What is declared, by scope.
    pub fleets: BTreeMap<ScopeName, DesiredFleet>,
    /// Where alerts are sent: the base URLs of Alertmanagers.
    pub alertmanagers: Vec<String>,
    /// When the config was loaded.
    pub loaded: DateTime<Utc>,
}
