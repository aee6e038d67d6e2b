//! The config as a command uses it, and the ports of its scopes.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use wildmatch::WildMatch;

use super::failure::Failure;
use crate::aws::{ScopeOptions, connect};
use crate::cli::Common;
use crate::config::{Config, Sources, load};
use crate::domain::{ScopeName, TargetId};
use crate::ports::{RequestLog, ScopePorts};

/// Loads the config and keeps what `--scope` and `--target` select.
pub(super) fn load_config(common: &Common) -> Result<Config, Failure> {
    let mut config = load(&Sources::new(common.config.clone()))?;
    if let Some(wanted) = &common.scope {
        if !config.scopes.keys().any(|name| name.as_str() == wanted) {
            let known: Vec<&str> = config.scopes.keys().map(ScopeName::as_str).collect();
            return Err(Failure::Usage(format!(
                "--scope {wanted}: the config has no such scope; it has {}",
                known.join(", ")
            )));
        }
        config.scopes.retain(|name, _| name.as_str() == wanted);
    }
    if let Some(glob) = &common.target {
        let pattern = WildMatch::new(glob);
        for (_, fleet) in config.scopes.values_mut() {
            fleet.targets.retain(|id, _| matches(&pattern, id));
        }
        if config.target_count() == 0 {
            return Err(Failure::Usage(format!(
                "--target {glob}: no declared target matches"
            )));
        }
    }
    Ok(config)
}

fn matches(pattern: &WildMatch, id: &TargetId) -> bool {
    let endpoint = id
        .endpoint()
        .is_some_and(|endpoint| pattern.matches(endpoint.as_str()));
    endpoint || pattern.matches(&id.resource_id())
}

/// Makes the ports of every scope. Nothing is sent yet.
pub(super) async fn connect_scopes(
    config: &Config,
    common: &Common,
    log: &Arc<dyn RequestLog>,
) -> Result<BTreeMap<ScopeName, ScopePorts>, Failure> {
    let mut all = BTreeMap::new();
    for (name, (scope, _)) in &config.scopes {
        let options = ScopeOptions {
            region: scope.region.clone(),
            assume_role: scope.assume_role.clone(),
            endpoint_url: common
                .endpoint_url
                .clone()
                .or_else(|| scope.endpoint_url.clone()),
            call_timeout: config.daemon.call_timeout,
        };
        let ports = connect(&options, log)
            .await
            .with_context(|| format!("can not reach scope {name}"))?;
        all.insert(name.clone(), ports);
    }
    Ok(all)
}
