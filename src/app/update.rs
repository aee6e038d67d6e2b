//! `prepare-update` and `finish-update`: the dance around an update that removes a variant or changes its instance
//! type, which SageMaker refuses while the variant is registered (aws-autoscaling.md 5.4).
//!
//! What was registered is in the config; that an update is under way is kept in AWS. A crash in between leaves an
//! endpoint that the daemon leaves alone and tells of, and either command can be given again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::SubsecRound;

use super::apply::execute_scope;
use super::clock::clock_for;
use super::connect::load_config;
use super::console::Console;
use super::failure::{FAILED, Failure};
use super::inspect::{Looked, look, print_plans, warn_of_gaps};
use super::lease::{person, refuse_what_means_nothing};
use crate::cli::{Common, PrepareOptions};
use crate::config::Config;
use crate::domain::{
    Change, EndpointName, EndpointStatus, Glob, Mode, OWNER_TAG, ObservedTarget, PreparedUpdate,
    Safety, ScopeName, Verdict, plan, update_marker,
};
use crate::view::wait_text;

/// The one endpoint that a command is about.
struct Scene {
    config: Config,
    common: Common,
    scope: ScopeName,
    looked: BTreeMap<ScopeName, Looked>,
    endpoint: EndpointName,
}

impl Scene {
    async fn of(
        common: &Common,
        endpoint: &EndpointName,
        console: Console,
    ) -> Result<Self, Failure> {
        refuse_what_means_nothing(common)?;
        let mut config = load_config(common)?;
        // Only the endpoint is looked at, whether the config names it or not.
        let only = Glob::new(endpoint.as_str());
        for (_, fleet) in config.scopes.values_mut() {
            fleet
                .targets
                .retain(|id, _| id.endpoint() == Some(endpoint));
            fleet.only = Some(only.clone());
        }
        let common = Common {
            target: Some(endpoint.to_string()),
            ..common.clone()
        };
        let looked = look(&config, &common, console).await?;
        if warn_of_gaps(&looked, console) {
            return Err(Failure::world("nothing is done on half of the facts"));
        }
        // An endpoint that was deleted while its update was prepared is known by that only.
        let mut scopes = looked.iter().filter(|(_, s)| {
            s.observed.endpoints.contains_key(endpoint)
                || s.observed.markers.updates.contains_key(endpoint)
        });
        let scope = match (scopes.next(), scopes.next()) {
            (Some((name, _)), None) => name.clone(),
            (None, _) => {
                return Err(Failure::Usage(format!("there is no endpoint {endpoint}")));
            }
            (Some(_), Some(_)) => {
                return Err(Failure::Usage(format!(
                    "several scopes have an endpoint {endpoint}; choose one with --scope"
                )));
            }
        };
        Ok(Self {
            config,
            common,
            scope,
            looked,
            endpoint: endpoint.clone(),
        })
    }

    fn looked(&self) -> Result<&Looked, Failure> {
        let looked = self.looked.get(&self.scope);
        looked.ok_or_else(|| Failure::Internal("a scope that was looked at is gone".to_owned()))
    }

    /// Nothing can be registered or deregistered sensibly while the endpoint changes.
    fn require_in_service(&self) -> Result<(), Failure> {
        let observed = &self.looked()?.observed;
        let status = observed
            .endpoints
            .get(&self.endpoint)
            .map(|e| e.status.clone());
        match status {
            Some(EndpointStatus::InService) | None => Ok(()),
            Some(status) => Err(Failure::world(format!(
                "endpoint {} is {status}; try again when it is InService",
                self.endpoint
            ))),
        }
    }

    /// Registered variants of the endpoint.
    fn registered(&self) -> Result<Vec<ObservedTarget>, Failure> {
        let targets = self.looked()?.observed.targets.values();
        let ours = targets.filter(|held| held.id.endpoint() == Some(&self.endpoint));
        Ok(ours.cloned().collect())
    }

    /// What would be lost, because the config does not say it.
    fn unsaid(&self) -> Result<Vec<String>, Failure> {
        let looked = self.looked()?;
        let mut unsaid = Vec::new();
        for held in self.registered()? {
            let Some(declared) = looked.fleet.targets.get(&held.id) else {
                unsaid.push(format!(
                    "{} is registered, and the config does not declare it",
                    held.id
                ));
                continue;
            };
            let asked = looked
                .observed
                .leases(&held.id)
                .and_then(|l| l.hold.as_ref());
            let suspended = asked.map_or(held.suspended, |l| l.what.off(held.suspended));
            if declared.suspended.is_none() && suspended.any() {
                unsaid.push(format!(
                    "AWS has {suspended} suspended on {}, and the config says nothing of it (add `suspended:`)",
                    held.id
                ));
            }
            let policies = looked.observed.policies.get(&held.id).into_iter().flatten();
            for (name, _) in policies {
                if !declared.policies.iter().any(|p| p.name == *name) {
                    unsaid.push(format!(
                        "policy `{name}` of {} is not in the config",
                        held.id
                    ));
                }
            }
        }
        Ok(unsaid)
    }

    /// Scheduled actions that would be lost.
    fn unsaid_schedules(&self) -> Result<Vec<String>, Failure> {
        let looked = self.looked()?;
        let manage = &looked.fleet.manage;
        let mut unsaid = Vec::new();
        for held in self.registered()? {
            let declared = looked.fleet.targets.get(&held.id);
            let is_declared = |name: &str| {
                let schedules = declared.into_iter().flat_map(|t| &t.schedules);
                let mut adopted = schedules.filter_map(|s| s.adopted_action.as_deref());
                manage.is_ours(name) || adopted.any(|other| other == name)
            };
            let actions = looked.observed.schedules.get(&held.id);
            let names = actions.into_iter().flatten().map(|(name, _)| name);
            unsaid.extend(names.filter(|name| !is_declared(name)).map(|name| {
                format!(
                    "scheduled action `{name}` of {} is not in the config",
                    held.id
                )
            }));
        }
        Ok(unsaid)
    }
}

/// Deregisters the variants of an endpoint, so that it can be updated freely.
pub(super) async fn prepare(
    common: &Common,
    options: &PrepareOptions,
    console: Console,
) -> Result<u8, Failure> {
    let scene = Scene::of(common, &options.endpoint, console).await?;
    scene.require_in_service()?;
    let mut unsaid = scene.unsaid()?;
    unsaid.extend(scene.unsaid_schedules()?);
    if !unsaid.is_empty() {
        return Err(Failure::world(format!(
            "deregistering deletes what the config could not bring back: {}; declare it first, or remove it",
            unsaid.join("; ")
        )));
    }
    let registered = scene.registered()?;
    let looked = scene.looked()?;
    let endpoint = &scene.endpoint;
    let standing = looked.observed.markers.updates.get(endpoint);
    if registered.is_empty() && standing.is_none() {
        console.note(&format!(
            "no variant of endpoint {endpoint} is registered: it can be updated as it is"
        ));
        return Ok(0);
    }
    if scene.config.daemon.mode == Mode::Observe {
        console.note(
            "evenkeel: the config says `mode: observe`: only `finish-update` brings back what is deregistered",
        );
    }
    for held in &registered {
        console.note(&format!(
            "{}: will be deregistered, with bounds {}..{}, its policies and scheduled actions; capacity stays",
            held.id, held.min, held.max
        ));
    }
    let tags = tags_of(looked, &registered).await?;
    for text in lost_tags(&registered, &tags) {
        console.note(&text);
    }
    if !confirmed(
        options.yes,
        &format!("Prepare an update of endpoint {endpoint}?"),
        console,
    )? {
        return Ok(FAILED);
    }
    let now = clock_for(&scene.config, &scene.common)
        .await
        .0
        .now()
        .trunc_subsecs(0);
    let mut update = standing.cloned().unwrap_or_else(|| PreparedUpdate {
        by: person(options.by.as_deref()),
        reason: options.reason.clone(),
        since: now,
        others: BTreeSet::new(),
    });
    let owner = looked.fleet.manage.owner.as_str();
    let foreign = registered.iter().zip(&tags);
    let foreign = foreign.filter(|(_, tags)| tags.get(OWNER_TAG).is_none_or(|tag| tag != owner));
    update
        .others
        .extend(foreign.filter_map(|(held, _)| held.id.variant().cloned()));
    let name = update_marker(&looked.fleet.manage.owner, endpoint);
    // The marker first: without it the daemon would register again what is deregistered next.
    let put = looked
        .ports
        .alarms
        .put_marker(&name, &update.describe())
        .await;
    put.map_err(|error| Failure::World(error.into()))?;
    for held in &registered {
        let gone = looked.ports.scaling.deregister(&held.id).await;
        gone.map_err(|error| Failure::World(error.into()))?;
        console.note(&format!("done {}: deregistered", held.id));
    }
    console.note(&format!(
        "Endpoint {endpoint} can be updated now. evenkeel leaves it alone until `evenkeel finish-update {endpoint}`."
    ));
    Ok(0)
}

type Tags = BTreeMap<String, String>;

/// The tags of each registration.
async fn tags_of(looked: &Looked, registered: &[ObservedTarget]) -> Result<Vec<Tags>, Failure> {
    let mut all = Vec::new();
    for held in registered {
        all.push(match &held.arn {
            None => Tags::new(),
            Some(arn) => {
                let tags = looked.ports.scaling.tags(arn).await;
                tags.map_err(|error| Failure::World(error.into()))?
            }
        });
    }
    Ok(all)
}

/// Tags that go with their registrations: no config says them.
fn lost_tags(registered: &[ObservedTarget], tags: &[Tags]) -> Vec<String> {
    let mut lost = Vec::new();
    for (held, tags) in registered.iter().zip(tags) {
        let others: Vec<String> = tags
            .iter()
            .filter(|(key, _)| *key != OWNER_TAG)
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        if !others.is_empty() {
            lost.push(format!(
                "{}: its tags go with it, to be set again after `finish-update`: {}",
                held.id,
                others.join(", ")
            ));
        }
    }
    lost
}

/// What others had registered does not become ours by coming back.
fn keep_owners(looked: &mut Looked, update: &PreparedUpdate) {
    for entry in &mut looked.plan.targets {
        let is_others = entry
            .id
            .variant()
            .is_some_and(|variant| update.others.contains(variant));
        for action in entry.actions.iter_mut().filter(|_| is_others) {
            if let Change::Register { owner, .. } = &mut action.change {
                *owner = None;
            }
        }
    }
}

/// Registers everything again that the config declares for an endpoint.
pub(super) async fn finish(
    common: &Common,
    endpoint: &EndpointName,
    yes: bool,
    console: Console,
) -> Result<u8, Failure> {
    let mut scene = Scene::of(common, endpoint, console).await?;
    if !scene
        .looked()?
        .observed
        .markers
        .updates
        .contains_key(endpoint)
    {
        console.note(&format!("no update of endpoint {endpoint} is prepared"));
        return Ok(FAILED);
    }
    scene.require_in_service()?;
    let scope = scene.scope.clone();
    if let Some(looked) = scene.looked.get_mut(&scope) {
        let update = looked.observed.markers.updates.remove(endpoint);
        looked.plan = plan(&looked.fleet, &looked.observed, looked.plan.at);
        if let Some(update) = update {
            keep_owners(looked, &update);
        }
    }
    scene.looked.retain(|name, _| *name == scope);
    print_plans(&scene.looked, &[], &scene.common, console);
    if !confirmed(
        yes,
        &format!("Finish the update of endpoint {endpoint}?"),
        console,
    )? {
        return Ok(FAILED);
    }
    let looked = scene.looked()?;
    let name = update_marker(&looked.fleet.manage.owner, endpoint);
    // If this is the last that is done, the daemon does the rest.
    let gone = looked.ports.alarms.delete_alarm(&name).await;
    gone.map_err(|error| Failure::World(error.into()))?;
    let no_limit = Safety {
        max_change: 1.0,
        always_allowed: usize::MAX,
    };
    let done = execute_scope(
        &scene.config,
        &scene.common,
        (&scope, looked),
        no_limit,
        console,
    )
    .await?;
    let mut waits = false;
    for entry in &looked.plan.targets {
        if let Verdict::Waiting(wait) = &entry.verdict {
            waits = true;
            console.note(&format!(
                "{}: is not registered: {}",
                entry.id,
                wait_text(wait)
            ));
        }
    }
    Ok(if done.failed > 0 || waits { FAILED } else { 0 })
}

pub(super) fn confirmed(yes: bool, question: &str, console: Console) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !console.can_ask {
        return Err(Failure::Usage(
            "there is no terminal to ask on; pass --yes to go on without being asked".to_owned(),
        ));
    }
    let agreed = console.ask(question);
    if !agreed {
        console.note("Nothing was changed.");
    }
    Ok(agreed)
}
