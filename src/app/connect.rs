//! The config as a command uses it, and the ports of its scopes.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;

use super::failure::Failure;
use crate::aws::{ScopeOptions, connect};
use crate::cli::Common;
use crate::config::{Config, Scope, Sources, load};
use crate::domain::{Glob, ScopeName};
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
        let pattern = Glob::new(glob);
        for (_, fleet) in config.scopes.values_mut() {
            fleet.targets.retain(|id, _| id.matches(&pattern));
            fleet.only = Some(pattern.clone());
        }
        // What a selection will pick is not known yet.
        if config.target_count() == 0 && config.selection_count() == 0 {
            return Err(Failure::Usage(format!(
                "--target {glob}: no declared target matches"
            )));
        }
    }
    Ok(config)
}

/// The server that a scope is reached at instead of AWS. The general variable counts here only where none for a
/// single service is set: those are the SDK's to read.
pub(super) fn endpoint_url(common: &Common, scope: &Scope) -> Option<String> {
    let ours = common.endpoint_url.as_ref().or(scope.endpoint_url.as_ref());
    ours.cloned().or_else(|| {
        let single = |(key, _): (std::ffi::OsString, _)| {
            let key = key.as_encoded_bytes();
            key.starts_with(b"AWS_ENDPOINT_URL_") || key == b"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
        };
        if std::env::vars_os().any(single) {
            return None;
        }
        std::env::var("AWS_ENDPOINT_URL")
            .ok()
            .filter(|url| !url.is_empty())
    })
}

/// The server that commands without a config talk to.
pub(super) fn sole_scope(common: &Common) -> Option<String> {
    let scope = Scope {
        name: ScopeName::any(),
        region: None,
        assume_role: None,
        endpoint_url: None,
    };
    endpoint_url(common, &scope)
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
            endpoint_url: endpoint_url(common, scope),
            call_timeout: config.daemon.call_timeout,
        };
        let ports = connect(&options, log)
            .await
            .with_context(|| format!("can not reach scope {name}"))?;
        all.insert(name.clone(), ports);
    }
    Ok(all)
}
