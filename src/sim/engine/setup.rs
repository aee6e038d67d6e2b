//! What AWS has no API for: endpoints that already serve, the load on them, and a look at what happened.

use super::error::ApiError;
use super::fleet::{Endpoint, EndpointConfig, Machine, Variant, VariantSpec};
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

impl World {
    /// Adds an endpoint in service, with a config of its own.
    pub fn add_endpoint(&mut self, setup: &EndpointSetup) {
        let spec = |variant: &VariantSetup| VariantSpec {
            name: variant.name.clone(),
            instance_type: Some(variant.instance_type.clone()),
            initial_count: variant.instances,
            initial_weight: variant.weight,
            raw: serde_json::json!({
                "VariantName": variant.name,
                "ModelName": format!("{}-model", setup.name),
                "InstanceType": variant.instance_type,
                "InitialInstanceCount": variant.instances,
                "InitialVariantWeight": variant.weight,
            }),
        };
        let config_name = format!("{}-config", setup.name);
        let (region, account) = (&self.options.region, &self.options.account);
        let config = EndpointConfig {
            arn: format!("arn:aws:sagemaker:{region}:{account}:endpoint-config/{config_name}"),
            name: config_name.clone(),
            created: self.now,
            variants: setup.variants.iter().map(spec).collect(),
            extra: serde_json::Map::new(),
            tags: std::collections::BTreeMap::new(),
        };
        let arn = format!(
            "arn:aws:sagemaker:{region}:{account}:endpoint/{}",
            setup.name
        );
        let machines: Vec<Machine> = setup.variants.iter().map(|v| v.machine).collect();
        let retention = self.options.metric_retention;
        let variants = config
            .variants
            .iter()
            .zip(machines)
            .map(|(spec, machine)| {
                let meter = self.metrics.meter_for(&setup.name, &spec.name, retention);
                Variant::new(spec, machine, meter)
            })
            .collect();
        let traffic = setup.traffic.clone();
        let endpoint = Endpoint::new(&setup.name, arn, &config_name, variants, traffic, self.now);
        let index = self.fleet.insert(endpoint);
        self.fleet.configs.insert(config_name, config);
        self.fleet.begin_serving(index, self.now, self.chance);
        self.alarms.resolve(&self.metrics);
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
        let index = self.fleet.index_of(endpoint).ok_or_else(|| {
            ApiError::validation(format!(
                "Endpoint {endpoint} of account {account} not found."
            ))
        })?;
        let text =
            format!("Variant of endpoint {endpoint} of account {account} can not be invoked.");
        self.fleet
            .invoke(index, variant)
            .ok_or_else(|| ApiError::validation(text))
    }

    /// Instances of a variant: in service and asked for.
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
