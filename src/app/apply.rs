//! `apply`: one enforcing pass, after showing it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::clock::clock_for;
use super::connect::load_config;
use super::console::Console;
use super::failure::{FAILED, Failure};
use super::inspect::{Looked, any_held, look, print_plans, violations, warn_of_gaps};
use crate::cli::Common;
use crate::config::Config;
use crate::domain::{CheckedPlan, Mode, Safety, ScopeName, check};
use crate::ports::{Event, EventSink, ScopePorts};
use crate::runtime::{Dues, Executed, Executor, execute};
use crate::view::action_line;

/// Prints each write as it is done.
#[derive(Debug)]
pub(super) struct Printer(pub(super) Console);

impl EventSink for Printer {
    fn emit(&self, event: &Event<'_>) {
        match event {
            Event::Done { target, action, .. } => {
                self.0
                    .note(&format!("done {}", action_line(target, action)));
            }
            Event::Failed {
                target,
                action,
                error,
                ..
            } => {
                self.0
                    .note(&format!("failed {}: {error}", action_line(target, action)));
            }
            _ => {}
        }
    }
}

/// Shows the plan, asks, and executes it.
pub(super) async fn apply(
    common: &Common,
    yes: bool,
    allow_shrink: bool,
    console: Console,
) -> Result<u8, Failure> {
    let config = load_config(common)?;
    let looked = look(&config, common, console).await?;
    print_plans(
        &looked,
        &violations(&looked, config.safety),
        common,
        console,
    );
    if config.daemon.mode == Mode::Observe {
        console.note("evenkeel: the config says `mode: observe`; `apply` writes all the same");
    }
    let partial = warn_of_gaps(&looked, console);
    let changes: usize = looked
        .values()
        .map(|scope| scope.plan.actions().count())
        .sum();
    let held = any_held(&looked);
    if changes == 0 {
        return Ok(if partial || held { FAILED } else { 0 });
    }
    let safety = if allow_shrink {
        Safety {
            max_change: 1.0,
            always_allowed: usize::MAX,
        }
    } else {
        config.safety
    };
    let refused = violations(&looked, safety);
    if !refused.is_empty() {
        let sentences: Vec<String> = refused.iter().map(ToString::to_string).collect();
        return Err(Failure::world(format!(
            "the plan is refused: {}",
            sentences.join("; ")
        )));
    }
    if !yes {
        if !console.can_ask {
            return Err(Failure::Usage(
                "there is no terminal to ask on; pass --yes to apply without being asked"
                    .to_owned(),
            ));
        }
        let plural = if changes == 1 { "change" } else { "changes" };
        if !console.ask(&format!("Make {changes} {plural}?")) {
            console.note("Nothing was changed.");
            return Ok(FAILED);
        }
    }
    let mut failed = partial || held;
    let (mut made, mut broken) = (0, 0);
    for (name, scope) in &looked {
        let done = execute_scope(&config, common, (name, scope), safety, console).await?;
        made += done.done;
        broken += done.failed;
    }
    failed |= broken > 0;
    let skipped = changes.saturating_sub(made + broken);
    console.note(&match (broken, skipped) {
        (0, 0) => format!("{made} of {changes} changes made."),
        (_, 0) => format!("{made} of {changes} changes made, {broken} failed."),
        _ => format!(
            "{made} of {changes} changes made, {broken} failed, {skipped} left out after a failure on their target."
        ),
    });
    Ok(if failed { FAILED } else { 0 })
}

/// Executes the plan of one scope, and prints each write.
pub(super) async fn execute_scope(
    config: &Config,
    common: &Common,
    (name, scope): (&ScopeName, &Looked),
    safety: Safety,
    console: Console,
) -> Result<Executed, Failure> {
    let checked = check(scope.plan.clone(), &scope.fleet, &scope.observed, safety)
        .map_err(|_| Failure::Internal("a plan was accepted, and then refused".to_owned()))?;
    Ok(execute_checked(config, common, (name, &scope.ports), &checked, console).await)
}

/// Executes a plan that was checked, and prints each write.
pub(super) async fn execute_checked(
    config: &Config,
    common: &Common,
    (name, ports): (&ScopeName, &ScopePorts),
    checked: &CheckedPlan,
    console: Console,
) -> Executed {
    let (clock, _) = clock_for(config, common).await;
    let events: Arc<dyn EventSink> = Arc::new(Printer(console));
    let executor = Executor {
        ports,
        clock: &clock,
        events: &events,
        scope: name,
        was_converged: &BTreeSet::new(),
        failures: &mut BTreeMap::new(),
        dues: &mut Dues::new(name.clone(), Arc::clone(&events)),
        left_alone: &BTreeMap::new(),
        backoff: Duration::ZERO,
    };
    execute(checked, executor, &CancellationToken::new()).await
}
