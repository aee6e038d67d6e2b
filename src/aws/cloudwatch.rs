//! CloudWatch metrics and alarms.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{
    AlarmHistoryItem, AlarmMuteRuleStatus, Dimension, Metric, MetricAlarm, MetricDataQuery,
    MetricDataResult, MetricStat,
};
use chrono::{DateTime, Utc};

use super::convert;
use super::error::{classify, unreadable};
use super::pages::turn;
use crate::domain::{
    AlarmExtras, AlarmRecord, AlarmRule, AlarmState, CustomMetric, Datapoint, MathMetric, MathPart,
    MissingData, Number, ObservedAlarm, metrics_billed, metrics_of,
};
use crate::ports::{
    AlarmApi, ApiError, Listing, MetricQuery, MetricSource, RequestLog, absent_is_deleted,
    alarm_record_event, last_evaluated,
};

/// The adapter.
#[derive(Debug, Clone)]
pub(super) struct CloudWatch {
    client: Client,
    log: Arc<dyn RequestLog>,
}

impl CloudWatch {
    pub(super) fn new(client: Client, log: Arc<dyn RequestLog>) -> Self {
        Self { client, log }
    }
}

/// AWS's largest page; the default is 50.
const PAGE: i32 = 100;
/// Active mute rules that are looked into at the most; each is a call.
const MOST_MUTE_RULES: usize = 50;
/// CloudWatch's limit, and with it one page.
const NAMES_PER_CALL: usize = 100;

fn alarm(alarm: &MetricAlarm) -> Option<ObservedAlarm> {
    Some(ObservedAlarm {
        name: alarm.alarm_name()?.to_owned(),
        state: AlarmState::parse(alarm.state_value()?.as_str()),
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        threshold: alarm.threshold().and_then(Number::new),
        since: alarm.state_transitioned_timestamp().map(convert::time),
        actions: alarm.alarm_actions().to_vec(),
        rule: rule(alarm),
        extras: AlarmExtras {
            ok_actions: alarm.ok_actions().to_vec(),
            insufficient_actions: alarm.insufficient_data_actions().to_vec(),
            description: alarm.alarm_description().map(str::to_owned),
        },
        last: alarm.state_reason_data().and_then(last_evaluated),
    })
}

/// The rule of an alarm on one metric, with CloudWatch's defaults filled in; `None` for anything else.
fn rule(alarm: &MetricAlarm) -> Option<AlarmRule> {
    let dimension = |d: &Dimension| Some((d.name()?.to_owned(), d.value()?.to_owned()));
    let periods = u32::try_from(alarm.evaluation_periods()?).ok()?;
    Some(AlarmRule {
        metric: CustomMetric {
            namespace: alarm.namespace()?.to_owned(),
            name: alarm.metric_name()?.to_owned(),
            dimensions: alarm
                .dimensions()
                .iter()
                .map(dimension)
                .collect::<Option<_>>()?,
            statistic: alarm.statistic()?.as_str().parse().ok()?,
            unit: alarm.unit().map(|unit| unit.as_str().to_owned()),
        },
        period: u32::try_from(alarm.period()?).ok()?,
        periods,
        datapoints: match alarm.datapoints_to_alarm() {
            None => periods,
            Some(n) => u32::try_from(n).ok()?,
        },
        threshold: Number::new(alarm.threshold()?)?,
        comparison: alarm.comparison_operator()?.as_str().parse().ok()?,
        missing: match alarm.treat_missing_data() {
            None => MissingData::Missing,
            Some(word) => word.parse().ok()?,
        },
    })
}

/// A count or a period as the API has it.
fn api_int(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// What the alarms watch that keep what someone asked for: nothing is ever published there.
const MARKER_METRIC: (&str, &str) = ("evenkeel", "Marker");

/// What people find on an alarm in the console.
const DESCRIPTION: &str = "Made by evenkeel for the scaling policy that it triggers; changes are undone. It goes with \
                           the policy.";

fn query(index: usize, query: &MetricQuery) -> MetricDataQuery {
    MetricDataQuery::builder()
        .id(id(index))
        .metric_stat(metric_stat(&query.metric, query.period))
        .build()
}

fn metric_stat(metric: &CustomMetric, period: u32) -> MetricStat {
    let dimension =
        |(name, value): (&String, &String)| Dimension::builder().name(name).value(value).build();
    let named = Metric::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .set_dimensions(Some(metric.dimensions.iter().map(dimension).collect()))
        .build();
    MetricStat::builder()
        .metric(named)
        .period(i32::try_from(period).unwrap_or(60))
        .stat(metric.statistic.aws_name())
        .set_unit(metric.unit.as_deref().map(Into::into))
        .build()
}

/// The parts of metric math, and the result that alone is returned.
fn math_queries(math: &MathMetric) -> Vec<MetricDataQuery> {
    let part = |(id, part): (&String, &MathPart)| {
        let query = MetricDataQuery::builder().id(id).return_data(false);
        match part {
            MathPart::Series(metric) => query.metric_stat(metric_stat(metric, 60)).build(),
            MathPart::Expression(expression) => query.expression(expression).period(60).build(),
        }
    };
    let result = MetricDataQuery::builder()
        .id(MathMetric::RESULT)
        .expression(&math.expression)
        .period(60)
        .build();
    math.parts.iter().map(part).chain([result]).collect()
}

/// An empty list is left out.
fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn id(index: usize) -> String {
    format!("q{index}")
}

#[async_trait]
impl AlarmApi for CloudWatch {
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

    async fn alarms_named(&self, names: &[String]) -> Listing<ObservedAlarm> {
        const OPERATION: &str = "DescribeAlarms";
        let mut items = Vec::new();
        for some in names.chunks(NAMES_PER_CALL) {
            let answer = self
                .client
                .describe_alarms()
                .set_alarm_names(Some(some.to_vec()))
                .max_records(PAGE)
                .send()
                .await;
            match answer {
                Ok(page) => items.extend(page.metric_alarms().iter().filter_map(alarm)),
                Err(error) => {
                    let gap = Some(classify(OPERATION, &error));
                    return Listing { items, gap };
                }
            }
        }
        Listing::complete(items)
    }

    async fn muted(&self) -> Listing<String> {
        const LIST: &str = "ListAlarmMuteRules";
        let rules = turn(LIST, |token| async {
            let page = self
                .client
                .list_alarm_mute_rules()
                .statuses(AlarmMuteRuleStatus::Active)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(LIST, &error))?;
            let arns = page.alarm_mute_rule_summaries().iter();
            let names = arns.filter_map(|rule| rule.alarm_mute_rule_arn()?.rsplit(':').next());
            let items: Vec<String> = names.map(str::to_owned).collect();
            Ok((items, page.next_token))
        })
        .await;
        let mut muted = Listing {
            items: Vec::new(),
            gap: rules.gap,
        };
        for name in rules.items.into_iter().take(MOST_MUTE_RULES) {
            let rule = self.client.get_alarm_mute_rule().alarm_mute_rule_name(name);
            match rule.send().await {
                Ok(rule) => {
                    let targets = rule.mute_targets();
                    muted
                        .items
                        .extend(targets.into_iter().flat_map(|t| t.alarm_names().to_vec()));
                }
                Err(error) => {
                    let error = classify("GetAlarmMuteRule", &error);
                    muted.gap = muted.gap.or(Some(error));
                }
            }
        }
        muted
    }

    async fn history(
        &self,
        name: &str,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Listing<AlarmRecord> {
        const OPERATION: &str = "DescribeAlarmHistory";
        let read = AtomicUsize::new(0);
        let mut listing = turn(OPERATION, |token| async {
            let page = self
                .client
                .describe_alarm_history()
                .alarm_name(name)
                .start_date(convert::sdk_time(from))
                .end_date(convert::sdk_time(until))
                .max_records(PAGE)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| classify(OPERATION, &error))?;
            let items = page.alarm_history_items().iter().filter_map(record);
            let items: Vec<AlarmRecord> = items.collect();
            let so_far = read.fetch_add(items.len(), Ordering::Relaxed) + items.len();
            Ok((items, page.next_token.filter(|_| so_far < limit)))
        })
        .await;
        listing.items.truncate(limit);
        listing
    }

    async fn put_alarm(
        &self,
        name: &str,
        rule: &AlarmRule,
        policy: &str,
        keeps: &AlarmExtras,
    ) -> Result<(), ApiError> {
        let dimension = |(name, value): (&String, &String)| {
            Dimension::builder().name(name).value(value).build()
        };
        self.client
            .put_metric_alarm()
            .alarm_name(name)
            .alarm_description(keeps.description.as_deref().unwrap_or(DESCRIPTION))
            .actions_enabled(true)
            .alarm_actions(policy)
            .set_ok_actions(some(&keeps.ok_actions))
            .set_insufficient_data_actions(some(&keeps.insufficient_actions))
            .namespace(&rule.metric.namespace)
            .metric_name(&rule.metric.name)
            .set_dimensions(Some(rule.metric.dimensions.iter().map(dimension).collect()))
            .statistic(rule.metric.statistic.aws_name().into())
            .set_unit(rule.metric.unit.as_deref().map(Into::into))
            .period(api_int(rule.period))
            .evaluation_periods(api_int(rule.periods))
            .datapoints_to_alarm(api_int(rule.datapoints))
            .threshold(rule.threshold.get())
            .comparison_operator(rule.comparison.aws_name().into())
            .treat_missing_data(rule.missing.aws_name())
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("PutMetricAlarm", &error))
    }

    async fn put_marker(&self, name: &str, description: &str) -> Result<(), ApiError> {
        self.client
            .put_metric_alarm()
            .alarm_name(name)
            .alarm_description(description)
            .actions_enabled(false)
            .namespace(MARKER_METRIC.0)
            .metric_name(MARKER_METRIC.1)
            .statistic(aws_sdk_cloudwatch::types::Statistic::Maximum)
            .period(60)
            .evaluation_periods(1)
            .threshold(0.0)
            .comparison_operator(
                aws_sdk_cloudwatch::types::ComparisonOperator::GreaterThanThreshold,
            )
            .treat_missing_data("notBreaching")
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("PutMetricAlarm", &error))
    }

    async fn delete_alarm(&self, name: &str) -> Result<(), ApiError> {
        let deleted = self.client.delete_alarms().alarm_names(name).send().await;
        let deleted = deleted.map(drop);
        absent_is_deleted(deleted.map_err(|error| classify("DeleteAlarms", &error)))
    }
}

fn record(item: &AlarmHistoryItem) -> Option<AlarmRecord> {
    let (kind, summary) = (item.history_item_type()?, item.history_summary()?);
    Some(AlarmRecord {
        alarm: item.alarm_name()?.to_owned(),
        at: convert::time(item.timestamp()?),
        event: alarm_record_event(kind.as_str(), summary, item.history_data()),
    })
}

fn points(result: &MetricDataResult) -> impl Iterator<Item = Datapoint> {
    let points = result.timestamps().iter().zip(result.values());
    points.map(|(at, value)| Datapoint {
        at: convert::time(at),
        value: *value,
    })
}

impl CloudWatch {
    async fn metric_data(
        &self,
        asked: Vec<MetricDataQuery>,
        billed: usize,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<MetricDataResult>, ApiError> {
        const OPERATION: &str = "GetMetricData";
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
            self.log.metrics(billed);
            let results = page.metric_data_results.unwrap_or_default();
            Ok((results, page.next_token))
        })
        .await;
        match listing.gap {
            Some(gap) => Err(gap),
            None => Ok(listing.items),
        }
    }
}

#[async_trait]
impl MetricSource for CloudWatch {
    async fn datapoints(
        &self,
        queries: &[MetricQuery],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Vec<Datapoint>>, ApiError> {
        let mut found: Vec<Vec<Datapoint>> = queries.iter().map(|_| Vec::new()).collect();
        if queries.is_empty() {
            return Ok(found);
        }
        let asked: Vec<MetricDataQuery> = queries
            .iter()
            .enumerate()
            .map(|(i, q)| query(i, q))
            .collect();
        let billed = metrics_billed(queries.iter().map(|query| &query.metric));
        for result in self.metric_data(asked, billed, from, until).await? {
            let index = result
                .id()
                .and_then(|id| id.strip_prefix('q')?.parse::<usize>().ok());
            let Some(list) = index.and_then(|index| found.get_mut(index)) else {
                return Err(unreadable(
                    "GetMetricData",
                    "holds a result that was not asked for",
                ));
            };
            list.extend(points(&result));
        }
        Ok(found)
    }

    async fn math(
        &self,
        math: &MathMetric,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Datapoint>, ApiError> {
        let billed = metrics_billed(metrics_of(math));
        let results = self
            .metric_data(math_queries(math), billed, from, until)
            .await?;
        Ok(results.iter().flat_map(points).collect())
    }
}
