//! Which clock a command goes by.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::cli::Common;
use crate::config::Config;
use crate::http::get;
use crate::ports::Clock;
use crate::runtime::SystemClock;
use crate::sim::SandboxClock;

/// A sandbox on this machine answers at once, or is none.
const PATIENCE: Duration = Duration::from_millis(500);

/// The real clock; or, when every scope lives in one sandbox on this machine, the sandbox's. Its days may pass in
/// minutes, and metrics of its afternoon are not to be looked for in our morning.
pub(super) async fn clock_for(config: &Config, common: &Common) -> Arc<dyn Clock> {
    let real: Arc<dyn Clock> = Arc::new(SystemClock);
    match sandbox_time(config, common).await {
        Some((now, speed)) => Arc::new(SandboxClock::starting_at(now, real, speed)),
        None => real,
    }
}

async fn sandbox_time(config: &Config, common: &Common) -> Option<(DateTime<Utc>, f64)> {
    let variable = std::env::var("AWS_ENDPOINT_URL").ok();
    let url = |scope: &crate::config::Scope| {
        let ours = common.endpoint_url.as_ref().or(scope.endpoint_url.as_ref());
        ours.or(variable.as_ref()).cloned()
    };
    let mut urls = config.scopes.values().map(|(scope, _)| url(scope));
    let first = urls.next().flatten()?;
    if urls.any(|other| other.as_ref() != Some(&first)) {
        return None;
    }
    let page = format!("{}/_sandbox/clock", first.trim_end_matches('/'));
    let (_, body) = get(&page, PATIENCE)
        .await
        .ok()
        .filter(|(status, _)| status.is_success())?;
    let state: serde_json::Value = serde_json::from_slice(&body).ok()?;
    let now = DateTime::parse_from_rfc3339(state.get("now")?.as_str()?).ok()?;
    Some((now.with_timezone(&Utc), state.get("speed")?.as_f64()?))
}
