//! What AWS has no API for: endpoints that already serve, the load on them, and a look at what happened.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::error::ApiError;
use super::fleet::{Endpoint, EndpointConfig, Variant, VariantSpec};
use super::kinds::{Hosting, shadow_variants};
use super::machine::Machine;
use super::time::Instant;
use super::traffic::Traffic;
use super::world::World;

/// A variant of an endpoint to begin with.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantSetup {
    /// Its name.
    pub name: String,
    /// For example `ml.m5.xlarge`.
    pub instance_type: String,
    /// Instances in service.
    pub instances: u32,
    /// Share of the endpoint's traffic.
    pub weight: f64,
    /// What one instance can do.
    pub machine: Machine,
}

/// An endpoint to begin with. It is in service at once.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointSetup {
    /// Its name; its config is called `<name>-config`.
    pub name: String,
    /// Its variants.
    pub variants: Vec<VariantSetup>,
    /// Its load.
    pub traffic: Traffic,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimelineEntry {
    /// When.
    pub at: Instant,
    /// What, in a sentence.
    pub what: String,
}

/// What an endpoint may have beside variants of plain instances.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extras {
    /// Requests wait in a queue; instances may be 0.
    pub is_async: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// What capacity is made of, by variant; variants that are not listed have instances.
    pub hosting: BTreeMap<String, Hosting>,
    /// Variants that are shadows.
    pub shadows: BTreeSet<String>,
}

/// An inference component to begin with, all copies in service.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentSetup {
    /// Its name.
    pub name: String,
    /// Its endpoint.
    pub endpoint: String,
    /// The variant that hosts it.
    pub variant: String,
    /// Copies in service.
    pub copies: u32,
    /// Copies that one instance has room for.
    pub copies_per_instance: u32,
    /// What one copy can do.
    pub machine: Machine,
    /// Its load.
    pub traffic: Traffic,
}

impl World {
    /// Adds an endpoint in service, with a config of its own.
    pub fn add_endpoint(&mut self, setup: &EndpointSetup) {
        self.add_endpoint_with(setup, &Extras::default());
    }

    /// Adds an endpoint in service that is more than variants of instances, with a config of its own.
    pub fn add_endpoint_with(&mut self, setup: &EndpointSetup, extras: &Extras) {
        let config_name = format!("{}-config", setup.name);
        let shadow = |v: &&VariantSetup| extras.shadows.contains(&v.name);
        let spec = |v: &VariantSetup| variant_spec(v, &setup.name, extras);
        let (shadows, variants): (Vec<&VariantSetup>, _) = setup.variants.iter().partition(shadow);
        let config = EndpointConfig {
            arn: self.config_arn(&config_name),
            name: config_name.clone(),
            created: self.now,
            variants: variants.iter().map(|v| spec(v)).collect(),
            shadows: shadows.iter().map(|v| spec(v)).collect(),
            extra: config_extra(
                setup,
                extras,
                &shadows.iter().map(|v| spec(v)).collect::<Vec<_>>(),
            ),
            tags: BTreeMap::new(),
        };
        let arn = self.endpoint_arn(&setup.name);
        let mut made = Vec::new();
        for (spec, setup_of) in config.variants.iter().zip(&variants) {
            made.push(self.make_variant(&setup.name, spec, setup_of.machine, extras.is_async));
        }
        let traffic = setup.traffic.clone();
        let mut endpoint = Endpoint::new(&setup.name, arn, &config_name, made, traffic, self.now);
        endpoint.tags.clone_from(&extras.tags);
        endpoint.shadows = shadow_variants(&config.shadows, self.options.start_up);
        if extras.is_async {
            endpoint.queue = Some(Box::new(self.make_queue(&setup.name)));
        }
        let index = self.fleet.insert(endpoint);
        self.fleet.configs.insert(config_name, config);
        self.fleet.begin_serving(index, self.now, self.chance);
        self.alarms.resolve(&self.metrics);
    }

    /// Adds a component whose copies are in service, and the instances that they need. Its endpoint must be there.
    ///
    /// # Errors
    /// `ValidationException` when the endpoint or the variant is not there or hosts no components, or the copies are
    /// more than it may host.
    pub fn add_component(&mut self, setup: &ComponentSetup) -> Result<(), ApiError> {
        let index = self.make_component(
            setup,
            json!({
                "ModelName": format!("{}-model", setup.name),
                "ComputeResourceRequirements": { "MinMemoryRequiredInMb": 1024 },
            }),
            BTreeMap::new(),
        )?;
        self.place_at_once(index, setup.copies)?;
        self.components.begin_serving(index, self.now, self.chance);
        self.alarms.resolve(&self.metrics);
        Ok(())
    }

    /// Replaces the load of a component from now on.
    ///
    /// # Errors
    /// `ValidationException` when there is no such component.
    pub fn set_component_traffic(&mut self, name: &str, traffic: Traffic) -> Result<(), ApiError> {
        let index = self
            .components
            .index_of(name)
            .ok_or_else(|| self.no_component(name))?;
        let (now, chance) = (self.now, self.chance);
        // The time so far passed with the old load.
        self.components.begin_serving(index, now, chance);
        if let Some(component) = self.components.get_mut(index) {
            component.traffic = traffic;
        }
        self.components.begin_serving(index, now, chance);
        Ok(())
    }

    /// Names of all components.
    #[must_use]
    pub fn components(&self) -> Vec<String> {
        self.components.iter().map(|c| c.name.clone()).collect()
    }

    /// Copies of a component: in service and asked for.
    #[must_use]
    pub fn copies(&self, component: &str) -> Option<(u32, u32)> {
        let component = self.components.named(component)?;
        Some((component.current, component.desired))
    }

    /// What a variant's capacity is made of.
    #[must_use]
    pub fn hosting(&self, endpoint: &str, variant: &str) -> Option<Hosting> {
        Some(self.fleet.named(endpoint)?.variant(variant)?.hosting)
    }

    /// Requests that wait in the queue of an asynchronous endpoint.
    #[must_use]
    pub fn backlog(&self, endpoint: &str) -> Option<f64> {
        Some(self.fleet.named(endpoint)?.queue.as_ref()?.size())
    }

    /// Puts one request into the queue of an asynchronous endpoint.
    ///
    /// # Errors
    /// `ValidationException` when there is no such endpoint, or it is not asynchronous or does not serve.
    pub fn invoke_async(&mut self, endpoint: &str) -> Result<(), ApiError> {
        let now = self.now;
        let index = self.invoked(endpoint)?;
        if self.fleet.enqueue(index, now) {
            return Ok(());
        }
        Err(ApiError::validation(format!(
            "Endpoint {endpoint} of account {} is not an asynchronous endpoint in service.",
            self.options.account
        )))
    }

    /// Counts one request to a component of an endpoint, on top of its load.
    ///
    /// # Errors
    /// `ValidationException` when there is no such component of that endpoint, or it has no copy.
    pub fn invoke_component(&mut self, endpoint: &str, component: &str) -> Result<(), ApiError> {
        self.invoked(endpoint)?;
        let index = self
            .components
            .index_of(component)
            .filter(|i| {
                self.components
                    .get(*i)
                    .is_some_and(|c| c.endpoint == endpoint)
            })
            .ok_or_else(|| {
                ApiError::validation(format!(
                    "Inference Component Name header is set to {component}, which is not found."
                ))
            })?;
        // The words "has no capacity" are observed, the rest is made up (aws-autoscaling.md 5.5).
        self.components.invoke(index).ok_or_else(|| {
            ApiError::validation(format!(
                "Inference Component {component} has no capacity to process this request."
            ))
        })
    }

    fn invoked(&self, endpoint: &str) -> Result<usize, ApiError> {
        let account = &self.options.account;
        self.fleet.index_of(endpoint).ok_or_else(|| {
            ApiError::validation(format!(
                "Endpoint {endpoint} of account {account} not found."
            ))
        })
    }

    /// Replaces the load of an endpoint from now on. Traffic is counted from now.
    ///
    /// # Errors
    /// `ValidationException` when there is no such endpoint.
    pub fn set_traffic(&mut self, endpoint: &str, traffic: Traffic) -> Result<(), ApiError> {
        let index = self.fleet.index_of(endpoint).ok_or_else(|| {
            ApiError::validation(format!(
                "Could not find endpoint \"{}\".",
                self.endpoint_arn(endpoint)
            ))
        })?;
        self.fleet
            .set_traffic(index, traffic, self.now, self.chance);
        Ok(())
    }

    /// Counts one request to an endpoint, on top of its load. Returns the variant that took it.
    ///
    /// # Errors
    /// `ValidationException` when there is no such endpoint or variant, or it does not serve yet.
    pub fn invoke(&mut self, endpoint: &str, variant: Option<&str>) -> Result<String, ApiError> {
        let account = &self.options.account;
        let index = self.invoked(endpoint)?;
        let text =
            format!("Variant of endpoint {endpoint} of account {account} can not be invoked.");
        self.fleet
            .invoke(index, variant)
            .ok_or_else(|| ApiError::validation(text))
    }

    /// Instances of a variant, or its provisioned concurrency: in service and asked for.
    #[must_use]
    pub fn instances(&self, endpoint: &str, variant: &str) -> Option<(u32, u32)> {
        let variant = self.fleet.named(endpoint)?.variant(variant)?;
        Some((variant.current, variant.desired))
    }

    /// Names of all endpoints and their variants.
    #[must_use]
    pub fn variants(&self) -> Vec<(String, String)> {
        let named = |e: &Endpoint| {
            let pair = |v: &Variant| (e.name.clone(), v.name.clone());
            e.variants.iter().map(pair).collect::<Vec<_>>()
        };
        self.fleet.iter().flat_map(named).collect()
    }

    /// Everything that AWS recorded: scaling activities and the history of alarms, in order of time.
    #[must_use]
    pub fn timeline(&self) -> Vec<TimelineEntry> {
        let activities = self
            .scaling
            .activities
            .oldest_first()
            .map(|a| TimelineEntry {
                at: a.started,
                what: {
                    let outcome = a.not_scaled().map_or_else(
                        || format!("{} {}", a.description(), a.status.word()),
                        |reason| format!("not scaled, {}", reason.code()),
                    );
                    format!("{}: {outcome} ({})", a.resource_id, a.cause_text())
                },
            });
        let history = self
            .alarms
            .history_oldest_first()
            .map(|item| TimelineEntry {
                at: item.at,
                what: format!("{}: {}", item.alarm, item.summary()),
            });
        let mut entries: Vec<_> = activities.chain(history).collect();
        entries.sort_by_key(|entry| entry.at);
        entries
    }
}

fn variant_spec(variant: &VariantSetup, endpoint: &str, extras: &Extras) -> VariantSpec {
    let hosting = extras.hosting.get(&variant.name);
    let hosting = hosting.copied().unwrap_or(Hosting::Instances);
    let mut raw = json!({
        "VariantName": variant.name,
        "InitialVariantWeight": variant.weight,
    });
    let fields = match hosting {
        Hosting::Instances => json!({
            "ModelName": format!("{endpoint}-model"),
            "InstanceType": variant.instance_type,
            "InitialInstanceCount": variant.instances,
        }),
        Hosting::Serverless(it) => {
            let mut config = json!({
                "MemorySizeInMB": it.memory_mb,
                "MaxConcurrency": it.max_concurrency,
            });
            if let (Some(config), Some(n)) = (config.as_object_mut(), it.provisioned) {
                config.insert("ProvisionedConcurrency".to_owned(), n.into());
            }
            json!({ "ModelName": format!("{endpoint}-model"), "ServerlessConfig": config })
        }
        Hosting::Components { min, max } => json!({
            "InstanceType": variant.instance_type,
            "InitialInstanceCount": variant.instances.max(1),
            "ManagedInstanceScaling": {
                "Status": "ENABLED", "MinInstanceCount": min, "MaxInstanceCount": max,
            },
        }),
    };
    if let (Some(raw), Some(fields)) = (raw.as_object_mut(), fields.as_object()) {
        raw.extend(fields.clone());
    }
    let (instance_type, initial_count) = match hosting {
        Hosting::Serverless(it) => (None, it.provisioned.unwrap_or(0)),
        Hosting::Instances => (Some(variant.instance_type.clone()), variant.instances),
        Hosting::Components { min, max } => {
            let count = variant.instances.clamp(min.min(max), max);
            (Some(variant.instance_type.clone()), count)
        }
    };
    VariantSpec {
        name: variant.name.clone(),
        instance_type,
        initial_count,
        initial_weight: variant.weight,
        hosting,
        raw,
    }
}

fn config_extra(
    setup: &EndpointSetup,
    extras: &Extras,
    shadows: &[VariantSpec],
) -> serde_json::Map<String, Value> {
    let mut extra = serde_json::Map::new();
    if extras.is_async {
        let place = format!("s3://{}-output/", setup.name);
        let config = json!({ "OutputConfig": { "S3OutputPath": place } });
        extra.insert("AsyncInferenceConfig".to_owned(), config);
    }
    if !shadows.is_empty() {
        let raw: Vec<Value> = shadows.iter().map(|v| v.raw.clone()).collect();
        extra.insert("ShadowProductionVariants".to_owned(), raw.into());
    }
    extra
}
