//! Alarm mute rules: for a while alarms change their states and do nothing. Of the schedules only `at(...)`, once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::error::ApiError;
use super::super::mute::MuteRule;
use super::super::time::{Instant, Timestamp};
use super::super::world::World;
use super::Empty;

/// Input of `PutAlarmMuteRule`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PutAlarmMuteRule {
    /// Its name.
    pub name: String,
    /// When it mutes.
    pub rule: Option<Rule>,
    /// Which alarms.
    pub mute_targets: Option<MuteTargets>,
}

/// When a rule mutes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Rule {
    /// The schedule.
    pub schedule: MuteSchedule,
}

/// The schedule of a rule.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MuteSchedule {
    /// `at(2026-11-22T03:00)`, in UTC.
    pub expression: String,
    /// ISO 8601, for example `PT4H`.
    pub duration: String,
}

/// The alarms of a rule.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MuteTargets {
    /// Their names.
    pub alarm_names: Vec<String>,
}

/// Input of `GetAlarmMuteRule` and `DeleteAlarmMuteRule`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NamedMuteRule {
    /// Which rule.
    pub alarm_mute_rule_name: String,
}

/// Output of `GetAlarmMuteRule`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetAlarmMuteRuleResponse {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub alarm_mute_rule_arn: String,
    /// When it mutes.
    pub rule: Rule,
    /// Which alarms.
    pub mute_targets: MuteTargets,
    /// `SCHEDULED`, `ACTIVE` or `EXPIRED`.
    pub status: &'static str,
    /// When it was put.
    pub last_updated_timestamp: Timestamp,
}

/// Input of `ListAlarmMuteRules`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListAlarmMuteRules {
    /// Only rules for this alarm.
    pub alarm_name: Option<String>,
    /// Only rules of these statuses.
    pub statuses: Option<Vec<String>>,
}

/// Output of `ListAlarmMuteRules`; one page holds all.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAlarmMuteRulesResponse {
    /// The rules.
    pub alarm_mute_rule_summaries: Vec<AlarmMuteRuleSummary>,
}

/// A rule in a list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmMuteRuleSummary {
    /// Its ARN; the name is its end.
    pub alarm_mute_rule_arn: String,
    /// `SCHEDULED`, `ACTIVE` or `EXPIRED`.
    pub status: &'static str,
    /// When it was put.
    pub last_updated_timestamp: Timestamp,
}

impl World {
    fn mute_rule_arn(&self, name: &str) -> String {
        self.alarm_arn(name).replace(":alarm:", ":alarm-mute-rule:")
    }

    /// Mutes alarms for a while, once.
    ///
    /// # Errors
    /// `ValidationError` for a schedule or a duration that the sandbox does not know.
    pub fn put_alarm_mute_rule(&mut self, request: &PutAlarmMuteRule) -> Result<Empty, ApiError> {
        let schedule = request.rule.clone().unwrap_or_default().schedule;
        let invalid = |what: &str| {
            ApiError::validation(format!(
                "{what}: the sandbox mutes once, at(YYYY-MM-DDThh:mm), for P..DT..H..M"
            ))
        };
        let from = once(&schedule.expression).ok_or_else(|| invalid("Expression"))?;
        let minutes = minutes(&schedule.duration).ok_or_else(|| invalid("Duration"))?;
        let targets = request.mute_targets.clone().unwrap_or_default().alarm_names;
        let rule = MuteRule {
            targets: targets.into_iter().collect::<BTreeSet<_>>(),
            from,
            until: from + super::super::time::Span::from_secs(minutes.saturating_mul(60)),
            expression: schedule.expression,
            duration: schedule.duration,
            put: self.now,
        };
        self.alarms.mutes.insert(request.name.clone(), rule);
        Ok(Empty {})
    }

    /// One rule.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn get_alarm_mute_rule(
        &self,
        request: &NamedMuteRule,
    ) -> Result<GetAlarmMuteRuleResponse, ApiError> {
        let name = &request.alarm_mute_rule_name;
        let rule = self.alarms.mutes.get(name).ok_or_else(|| {
            ApiError::resource_not_found(format!("Alarm mute rule {name} does not exist"))
        })?;
        Ok(GetAlarmMuteRuleResponse {
            name: name.clone(),
            alarm_mute_rule_arn: self.mute_rule_arn(name),
            rule: Rule {
                schedule: MuteSchedule {
                    expression: rule.expression.clone(),
                    duration: rule.duration.clone(),
                },
            },
            mute_targets: MuteTargets {
                alarm_names: rule.targets.iter().cloned().collect(),
            },
            status: rule.status(self.now),
            last_updated_timestamp: Timestamp(rule.put),
        })
    }

    /// Lists rules.
    ///
    /// # Errors
    /// None of its own.
    pub fn list_alarm_mute_rules(
        &self,
        request: &ListAlarmMuteRules,
    ) -> Result<ListAlarmMuteRulesResponse, ApiError> {
        let wanted = |rule: &MuteRule| {
            let of_alarm = request.alarm_name.as_ref();
            let statuses = request.statuses.as_ref();
            of_alarm.is_none_or(|name| rule.targets.contains(name))
                && statuses.is_none_or(|all| all.iter().any(|s| s == rule.status(self.now)))
        };
        let rules = self.alarms.mutes.iter().filter(|(_, rule)| wanted(rule));
        let summary = |(name, rule): (&String, &MuteRule)| AlarmMuteRuleSummary {
            alarm_mute_rule_arn: self.mute_rule_arn(name),
            status: rule.status(self.now),
            last_updated_timestamp: Timestamp(rule.put),
        };
        Ok(ListAlarmMuteRulesResponse {
            alarm_mute_rule_summaries: rules.map(summary).collect(),
        })
    }

    /// Deletes a rule, if it is there.
    ///
    /// # Errors
    /// None of its own.
    pub fn delete_alarm_mute_rule(&mut self, request: &NamedMuteRule) -> Result<Empty, ApiError> {
        self.alarms.mutes.remove(&request.alarm_mute_rule_name);
        Ok(Empty {})
    }
}

fn once(expression: &str) -> Option<Instant> {
    let local = expression.strip_prefix("at(")?.strip_suffix(')')?;
    Instant::parse_aws_text(&format!("{local}:00Z"))
}

/// Minutes of an ISO 8601 duration in days, hours and minutes.
fn minutes(text: &str) -> Option<i64> {
    let text = text.strip_prefix('P')?;
    let (days, time) = text.split_once('T').unwrap_or((text, ""));
    let part = |text: &mut String, unit: char| -> Option<i64> {
        let Some((number, rest)) = text.split_once(unit) else {
            return Some(0);
        };
        let (number, rest) = (number.parse().ok()?, rest.to_owned());
        *text = rest;
        Some(number)
    };
    let (mut days, mut time) = (days.to_owned(), time.to_owned());
    let total = part(&mut days, 'D')?
        .saturating_mul(1440)
        .saturating_add(part(&mut time, 'H')?.saturating_mul(60))
        .saturating_add(part(&mut time, 'M')?);
    (days.is_empty() && time.is_empty() && total > 0).then_some(total)
}
