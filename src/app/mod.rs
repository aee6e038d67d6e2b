//! Wiring: the only room that knows all the others.

mod access;
mod adopt;
mod alert_test;
mod apply;
mod clock;
mod connect;
mod console;
mod daemon;
mod demo;
mod explain;
mod failure;
mod health;
mod init;
mod inspect;
mod lease;
mod live;
mod manual;
mod remove;
mod sandbox;
mod schedule;
mod service;
mod settings;
mod stand_in;
mod status;
mod update;

pub use failure::{CONFIG, FAILED, Failure, INTERNAL, USAGE};
pub use settings::{settings, webhook_body, webhooks};

use crate::cli::{Cli, Command};
use console::Console;

/// Runs a command and returns its exit code.
#[must_use]
pub fn main(cli: &Cli) -> u8 {
    let console = Console::new();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            console.error(&format!("can not start: {error}"));
            return INTERNAL;
        }
    };
    let outcome = runtime.block_on(dispatch(cli, console));
    // What still runs in the background has had its time.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            console.error(&failure.to_string());
            failure.exit_code()
        }
    }
}

async fn dispatch(cli: &Cli, console: Console) -> Result<u8, Failure> {
    let common = &cli.common;
    if matches!(
        cli.command,
        Command::Plan
            | Command::Status { .. }
            | Command::Explain(_)
            | Command::Apply { .. }
            | Command::Import { .. }
            | Command::Init(_)
            | Command::Remove { .. }
            | Command::Hold(_)
            | Command::Override(_)
            | Command::Release(_)
            | Command::PrepareUpdate(_)
            | Command::FinishUpdate { .. }
    ) {
        daemon::start_logs(common, console)?;
    }
    match &cli.command {
        Command::Validate { resolved } => inspect::validate(common, *resolved, console),
        Command::Import {
            region,
            assume_role,
        } => adopt::import(common, region.as_deref(), assume_role.as_deref(), console).await,
        Command::Init(options) => init::init(common, options, console).await,
        Command::Remove { yes } => remove::remove(common, *yes, console).await,
        Command::Completions { shell } => {
            manual::completions(*shell, console);
            Ok(0)
        }
        Command::Man { directory } => manual::man(directory.as_deref(), console),
        Command::Convert { files, bounds } => adopt::convert(common, files, *bounds, console).await,
        Command::IamPolicy { account } => inspect::iam_policy(common, account.as_deref(), console),
        Command::AlertTest(options) => alert_test::alert_test(common, options, console).await,
        Command::Explain(options) => explain::explain(common, options, console).await,
        Command::Health(options) => health::health(common, options, console).await,
        Command::Plan => inspect::plan(common, console).await,
        Command::Status { watch, every } => {
            let every = watch.then_some(*every);
            status::status(common, every, console).await
        }
        Command::Hold(options) => lease::hold(common, options, console).await,
        Command::Override(options) => lease::override_bounds(common, options, console).await,
        Command::Release(options) => lease::release(common, options, console).await,
        Command::PrepareUpdate(options) => update::prepare(common, options, console).await,
        Command::FinishUpdate { endpoint, yes } => {
            update::finish(common, endpoint, *yes, console).await
        }
        Command::Apply { yes, allow_shrink } => {
            apply::apply(common, *yes, *allow_shrink, console).await
        }
        Command::Schedule(options) => schedule::schedule(common, options, console),
        Command::Run(options) if options.once => daemon::once(common, console).await,
        Command::Run(options) => daemon::run(common, options, console).await,
        Command::Sandbox(options) => sandbox::run(common, options, console).await,
        Command::Demo(options) => demo::run(common, options, console).await,
    }
}
