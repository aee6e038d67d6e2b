//! `demo`: everything on this machine, without an AWS account.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::connect::load_config;
use super::console::Console;
use super::daemon::{Daemon, GRACE, Parts, Signals, log_format};
use super::failure::Failure;
use super::live::LiveLine;
use super::sandbox::{Served, WorldFile, start};
use crate::cli::{Common, Demo};
use crate::ports::Clock;
use crate::runtime::Supervisor;
use crate::telemetry::init_logs;

const CONFIG: &str = include_str!("../../config/demo/evenkeel.yaml");
const WORLD: &str = include_str!("../../config/demo/world.yaml");

/// How often the line of progress is drawn.
const FRAME: Duration = Duration::from_millis(250);

/// The demo's config on disk: the daemon reads a file, as it does in earnest. It goes when the demo ends.
struct Files {
    dir: PathBuf,
}

impl Files {
    fn write() -> Result<Self, Failure> {
        let dir = std::env::temp_dir().join(format!("evenkeel-demo-{}", std::process::id()));
        std::fs::create_dir_all(&dir).with_context(|| format!("demo: {}", dir.display()))?;
        let files = Self { dir };
        std::fs::write(files.config(), CONFIG).context("demo: config file")?;
        Ok(files)
    }

    fn config(&self) -> PathBuf {
        self.dir.join("evenkeel.yaml")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Best effort: it lies in the directory for temporary files.
        std::fs::remove_dir_all(&self.dir).unwrap_or_default();
    }
}

/// Runs the demo until it is stopped or its time is up.
pub(super) async fn run(common: &Common, options: &Demo, console: Console) -> Result<u8, Failure> {
    let live = LiveLine::new(console.stderr_is_terminal);
    init_logs(log_format(common, console), common.verbose, live.clone()).map_err(Failure::Usage)?;
    let signals = Signals::listen()?;
    let files = Files::write()?;
    let root = CancellationToken::new();
    let mut supervisor = Supervisor::new(root.clone(), GRACE);
    let world = WorldFile {
        path: PathBuf::from("config/demo/world.yaml"),
        text: WORLD.to_owned(),
    };
    let served = start(
        &world,
        options.speed,
        options.seed,
        options.sandbox_listen,
        &mut supervisor,
    )
    .await?;
    let common = Common {
        config: files.config(),
        endpoint_url: Some(format!("http://{}", served.address)),
        scope: None,
        target: None,
        ..common.clone()
    };
    let parts = Parts {
        config: load_config(&common)?,
        common,
        clock: served.clock.clone(),
        listen: Some(options.listen),
        seed: options.seed,
    };
    let daemon = Daemon::start(parts, &mut supervisor).await?;
    console.out(&welcome(options, &served, &daemon, &files));
    let mut seen = Seen::default();
    let progress = show_progress(&served, &live, &mut seen, &root);
    let time_is_up = async {
        match options.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
        info!("the demo's time is up");
        root.cancel();
        std::future::pending::<()>().await;
    };
    let supervised = daemon.supervise(supervisor, signals);
    let outcome = tokio::select! {
        outcome = supervised => outcome,
        () = progress => Ok(()),
        () = time_is_up => Ok(()),
    };
    live.clear();
    console.out(&seen.summary());
    outcome.map(|()| 0)
}

fn welcome(options: &Demo, served: &Served, daemon: &Daemon, files: &Files) -> String {
    let program =
        std::env::current_exe().map_or("evenkeel".to_owned(), |p| p.display().to_string());
    let (aws, page, config) = (served.address, daemon.address, files.config());
    let config = config.display();
    format!(
        "A simulated AWS at {}x speed, and evenkeel supervising its endpoints. No AWS account is involved.\n\n  \
         status page  http://{page}/\n  \
         metrics      http://{page}/metrics\n  \
         AWS          http://{aws} (any AWS client)\n  \
         config       {config}\n\n\
         In another terminal, see that AWS is as declared; then break something and watch it being mended:\n\n  \
         {program} plan --config {config} --endpoint-url http://{aws}\n  \
         AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo \\\n    \
         aws --endpoint-url http://{aws} --region us-east-1 application-autoscaling delete-scaling-policy \\\n    \
         --service-namespace sagemaker --scalable-dimension sagemaker:variant:DesiredInstanceCount \\\n    \
         --resource-id endpoint/steady/variant/AllTraffic --policy-name evenkeel-invocations_per_instance\n\n\
         Edit the config and reload it with kill -HUP {}. Ctrl-C ends the demo.\n\n",
        options.speed,
        std::process::id()
    )
}

/// What capacity did while someone looked.
#[derive(Default)]
struct Seen {
    endpoints: BTreeMap<String, Track>,
}

struct Track {
    last: u32,
    lowest: u32,
    highest: u32,
    ups: u32,
    downs: u32,
}

impl Seen {
    fn look(&mut self, endpoint: &str, current: u32) {
        let track = self.endpoints.entry(endpoint.to_owned()).or_insert(Track {
            last: current,
            lowest: current,
            highest: current,
            ups: 0,
            downs: 0,
        });
        match current.cmp(&track.last) {
            std::cmp::Ordering::Greater => track.ups += 1,
            std::cmp::Ordering::Less => track.downs += 1,
            std::cmp::Ordering::Equal => {}
        }
        track.last = current;
        track.lowest = track.lowest.min(current);
        track.highest = track.highest.max(current);
    }

    fn summary(&self) -> String {
        let line = |(endpoint, track): (&String, &Track)| {
            format!(
                "  {endpoint:<10} {} to {} instances, up {} times, down {} times\n",
                track.lowest, track.highest, track.ups, track.downs
            )
        };
        let lines: String = self.endpoints.iter().map(line).collect();
        format!("\nWhat happened:\n{lines}")
    }
}

/// Draws the line of progress until the end. It never returns before the root is cancelled and everyone has left.
async fn show_progress(
    served: &Served,
    live: &LiveLine,
    seen: &mut Seen,
    root: &CancellationToken,
) {
    let started = served.clock.now();
    loop {
        let capacities = served.sandbox.with(|world| {
            let variants = world.variants();
            let instances = |(endpoint, variant): &(String, String)| {
                Some((endpoint.clone(), world.instances(endpoint, variant)?))
            };
            variants.iter().filter_map(instances).collect::<Vec<_>>()
        });
        let parts: Vec<String> = capacities
            .iter()
            .map(|(endpoint, (current, desired))| {
                seen.look(endpoint, *current);
                if current == desired {
                    format!("{endpoint} {current}")
                } else {
                    format!("{endpoint} {current}->{desired}")
                }
            })
            .collect();
        let minutes = (served.clock.now() - started).num_minutes();
        if !root.is_cancelled() {
            let (hours, minutes) = (minutes / 60, minutes % 60);
            live.show(&format!("{hours:02}:{minutes:02}h  {}", parts.join("  ")));
        }
        tokio::time::sleep(FRAME).await;
    }
}
