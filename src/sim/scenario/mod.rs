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

mod endpoint;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use super::engine::{Instant, Options, Span, SpanRange, World};
use endpoint::EndpointFile;
pub use traffic::TrafficFile;

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
    /// Instances that the account may have, by type.
    quotas: BTreeMap<String, u32>,
    /// Instance types that AWS has none of.
    shortages: Vec<String>,
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
            endpoint.add_to(&mut world, &path, now)?;
        }
        // What stands already was there before; quotas and shortages hold from now on.
        for (instance_type, limit) in &self.quotas {
            check_type(instance_type, "quotas")?;
            world.set_quota(instance_type, Some(*limit));
        }
        for (i, instance_type) in self.shortages.iter().enumerate() {
            check_type(instance_type, &format!("shortages[{i}]"))?;
            world.set_shortage(instance_type, true);
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

fn check_type(instance_type: &str, path: &str) -> Result<(), ScenarioError> {
    if instance_type.starts_with("ml.") {
        return Ok(());
    }
    let problem =
        format!("`{instance_type}` is no instance type for hosting, such as ml.m5.xlarge");
    Err(value(path, problem))
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

fn span(text: &str) -> Result<Span, String> {
    let duration: Duration = humantime::parse_duration(text.trim())
        .map_err(|_| format!("`{text}` is no duration: use for example 90s, 5m or 2h"))?;
    let millis =
        i64::try_from(duration.as_millis()).map_err(|_| format!("`{text}` is too long"))?;
    Ok(Span::from_millis(millis))
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

    const KINDS: &str = "
quotas: { ml.g5.xlarge: 4 }
shortages: [ml.p4d.24xlarge]
endpoints:
  - name: batch
    async: true
    tags: { team: search }
    variants: [{ name: v, instance_type: ml.g5.xlarge, instances: 0 }]
  - name: tiny
    variants:
      - { name: v, serverless: { max_concurrency: 20, provisioned: 5 } }
  - name: llms
    variants:
      - { name: v, instance_type: ml.g5.xlarge, hosts_components: { min_instances: 1, max_instances: 4 } }
    components:
      - { name: small, copies: 3, copies_per_instance: 2, serves: 60, start_up: 3m, traffic: { steady: 20 } }
      - { name: asleep, copies: 0 }
  - name: tested
    variants:
      - { name: live, instance_type: ml.m5.large, instances: 2 }
      - { name: next, instance_type: ml.m5.large, instances: 1, shadow: true }
";

    #[test]
    fn a_world_file_makes_every_kind() {
        let world = build(KINDS).unwrap();
        assert_eq!(world.backlog("batch"), Some(0.0));
        assert_eq!(world.instances("batch", "v"), Some((0, 0)));
        assert_eq!(world.instances("tiny", "v"), Some((5, 5)));
        assert_eq!(world.instances("llms", "v"), Some((2, 2)));
        assert_eq!(world.copies("small"), Some((3, 3)));
        assert_eq!(world.copies("asleep"), Some((0, 0)));
        assert_eq!(world.instances("tested", "next"), None);
        assert_eq!(world.options().quotas.get("ml.g5.xlarge"), Some(&4));
    }

    #[test]
    fn mistakes_in_kinds_are_told_with_their_place() {
        let with = |from: &str, to: &str| build(&KINDS.replace(from, to)).unwrap_err().to_string();
        let told = with("async: true", "async: false");
        assert!(
            told.starts_with("endpoints[0].variants[0].instances:"),
            "{told}"
        );
        let told = with("provisioned: 5", "provisioned: 21");
        assert!(
            told.starts_with("endpoints[1].variants[0].serverless.provisioned:"),
            "{told}"
        );
        let told = with("serverless: {", "instance_type: ml.m5.large, serverless: {");
        assert!(told.starts_with("endpoints[1].variants[0]:"), "{told}");
        let told = with("max_instances: 4", "max_instances: 0");
        assert!(
            told.starts_with("endpoints[2].variants[0].hosts_components:"),
            "{told}"
        );
        let told = with("copies: 3", "copies: 30");
        assert!(told.starts_with("endpoints[2].components[0]:"), "{told}");
        assert!(told.contains("not enough hardware"), "{told}");
        let told = with("name: asleep", "name: small");
        assert!(told.starts_with("endpoints[2].components[1]:"), "{told}");
        let told = with("[ml.p4d.24xlarge]", "[p4d.24xlarge]");
        assert!(told.starts_with("shortages[0]:"), "{told}");
        let told = with(
            "shadow: true",
            "shadow: true, serverless: { max_concurrency: 1 }",
        );
        assert!(told.starts_with("endpoints[3].variants[1]:"), "{told}");
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
