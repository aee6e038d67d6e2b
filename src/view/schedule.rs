//! When a schedule fires, as text and as JSON.

use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Lines, Paint, Tone};
use crate::domain::{EffectiveBounds, Expression, Zone};

/// Some firings of a schedule, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firings {
    /// What fires.
    pub expression: Expression,
    /// The zone of its wall clock.
    pub zone: Zone,
    /// The zone of whoever asks, where it is another one.
    pub here: Option<Zone>,
    /// When.
    pub at: Vec<DateTime<Utc>>,
    /// Whether these are the last.
    pub ended: bool,
}

/// Firings as text: the schedule, a line per firing with a note where the clocks have changed since the one before, and
/// a line when there are no more.
#[must_use]
pub fn firings_text(firings: &Firings, paint: Paint) -> String {
    let mut lines = Lines::default();
    let what = format!("{} in {}", firings.expression, firings.zone);
    let here = firings.here.map(|here| format!(", then UTC, then {here}"));
    let what = format!("{what}{}", here.unwrap_or_default());
    lines.push(paint.paint(Tone::Strong, &what));
    let mut clocks = Clocks::default();
    for at in &firings.at {
        let local = firings.zone.local(*at);
        let note = clocks.note(*local.offset()).unwrap_or_default();
        lines.push(format!(
            "{}  {}{}{}",
            local.format("%a %Y-%m-%d %H:%M:%S %:z"),
            utc_text(*at),
            here_text(firings.here, *at),
            paint.paint(Tone::Change, &note)
        ));
    }
    if firings.ended {
        let end = if firings.at.is_empty() {
            "no firings to the end of 2199"
        } else {
            "no more firings"
        };
        lines.push(paint.paint(Tone::Dim, end));
    }
    lines.finish()
}

/// Notes where the clocks of a zone have changed since the line before.
#[derive(Debug, Default)]
struct Clocks(Option<FixedOffset>);

impl Clocks {
    fn note(&mut self, offset: FixedOffset) -> Option<String> {
        let before = self.0.replace(offset).filter(|before| *before != offset)?;
        let change = offset
            .local_minus_utc()
            .saturating_sub(before.local_minus_utc());
        let (size, way) = if change < 0 {
            (change.saturating_neg(), "back")
        } else {
            (change, "forward")
        };
        Some(format!(
            "  clocks went {way} by {}, {before} to {offset}",
            span(size)
        ))
    }
}

/// An instant on the clock of whoever asks.
fn here_text(here: Option<Zone>, at: DateTime<Utc>) -> String {
    let text = |zone: Zone| format!("  {}", zone.local(at).format("%a %H:%M %:z"));
    here.map(text).unwrap_or_default()
}

/// Firings as JSON, each in UTC and in the zone of the schedule.
#[must_use]
pub fn firings_json(firings: &Firings) -> Value {
    let one = |at: &DateTime<Utc>| instant_json(*at, firings.zone, firings.here);
    json!({ "firings": firings.at.iter().map(one).collect::<Vec<_>>() })
}

/// An instant in UTC, in a zone, and in that of whoever asks.
fn instant_json(at: DateTime<Utc>, zone: Zone, here: Option<Zone>) -> Value {
    let in_zone = |zone: Zone| zone.local(at).to_rfc3339_opts(SecondsFormat::Secs, false);
    let mut json = json!({ "utc": utc_text(at), "local": in_zone(zone) });
    if let (Some(here), Some(map)) = (here, json.as_object_mut()) {
        map.insert("here".to_owned(), json!(in_zone(here)));
    }
    json
}

/// A change of bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: DateTime<Utc>,
    /// What holds from then on, and why.
    pub effective: EffectiveBounds,
}

/// The next changes of a target's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The target, or the selection.
    pub subject: String,
    /// The zone to show local times in.
    pub zone: Zone,
    /// The zone of whoever asks, where it is another one.
    pub here: Option<Zone>,
    /// From when on.
    pub after: DateTime<Utc>,
    /// Until when all changes are there; `None` when they were counted.
    pub until: Option<DateTime<Utc>>,
    /// What holds then.
    pub now: EffectiveBounds,
    /// What comes after.
    pub changes: Vec<Change>,
}

/// Changes as text, each with a picture of its bounds.
#[must_use]
pub fn changes_text(changes: &Changes, paint: Paint) -> String {
    let mut lines = Lines::default();
    lines.push(paint.paint(Tone::Strong, &changes.subject));
    let all = changes.changes.iter().map(|c| &c.effective);
    let most = all
        .chain([&changes.now])
        .map(|e| e.bounds.max().get())
        .max();
    let mut clocks = Clocks::default();
    let mut line = |at: DateTime<Utc>, word: &str, effective: &EffectiveBounds| {
        let local = changes.zone.local(at);
        let note = clocks.note(*local.offset()).unwrap_or_default();
        let local = local.format("%a %Y-%m-%d %H:%M %:z");
        let bounds = effective.bounds.to_string();
        let (min, max) = (&effective.min_source, &effective.max_source);
        let why = if min == max {
            format!("by {min}")
        } else {
            format!("min by {min}, max by {max}")
        };
        let picture = picture(effective, most.unwrap_or(1));
        lines.push(format!(
            "  {word:<4} {local}  {}{}  {picture}  {bounds:<8} {why}{}",
            utc_text(at),
            here_text(changes.here, at),
            paint.paint(Tone::Change, &note)
        ));
    };
    line(changes.after, "now", &changes.now);
    for change in &changes.changes {
        line(change.at, "then", &change.effective);
    }
    if changes.changes.is_empty() {
        let until = changes
            .until
            .map(|until| format!(" until {}", utc_text(until)));
        let none = format!("  no more changes{}", until.unwrap_or_default());
        lines.push(paint.paint(Tone::Dim, &none));
    }
    lines.finish()
}

/// Columns of a picture.
const WIDTH: u32 = 24;

/// `##` up to the minimum, `--` up to the maximum.
fn picture(effective: &EffectiveBounds, most: u32) -> String {
    let columns = |n: u32| {
        let share = u64::from(n)
            .saturating_mul(u64::from(WIDTH))
            .div_ceil(u64::from(most.max(1)));
        usize::try_from(share).unwrap_or(0)
    };
    let (min, max) = (
        columns(effective.bounds.min().get()),
        columns(effective.bounds.max().get()),
    );
    let filled = format!("{}{}", "#".repeat(min), "-".repeat(max.saturating_sub(min)));
    let width = usize::try_from(WIDTH).unwrap_or(0);
    format!("{filled:<width$}")
}

/// Changes as JSON.
#[must_use]
pub fn changes_json(all: &[Changes]) -> Value {
    let bounds = |effective: &EffectiveBounds| {
        json!({
            "min": effective.bounds.min().get(),
            "max": effective.bounds.max().get(),
            "min_by": effective.min_source.to_string(),
            "max_by": effective.max_source.to_string(),
        })
    };
    let one = |changes: &Changes| {
        let change = |change: &Change| {
            let mut json = instant_json(change.at, changes.zone, changes.here);
            if let Some(map) = json.as_object_mut() {
                map.insert("bounds".to_owned(), bounds(&change.effective));
            }
            json
        };
        json!({
            "subject": changes.subject,
            "now": bounds(&changes.now),
            "changes": changes.changes.iter().map(change).collect::<Vec<_>>(),
        })
    };
    json!({ "targets": all.iter().map(one).collect::<Vec<_>>() })
}

fn utc_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn span(seconds: i32) -> String {
    let span = TimeDelta::seconds(i64::from(seconds))
        .to_std()
        .unwrap_or_default();
    humantime::format_duration(span).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firings(text: &str, zone: &str, after: &str, count: usize) -> Firings {
        let expression = Expression::parse(text).unwrap();
        let zone: Zone = zone.parse().unwrap();
        let after: DateTime<Utc> = after.parse().unwrap();
        let step = |at: &DateTime<Utc>| expression.next(zone, *at, after);
        let all: Vec<_> = std::iter::successors(step(&after), step)
            .take(count)
            .collect();
        Firings {
            ended: all.len() < count,
            at: all,
            expression,
            zone,
            here: None,
        }
    }

    #[test]
    fn whoever_asks_sees_their_own_clock_too() {
        let firings = Firings {
            here: Some("America/New_York".parse().unwrap()),
            ..firings("0 8 ? * SUN *", "Europe/Berlin", "2026-10-20T00:00:00Z", 3)
        };
        insta::assert_snapshot!(firings_text(&firings, Paint::Plain), @r"
        cron(0 8 ? * SUN *) in Europe/Berlin, then UTC, then America/New_York
        Sun 2026-10-25 08:00:00 +01:00  2026-10-25T07:00:00Z  Sun 03:00 -04:00
        Sun 2026-11-01 08:00:00 +01:00  2026-11-01T07:00:00Z  Sun 02:00 -05:00
        Sun 2026-11-08 08:00:00 +01:00  2026-11-08T07:00:00Z  Sun 02:00 -05:00
        ");
        let json = firings_json(&firings).to_string();
        assert!(
            json.contains(r#""here":"2026-10-25T03:00:00-04:00""#),
            "{json}"
        );
    }

    #[test]
    fn text_shows_both_clocks_and_where_they_changed() {
        let text = firings_text(
            &firings(
                "0 8 ? * SUN *",
                "Australia/Lord_Howe",
                "2026-03-28T00:00:00Z",
                3,
            ),
            Paint::Plain,
        );
        insta::assert_snapshot!(text, @r"
        cron(0 8 ? * SUN *) in Australia/Lord_Howe
        Sun 2026-03-29 08:00:00 +11:00  2026-03-28T21:00:00Z
        Sun 2026-04-05 08:00:00 +10:30  2026-04-04T21:30:00Z  clocks went back by 30m, +11:00 to +10:30
        Sun 2026-04-12 08:00:00 +10:30  2026-04-11T21:30:00Z
        ");
        let last = firings_text(
            &firings("0 8 29 2 ? 2028", "UTC", "2026-03-28T00:00:00Z", 3),
            Paint::Plain,
        );
        insta::assert_snapshot!(last, @r"
        cron(0 8 29 2 ? 2028) in UTC
        Tue 2028-02-29 08:00:00 +00:00  2028-02-29T08:00:00Z
        no more firings
        ");
        let never = firings_text(
            &firings("0 8 31 2 ? *", "UTC", "2026-03-28T00:00:00Z", 3),
            Paint::Plain,
        );
        insta::assert_snapshot!(never, @r"
        cron(0 8 31 2 ? *) in UTC
        no firings to the end of 2199
        ");
    }

    #[test]
    fn json_has_utc_and_local_time() {
        let json = firings_json(&firings(
            "0 9 ? * MON *",
            "Europe/Berlin",
            "2026-11-22T03:17:00Z",
            1,
        ));
        assert_eq!(
            json.to_string(),
            r#"{"firings":[{"utc":"2026-11-23T08:00:00Z","local":"2026-11-23T09:00:00+01:00"}]}"#
        );
    }
}
