//! The config: files and environment in, domain types or every problem at once out.
//!
//! Layers, later ones win: defaults, the file (or all files of a directory in the order of their names, lists
//! added up), then `EVENKEEL__…` variables. After [`load`] nobody checks a value again.
//!
//! # Notes for implementors
//!
//! Values are read from figment's tree by `node`, not by serde: serde stops at the first mistake, and an operator
//! with three wrong keys wants three lines. Each section lists its keys in one table, from which unknown keys get
//! their "did you mean".

mod alerting;
mod daemon;
mod holidays;
mod node;
mod policy;
mod problem;
mod resolved;
mod schedule;
mod select;
mod source;
mod step;
mod target;
#[cfg(test)]
mod tests;
mod unit;
mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use alerting::{Address, Alerting, SecretSource, WebhookConfig, WebhookForm};
pub use problem::{Problem, Problems};
pub use resolved::{resolved, target_shape};
pub use source::{Sources, VARIABLE_PREFIX, syntax_problem};
pub use step::wake_policy;

pub use watch::Watch;

use crate::domain::{DesiredFleet, Manage, Mode, OnRemoval, Safety, ScopeName};
use node::{Context, Node};

/// How the daemon runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Daemon {
    /// Whether it may write.
    pub mode: Mode,
    /// From the start of one pass to the start of the next; each wait is drawn from 90 % to 110 % of it.
    pub reconcile_interval: Duration,
    /// The same for looks at metrics, alarms and activities.
    pub watch_interval: Duration,
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// The certificate that HTTP is served with; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// Where the token is that a client needs; everyone is answered without.
    pub token: Option<SecretSource>,
    /// How long one call to AWS may take, retries included.
    pub call_timeout: Duration,
    /// Where the journal is written; else where systemd says, else nowhere.
    pub state_dir: Option<PathBuf>,
}

impl Default for Daemon {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            reconcile_interval: Duration::from_mins(1),
            watch_interval: Duration::from_mins(1),
            listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
            tls: None,
            token: None,
            call_timeout: Duration::from_secs(30),
            state_dir: None,
        }
    }
}

/// Files of PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and its root.
    pub cert_file: PathBuf,
    /// The private key.
    pub key_file: PathBuf,
}

/// One account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Its name.
    pub name: ScopeName,
    /// Its region; from the environment, as every AWS tool finds it, unless said here.
    pub region: Option<String>,
    /// A role to assume.
    pub assume_role: Option<String>,
    /// Another server to talk to, for every service.
    pub endpoint_url: Option<String>,
}

/// A config that has passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How the daemon runs.
    pub daemon: Daemon,
    /// How metrics are watched, and for how much.
    pub watch: Watch,
    /// How much one pass may take away.
    pub safety: Safety,
    /// What is ours, and what may be removed; the same in every scope.
    pub manage: Manage,
    /// Where alerts go, and how they differ from their defaults.
    pub alerting: Alerting,
    /// The scopes, each with the fleet that is declared in it.
    pub scopes: BTreeMap<ScopeName, (Scope, DesiredFleet)>,
}

impl Config {
    /// Declared targets of all scopes.
    #[must_use]
    pub fn target_count(&self) -> usize {
        self.scopes
            .values()
            .map(|(_, fleet)| fleet.targets.len())
            .sum()
    }

    /// Declared selections of all scopes.
    #[must_use]
    pub fn selection_count(&self) -> usize {
        self.scopes
            .values()
            .map(|(_, fleet)| fleet.selections.len())
            .sum()
    }
}

/// Reads and checks the config.
///
/// # Errors
/// Every problem found, each with its file or variable, key path, value and remedy.
pub fn load(sources: &Sources) -> Result<Config, Problems> {
    let (figment, mut problems) = source::layers(sources);
    let root = match source::extract(&figment) {
        Ok(root) => root,
        Err(problem) => {
            problems.push(problem);
            return Err(Problems(problems));
        }
    };
    let context = Context::new(&figment);
    let config = read(&Node::root(&context, &root));
    problems.extend(context.into_problems());
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(Problems(problems))
    }
}

const KEYS: [&str; 8] = [
    "daemon", "watch", "safety", "manage", "alerting", "scopes", "profiles", "targets",
];

fn read(root: &Node<'_>) -> Config {
    let Some(fields) = root.fields(&KEYS) else {
        return Config {
            daemon: Daemon::default(),
            watch: Watch::default(),
            safety: Safety::default(),
            manage: Manage::default(),
            alerting: Alerting::default(),
            scopes: BTreeMap::new(),
        };
    };
    let daemon = fields
        .get("daemon")
        .map(|node| daemon::read_daemon(&node))
        .unwrap_or_default();
    let watch = fields
        .get("watch")
        .map(|node| watch::read_watch(&node))
        .unwrap_or_default();
    let safety = fields
        .get("safety")
        .map(|node| daemon::read_safety(&node))
        .unwrap_or_default();
    let manage = fields
        .get("manage")
        .map(|node| daemon::read_manage(&node))
        .unwrap_or_default();
    let alerting = fields
        .get("alerting")
        .map(|node| alerting::read_alerting(&node))
        .unwrap_or_default();
    let mut scopes = daemon::read_scopes(fields.get("scopes").as_ref(), &manage);
    if let Some(node) = fields.get("alerting") {
        alerting::check_scopes(&node, &alerting, &scopes);
    }
    for (_, fleet) in scopes.values_mut() {
        fleet.tunings.clone_from(&alerting.tunings);
    }
    let profiles = fields
        .get("profiles")
        .map(|node| target::read_profiles(&node))
        .unwrap_or_default();
    if let Some(targets) = fields.get("targets") {
        target::read_targets(&targets, &profiles, &mut scopes, &manage.owner);
    }
    target::check_unused(&profiles, &manage.owner);
    let is_empty = |fleet: &DesiredFleet| fleet.targets.is_empty() && fleet.selections.is_empty();
    let declares_nothing = scopes.values().all(|(_, fleet)| is_empty(fleet));
    if declares_nothing && manage.on_removal == OnRemoval::Deregister {
        root.report(
            "no targets are declared, and `manage.on_removal: deregister` would deregister all that evenkeel made",
            "declare at least one: a file that lost its targets looks the same",
        );
    }
    Config {
        daemon,
        watch,
        safety,
        manage,
        alerting,
        scopes,
    }
}
