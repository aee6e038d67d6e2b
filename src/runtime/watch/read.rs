//! Which metrics to read at a look, and reading them.
//!
//! CloudWatch takes money per metric that is asked for, and none for the points that come back. So quiet targets are
//! read rarely, with all that came in between, and those where something happens at every look. What matters least is
//! left out first where the budget does not reach.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::super::WatchSettings;
use crate::domain::{
    Allowance, Datapoint, EndpointKind, MathMetric, MetricData, Policy, PolicyName, Rank, Signal,
    TargetId, metrics_billed, metrics_dollars, metrics_of, monthly_dollars,
};
use crate::ports::{ApiError, MetricQuery, MetricSource};

/// CloudWatch's limit of queries per call.
const QUERIES_PER_CALL: usize = 500;
/// How far back metric values are looked for, at the least: AWS publishes late.
const VALUE_WINDOW: TimeDelta = TimeDelta::minutes(10);
/// What a quiet target is read for beyond its interval.
const LATE: TimeDelta = TimeDelta::minutes(5);
/// Details of an interesting target.
const DETAILS_EVERY: TimeDelta = TimeDelta::minutes(5);

/// Something to read of a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// The metric of a policy.
    Policy(PolicyName),
    /// Something that it publishes beside.
    Signal(Signal),
}

/// A target, as far as it matters here.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) id: TargetId,
    pub(super) policies: Vec<Policy>,
    pub(super) is_interesting: bool,
    /// Whether a pass has looked at it. Before that nothing is known of what it publishes.
    pub(super) is_seen: bool,
    pub(super) kind: Option<EndpointKind>,
}

/// When what was last read of a target.
#[derive(Debug, Clone, Default)]
struct Last {
    ranks: BTreeMap<Rank, DateTime<Utc>>,
    /// Signals that had no data, and when that was seen.
    silent: BTreeMap<Signal, DateTime<Utc>>,
}

/// When what was last read.
#[derive(Debug, Default)]
pub(super) struct Reads(BTreeMap<TargetId, Last>);

/// What belongs together: metrics of one rank of one target.
#[derive(Debug)]
struct Group {
    target: TargetId,
    rank: Rank,
    is_interesting: bool,
    last: Option<DateTime<Utc>>,
    wants: Vec<(What, MetricData)>,
}

impl Group {
    fn billed(&self) -> usize {
        let metrics = self.wants.iter().flat_map(|(_, data)| match data {
            MetricData::Series(metric, _) => vec![metric],
            MetricData::Math(math) => metrics_of(math).collect(),
        });
        metrics_billed(metrics)
    }
}

/// What one look reads.
#[derive(Debug, Default)]
pub(super) struct Round {
    groups: Vec<Group>,
    from: Option<DateTime<Utc>>,
    /// Queries that the budget does not reach for.
    pub(super) skipped: usize,
}

/// What a round brought: for everything that was asked the mature points, oldest first.
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) points: BTreeMap<(TargetId, What), Vec<Datapoint>>,
    /// Targets whose policies' metrics were all read.
    pub(super) read: BTreeSet<TargetId>,
    /// The first error; it takes nothing from the others.
    pub(super) failed: Option<ApiError>,
}

impl Reads {
    /// Which metrics are due. Spends from the allowance, if there is one.
    pub(super) fn due(
        &mut self,
        watched: &[Watched],
        settings: WatchSettings,
        look: TimeDelta,
        mut allowance: Option<&mut Allowance>,
        now: DateTime<Utc>,
    ) -> Round {
        let ids: BTreeSet<&TargetId> = watched.iter().map(|w| &w.id).collect();
        self.0.retain(|id, _| ids.contains(id));
        let mut groups: Vec<Group> = Vec::new();
        for one in watched {
            let last = self.0.entry(one.id.clone()).or_default();
            for rank in Rank::ALL {
                groups.extend(group(one, rank, last, settings, look, now));
            }
        }
        // What matters most first, and then who has waited longest: with too little for all everyone has a turn.
        groups.sort_by_key(|g| (g.rank, !g.is_interesting, g.last));
        let mut round = Round::default();
        let mut window = VALUE_WINDOW;
        for group in groups {
            let dollars = metrics_dollars(group.billed());
            if allowance.as_mut().is_some_and(|a| !a.take(dollars)) {
                round.skipped += group.wants.len();
                continue;
            }
            if group.rank == Rank::Policy && !group.is_interesting {
                window = window.max(settings.quiet() + LATE);
            }
            round.groups.push(group);
        }
        round.from = now.checked_sub_signed(window);
        round
    }

    /// Notes what came, and what did not.
    fn note(
        &mut self,
        group: &Group,
        points: &BTreeMap<(TargetId, What), Vec<Datapoint>>,
        now: DateTime<Utc>,
    ) {
        let last = self.0.entry(group.target.clone()).or_default();
        last.ranks.insert(group.rank, now);
        for (what, _) in &group.wants {
            let What::Signal(signal) = what else { continue };
            let key = (group.target.clone(), what.clone());
            if points.get(&key).is_none_or(Vec::is_empty) {
                last.silent.insert(*signal, now);
            } else {
                last.silent.remove(signal);
            }
        }
    }

    /// Reads a round. A query that fails takes nothing from the others, and is due again at the next look.
    pub(super) async fn read(
        &mut self,
        metrics: &dyn MetricSource,
        round: Round,
        now: DateTime<Utc>,
    ) -> Values {
        let mut values = Values::default();
        let from = round.from.unwrap_or(now);
        let mut series: BTreeMap<MetricQuery, Vec<(usize, What)>> = BTreeMap::new();
        let mut lost: BTreeSet<usize> = BTreeSet::new();
        for (index, group) in round.groups.iter().enumerate() {
            for (what, data) in &group.wants {
                match data {
                    MetricData::Series(metric, period) => {
                        let query = MetricQuery {
                            metric: metric.clone(),
                            period: *period,
                        };
                        series.entry(query).or_default().push((index, what.clone()));
                    }
                    MetricData::Math(math) => {
                        let answer = read_math(metrics, math, from, now).await;
                        let key = (group.target.clone(), what.clone());
                        keep(&mut values, &mut lost, index, key, answer);
                    }
                }
            }
        }
        let queries: Vec<_> = series.into_iter().collect();
        for batch in queries.chunks(QUERIES_PER_CALL) {
            let asked: Vec<MetricQuery> = batch.iter().map(|(query, _)| query.clone()).collect();
            match metrics.datapoints(&asked, from, now).await {
                Ok(all) => {
                    for ((query, wanted), points) in batch.iter().zip(all) {
                        let points = mature(points, query.period, now);
                        for (index, what) in wanted {
                            let Some(group) = round.groups.get(*index) else {
                                continue;
                            };
                            let key = (group.target.clone(), what.clone());
                            keep(&mut values, &mut lost, *index, key, Ok(points.clone()));
                        }
                    }
                }
                Err(error) => {
                    lost.extend(batch.iter().flat_map(|(_, wanted)| wanted).map(|(i, _)| *i));
                    values.failed = values.failed.or(Some(error));
                }
            }
        }
        for (index, group) in round.groups.iter().enumerate() {
            if !lost.contains(&index) {
                self.note(group, &values.points, now);
                if group.rank == Rank::Policy {
                    values.read.insert(group.target.clone());
                }
            }
        }
        values
    }
}

/// How often what is read; zero means at every look.
fn interval(is_interesting: bool, rank: Rank, settings: WatchSettings) -> TimeDelta {
    match (is_interesting, rank) {
        (true, Rank::Policy | Rank::Vital) => TimeDelta::zero(),
        (true, Rank::Detail) => DETAILS_EVERY,
        (false, Rank::Policy) => settings.quiet(),
        (false, Rank::Vital) => settings.quiet() * 2,
        (false, Rank::Detail) => settings.quiet() * 6,
    }
}

/// Dollars that reading all this comes to in a month, as things stand.
pub(super) fn monthly(watched: &[Watched], settings: WatchSettings, look: TimeDelta) -> f64 {
    let mut monthly = 0.0;
    for one in watched {
        for rank in Rank::ALL {
            let count = match rank {
                Rank::Policy => one.policies.len(),
                Rank::Vital | Rank::Detail if !settings.signals => 0,
                Rank::Vital | Rank::Detail => {
                    let of_rank = Signal::ALL.into_iter().filter(|s| s.rank() == rank);
                    let often = of_rank.filter(|s| !s.is_of_some_machines_only());
                    often.filter(|s| s.is_published(&one.id, one.kind)).count()
                }
            };
            let every = interval(one.is_interesting, rank, settings).max(look);
            monthly += monthly_dollars(count, every);
        }
    }
    monthly
}

/// What of a target is due in a rank.
fn group(
    one: &Watched,
    rank: Rank,
    last: &Last,
    settings: WatchSettings,
    look: TimeDelta,
    now: DateTime<Utc>,
) -> Option<Group> {
    let read = last.ranks.get(&rank).copied();
    let interval = interval(one.is_interesting, rank, settings);
    // Looks are not exactly as far apart as they should be, and a clock may have been wrong.
    let is_due = |at: DateTime<Utc>, after: TimeDelta| {
        at > now || now.signed_duration_since(at) + look / 2 >= after
    };
    if read.is_some_and(|at| !is_due(at, interval)) {
        return None;
    }
    let wants: Vec<_> = if rank == Rank::Policy {
        let wants = one.policies.iter();
        wants
            .map(|policy| {
                (
                    What::Policy(policy.name.clone()),
                    policy.watched_metric(&one.id),
                )
            })
            .collect()
    } else {
        if !one.is_seen || !settings.signals {
            return None;
        }
        let speaks = |signal: &Signal| {
            let rarely = signal.is_of_some_machines_only();
            let silent = last.silent.get(signal).filter(|_| rarely);
            // A machine without accelerators has nothing to say of them, today and tomorrow.
            silent.is_none_or(|at| is_due(*at, settings.quiet() * 36))
        };
        let of_rank = Signal::ALL
            .into_iter()
            .filter(|s| s.rank() == rank && speaks(s));
        let metric = |signal: Signal| {
            let metric = signal.metric(&one.id, one.kind)?;
            Some((What::Signal(signal), MetricData::Series(metric, 60)))
        };
        of_rank.filter_map(metric).collect()
    };
    (!wants.is_empty()).then(|| Group {
        target: one.id.clone(),
        rank,
        is_interesting: one.is_interesting,
        last: read,
        wants,
    })
}

async fn read_math(
    metrics: &dyn MetricSource,
    math: &MathMetric,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Datapoint>, ApiError> {
    let points = metrics.math(math, from, now).await?;
    Ok(mature(points, 60, now))
}

fn keep(
    values: &mut Values,
    lost: &mut BTreeSet<usize>,
    index: usize,
    key: (TargetId, What),
    answer: Result<Vec<Datapoint>, ApiError>,
) {
    match answer {
        Ok(points) => {
            values.points.insert(key, points);
        }
        Err(error) => {
            lost.insert(index);
            values.failed.get_or_insert(error);
        }
    }
}

/// Points whose period has been over for a period, oldest first, one a minute: one that has just ended may still be
/// filling up.
fn mature(mut points: Vec<Datapoint>, period: u32, now: DateTime<Utc>) -> Vec<Datapoint> {
    let period = TimeDelta::seconds(i64::from(period));
    points.retain(|p| p.at + period + period <= now);
    points.sort_by_key(|p| std::cmp::Reverse(p.at));
    let newest = points.first().map(|p| p.at);
    points.dedup_by_key(|p| newest.map(|at| at.signed_duration_since(p.at).num_minutes()));
    points.reverse();
    points
}
