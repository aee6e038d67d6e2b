//! Which clock a command goes by.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::connect::endpoint_url;
use crate::cli::Common;
use crate::config::Config;
use crate::http::get;
use crate::ports::Clock;
use crate::runtime::SystemClock;
use crate::sim::SandboxClock;

/// A sandbox on this machine answers at once, or is none.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often, in real time, a daemon looks whether someone turned its sandbox's clock.
const LOOK: Duration = Duration::from_millis(500);

/// A sandbox's clock, as read from afar.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    clock: Arc<SandboxClock>,
    url: String,
}

/// The real clock; or, when every scope lives in one sandbox on this machine, the sandbox's, and how to follow it.
/// Its days may pass in minutes, and metrics of its afternoon are not to be looked for in our morning.
pub(super) async fn clock_for(
    config: &Config,
    common: &Common,
) -> (Arc<dyn Clock>, Option<Followed>) {
    follow_if_sandbox(sandbox_url(config, common)).await
}

/// The same where there is no config, and at most one server that is not AWS.
pub(super) async fn clock_at(endpoint_url: Option<&str>) -> Arc<dyn Clock> {
    follow_if_sandbox(endpoint_url.map(clock_page)).await.0
}

async fn follow_if_sandbox(page: Option<String>) -> (Arc<dyn Clock>, Option<Followed>) {
    let real: Arc<dyn Clock> = Arc::new(SystemClock);
    let Some(url) = page else {
        return (real, None);
    };
    let Some((now, speed)) = sandbox_time(&url).await else {
        return (real, None);
    };
    let clock = Arc::new(SandboxClock::starting_at(now, real, speed));
    let followed = Followed {
        clock: Arc::clone(&clock),
        url,
    };
    (clock, Some(followed))
}

/// Turns our clock forward whenever someone has turned the sandbox's, until stopped.
pub(super) async fn follow(followed: Followed, stop: CancellationToken) {
    let Followed { clock, url } = followed;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        // A sandbox that does not answer is an AWS that does not answer: the passes will say so.
        let Some((now, _)) = sandbox_time(&url).await else {
            continue;
        };
        if let Ok(behind) = (now - clock.now()).to_std() {
            clock.turn(behind);
        }
    }
}

fn sandbox_url(config: &Config, common: &Common) -> Option<String> {
    let mut urls = config
        .scopes
        .values()
        .map(|(scope, _)| endpoint_url(common, scope));
    let first = urls.next().flatten()?;
    if urls.any(|other| other.as_ref() != Some(&first)) {
        return None;
    }
    Some(clock_page(&first))
}

fn clock_page(endpoint_url: &str) -> String {
    format!("{}/_sandbox/clock", endpoint_url.trim_end_matches('/'))
}

async fn sandbox_time(page: &str) -> Option<(DateTime<Utc>, f64)> {
    let answer = get(page, PATIENCE).await.ok()?;
    if !answer.status.is_success() {
        return None;
    }
    let state: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    let now = DateTime::parse_from_rfc3339(state.get("now")?.as_str()?).ok()?;
    Some((now.with_timezone(&Utc), state.get("speed")?.as_f64()?))
}
