//! Metrics of CloudWatch: putting, reading, listing.

use std::collections::BTreeMap;

use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::math::{self, Grid};
use super::super::series::MetricKey;
use super::super::stats::{Stat, StatSet};
use super::super::time::{Instant, Span, Timestamp};
use super::super::world::World;
use super::alarm_history::SCAN_ORDERS;
use super::metric_shapes::{
    Dimension, GetMetricData, GetMetricDataResponse, ListMetrics, ListMetricsResponse, Message,
    Metric, MetricDataQuery, MetricDataResult, MetricDatum, MetricStat, PutMetricData,
};
use super::{Empty, page};

/// Limits of the API (aws-autoscaling.md 6.3).
const MAX_DATA: usize = 1_000;
const MAX_QUERIES: usize = 500;
const MAX_DATAPOINTS: i64 = 100_800;
const LIST_PAGE: usize = 500;
/// `ListMetrics` shows metrics with data in the last two weeks.
const LISTED_FOR: Span = Span::from_secs(14 * 86_400);

impl World {
    /// Takes datapoints.
    ///
    /// # Errors
    /// `MissingParameter`, `InvalidParameterValue`, `InvalidParameterCombination`, `ValidationError`.
    pub fn put_metric_data(&mut self, request: &PutMetricData) -> Result<Empty, ApiError> {
        let namespace = request
            .namespace
            .as_ref()
            .ok_or_else(|| ApiError::missing_parameter("Namespace"))?;
        Checks::default()
            .length("namespace", Some(namespace), 1, 255)
            .finish_cloudwatch()?;
        if namespace.starts_with("AWS/") || namespace.starts_with(':') {
            return Err(ApiError::invalid_parameter(format!(
                "The value {namespace} for parameter Namespace is invalid."
            )));
        }
        let data = request.metric_data.as_deref().unwrap_or_default();
        if data.is_empty() {
            return Err(ApiError::missing_parameter("MetricData"));
        }
        if data.len() > MAX_DATA {
            return Err(ApiError::invalid_parameter(format!(
                "The collection MetricData must not have a size greater than {MAX_DATA}."
            )));
        }
        // All or nothing: a bad datum refuses the whole request.
        let read: Vec<_> = data
            .iter()
            .enumerate()
            .map(|(i, datum)| self.read_datum(namespace, datum, i + 1))
            .collect::<Result<_, _>>()?;
        let mut is_new = false;
        for (key, unit, at, set) in read {
            is_new |= self.metrics.put(key, &unit, at, self.now, set);
        }
        if is_new {
            self.alarms.resolve(&self.metrics);
        }
        Ok(Empty {})
    }

    fn read_datum(
        &self,
        namespace: &str,
        datum: &MetricDatum,
        number: usize,
    ) -> Result<(MetricKey, String, Instant, StatSet), ApiError> {
        let member = |name: &str| format!("MetricData.member.{number}.{name}");
        let name = datum
            .metric_name
            .clone()
            .ok_or_else(|| ApiError::missing_parameter(&member("MetricName")))?;
        if datum.dimensions.len() > 30 {
            return Err(ApiError::invalid_parameter(format!(
                "The collection {} must not have a size greater than 30.",
                member("Dimensions")
            )));
        }
        let set = samples(datum, &member("Value"))?;
        if [set.sum, set.min, set.max, set.count]
            .iter()
            .any(|x| !x.is_finite())
        {
            return Err(ApiError::invalid_parameter(format!(
                "The value for parameter {} is not a finite number.",
                member("Value")
            )));
        }
        let at = datum
            .timestamp
            .map_or(self.now, |t| t.0)
            .floor(Span::from_secs(1));
        let (oldest, newest) = (self.now - LISTED_FOR, self.now + Span::from_secs(2 * 3600));
        if at < oldest || at > newest {
            return Err(ApiError::invalid_parameter(format!(
                "The parameter {} must specify a time within two weeks before and two hours after now.",
                member("Timestamp")
            )));
        }
        let key = MetricKey {
            namespace: namespace.to_owned(),
            name,
            dimensions: pairs(&datum.dimensions)?,
        };
        Ok((
            key,
            datum.unit.clone().unwrap_or_else(|| "None".to_owned()),
            at,
            set,
        ))
    }

    /// Reads metrics, also through simple metric math.
    ///
    /// # Errors
    /// `ValidationError`, `MissingParameter`, `InvalidNextToken`.
    pub fn get_metric_data(
        &self,
        request: &GetMetricData,
    ) -> Result<GetMetricDataResponse, ApiError> {
        let queries = request
            .metric_data_queries
            .as_deref()
            .ok_or_else(|| ApiError::missing_parameter("MetricDataQueries"))?;
        let window = check_window(request, queries)?;
        let mut known = BTreeMap::new();
        for query in queries {
            if let Some(stat) = &query.metric_stat {
                let series = self.read_series(stat, window)?;
                known.insert(
                    query.id.clone().unwrap_or_default(),
                    math::Value::Series(series),
                );
            }
        }
        let ascending = request.scan_by.as_deref() == Some("TimestampAscending");
        let mut results = Vec::new();
        for query in queries {
            let id = query.id.clone().unwrap_or_default();
            let value = match &query.expression {
                None => Ok(known.get(&id).cloned().unwrap_or(math::Value::Scalar(0.0))),
                Some(expression) => {
                    let period = query.period.unwrap_or_else(|| smallest_period(queries));
                    let (start, end) = window;
                    let period = Span::from_secs(period);
                    let grid = Grid {
                        start: start.floor(period),
                        end,
                        period,
                    };
                    math::evaluate(expression, &known, grid)
                }
            };
            if let Ok(value) = &value {
                known.insert(id.clone(), value.clone());
            }
            if query.return_data.unwrap_or(true) {
                results.extend(results_of(query, &id, value, window, ascending));
            }
        }
        Ok(GetMetricDataResponse {
            metric_data_results: results,
            messages: Vec::new(),
        })
    }

    fn read_series(
        &self,
        stat: &MetricStat,
        (start, end): (Instant, Instant),
    ) -> Result<BTreeMap<Instant, f64>, ApiError> {
        let period = stat
            .period
            .ok_or_else(|| ApiError::missing_parameter("MetricStat.Period"))?;
        if period < 1 || (!matches!(period, 1 | 5 | 10 | 20 | 30) && period % 60 != 0) {
            return Err(ApiError::cloudwatch_validation(
                "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.",
            ));
        }
        let word = stat.stat.as_deref().unwrap_or_default();
        let picked = Stat::parse(word).ok_or_else(|| {
            ApiError::cloudwatch_validation(format!(
                "The value {word} for parameter Stat is not supported."
            ))
        })?;
        let key = MetricKey {
            namespace: stat.metric.namespace.clone().unwrap_or_default(),
            name: stat.metric.metric_name.clone().unwrap_or_default(),
            dimensions: pairs(&stat.metric.dimensions)?,
        };
        let unit = stat.unit.as_deref();
        let source = self.metrics.resolve(&key, unit);
        let period = Span::from_secs(period);
        // CloudWatch rounds the start down to the minute, and periods are counted from the epoch.
        let mut at = start.floor(period.max(Span::MINUTE));
        let publishing = self.publishing();
        let mut points = BTreeMap::new();
        let mut budget = MAX_DATAPOINTS;
        while at < end && at <= self.now && budget > 0 {
            budget -= 1;
            let set = self
                .metrics
                .samples(source, unit, at, period, self.now, &publishing);
            if let Some(value) = set.and_then(|set| set.pick(picked)) {
                points.insert(at, value);
            }
            at += period;
        }
        Ok(points)
    }

    /// Lists the names of metrics that had data lately.
    ///
    /// # Errors
    /// `InvalidParameterValue` for a token that is not one.
    pub fn list_metrics(&self, request: &ListMetrics) -> Result<ListMetricsResponse, ApiError> {
        let span = match request.recently_active.as_deref() {
            Some("PT3H") => Span::from_secs(3 * 3600),
            _ => LISTED_FOR,
        };
        let filters = request.dimensions.as_deref().unwrap_or_default();
        let carries = |key: &MetricKey, filter: &Dimension| {
            let held = filter
                .name
                .as_ref()
                .and_then(|name| key.dimensions.get(name));
            held.is_some_and(|held| filter.value.as_ref().is_none_or(|value| value == held))
        };
        let metrics = self
            .metrics
            .list(self.now - span)
            .into_iter()
            .filter(|key| {
                request
                    .namespace
                    .as_ref()
                    .is_none_or(|n| *n == key.namespace)
            })
            .filter(|key| request.metric_name.as_ref().is_none_or(|n| *n == key.name))
            .filter(|key| filters.iter().all(|filter| carries(key, filter)))
            .map(|key| Metric {
                namespace: Some(key.namespace),
                metric_name: Some(key.name),
                dimensions: key
                    .dimensions
                    .into_iter()
                    .map(|(name, value)| Dimension {
                        name: Some(name),
                        value: Some(value),
                    })
                    .collect(),
            })
            .collect();
        let names: Vec<_> = filters.iter().map(|f| (&f.name, &f.value)).collect();
        let key = ("metrics", &request.namespace, &request.metric_name, names);
        let (metrics, next_token) =
            page::cut(metrics, &key, request.next_token.as_ref(), LIST_PAGE).ok_or_else(|| {
                ApiError::invalid_parameter("The value for parameter NextToken is invalid.")
            })?;
        Ok(ListMetricsResponse {
            metrics,
            next_token,
        })
    }
}

fn check_window(
    request: &GetMetricData,
    queries: &[MetricDataQuery],
) -> Result<(Instant, Instant), ApiError> {
    let refuse = |text: String| Err(ApiError::cloudwatch_validation(text));
    Checks::default()
        .one_of("scanBy", request.scan_by.as_ref(), &SCAN_ORDERS)
        .range("maxDatapoints", request.max_datapoints, 1, MAX_DATAPOINTS)
        .finish_cloudwatch()?;
    if request.next_token.is_some() {
        return Err(ApiError::cloudwatch_invalid_next_token());
    }
    let start = request
        .start_time
        .ok_or_else(|| ApiError::missing_parameter("StartTime"))?
        .0;
    let end = request
        .end_time
        .ok_or_else(|| ApiError::missing_parameter("EndTime"))?
        .0;
    if start >= end {
        return refuse(
            "The parameter StartTime must be less than the parameter EndTime.".to_owned(),
        );
    }
    if queries.len() > MAX_QUERIES {
        return refuse(format!(
            "The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}."
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    for query in queries {
        let Some(id) = &query.id else {
            return Err(ApiError::missing_parameter("MetricDataQueries.member.Id"));
        };
        if !id.starts_with(|c: char| c.is_ascii_lowercase()) {
            return refuse(format!(
                "The value {id} for parameter Id must begin with a lowercase letter."
            ));
        }
        if !seen.insert(id) {
            return refuse(format!(
                "The values for parameter Id must be unique; {id} is not."
            ));
        }
        if query.metric_stat.is_some() == query.expression.is_some() {
            return refuse(format!(
                "The query {id} needs either a MetricStat or an Expression."
            ));
        }
    }
    Ok((start, end))
}

fn pairs(dimensions: &[Dimension]) -> Result<BTreeMap<String, String>, ApiError> {
    dimensions
        .iter()
        .map(|d| d.name.clone().zip(d.value.clone()))
        .collect::<Option<_>>()
        .ok_or_else(|| ApiError::missing_parameter("Dimensions.member.Value"))
}

/// The samples of a datum, which come in one of three forms.
fn samples(datum: &MetricDatum, member: &str) -> Result<StatSet, ApiError> {
    let mismatch = || {
        ApiError::invalid_combination(format!(
            "The parameters {member}, Values and StatisticValues are mutually exclusive, and Counts goes with Values \
             one to one."
        ))
    };
    match (datum.value, datum.statistic_values, &datum.values) {
        (Some(value), None, None) => Ok(StatSet::repeated(value, 1.0)),
        (None, Some(set), None) => Ok(StatSet {
            count: set.sample_count,
            sum: set.sum,
            min: set.minimum,
            max: set.maximum,
        }),
        (None, None, Some(values)) => {
            let ones = vec![1.0; values.len()];
            let counts = datum.counts.as_ref().unwrap_or(&ones);
            if counts.len() != values.len() {
                return Err(mismatch());
            }
            let sets = values
                .iter()
                .zip(counts)
                .map(|(v, n)| StatSet::repeated(*v, *n));
            sets.reduce(StatSet::merge)
                .ok_or_else(|| ApiError::missing_parameter(member))
        }
        (None, None, None) => Err(ApiError::missing_parameter(member)),
        _ => Err(mismatch()),
    }
}

fn smallest_period(queries: &[MetricDataQuery]) -> i64 {
    let periods = queries
        .iter()
        .filter_map(|q| q.metric_stat.as_ref()?.period);
    periods.min().unwrap_or(60).max(1)
}

/// A query gives one result; a list of series gives one each.
fn results_of(
    query: &MetricDataQuery,
    id: &str,
    value: Result<math::Value, math::MathError>,
    (start, _): (Instant, Instant),
    ascending: bool,
) -> Vec<MetricDataResult> {
    let fallback = query
        .metric_stat
        .as_ref()
        .and_then(|s| s.metric.metric_name.clone());
    let label = query
        .label
        .clone()
        .or(fallback)
        .unwrap_or_else(|| id.to_owned());
    let result = |points: Vec<(Instant, f64)>, messages: Vec<Message>| MetricDataResult {
        id: id.to_owned(),
        label: label.clone(),
        timestamps: points.iter().map(|(t, _)| Timestamp(*t)).collect(),
        values: points.iter().map(|(_, x)| *x).collect(),
        status_code: if messages.is_empty() {
            "Complete"
        } else {
            "InternalError"
        },
        messages,
    };
    let ordered = |series: BTreeMap<Instant, f64>| -> Vec<(Instant, f64)> {
        if ascending {
            series.into_iter().collect()
        } else {
            series.into_iter().rev().collect()
        }
    };
    match value {
        Ok(math::Value::Series(series)) => vec![result(ordered(series), Vec::new())],
        Ok(math::Value::Scalar(x)) => vec![result(vec![(start, x)], Vec::new())],
        Ok(math::Value::List(list)) => list
            .into_iter()
            .map(|series| result(ordered(series), Vec::new()))
            .collect(),
        Err(why) => {
            let message = Message {
                code: "ArithmeticError".to_owned(),
                value: why,
            };
            vec![result(Vec::new(), vec![message])]
        }
    }
}
