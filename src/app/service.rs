//! systemd, if it started this process and wants to hear from it (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).

use std::time::Duration;

use sd_notify::NotifyState;

use crate::ports::{ServiceManager, Sign};

/// How often it is told without a watchdog: only what changed is news.
const WITHOUT_WATCHDOG: Duration = Duration::from_secs(10);

/// The adapter. Without a socket it tells nobody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Systemd;

impl ServiceManager for Systemd {
    fn tell(&self, sign: &Sign) {
        let told = match sign {
            Sign::Ready => sd_notify::notify(false, &[NotifyState::Ready]),
            Sign::Reloading => NotifyState::monotonic_usec_now()
                .and_then(|now| sd_notify::notify(false, &[NotifyState::Reloading, now])),
            Sign::Alive => sd_notify::notify(false, &[NotifyState::Watchdog]),
            Sign::Status(text) => sd_notify::notify(false, &[NotifyState::Status(text)]),
            Sign::Stopping => sd_notify::notify(false, &[NotifyState::Stopping]),
        };
        if let Err(error) = told {
            tracing::warn!("the service manager could not be told: {error}");
        }
    }
}

/// How often it wants a sign of life: half of what it waits for.
pub(super) fn interval() -> Duration {
    let mut usec = 0;
    if sd_notify::watchdog_enabled(false, &mut usec) {
        (Duration::from_micros(usec) / 2).min(WITHOUT_WATCHDOG)
    } else {
        WITHOUT_WATCHDOG
    }
}
