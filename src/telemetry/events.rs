//! Events, logged and counted in one place.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use prometheus::{Encoder, TextEncoder};
use tracing::{debug, error, info, warn};

use super::fleet::families;
use super::metrics::{Counters, Fault, TargetLabels, target_values};
use crate::domain::{
    Action, Activity, ActivityStatus, Alert, AlertKey, AlertState, FleetSnapshot, Leases,
    MarkerKind, PassOutcome, PassSummary, ScheduleOutcome, ScheduleRun, ScopeName, TargetId,
    Urgency, Verdict, Wait, call_dollars, metrics_dollars,
};
use crate::ports::{Event, EventSink, RequestLog};
use crate::view::{
    action_line, activity_line, alert_text, conflict_text, hold_text, override_text, reason_text,
    reset_text, run_text, wait_text,
};

/// Logs and counts what happens, and answers scrapes.
#[derive(Debug)]
pub struct Telemetry {
    counters: Counters,
    /// Targets whose series exist.
    targets: Mutex<BTreeSet<TargetLabels>>,
}

impl Telemetry {
    /// Counters at zero.
    ///
    /// # Errors
    /// A sentence when a metric is defined wrongly, which is a fault of this program.
    pub fn new(scopes: impl IntoIterator<Item = ScopeName>) -> Result<Self, String> {
        let counters = Counters::new().map_err(|fault| fault.to_string())?;
        for scope in scopes {
            counters.create_scope(&scope);
        }
        Ok(Self {
            counters,
            targets: Mutex::default(),
        })
    }

    /// The metrics of this moment in Prometheus' text format.
    ///
    /// # Errors
    /// A sentence when a metric is defined wrongly, which is a fault of this program.
    pub fn scrape(&self, fleet: &FleetSnapshot, now: DateTime<Utc>) -> Result<String, String> {
        self.follow_targets(fleet);
        self.encode(fleet, now).map_err(|fault| fault.to_string())
    }

    fn encode(&self, fleet: &FleetSnapshot, now: DateTime<Utc>) -> Result<String, Fault> {
        let mut all = self.counters.registry.gather();
        all.extend(families(fleet, now)?);
        all.sort_by(|a, b| a.name().cmp(b.name()));
        let mut text = Vec::new();
        TextEncoder::new().encode(&all, &mut text)?;
        String::from_utf8(text).map_err(|e| Fault::Msg(e.to_string()))
    }

    /// Creates the series of new targets at zero, and drops those of targets that have left the config.
    fn follow_targets(&self, fleet: &FleetSnapshot) {
        let declared: BTreeSet<TargetLabels> = fleet
            .scopes
            .iter()
            .flat_map(|(name, scope)| scope.targets.keys().map(move |id| target_values(name, id)))
            .collect();
        let mut held = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in held.difference(&declared) {
            self.counters.drop_target(gone);
        }
        for new in declared.difference(&held) {
            self.counters.create_target(new);
        }
        *held = declared;
    }

    fn problem(&self, scope: &ScopeName, problem: &str) {
        self.counters
            .events
            .with_label_values(&[scope.as_str(), problem])
            .inc();
    }

    fn pass_ended(&self, scope: &ScopeName, summary: &PassSummary) {
        let outcome = summary.outcome;
        self.counters
            .passes
            .with_label_values(&[scope.as_str(), outcome.label()])
            .inc();
        let seconds = summary.took.as_secs_f64();
        self.counters
            .pass_duration
            .with_label_values(&[scope.as_str()])
            .observe(seconds);
        let (number, reason) = (summary.number, summary.reason.label());
        let took_ms = u64::try_from(summary.took.as_millis()).unwrap_or(u64::MAX);
        match outcome {
            PassOutcome::Changed => info!(
                %scope, pass = number, reason, duration_ms = took_ms,
                "pass {number} of scope {scope}: writes done: {}", summary.done
            ),
            PassOutcome::Failed => warn!(
                %scope, pass = number, reason, duration_ms = took_ms,
                "pass {number} of scope {scope}: writes done: {}, failed: {}", summary.done, summary.failed
            ),
            _ => debug!(
                %scope, pass = number, reason, duration_ms = took_ms,
                "pass {number} of scope {scope}: {}", outcome.label()
            ),
        }
    }

    fn scheduled(&self, scope: &ScopeName, target: &TargetId, run: &ScheduleRun) {
        let [scope_label, endpoint, variant, component] = target_values(scope, target);
        let outcome = run.outcome.label();
        self.counters
            .schedule_applied
            .with_label_values(&[&scope_label, &endpoint, &variant, &component, outcome])
            .inc();
        let line = run_text(run);
        match run.outcome {
            ScheduleOutcome::Applied | ScheduleOutcome::Found => {
                let late = run.late().as_seconds_f64();
                self.counters
                    .schedule_lateness
                    .with_label_values(&[scope.as_str()])
                    .observe(late);
                info!(%scope, target.id = %target, outcome, "{target}: {line}");
            }
            ScheduleOutcome::Waiting
            | ScheduleOutcome::Mended
            | ScheduleOutcome::Failed
            | ScheduleOutcome::Missed => {
                warn!(%scope, target.id = %target, outcome, "{target}: {line}");
            }
        }
    }

    fn sent(&self, receiver: &str, problem: Option<&str>, is_news: bool) {
        let outcome = if problem.is_none() { "ok" } else { "failed" };
        self.counters
            .sent
            .with_label_values(&[receiver, outcome])
            .inc();
        match problem {
            Some(problem) if is_news => {
                error!(
                    receiver,
                    "alerts could not be sent to {receiver}, and are sent again: {problem}"
                );
            }
            None if is_news => info!(receiver, "alerts are sent to {receiver} again"),
            Some(_) | None => {}
        }
    }

    fn dropped(&self, receiver: &str, what: &str, why: &str) {
        let labels = [receiver, "dropped"];
        self.counters.sent.with_label_values(&labels).inc();
        error!(receiver, "{receiver} does not hear of {what}: {why}");
    }

    /// Told as loud as it matters; what another alert says already, as quietly as can be.
    fn alert(&self, scope: &ScopeName, key: &AlertKey, alert: &Alert) {
        let (kind, state) = (key.kind.name(), alert.state.label());
        self.counters
            .alerts
            .with_label_values(&[scope.as_str(), kind, state])
            .inc();
        let line = alert_text(key, alert);
        let is_over = matches!(alert.state, AlertState::Resolved { .. });
        match key.kind.urgency() {
            _ if is_over || !alert.is_told() => {
                info!(%scope, alert = kind, state, "{line}");
            }
            Urgency::Critical => error!(%scope, alert = kind, state, "{line}"),
            Urgency::Warning => warn!(%scope, alert = kind, state, "{line}"),
            Urgency::Info => info!(%scope, alert = kind, state, "{line}"),
        }
    }

    fn overdue(
        &self,
        scope: &ScopeName,
        target: &TargetId,
        kind: MarkerKind,
        since: DateTime<Utc>,
    ) {
        let kind = kind.word();
        self.problem(scope, "lease_overdue");
        let since = since.format("%Y-%m-%d %H:%M UTC");
        error!(
            %scope, target.id = %target,
            "{target}: the {kind} that was to end at {since} still stands"
        );
    }

    fn reloaded(&self, problem: Option<&str>) {
        self.counters
            .reload_success
            .set(i64::from(problem.is_none()));
        match problem {
            None => info!("the config was reloaded"),
            Some(problem) => {
                error!("the config was not reloaded, and the old one goes on:\n{problem}");
            }
        }
    }

    fn scaling(&self, scope: &ScopeName, activity: &Activity) {
        let target = &activity.target;
        let [scope_label, endpoint, variant, component] = target_values(scope, target);
        for reason in &activity.not_scaled {
            self.counters
                .not_scaled
                .with_label_values(&[
                    &scope_label,
                    &endpoint,
                    &variant,
                    &component,
                    reason.label(),
                ])
                .inc();
        }
        let line = activity_line(activity);
        if !activity.not_scaled.is_empty() {
            debug!(%scope, target.id = %target, "{target}: {line}");
            return;
        }
        if activity.status.is_final() {
            let labels = [
                scope_label.as_str(),
                &endpoint,
                &variant,
                &component,
                activity.status.label(),
            ];
            self.counters.activities.with_label_values(&labels).inc();
        }
        match activity.status {
            ActivityStatus::Failed | ActivityStatus::Unfulfilled => {
                warn!(%scope, target.id = %target, "{target}: {line}");
            }
            _ => info!(%scope, target.id = %target, "{target}: {line}"),
        }
    }
}

impl Telemetry {
    fn drift(&self, scope: &ScopeName, target: &TargetId, action: &Action, was_converged: bool) {
        let labels = [scope.as_str(), action.reason.label()];
        self.counters.drift.with_label_values(&labels).inc();
        let reason = reason_text(action);
        if was_converged {
            warn!(
                %scope, target.id = %target,
                "{target} was changed from outside: it was as declared one pass ago, and now {reason}"
            );
        } else {
            info!(%scope, target.id = %target, "{target} differs from the config: {reason}");
        }
    }

    fn spend(&self, service: &str, dollars: f64) {
        if dollars > 0.0 {
            self.counters
                .cost
                .with_label_values(&[service])
                .inc_by(dollars);
        }
    }

    /// What requests to AWS cost since the start, in dollars.
    #[must_use]
    pub fn cost(&self) -> f64 {
        self.counters.cost.with_label_values(&["cloudwatch"]).get()
    }

    fn skipped(&self, scope: &ScopeName, queries: usize, is_news: bool) {
        let count = u64::try_from(queries).unwrap_or(u64::MAX);
        self.counters
            .skipped
            .with_label_values(&[scope.as_str()])
            .inc_by(count);
        if is_news && queries > 0 {
            warn!(%scope, "scope {scope}: {queries} metric queries left out, to keep to watch.budget");
        } else if is_news {
            info!(%scope, "scope {scope}: the budget reaches for all metric queries again");
        }
    }
}

/// Tells what someone asks of a target.
fn asked(scope: &ScopeName, target: &TargetId, leases: &Leases) {
    let hold = leases.hold.as_ref().map(hold_text);
    let over = leases.bounds.as_ref().map(override_text);
    for text in hold.into_iter().chain(over) {
        info!(%scope, target.id = %target, "{target}: {text}");
    }
}

/// Tells how a target came out of planning.
fn settled(scope: &ScopeName, target: &TargetId, verdict: &Verdict) {
    match verdict {
        // The endpoint is there and the variant is not: most likely a typing error.
        Verdict::Waiting(wait @ Wait::VariantMissing { .. }) => {
            warn!(%scope, target.id = %target, "{target}: {}", wait_text(wait));
        }
        Verdict::Waiting(wait) => {
            info!(%scope, target.id = %target, "{target}: {}", wait_text(wait));
        }
        Verdict::Held => {
            warn!(%scope, target.id = %target, "{target}: held; `evenkeel plan` says why");
        }
        Verdict::Converged | Verdict::Changes => {
            debug!(%scope, target.id = %target, "{target}: {}", verdict.label());
        }
    }
}

impl EventSink for Telemetry {
    fn emit(&self, event: &Event<'_>) {
        match event {
            Event::Unseen { scope, gap } => {
                self.problem(scope, "unseen");
                warn!(%scope, "scope {scope}: {} could not be read, so less is planned: {}", gap.part, gap.why);
            }
            Event::Drift {
                scope,
                target,
                action,
                was_converged,
            } => self.drift(scope, target, action, *was_converged),
            Event::Done {
                scope,
                target,
                action,
                mends,
            } => {
                let labels = [scope.as_str(), action.change.label(), "ok"];
                self.counters.actions.with_label_values(&labels).inc();
                let verb = if *mends { "mended" } else { "written" };
                let line = action_line(target, action);
                info!(%scope, target.id = %target, action = action.change.label(), "{verb} {line}");
            }
            Event::Failed {
                scope,
                target,
                action,
                error,
            } => {
                let labels = [scope.as_str(), action.change.label(), error.kind.label()];
                self.counters.actions.with_label_values(&labels).inc();
                let line = action_line(target, action);
                warn!(%scope, target.id = %target, action = action.change.label(), "failed {line}: {error}");
            }
            Event::Settled {
                scope,
                target,
                verdict,
            } => settled(scope, target, verdict),
            Event::Refused { scope, violations } => {
                self.problem(scope, "refused");
                for violation in *violations {
                    error!(%scope, "scope {scope}: the plan was refused: {violation}");
                }
            }
            Event::Conflict {
                scope,
                target,
                conflict,
            } => {
                self.problem(scope, "conflict");
                error!(%scope, target.id = %target, "{target}: {}", conflict_text(conflict));
            }
            Event::Sent {
                receiver,
                problem,
                is_news,
            } => self.sent(receiver, *problem, *is_news),
            Event::Dropped {
                receiver,
                what,
                why,
            } => self.dropped(receiver, what, why),
            Event::Alert { scope, key, alert } => self.alert(scope, key, alert),
            Event::CapacityReset {
                scope,
                target,
                reset,
            } => {
                self.problem(scope, "capacity_reset");
                warn!(%scope, target.id = %target, "{target}: {}", reset_text(reset));
            }
            Event::Asked {
                scope,
                target,
                leases,
            } => asked(scope, target, leases),
            Event::Scheduled { scope, target, run } => self.scheduled(scope, target, run),
            Event::LeaseOverdue {
                scope,
                target,
                kind,
                since,
            } => self.overdue(scope, target, *kind, *since),
            Event::PassEnded { scope, summary } => self.pass_ended(scope, summary),
            Event::Scaling { scope, activity } => self.scaling(scope, activity),
            Event::WatchSkipped {
                scope,
                queries,
                is_news,
            } => self.skipped(scope, *queries, *is_news),
            Event::WatchFailed { scope, error } => {
                self.problem(scope, "watch_failed");
                warn!(%scope, "scope {scope}: watching: {error}");
            }
            Event::Reloaded { problem } => self.reloaded(*problem),
        }
    }
}

impl RequestLog for Telemetry {
    fn request(&self, service: &'static str, operation: &str, outcome: &'static str) {
        self.counters
            .requests
            .with_label_values(&[service, operation, outcome])
            .inc();
        self.spend(service, call_dollars(service, operation));
    }

    fn metrics(&self, billed: usize) {
        self.spend("cloudwatch", metrics_dollars(billed));
    }
}
