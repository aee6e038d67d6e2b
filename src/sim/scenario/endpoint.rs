//! Endpoints in a world file, with their variants and components.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{ScenarioError, TrafficFile, check_name, check_type, span, span_range, value};
use crate::sim::engine::{
    ComponentSetup, EndpointSetup, Extras, Hosting, Instant, Machine, Serverless, SpanRange,
    Traffic, VariantSetup, World,
};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointFile {
    pub(super) name: String,
    variants: Vec<VariantFile>,
    #[serde(default)]
    traffic: Option<TrafficFile>,
    /// Requests arrive exactly at the mean rate, without chance.
    #[serde(default)]
    exact: bool,
    /// Requests wait in a queue.
    #[serde(default, rename = "async")]
    is_async: bool,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    components: Vec<ComponentFile>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantFile {
    name: String,
    instance_type: Option<String>,
    instances: Option<u32>,
    /// Instead of instances.
    serverless: Option<ServerlessFile>,
    /// Instead of a number of instances.
    hosts_components: Option<HostsFile>,
    /// It gets a copy of the traffic and answers nobody.
    #[serde(default)]
    shadow: bool,
    #[serde(default = "one")]
    weight: f64,
    /// Requests per minute that one instance serves at full load.
    serves: Option<f64>,
    /// Model latency without load.
    latency: Option<String>,
    /// How long new instances take: `6m`, or `5m..9m`.
    start_up: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerlessFile {
    /// 1 to 200.
    max_concurrency: u32,
    /// 1 to `max_concurrency`; nothing is provisioned without it.
    provisioned: Option<u32>,
    #[serde(default = "two_gigabytes")]
    memory_mb: u32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostsFile {
    min_instances: u32,
    max_instances: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentFile {
    name: String,
    /// The one that hosts components, when left out.
    variant: Option<String>,
    copies: u32,
    #[serde(default = "one_copy")]
    copies_per_instance: u32,
    /// Requests per minute that one copy serves at full load.
    serves: Option<f64>,
    /// How long new copies take on instances that are there.
    start_up: Option<String>,
    /// Model latency without load.
    latency: Option<String>,
    traffic: Option<TrafficFile>,
}

fn one() -> f64 {
    1.0
}

fn one_copy() -> u32 {
    1
}

fn two_gigabytes() -> u32 {
    2048
}

impl EndpointFile {
    /// Adds the endpoint and its components to a world.
    pub(super) fn add_to(
        &self,
        world: &mut World,
        path: &str,
        now: Instant,
    ) -> Result<(), ScenarioError> {
        check_name(&self.name, path)?;
        if self.variants.iter().all(|v| v.shadow) {
            return Err(value(
                path,
                "an endpoint needs at least one variant that serves",
            ));
        }
        let start_up = world.options().start_up;
        let mut names = BTreeSet::new();
        let mut extras = Extras {
            is_async: self.is_async,
            tags: self.tags.clone(),
            ..Extras::default()
        };
        let mut variants = Vec::new();
        for (i, variant) in self.variants.iter().enumerate() {
            let path = format!("{path}.variants[{i}]");
            if !names.insert(&variant.name) {
                return Err(value(
                    &format!("{path}.name"),
                    format!("a second variant is called `{}`", variant.name),
                ));
            }
            let hosting = variant.hosting(self.is_async, &path)?;
            extras.hosting.insert(variant.name.clone(), hosting);
            if variant.shadow {
                extras.shadows.insert(variant.name.clone());
            }
            variants.push(variant.setup(start_up, &path)?);
        }
        let traffic = build_traffic(self.traffic.as_ref(), !self.exact, path, now)?;
        let name = self.name.clone();
        let setup = EndpointSetup {
            name,
            variants,
            traffic,
        };
        world.add_endpoint_with(&setup, &extras);
        for (i, component) in self.components.iter().enumerate() {
            let path = format!("{path}.components[{i}]");
            let setup = component.setup(self, world.options().copy_start_up, &path, now)?;
            world
                .add_component(&setup)
                .map_err(|error| value(&path, error.message))?;
        }
        Ok(())
    }

    /// The variant that hosts components, if exactly one does.
    fn host(&self) -> Option<&str> {
        let mut hosts = self
            .variants
            .iter()
            .filter(|v| v.hosts_components.is_some());
        match (hosts.next(), hosts.next()) {
            (Some(only), None) => Some(&only.name),
            _ => None,
        }
    }
}

fn build_traffic(
    file: Option<&TrafficFile>,
    random: bool,
    path: &str,
    now: Instant,
) -> Result<Traffic, ScenarioError> {
    let Some(traffic) = file else {
        return Ok(Traffic::none());
    };
    traffic
        .build(random, now)
        .map_err(|problem| value(&format!("{path}.traffic"), problem))
}

impl VariantFile {
    fn hosting(&self, is_async: bool, path: &str) -> Result<Hosting, ScenarioError> {
        let special = self.serverless.is_some() || self.hosts_components.is_some();
        if special && (self.shadow || is_async) {
            let problem = "a shadow, or a variant of an asynchronous endpoint, has plain instances";
            return Err(value(path, problem));
        }
        match (self.serverless, self.hosts_components) {
            (Some(_), Some(_)) => Err(value(
                path,
                "give either `serverless` or `hosts_components`",
            )),
            (Some(_), None) if self.instance_type.is_some() || self.instances.is_some() => {
                Err(value(path, "a serverless variant has no instances"))
            }
            (Some(it), None) => it.hosting(&format!("{path}.serverless")),
            (None, Some(it)) => {
                self.check_instance_type(path)?;
                it.hosting(&format!("{path}.hosts_components"))
            }
            (None, None) => {
                self.check_instance_type(path)?;
                self.check_count(is_async, &format!("{path}.instances"))
            }
        }
    }

    fn check_instance_type(&self, path: &str) -> Result<(), ScenarioError> {
        let path = format!("{path}.instance_type");
        match &self.instance_type {
            Some(instance_type) => check_type(instance_type, &path),
            None => Err(value(
                &path,
                "missing: give an instance type, or make the variant `serverless`",
            )),
        }
    }

    fn check_count(&self, is_async: bool, path: &str) -> Result<Hosting, ScenarioError> {
        match self.instances {
            None => Err(value(path, "missing: how many instances are in service")),
            Some(0) if !is_async => Err(value(path, "a real-time variant has at least 1 instance")),
            Some(_) => Ok(Hosting::Instances),
        }
    }

    fn setup(&self, start_up: SpanRange, path: &str) -> Result<VariantSetup, ScenarioError> {
        check_name(&self.name, path)?;
        if !(self.weight.is_finite() && self.weight >= 0.0) {
            return Err(value(&format!("{path}.weight"), "must be 0 or more"));
        }
        let of_type = Machine::of_type(self.instance_type.as_deref(), start_up);
        let (serves, latency) = (self.serves, self.latency.as_ref());
        Ok(VariantSetup {
            name: self.name.clone(),
            instance_type: self.instance_type.clone().unwrap_or_default(),
            instances: self.instances.unwrap_or(0),
            weight: self.weight,
            machine: machine(of_type, serves, latency, self.start_up.as_ref(), path)?,
        })
    }
}

impl ServerlessFile {
    fn hosting(self, path: &str) -> Result<Hosting, ScenarioError> {
        let most = self.max_concurrency;
        if !(1..=200).contains(&most) {
            return Err(value(
                &format!("{path}.max_concurrency"),
                "must be from 1 to 200",
            ));
        }
        if self.provisioned.is_some_and(|n| n == 0 || n > most) {
            let problem = format!("must be from 1 to `max_concurrency`, {most}");
            return Err(value(&format!("{path}.provisioned"), problem));
        }
        let memory = self.memory_mb;
        if !(1024..=6144).contains(&memory) || !memory.is_multiple_of(1024) {
            let problem = "must be a multiple of 1024 from 1024 to 6144";
            return Err(value(&format!("{path}.memory_mb"), problem));
        }
        Ok(Hosting::Serverless(Serverless {
            memory_mb: memory,
            max_concurrency: most,
            provisioned: self.provisioned,
        }))
    }
}

impl HostsFile {
    fn hosting(self, path: &str) -> Result<Hosting, ScenarioError> {
        let (min, max) = (self.min_instances, self.max_instances);
        if max == 0 || min > max {
            return Err(value(
                path,
                "`max_instances` must be at least 1 and at least `min_instances`",
            ));
        }
        Ok(Hosting::Components { min, max })
    }
}

impl ComponentFile {
    fn setup(
        &self,
        endpoint: &EndpointFile,
        start_up: SpanRange,
        path: &str,
        now: Instant,
    ) -> Result<ComponentSetup, ScenarioError> {
        check_name(&self.name, path)?;
        if self.copies_per_instance == 0 {
            return Err(value(
                &format!("{path}.copies_per_instance"),
                "must be at least 1",
            ));
        }
        let host = self.variant.as_deref().or(endpoint.host());
        let Some(host) = host else {
            let problem =
                "give the `variant`: not exactly one of the endpoint's `hosts_components`";
            return Err(value(path, problem));
        };
        let (serves, latency) = (self.serves, self.latency.as_ref());
        let plain = Machine::of_type(None, start_up);
        Ok(ComponentSetup {
            name: self.name.clone(),
            endpoint: endpoint.name.clone(),
            variant: host.to_owned(),
            copies: self.copies,
            copies_per_instance: self.copies_per_instance,
            machine: machine(plain, serves, latency, self.start_up.as_ref(), path)?,
            traffic: build_traffic(self.traffic.as_ref(), !endpoint.exact, path, now)?,
        })
    }
}

/// A machine with what the file says of it.
fn machine(
    mut machine: Machine,
    serves: Option<f64>,
    latency: Option<&String>,
    start_up: Option<&String>,
    path: &str,
) -> Result<Machine, ScenarioError> {
    if let Some(text) = start_up {
        machine.start_up = span_range(text).map_err(|p| value(&format!("{path}.start_up"), p))?;
    }
    if let Some(serves) = serves {
        if !(serves.is_finite() && serves > 0.0) {
            return Err(value(
                &format!("{path}.serves"),
                "must be above 0 requests per minute",
            ));
        }
        machine.serves_rpm = serves;
    }
    if let Some(text) = latency {
        let span = span(text).map_err(|p| value(&format!("{path}.latency"), p))?;
        machine.latency_us = span.secs_f64() * 1e6;
    }
    Ok(machine)
}
