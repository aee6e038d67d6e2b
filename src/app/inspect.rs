//! The commands that look and change nothing: `validate`, `plan`, `status`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::clock::clock_for;
use super::connect::{connect_scopes, load_config};
use super::console::Console;
use super::failure::{FAILED, Failure};
use crate::cli::{Common, Output};
use crate::config::{Config, Problem, Problems, resolved};
use crate::domain::{
    Change, DesiredFleet, Finding, Note, Observation, Plan, Safety, ScopeName, TargetId, Violation,
    check, lint, lint_fleet, lint_schedules, lint_world, plan as make_plan,
};
use crate::ports::{Clock, NoRequestLog, RequestLog, ScopePorts};
use crate::runtime::{Look, Observer, SystemClock};
use crate::view::{self, IamPlace, plan_json, plan_text};

/// `plan` found changes.
const CHANGES: u8 = 2;

/// Checks the config.
pub(super) fn validate(common: &Common, print: bool, console: Console) -> Result<u8, Failure> {
    let config = match load_config(common) {
        Err(Failure::Config(problems)) if common.output == Output::Json => {
            console.out(&format!("{:#}\n", problems_json(&problems)));
            return Err(Failure::Config(problems));
        }
        loaded => loaded?,
    };
    if config.target_count() == 0 && config.selection_count() == 0 {
        console.note("evenkeel: the config declares no targets, so nothing would be supervised");
    }
    let now = SystemClock.now();
    let objections = |fleet: &DesiredFleet| {
        let targets = fleet.targets.values();
        let mut found: Vec<Finding> = targets.flat_map(lint).collect();
        found.extend(schedule_findings(fleet, now));
        found
    };
    let findings: Vec<Finding> = config
        .scopes
        .values()
        .flat_map(|(_, fleet)| objections(fleet))
        .collect();
    let of_selections: Vec<(String, Finding)> = config
        .scopes
        .values()
        .flat_map(|(_, fleet)| &fleet.selections)
        .flat_map(|selection| {
            let about = selection.selector.to_string();
            let mut found = lint(&selection.template);
            found.extend(lint_schedules(&selection.template, now));
            found
                .into_iter()
                .map(move |finding| (about.clone(), finding))
        })
        .collect();
    if print {
        let tree = resolved(&config);
        let text = match common.output {
            Output::Json => format!("{tree:#}\n"),
            Output::Text => serde_saphyr::to_string(&tree)
                .map_err(|error| Failure::Internal(error.to_string()))?,
        };
        console.out(&text);
        return Ok(0);
    }
    let (targets, scopes) = (config.target_count(), config.scopes.len());
    let selections = config.selection_count();
    let policies: usize = config
        .scopes
        .values()
        .flat_map(|(_, fleet)| {
            let templates = fleet.selections.iter().map(|s| &s.template);
            fleet.targets.values().chain(templates)
        })
        .map(|target| target.policies.len())
        .sum();
    let text = match common.output {
        Output::Json => {
            let counts = serde_json::json!({
                "valid": true, "scopes": scopes, "targets": targets, "policies": policies,
                "selections": selections,
                "findings": findings.iter().map(view::finding_json).chain(
                    of_selections.iter().map(|(about, f)| view::finding_json_about(f, about))
                ).collect::<Vec<_>>(),
            });
            format!("{counts}\n")
        }
        Output::Text => {
            let selected = of_selections.iter();
            let selected = selected.map(|(about, f)| view::finding_text_about(f, about));
            let findings: String = findings
                .iter()
                .map(view::finding_text)
                .chain(selected)
                .collect();
            let path = common.config.display();
            let selections = match selections {
                0 => String::new(),
                n => format!(", selections: {n}"),
            };
            format!(
                "{findings}{path}: valid; scopes: {scopes}, targets: {targets}{selections}, policies: {policies}\n"
            )
        }
    };
    console.out(&text);
    Ok(0)
}

fn problems_json(problems: &Problems) -> serde_json::Value {
    let problem = |p: &Problem| {
        serde_json::json!({
            "file": p.source,
            "key": p.path,
            "what": p.what,
            "remedy": p.remedy,
        })
    };
    let all: Vec<_> = problems.0.iter().map(problem).collect();
    serde_json::json!({ "valid": false, "problems": all })
}

/// Prints what AWS has to allow.
pub(super) fn iam_policy(
    common: &Common,
    account: Option<&str>,
    console: Console,
) -> Result<u8, Failure> {
    let config = load_config(common)?;
    let mut scopes = config.scopes.values();
    let (Some((scope, fleet)), None) = (scopes.next(), scopes.next()) else {
        let names: Vec<&str> = config.scopes.keys().map(ScopeName::as_str).collect();
        return Err(Failure::Usage(format!(
            "each scope has a policy of its own; choose one with --scope: {}",
            names.join(", ")
        )));
    };
    // arn:aws:iam::123456789012:role/evenkeel
    let of_role = scope
        .assume_role
        .as_ref()
        .and_then(|arn| arn.split(':').nth(4));
    let account = account.or(of_role);
    if account.is_none() {
        console.note("evenkeel: the policy is for any account; name yours with --account");
    }
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let region = scope.region.clone();
    let region =
        region.or_else(|| variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")));
    let place = IamPlace {
        account: account.unwrap_or("*"),
        region: region.as_deref().unwrap_or("*"),
    };
    let policy = view::iam_policy(fleet, config.daemon.mode, place);
    console.out(&format!("{policy:#}\n"));
    Ok(0)
}

/// At most so many registrations are asked for their owner.
const MOST_OWNERS: usize = 50;

/// Targets whose standing registration the plan changes.
fn registrations(plan: &Plan) -> Vec<TargetId> {
    let stands = |change: &Change| {
        matches!(
            change,
            Change::Register {
                previous: Some(_),
                ..
            } | Change::Deregister { .. }
        )
    };
    let changed = plan.actions().filter(|(_, action)| stands(&action.change));
    changed
        .map(|(id, _)| id.clone())
        .take(MOST_OWNERS)
        .collect()
}

/// One scope, looked at and planned for.
pub(super) struct Looked {
    pub(super) ports: ScopePorts,
    /// What is declared, with every selection worked into targets.
    pub(super) fleet: DesiredFleet,
    pub(super) observed: Observation,
    pub(super) plan: Plan,
}

/// Looks at every scope and plans for it.
pub(super) async fn look(
    config: &Config,
    common: &Common,
    console: Console,
) -> Result<BTreeMap<ScopeName, Looked>, Failure> {
    let log: Arc<dyn RequestLog> = Arc::new(NoRequestLog);
    let all = connect_scopes(config, common, &log).await?;
    let now = clock_for(config, common).await.0.now();
    let mut looked = BTreeMap::new();
    for (name, ports) in all {
        let Some((_, fleet)) = config.scopes.get(&name) else {
            continue;
        };
        let mut observer = Observer::new(ports.clone());
        let Look {
            fleet,
            mut observed,
        } = observer.observe(fleet, now).await;
        let mut plan = make_plan(&fleet, &observed, now);
        // Whose a registration is that would change is worth a call each.
        let changed = registrations(&plan);
        if !changed.is_empty() {
            observer.read_owners_of(&changed, &mut observed).await;
            plan = make_plan(&fleet, &observed, now);
        }
        if common.target.is_none() {
            for selector in fleet.idle_selections() {
                console.note(&format!("evenkeel: nothing fits: {selector}"));
            }
        }
        looked.insert(
            name,
            Looked {
                ports,
                fleet,
                observed,
                plan,
            },
        );
    }
    let planned = |scope: &Looked| scope.plan.targets.is_empty() && scope.observed.is_complete();
    if let (Some(glob), true) = (&common.target, looked.values().all(planned)) {
        console.note(&format!("evenkeel: {glob}: no target matches"));
    }
    Ok(looked)
}

/// What could not be read, as warnings.
pub(super) fn warn_of_gaps(looked: &BTreeMap<ScopeName, Looked>, console: Console) -> bool {
    let mut any = false;
    for (name, scope) in looked {
        for gap in &scope.observed.gaps {
            any = true;
            console.note(&format!(
                "evenkeel: scope {name}: {} could not be read: {}",
                gap.part, gap.why
            ));
        }
    }
    any
}

/// The laws that the plans break.
pub(super) fn violations(looked: &BTreeMap<ScopeName, Looked>, safety: Safety) -> Vec<Violation> {
    looked
        .values()
        .filter_map(|scope| check(scope.plan.clone(), &scope.fleet, &scope.observed, safety).err())
        .flatten()
        .collect()
}

/// Prints plans in the form asked for.
pub(super) fn print_plans(
    looked: &BTreeMap<ScopeName, Looked>,
    refused: &[Violation],
    common: &Common,
    console: Console,
) {
    let plans: Vec<Plan> = looked.values().map(|scope| scope.plan.clone()).collect();
    let findings: Vec<Finding> = looked.values().flat_map(world_findings).collect();
    console.out(&match common.output {
        Output::Text => {
            let findings: String = findings.iter().map(view::finding_text).collect();
            format!("{findings}{}", plan_text(&plans, console.paint))
        }
        Output::Json => {
            let mut tree = plan_json(&plans, refused);
            let findings: Vec<_> = findings.iter().map(view::finding_json).collect();
            if let Some(map) = tree.as_object_mut() {
                map.insert("findings".to_owned(), findings.into());
            }
            format!("{tree:#}\n")
        }
    });
}

/// What the lint objects to in the schedules of a fleet.
fn schedule_findings(fleet: &DesiredFleet, now: DateTime<Utc>) -> Vec<Finding> {
    let targets = fleet.targets.values();
    let mut findings: Vec<Finding> = targets.flat_map(|t| lint_schedules(t, now)).collect();
    findings.extend(lint_fleet(fleet, now));
    findings
}

/// What the lint objects to in AWS, and in the schedules, as those are about to run. What else it objects to in the
/// config is `validate`'s to say.
fn world_findings(scope: &Looked) -> Vec<Finding> {
    let mut findings = schedule_findings(&scope.fleet, scope.observed.at);
    let targets = scope.fleet.targets.values();
    findings.extend(targets.flat_map(|target| lint_world(target, &scope.observed)));
    findings
}

/// Whether something that is declared can not be done without a person.
pub(super) fn any_held(looked: &BTreeMap<ScopeName, Looked>) -> bool {
    let mut entries = looked.values().flat_map(|scope| &scope.plan.targets);
    entries.any(|entry| entry.notes.iter().any(Note::holds))
}

/// Shows what a pass would change.
pub(super) async fn plan(common: &Common, console: Console) -> Result<u8, Failure> {
    let config = load_config(common)?;
    let looked = look(&config, common, console).await?;
    let refused = violations(&looked, config.safety);
    print_plans(&looked, &refused, common, console);
    for violation in &refused {
        console.note(&format!(
            "evenkeel: this plan would be refused: {violation}"
        ));
    }
    if warn_of_gaps(&looked, console) {
        return Ok(FAILED);
    }
    let changes = looked.values().any(|scope| !scope.plan.is_empty());
    Ok(match (changes, any_held(&looked)) {
        (true, _) => CHANGES,
        (false, true) => FAILED,
        (false, false) => 0,
    })
}
