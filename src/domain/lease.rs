//! What a person asks for a while: holds, overrides, and updates in preparation.
//!
//! They are kept in AWS, so that a restart and another replica see them: each is an alarm that watches nothing, under a
//! name of ours, and what is asked for stands in its description. Tags would cost one call per target and pass to
//! read; our alarms are read at every pass anyway.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

use super::alarm::{ObservedAlarm, alarm_prefix};
use super::bounds::{Bounds, Capacity};
use super::desired::Suspension;
use super::name::{EndpointName, OwnerName, VariantName};
use super::target::TargetId;

/// Something that is asked for until an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease<T> {
    /// What.
    pub what: T,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it began.
    pub since: DateTime<Utc>,
    /// When it ends.
    pub until: DateTime<Utc>,
}

impl<T> Lease<T> {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        now < self.until
    }

    /// The same, over at `now`.
    #[must_use]
    pub fn ended(self, now: DateTime<Utc>) -> Self {
        Self {
            until: self.until.min(now.trunc_subsecs(0)),
            ..self
        }
    }
}

/// Scaling by policies stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Policies may not remove capacity.
    pub scale_in: bool,
    /// Policies may not add capacity.
    pub scale_out: bool,
    /// What was suspended when it began, and is again when it ends.
    pub before: Suspension,
}

impl Hold {
    /// What is to be suspended while it holds.
    #[must_use]
    pub fn on(self, suspended: Suspension) -> Suspension {
        Suspension {
            scale_in: suspended.scale_in || self.scale_in,
            scale_out: suspended.scale_out || self.scale_out,
            scheduled: suspended.scheduled,
        }
    }

    /// What is to be suspended after it.
    #[must_use]
    pub fn off(self, suspended: Suspension) -> Suspension {
        let pick = |held: bool, before: bool, now: bool| if held { before } else { now };
        Suspension {
            scale_in: pick(self.scale_in, self.before.scale_in, suspended.scale_in),
            scale_out: pick(self.scale_out, self.before.scale_out, suspended.scale_out),
            scheduled: suspended.scheduled,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.scale_in, self.scale_out) {
            (true, true) => "in,out",
            (true, false) => "in",
            (false, _) => "out",
        })
    }
}

/// Other bounds than those of the config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Override {
    /// The minimum, if it is another one.
    pub min: Option<Capacity>,
    /// The maximum, if it is another one.
    pub max: Option<Capacity>,
    /// The bounds that AWS held when it began.
    pub before: Bounds,
}

impl Override {
    /// The bounds while it holds. Where only one end is given and would cross the other, it takes the other along.
    #[must_use]
    pub fn on(self, bounds: Bounds) -> Bounds {
        let min = self.min.unwrap_or_else(|| bounds.min());
        let max = self.max.unwrap_or_else(|| bounds.max());
        let (min, max) = match (self.min, self.max) {
            (None, Some(max)) => (min.min(max), max),
            _ => (min, max.max(min)),
        };
        Bounds::new(min, max).unwrap_or(bounds)
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |end: Option<Capacity>| end.map_or("=".to_owned(), |n| n.to_string());
        write!(f, "{}..{}", end(self.min), end(self.max))
    }
}

/// What is asked of one target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leases {
    /// A hold.
    pub hold: Option<Lease<Hold>>,
    /// An override.
    pub bounds: Option<Lease<Override>>,
}

impl Leases {
    /// The next instant at which one of them ends, if it is to come.
    #[must_use]
    pub fn next_end(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ends = [
            self.hold.as_ref().map(|l| l.until),
            self.bounds.as_ref().map(|l| l.until),
        ];
        ends.into_iter().flatten().filter(|end| *end > now).min()
    }

    /// What ended first of those that are over, and when; they should be gone.
    #[must_use]
    pub fn overdue(&self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, MarkerKind)> {
        let hold = self.hold.as_ref().map(|l| (l.until, MarkerKind::Hold));
        let over = self
            .bounds
            .as_ref()
            .map(|l| (l.until, MarkerKind::Override));
        let ends = [hold, over].into_iter().flatten();
        ends.filter(|(end, _)| *end <= now).min()
    }
}

/// An endpoint whose targets are deregistered, because its variants are about to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedUpdate {
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Variants whose registrations did not carry our tag, and are not to carry it when they come back.
    pub others: BTreeSet<VariantName>,
}

/// Everything that is asked for in a scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Markers {
    /// Holds and overrides.
    pub leases: BTreeMap<TargetId, Leases>,
    /// Updates in preparation.
    pub updates: BTreeMap<EndpointName, PreparedUpdate>,
    /// Alarms that are named as markers, and can not be read.
    pub unreadable: Vec<String>,
}

/// What a marker is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkerKind {
    /// A hold.
    Hold,
    /// An override.
    Override,
    /// An update in preparation.
    Update,
}

impl MarkerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hold, Self::Override, Self::Update];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Override => "override",
            Self::Update => "update",
        }
    }
}

/// The name of the alarm that a hold or an override of a target is kept in.
#[must_use]
pub fn lease_marker(owner: &OwnerName, kind: MarkerKind, target: &TargetId) -> String {
    let (prefix, word) = (alarm_prefix(owner), kind.word());
    format!("{prefix}{word}/{}", target.alarm_component())
}

/// The name of the alarm that an update in preparation is kept in.
#[must_use]
pub fn update_marker(owner: &OwnerName, endpoint: &EndpointName) -> String {
    let (prefix, word) = (alarm_prefix(owner), MarkerKind::Update.word());
    format!("{prefix}{word}/endpoint/{endpoint}")
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// CloudWatch's limit for the description of an alarm, in characters.
const LONGEST_DESCRIPTION: usize = 1024;

/// A description, cut to what CloudWatch takes. The reason comes last, as only it may be cut.
fn described(fields: &[(&str, String)], by: &str, reason: &str) -> String {
    let clean = |text: &str| text.replace([';', '\n', '\r'], ",");
    let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let text = format!(
        "{}; by={}; reason={}",
        fields.join("; "),
        clean(by.trim()),
        reason.trim().replace(['\n', '\r'], " ")
    );
    text.chars().take(LONGEST_DESCRIPTION).collect()
}

impl Lease<Hold> {
    /// The description of its marker.
    #[must_use]
    pub fn describe(&self) -> String {
        let suspended = self.what.before;
        let kinds = [
            (suspended.scale_in, "in"),
            (suspended.scale_out, "out"),
            (suspended.scheduled, "scheduled"),
        ];
        let before: Vec<&str> = kinds
            .into_iter()
            .filter_map(|(on, word)| on.then_some(word))
            .collect();
        let fields = [
            ("hold", self.what.to_string()),
            ("since", stamp(self.since)),
            ("until", stamp(self.until)),
            ("before", before.join(",")),
        ];
        described(&fields, &self.by, &self.reason)
    }

    fn read(text: &str) -> Option<Self> {
        let fields = Fields::of(text)?;
        let (kinds, before) = (fields.get("hold")?, fields.get("before")?);
        let has = |list: &str, word: &str| list.split(',').any(|w| w == word);
        fields.lease(Hold {
            scale_in: has(kinds, "in"),
            scale_out: has(kinds, "out"),
            before: Suspension {
                scale_in: has(before, "in"),
                scale_out: has(before, "out"),
                scheduled: has(before, "scheduled"),
            },
        })
    }
}

impl Lease<Override> {
    /// The description of its marker.
    #[must_use]
    pub fn describe(&self) -> String {
        let fields = [
            ("override", self.what.to_string()),
            ("since", stamp(self.since)),
            ("until", stamp(self.until)),
            ("before", self.what.before.to_string()),
        ];
        described(&fields, &self.by, &self.reason)
    }

    fn read(text: &str) -> Option<Self> {
        let fields = Fields::of(text)?;
        let capacity = |text: &str| text.parse().ok().and_then(Capacity::new);
        let (min, max) = fields.get("override")?.split_once("..")?;
        let (low, high) = fields.get("before")?.split_once("..")?;
        let end = |text: &str| match text {
            "=" => Some(None),
            number => capacity(number).map(Some),
        };
        fields.lease(Override {
            min: end(min)?,
            max: end(max)?,
            before: Bounds::new(capacity(low)?, capacity(high)?).ok()?,
        })
    }
}

impl PreparedUpdate {
    /// The description of its marker.
    #[must_use]
    pub fn describe(&self) -> String {
        let others: Vec<&str> = self.others.iter().map(VariantName::as_str).collect();
        let fields = [
            ("update", "prepared".to_owned()),
            ("since", stamp(self.since)),
            ("others", others.join(",")),
        ];
        described(&fields, &self.by, &self.reason)
    }

    fn read(text: &str) -> Option<Self> {
        let fields = Fields::of(text)?;
        Some(Self {
            by: fields.get("by")?.to_owned(),
            reason: fields.reason.to_owned(),
            since: fields.time("since")?,
            // Markers of before have none.
            others: fields
                .get("others")
                .unwrap_or_default()
                .split(',')
                .filter_map(|name| name.parse().ok())
                .collect(),
        })
    }
}

/// The fields of a description.
struct Fields<'a> {
    values: BTreeMap<&'a str, &'a str>,
    reason: &'a str,
}

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (fields, reason) = text.split_once("; reason=")?;
        let values = fields.split("; ").map(|field| field.split_once('='));
        Some(Self {
            values: values.collect::<Option<_>>()?,
            reason,
        })
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.values.get(key).copied()
    }

    fn time(&self, key: &str) -> Option<DateTime<Utc>> {
        let text = self.get(key)?;
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|t| t.with_timezone(&Utc))
    }

    fn lease<T>(&self, what: T) -> Option<Lease<T>> {
        Some(Lease {
            what,
            by: self.get("by")?.to_owned(),
            reason: self.reason.to_owned(),
            since: self.time("since")?,
            until: self.time("until")?,
        })
    }
}

/// What is asked for, as our alarms tell it. An alarm that is named as a marker and can not be read is told of: it may
/// be a hold.
#[must_use]
pub fn read_markers<'a>(
    owner: &OwnerName,
    alarms: impl IntoIterator<Item = &'a ObservedAlarm>,
) -> Markers {
    let mut markers = Markers::default();
    let prefix = alarm_prefix(owner);
    for alarm in alarms {
        let Some(rest) = alarm.name.strip_prefix(&prefix) else {
            continue;
        };
        let kind_of = |kind: MarkerKind| {
            let rest = rest.strip_prefix(kind.word())?.strip_prefix('/')?;
            Some((kind, rest))
        };
        let Some((kind, about)) = MarkerKind::ALL.into_iter().find_map(kind_of) else {
            continue;
        };
        let text = alarm.extras.description.as_deref().unwrap_or_default();
        if read_marker(kind, about, text, &mut markers).is_none() {
            markers.unreadable.push(alarm.name.clone());
        }
    }
    markers
}

fn read_marker(kind: MarkerKind, about: &str, text: &str, markers: &mut Markers) -> Option<()> {
    match kind {
        MarkerKind::Hold => {
            let (target, lease) = (
                TargetId::of_alarm_component(about)?,
                Lease::<Hold>::read(text)?,
            );
            markers.leases.entry(target).or_default().hold = Some(lease);
        }
        MarkerKind::Override => {
            let (target, lease) = (
                TargetId::of_alarm_component(about)?,
                Lease::<Override>::read(text)?,
            );
            markers.leases.entry(target).or_default().bounds = Some(lease);
        }
        MarkerKind::Update => {
            let endpoint = about.strip_prefix("endpoint/")?.parse().ok()?;
            markers
                .updates
                .insert(endpoint, PreparedUpdate::read(text)?);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::alarm::{AlarmExtras, AlarmState};
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn capacity(n: u32) -> Capacity {
        Capacity::new(n).unwrap()
    }

    fn lease<T>(what: T) -> Lease<T> {
        Lease {
            what,
            by: "alice; at night".to_owned(),
            reason: "rollout #12; a=b, don't scale!\n".to_owned(),
            since: at(1000),
            until: at(2000),
        }
    }

    fn alarm(name: &str, description: &str) -> ObservedAlarm {
        ObservedAlarm {
            name: name.to_owned(),
            state: AlarmState::Ok,
            actions_enabled: false,
            threshold: None,
            since: None,
            actions: Vec::new(),
            rule: None,
            extras: AlarmExtras {
                description: Some(description.to_owned()),
                ..AlarmExtras::default()
            },
            last: None,
        }
    }

    #[test]
    fn what_is_asked_for_comes_back_from_its_marker() {
        let owner = OwnerName::default();
        let target: TargetId = "inference-component/llm".parse().unwrap();
        let before = Suspension {
            scheduled: true,
            ..Suspension::default()
        };
        let hold = lease(Hold {
            scale_in: true,
            scale_out: false,
            before,
        });
        let other = lease(Override {
            min: None,
            max: Some(capacity(7)),
            before: Bounds::new(capacity(1), capacity(4)).unwrap(),
        });
        let endpoint: EndpointName = "chat".parse().unwrap();
        let update = PreparedUpdate {
            by: "bob".to_owned(),
            reason: String::new(),
            since: at(5),
            others: ["v".parse().unwrap(), "w".parse().unwrap()].into(),
        };
        let alarms = [
            alarm(
                &lease_marker(&owner, MarkerKind::Hold, &target),
                &hold.describe(),
            ),
            alarm(
                &lease_marker(&owner, MarkerKind::Override, &target),
                &other.describe(),
            ),
            alarm(&update_marker(&owner, &endpoint), &update.describe()),
            alarm("evenkeel/hold/endpoint/x", "made by hand"),
            alarm("evenkeel/endpoint/chat/variant/v/hold", "drives a policy"),
        ];
        let markers = read_markers(&owner, &alarms);
        let read = &markers.leases[&target];
        let held = read.hold.as_ref().unwrap();
        assert_eq!((held.what, held.until), (hold.what, at(2000)));
        assert_eq!(held.by, "alice, at night");
        assert_eq!(held.reason, "rollout #12; a=b, don't scale!");
        assert_eq!(read.bounds.as_ref().unwrap().what, other.what);
        assert_eq!(markers.updates[&endpoint], update);
        assert_eq!(markers.unreadable, ["evenkeel/hold/endpoint/x"]);
    }

    #[test]
    fn a_hold_ends_as_it_began() {
        let before = Suspension {
            scale_in: true,
            ..Suspension::default()
        };
        let hold = Hold {
            scale_in: true,
            scale_out: true,
            before,
        };
        let during = hold.on(before);
        assert!(during.scale_in && during.scale_out && !during.scheduled);
        assert_eq!(hold.off(during), before);
    }

    #[test]
    fn an_override_of_one_end_takes_the_other_along() {
        let bounds = Bounds::new(capacity(2), capacity(5)).unwrap();
        let with = |min: Option<u32>, max: Option<u32>| {
            let over = Override {
                min: min.map(capacity),
                max: max.map(capacity),
                before: bounds,
            };
            over.on(bounds).to_string()
        };
        assert_eq!(with(Some(8), None), "8..8");
        assert_eq!(with(None, Some(1)), "1..1");
        assert_eq!(with(Some(3), Some(4)), "3..4");
        assert_eq!(with(None, None), "2..5");
    }
}
