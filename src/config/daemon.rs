//! The sections `daemon`, `safety` and `scopes`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::alerting::{read_secret, refuse_bare_secret};
use super::node::Node;
use super::{Daemon, Scope, TlsFiles};
use crate::domain::{
    DesiredFleet, Manage, Mode, OnRemoval, OwnerName, Prune, Safety, ScopeName, is_region, is_role,
};

const DAEMON_KEYS: [&str; 6] = [
    "mode",
    "reconcile_interval",
    "watch_interval",
    "http",
    "call_timeout",
    "state_dir",
];
const HTTP_KEYS: [&str; 5] = ["listen", "tls", "token", "token_env", "token_file"];
const TLS_KEYS: [&str; 2] = ["cert_file", "key_file"];
const MANAGE_KEYS: [&str; 3] = ["owner", "prune", "on_removal"];
const SAFETY_KEYS: [&str; 1] = ["max_change"];
const SCOPE_KEYS: [&str; 4] = ["name", "region", "assume_role", "endpoint_url"];

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

pub(super) fn read_daemon(node: &Node<'_>) -> Daemon {
    let mut daemon = Daemon::default();
    let Some(fields) = node.fields(&DAEMON_KEYS) else {
        return daemon;
    };
    let modes = [Mode::Enforce, Mode::Observe].map(|mode| (mode.label(), mode));
    if let Some(mode) = fields.get("mode").and_then(|n| n.word(&modes)) {
        daemon.mode = mode;
    }
    let interval = |key: &str, most| fields.get(key).and_then(|n| n.duration(SECOND, most));
    if let Some(duration) = interval("reconcile_interval", HOUR) {
        daemon.reconcile_interval = duration;
    }
    if let Some(duration) = interval("watch_interval", HOUR) {
        daemon.watch_interval = duration;
    }
    if let Some(duration) = interval("call_timeout", Duration::from_mins(5)) {
        daemon.call_timeout = duration;
    }
    daemon.state_dir = fields
        .get("state_dir")
        .and_then(|n| read_path(&n, "/var/lib/evenkeel"));
    let http = fields.get("http").and_then(|n| n.fields(&HTTP_KEYS));
    if let Some(http) = http {
        if let Some(listen) = http.get("listen") {
            daemon.listen = read_listen(&listen).unwrap_or(daemon.listen);
        }
        daemon.tls = http.get("tls").and_then(|n| read_tls(&n));
        refuse_bare_secret(&http, "token");
        daemon.token = read_secret(&http, "token");
    }
    daemon
}

/// A path, whole: whatever the process was started in, the file is to be where someone looks for it.
pub(super) fn read_path(node: &Node<'_>, example: &str) -> Option<PathBuf> {
    let text = node.text()?;
    let path = PathBuf::from(&text);
    if path.is_absolute() {
        return Some(path);
    }
    node.report(
        format!("`{text}` is not a whole path"),
        format!("write for example `{example}`"),
    );
    None
}

fn read_tls(node: &Node<'_>) -> Option<TlsFiles> {
    let fields = node.fields(&TLS_KEYS)?;
    let file = |key, example| {
        let node = fields.require(key, example)?;
        read_path(&node, example)
    };
    let cert_file = file("cert_file", "/etc/evenkeel/tls/tls.crt");
    let key_file = file("key_file", "/etc/evenkeel/tls/tls.key");
    Some(TlsFiles {
        cert_file: cert_file?,
        key_file: key_file?,
    })
}

fn read_listen(node: &Node<'_>) -> Option<SocketAddr> {
    let text = node.text()?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            node.report(
                format!("`{text}` is not an address to listen on"),
                "write address and port, for example `127.0.0.1:9464` or `0.0.0.0:9464`",
            );
            None
        }
    }
}

pub(super) fn read_safety(node: &Node<'_>) -> Safety {
    let mut safety = Safety::default();
    let Some(fields) = node.fields(&SAFETY_KEYS) else {
        return safety;
    };
    if let Some(share) = fields.get("max_change").and_then(|n| n.share()) {
        safety.max_change = share;
    }
    safety
}

/// What is ours, and what may be removed.
pub(super) fn read_manage(node: &Node<'_>) -> Manage {
    let mut manage = Manage::default();
    let Some(fields) = node.fields(&MANAGE_KEYS) else {
        return manage;
    };
    if let Some(owner) = fields.get("owner").and_then(|n| n.parsed::<OwnerName>()) {
        manage.owner = owner;
    }
    let words = [Prune::Owned, Prune::All, Prune::Never].map(|p| (p.label(), p));
    if let Some(prune) = fields.get("prune").and_then(|n| n.word(&words)) {
        manage.prune = prune;
    }
    let words = [OnRemoval::Retain, OnRemoval::Deregister].map(|r| (r.label(), r));
    if let Some(removal) = fields.get("on_removal").and_then(|n| n.word(&words)) {
        manage.on_removal = removal;
    }
    manage
}

/// The scopes, or the one that is meant when none is declared: whatever account and region the environment gives.
pub(super) fn read_scopes(
    node: Option<&Node<'_>>,
    manage: &Manage,
) -> BTreeMap<ScopeName, (Scope, DesiredFleet)> {
    let mut scopes = BTreeMap::new();
    for entry in node.map(Node::entries).unwrap_or_default() {
        let Some(fields) = entry.fields(&SCOPE_KEYS) else {
            continue;
        };
        let Some(name) = fields.require("name", "prod") else {
            continue;
        };
        let Some(scope_name) = name.parsed::<ScopeName>() else {
            continue;
        };
        let endpoint_url = fields
            .get("endpoint_url")
            .and_then(|n| read_url(&n, "http://127.0.0.1:4599"));
        let assume_role = fields.get("assume_role").and_then(|n| read_role(&n));
        let scope = Scope {
            name: scope_name.clone(),
            region: fields.get("region").and_then(|n| read_region(&n)),
            assume_role,
            endpoint_url,
        };
        let fleet = DesiredFleet {
            manage: manage.clone(),
            ..DesiredFleet::empty(scope_name.clone())
        };
        if scopes.insert(scope_name.clone(), (scope, fleet)).is_some() {
            name.report(
                format!("a second scope is called `{scope_name}`"),
                "give each scope a name of its own",
            );
        }
    }
    if scopes.is_empty()
        && let Ok(name) = "default".parse::<ScopeName>()
    {
        let scope = Scope {
            name: name.clone(),
            region: None,
            assume_role: None,
            endpoint_url: None,
        };
        let fleet = DesiredFleet {
            manage: manage.clone(),
            ..DesiredFleet::empty(name.clone())
        };
        scopes.insert(name, (scope, fleet));
    }
    scopes
}

fn read_region(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if is_region(&text) {
        return Some(text);
    }
    node.report(
        format!("`{text}` is not a region"),
        "write for example `us-west-2`, or leave the key out to take the environment's",
    );
    None
}

pub(super) fn read_url(node: &Node<'_>, example: &str) -> Option<String> {
    let text = node.text()?;
    if text.starts_with("http://") || text.starts_with("https://") {
        return Some(text);
    }
    node.report(
        format!("`{text}` is not a URL"),
        format!("write it whole, for example `{example}`"),
    );
    None
}

fn read_role(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if is_role(&text) {
        return Some(text);
    }
    node.report(
        format!("`{text}` is not the ARN of a role"),
        "write for example `arn:aws:iam::123456789012:role/evenkeel`",
    );
    None
}
