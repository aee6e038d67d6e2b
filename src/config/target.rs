//! The sections `profiles` and `targets`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::Scope;
use super::alerting::read_tunings;
use super::node::{Node, nearest};
use super::policy::read_policies;
use super::schedule::read_schedules;
use super::select::{Subject, read_subject};
use crate::domain::{
    Bounds, Capacity, DesiredFleet, DesiredTarget, Dimension, OwnerName, Policy, Rule, ScopeName,
    Selection, Selector, Suspension, TargetId, placeholder,
};

const PROFILE_KEYS: [&str; 4] = ["bounds", "alerts", "schedules", "policies"];
const TARGET_KEYS: [&str; 13] = [
    "scope",
    "endpoint",
    "variant",
    "component",
    "dimension",
    "select",
    "profile",
    "bounds",
    "suspended",
    "ignore",
    "alerts",
    "schedules",
    "policies",
];
const SUSPENDED_KEYS: [&str; 3] = ["scale_in", "scale_out", "scheduled"];
const BOUNDS_KEYS: [&str; 2] = ["min", "max"];

/// What several targets share. A target's own keys win over it; its policies replace these as a whole.
pub(super) struct Profile<'a> {
    bounds: Option<Node<'a>>,
    alerts: Option<Node<'a>>,
    schedules: Option<Node<'a>>,
    policies: Option<Node<'a>>,
    used: Cell<bool>,
}

/// The profiles by name. Their values are checked where they are used, for each target that uses them, because
/// whether a metric fits depends on the target.
pub(super) fn read_profiles<'a>(node: &Node<'a>) -> BTreeMap<String, Profile<'a>> {
    let mut profiles = BTreeMap::new();
    for (name, entry) in node.named_entries() {
        if let Some(fields) = entry.fields(&PROFILE_KEYS) {
            let profile = Profile {
                bounds: fields.get("bounds"),
                alerts: fields.get("alerts"),
                schedules: fields.get("schedules"),
                policies: fields.get("policies"),
                used: Cell::new(false),
            };
            profiles.insert(name.clone(), profile);
        }
    }
    profiles
}

/// Checks the profiles that no target uses, as if a variant's target did: a mistake should not wait for its first
/// user.
pub(super) fn check_unused(profiles: &BTreeMap<String, Profile<'_>>, owner: &OwnerName) {
    let Some(anyone) = placeholder(Dimension::Instances) else {
        return;
    };
    for profile in profiles.values().filter(|p| !p.used.get()) {
        if let Some(fields) = profile.bounds.as_ref().and_then(|n| n.fields(&BOUNDS_KEYS)) {
            for end in BOUNDS_KEYS {
                fields.get(end).and_then(|node| node.count());
            }
        }
        if let Some(alerts) = &profile.alerts {
            read_tunings(alerts);
        }
        if let Some(schedules) = &profile.schedules {
            read_schedules(schedules);
        }
        if let Some(policies) = &profile.policies {
            read_policies(policies, &anyone, owner);
        }
    }
}

/// Reads the targets into the scopes they belong to.
pub(super) fn read_targets(
    node: &Node<'_>,
    profiles: &BTreeMap<String, Profile<'_>>,
    scopes: &mut BTreeMap<ScopeName, (Scope, DesiredFleet)>,
    owner: &OwnerName,
) {
    let mut first_places: BTreeMap<(ScopeName, TargetId), String> = BTreeMap::new();
    let mut alarms: BTreeSet<(ScopeName, String)> = BTreeSet::new();
    for entry in node.entries() {
        let Some((scope, target, selector)) = read_target(&entry, profiles, scopes, owner) else {
            continue;
        };
        if let Some(selector) = selector {
            refuse_adopted_alarms(&entry, &target);
            if let Some((_, fleet)) = scopes.get_mut(&scope) {
                let template = target;
                fleet.selections.push(Selection { selector, template });
            }
            continue;
        }
        let place = format!("{} in {}", entry.path(), entry.source());
        if let Some(first) = first_places.get(&(scope.clone(), target.id.clone())) {
            entry.report(
                format!(
                    "{} is declared a second time; the first is {first}",
                    target.id
                ),
                "keep one of the two",
            );
            continue;
        }
        for name in target.policies.iter().filter_map(Policy::adopted_alarm) {
            if !alarms.insert((scope.clone(), name.to_owned())) {
                entry.report(
                    format!("alarm `{name}` drives a second policy"),
                    "give each step policy an alarm of its own",
                );
            }
        }
        first_places.insert((scope.clone(), target.id.clone()), place);
        if let Some((_, fleet)) = scopes.get_mut(&scope) {
            fleet.targets.insert(target.id.clone(), target);
        }
    }
}

/// An alarm has one name, and a selection many targets.
fn refuse_adopted_alarms(entry: &Node<'_>, template: &DesiredTarget) {
    for name in template.policies.iter().filter_map(Policy::adopted_alarm) {
        entry.report(
            format!("alarm `{name}` would drive a policy on every selected target"),
            "leave `alarm.name` out: each target gets an alarm of its own",
        );
    }
}

fn read_target(
    entry: &Node<'_>,
    profiles: &BTreeMap<String, Profile<'_>>,
    scopes: &BTreeMap<ScopeName, (Scope, DesiredFleet)>,
    owner: &OwnerName,
) -> Option<(ScopeName, DesiredTarget, Option<Selector>)> {
    let fields = entry.fields(&TARGET_KEYS)?;
    let subject = read_subject(entry, &fields);
    let scope = read_scope(entry, fields.get("scope").as_ref(), scopes);
    let profile_node = fields.get("profile");
    let profile = profile_node
        .as_ref()
        .and_then(|n| find_profile(n, profiles));
    let shared_bounds = profile.and_then(|p| p.bounds.as_ref());
    let own_bounds = fields.get("bounds");
    let bounds = read_bounds(fields.node(), own_bounds.as_ref(), shared_bounds);
    let ignored = fields
        .get("ignore")
        .map(|n| read_ignored(&n))
        .unwrap_or_default();
    // What the target says of an alert counts before its profile, and that before all targets.
    let of_all = scope.as_ref().and_then(|name| scopes.get(name));
    let mut tunings = of_all
        .map(|(_, fleet)| fleet.tunings.clone())
        .unwrap_or_default();
    let own_alerts = fields.get("alerts");
    let profile_alerts = profile.and_then(|p| p.alerts.as_ref());
    for node in profile_alerts.into_iter().chain(own_alerts.as_ref()) {
        tunings.extend(read_tunings(node));
    }
    let suspended = fields.get("suspended").and_then(|n| read_suspended(&n));
    // Policies of a target without a name are read all the same, or their mistakes would hide behind this one.
    let dimension = subject
        .as_ref()
        .map_or(Dimension::Instances, Subject::dimension);
    let id = match &subject {
        Some(Subject::Target(id)) => id.clone(),
        Some(Subject::Selection(_)) | None => placeholder(dimension)?,
    };
    let own_schedules = fields.get("schedules");
    let schedules = own_schedules
        .as_ref()
        .or_else(|| profile.and_then(|p| p.schedules.as_ref()))
        .map(read_schedules)
        .unwrap_or_default();
    let own_policies = fields.get("policies");
    let policies = own_policies
        .as_ref()
        .or_else(|| profile.and_then(|p| p.policies.as_ref()))
        .map(|node| read_policies(node, &id, owner))
        .unwrap_or_default();
    let target = DesiredTarget {
        id,
        bounds: bounds?,
        suspended,
        ignored,
        tunings,
        schedules,
        policies,
    };
    let selector = match subject? {
        Subject::Target(_) => None,
        Subject::Selection(selector) => Some(selector),
    };
    Some((scope?, target, selector))
}

fn read_scope(
    entry: &Node<'_>,
    node: Option<&Node<'_>>,
    scopes: &BTreeMap<ScopeName, (Scope, DesiredFleet)>,
) -> Option<ScopeName> {
    let known: Vec<&str> = scopes.keys().map(ScopeName::as_str).collect();
    let Some(node) = node else {
        let mut names = scopes.keys();
        return match (names.next(), names.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => {
                entry.report(
                    "the key `scope` is missing, and there are several scopes",
                    format!("add `scope:` with one of {}", known.join(", ")),
                );
                None
            }
        };
    };
    let name = node.parsed::<ScopeName>()?;
    if scopes.contains_key(&name) {
        return Some(name);
    }
    let remedy = match nearest(name.as_str(), &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "declare it under `scopes`, or use one of {}",
            known.join(", ")
        ),
    };
    node.report(format!("there is no scope `{name}`"), remedy);
    None
}

fn find_profile<'p, 'a>(
    node: &Node<'_>,
    profiles: &'p BTreeMap<String, Profile<'a>>,
) -> Option<&'p Profile<'a>> {
    let name = node.text()?;
    let found = profiles.get(&name);
    if let Some(profile) = found {
        profile.used.set(true);
    } else {
        let known: Vec<&str> = profiles.keys().map(String::as_str).collect();
        let remedy = match nearest(&name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it under `profiles`".to_owned(),
        };
        node.report(format!("there is no profile `{name}`"), remedy);
    }
    found
}

/// Rules of the lint by id, each with the reason why it does not count.
pub(super) fn read_ignored(node: &Node<'_>) -> BTreeMap<Rule, String> {
    let mut ignored = BTreeMap::new();
    for (id, entry) in node.named_entries() {
        let Ok(rule) = id.parse::<Rule>() else {
            let ids = Rule::ALL.map(Rule::id);
            let remedy = match nearest(id, &ids) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the rules are {}", ids.join(", ")),
            };
            entry.report(format!("the lint has no rule `{id}`"), remedy);
            continue;
        };
        match entry.text() {
            Some(reason) if reason.trim().is_empty() => {
                entry.report("no reason is given", "say why the rule does not count here");
            }
            Some(reason) => {
                ignored.insert(rule, reason);
            }
            None => {}
        }
    }
    ignored
}

/// What is not named is not suspended.
fn read_suspended(node: &Node<'_>) -> Option<Suspension> {
    let fields = node.fields(&SUSPENDED_KEYS)?;
    let flag = |key| match fields.get(key) {
        Some(node) => node.truth(),
        None => Some(false),
    };
    let [scale_in, scale_out, scheduled] = SUSPENDED_KEYS.map(flag);
    Some(Suspension {
        scale_in: scale_in?,
        scale_out: scale_out?,
        scheduled: scheduled?,
    })
}

/// Each end from the target itself, else from its profile.
fn read_bounds(
    target: &Node<'_>,
    own: Option<&Node<'_>>,
    shared: Option<&Node<'_>>,
) -> Option<Bounds> {
    let own = match own {
        Some(node) => Some(node.fields(&BOUNDS_KEYS)?),
        None => None,
    };
    let shared = match shared {
        Some(node) => Some(node.fields(&BOUNDS_KEYS)?),
        None => None,
    };
    let end = |key: &str| {
        let own = own.as_ref().and_then(|f| f.get(key));
        own.or_else(|| shared.as_ref().and_then(|f| f.get(key)))
    };
    let (min, max) = (end("min"), end("max"));
    if min.is_none() || max.is_none() {
        let place = own.as_ref().map_or(target, |fields| fields.node());
        let missing = match (min.is_none(), max.is_none()) {
            (true, true) => "`bounds.min` and `bounds.max` are",
            (true, false) => "`bounds.min` is",
            _ => "`bounds.max` is",
        };
        place.report(
            format!("{missing} missing, here and in the profile"),
            "add for example `bounds: { min: 2, max: 10 }`",
        );
    }
    let capacity = |node: &Node<'_>| node.count().and_then(Capacity::new);
    let (min, max) = (min.as_ref()?, max.as_ref()?);
    let (low, high) = (capacity(min), capacity(max));
    match Bounds::new(low?, high?) {
        Ok(bounds) => Some(bounds),
        Err(error) => {
            min.report(error.to_string(), "lower the minimum or raise the maximum");
            None
        }
    }
}
