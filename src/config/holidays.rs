//! The dates of `except`: written down, or from holiday calendars in files (.ics).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{Datelike, Days, NaiveDate};
use icalendar::{Calendar, CalendarEvent, Component, DatePerhapsTime, EventStatus};

use super::node::Node;

/// A calendar larger than this is none of holidays.
const LARGEST_FILE: u64 = 1024 * 1024;
/// Events that repeat do so until then; whoever runs evenkeel in that year reads its calendars again.
const LAST_YEAR: i32 = 2099;
/// Dates of one event that repeats: every day for a lifetime.
const MOST_DATES: usize = 40_000;
/// Days of one event.
const LONGEST_EVENT: u64 = 366;

/// Reads a list of dates and of calendar files; a file's path is relative to the config file that names it.
pub(super) fn read_exceptions(node: &Node<'_>) -> Option<BTreeSet<NaiveDate>> {
    let mut dates = BTreeSet::new();
    let mut readable = true;
    for entry in node.entries() {
        match read_entry(&entry) {
            Some(read) => dates.extend(read),
            None => readable = false,
        }
    }
    readable.then_some(dates)
}

fn read_entry(entry: &Node<'_>) -> Option<Vec<NaiveDate>> {
    let text = entry.text()?;
    if is_calendar(&text) {
        return read_file(entry, &text);
    }
    let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok();
    if date.is_none() {
        entry.report(
            format!("`{text}` is neither a date nor a calendar file"),
            "write for example 2026-12-25, or holidays.ics",
        );
    }
    date.map(|date| vec![date])
}

fn is_calendar(text: &str) -> bool {
    let extension = Path::new(text).extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("ics"))
}

fn read_file(entry: &Node<'_>, name: &str) -> Option<Vec<NaiveDate>> {
    let source = PathBuf::from(entry.source());
    let path = source.parent().unwrap_or(Path::new("")).join(name);
    let shown = path.display();
    let is_large = std::fs::metadata(&path).is_ok_and(|file| file.len() > LARGEST_FILE);
    if is_large {
        entry.report(
            format!("{shown} is larger than 1 MiB"),
            "give a calendar of holidays only",
        );
        return None;
    }
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            entry.report(
                format!("{shown} can not be read: {error}"),
                "the path is relative to the file that names it",
            );
            return None;
        }
    };
    match holidays(&text) {
        Ok(dates) if dates.is_empty() => {
            entry.report(
                format!("{shown} holds no events"),
                "give a calendar with events of whole days",
            );
            None
        }
        Ok(dates) => Some(dates),
        Err(why) => {
            entry.report(
                format!("{shown}: {why}"),
                "give a calendar with events of whole days",
            );
            None
        }
    }
}

/// The dates of all events of a calendar, which last whole days.
fn holidays(text: &str) -> Result<Vec<NaiveDate>, String> {
    if !text.trim_start().starts_with("BEGIN:VCALENDAR") {
        return Err("it is no iCalendar file: it does not begin with BEGIN:VCALENDAR".to_owned());
    }
    let calendar: Calendar = text
        .parse()
        .map_err(|error: String| first_line(&error).to_owned())?;
    let mut dates = Vec::new();
    for event in calendar.calendar_events() {
        if event.event().get_status() != Some(EventStatus::Cancelled) {
            dates.extend(days_of(&event)?);
        }
    }
    Ok(dates)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn days_of(event: &CalendarEvent<'_>) -> Result<Vec<NaiveDate>, String> {
    let inner = event.event();
    let name = inner.get_summary().unwrap_or("without a name");
    let Some(DatePerhapsTime::Date(start)) = inner.get_start() else {
        return Err(format!("event `{name}` does not last whole days"));
    };
    let days = match inner.get_end() {
        None => 1,
        // The end is the day after the last one.
        Some(DatePerhapsTime::Date(end)) => {
            let days = end.signed_duration_since(start).num_days();
            u64::try_from(days).unwrap_or(1).clamp(1, LONGEST_EVENT)
        }
        Some(DatePerhapsTime::DateTime(_)) => {
            return Err(format!("event `{name}` does not last whole days"));
        }
    };
    let repeats = ["RRULE", "RDATE", "EXDATE"].iter().any(|key| {
        inner.property_value(key).is_some() || inner.multi_properties().contains_key(*key)
    });
    let starts: Vec<NaiveDate> = if repeats {
        let set = event
            .get_recurrence()
            .map_err(|error| format!("event `{name}` repeats in an unknown way: {error}"))?;
        set.into_iter()
            .map(|at| at.date_naive())
            .take_while(|date| date.year() <= LAST_YEAR)
            .take(MOST_DATES)
            .collect()
    } else {
        vec![start]
    };
    let each = |start: &NaiveDate| {
        let start = *start;
        (0..days).filter_map(move |day| start.checked_add_days(Days::new(day)))
    };
    Ok(starts.iter().flat_map(each).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(events: &str) -> String {
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{events}END:VCALENDAR\r\n")
            .replace("\r\n", "\n")
            .replace('\n', "\r\n")
    }

    fn event(lines: &str) -> String {
        format!("BEGIN:VEVENT\nUID:1\nSUMMARY:Day off\n{lines}\nEND:VEVENT\n")
    }

    fn dates(text: &str) -> Vec<String> {
        let dates = holidays(text).unwrap();
        dates.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn days_are_read_and_their_ends_are_the_day_after() {
        let text = calendar(&format!(
            "{}{}{}",
            event("DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261227"),
            event("DTSTART;VALUE=DATE:20270101"),
            event("DTSTART;VALUE=DATE:20270506\nSTATUS:CANCELLED"),
        ));
        assert_eq!(dates(&text), ["2026-12-25", "2026-12-26", "2027-01-01"]);
    }

    #[test]
    fn what_repeats_does_so_to_the_end_of_the_century() {
        let text = calendar(&event(
            "DTSTART;VALUE=DATE:20261003\nDTEND;VALUE=DATE:20261004\nRRULE:FREQ=YEARLY",
        ));
        let all = dates(&text);
        assert_eq!(all.len(), 74);
        assert_eq!(all.first().map(String::as_str), Some("2026-10-03"));
        assert_eq!(all.last().map(String::as_str), Some("2099-10-03"));
        // The fourth Thursday of November.
        let text = calendar(&event(
            "DTSTART;VALUE=DATE:20251127\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=3",
        ));
        assert_eq!(dates(&text), ["2025-11-27", "2026-11-26", "2027-11-25"]);
    }

    #[test]
    fn what_is_no_holiday_is_refused() {
        let meeting = calendar(&event("DTSTART:20261225T090000Z\nDTEND:20261225T100000Z"));
        assert_eq!(
            holidays(&meeting).unwrap_err(),
            "event `Day off` does not last whole days"
        );
        assert!(holidays("2026-12-25").unwrap_err().contains("no iCalendar"));
        let rule = calendar(&event("DTSTART;VALUE=DATE:20261225\nRRULE:FREQ=SOMETIMES"));
        assert!(
            holidays(&rule)
                .unwrap_err()
                .contains("repeats in an unknown way")
        );
    }
}
