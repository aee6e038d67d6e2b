//! CloudWatch alarms: as observed, and as declared with a step policy.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::metric::CustomMetric;
use super::name::{OwnerName, PolicyName};
use super::target::TargetId;
use super::value::Number;

/// The state of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmState {
    /// The threshold is kept.
    Ok,
    /// The threshold is broken. For the low alarm of target tracking this is the normal idle state.
    Alarm,
    /// Too little data to say; no scaling in either direction follows from it.
    InsufficientData,
}

impl AlarmState {
    /// CloudWatch's word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    /// Reads CloudWatch's word; one that we do not know says nothing about the metric.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "OK" => Self::Ok,
            "ALARM" => Self::Alarm,
            _ => Self::InsufficientData,
        }
    }
}

/// A word that is none of the words that are known in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known word here")]
pub struct UnknownWord(pub String);

/// How an alarm compares its metric with its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comparison {
    /// At or above.
    GreaterOrEqual,
    /// Above.
    Greater,
    /// Below.
    Less,
    /// At or below.
    LessOrEqual,
}

impl Comparison {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::GreaterOrEqual,
        Self::Greater,
        Self::Less,
        Self::LessOrEqual,
    ];

    /// CloudWatch's word.
    #[must_use]
    pub fn aws_name(self) -> &'static str {
        match self {
            Self::GreaterOrEqual => "GreaterThanOrEqualToThreshold",
            Self::Greater => "GreaterThanThreshold",
            Self::Less => "LessThanThreshold",
            Self::LessOrEqual => "LessThanOrEqualToThreshold",
        }
    }

    /// The sign, as the config has it.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        }
    }

    /// Whether the alarm goes off above its threshold.
    #[must_use]
    pub fn is_upward(self) -> bool {
        matches!(self, Self::GreaterOrEqual | Self::Greater)
    }
}

impl FromStr for Comparison {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|c| c.sign() == s || c.aws_name() == s)
            .ok_or_else(|| UnknownWord(s.to_owned()))
    }
}

/// What an alarm makes of periods without data (aws-autoscaling.md 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MissingData {
    /// They say nothing; with none at all the state is `INSUFFICIENT_DATA`.
    Missing,
    /// The state stays as it is.
    Ignore,
    /// They break the threshold.
    Breaching,
    /// They keep it.
    NotBreaching,
}

impl MissingData {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Missing,
        Self::Ignore,
        Self::Breaching,
        Self::NotBreaching,
    ];

    /// CloudWatch's word.
    #[must_use]
    pub fn aws_name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Ignore => "ignore",
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
        }
    }

    /// The config's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Ignore => "ignore",
            Self::Breaching => "breaching",
            Self::NotBreaching => "not_breaching",
        }
    }
}

impl FromStr for MissingData {
    type Err = UnknownWord;

    fn from_str(s: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|m| m.name() == s || m.aws_name() == s)
            .ok_or_else(|| UnknownWord(s.to_owned()))
    }
}

/// When an alarm goes off. Two rules are equal when CloudWatch judges by them alike: what it fills in by itself is
/// filled in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmRule {
    /// The metric in full.
    pub metric: CustomMetric,
    /// Period in seconds.
    pub period: u32,
    /// Periods that are looked at.
    pub periods: u32,
    /// How many of them have to break the threshold.
    pub datapoints: u32,
    /// The threshold, in the metric's unit.
    pub threshold: Number,
    /// How it is compared.
    pub comparison: Comparison,
    /// What periods without data mean.
    pub missing: MissingData,
}

/// The rule in a few words: metric, comparison, threshold.
impl fmt::Display for AlarmRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.metric.statistic,
            self.metric.name,
            self.comparison.sign(),
            self.threshold
        )?;
        write!(
            f,
            " in {} of {} periods of {} s",
            self.datapoints, self.periods, self.period
        )
    }
}

/// What an alarm has beside driving a policy: it is put back as it was when the alarm is put.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlarmExtras {
    /// ARNs of what it does when it turns OK.
    pub ok_actions: Vec<String>,
    /// ARNs of what it does when its data runs out.
    pub insufficient_actions: Vec<String>,
    /// Its free text; ours when it has none.
    pub description: Option<String>,
}

/// One metric alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedAlarm {
    /// Its name, unique per scope.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// Whether its actions run at all.
    pub actions_enabled: bool,
    /// Threshold in the metric's unit; absent for alarms on anomaly bands.
    pub threshold: Option<Number>,
    /// When the state last changed.
    pub since: Option<DateTime<Utc>>,
    /// ARNs of what it does in the state `ALARM`.
    pub actions: Vec<String>,
    /// When it goes off; `None` for what our config can not express (metric math, percentiles, bands).
    pub rule: Option<AlarmRule>,
    /// What else it has. The description of ours may keep what a person asked for.
    pub extras: AlarmExtras,
    /// The newest value that it went by when its state was last judged, and the start of its period.
    pub last: Option<(DateTime<Utc>, Number)>,
}

/// CloudWatch's limit.
pub const LONGEST_ALARM_NAME: usize = 255;

/// The beginning of the names of all alarms that belong to `owner`.
#[must_use]
pub fn alarm_prefix(owner: &OwnerName) -> String {
    format!("{owner}/")
}

/// The name of the alarm that drives a step policy. It says whose it is and what it drives, so that nothing has to be
/// remembered: it is found again by its name alone.
#[must_use]
pub fn alarm_name(owner: &OwnerName, target: &TargetId, policy: &PolicyName) -> String {
    format!(
        "{}{}/{policy}",
        alarm_prefix(owner),
        target.alarm_component()
    )
}

/// The target's part of the name of an alarm, with the slash after it: what all its alarms begin with.
#[must_use]
pub fn target_alarm_prefix(owner: &OwnerName, target: &TargetId) -> String {
    format!("{}{}/", alarm_prefix(owner), target.alarm_component())
}
