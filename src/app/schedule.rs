//! The command that shows when a schedule fires.

use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;

use super::console::Console;
use super::failure::Failure;
use crate::cli::{Common, Output, ScheduleOptions};
use crate::domain::{Expression, ScheduleError, Zone};
use crate::ports::Clock;
use crate::runtime::SystemClock;
use crate::view::{Firings, firings_json, firings_text};

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
    let expression = given.ok_or_else(|| {
        Failure::Usage("say which schedule: give --cron, --rate or --at".to_owned())
    })?;
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
