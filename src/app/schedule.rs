//! The command that shows when a schedule fires.

use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;

use super::connect::load_config;
use super::console::Console;
use super::failure::Failure;
use crate::cli::{Common, Output, ScheduleOptions};
use crate::domain::{DesiredTarget, Expression, ScheduleError, Zone, effective_bounds};
use crate::ports::Clock;
use crate::runtime::SystemClock;
use crate::view::{
    Change, Changes, Firings, changes_json, changes_svg, changes_text, firings_json, firings_text,
};

/// Shows the firings of one schedule, or answers a batch of questions.
pub(super) fn schedule(
    common: &Common,
    options: &ScheduleOptions,
    console: Console,
) -> Result<u8, Failure> {
    if let Some(file) = &options.batch {
        return batch(file, console);
    }
    let which = &options.which;
    let given = [&which.cron, &which.rate, &which.at]
        .into_iter()
        .flatten()
        .next();
    let Some(expression) = given else {
        return of_config(common, options, console);
    };
    let after = options.after.unwrap_or_else(|| SystemClock.now());
    let question = Question {
        expression: expression.clone(),
        zone: options.timezone,
        here: here(options, options.timezone),
        after,
        anchor: options.start.unwrap_or(after),
        count: options.count.into(),
        backward: false,
    };
    let firings = question
        .answer()
        .map_err(|error| Failure::Usage(format!("{error}\n    remedy: {}", error.remedy)))?;
    console.out(&match common.output {
        Output::Text => firings_text(&firings, console.paint),
        Output::Json => format!("{:#}\n", firings_json(&firings)),
    });
    Ok(0)
}

/// Shows when the schedules of the config change bounds, and to what.
fn of_config(common: &Common, options: &ScheduleOptions, console: Console) -> Result<u8, Failure> {
    let config = load_config(common)?;
    let after = options.after.unwrap_or_else(|| SystemClock.now());
    let mut all: Vec<Changes> = Vec::new();
    for (_, fleet) in config.scopes.values() {
        let named = fleet.targets.values().map(|t| (t.id.to_string(), t));
        let selections = fleet.selections.iter();
        let selected = selections.map(|s| (s.selector.to_string(), &s.template));
        for (subject, target) in named.chain(selected) {
            if !target.schedules.is_empty() {
                all.push(changes_of(subject, target, after, options));
            }
        }
    }
    if all.is_empty() {
        console.note("evenkeel: the config has no schedules; for one of your own give --cron, --rate or --at");
    }
    if let Some(path) = &options.plot {
        plot(path, &all, console)?;
    }
    console.out(&match common.output {
        Output::Text => all.iter().map(|c| changes_text(c, console.paint)).collect(),
        Output::Json => format!("{:#}\n", changes_json(&all)),
    });
    Ok(0)
}

/// The next changes of bounds. An instant at which nothing comes out differently is none.
fn changes_of(
    subject: String,
    target: &DesiredTarget,
    after: DateTime<Utc>,
    options: &ScheduleOptions,
) -> Changes {
    let zone = target.schedules.first().map_or(Zone::UTC, |s| s.zone);
    let days = options.days.or(options.plot.is_some().then_some(WEEK));
    let until = days.and_then(|days| after.checked_add_signed(TimeDelta::days(days.into())));
    let count = if until.is_some() {
        MOST_CHANGES
    } else {
        options.count.into()
    };
    let now = effective_bounds(target, None, after);
    let mut changes: Vec<Change> = Vec::new();
    let mut at = after;
    // Firings that change nothing are passed over, but not without end.
    for _ in 0..count.saturating_mul(50) {
        if changes.len() >= count {
            break;
        }
        let next = target.next_change(at);
        let Some(next) = next.filter(|next| until.is_none_or(|until| *next <= until)) else {
            break;
        };
        at = next;
        let effective = effective_bounds(target, None, at);
        let before = changes.last().map_or(&now, |change| &change.effective);
        if effective != *before {
            changes.push(Change { at, effective });
        }
    }
    Changes {
        subject,
        zone,
        here: here(options, zone),
        after,
        until,
        now,
        changes,
    }
}

/// A picture of so many days, unless it is said.
const WEEK: u16 = 7;
/// Changes of one target at the most, however many days are asked for.
const MOST_CHANGES: usize = 1000;

/// The zone of whoever asks, if it shows another time than what is there anyway.
fn here(options: &ScheduleOptions, shown: Zone) -> Option<Zone> {
    let machine = || {
        let name = std::env::var("TZ").ok().filter(|name| !name.is_empty());
        let name = name.or_else(|| iana_time_zone::get_timezone().ok())?;
        name.trim_start_matches(':').parse::<Zone>().ok()
    };
    let utc = ["UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Universal"];
    let here = options.here.or_else(machine)?;
    (here != shown && !utc.contains(&here.name())).then_some(here)
}

fn plot(path: &Path, all: &[Changes], console: Console) -> Result<(), Failure> {
    if path.extension().is_none_or(|extension| extension != "svg") {
        let name = path.display();
        return Err(Failure::Usage(format!(
            "`--plot {name}`: only SVG is drawn\n    remedy: name a file that ends in .svg"
        )));
    }
    let picture = changes_svg(all).map_err(Failure::Internal)?;
    std::fs::write(path, picture).with_context(|| path.display().to_string())?;
    console.note(&format!("evenkeel: drawn: {}", path.display()));
    Ok(())
}

struct Question {
    expression: Expression,
    zone: Zone,
    here: Option<Zone>,
    after: DateTime<Utc>,
    anchor: DateTime<Utc>,
    count: usize,
    backward: bool,
}

impl Question {
    /// The firings after an instant, or at and before it, going back.
    fn answer(self) -> Result<Firings, ScheduleError> {
        if let Expression::At(once) = &self.expression {
            once.instant(self.zone)?;
        }
        let mut at = Vec::new();
        let mut from = self.after;
        while at.len() < self.count {
            let found = if self.backward {
                self.expression.previous(self.zone, from, self.anchor)
            } else {
                self.expression.next(self.zone, from, self.anchor)
            };
            let Some(found) = found else { break };
            at.push(found);
            from = if self.backward {
                found - TimeDelta::seconds(1)
            } else {
                found
            };
        }
        Ok(Firings {
            ended: at.len() < self.count,
            at,
            expression: self.expression,
            zone: self.zone,
            here: self.here,
        })
    }
}

/// A line of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Exactly one of these; a rate with its brackets.
    #[serde(default)]
    cron: Option<String>,
    #[serde(default)]
    rate: Option<String>,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    timezone: Option<String>,
    after: String,
    #[serde(default)]
    start: Option<String>,
    count: u16,
    #[serde(default)]
    backward: bool,
}

impl Line {
    fn question(&self) -> Result<Question, String> {
        let ((Some(text), None, None) | (None, Some(text), None) | (None, None, Some(text))) =
            (&self.cron, &self.rate, &self.at)
        else {
            return Err("give exactly one of cron, rate and at".to_owned());
        };
        let expression =
            Expression::parse(text).map_err(|error| format!("{error}; {}", error.remedy))?;
        let zone = self.timezone.as_deref().map(str::parse::<Zone>).transpose();
        let zone = zone.map_err(|error| format!("{error}; {}", error.remedy))?;
        let instant = |text: &str| {
            let parsed = DateTime::parse_from_rfc3339(text);
            parsed
                .map(|at| at.with_timezone(&Utc))
                .map_err(|error| format!("`{text}`: {error}"))
        };
        let after = instant(&self.after)?;
        let start = self.start.as_deref().map(instant).transpose()?;
        Ok(Question {
            expression,
            zone: zone.unwrap_or_default(),
            here: None,
            after,
            anchor: start.unwrap_or(after),
            count: self.count.into(),
            backward: self.backward,
        })
    }
}

/// Questions as JSON, one a line, and the answers likewise: for tests that ask thousands, and for tools.
fn batch(file: &Path, console: Console) -> Result<u8, Failure> {
    let reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        let opened = std::fs::File::open(file);
        Box::new(BufReader::new(
            opened.with_context(|| file.display().to_string())?,
        ))
    };
    for line in reader.lines() {
        let line = line.with_context(|| file.display().to_string())?;
        let answer = serde_json::from_str::<Line>(&line)
            .map_err(|error| error.to_string())
            .and_then(|line| line.question())
            .and_then(|question| question.answer().map_err(|e| format!("{e}; {}", e.remedy)));
        let answer = match answer {
            Err(error) => json!({ "error": error }),
            Ok(firings) => {
                let mut json = firings_json(&firings);
                if let Some(object) = json.as_object_mut() {
                    object.insert("strict".to_owned(), firings.expression.to_string().into());
                }
                json
            }
        };
        console.out(&format!("{answer}\n"));
    }
    Ok(0)
}
