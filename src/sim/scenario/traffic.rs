//! Load in a world file.

use std::sync::Arc;

use serde::Deserialize;

use super::span;
use crate::sim::engine::{Instant, Shape, Span, Traffic};

/// Load of an endpoint or a component, in requests per minute.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TrafficFile {
    /// The same all the time.
    Steady(f64),
    /// A wave of one day; its highest point at a time of day (UTC), or so long after the beginning.
    Daily {
        /// Lowest rate.
        low: f64,
        /// Highest rate.
        high: f64,
        /// `HH:MM`, UTC.
        #[serde(default)]
        peak_at: Option<String>,
        /// For example `3h`.
        #[serde(default)]
        peak_after: Option<String>,
    },
    /// Bursts on top of a base.
    Bursts {
        /// Rate between bursts.
        base: f64,
        /// Rate in a burst.
        burst: f64,
        /// From one burst to the next.
        every: String,
        /// How long one lasts.
        lasting: String,
    },
    /// One rate per minute, from the beginning on, again and again.
    Trace(Vec<f64>),
}

impl TrafficFile {
    /// The load that this describes, for a world or a control call at `now`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn build(&self, random: bool, now: Instant) -> Result<Traffic, String> {
        let rate = |rpm: f64| {
            if rpm.is_finite() && rpm >= 0.0 {
                Ok(rpm)
            } else {
                Err(format!(
                    "{rpm} is no rate: requests per minute are 0 or more"
                ))
            }
        };
        let shape = match self {
            Self::Steady(rpm) => Shape::Steady { rpm: rate(*rpm)? },
            Self::Daily { low, high, .. } if low > high => {
                return Err(format!("`low`, {low}, is above `high`, {high}"));
            }
            Self::Daily {
                low,
                high,
                peak_at,
                peak_after,
            } => Shape::Daily {
                low: rate(*low)?,
                high: rate(*high)?,
                peak_minute: peak_minute(peak_at.as_deref(), peak_after.as_deref(), now)?,
            },
            Self::Bursts {
                base,
                burst,
                every,
                lasting,
            } => Shape::Bursts {
                base: rate(*base)?,
                burst: rate(*burst)?,
                every: minutes(every)?,
                lasting: minutes(lasting)?,
            },
            Self::Trace(rpm) => {
                if rpm.is_empty() {
                    return Err("a trace needs at least one rate".to_owned());
                }
                let rpm: Vec<f64> = rpm.iter().map(|x| rate(*x)).collect::<Result<_, _>>()?;
                Shape::Trace {
                    rpm: Arc::from(rpm),
                }
            }
        };
        Ok(Traffic {
            shape,
            random,
            origin: now.minute(),
        })
    }
}

fn peak_minute(at: Option<&str>, after: Option<&str>, now: Instant) -> Result<i64, String> {
    match (at, after) {
        (Some(clock), None) => {
            let wrong = || format!("`{clock}` is no time of day: use HH:MM");
            let (hours, minutes) = clock.split_once(':').ok_or_else(wrong)?;
            let hours: i64 = hours.parse().map_err(|_| wrong())?;
            let minutes: i64 = minutes.parse().map_err(|_| wrong())?;
            if (0..24).contains(&hours) && (0..60).contains(&minutes) {
                Ok(hours * 60 + minutes)
            } else {
                Err(wrong())
            }
        }
        (None, Some(text)) => Ok(now.minute() + minutes(text)?),
        (None, None) => Ok(now.minute() + 720),
        (Some(_), Some(_)) => Err("give either `peak_at` or `peak_after`".to_owned()),
    }
}

fn minutes(text: &str) -> Result<i64, String> {
    let minutes = span(text)?.millis() / Span::MINUTE.millis();
    if minutes > 0 {
        Ok(minutes)
    } else {
        Err(format!("`{text}` must be at least a minute"))
    }
}
