//! `run`: the daemon, put together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::access::{self, Door};
use super::clock::{clock_for, follow};
use super::connect::{connect_scopes, load_config};
use super::console::Console;
use super::failure::{FAILED, Failure};
use super::service::{self, Systemd};
use super::settings::{settings, webhook_body, webhooks};
use crate::aws::HttpPoster;
use crate::cli::{Common, Logs, Run};
use crate::config::{Config, Problems};
use crate::domain::{Mode, Note, PassReason, ScopeName};
use crate::http::{Limits, listen, serve};
use crate::ports::{
    AlertMemory, Clock, Event, EventSink, Heartbeats, NoMemory, RequestLog, ScopePorts,
    ServiceManager, Sign,
};
use crate::runtime::{
    Alerter, Board, Fault, Hooks, Pace, Reconciler, Render, Sender, Settings, Supervisor,
    SystemClock, Watcher, drive, nudger, tell_signs,
};
use crate::telemetry::{
    Journal, Listeners, LogFormat, StateFiles, Telemetry, init_logs, is_journal,
};
use crate::view::{alertmanager_alerts, status_line};
use crate::web::{Pages, Scrape};

/// All tasks end within this after a stop; systemd's stop timeout is to be above it.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// A daemon that runs under a supervisor.
pub(super) struct Daemon {
    /// Where HTTP is served.
    pub(super) address: SocketAddr,
    /// What it knows.
    pub(super) board: Arc<Board>,
    /// Listens and counts.
    telemetry: Arc<Telemetry>,
    /// Telemetry, and the journal where there is one.
    events: Arc<dyn EventSink>,
    settings: watch::Sender<Arc<Settings>>,
    memory: Arc<dyn AlertMemory>,
    manager: Arc<dyn ServiceManager>,
    door: Arc<Door>,
    nudges: Vec<mpsc::Sender<PassReason>>,
    clock: Arc<dyn Clock>,
    config: Config,
    common: Common,
    listen_override: Option<SocketAddr>,
}

/// What a daemon is made of.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) common: Common,
    pub(super) clock: Arc<dyn Clock>,
    /// Instead of the config's address.
    pub(super) listen: Option<SocketAddr>,
    pub(super) seed: u64,
}

pub(super) fn state_directory(config: &Config) -> Option<PathBuf> {
    let by_systemd = || std::env::var_os("STATE_DIRECTORY").map(PathBuf::from);
    config.daemon.state_dir.clone().or_else(by_systemd)
}

/// Who hears of what happens: logs and metrics, and the journal where there is a place for it.
fn listeners(
    directory: Option<&Path>,
    telemetry: &Arc<Telemetry>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn EventSink>, Failure> {
    let telemetry: Arc<dyn EventSink> = telemetry.clone();
    let Some(directory) = directory else {
        return Ok(telemetry);
    };
    let journal = Journal::open(directory, Arc::clone(clock))
        .with_context(|| format!("the journal in {}", directory.display()))?;
    Ok(Arc::new(Listeners(vec![telemetry, Arc::new(journal)])))
}

fn memory(directory: Option<&Path>) -> Result<Arc<dyn AlertMemory>, Failure> {
    let Some(directory) = directory else {
        return Ok(Arc::new(NoMemory));
    };
    let files = StateFiles::open(directory)
        .with_context(|| format!("the state directory {}", directory.display()))?;
    Ok(Arc::new(files))
}

/// The settings of a config, with the secrets that it names.
fn whole_settings(config: &Config, now: DateTime<Utc>) -> Result<Settings, Problems> {
    let webhooks = webhooks(config)?;
    Ok(Settings {
        webhooks,
        ..settings(config, now)
    })
}

impl Daemon {
    /// Starts all tasks under the supervisor. The port is opened before anything else, so that a port in use is
    /// found before AWS is asked for anything.
    pub(super) async fn start(parts: Parts, supervisor: &mut Supervisor) -> Result<Self, Failure> {
        let Parts {
            config,
            common,
            clock,
            listen: listen_override,
            seed,
        } = parts;
        let wanted = listen_override.unwrap_or(config.daemon.listen);
        let listener = listen(wanted).await.map_err(|error| {
            let hint = "choose another address with --listen, or with daemon.http.listen";
            Failure::world(format!("HTTP: {:#}; {hint}", anyhow::Error::new(error)))
        })?;
        let address = listener.local_addr().context("HTTP")?;
        let telemetry = Telemetry::new(config.scopes.keys().cloned()).map_err(Failure::Internal)?;
        let telemetry = Arc::new(telemetry);
        let log: Arc<dyn RequestLog> = telemetry.clone();
        let all = connect_scopes(&config, &common, &log).await?;
        let now = clock.now();
        let current = whole_settings(&config, now).map_err(Failure::Config)?;
        let door = Arc::new(Door::new(&config.daemon).map_err(|p| Failure::world(p.to_string()))?);
        let directory = state_directory(&config);
        let memory = memory(directory.as_deref())?;
        let board = Arc::new(Board::new(now, current.mode, config.scopes.keys().cloned()));
        let events = listeners(directory.as_deref(), &telemetry, &clock)?;
        let heartbeats = Arc::new(Heartbeats::default());
        let (settings, _) = watch::channel(Arc::new(current));
        let mut daemon = Self {
            address,
            board,
            telemetry,
            events,
            settings,
            memory,
            manager: Arc::new(Systemd),
            door,
            nudges: Vec::new(),
            clock,
            config,
            common,
            listen_override,
        };
        for (name, ports) in all {
            daemon.start_scope(&name, ports, &heartbeats, seed, supervisor);
        }
        daemon.start_alerts(&heartbeats, seed, supervisor);
        daemon.start_signs(&heartbeats, supervisor);
        let counted = Arc::clone(&daemon.telemetry);
        let clock = Arc::clone(&daemon.clock);
        let scrape: Scrape = Arc::new(move |fleet| counted.scrape(fleet, clock.now()));
        let pages = Arc::new(Pages::new(daemon.board.subscribe(), heartbeats, scrape));
        let stop = supervisor.root().child_token();
        let access = daemon.door.subscribe();
        supervisor.spawn("http", async move {
            serve(listener, pages, Limits::default(), access, stop).await;
            Ok(())
        });
        let (door, stop) = (Arc::clone(&daemon.door), supervisor.root().child_token());
        supervisor.spawn("certificate and token", async move {
            door.follow(stop).await;
            Ok(())
        });
        Ok(daemon)
    }

    /// Signs of life for whoever started this process.
    fn start_signs(&self, heartbeats: &Arc<Heartbeats>, supervisor: &mut Supervisor) {
        let signs = tell_signs(
            Arc::clone(&self.manager),
            Arc::clone(&self.board),
            Arc::clone(heartbeats),
            Arc::new(status_line),
            service::interval(),
            supervisor.root().child_token(),
        );
        supervisor.spawn("signs of life", async move {
            signs.await;
            Ok(())
        });
    }

    fn start_alerts(&self, heartbeats: &Arc<Heartbeats>, seed: u64, supervisor: &mut Supervisor) {
        let events: Arc<dyn EventSink> = self.telemetry.clone();
        let alerter = Alerter::new(
            Arc::clone(&self.clock),
            events,
            Arc::clone(&self.board),
            self.settings.subscribe(),
            Arc::clone(&self.memory),
        );
        let pace = Pace {
            clock: Arc::clone(&self.clock),
            heartbeats: Arc::clone(heartbeats),
            seed,
            patience: Duration::from_mins(1),
        };
        let (_never, no_nudges) = nudger();
        let looks = drive(alerter, no_nudges, pace, supervisor.root().child_token());
        supervisor.spawn("alerts", async move {
            looks.await;
            Ok(())
        });
        self.start_sending(heartbeats, seed, supervisor);
    }

    /// Alerts are sent by real time, whatever the time in a sandbox.
    fn start_sending(&self, heartbeats: &Arc<Heartbeats>, seed: u64, supervisor: &mut Supervisor) {
        let clock = Arc::clone(&self.clock);
        let render: Render =
            Arc::new(move |fleet, wall| alertmanager_alerts(fleet, clock.now(), wall));
        let real: Arc<dyn Clock> = Arc::new(SystemClock);
        let sender = Sender::new(
            Arc::clone(&real),
            self.telemetry.clone(),
            Arc::clone(&self.board),
            self.settings.subscribe(),
            Arc::new(HttpPoster::new()),
            render,
        );
        let pace = || Pace {
            clock: Arc::clone(&real),
            heartbeats: Arc::clone(heartbeats),
            seed,
            // Twenty messages, each to a receiver that takes its time.
            patience: Duration::from_mins(5),
        };
        let hooks = Hooks::new(
            Arc::clone(&real),
            self.telemetry.clone(),
            Arc::clone(&self.board),
            self.settings.subscribe(),
            Arc::new(HttpPoster::new()),
            Arc::new(webhook_body),
            Arc::clone(&self.memory),
        );
        let (_never, no_nudges) = nudger();
        let tells = drive(hooks, no_nudges, pace(), supervisor.root().child_token());
        supervisor.spawn("webhooks", async move {
            tells.await;
            Ok(())
        });
        let (_never, no_nudges) = nudger();
        let sends = drive(sender, no_nudges, pace(), supervisor.root().child_token());
        supervisor.spawn("send alerts", async move {
            sends.await;
            Ok(())
        });
    }

    fn start_scope(
        &mut self,
        name: &ScopeName,
        ports: ScopePorts,
        heartbeats: &Arc<Heartbeats>,
        seed: u64,
        supervisor: &mut Supervisor,
    ) {
        let events = Arc::clone(&self.events);
        let (nudge, nudges) = nudger();
        self.nudges.push(nudge.clone());
        // A pass is a few calls per page; each has its own limit. Ten of them in a row without a tick mean a loop
        // that hangs.
        let patience = self.config.daemon.call_timeout.saturating_mul(10);
        let pace = |offset: u64| Pace {
            clock: Arc::clone(&self.clock),
            heartbeats: Arc::clone(heartbeats),
            seed: seed.wrapping_add(offset),
            patience,
        };
        let reconciler = Reconciler::new(
            name.clone(),
            ports.clone(),
            Arc::clone(&self.clock),
            Arc::clone(&events),
            self.settings.subscribe(),
            Arc::clone(&self.board),
        );
        let watcher = Watcher::new(
            name.clone(),
            ports,
            Arc::clone(&self.clock),
            events,
            self.settings.subscribe(),
            Arc::clone(&self.board),
            nudge,
        );
        let (stop, looks_stop) = (
            supervisor.root().child_token(),
            supervisor.root().child_token(),
        );
        let passes = drive(reconciler, nudges, pace(1), stop);
        supervisor.spawn(format!("reconcile {name}"), async move {
            passes.await;
            Ok(())
        });
        let (_never, no_nudges) = nudger();
        let looks = drive(watcher, no_nudges, pace(2), looks_stop);
        supervisor.spawn(format!("watch {name}"), async move {
            looks.await;
            Ok(())
        });
    }

    /// Reads the config again. A bad one changes nothing but what is said about it.
    fn reload(&self) {
        let now = self.clock.now();
        let outcome = load_config(&self.common)
            .map_err(|failure| failure.to_string())
            .and_then(|config| {
                self.accept(&config)?;
                let text = |problems: Problems| problems.to_string();
                let access = access::read(&config.daemon).map_err(text)?;
                Ok((whole_settings(&config, now).map_err(text)?, access))
            });
        match outcome {
            Ok((fresh, access)) => {
                self.door.replace(access);
                let declared = fresh.fleets.values();
                let targets: usize = declared.map(|f| f.targets.len() + f.selections.len()).sum();
                let mode = fresh.mode;
                self.settings.send_replace(Arc::new(fresh));
                self.board.update(|fleet| {
                    fleet.mode = mode;
                    fleet.config.loaded = now;
                    fleet.config.problem = None;
                });
                self.telemetry.emit(&Event::Reloaded { problem: None });
                if targets == 0 {
                    warn!("the config now declares no targets: nothing is supervised any more");
                }
                for nudge in &self.nudges {
                    // A full line means that the loop is about to run anyway.
                    nudge.try_send(PassReason::Reload).unwrap_or_default();
                }
            }
            Err(problem) => {
                // Shown before it is told: whoever reads the log may look at the page next.
                self.board
                    .update(|fleet| fleet.config.problem = Some(problem.clone()));
                self.telemetry.emit(&Event::Reloaded {
                    problem: Some(&problem),
                });
            }
        }
    }

    /// What was opened at the start can not be changed by a reload.
    fn accept(&self, fresh: &Config) -> Result<(), String> {
        let scopes = |config: &Config| -> Vec<_> {
            config
                .scopes
                .values()
                .map(|(scope, _)| scope.clone())
                .collect()
        };
        if scopes(fresh) != scopes(&self.config) {
            return Err("`scopes` changed: restart evenkeel to use the new ones".to_owned());
        }
        if self.listen_override.is_none() && fresh.daemon.listen != self.config.daemon.listen {
            return Err("`daemon.http.listen` changed: restart evenkeel to use it".to_owned());
        }
        if fresh.daemon.state_dir != self.config.daemon.state_dir {
            return Err("`daemon.state_dir` changed: restart evenkeel to use it".to_owned());
        }
        Ok(())
    }

    /// Serves signals until everything has stopped. SIGHUP reloads, SIGTERM and SIGINT stop, a second one at once.
    pub(super) async fn supervise(
        &self,
        supervisor: Supervisor,
        mut signals: Signals,
    ) -> Result<(), Failure> {
        let root = supervisor.root().clone();
        let supervised = supervisor.run();
        tokio::pin!(supervised);
        loop {
            tokio::select! {
                ended = &mut supervised => return ended.map_err(|fault| match fault {
                    Fault::Late(_) => Failure::world(fault.to_string()),
                    Fault::Ended { .. } => Failure::Internal(fault.to_string()),
                }),
                wanted = signals.next() => match wanted {
                    Wanted::Reload => {
                        // Who has not been ready yet can not be ready again.
                        let is_ready = self.board.current().is_ready();
                        if is_ready {
                            self.manager.tell(&Sign::Reloading);
                        }
                        self.reload();
                        if is_ready {
                            self.manager.tell(&Sign::Ready);
                        }
                    }
                    Wanted::Stop if root.is_cancelled() => {
                        return Err(Failure::world("stopped at once by a second signal"));
                    }
                    Wanted::Stop => {
                        info!("stopping");
                        self.manager.tell(&Sign::Stopping);
                        root.cancel();
                    }
                },
            }
        }
    }
}

/// What a signal asks for.
enum Wanted {
    Reload,
    Stop,
}

/// The signals that are listened to. Made before anything says that it runs: a signal in the first moment counts.
pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).context("can not listen for signals");
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Wanted {
        tokio::select! {
            _ = self.hangup.recv() => Wanted::Reload,
            _ = self.terminate.recv() => Wanted::Stop,
            _ = self.interrupt.recv() => Wanted::Stop,
        }
    }
}

/// Starts logging as the command line asks.
pub(super) fn start_logs(common: &Common, console: Console) -> Result<(), Failure> {
    init_logs(log_format(common, console), common.verbose, std::io::stderr).map_err(Failure::Usage)
}

pub(super) fn log_format(common: &Common, console: Console) -> LogFormat {
    match common.log_format {
        Logs::Text if is_journal() => LogFormat::Journal,
        Logs::Text => LogFormat::Text {
            colour: console.colours_messages(),
        },
        Logs::Json => LogFormat::Json,
    }
}

/// Runs until stopped.
pub(super) async fn run(common: &Common, options: &Run, console: Console) -> Result<u8, Failure> {
    start_logs(common, console)?;
    let signals = Signals::listen()?;
    let config = load_config(common)?;
    let (clock, followed) = clock_for(&config, common).await;
    // Jitter is for spreading many daemons; two that start together must not draw the same.
    let seed = u64::from(std::process::id()) ^ clock.now().timestamp_millis().unsigned_abs();
    let mut supervisor = Supervisor::new(CancellationToken::new(), GRACE);
    if let Some(followed) = followed {
        let stop = supervisor.root().child_token();
        supervisor.spawn("sandbox clock", async move {
            follow(followed, stop).await;
            Ok(())
        });
    }
    let (targets, mode) = (config.target_count(), config.daemon.mode);
    let scheme = config.daemon.tls.as_ref().map_or("http", |_| "https");
    let selections = config.selection_count();
    let needs_token = config.daemon.token.is_some();
    let parts = Parts {
        config,
        common: common.clone(),
        clock,
        listen: options.listen,
        seed,
    };
    let daemon = Daemon::start(parts, &mut supervisor).await?;
    let selections = match selections {
        0 => String::new(),
        1 => " and 1 selection".to_owned(),
        n => format!(" and {n} selections"),
    };
    info!(
        "supervising {targets} targets{selections} in {} mode; status page on {scheme}://{}/",
        mode.label(),
        daemon.address
    );
    if !daemon.address.ip().is_loopback() && !needs_token {
        info!(
            "whoever reaches {} sees the pages; `daemon.http.token_file` would ask for a token",
            daemon.address
        );
    }
    daemon.supervise(supervisor, signals).await?;
    info!("stopped");
    Ok(0)
}

/// Whether something that is declared can not be done without a person.
fn any_held(board: &Board, scope: &ScopeName) -> bool {
    let fleet = board.current();
    let targets = fleet.scopes.get(scope).into_iter();
    let mut notes = targets
        .flat_map(|s| s.targets.values())
        .flat_map(|t| &t.notes);
    notes.any(Note::holds)
}

/// Runs one pass over every scope.
pub(super) async fn once(common: &Common, console: Console) -> Result<u8, Failure> {
    start_logs(common, console)?;
    let config = load_config(common)?;
    let telemetry = Telemetry::new(config.scopes.keys().cloned()).map_err(Failure::Internal)?;
    let telemetry = Arc::new(telemetry);
    let log: Arc<dyn RequestLog> = telemetry.clone();
    let (clock, _) = clock_for(&config, common).await;
    let all: BTreeMap<ScopeName, ScopePorts> = connect_scopes(&config, common, &log).await?;
    let now = clock.now();
    let (_keep, settings) = watch::channel(Arc::new(settings(&config, now)));
    let board = Arc::new(Board::new(
        now,
        Mode::Enforce,
        config.scopes.keys().cloned(),
    ));
    let stop = CancellationToken::new();
    let mut failed = false;
    for (name, ports) in all {
        let events: Arc<dyn EventSink> = telemetry.clone();
        let mut reconciler = Reconciler::new(
            name.clone(),
            ports,
            Arc::clone(&clock),
            events,
            settings.clone(),
            Arc::clone(&board),
        );
        let pass = reconciler.pass(PassReason::Once, &stop).await;
        failed |= !pass.outcome.is_success() || any_held(&board, &name);
        let (outcome, done) = (pass.outcome.label(), pass.done);
        info!(
            "scope {name}: {outcome}, writes done: {done}, failed: {}",
            pass.failed
        );
    }
    Ok(if failed { FAILED } else { 0 })
}
