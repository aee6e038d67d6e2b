//! CloudWatch metrics and alarms.

use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricAlarm, MetricDataQuery, MetricStat, StateValue,
};
use chrono::{DateTime, Utc};

use super::convert;
use super::error::{classify, unreadable};
use super::pages::turn;
use crate::domain::{AlarmState, Datapoint, ObservedAlarm};
use crate::ports::{ApiError, Listing, MetricQuery, MetricSource};

/// The adapter.
#[derive(Debug, Clone)]
pub(super) struct CloudWatch {
    client: Client,
}

impl CloudWatch {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }
}

/// AWS's largest page; the default is 50.
const PAGE: i32 = 100;

fn alarm(alarm: &MetricAlarm) -> Option<ObservedAlarm> {
    Some(ObservedAlarm {
        name: alarm.alarm_name()?.to_owned(),
        state: match alarm.state_value()? {
            StateValue::Ok => AlarmState::Ok,
            StateValue::Alarm => AlarmState::Alarm,
            _ => AlarmState::InsufficientData,
        },
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        threshold: alarm.threshold(),
        since: alarm.state_transitioned_timestamp().map(convert::time),
    })
}

fn query(index: usize, query: &MetricQuery) -> MetricDataQuery {
    let dimension =
        |(name, value): (&String, &String)| Dimension::builder().name(name).value(value).build();
    let metric = Metric::builder()
        .namespace(&query.metric.namespace)
        .metric_name(&query.metric.name)
        .set_dimensions(Some(
            query.metric.dimensions.iter().map(dimension).collect(),
        ))
        .build();
    let stat = MetricStat::builder()
        .metric(metric)
        .period(i32::try_from(query.period).unwrap_or(60))
        .stat(query.metric.statistic.aws_name())
        .set_unit(query.metric.unit.as_deref().map(Into::into))
        .build();
    MetricDataQuery::builder()
        .id(id(index))
        .metric_stat(stat)
        .build()
}

fn id(index: usize) -> String {
    format!("q{index}")
}

#[async_trait]
impl MetricSource for CloudWatch {
    async fn alarms(&self, prefix: &str) -> Listing<ObservedAlarm> {
        const OPERATION: &str = "DescribeAlarms";
        turn(OPERATION, |token| async {
            let page = self
                .client
                .describe_alarms()
                .set_alarm_name_prefix((!prefix.is_empty()).then(|| prefix.to_owned()))
                .max_records(PAGE)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(OPERATION, &error))?;
            let items = page.metric_alarms().iter().filter_map(alarm);
            Ok((items.collect(), page.next_token))
        })
        .await
    }

    async fn datapoints(
        &self,
        queries: &[MetricQuery],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Vec<Datapoint>>, ApiError> {
        const OPERATION: &str = "GetMetricData";
        let mut found: Vec<Vec<Datapoint>> = queries.iter().map(|_| Vec::new()).collect();
        if queries.is_empty() {
            return Ok(found);
        }
        let asked: Vec<MetricDataQuery> = queries
            .iter()
            .enumerate()
            .map(|(i, q)| query(i, q))
            .collect();
        let listing = turn(OPERATION, |token| async {
            let page = self
                .client
                .get_metric_data()
                .set_metric_data_queries(Some(asked.clone()))
                .start_time(convert::sdk_time(from))
                .end_time(convert::sdk_time(until))
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(OPERATION, &error))?;
            Ok((
                page.metric_data_results.unwrap_or_default(),
                page.next_token,
            ))
        })
        .await;
        if let Some(gap) = listing.gap {
            return Err(gap);
        }
        for result in listing.items {
            let index = result
                .id()
                .and_then(|id| id.strip_prefix('q')?.parse::<usize>().ok());
            let Some(list) = index.and_then(|index| found.get_mut(index)) else {
                return Err(unreadable(
                    OPERATION,
                    "holds a result that was not asked for",
                ));
            };
            let points = result.timestamps().iter().zip(result.values());
            list.extend(points.map(|(at, value)| Datapoint {
                at: convert::time(at),
                value: *value,
            }));
        }
        Ok(found)
    }
}
