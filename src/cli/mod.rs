//! The command line.

mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::build;
use crate::domain::{Bounds, EndpointName, Expression, Zone};
use values::{
    account, address, at, bounds, cron, demo_speed, duration, instant, rate, region, role, speed,
    url, zone,
};

/// Keeps Amazon SageMaker endpoints at the right size.
///
/// You declare how each endpoint should scale; evenkeel makes AWS Application Auto Scaling agree, keeps it so, and
/// says why it did or did not act.
#[derive(Debug, Parser)]
#[command(
    name = "evenkeel",
    version = build::VERSION,
    long_version = build::LONG_VERSION,
    after_help = "Examples:\n  \
        evenkeel demo                                        everything on this machine, no AWS account\n  \
        evenkeel validate --config config/evenkeel.yaml      all mistakes of a config at once\n  \
        evenkeel plan --config config/evenkeel.yaml          what would change, and why\n  \
        evenkeel run --config /etc/evenkeel                  the daemon\n\n\
        Exit codes: 0 fine, 1 failed, 2 `plan` found changes, 64 usage, 70 internal, 78 config."
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Config file, or a directory of config files.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        default_value = "/etc/evenkeel"
    )]
    pub config: PathBuf,
    /// Only this scope of the config.
    #[arg(long, global = true, value_name = "NAME")]
    pub scope: Option<String>,
    /// Only targets whose endpoint or resource id matches; `*` and `?` are wildcards.
    #[arg(long, global = true, value_name = "GLOB")]
    pub target: Option<String>,
    /// How results are written to standard output.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Talk to this server instead of AWS. `AWS_ENDPOINT_URL` and its variants for single services work too.
    #[arg(long, global = true, value_name = "URL", value_parser = url)]
    pub endpoint_url: Option<String>,
    /// How log lines are written to standard error.
    #[arg(long, global = true, value_enum, default_value_t = Logs::Text)]
    pub log_format: Logs,
    /// Log more; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Logs {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show everything on this machine: a simulated AWS with a few endpoints and traffic, the daemon, the page.
    #[command(after_help = "Example:\n  evenkeel demo --for 90s --speed 240")]
    Demo(Demo),
    /// Run the daemon.
    #[command(
        after_help = "Signals: SIGHUP reloads the config; SIGTERM and SIGINT stop within 10 s, a second one at \
            once.\n\n\
            Example:\n  evenkeel run --config /etc/evenkeel --log-format json"
    )]
    Run(Run),
    /// Check the config and report every mistake at once.
    #[command(
        after_help = "Example:\n  evenkeel validate --config config/evenkeel.yaml --resolved"
    )]
    Validate {
        /// Print the config as it is meant, with every default filled in.
        #[arg(long)]
        resolved: bool,
    },
    /// Show what a pass would change, with a reason per line. Exit code 2 means there are changes.
    #[command(after_help = "Example:\n  evenkeel plan --target 'chat*' --output json")]
    Plan,
    /// Make AWS agree with the config once, after showing what would change.
    #[command(after_help = "Example:\n  evenkeel apply --yes")]
    Apply {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Go on even if more targets shrink than `safety.max_change` allows.
        #[arg(long)]
        allow_shrink: bool,
    },
    /// Show what is wrong, and each target: capacity, bounds, alarms, signals, last activity.
    #[command(
        after_help = "Alerts are those that one look can find: how long something holds is known as far as AWS tells \
            it. The daemon's page and /api/v1/status know more.\n\n\
            Example:\n  evenkeel status --config config/evenkeel.yaml\n  evenkeel status --target 'chat*' --watch"
    )]
    Status {
        /// Look again and again, until it is stopped.
        #[arg(long)]
        watch: bool,
        /// How long between two looks; each is a few calls, and metrics cost money.
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s", requires = "watch")]
        every: Duration,
    },
    /// Let policies stand still for a while: no scaling in, out, or both. It ends by itself.
    #[command(
        after_help = "TARGET is an endpoint, a component or a resource id; `*` and `?` are wildcards.\n\n\
            Example:\n  evenkeel hold chat --in --for 2h --reason 'load test, keep it warm'"
    )]
    Hold(HoldOptions),
    /// Set other bounds for a while. The config's come back by themselves.
    #[command(
        after_help = "TARGET is an endpoint, a component or a resource id; `*` and `?` are wildcards.\n\n\
            Example:\n  evenkeel override chat --min 6 --max 30 --for 4h --reason 'launch'"
    )]
    Override(OverrideOptions),
    /// End holds and overrides before their time.
    #[command(
        after_help = "Without --hold and --override, both end.\n\nExample:\n  evenkeel release chat --hold"
    )]
    Release(ReleaseOptions),
    /// Deregister the variants of an endpoint, so that it can be updated to another instance type or without a variant.
    #[command(
        after_help = "SageMaker refuses such an update while a variant is registered. Capacity stays where it is, and \
            evenkeel leaves the endpoint alone until `finish-update`, also after a crash.\n\nExample:\n  \
            evenkeel prepare-update chat --reason 'to g6'\n  \
            aws sagemaker update-endpoint --endpoint-name chat --endpoint-config-name chat-g6 \
            --retain-all-variant-properties\n  evenkeel finish-update chat"
    )]
    PrepareUpdate(PrepareOptions),
    /// Register everything again that the config declares for an endpoint whose update was prepared.
    #[command(after_help = "Example:\n  evenkeel finish-update chat --yes")]
    FinishUpdate {
        /// The endpoint.
        #[arg(value_name = "ENDPOINT")]
        endpoint: EndpointName,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Write config for what AWS Application Auto Scaling already holds.
    #[command(
        after_help = "The config is what stands: the next `plan` finds nothing. What no config can say is a \
            comment.\n\nExample:\n  evenkeel import --region us-west-2 > evenkeel.yaml\n  \
            evenkeel plan --config evenkeel.yaml"
    )]
    Import {
        /// The region; else that of the environment.
        #[arg(long, value_name = "REGION", value_parser = region)]
        region: Option<String>,
        /// A role to assume.
        #[arg(long, value_name = "ARN", value_parser = role)]
        assume_role: Option<String>,
    },
    /// Write a config to begin with: every endpoint that the credentials can see, in observe mode.
    #[command(
        after_help = "What is registered is written as it stands, with what the lint objects to as comments. For the \
            rest there are proposals: bounds from what runs, targets from the load of the last day.\n\n\
            Example:\n  evenkeel init --region us-west-2 --out evenkeel.yaml\n  \
            evenkeel plan --config evenkeel.yaml"
    )]
    Init(InitOptions),
    /// Take everything out of AWS that evenkeel made, after showing it.
    #[command(
        after_help = "Registrations with its tag go, with their policies; elsewhere its policies, alarms and scheduled \
            actions; holds and overrides end. Capacity stays where it is. What others made stays.\n\n\
            Example:\n  evenkeel remove --config evenkeel.yaml\n  evenkeel remove --target 'chat*' --yes"
    )]
    Remove {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Print the completions of a shell.
    #[command(
        after_help = "Example:\n  evenkeel completions bash > /etc/bash_completion.d/evenkeel"
    )]
    Completions {
        /// Which shell.
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command.
    #[command(
        after_help = "Example:\n  evenkeel man | man -l -\n  evenkeel man /usr/share/man/man1"
    )]
    Man {
        /// A directory that exists; all pages are written there.
        #[arg(value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
    /// Write config for what other tools keep: ACK manifests, and calls or answers of the AWS CLI as JSON.
    #[command(
        after_help = "Example:\n  aws application-autoscaling describe-scaling-policies --service-namespace sagemaker \
            > policies.json\n  evenkeel convert policies.json --bounds 1..4 > evenkeel.yaml"
    )]
    Convert {
        /// Files; those that belong together, together.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Bounds of targets whose registration is not in the files.
        #[arg(long, value_name = "MIN..MAX", value_parser = bounds)]
        bounds: Option<Bounds>,
    },
    /// Print the IAM policy that this config needs, and no more.
    #[command(
        after_help = "Example:\n  evenkeel iam-policy --scope prod --account 123456789012 > policy.json\n  \
            aws iam put-role-policy --role-name evenkeel --policy-name evenkeel --policy-document file://policy.json"
    )]
    IamPolicy {
        /// The account that the policy is for; else that of the scope's role, else any.
        #[arg(long, value_name = "NUMBER", value_parser = account)]
        account: Option<String>,
    },
    /// Show when a schedule fires, in its zone and in UTC.
    #[command(
        after_help = "Expressions are those of AWS Application Auto Scaling; cron and at also without their \
            brackets.\n\n\
            Example:\n  evenkeel schedule --cron '0 8 ? * MON-FRI *' --timezone Europe/Berlin\n  \
            evenkeel schedule --rate '6 hours' --start 2026-11-22T03:00:00Z --count 3\n  \
            evenkeel schedule --at 2026-12-24T18:00:00 --timezone America/New_York --output json"
    )]
    Schedule(ScheduleOptions),
    /// Ask the daemon on this machine whether its loops tick; exit code 1 when they do not, or nobody answers.
    #[command(
        after_help = "Example:\n  evenkeel health\n  evenkeel health --ready --listen 127.0.0.1:9464"
    )]
    Health(Health),
    /// Why a target did what it did, and why it did not do something else: its metrics, alarms, activities, schedules,
    /// and who changed what, in one timeline.
    #[command(after_help = "Exit code 1 when part of it could not be read.\n\n\
            Example:\n  evenkeel explain chat --since 6h\n  \
            evenkeel explain endpoint/chat/variant/AllTraffic --at 2026-11-22T03:10:00Z --output json")]
    Explain(ExplainOptions),
    /// Send an alert that is none to every receiver of the config, and its end, and say who took them.
    #[command(
        name = "alert-test",
        after_help = "The alert carries the scope `alert-test` and says that it is a test. Exit code 1 when a \
            receiver did not take it.\n\n\
            Example:\n  evenkeel alert-test --receiver oncall --alert MaxCapacitySaturated"
    )]
    AlertTest(AlertTest),
    /// Run the simulated AWS on its own, for any AWS client.
    #[command(
        after_help = "Example:\n  evenkeel sandbox --speed 60 --world config/demo/world.yaml\n  \
            aws --endpoint-url http://127.0.0.1:4599 sagemaker list-endpoints"
    )]
    Sandbox(Sandbox),
}

/// For how long something is asked for, by whom, and why.
#[derive(Debug, Clone, Args)]
pub struct Asked {
    /// How long: 90s, 30m, 2h, 3days; at most 30 days.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, conflicts_with = "until")]
    pub duration: Option<Duration>,
    /// Until when, as 2026-11-22T18:00:00Z or with an offset.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: Option<DateTime<Utc>>,
    /// Why; whoever looks at the target sees it.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
    /// Who asks; else the user of this machine.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

/// Options of `health`.
#[derive(Debug, Clone, Args)]
pub struct Health {
    /// Whether it has looked at AWS to the end once, too.
    #[arg(long)]
    pub ready: bool,
    /// Where it listens, instead of `daemon.http.listen` of the config.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// It serves TLS; known from the config, unless --listen says where it listens.
    #[arg(long)]
    pub tls: bool,
}

/// Options of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitOptions {
    /// The region; else that of the environment.
    #[arg(long, value_name = "REGION", value_parser = region)]
    pub region: Option<String>,
    /// A role to assume.
    #[arg(long, value_name = "ARN", value_parser = role)]
    pub assume_role: Option<String>,
    /// Write here instead of to standard output; a file that exists is not written over.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainOptions {
    /// An endpoint, a component or a resource id; `*` and `?` are wildcards.
    #[arg(value_name = "TARGET")]
    pub subject: String,
    /// The instant to explain, as 2026-11-22T03:10:00Z or with an offset; now unless given.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub at: Option<DateTime<Utc>>,
    /// How long before that the timeline begins: 90m, 6h, 2days; 3h unless given.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<Duration>,
}

/// Options of `alert-test`.
#[derive(Debug, Clone, Args)]
pub struct AlertTest {
    /// Only the webhook of this name, or the Alertmanager with this URL.
    #[arg(long, value_name = "NAME")]
    pub receiver: Option<String>,
    /// Which alert it looks like; receivers that want more urgent ones are told all the same.
    #[arg(long, value_name = "ALERT", default_value = "AtMaxCapacity")]
    pub alert: String,
}

/// Options of `hold`.
#[derive(Debug, Clone, Args)]
pub struct HoldOptions {
    /// An endpoint, a component or a resource id; `*` and `?` are wildcards.
    #[arg(value_name = "TARGET")]
    pub subject: String,
    /// No scaling in. Without --in and --out, both.
    #[arg(long = "in")]
    pub scale_in: bool,
    /// No scaling out.
    #[arg(long = "out")]
    pub scale_out: bool,
    /// For how long, by whom, why.
    #[command(flatten)]
    pub asked: Asked,
}

/// Options of `override`.
#[derive(Debug, Clone, Args)]
pub struct OverrideOptions {
    /// An endpoint, a component or a resource id; `*` and `?` are wildcards.
    #[arg(value_name = "TARGET")]
    pub subject: String,
    /// The minimum; the config's unless given.
    #[arg(long, value_name = "N")]
    pub min: Option<u32>,
    /// The maximum; the config's unless given.
    #[arg(long, value_name = "N")]
    pub max: Option<u32>,
    /// Do not ask, although capacity goes away at once.
    #[arg(long)]
    pub yes: bool,
    /// For how long, by whom, why.
    #[command(flatten)]
    pub asked: Asked,
}

/// Options of `release`.
#[derive(Debug, Clone, Args)]
pub struct ReleaseOptions {
    /// An endpoint, a component or a resource id; `*` and `?` are wildcards.
    #[arg(value_name = "TARGET")]
    pub subject: String,
    /// End holds.
    #[arg(long)]
    pub hold: bool,
    /// End overrides.
    #[arg(long = "override")]
    pub bounds: bool,
    /// Do not ask, although capacity goes away at once.
    #[arg(long)]
    pub yes: bool,
}

/// Options of `prepare-update`.
#[derive(Debug, Clone, Args)]
pub struct PrepareOptions {
    /// The endpoint.
    #[arg(value_name = "ENDPOINT")]
    pub endpoint: EndpointName,
    /// Why; whoever looks at the endpoint sees it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    /// Who prepares it; else the user of this machine.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// Options of `demo`.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// End by itself after so much real time.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub duration: Option<Duration>,
    /// How many seconds pass in the demo per real second.
    #[arg(long, value_name = "FACTOR", default_value = "120", value_parser = demo_speed, allow_negative_numbers = true)]
    pub speed: f64,
    /// Seeds all chance; the same seed gives the same traffic.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the status page and metrics are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9464", value_parser = address)]
    pub listen: SocketAddr,
    /// Where the simulated AWS is served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4599", value_parser = address)]
    pub sandbox_listen: SocketAddr,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Run one pass and end; exit code 1 when it did not do all that it was there for.
    #[arg(long)]
    pub once: bool,
    /// Where the status page and metrics are served, instead of `daemon.http.listen`.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub listen: Option<SocketAddr>,
}

/// Options of `schedule`.
#[derive(Debug, Clone, Args)]
pub struct ScheduleOptions {
    /// What fires.
    #[command(flatten)]
    pub which: WhichSchedule,
    /// The zone of the wall clock, by its IANA name.
    #[arg(long, value_name = "ZONE", default_value_t = Zone::UTC, value_parser = zone)]
    pub timezone: Zone,
    /// When a rate fires first; else at --after, which does not show.
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with_all = ["cron", "at"])]
    pub start: Option<DateTime<Utc>>,
    /// Firings after this, as 2026-11-22T18:00:00Z or with an offset; else from now on.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub after: Option<DateTime<Utc>>,
    /// Your own zone, shown beside that of the schedule and UTC; else the machine's.
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    pub here: Option<Zone>,
    /// All changes within so many days, 1 to 366, instead of a number of them.
    #[arg(long, value_name = "DAYS", conflicts_with_all = ["count", "which", "batch"],
        value_parser = clap::value_parser!(u16).range(1..=366))]
    pub days: Option<u16>,
    /// Draw the bounds over the coming days, a week unless --days says otherwise, into this SVG file.
    #[arg(long, value_name = "FILE.svg", conflicts_with_all = ["which", "batch"])]
    pub plot: Option<PathBuf>,
    /// How many, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
    /// Questions as lines of JSON, from a file or standard input (`-`); answers in the same order.
    #[arg(long, value_name = "FILE", hide = true, conflicts_with = "which")]
    pub batch: Option<PathBuf>,
}

/// Which schedule: at most one of these.
#[derive(Debug, Clone, Args)]
#[group(id = "which", multiple = false)]
pub struct WhichSchedule {
    /// Minutes, hours, day-of-month, month, day-of-week, year; one of the days is `?`.
    #[arg(long, value_name = "EXPR", value_parser = cron)]
    pub cron: Option<Expression>,
    /// A whole number of minutes, hours or days.
    #[arg(long, value_name = "EXPR", value_parser = rate)]
    pub rate: Option<Expression>,
    /// Once, as 2026-12-24T18:00:00, without a zone.
    #[arg(long, value_name = "TIME", value_parser = at)]
    pub at: Option<Expression>,
}

/// Options of `sandbox`.
#[derive(Debug, Clone, Args)]
pub struct Sandbox {
    /// Where it is served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4599", value_parser = address)]
    pub listen: SocketAddr,
    /// How many seconds pass in it per real second. At 1 its clock is the real one, at 0 it stands until turned.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed, allow_negative_numbers = true)]
    pub speed: f64,
    /// What stands in it to begin with; nothing unless given.
    #[arg(long, value_name = "FILE")]
    pub world: Option<PathBuf>,
    /// Seeds all chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
