//! `hold`, `override` and `release`: what a person asks of targets for a while.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::apply::execute_scope;
use super::clock::clock_for;
use super::connect::load_config;
use super::console::Console;
use super::failure::{FAILED, Failure};
use super::inspect::{Looked, look, warn_of_gaps};
use crate::cli::{Asked, Common, HoldOptions, Output, OverrideOptions};
use crate::config::Config;
use crate::domain::{
    Bounds, BoundsError, Capacity, Change, Glob, Hold, Lease, Leases, MarkerKind, Mode, Note,
    Observation, Override, Part, Safety, ScopeName, TargetId, TargetPlan, Verdict, lease_marker,
    plan, unscalable,
};
use crate::view::{effect_text, hold_text, note_text, override_text, unscalable_text, wait_text};

/// The longest time that can be asked for: what is to last belongs into the config.
const LONGEST: TimeDelta = TimeDelta::days(30);

/// Nothing that is asked for a while is too much at once: it was asked for by name.
const NO_LIMIT: Safety = Safety {
    max_change: 1.0,
    always_allowed: usize::MAX,
};

/// The targets that a command is about, as they stand.
struct Scene {
    config: Config,
    common: Common,
    looked: BTreeMap<ScopeName, Looked>,
    now: DateTime<Utc>,
    /// What something was asked of.
    asked: BTreeSet<TargetId>,
}

impl Scene {
    /// Looks at the targets that `target` means.
    async fn of(common: &Common, target: &str, console: Console) -> Result<Self, Failure> {
        refuse_what_means_nothing(common)?;
        let mut config = load_config(common)?;
        let only = Glob::new(target);
        for (_, fleet) in config.scopes.values_mut() {
            fleet.targets.retain(|id, _| id.matches(&only));
            fleet.only = Some(only.clone());
        }
        let common = Common {
            target: Some(target.to_owned()),
            ..common.clone()
        };
        if config.daemon.mode == Mode::Observe {
            return Err(Failure::world(
                "the config says `mode: observe`: evenkeel would not end what is asked for, so it is not begun",
            ));
        }
        let now = clock_for(&config, &common).await.0.now().trunc_subsecs(0);
        let looked = look(&config, &common, console).await?;
        warn_of_gaps(&looked, console);
        for scope in looked.values() {
            if let Some(gap) = scope.observed.gap(&Part::Alarms) {
                return Err(Failure::world(format!(
                    "what is asked for already could not be read: {}",
                    gap.why
                )));
            }
        }
        Ok(Self {
            config,
            common,
            looked,
            now,
            asked: BTreeSet::new(),
        })
    }

    /// Declared targets that are meant, with their scope.
    fn declared(&self) -> Result<Vec<(ScopeName, TargetId)>, Failure> {
        let meant: Vec<(ScopeName, TargetId)> = self
            .looked
            .iter()
            .flat_map(|(name, scope)| {
                let ids = scope.fleet.targets.keys();
                ids.map(move |id| (name.clone(), id.clone()))
            })
            .collect();
        if meant.is_empty() {
            let glob = self.common.target.as_deref().unwrap_or_default();
            return Err(Failure::Usage(format!(
                "{glob}: no declared target matches; name an endpoint, an inference component, or a resource id"
            )));
        }
        Ok(meant)
    }

    /// A marker that nobody can read may be a hold that someone else's version wrote.
    fn require_readable(
        &self,
        (scope, id): &(ScopeName, TargetId),
        kind: MarkerKind,
    ) -> Result<(), Failure> {
        let Some(looked) = self.looked.get(scope) else {
            return Ok(());
        };
        let name = lease_marker(&looked.fleet.manage.owner, kind, id);
        if looked.observed.markers.unreadable.contains(&name) {
            return Err(Failure::world(format!(
                "alarm `{name}` stands there and is not one that this evenkeel wrote; delete it if nobody needs it"
            )));
        }
        Ok(())
    }

    /// Puts a marker, and remembers it as if it had been read.
    async fn mark(
        &mut self,
        target: &(ScopeName, TargetId),
        kind: MarkerKind,
        description: &str,
        change: impl FnOnce(&mut Leases),
    ) -> Result<(), Failure> {
        self.require_readable(target, kind)?;
        let (scope, id) = target;
        self.asked.insert(id.clone());
        let Some(looked) = self.looked.get_mut(scope) else {
            return Ok(());
        };
        let name = lease_marker(&looked.fleet.manage.owner, kind, id);
        let put = looked.ports.alarms.put_marker(&name, description).await;
        put.map_err(|error| Failure::World(error.into()))?;
        change(
            looked
                .observed
                .markers
                .leases
                .entry(id.clone())
                .or_default(),
        );
        Ok(())
    }

    /// Does to registrations what is asked for now, and nothing else. Returns whether all of it worked.
    async fn enact(mut self, console: Console) -> Result<bool, Failure> {
        let mut fine = true;
        for (name, scope) in &mut self.looked {
            scope.plan = plan(&scope.fleet, &scope.observed, self.now);
            let is_asked = |change: &Change| {
                matches!(
                    change,
                    Change::Register {
                        previous: Some(_),
                        ..
                    } | Change::EndLease { .. }
                )
            };
            for entry in &mut scope.plan.targets {
                let wanted = self.asked.contains(&entry.id);
                entry
                    .actions
                    .retain(|action| wanted && is_asked(&action.change));
                for effect in entry.actions.iter().flat_map(|action| &action.effects) {
                    console.note(&format!("{}: {}", entry.id, effect_text(effect)));
                }
            }
            for id in &self.asked {
                let entry = scope.plan.targets.iter().find(|entry| entry.id == *id);
                fine &= tell_what_waits(id, entry, &scope.observed, console);
            }
            let done =
                execute_scope(&self.config, &self.common, (name, scope), NO_LIMIT, console).await?;
            fine &= done.failed == 0;
        }
        Ok(fine)
    }
}

/// Whether what was asked for can be done, now or by itself later; what stands in the way is told.
fn tell_what_waits(
    id: &TargetId,
    entry: Option<&TargetPlan>,
    observed: &Observation,
    console: Console,
) -> bool {
    let Some(entry) = entry else {
        let busy = observed.leases(id).is_some();
        if busy {
            console.note(&format!(
                "{id}: is not in the config, and its endpoint is busy; takes effect at a later pass"
            ));
        }
        return true;
    };
    if let Verdict::Waiting(wait) = &entry.verdict {
        let why = wait_text(wait);
        console.note(&format!("{id}: takes effect when it can: {why}"));
    }
    let in_the_way: Vec<&Note> = entry
        .notes
        .iter()
        .filter(|note| matches!(note, Note::CannotScale(_) | Note::LeasesUnseen(_)))
        .collect();
    for note in &in_the_way {
        console.note(&format!("{id}: {}", note_text(note)));
    }
    in_the_way.is_empty()
}

/// Options of other commands that would be passed over in silence.
pub(super) fn refuse_what_means_nothing(common: &Common) -> Result<(), Failure> {
    if common.target.is_some() {
        return Err(Failure::Usage(
            "--target: this command is told its target without it".to_owned(),
        ));
    }
    if common.output == Output::Json {
        return Err(Failure::Usage(
            "--output json: this command has nothing to print as JSON; `status` has".to_owned(),
        ));
    }
    Ok(())
}

/// When it ends, by whom it is asked for, and why.
struct Terms {
    by: String,
    reason: String,
    until: DateTime<Utc>,
}

fn terms(asked: &Asked, now: DateTime<Utc>) -> Result<Terms, Failure> {
    let until = match (asked.duration, asked.until) {
        (Some(span), None) => TimeDelta::from_std(span)
            .ok()
            .and_then(|span| now.checked_add_signed(span)),
        (None, until) => until,
        (Some(_), Some(_)) => None,
    };
    let Some(until) = until.map(|until| until.trunc_subsecs(0)) else {
        return Err(Failure::Usage(
            "say how long: --for 2h, or --until 2026-11-22T18:00:00Z".to_owned(),
        ));
    };
    let span = until.signed_duration_since(now);
    if span <= TimeDelta::zero() || span > LONGEST {
        return Err(Failure::Usage(format!(
            "{} is not within the next 30 days; what is to last longer belongs into the config",
            until.format("%Y-%m-%d %H:%M UTC")
        )));
    }
    Ok(Terms {
        by: person(asked.by.as_deref()),
        reason: asked.reason.clone(),
        until,
    })
}

/// Who asks: as said, or as the environment says.
pub(super) fn person(said: Option<&str>) -> String {
    let variable = |name| {
        std::env::var(name)
            .ok()
            .filter(|text: &String| !text.is_empty())
    };
    said.map(str::to_owned)
        .or_else(|| variable("USER").or_else(|| variable("LOGNAME")))
        .unwrap_or_else(|| "someone".to_owned())
}

fn outcome(fine: bool) -> u8 {
    if fine { 0 } else { FAILED }
}

/// Lets policies do nothing in one direction or both, for a while.
pub(super) async fn hold(
    common: &Common,
    options: &HoldOptions,
    console: Console,
) -> Result<u8, Failure> {
    let mut scene = Scene::of(common, &options.subject, console).await?;
    let terms = terms(&options.asked, scene.now)?;
    let both = !options.scale_in && !options.scale_out;
    let mut wanted = Vec::new();
    for target in scene.declared()? {
        let held = registered(&scene, &target)?;
        let standing = leases_of(&scene, &target).hold;
        let hold = Hold {
            scale_in: options.scale_in || both,
            scale_out: options.scale_out || both,
            // A hold that takes the place of another ends as the first one would have.
            before: standing
                .as_ref()
                .map_or(held.1, |lease| lease.what.off(held.1)),
        };
        // Taking one direction out of a hold is a release of it, and has to be seen as one.
        if let Some(old) = standing.filter(|old| {
            (old.what.scale_in && !hold.scale_in) || (old.what.scale_out && !hold.scale_out)
        }) {
            return Err(Failure::world(format!(
                "{}: {}; release it first",
                target.1,
                hold_text(&old)
            )));
        }
        let lease = Lease {
            what: hold,
            by: terms.by.clone(),
            reason: terms.reason.clone(),
            since: scene.now,
            until: terms.until,
        };
        scene.require_readable(&target, MarkerKind::Hold)?;
        wanted.push((target, lease));
    }
    // All of it can be asked for; nothing was until here.
    for (target, lease) in wanted {
        console.note(&format!("{}: {}", target.1, hold_text(&lease)));
        let text = lease.describe();
        scene
            .mark(&target, MarkerKind::Hold, &text, |leases| {
                leases.hold = Some(lease);
            })
            .await?;
    }
    scene.enact(console).await.map(outcome)
}

/// Sets other bounds, for a while.
pub(super) async fn override_bounds(
    common: &Common,
    options: &OverrideOptions,
    console: Console,
) -> Result<u8, Failure> {
    let capacity = |n: Option<u32>| n.and_then(Capacity::new);
    let (min, max) = (capacity(options.min), capacity(options.max));
    if min.is_none() && max.is_none() {
        return Err(Failure::Usage("give --min, --max, or both".to_owned()));
    }
    if let (Some(min), Some(max)) = (min, max) {
        Bounds::new(min, max).map_err(|error| Failure::Usage(error.to_string()))?;
    }
    let mut scene = Scene::of(common, &options.subject, console).await?;
    let terms = terms(&options.asked, scene.now)?;
    let mut wanted = Vec::new();
    for target in scene.declared()? {
        let (held, _) = registered(&scene, &target)?;
        let standing = leases_of(&scene, &target).bounds;
        let base = scene
            .looked
            .get(&target.0)
            .and_then(|s| s.fleet.targets.get(&target.1));
        if let Some(base) = base.map(|t| t.bounds) {
            let crosses = match (min, max) {
                (Some(min), None) => min > base.max(),
                (None, Some(max)) => max < base.min(),
                _ => false,
            };
            if crosses {
                return Err(Failure::Usage(format!(
                    "{}: the config's bounds are {base}; give both --min and --max",
                    target.1
                )));
            }
        }
        let over = Override {
            min,
            max,
            before: standing.map_or(held, |lease| lease.what.before),
        };
        let looked = scene.looked.get(&target.0);
        let refused = looked.zip(base).and_then(|(looked, base)| {
            unscalable(&target.1, over.on(base.bounds), &looked.observed)
        });
        if let Some(why) = refused {
            let (id, why) = (&target.1, unscalable_text(&why));
            return Err(Failure::world(format!("{id}: {why}")));
        }
        let lease = Lease {
            what: over,
            by: terms.by.clone(),
            reason: terms.reason.clone(),
            since: scene.now,
            until: terms.until,
        };
        scene.require_readable(&target, MarkerKind::Override)?;
        wanted.push((target, lease));
    }
    for (target, lease) in wanted {
        console.note(&format!("{}: {}", target.1, override_text(&lease)));
        let text = lease.describe();
        scene
            .mark(&target, MarkerKind::Override, &text, |leases| {
                leases.bounds = Some(lease);
            })
            .await?;
    }
    scene.enact(console).await.map(outcome)
}

/// What is asked of a target already.
fn leases_of(scene: &Scene, (scope, id): &(ScopeName, TargetId)) -> Leases {
    let looked = scene.looked.get(scope);
    let leases = looked.and_then(|looked| looked.observed.leases(id));
    leases.cloned().unwrap_or_default()
}

/// The bounds and the suspension of a registration; what is not registered can not be held.
fn registered(
    scene: &Scene,
    (scope, id): &(ScopeName, TargetId),
) -> Result<(Bounds, crate::domain::Suspension), Failure> {
    let looked = scene.looked.get(scope);
    let held = looked.and_then(|looked| looked.observed.targets.get(id));
    let held = held.ok_or_else(|| {
        Failure::world(format!(
            "{id} is not registered, so nothing scales it; `evenkeel plan` says why"
        ))
    })?;
    let bounds = Bounds::new(held.min, held.max).unwrap_or_else(BoundsError::swapped);
    Ok((bounds, held.suspended))
}

/// Ends what was asked for before its time. It works by setting the end to now: a crash in between leaves what
/// is over, and the daemon ends it.
pub(super) async fn release(
    common: &Common,
    target: &str,
    console: Console,
) -> Result<u8, Failure> {
    let mut scene = Scene::of(common, target, console).await?;
    let asked: Vec<((ScopeName, TargetId), Leases)> = scene
        .looked
        .iter()
        .flat_map(|(name, scope)| {
            let leases = scope.observed.markers.leases.iter();
            let only = scope.fleet.only.clone();
            let meant = leases.filter(move |(id, _)| only.as_ref().is_none_or(|o| id.matches(o)));
            meant.map(move |(id, leases)| ((name.clone(), id.clone()), leases.clone()))
        })
        .collect();
    if asked.is_empty() {
        console.note(&format!("{target}: nothing is held or overridden"));
        return Ok(FAILED);
    }
    for (target, leases) in asked {
        if let Some(lease) = leases.hold {
            let lease = lease.ended(scene.now);
            console.note(&format!("{}: releasing the hold by {}", target.1, lease.by));
            let text = lease.describe();
            scene
                .mark(&target, MarkerKind::Hold, &text, |leases| {
                    leases.hold = Some(lease);
                })
                .await?;
        }
        if let Some(lease) = leases.bounds {
            let lease = lease.ended(scene.now);
            console.note(&format!(
                "{}: releasing the override by {}",
                target.1, lease.by
            ));
            let text = lease.describe();
            scene
                .mark(&target, MarkerKind::Override, &text, |leases| {
                    leases.bounds = Some(lease);
                })
                .await?;
        }
    }
    scene.enact(console).await.map(outcome)
}
