//! What schedules do to the bounds of a target, at any instant.
//!
//! A schedule either fires, and what it set stays until another one fires (AWS's own rule, aws-autoscaling.md 4.3), or
//! is a window, and what it sets holds while it is open. Nothing is remembered: what fired last follows from the clock.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};

use super::super::bounds::Capacity;
use super::super::name::ScheduleName;
use super::zone::Mapped;
use super::{Expression, Zone};

/// A schedule of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its name, unique on its target.
    pub name: ScheduleName,
    /// When.
    pub when: When,
    /// The zone of its wall clock.
    pub zone: Zone,
    /// Nobody said which, so it is UTC.
    pub is_zone_assumed: bool,
    /// The minimum that it sets, if it sets one.
    pub min: Option<Capacity>,
    /// The maximum that it sets, if it sets one.
    pub max: Option<Capacity>,
    /// So much earlier than it says, for capacity to start.
    pub lead: TimeDelta,
    /// Local dates on which it does not fire, or a window does not open.
    pub except: BTreeSet<NaiveDate>,
    /// It does not fire before this instant.
    pub start: Option<DateTime<Utc>>,
    /// Nor after this one.
    pub end: Option<DateTime<Utc>>,
    /// Who sets the bounds when it is due.
    pub runner: Runner,
    /// The scheduled action in AWS, where it stood before evenkeel came and keeps its name.
    pub adopted_action: Option<String>,
}

/// Who sets the bounds when a schedule is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Runner {
    /// evenkeel, at the instant.
    Daemon,
    /// AWS, by scheduled actions; evenkeel mends what AWS misses.
    Aws,
    /// Both: evenkeel at the instant, and AWS also while evenkeel is down.
    Both,
}

impl Runner {
    /// The config's word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Aws => "aws",
            Self::Both => "both",
        }
    }

    /// Whether AWS has scheduled actions for it.
    #[must_use]
    pub fn has_actions(self) -> bool {
        match self {
            Self::Daemon => false,
            Self::Aws | Self::Both => true,
        }
    }
}

/// When a schedule says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// It fires, and what it sets stays. A rate counts from `start`.
    Fires(Expression),
    /// It holds while a window is open.
    Open(Window),
}

/// A stretch of time, once or again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Once.
    Once {
        /// It opens.
        from: DateTime<Utc>,
        /// It closes.
        until: DateTime<Utc>,
    },
    /// On some days of the week, by the wall clock.
    Daily {
        /// It opens.
        from: NaiveTime,
        /// It closes; on the next day when that is not after its opening.
        until: NaiveTime,
        /// Days on which it opens, counted from Monday, 0.
        days: BTreeSet<u32>,
    },
}

/// Days of exceptions in a row that are passed over before a schedule counts as one that never fires.
const MOST_EXCEPTIONS: usize = 1000;

/// A second: firings are no closer to one another.
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// A later instant; the same one at the end of the calendar.
pub(in crate::domain) fn plus(at: DateTime<Utc>, span: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(span).unwrap_or(at)
}

/// An earlier instant; the same one at the beginning of the calendar.
pub(in crate::domain) fn minus(at: DateTime<Utc>, span: TimeDelta) -> DateTime<Utc> {
    at.checked_sub_signed(span).unwrap_or(at)
}

impl Schedule {
    fn anchor(&self) -> DateTime<Utc> {
        self.start.unwrap_or(DateTime::UNIX_EPOCH)
    }

    fn is_excepted(&self, at: DateTime<Utc>) -> bool {
        self.except.contains(&self.zone.local(at).date_naive())
    }

    /// When it last took effect at or before `now`, if it fires.
    #[must_use]
    pub fn last_fired(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let When::Fires(expression) = &self.when else {
            return None;
        };
        let due = plus(now, self.lead);
        let mut upto = self.end.map_or(due, |end| end.min(due));
        for _ in 0..MOST_EXCEPTIONS {
            let fired = expression.previous(self.zone, upto, self.anchor())?;
            if self.start.is_some_and(|start| fired < start) {
                return None;
            }
            if !self.is_excepted(fired) {
                return Some(minus(fired, self.lead));
            }
            upto = minus(fired, SECOND);
        }
        None
    }

    /// When it next takes effect after `now`, if it fires.
    #[must_use]
    pub fn next_fires(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let When::Fires(expression) = &self.when else {
            return None;
        };
        let mut after = plus(now, self.lead);
        if let Some(start) = self.start {
            after = after.max(minus(start, SECOND));
        }
        for _ in 0..MOST_EXCEPTIONS {
            let fires = expression.next(self.zone, after, self.anchor())?;
            if self.end.is_some_and(|end| fires > end) {
                return None;
            }
            if !self.is_excepted(fires) {
                return Some(minus(fires, self.lead));
            }
            after = fires;
        }
        None
    }

    /// The first instant at which a wall clock shows a time; where clocks go forward over it, the instant after that.
    fn instant(&self, date: NaiveDate, time: NaiveTime) -> Option<DateTime<Utc>> {
        match self.zone.instant(date.and_time(time)) {
            Mapped::At(at) => Some(at),
            Mapped::Gap(_, end) => match self.zone.instant(end) {
                Mapped::At(at) => Some(at),
                Mapped::Gap(..) => None,
            },
        }
    }

    /// The openings of a window that could matter around `now`, each with its close; the lead is in.
    fn openings(&self, now: DateTime<Utc>, days_ahead: i64) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let When::Open(window) = &self.when else {
            return Vec::new();
        };
        match window {
            Window::Once { from, until } => vec![(minus(*from, self.lead), *until)],
            Window::Daily { from, until, days } => {
                let today = self.zone.local(now).date_naive();
                let dates = (-2..=days_ahead)
                    .filter_map(|n| today.checked_add_signed(TimeDelta::try_days(n)?));
                let opening = |date: NaiveDate| {
                    let day = date.weekday().num_days_from_monday();
                    if !days.contains(&day) || self.except.contains(&date) {
                        return None;
                    }
                    let closes = if until > from { date } else { date.succ_opt()? };
                    let (opens, closes) =
                        (self.instant(date, *from)?, self.instant(closes, *until)?);
                    Some((minus(opens, self.lead), closes))
                };
                dates.filter_map(opening).collect()
            }
        }
    }

    fn is_valid(&self, opens: DateTime<Utc>) -> bool {
        self.start.is_none_or(|start| opens >= start) && self.end.is_none_or(|end| opens <= end)
    }

    /// The stretches of at most a week and a day from `now` on during which a window is open.
    #[must_use]
    pub fn coming_stretches(&self, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let mut openings = self.openings(now, 8);
        openings.retain(|(opens, closes)| *closes > now && self.is_valid(*opens));
        openings
    }

    /// When a window opened that is open at `now`, and when it closes.
    #[must_use]
    pub fn open_since(&self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let openings = self.openings(now, 1).into_iter();
        openings
            .filter(|(opens, closes)| *opens <= now && now < *closes && self.is_valid(*opens))
            .max()
    }

    /// The openings that are yet to come within a fortnight, and the one that is open, each with its close.
    pub(in crate::domain) fn coming_openings(
        &self,
        now: DateTime<Utc>,
    ) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let mut openings = self.openings(now, 15);
        openings.retain(|(opens, closes)| *closes > now && self.is_valid(*opens));
        openings
    }

    /// The same, always.
    pub(in crate::domain) fn without_exceptions(&self) -> Self {
        Self {
            except: BTreeSet::new(),
            start: None,
            end: None,
            ..self.clone()
        }
    }

    /// The last instant at or before `now` at which it changed anything; of windows, within two days.
    #[must_use]
    pub fn last_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.when {
            When::Fires(_) => self.last_fired(now),
            When::Open(_) => {
                let openings = self.openings(now, 1).into_iter();
                let valid = openings.filter(|(opens, _)| self.is_valid(*opens));
                let edges = valid.flat_map(|(opens, closes)| [opens, closes]);
                edges.filter(|edge| *edge <= now).max()
            }
        }
    }

    /// The first firing after an instant by the expression alone, whatever the exceptions and the start.
    pub(in crate::domain) fn next_on_grid(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.when {
            When::Fires(expression) => expression.next(self.zone, now, self.anchor()),
            When::Open(_) => None,
        }
    }

    /// The next instant after `now` at which it changes anything.
    #[must_use]
    pub fn next_change(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.when {
            When::Fires(_) => self.next_fires(now),
            // A week and the exceptions of one: whoever asks further has to ask again.
            When::Open(_) => {
                let openings = self.openings(now, 15).into_iter();
                let valid = openings.filter(|(opens, _)| self.is_valid(*opens));
                let edges = valid.flat_map(|(opens, closes)| [opens, closes]);
                edges.filter(|edge| *edge > now).min()
            }
        }
    }
}

/// A day of the week by AWS's short name, counted from Monday.
#[must_use]
pub fn day_of_week(name: &str) -> Option<u32> {
    let day: Weekday = name.parse().ok()?;
    (name.len() == 3).then(|| day.num_days_from_monday())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn schedule(when: When, zone: &str) -> Schedule {
        Schedule {
            name: "s".parse().unwrap(),
            when,
            zone: zone.parse().unwrap(),
            is_zone_assumed: false,
            min: Capacity::new(3),
            max: None,
            lead: TimeDelta::zero(),
            except: BTreeSet::new(),
            start: None,
            end: None,
            runner: Runner::Daemon,
            adopted_action: None,
        }
    }

    fn cron(text: &str, zone: &str) -> Schedule {
        schedule(When::Fires(Expression::parse(text).unwrap()), zone)
    }

    fn nightly(days: &[u32]) -> Schedule {
        let time = |h| NaiveTime::from_hms_opt(h, 0, 0).unwrap();
        let window = Window::Daily {
            from: time(22),
            until: time(6),
            days: days.iter().copied().collect(),
        };
        schedule(When::Open(window), "Europe/Berlin")
    }

    #[test]
    fn what_fired_last_follows_from_the_clock() {
        let weekdays = cron("0 8 ? * MON-FRI *", "Europe/Berlin");
        // A Sunday: it is Friday's that holds.
        assert_eq!(
            weekdays.last_fired(at("2026-11-22T12:00:00Z")),
            Some(at("2026-11-20T07:00:00Z"))
        );
        assert_eq!(
            weekdays.next_fires(at("2026-11-22T12:00:00Z")),
            Some(at("2026-11-23T07:00:00Z"))
        );
        assert_eq!(
            weekdays.last_fired(at("2026-11-23T07:00:00Z")),
            Some(at("2026-11-23T07:00:00Z"))
        );
    }

    #[test]
    fn lead_and_exceptions_move_and_remove_firings() {
        let mut daily = cron("0 8 * * ? *", "UTC");
        daily.lead = TimeDelta::minutes(10);
        daily.except.insert("2026-11-23".parse().unwrap());
        assert_eq!(
            daily.next_fires(at("2026-11-22T07:49:59Z")),
            Some(at("2026-11-22T07:50:00Z"))
        );
        assert_eq!(
            daily.next_fires(at("2026-11-22T07:50:00Z")),
            Some(at("2026-11-24T07:50:00Z"))
        );
        assert_eq!(
            daily.last_fired(at("2026-11-23T12:00:00Z")),
            Some(at("2026-11-22T07:50:00Z"))
        );
    }

    #[test]
    fn start_and_end_bound_the_firings() {
        let mut daily = cron("0 8 * * ? *", "UTC");
        daily.start = Some(at("2026-11-22T09:00:00Z"));
        daily.end = Some(at("2026-11-24T12:00:00Z"));
        assert_eq!(daily.last_fired(at("2026-11-22T12:00:00Z")), None);
        assert_eq!(
            daily.next_fires(at("2026-11-20T12:00:00Z")),
            Some(at("2026-11-23T08:00:00Z"))
        );
        assert_eq!(daily.next_fires(at("2026-11-24T08:00:00Z")), None);
        assert_eq!(
            daily.last_fired(at("2027-01-01T00:00:00Z")),
            Some(at("2026-11-24T08:00:00Z"))
        );
    }

    #[test]
    fn a_window_crosses_midnight_and_belongs_to_the_day_it_opens_on() {
        // Monday the 23rd only.
        let window = nightly(&[0]);
        let open = |text| window.open_since(at(text)).is_some();
        assert!(!open("2026-11-23T20:59:59Z"));
        assert!(open("2026-11-23T21:00:00Z"));
        assert!(open("2026-11-24T04:59:59Z"));
        assert!(!open("2026-11-24T05:00:00Z"));
        assert_eq!(
            window.next_change(at("2026-11-24T05:00:00Z")),
            Some(at("2026-11-30T21:00:00Z"))
        );
        assert_eq!(
            window.next_change(at("2026-11-23T22:00:00Z")),
            Some(at("2026-11-24T05:00:00Z"))
        );
    }

    #[test]
    fn the_night_of_a_change_of_the_clock_is_longer_or_shorter() {
        let window = nightly(&[0, 1, 2, 3, 4, 5, 6]);
        // Clocks go back in the night to 2026-10-25, and forward in the night to 2027-03-28.
        let (opens, closes) = window.open_since(at("2026-10-25T00:00:00Z")).unwrap();
        assert_eq!(closes - opens, TimeDelta::hours(9));
        let (opens, closes) = window.open_since(at("2027-03-28T00:00:00Z")).unwrap();
        assert_eq!(closes - opens, TimeDelta::hours(7));
    }
}
