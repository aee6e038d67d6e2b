//! From config to what the runtime needs of it.

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::runtime::{Settings, WatchSettings};

/// The runtime's settings of a config that was loaded at `now`.
#[must_use]
pub fn settings(config: &Config, now: DateTime<Utc>) -> Settings {
    let fleets = config
        .scopes
        .iter()
        .map(|(name, (_, fleet))| (name.clone(), fleet.clone()));
    Settings {
        mode: config.daemon.mode,
        reconcile_interval: config.daemon.reconcile_interval,
        watch_interval: config.daemon.watch_interval,
        watch: WatchSettings {
            quiet_interval: config.watch.quiet_interval,
            signals: config.watch.signals,
            budget: config.watch.budget,
        },
        safety: config.safety,
        fleets: fleets.collect(),
        alertmanagers: config.alertmanagers.clone(),
        loaded: now,
    }
}
