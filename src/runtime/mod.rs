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
mod hooks;
mod life;
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
pub use hooks::{Hooks, RenderNotice};
pub use life::{StatusLine, tell_signs};
pub use observe::{Look, Observer};
pub use pass::Reconciler;
pub use send::{ALERTMANAGER_PATH, Render, Sender};
pub use supervise::{Fault, Supervisor};
pub use watch::Watcher;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{DesiredFleet, Mode, Safety, ScopeName, Silence};
use crate::ports::Webhook;

/// What the tasks need of the config. A reload replaces it as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether to write.
    pub mode: Mode,
    /// From one pass to the next.
    pub reconcile_interval: Duration,
    /// From one look of the watcher to the next.
    pub watch_interval: Duration,
    /// How metrics are watched, and for how much.
    pub watch: WatchSettings,
    /// How much one pass may take away.
    pub safety: Safety,
    /// What is declared, by scope.
    pub fleets: BTreeMap<ScopeName, DesiredFleet>,
    /// Where alerts are sent: the base URLs of Alertmanagers.
    pub alertmanagers: Vec<String>,
    /// Receivers that are told each alert once.
    pub webhooks: Vec<Webhook>,
    /// What nobody is told for a while.
    pub silences: Vec<Silence>,
    /// When the config was loaded.
    pub loaded: DateTime<Utc>,
}

/// How metrics are watched, and for how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WatchSettings {
    /// How often the metrics of a quiet target are read.
    pub quiet_interval: Duration,
    /// Whether signals are read, beside the metrics that policies follow.
    pub signals: bool,
    /// Dollars a month, for all scopes together; `None` without a limit.
    pub budget: Option<f64>,
}

impl WatchSettings {
    /// How often the metrics of a quiet target are read.
    pub(crate) fn quiet(self) -> TimeDelta {
        TimeDelta::from_std(self.quiet_interval).unwrap_or(TimeDelta::MAX)
    }
}
