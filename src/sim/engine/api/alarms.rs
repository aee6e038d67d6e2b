//! Alarms of CloudWatch.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::alarm::{
    Alarm, AlarmEvent, AlarmQuery, AlarmState, Comparison, Labels, QueryKind, Rule, Signal,
    StateReason, Watched,
};
use super::super::alarms::{Wish, resolve_watched, set_state};
use super::super::checks::Checks;
use super::super::error::ApiError;
use super::super::missing::TreatMissing;
use super::super::series::{MetricKey, Source};
use super::super::stats::Stat;
use super::super::time::{Instant, Span, Timestamp};
use super::super::world::World;
use super::alarm_shapes::{
    AlarmNames, DescribeAlarms, DescribeAlarmsResponse, MetricAlarm, PutMetricAlarm, SetAlarmState,
};
use super::metric_shapes::Dimension;
use super::{Empty, page};

/// Reads `[{Name, Value}]`.
pub(super) fn parse_dimensions(list: Option<&Value>) -> Result<BTreeMap<String, String>, String> {
    let entries = list
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    entries
        .iter()
        .map(|entry| {
            let text = |member: &str| entry.get(member).and_then(Value::as_str).map(str::to_owned);
            text("Name")
                .zip(text("Value"))
                .ok_or_else(|| "Each dimension needs a Name and a Value.".to_owned())
        })
        .collect()
}

/// Reads the queries of metric math. Each is a metric or an expression, and exactly one returns data.
pub(super) fn parse_queries(list: &Value, period: Span) -> Result<Vec<AlarmQuery>, String> {
    let entries = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let queries: Vec<AlarmQuery> = entries
        .iter()
        .map(parse_query)
        .collect::<Result<_, String>>()?;
    let returning = queries.iter().filter(|q| q.returns).count();
    if returning != 1 {
        return Err(format!(
            "Exactly one element of Metrics must return data, not {returning}."
        ));
    }
    if period <= Span::ZERO {
        return Err("The period must be greater than 0.".to_owned());
    }
    Ok(queries)
}

fn parse_query(entry: &Value) -> Result<AlarmQuery, String> {
    let text =
        |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
    let id = text(entry, "Id").ok_or("Each element of Metrics needs an Id.")?;
    if !id.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(format!("The Id {id} must begin with a lowercase letter."));
    }
    let what = match (text(entry, "Expression"), entry.get("MetricStat")) {
        (Some(expression), None) => QueryKind::Expression(expression),
        (None, Some(metric_stat)) => {
            let metric = metric_stat.get("Metric").unwrap_or(&Value::Null);
            let word = text(metric_stat, "Stat").unwrap_or_default();
            let stat = Stat::parse(&word).ok_or_else(|| format!("{word} is not a statistic."))?;
            let key = MetricKey {
                namespace: text(metric, "Namespace").unwrap_or_default(),
                name: text(metric, "MetricName").unwrap_or_default(),
                dimensions: parse_dimensions(metric.get("Dimensions"))?,
            };
            let unit = text(metric_stat, "Unit");
            QueryKind::Metric {
                key,
                stat,
                unit,
                source: Source::Nothing,
            }
        }
        _ => {
            return Err(format!(
                "The element {id} needs either a MetricStat or an Expression."
            ));
        }
    };
    let returns = entry
        .get("ReturnData")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    Ok(AlarmQuery { id, what, returns })
}

impl World {
    pub(super) fn alarm_arn(&self, name: &str) -> String {
        format!(
            "arn:aws:cloudwatch:{}:{}:alarm:{name}",
            self.options.region, self.options.account
        )
    }

    /// Puts an alarm and finds its data. A new one starts in `INSUFFICIENT_DATA`.
    pub(super) fn put_alarm(
        &mut self,
        name: String,
        labels: Labels,
        actions_enabled: bool,
        mut rule: Rule,
    ) {
        resolve_watched(&mut rule.watched, &self.metrics);
        let now = self.now;
        let alarm = Alarm {
            arn: self.alarm_arn(&name),
            name: name.into(),
            labels,
            actions_enabled,
            rule,
            state: AlarmState::InsufficientData,
            reason: StateReason::Initial,
            configured: now,
            updated: now,
            transitioned: now,
            policies: Vec::new(),
            last_action: None,
        };
        self.alarms.put(alarm);
    }

    /// Finds for each alarm the policies that its actions name.
    pub(super) fn link_alarms(&mut self) {
        let policies = &self.scaling.policy_of_action;
        for alarm in self.alarms.iter_mut() {
            let actions = &alarm.labels.alarm_actions;
            alarm.policies = actions
                .iter()
                .filter_map(|a| policies.get(a).copied())
                .collect();
        }
    }

    /// Puts an alarm.
    ///
    /// # Errors
    /// `ValidationError`, `MissingParameter`, `InvalidParameterCombination`.
    pub fn put_metric_alarm(&mut self, request: &PutMetricAlarm) -> Result<Empty, ApiError> {
        check_alarm(request)?;
        let period = Span::from_secs(request.period.unwrap_or(60));
        let watched = watched(request, period)?;
        let count = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
        let periods = count(request.evaluation_periods).unwrap_or(1);
        let comparison = request
            .comparison_operator
            .as_deref()
            .and_then(|word| Comparison::ALL.into_iter().find(|c| c.word() == word))
            .ok_or_else(|| {
                ApiError::invalid_parameter(
                    "This sandbox has no alarms on anomaly detection bands.",
                )
            })?;
        let rule = Rule {
            watched,
            period,
            periods,
            to_alarm: count(request.datapoints_to_alarm).unwrap_or(periods),
            threshold: request
                .threshold
                .ok_or_else(|| ApiError::missing_parameter("Threshold"))?,
            comparison,
            treat_missing: treat_missing(request.treat_missing_data.as_deref())?,
        };
        let labels = Labels {
            description: request.alarm_description.clone(),
            ok_actions: request.ok_actions.clone().unwrap_or_default(),
            alarm_actions: request.alarm_actions.clone().unwrap_or_default(),
            insufficient_data_actions: request
                .insufficient_data_actions
                .clone()
                .unwrap_or_default(),
            treat_missing_data: request.treat_missing_data.clone(),
            datapoints_to_alarm: count(request.datapoints_to_alarm),
            evaluate_low_sample_count_percentile: request
                .evaluate_low_sample_count_percentile
                .clone(),
            queries: request.metrics.clone(),
            statistic: request.statistic.clone(),
            extended_statistic: request.extended_statistic.clone(),
        };
        let name = request.alarm_name.clone().unwrap_or_default();
        self.put_alarm(name, labels, request.actions_enabled.unwrap_or(true), rule);
        self.link_alarms();
        Ok(Empty {})
    }

    /// Lists alarms in order of name.
    ///
    /// # Errors
    /// `ValidationError`, `InvalidParameterCombination`, `InvalidNextToken`.
    pub fn describe_alarms(
        &self,
        request: &DescribeAlarms,
    ) -> Result<DescribeAlarmsResponse, ApiError> {
        let names = request.alarm_names.as_ref();
        let prefix = request.alarm_name_prefix.as_ref();
        Checks::default()
            .entries("alarmNames", names, 0, 100)
            .length("alarmNamePrefix", prefix, 1, 255)
            .length("actionPrefix", request.action_prefix.as_ref(), 1, 1024)
            .one_of(
                "stateValue",
                request.state_value.as_ref(),
                &AlarmState::WORDS,
            )
            .range("maxRecords", request.max_records, 1, 100)
            .finish_cloudwatch()?;
        if names.is_some_and(|n| !n.is_empty()) && prefix.is_some() {
            return Err(ApiError::invalid_combination(
                "AlarmNames and AlarmNamePrefix cannot be specified together.",
            ));
        }
        let metric_alarms_wanted = request
            .alarm_types
            .as_ref()
            .is_none_or(|types| types.is_empty() || types.iter().any(|t| t == "MetricAlarm"));
        let wanted = |a: &&Alarm| {
            metric_alarms_wanted
                && names.is_none_or(|n| n.is_empty() || n.iter().any(|name| **name == *a.name))
                && prefix.is_none_or(|p| a.name.starts_with(p.as_str()))
                && request
                    .state_value
                    .as_ref()
                    .is_none_or(|s| s == a.state.word())
                && request.action_prefix.as_ref().is_none_or(|p| {
                    a.labels
                        .alarm_actions
                        .iter()
                        .any(|action| action.starts_with(p.as_str()))
                })
        };
        let all = self.alarms.iter().filter(wanted).collect();
        let key = (
            "alarms",
            names,
            prefix,
            &request.state_value,
            &request.action_prefix,
        );
        let size = page::size(request.max_records, 50);
        let (metric_alarms, next_token) =
            page::cut_shaped(all, alarm_shape, &key, request.next_token.as_ref(), size)
                .ok_or_else(ApiError::cloudwatch_invalid_next_token)?;
        Ok(DescribeAlarmsResponse {
            metric_alarms,
            composite_alarms: Vec::new(),
            next_token,
        })
    }

    /// Deletes alarms. A missing one is an error, but the others are deleted.
    ///
    /// # Errors
    /// `ResourceNotFound`, `ValidationError`.
    pub fn delete_alarms(&mut self, request: &AlarmNames) -> Result<Empty, ApiError> {
        let now = self.now;
        let mut missing = Vec::new();
        for name in checked_names(request)? {
            if !self.alarms.delete(&name, now) {
                missing.push(name);
            }
        }
        if missing.is_empty() {
            Ok(Empty {})
        } else {
            Err(ApiError::alarm_not_found(format!(
                "Alarms not found: {}",
                missing.join(", ")
            )))
        }
    }

    /// Switches the actions of alarms on or off; names that do not exist are passed over, as AWS does.
    ///
    /// # Errors
    /// `ValidationError`.
    pub fn set_alarm_actions(
        &mut self,
        request: &AlarmNames,
        enabled: bool,
    ) -> Result<Empty, ApiError> {
        for name in checked_names(request)? {
            let Some(index) = self.alarms.index_of(&name) else {
                continue;
            };
            if let Some(alarm) = self.alarms.get_mut(index) {
                alarm.actions_enabled = enabled;
            }
            let now = self.now;
            self.alarms
                .record(&name.into(), now, AlarmEvent::ActionsSwitched(enabled));
        }
        Ok(Empty {})
    }

    /// Sets the state of an alarm until its next evaluation. Its scaling actions run only when the reason data
    /// tells them what the metric was.
    ///
    /// # Errors
    /// `ResourceNotFound`, `InvalidFormat`, `ValidationError`.
    pub fn set_alarm_state(&mut self, request: &SetAlarmState) -> Result<Empty, ApiError> {
        let (name, state) = (request.alarm_name.as_ref(), request.state_value.as_ref());
        Checks::default()
            .required("alarmName", name)
            .length("alarmName", name, 1, 255)
            .required("stateValue", state)
            .one_of("stateValue", state, &AlarmState::WORDS)
            .required("stateReason", request.state_reason.as_ref())
            .length("stateReason", request.state_reason.as_ref(), 0, 1023)
            .length(
                "stateReasonData",
                request.state_reason_data.as_ref(),
                0,
                4000,
            )
            .finish_cloudwatch()?;
        let name = name.map(String::as_str).unwrap_or_default();
        let index = self
            .alarms
            .index_of(name)
            .ok_or_else(|| ApiError::alarm_not_found(format!("Alarm {name} does not exist.")))?;
        let data = request
            .state_reason_data
            .as_deref()
            .map(parse_reason_data)
            .transpose()?;
        let state = state
            .and_then(|w| AlarmState::parse(w))
            .unwrap_or(AlarmState::Ok);
        let now = self.now;
        let Some(alarm) = self.alarms.get_mut(index) else {
            return Ok(Empty {});
        };
        let reason = StateReason::Set {
            text: request.state_reason.clone().unwrap_or_default(),
            data: request.state_reason_data.clone(),
        };
        let before = alarm.state;
        let item = set_state(alarm, state, reason, now);
        let wishes: Vec<Wish> = match data.flatten() {
            Some(signal) if alarm.actions_enabled && state == AlarmState::Alarm => {
                alarm.last_action = Some(now);
                let wish = |policy: &usize| Wish {
                    alarm: index,
                    policy: *policy,
                    signal,
                };
                alarm.policies.iter().map(wish).collect()
            }
            _ => {
                // Without data the actions count as run: they do not scale, and are not repeated at once.
                alarm.last_action = (state == AlarmState::Alarm).then_some(now);
                Vec::new()
            }
        };
        if before != state {
            self.alarms.record(&item.alarm, item.at, item.event);
        }
        for wish in wishes {
            self.receive_signal(wish.alarm, wish.policy, wish.signal);
        }
        Ok(Empty {})
    }
}

fn checked_names(request: &AlarmNames) -> Result<Vec<String>, ApiError> {
    let names = request.alarm_names.as_ref();
    Checks::default()
        .required("alarmNames", names)
        .entries("alarmNames", names, 0, 100)
        .finish_cloudwatch()?;
    Ok(names.cloned().unwrap_or_default())
}

fn check_alarm(request: &PutMetricAlarm) -> Result<(), ApiError> {
    let operators = [
        "GreaterThanOrEqualToThreshold",
        "GreaterThanThreshold",
        "LessThanThreshold",
        "LessThanOrEqualToThreshold",
        "LessThanLowerOrGreaterThanUpperThreshold",
        "LessThanLowerThreshold",
        "GreaterThanUpperThreshold",
    ];
    let statistics = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
    Checks::default()
        .required("alarmName", request.alarm_name.as_ref())
        .length("alarmName", request.alarm_name.as_ref(), 1, 255)
        .length(
            "alarmDescription",
            request.alarm_description.as_ref(),
            0,
            1024,
        )
        .entries("oKActions", request.ok_actions.as_ref(), 0, 5)
        .entries("alarmActions", request.alarm_actions.as_ref(), 0, 5)
        .entries(
            "insufficientDataActions",
            request.insufficient_data_actions.as_ref(),
            0,
            5,
        )
        .length("metricName", request.metric_name.as_ref(), 1, 255)
        .length("namespace", request.namespace.as_ref(), 1, 255)
        .one_of("statistic", request.statistic.as_ref(), &statistics)
        .one_of(
            "comparisonOperator",
            request.comparison_operator.as_ref(),
            &operators,
        )
        .range("period", request.period, 1, i64::from(i32::MAX))
        .range(
            "evaluationPeriods",
            request.evaluation_periods,
            1,
            i64::from(i32::MAX),
        )
        .range(
            "datapointsToAlarm",
            request.datapoints_to_alarm,
            1,
            i64::from(i32::MAX),
        )
        .finish_cloudwatch()?;
    let needs = [
        ("EvaluationPeriods", request.evaluation_periods.is_some()),
        ("ComparisonOperator", request.comparison_operator.is_some()),
    ];
    if let Some((name, _)) = needs.into_iter().find(|(_, there)| !there) {
        return Err(ApiError::missing_parameter(name));
    }
    check_period(request)
}

/// The limits on period and evaluation range (aws-autoscaling.md 6.3).
fn check_period(request: &PutMetricAlarm) -> Result<(), ApiError> {
    let period = request.period.unwrap_or(60);
    if !matches!(period, 10 | 20 | 30) && period % 60 != 0 {
        return Err(ApiError::cloudwatch_validation(
            "Period must be 10, 20, 30 or a multiple of 60 seconds.",
        ));
    }
    let periods = request.evaluation_periods.unwrap_or(1);
    let most = if period >= 3600 { 604_800 } else { 86_400 };
    if period.saturating_mul(periods) > most {
        return Err(ApiError::cloudwatch_validation(format!(
            "Metrics cannot be checked across more than {most} seconds (EvaluationPeriods * Period must be <= \
             {most})."
        )));
    }
    if request.datapoints_to_alarm.is_some_and(|m| m > periods) {
        return Err(ApiError::cloudwatch_validation(
            "DatapointsToAlarm must be less than or equal to EvaluationPeriods.",
        ));
    }
    Ok(())
}

fn watched(request: &PutMetricAlarm, period: Span) -> Result<Watched, ApiError> {
    if let Some(queries) = &request.metrics {
        if request.metric_name.is_some() {
            return Err(ApiError::invalid_combination(
                "An alarm has either Metrics, or MetricName and Namespace.",
            ));
        }
        return parse_queries(queries, period)
            .map(Watched::Queries)
            .map_err(ApiError::cloudwatch_validation);
    }
    let required = |value: &Option<String>, name| {
        value
            .clone()
            .ok_or_else(|| ApiError::missing_parameter(name))
    };
    let name = required(&request.metric_name, "MetricName")?;
    let namespace = required(&request.namespace, "Namespace")?;
    if request.period.is_none() {
        return Err(ApiError::missing_parameter("Period"));
    }
    let word = match (&request.statistic, &request.extended_statistic) {
        (Some(word), None) | (None, Some(word)) => word,
        (None, None) => return Err(ApiError::missing_parameter("Statistic")),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid_combination(
                "Statistic and ExtendedStatistic cannot be specified together.",
            ));
        }
    };
    let stat = Stat::parse(word).ok_or_else(|| {
        ApiError::invalid_parameter(format!(
            "The value {word} for parameter ExtendedStatistic is not supported."
        ))
    })?;
    let dimensions =
        parse_dimensions(request.dimensions.as_ref()).map_err(ApiError::cloudwatch_validation)?;
    let key = MetricKey {
        namespace,
        name,
        dimensions,
    };
    Ok(Watched::Metric {
        key,
        stat,
        unit: request.unit.clone(),
        source: Source::Nothing,
    })
}

fn treat_missing(word: Option<&str>) -> Result<TreatMissing, ApiError> {
    match word {
        None | Some("missing") => Ok(TreatMissing::Missing),
        Some("ignore") => Ok(TreatMissing::Ignore),
        Some("breaching") => Ok(TreatMissing::Breaching),
        Some("notBreaching") => Ok(TreatMissing::NotBreaching),
        Some(other) => Err(ApiError::invalid_parameter(format!(
            "Option {other} is not supported for parameter TreatMissingData."
        ))),
    }
}

/// Reads the data that CloudWatch hands to scaling (aws-autoscaling.md 3.3). What lacks the datapoints, the
/// threshold or the date does not scale.
fn parse_reason_data(text: &str) -> Result<Option<Signal>, ApiError> {
    let data: Value = serde_json::from_str(text)
        .map_err(|_| ApiError::invalid_format("StateReasonData is not valid JSON."))?;
    let points = data.get("recentDatapoints").and_then(Value::as_array);
    let values: Option<Vec<f64>> =
        points.and_then(|points| points.iter().map(Value::as_f64).collect());
    let threshold = data.get("threshold").and_then(Value::as_f64);
    let at = data
        .get("queryDate")
        .and_then(Value::as_str)
        .and_then(Instant::parse_aws_text);
    Ok(match (values, threshold, at) {
        (Some(values), Some(threshold), Some(at)) => Signal::over(values, threshold, at),
        _ => None,
    })
}

fn alarm_shape(alarm: &Alarm) -> MetricAlarm {
    let labels = &alarm.labels;
    let (metric, unit) = match &alarm.rule.watched {
        Watched::Metric { key, unit, .. } => (Some(key), unit.clone()),
        Watched::Queries(_) => (None, None),
    };
    let dimensions = metric.map(|key| {
        let pair = |(name, value): (&String, &String)| Dimension {
            name: Some(name.clone()),
            value: Some(value.clone()),
        };
        key.dimensions.iter().map(pair).collect()
    });
    MetricAlarm {
        alarm_name: alarm.name.to_string(),
        alarm_arn: alarm.arn.clone(),
        alarm_description: labels.description.clone(),
        alarm_configuration_updated_timestamp: Timestamp(alarm.configured),
        actions_enabled: alarm.actions_enabled,
        ok_actions: labels.ok_actions.clone(),
        alarm_actions: labels.alarm_actions.clone(),
        insufficient_data_actions: labels.insufficient_data_actions.clone(),
        state_value: alarm.state.word(),
        state_reason: alarm.reason.text(),
        state_reason_data: alarm.reason.data(),
        state_updated_timestamp: Timestamp(alarm.updated),
        state_transitioned_timestamp: Timestamp(alarm.transitioned),
        metric_name: metric.map(|key| key.name.clone()),
        namespace: metric.map(|key| key.namespace.clone()),
        statistic: labels.statistic.clone(),
        extended_statistic: labels.extended_statistic.clone(),
        dimensions: dimensions.unwrap_or_default(),
        period: metric.map(|_| alarm.rule.period.millis() / 1000),
        unit,
        evaluation_periods: alarm.rule.periods,
        datapoints_to_alarm: labels.datapoints_to_alarm,
        threshold: alarm.rule.threshold,
        comparison_operator: alarm.rule.comparison.word(),
        treat_missing_data: labels.treat_missing_data.clone(),
        evaluate_low_sample_count_percentile: labels.evaluate_low_sample_count_percentile.clone(),
        metrics: labels.queries.clone(),
    }
}
