//! `sandbox`: the simulated AWS on its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::console::Console;
use super::daemon::{GRACE, start_logs};
use super::failure::Failure;
use crate::cli::{Common, Sandbox as Options};
use crate::config::{Problem, Problems, syntax_problem};
use crate::http::{Limits, listen, serve, to_everyone};
use crate::ports::Clock;
use crate::runtime::{Supervisor, SystemClock};
use crate::sim::engine::Options as WorldOptions;
use crate::sim::scenario::{Scenario, ScenarioError};
use crate::sim::wire::WireDoor;
use crate::sim::{Sandbox, SandboxClock, to_instant};

/// Bodies up to PutMetricData's limit, and room for JSON's long way of writing them.
const LIMITS: Limits = Limits {
    header_bytes: 16 * 1024,
    connection_time: Duration::from_hours(1),
    connections: 256,
    header_time: Duration::from_secs(10),
    body_time: Duration::from_secs(30),
    body_bytes: 4 * 1024 * 1024,
};

/// How often the world moves when nobody asks it anything.
const TICK: Duration = Duration::from_millis(100);

/// A world, its clock, and where it is served.
pub(super) struct Served {
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) clock: Arc<SandboxClock>,
    pub(super) address: SocketAddr,
}

/// A world file: where it is, and what it says.
#[derive(Debug, Clone, Default)]
pub(super) struct WorldFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl WorldFile {
    /// A mistake in it.
    fn problem(&self, error: &ScenarioError) -> Failure {
        let (path, what, remedy) = match error {
            ScenarioError::Syntax(said) => {
                let (what, remedy) = syntax_problem(said, &self.path);
                (String::new(), what, remedy.to_owned())
            }
            ScenarioError::Value { path, problem } => {
                (path.clone(), problem.clone(), String::new())
            }
        };
        let source = self.path.display().to_string();
        let problem = Problem {
            source,
            path,
            what,
            remedy,
        };
        Failure::Config(Problems(vec![problem]))
    }
}

/// Builds a world from a world file and serves it under the supervisor.
pub(super) async fn start(
    world: &WorldFile,
    speed: f64,
    seed: u64,
    address: SocketAddr,
    supervisor: &mut Supervisor,
) -> Result<Served, Failure> {
    let scenario = Scenario::parse(&world.text).map_err(|error| world.problem(&error))?;
    let listener = listen(address).await.map_err(|error| {
        let hint = "choose another address with --listen or --sandbox-listen";
        Failure::world(format!("sandbox: {:#}; {hint}", anyhow::Error::new(error)))
    })?;
    let address = listener.local_addr().context("sandbox")?;
    let clock = Arc::new(SandboxClock::new(Arc::new(SystemClock), speed));
    let engine = scenario
        .build(&WorldOptions::default(), seed, to_instant(clock.now()))
        .map_err(|error| world.problem(&error))?;
    let sandbox = Arc::new(Sandbox::new(engine, clock.clone()));
    let door = Arc::new(WireDoor::new(
        Arc::clone(&sandbox),
        Some(Arc::clone(&clock)),
    ));
    let stop = supervisor.root().child_token();
    let served = stop.clone();
    supervisor.spawn("sandbox", async move {
        serve(listener, door, LIMITS, to_everyone(), served).await;
        Ok(())
    });
    let ticked = Arc::clone(&sandbox);
    supervisor.spawn("sandbox clock", async move {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(TICK) => ticked.with(|_| ()),
            }
        }
        Ok(())
    });
    Ok(Served {
        sandbox,
        clock,
        address,
    })
}

/// Reads a world file; none is an empty world.
pub(super) fn read_world(path: Option<&Path>) -> Result<WorldFile, Failure> {
    let Some(path) = path else {
        return Ok(WorldFile::default());
    };
    let text =
        std::fs::read_to_string(path).with_context(|| format!("world file {}", path.display()))?;
    Ok(WorldFile {
        path: path.to_owned(),
        text,
    })
}

/// Serves until stopped.
pub(super) async fn run(
    common: &Common,
    options: &Options,
    console: Console,
) -> Result<u8, Failure> {
    start_logs(common, console)?;
    let mut terminate = signal(SignalKind::terminate()).context("can not listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("can not listen for signals")?;
    let world = read_world(options.world.as_deref())?;
    let root = CancellationToken::new();
    let mut supervisor = Supervisor::new(root.clone(), GRACE);
    let served = start(
        &world,
        options.speed,
        options.seed,
        options.listen,
        &mut supervisor,
    )
    .await?;
    let url = format!("http://{}", served.address);
    let region = served.sandbox.with(|world| world.region().to_owned());
    console.out(&format!(
        "sandbox on {url} at speed {}, seed {}\n\n  \
         export AWS_ENDPOINT_URL={url} AWS_REGION={region} AWS_DEFAULT_REGION={region}\n  \
         export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox\n  \
         aws sagemaker list-endpoints\n  curl {url}/_sandbox\n",
        served.clock.speed(),
        options.seed,
    ));
    let supervised = supervisor.run();
    tokio::pin!(supervised);
    loop {
        tokio::select! {
            ended = &mut supervised => {
                return ended.map(|()| 0).map_err(|fault| Failure::Internal(fault.to_string()));
            }
            _ = terminate.recv() => root.cancel(),
            _ = interrupt.recv() => root.cancel(),
        }
    }
}
