//! `status`: the fleet at a glance, once or again and again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock::clock_for;
use super::connect::{connect_scopes, load_config};
use super::console::Console;
use super::failure::{FAILED, Failure};
use super::settings::settings;
use crate::cli::{Common, Output};
use crate::domain::{Mode, PassReason};
use crate::ports::{EventSink, NoEvents, NoMemory, NoRequestLog, RequestLog};
use crate::runtime::{Alerter, Board, Reconciler, Watcher, nudger};
use crate::view::{status_json, status_text};

/// Each look is a few calls per page.
const LEAST: Duration = Duration::from_secs(5);

/// Shows each target as it stands; `every` so often, until it is stopped.
pub(super) async fn status(
    common: &Common,
    every: Option<Duration>,
    console: Console,
) -> Result<u8, Failure> {
    if every.is_some_and(|every| every < LEAST) {
        let what = format!("--every is at least {} s", LEAST.as_secs());
        return Err(Failure::Usage(what));
    }
    let mut config = load_config(common)?;
    // Looking writes nothing, whatever the config says; what is shown is what the config says.
    let mode = std::mem::replace(&mut config.daemon.mode, Mode::Observe);
    let log: Arc<dyn RequestLog> = Arc::new(NoRequestLog);
    let all = connect_scopes(&config, common, &log).await?;
    let (clock, _) = clock_for(&config, common).await;
    let events: Arc<dyn EventSink> = Arc::new(NoEvents);
    let now = clock.now();
    let (_keep, settings) = watch::channel(Arc::new(settings(&config, now)));
    let board = Arc::new(Board::new(now, mode, config.scopes.keys().cloned()));
    let mut lookers = Vec::new();
    for (name, ports) in all {
        let reconciler = Reconciler::new(
            name.clone(),
            ports.clone(),
            Arc::clone(&clock),
            Arc::clone(&events),
            settings.clone(),
            Arc::clone(&board),
        );
        let (nudge, nudges) = nudger();
        let watcher = Watcher::new(
            name,
            ports,
            Arc::clone(&clock),
            Arc::clone(&events),
            settings.clone(),
            Arc::clone(&board),
            nudge,
        );
        lookers.push((reconciler, watcher, nudges));
    }
    let mut alerter = Alerter::new(
        clock,
        events,
        Arc::clone(&board),
        settings,
        Arc::new(NoMemory),
    );
    loop {
        let mut failed = false;
        for (reconciler, watcher, _) in &mut lookers {
            let pass = reconciler
                .pass(PassReason::Once, &CancellationToken::new())
                .await;
            failed |= !pass.outcome.is_success();
            watcher.look().await;
        }
        if common.target.is_some() {
            forget_the_rest(&board);
        }
        alerter.look();
        let fleet = board.current();
        let mut watches = fleet.scopes.values().map(|scope| &scope.watch);
        failed |= watches.any(|watch| !watch.problems.is_empty());
        let text = match common.output {
            Output::Text => status_text(&fleet, console.paint),
            Output::Json => format!("{:#}\n", status_json(&fleet)),
        };
        let Some(every) = every else {
            console.out(&text);
            return Ok(if failed { FAILED } else { 0 });
        };
        console.out(&format!("{}{text}", console.fresh_screen()));
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            stopped = tokio::signal::ctrl_c() => {
                stopped.map_err(|error| Failure::Internal(error.to_string()))?;
                return Ok(0);
            }
        }
    }
}

/// What was not selected is not undeclared.
fn forget_the_rest(board: &Board) {
    board.update(|fleet| {
        for scope in fleet.scopes.values_mut() {
            let scope = Arc::make_mut(scope);
            scope.unmanaged.clear();
            scope.unscaled.clear();
        }
    });
}
