//! `init`: a config to begin with, for everything that the credentials can see.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};

use super::adopt::{
    CALL_TIMEOUT, all_alarms_and_schedules, is_whole, refuse_what_means_nothing, select,
};
use super::clock::clock_at;
use super::connect::sole_scope;
use super::console::Console;
use super::failure::{FAILED, Failure};
use crate::adopt::{Found, Loads, Proposable, adopt, load, proposable, propose, write};
use crate::aws::{ScopeOptions, connect};
use crate::cli::{Common, InitOptions};
use crate::domain::{
    Bounds, Capacity, Datapoint, DesiredFleet, DesiredTarget, Dimension, Glob, Metric, MetricData,
    Observation, PredefinedMetric, ScopeName, Selection, Selector, Signal, TargetId, cores_of,
    placeholder,
};
use crate::ports::{MetricQuery, NoRequestLog, RequestLog, ScopePorts};
use crate::runtime::Observer;
use crate::view::unscalable_text;

/// So many looks read the configs of all endpoints that an account may have: each look reads some of them.
const MOST_LOOKS: usize = 100;

/// Writes the config.
pub(super) async fn init(
    common: &Common,
    options: &InitOptions,
    console: Console,
) -> Result<u8, Failure> {
    refuse_what_means_nothing(common, "init")?;
    if let Some(path) = &options.out
        && path.exists()
    {
        return Err(Failure::Usage(format!(
            "--out {}: it exists, and is not written over; name another file, or move it away",
            path.display()
        )));
    }
    let log: Arc<dyn RequestLog> = Arc::new(NoRequestLog);
    let endpoint_url = sole_scope(common);
    let scope = ScopeOptions {
        region: options.region.clone(),
        assume_role: options.assume_role.clone(),
        endpoint_url: endpoint_url.clone(),
        call_timeout: CALL_TIMEOUT,
    };
    let ports = connect(&scope, &log).await.context("can not look at AWS")?;
    let now = clock_at(endpoint_url.as_deref()).await.now();
    let mut observed = look(&ports, now).await;
    let scheduled = all_alarms_and_schedules(&ports, &mut observed).await;
    if !is_whole(&observed, console) {
        return Ok(FAILED);
    }
    let mut found = adopt(&observed, &scheduled);
    let new = proposable(&observed);
    let loads = match loads(&ports, &new, &observed, now).await {
        Ok(loads) => Some(loads),
        Err(why) => {
            console.note(&format!(
                "evenkeel: metrics could not be read, so policies on requests are left out: {why}"
            ));
            None
        }
    };
    found
        .targets
        .extend(propose(&new, loads.as_ref(), &observed));
    found.targets.sort_by(|a, b| a.target.id.cmp(&b.target.id));
    let refused = new.refused.iter();
    found.left_out.extend(
        refused.map(|(place, why)| format!("{place} is left out: {}", unscalable_text(why))),
    );
    select(&mut found, common)?;
    let region = options.region.clone().or_else(region_of_environment);
    let head = head(&found, &new, region.as_deref(), options);
    let text = write(&found, &head).map_err(Failure::Internal)?;
    put(options.out.as_deref(), &text, console)?;
    let already = observed.targets.len();
    console.note(&format!(
        "evenkeel: endpoints: {}, targets: {} (registered already: {already}), left out: {}",
        observed.endpoints.len(),
        found.targets.len(),
        found.left_out.len() + found.left_policies.len(),
    ));
    Ok(0)
}

fn put(path: Option<&Path>, text: &str, console: Console) -> Result<(), Failure> {
    let Some(path) = path else {
        console.out(text);
        return Ok(());
    };
    // Not over a file that came to be in the meantime.
    let mut file = std::fs::File::create_new(path)
        .with_context(|| format!("can not write {}", path.display()))?;
    std::io::Write::write_all(&mut file, text.as_bytes())
        .with_context(|| format!("can not write {}", path.display()))?;
    console.note(&format!("evenkeel: wrote {}", path.display()));
    Ok(())
}

fn region_of_environment() -> Option<String> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()))
}

/// What stands before the targets.
fn head(found: &Found, new: &Proposable, region: Option<&str>, options: &InitOptions) -> String {
    let path = options
        .out
        .as_ref()
        .map_or("evenkeel.yaml".to_owned(), |p| p.display().to_string());
    let proposals = found
        .targets
        .iter()
        .filter(|adopted| new.targets.contains_key(&adopted.target.id))
        .count();
    let region = region.map_or_else(String::new, |region| format!(", region: {region}"));
    let role = options.assume_role.as_ref();
    let role = role.map_or_else(String::new, |role| format!(", assume_role: \"{role}\""));
    format!(
        "# Written by `evenkeel init`. It observes: nothing in AWS changes while `mode: observe` stands here.\n\
         #   evenkeel validate --config {path}   what is wrong with it, and what to think about\n\
         #   evenkeel plan --config {path}       what enforcing it would change\n\
         #   evenkeel run --config {path}        watch; the page is on http://127.0.0.1:9464/\n\
         # Targets that stand are written as they are; proposals, for you to look at: {proposals}.\n\
         # Set `mode: enforce` when `plan` shows what you want.\n\
         daemon: {{ mode: observe }}\n\
         scopes:\n  - {{ name: main{region}{role} }}\n"
    )
}

/// Every endpoint with its variants, and every component.
async fn look(ports: &ScopePorts, now: DateTime<Utc>) -> Observation {
    let fleet = DesiredFleet {
        selections: [Dimension::Instances, Dimension::Copies]
            .into_iter()
            .filter_map(everything)
            .collect(),
        ..DesiredFleet::empty(ScopeName::any())
    };
    let mut observer = Observer::new(ports.clone());
    let mut observed = observer.observe(&fleet, now).await.observed;
    for _ in 0..MOST_LOOKS {
        let mut endpoints = observed.endpoints.values();
        if !observed.is_complete() || endpoints.all(|e| e.details.is_none() || e.config.is_some()) {
            break;
        }
        observed = observer.observe(&fleet, now).await.observed;
    }
    observed
}

/// A selection of whatever has this dimension. What is declared for it does not matter: it is only looked at.
fn everything(dimension: Dimension) -> Option<Selection> {
    let one = Capacity::new(1)?;
    Some(Selection {
        selector: Selector {
            endpoint: Glob::any(),
            variant: Glob::any(),
            component: (dimension == Dimension::Copies).then(Glob::any),
            tags: BTreeMap::new(),
            kind: None,
            dimension,
        },
        template: DesiredTarget {
            id: placeholder(dimension)?,
            bounds: Bounds::new(one, one).ok()?,
            suspended: None,
            ignored: BTreeMap::new(),
            tunings: BTreeMap::new(),
            schedules: Vec::new(),
            policies: Vec::new(),
        },
    })
}

/// What is read of a target: its requests, and how busy its processors are, with the divisor that makes that percent of
/// all of them.
struct Questions {
    id: TargetId,
    requests: MetricQuery,
    busy: Vec<(MetricQuery, f64)>,
}

/// The load of the last day of each target that counts requests.
async fn loads(
    ports: &ScopePorts,
    new: &Proposable,
    observed: &Observation,
    now: DateTime<Utc>,
) -> Result<Loads, String> {
    let ids = new.targets.keys();
    let asked: Vec<Questions> = ids.filter_map(|id| questions(id, observed)).collect();
    let queries: Vec<MetricQuery> = asked
        .iter()
        .flat_map(|q| std::iter::once(&q.requests).chain(q.busy.iter().map(|(query, _)| query)))
        .cloned()
        .collect();
    if queries.is_empty() {
        return Ok(Loads::new());
    }
    let series = ports
        .metrics
        .datapoints(&queries, now - TimeDelta::days(1), now)
        .await
        .map_err(|error| error.to_string())?;
    let mut series = series.into_iter();
    let mut loads = Loads::new();
    for questions in asked {
        let requests = series.next().unwrap_or_default();
        let busy: Vec<Vec<Datapoint>> = questions
            .busy
            .iter()
            .map(|(_, scale)| percent(series.next().unwrap_or_default(), *scale))
            .collect();
        loads.extend(load(&requests, &busy).map(|load| (questions.id, load)));
    }
    Ok(loads)
}

fn percent(series: Vec<Datapoint>, scale: f64) -> Vec<Datapoint> {
    let scaled = series.into_iter().map(|point| Datapoint {
        value: point.value / scale,
        ..point
    });
    scaled.collect()
}

fn questions(id: &TargetId, observed: &Observation) -> Option<Questions> {
    let (metric, busy) = match id {
        TargetId::Instances { endpoint, variant } => {
            // How many GPUs a type has is not in its name, and their percents add up.
            let seen = observed.endpoints.get(endpoint)?;
            let cores = seen.instance_type(variant).and_then(cores_of);
            let cpu = cores.map(|cores| (Signal::Cpu, f64::from(cores)));
            let metric = PredefinedMetric::InvocationsPerInstance;
            (metric, cpu.into_iter().collect::<Vec<_>>())
        }
        TargetId::Copies { .. } => {
            let metric = PredefinedMetric::InvocationsPerCopy;
            (metric, vec![(Signal::Cpu, 1.0), (Signal::Gpu, 1.0)])
        }
        TargetId::ProvisionedConcurrency { .. } => return None,
    };
    let MetricData::Series(metric, period) = Metric::Predefined(metric).resolve(id) else {
        return None;
    };
    let query = |(signal, scale): (Signal, f64)| {
        let metric = signal.metric(id, None)?;
        Some((MetricQuery { metric, period: 60 }, scale))
    };
    Some(Questions {
        id: id.clone(),
        requests: MetricQuery { metric, period },
        busy: busy.into_iter().filter_map(query).collect(),
    })
}
