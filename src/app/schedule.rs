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
    Change, Changes, Firings, changes_json, changes_text, firings_json, firings_text,
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
                all.push(changes_of(subject, target, after, options.count.into()));
            }
        }
    }
    if all.is_empty() {
        console.note("evenkeel: the config has no schedules; for one of your own give --cron, --rate or --at");
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
    count: usize,
) -> Changes {
    let zone = target.schedules.first().map_or(Zone::UTC, |s| s.zone);
    let now = effective_bounds(target, None, after);
    let mut changes: Vec<Change> = Vec::new();
    let mut at = after;
    // Firings that change nothing are passed over, but not without end.
    for _ in 0..count.saturating_mul(50) {
        if changes.len() >= count {
            break;
        }
        let Some(next) = target.next_change(at) else {
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
        after,
        now,
        changes,
    }
}

struct Question {
    expression: Expression,
    zone: Zone,
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
