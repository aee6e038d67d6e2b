//! The section `watch`.

use std::time::Duration;

use super::node::Node;

const KEYS: [&str; 3] = ["quiet_interval", "signals", "budget"];
const LEAST: Duration = Duration::from_mins(1);
const MOST: Duration = Duration::from_hours(1);
/// Dollars a month above which someone meant something else.
const MOST_DOLLARS: f64 = 1_000_000.0;

/// How metrics are watched, and for how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watch {
    /// How often the metrics of a quiet target are read.
    pub quiet_interval: Duration,
    /// Whether signals are read, beside the metrics that policies follow.
    pub signals: bool,
    /// Dollars a month, for all scopes together; `None` without a limit.
    pub budget: Option<f64>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            quiet_interval: Duration::from_mins(10),
            signals: true,
            budget: None,
        }
    }
}

pub(super) fn read_watch(node: &Node<'_>) -> Watch {
    let mut watch = Watch::default();
    let Some(fields) = node.fields(&KEYS) else {
        return watch;
    };
    let interval = fields
        .get("quiet_interval")
        .and_then(|n| n.duration(LEAST, MOST));
    watch.quiet_interval = interval.unwrap_or(watch.quiet_interval);
    let signals = fields.get("signals").and_then(|n| n.truth());
    watch.signals = signals.unwrap_or(watch.signals);
    watch.budget = fields.get("budget").and_then(|n| read_budget(&n));
    watch
}

fn read_budget(node: &Node<'_>) -> Option<f64> {
    let dollars = node.number()?;
    if dollars > 0.0 && dollars <= MOST_DOLLARS {
        return Some(dollars);
    }
    node.report(
        format!("`{}` is not a budget", node.shown()),
        "write dollars a month, for example `50`, or leave the key out for no limit",
    );
    None
}
