//! Metric alarms: what they are, and how they judge (aws-autoscaling.md 3.1, 3.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::math::{Grid, Value, evaluate};
use super::meter::{Meter, Publishing, VariantMetric};
use super::missing::{Judgement, TreatMissing, judge};
use super::series::{MetricKey, Metrics, Source};
use super::stats::Stat;
use super::time::{Instant, Span};

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmState {
    /// The threshold is kept.
    Ok,
    /// The threshold is broken.
    Alarm,
    /// Too little data.
    InsufficientData,
}

impl AlarmState {
    /// CloudWatch's words.
    pub const WORDS: [&'static str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];

    /// CloudWatch's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData]
            .into_iter()
            .find(|s| s.word() == word)
    }
}

/// How a datapoint is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    GreaterOrEqual,
    Greater,
    Less,
    LessOrEqual,
}

impl Comparison {
    pub(crate) const ALL: [Self; 4] = [
        Self::GreaterOrEqual,
        Self::Greater,
        Self::Less,
        Self::LessOrEqual,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::GreaterOrEqual => "GreaterThanOrEqualToThreshold",
            Self::Greater => "GreaterThanThreshold",
            Self::Less => "LessThanThreshold",
            Self::LessOrEqual => "LessThanOrEqualToThreshold",
        }
    }

    /// The words of a state reason.
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::GreaterOrEqual => "greater than or equal to",
            Self::Greater => "greater than",
            Self::Less => "less than",
            Self::LessOrEqual => "less than or equal to",
        }
    }

    pub(crate) fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterOrEqual => value >= threshold,
            Self::Greater => value > threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
        }
    }

    /// Whether the alarm looks for high values.
    pub(crate) fn is_upward(self) -> bool {
        matches!(self, Self::GreaterOrEqual | Self::Greater)
    }
}

/// One query of a metric-math alarm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AlarmQuery {
    pub(crate) id: String,
    pub(crate) what: QueryKind,
    pub(crate) returns: bool,
}

/// A metric or an expression over other queries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum QueryKind {
    Metric {
        key: MetricKey,
        stat: Stat,
        unit: Option<String>,
        source: Source,
    },
    Expression(String),
}

/// What an alarm watches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Watched {
    Metric {
        key: MetricKey,
        stat: Stat,
        unit: Option<String>,
        source: Source,
    },
    Queries(Vec<AlarmQuery>),
}

/// The part of an alarm that its evaluation reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) watched: Watched,
    pub(crate) period: Span,
    pub(crate) periods: u32,
    pub(crate) to_alarm: u32,
    pub(crate) threshold: f64,
    pub(crate) comparison: Comparison,
    pub(crate) treat_missing: TreatMissing,
}

/// The newest datapoints that an evaluation used, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evaluated {
    pub(crate) judgement: Judgement,
    pub(crate) points: Vec<(Instant, f64)>,
}

/// What a scaling action is told about the metric: its recent datapoints in four numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Signal {
    pub(crate) mean: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) threshold: f64,
    /// When the data was queried.
    pub(crate) at: Instant,
}

/// Everything an evaluation needs of the world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) metrics: &'a Metrics,
    pub(crate) publishing: &'a Publishing,
    pub(crate) now: Instant,
    pub(crate) extra_range: u32,
    /// How long ago the newest judged period must have ended.
    pub(crate) lag: Span,
    /// The same for periods below a minute.
    pub(crate) fast_lag: Span,
}

impl Rule {
    /// The start of the period that is `age` periods old; the newest judged one has age 0.
    fn period_start(&self, view: View<'_>, age: u32) -> Instant {
        let fast = self.period < Span::MINUTE;
        let (grid, lag) = if fast {
            (self.period, view.fast_lag)
        } else {
            (Span::MINUTE, view.lag)
        };
        let newest_end = (view.now - lag).floor(grid);
        newest_end - Span::from_millis(self.period.millis() * (i64::from(age) + 1))
    }

    fn range(&self, view: View<'_>) -> u32 {
        self.periods.saturating_add(view.extra_range)
    }

    /// The state that the data asks for, without collecting the data: what every quiet minute needs.
    pub(crate) fn judge(&self, view: View<'_>) -> Judgement {
        let range = usize::try_from(self.range(view)).unwrap_or(usize::MAX);
        let breach = |value: Option<f64>| Some(self.comparison.breaches(value?, self.threshold));
        let (n, m, treat) = (self.periods, self.to_alarm, self.treat_missing);
        match &self.watched {
            Watched::Metric {
                source: Source::Nothing,
                ..
            } => judge([], n, m, treat),
            Watched::Metric {
                stat, unit, source, ..
            } => match self.meter(view, *source) {
                Some((meter, metric)) => {
                    let newest = self.newest_minute(view);
                    let points =
                        meter.newest_first((metric, *stat), newest, view.now, view.publishing);
                    judge(points.take(range).map(breach), n, m, treat)
                }
                None => {
                    let point = |age| self.point(view, *source, *stat, unit.as_deref(), age);
                    judge((0..self.range(view)).map(point).map(breach), n, m, treat)
                }
            },
            Watched::Queries(_) => self.evaluate(view).judgement,
        }
    }

    /// The meter to read minute by minute, if that is all there is to it.
    fn meter<'a>(&self, view: View<'a>, source: Source) -> Option<(&'a Meter, VariantMetric)> {
        match source {
            Source::Meter(index, metric) if self.period == Span::MINUTE => {
                Some((view.metrics.meter(index)?, metric))
            }
            Source::Meter(..) | Source::Gauge(_) | Source::Put(_) | Source::Nothing => None,
        }
    }

    fn newest_minute(&self, view: View<'_>) -> i64 {
        self.period_start(view, 0).minute()
    }

    /// Judges and keeps the datapoints.
    pub(crate) fn evaluate(&self, view: View<'_>) -> Evaluated {
        let newest_first: Vec<Option<(Instant, f64)>> = match &self.watched {
            Watched::Metric {
                stat, unit, source, ..
            } => (0..self.range(view))
                .map(|age| {
                    let value = self.point(view, *source, *stat, unit.as_deref(), age)?;
                    Some((self.period_start(view, age), value))
                })
                .collect(),
            Watched::Queries(queries) => self.math_points(view, queries),
        };
        let breaches = newest_first
            .iter()
            .map(|p| p.map(|(_, value)| self.comparison.breaches(value, self.threshold)));
        let judgement = judge(breaches, self.periods, self.to_alarm, self.treat_missing);
        let wanted = usize::try_from(self.periods).unwrap_or(usize::MAX);
        let mut points: Vec<_> = newest_first.into_iter().flatten().take(wanted).collect();
        points.reverse();
        Evaluated { judgement, points }
    }

    /// What a scaling action is told: the newest datapoints, as many as are evaluated.
    pub(crate) fn signal(&self, view: View<'_>) -> Option<Signal> {
        let wanted = usize::try_from(self.periods).unwrap_or(usize::MAX);
        let range = usize::try_from(self.range(view)).unwrap_or(usize::MAX);
        match &self.watched {
            Watched::Metric {
                stat, unit, source, ..
            } => match self.meter(view, *source) {
                Some((meter, metric)) => {
                    let newest = self.newest_minute(view);
                    let points =
                        meter.newest_first((metric, *stat), newest, view.now, view.publishing);
                    let points = points.take(range).flatten().take(wanted);
                    Signal::over(points, self.threshold, view.now)
                }
                None => {
                    let point = |age| self.point(view, *source, *stat, unit.as_deref(), age);
                    let points = (0..self.range(view)).filter_map(point).take(wanted);
                    Signal::over(points, self.threshold, view.now)
                }
            },
            Watched::Queries(_) => {
                let points = self.evaluate(view).points;
                Signal::over(points.iter().map(|(_, x)| *x), self.threshold, view.now)
            }
        }
    }

    fn point(
        &self,
        view: View<'_>,
        source: Source,
        stat: Stat,
        unit: Option<&str>,
        age: u32,
    ) -> Option<f64> {
        let start = self.period_start(view, age);
        view.metrics
            .samples(source, unit, start, self.period, view.now, view.publishing)?
            .pick(stat)
    }

    /// Evaluates metric math over the whole range; an expression that fails gives no data.
    fn math_points(&self, view: View<'_>, queries: &[AlarmQuery]) -> Vec<Option<(Instant, f64)>> {
        let range = self.range(view);
        let grid = Grid {
            start: self.period_start(view, range.saturating_sub(1)),
            end: self.period_start(view, 0) + self.period,
            period: self.period,
        };
        let mut known = BTreeMap::new();
        for query in queries {
            if let QueryKind::Metric {
                stat, unit, source, ..
            } = &query.what
            {
                let points = (0..range).filter_map(|age| {
                    let value = self.point(view, *source, *stat, unit.as_deref(), age)?;
                    Some((self.period_start(view, age), value))
                });
                known.insert(query.id.clone(), Value::Series(points.collect()));
            }
        }
        let Some(returned) = queries.iter().find(|q| q.returns) else {
            return Vec::new();
        };
        let value = resolve_query(returned, queries, &mut known, grid, 0);
        let at = |start: Instant| match &value {
            Some(Value::Series(series)) => series.get(&start).map(|x| (start, *x)),
            Some(Value::Scalar(x)) => Some((start, *x)),
            Some(Value::List(_)) | None => None,
        };
        (0..range)
            .map(|age| at(self.period_start(view, age)))
            .collect()
    }
}

/// Evaluates a query after the ones its expression names; `depth` bounds circular references.
fn resolve_query(
    query: &AlarmQuery,
    all: &[AlarmQuery],
    known: &mut BTreeMap<String, Value>,
    grid: Grid,
    depth: usize,
) -> Option<Value> {
    if let Some(value) = known.get(&query.id) {
        return Some(value.clone());
    }
    let QueryKind::Expression(expression) = &query.what else {
        return None;
    };
    if depth > all.len() {
        return None;
    }
    for other in all
        .iter()
        .filter(|q| q.id != query.id && expression.contains(&q.id))
    {
        resolve_query(other, all, known, grid, depth + 1);
    }
    let value = evaluate(expression, known, grid).ok()?;
    known.insert(query.id.clone(), value.clone());
    Some(value)
}

impl Signal {
    pub(crate) fn over(
        points: impl IntoIterator<Item = f64>,
        threshold: f64,
        at: Instant,
    ) -> Option<Self> {
        let (mut count, mut sum) = (0.0, 0.0);
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for x in points {
            count += 1.0;
            sum += x;
            min = min.min(x);
            max = max.max(x);
        }
        (count > 0.0).then(|| Self {
            mean: sum / count,
            min,
            max,
            threshold,
            at,
        })
    }
}

/// Texts and switches of an alarm, as its owner put them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Labels {
    pub(crate) description: Option<String>,
    pub(crate) ok_actions: Vec<String>,
    pub(crate) alarm_actions: Vec<String>,
    pub(crate) insufficient_data_actions: Vec<String>,
    /// The word that was put, or nothing; `missing` is the meaning of nothing.
    pub(crate) treat_missing_data: Option<String>,
    /// The number that was put, or nothing; the evaluation periods are the meaning of nothing.
    pub(crate) datapoints_to_alarm: Option<u32>,
    pub(crate) evaluate_low_sample_count_percentile: Option<String>,
    /// The queries as put, to be given back as they came.
    pub(crate) queries: Option<serde_json::Value>,
    /// The statistic word as put.
    pub(crate) statistic: Option<String>,
    pub(crate) extended_statistic: Option<String>,
}

/// A metric alarm.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    pub(crate) name: Arc<str>,
    pub(crate) arn: String,
    pub(crate) labels: Labels,
    pub(crate) actions_enabled: bool,
    pub(crate) rule: Rule,
    pub(crate) state: AlarmState,
    pub(crate) reason: StateReason,
    pub(crate) configured: Instant,
    pub(crate) updated: Instant,
    pub(crate) transitioned: Instant,
    /// Scaling policies among the alarm actions.
    pub(crate) policies: Vec<usize>,
    /// When the scaling actions last ran in this ALARM; they are the only actions that repeat.
    pub(crate) last_action: Option<Instant>,
}

/// Why an alarm is in its state. The texts are made when someone asks for them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StateReason {
    /// It was never evaluated.
    Initial,
    /// Someone set the state.
    Set { text: String, data: Option<String> },
    /// An evaluation found this.
    Judged(Arc<Judged>),
}

/// What an evaluation found, with the part of the rule that it judged by.
#[derive(Debug, PartialEq)]
pub(crate) struct Judged {
    state: AlarmState,
    at: Instant,
    points: Vec<(Instant, f64)>,
    threshold: f64,
    comparison: Comparison,
    to_alarm: u32,
    period: Span,
}

impl StateReason {
    pub(crate) fn judged(
        rule: &Rule,
        evaluated: Evaluated,
        state: AlarmState,
        at: Instant,
    ) -> Self {
        Self::Judged(Arc::new(Judged {
            state,
            at,
            points: evaluated.points,
            threshold: rule.threshold,
            comparison: rule.comparison,
            to_alarm: rule.to_alarm,
            period: rule.period,
        }))
    }

    /// The sentence in which CloudWatch explains the state.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Initial => "Unchecked: Initial alarm creation".to_owned(),
            Self::Set { text, .. } => text.clone(),
            Self::Judged(judged) => judged.text(),
        }
    }

    /// The reason as the JSON that scaling actions are given (aws-autoscaling.md 3.3).
    pub(crate) fn data(&self) -> Option<String> {
        match self {
            Self::Initial => None,
            Self::Set { data, .. } => data.clone(),
            Self::Judged(judged) => Some(judged.data()),
        }
    }
}

impl Judged {
    fn text(&self) -> String {
        if self.state == AlarmState::InsufficientData {
            return "Insufficient Data: no datapoints were received in the evaluation range."
                .to_owned();
        }
        let point = |(at, x): &(Instant, f64)| format!("{x} ({})", at.utc_text());
        let values: Vec<String> = self.points.iter().rev().map(point).collect();
        let values = values.join(", ");
        let breaching = |(_, x): &&(Instant, f64)| self.comparison.breaches(*x, self.threshold);
        let count = self.points.iter().filter(breaching).count();
        let phrase = self.comparison.phrase();
        let outcome = if self.state == AlarmState::Alarm {
            format!("{count} datapoints [{values}] were {phrase}")
        } else {
            let quiet = self.points.len().saturating_sub(count).max(1);
            format!("{quiet} datapoints [{values}] were not {phrase}")
        };
        format!(
            "Threshold Crossed: {outcome} the threshold ({}) (minimum {} datapoints for OK -> ALARM transition).",
            self.threshold, self.to_alarm
        )
    }

    fn data(&self) -> String {
        let values: Vec<f64> = self.points.iter().map(|(_, x)| *x).collect();
        let point =
            |(t, x): &(Instant, f64)| serde_json::json!({ "timestamp": t.aws_text(), "value": x });
        let points: Vec<_> = self.points.iter().map(point).collect();
        serde_json::json!({
            "version": "1.0",
            "queryDate": self.at.aws_text(),
            "startDate": self.points.first().map(|(t, _)| t.aws_text()),
            "period": self.period.millis() / 1000,
            "recentDatapoints": values,
            "threshold": self.threshold,
            "evaluatedDatapoints": points,
        })
        .to_string()
    }
}

/// One entry of an alarm's history, which outlives the alarm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistoryItem {
    pub(crate) alarm: Arc<str>,
    pub(crate) at: Instant,
    pub(crate) event: AlarmEvent,
}

/// What an entry of the history tells of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AlarmEvent {
    Created,
    Updated,
    Deleted,
    ActionsSwitched(bool),
    State {
        from: AlarmState,
        to: AlarmState,
        reason: StateReason,
    },
    /// Scaling actions ran. Their repetitions while the alarm lasts are not told.
    Action,
}

impl HistoryItem {
    /// CloudWatch's `HistoryItemType`.
    pub(crate) fn kind(&self) -> &'static str {
        match self.event {
            AlarmEvent::State { .. } => "StateUpdate",
            AlarmEvent::Action => "Action",
            AlarmEvent::Created
            | AlarmEvent::Updated
            | AlarmEvent::Deleted
            | AlarmEvent::ActionsSwitched(_) => "ConfigurationUpdate",
        }
    }

    /// The entry in a sentence.
    pub(crate) fn summary(&self) -> String {
        let name = &self.alarm;
        match &self.event {
            AlarmEvent::Created => format!("Alarm \"{name}\" created"),
            AlarmEvent::Updated | AlarmEvent::ActionsSwitched(_) => {
                format!("Alarm \"{name}\" updated")
            }
            AlarmEvent::Deleted => format!("Alarm \"{name}\" deleted"),
            AlarmEvent::State { from, to, .. } => {
                format!("Alarm updated from {} to {}", from.word(), to.word())
            }
            AlarmEvent::Action => {
                format!("Successfully executed the scaling actions of \"{name}\"")
            }
        }
    }

    /// The entry as JSON.
    pub(crate) fn data(&self) -> String {
        let body = match &self.event {
            AlarmEvent::Created | AlarmEvent::Updated | AlarmEvent::Deleted => {
                serde_json::json!({ "version": "1.0" })
            }
            AlarmEvent::ActionsSwitched(enabled) => {
                serde_json::json!({ "version": "1.0", "actionsEnabled": enabled })
            }
            AlarmEvent::State { from, to, reason } => serde_json::json!({
                "version": "1.0",
                "oldState": { "stateValue": from.word() },
                "newState": { "stateValue": to.word(), "stateReason": reason.text() },
            }),
            AlarmEvent::Action => {
                serde_json::json!({ "version": "1.0", "actionState": "Succeeded" })
            }
        };
        body.to_string()
    }
}
