//! World files: what stands in the simulated AWS to begin with.
//!
//! ```yaml
//! region: us-east-1
//! endpoints:
//!   - name: chat
//!     variants:
//!       - { name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, serves: 600, start_up: 5m..9m }
//!     traffic: { daily: { low: 200, high: 2400, peak_after: 3h } }
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::engine::{
    EndpointSetup, Instant, Machine, Options, Shape, Span, SpanRange, Traffic, VariantSetup, World,
};

/// A world file that can not be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// The text is not what a world file looks like.
    #[error("{0}")]
    Syntax(String),
    /// A value is impossible.
    #[error("{path}: {problem}")]
    Value {
        /// Where in the file.
        path: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// What stands in a world at its beginning.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// The account that ARNs name.
    account: Option<String>,
    /// The region that ARNs name.
    region: Option<String>,
    /// Endpoints in service.
    endpoints: Vec<EndpointFile>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointFile {
    name: String,
    variants: Vec<VariantFile>,
    #[serde(default)]
    traffic: Option<TrafficFile>,
    /// Requests arrive exactly at the mean rate, without chance.
    #[serde(default)]
    exact: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantFile {
    name: String,
    instance_type: String,
    instances: u32,
    #[serde(default = "one")]
    weight: f64,
    /// Requests per minute that one instance serves at full load.
    serves: Option<f64>,
    /// Model latency without load.
    latency: Option<String>,
    /// How long new instances take: `6m`, or `5m..9m`.
    start_up: Option<String>,
}

fn one() -> f64 {
    1.0
}

/// Load of an endpoint, in requests per minute.
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

impl Scenario {
    /// Reads a world file.
    ///
    /// # Errors
    /// [`ScenarioError::Syntax`] with line and column.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|e| ScenarioError::Syntax(e.to_string()))
    }

    /// Makes the world as it is at `now`.
    ///
    /// # Errors
    /// [`ScenarioError::Value`] for the first impossible value.
    pub fn build(
        &self,
        options: &Options,
        seed: u64,
        now: Instant,
    ) -> Result<World, ScenarioError> {
        let options = Options {
            account: self.account.clone().unwrap_or(options.account.clone()),
            region: self.region.clone().unwrap_or(options.region.clone()),
            ..options.clone()
        };
        let mut world = World::new(options, seed, now);
        let mut names = BTreeSet::new();
        for (i, endpoint) in self.endpoints.iter().enumerate() {
            let path = format!("endpoints[{i}]");
            if !names.insert(&endpoint.name) {
                return Err(value(
                    &path,
                    format!("a second endpoint is called `{}`", endpoint.name),
                ));
            }
            let setup = endpoint_setup(endpoint, &path, world.options(), now)?;
            world.add_endpoint(&setup);
        }
        Ok(world)
    }
}

fn value(path: &str, problem: impl Into<String>) -> ScenarioError {
    ScenarioError::Value {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

fn endpoint_setup(
    file: &EndpointFile,
    path: &str,
    options: &Options,
    now: Instant,
) -> Result<EndpointSetup, ScenarioError> {
    check_name(&file.name, path)?;
    if file.variants.is_empty() {
        return Err(value(path, "an endpoint needs at least one variant"));
    }
    let mut names = BTreeSet::new();
    for (i, variant) in file.variants.iter().enumerate() {
        if !names.insert(&variant.name) {
            return Err(value(
                &format!("{path}.variants[{i}].name"),
                format!("a second variant is called `{}`", variant.name),
            ));
        }
    }
    let variants = file
        .variants
        .iter()
        .enumerate()
        .map(|(i, v)| variant_setup(v, &format!("{path}.variants[{i}]"), options))
        .collect::<Result<_, _>>()?;
    let traffic = match &file.traffic {
        Some(traffic) => traffic
            .build(!file.exact, now)
            .map_err(|problem| value(&format!("{path}.traffic"), problem))?,
        None => Traffic::none(),
    };
    Ok(EndpointSetup {
        name: file.name.clone(),
        variants,
        traffic,
    })
}

fn check_name(name: &str, path: &str) -> Result<(), ScenarioError> {
    let fits = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    let rule = "1 to 63 letters, digits and hyphens, no hyphen at either end";
    if fits {
        Ok(())
    } else {
        Err(value(
            path,
            format!("`{name}` is no SageMaker name: {rule}"),
        ))
    }
}

fn variant_setup(
    file: &VariantFile,
    path: &str,
    options: &Options,
) -> Result<VariantSetup, ScenarioError> {
    check_name(&file.name, path)?;
    if file.instances == 0 {
        return Err(value(
            &format!("{path}.instances"),
            "a real-time variant has at least 1 instance",
        ));
    }
    let start_up = match &file.start_up {
        Some(text) => span_range(text).map_err(|p| value(&format!("{path}.start_up"), p))?,
        None => options.start_up,
    };
    let mut machine = Machine::of_type(Some(&file.instance_type), start_up);
    if let Some(serves) = file.serves {
        if !(serves.is_finite() && serves > 0.0) {
            return Err(value(
                &format!("{path}.serves"),
                "must be above 0 requests per minute",
            ));
        }
        machine.serves_rpm = serves;
    }
    if let Some(text) = &file.latency {
        let span = span(text).map_err(|p| value(&format!("{path}.latency"), p))?;
        machine.latency_us = span.secs_f64() * 1e6;
    }
    if !(file.weight.is_finite() && file.weight >= 0.0) {
        return Err(value(&format!("{path}.weight"), "must be 0 or more"));
    }
    Ok(VariantSetup {
        name: file.name.clone(),
        instance_type: file.instance_type.clone(),
        instances: file.instances,
        weight: file.weight,
        machine,
    })
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

fn span(text: &str) -> Result<Span, String> {
    let duration: Duration = humantime::parse_duration(text.trim())
        .map_err(|_| format!("`{text}` is no duration: use for example 90s, 5m or 2h"))?;
    let millis =
        i64::try_from(duration.as_millis()).map_err(|_| format!("`{text}` is too long"))?;
    Ok(Span::from_millis(millis))
}

fn minutes(text: &str) -> Result<i64, String> {
    let minutes = span(text)?.millis() / Span::MINUTE.millis();
    if minutes > 0 {
        Ok(minutes)
    } else {
        Err(format!("`{text}` must be at least a minute"))
    }
}

fn span_range(text: &str) -> Result<SpanRange, String> {
    let range = match text.split_once("..") {
        Some((low, high)) => SpanRange {
            low: span(low)?,
            high: span(high)?,
        },
        None => SpanRange::exactly(span(text)?),
    };
    if range.low <= range.high {
        Ok(range)
    } else {
        Err(format!("`{text}` ends before it begins"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORLD: &str = "
region: eu-central-1
endpoints:
  - name: chat
    variants:
      - { name: AllTraffic, instance_type: ml.m5.xlarge, instances: 2, serves: 600, start_up: 5m..9m, latency: 120ms }
    traffic: { daily: { low: 200, high: 2400, peak_at: '14:30' } }
  - name: embed
    variants:
      - { name: a, instance_type: ml.c5.large, instances: 1 }
      - { name: b, instance_type: ml.c5.large, instances: 1, weight: 3 }
    traffic: { bursts: { base: 10, burst: 900, every: 30m, lasting: 5m } }
    exact: true
";

    fn build(text: &str) -> Result<World, ScenarioError> {
        Scenario::parse(text)?.build(&Options::default(), 1, Instant::from_secs(1_800_000_000))
    }

    #[test]
    fn a_world_file_makes_a_world() {
        let world = build(WORLD).unwrap();
        assert_eq!(world.options().region, "eu-central-1");
        assert_eq!(world.instances("chat", "AllTraffic"), Some((2, 2)));
        assert_eq!(world.variants().len(), 3);
        assert!(build("").unwrap().variants().is_empty());
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let with = |from: &str, to: &str| build(&WORLD.replace(from, to)).unwrap_err().to_string();
        assert!(with("serves: 600", "serves: -1").starts_with("endpoints[0].variants[0].serves:"));
        assert!(with("5m..9m", "9m..5m").contains("ends before it begins"));
        assert!(with("14:30", "25:00").contains("HH:MM"));
        assert!(with("name: embed", "name: chat").contains("second endpoint"));
        assert!(with("every: 30m", "evry: 30m").contains("evry"));
        assert!(with("name: chat", "name: -chat").contains("no SageMaker name"));
    }
}
