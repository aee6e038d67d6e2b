//! `hold`, `override` and `release`: what a person asks of targets for a while.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::apply::execute_scope;
use super::clock::clock_for;
use super::connect::load_config;
use super::console::Console;
use super::failure::{FAILED, Failure};
use super::inspect::{Looked, look, warn_of_gaps};
use super::update::confirmed;
use crate::cli::{Asked, Common, HoldOptions, Output, OverrideOptions, ReleaseOptions};
use crate::config::Config;
use crate::domain::{
    Bounds, BoundsError, Capacity, Change, Effect, EndpointStatus, Glob, Hold, Lease, Leases,
    MarkerKind, Mode, Note, Observation, Override, Part, Safety, ScopeName, TargetId, TargetPlan,
    Verdict, lease_marker, plan, unscalable,
};
use crate::view::{effect_text, hold_text, note_text, override_text, unscalable_text, wait_text};

/// The longest time that can be asked for: what is to last belongs into the config.
const LONGEST: TimeDelta = TimeDelta::days(30);

/// Whoever looks at the target sees it, in one line.
const LONGEST_REASON: usize = 300;

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
    /// What something is asked of.
    asked: BTreeSet<TargetId>,
    /// Markers to put, by scope.
    pending: Vec<(ScopeName, String, String)>,
}

impl Scene {
    /// Looks at the targets that `target` means.
    async fn of(common: &Common, target: &str, console: Console) -> Result<Self, Failure> {
        let scene = Self::of_any_mode(common, target, console).await?;
        if scene.config.daemon.mode == Mode::Observe {
            return Err(Failure::world(
                "the config says `mode: observe`: evenkeel would not end what is asked for, so it is not begun",
            ));
        }
        Ok(scene)
    }

    /// The same where nothing begins, whatever the mode.
    async fn of_any_mode(common: &Common, target: &str, console: Console) -> Result<Self, Failure> {
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
            pending: Vec::new(),
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
                "{glob}: no declared target matches; name an endpoint, a resource id, or the inference component itself"
            )));
        }
        Ok(meant)
    }

    /// What is asked of targets that are meant, declared or not.
    fn held(&self) -> Vec<((ScopeName, TargetId), Leases)> {
        let of_scope = |(name, scope): (&ScopeName, &Looked)| {
            let only = scope.fleet.only.clone();
            let leases = scope.observed.markers.leases.iter();
            let meant = leases.filter(|(id, _)| only.as_ref().is_none_or(|o| id.matches(o)));
            let own = meant.map(|(id, leases)| ((name.clone(), id.clone()), leases.clone()));
            own.collect::<Vec<_>>()
        };
        self.looked.iter().flat_map(of_scope).collect()
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

    /// Plans a marker, as if it had been put and read.
    fn want(
        &mut self,
        target: &(ScopeName, TargetId),
        kind: MarkerKind,
        description: String,
        change: impl FnOnce(&mut Leases),
    ) -> Result<(), Failure> {
        self.require_readable(target, kind)?;
        let (scope, id) = target;
        let Some(looked) = self.looked.get_mut(scope) else {
            return Ok(());
        };
        self.asked.insert(id.clone());
        let name = lease_marker(&looked.fleet.manage.owner, kind, id);
        self.pending.push((scope.clone(), name, description));
        let markers = &mut looked.observed.markers;
        change(markers.leases.entry(id.clone()).or_default());
        Ok(())
    }

    /// Does what is asked for to registrations now, and nothing else. Capacity that goes away at once has to be agreed
    /// to. Returns whether all of it worked.
    async fn enact(mut self, yes: bool, console: Console) -> Result<bool, Failure> {
        let mut shrinks = false;
        for scope in self.looked.values_mut() {
            scope.plan = plan(&scope.fleet, &scope.observed, self.now);
            for entry in &mut scope.plan.targets {
                let wanted = self.asked.contains(&entry.id);
                entry
                    .actions
                    .retain(|action| wanted && is_asked(&action.change));
                for effect in entry.actions.iter().flat_map(|action| &action.effects) {
                    console.note(&format!("{}: {}", entry.id, effect_text(effect)));
                    shrinks |= matches!(effect, Effect::CapacityClamped { from, to } if to < from);
                }
            }
        }
        if shrinks && !confirmed(yes, "Take that capacity away?", console)? {
            return Ok(false);
        }
        for (scope, name, description) in &self.pending {
            if let Some(looked) = self.looked.get(scope) {
                let put = looked.ports.alarms.put_marker(name, description).await;
                put.map_err(|error| Failure::World(error.into()))?;
            }
        }
        let mut fine = true;
        for (name, scope) in &self.looked {
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

/// Of a plan, what a hold, an override or its end is about.
fn is_asked(change: &Change) -> bool {
    matches!(
        change,
        Change::Register {
            previous: Some(_),
            ..
        } | Change::EndLease { .. }
    )
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
    } else if let Some(status) = busy_with_bounds(id, observed) {
        // A hold begins and ends at once; bounds wait.
        console.note(&format!(
            "{id}: its bounds change when they can: its endpoint is {status}; left alone until it is InService"
        ));
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

/// The status of an endpoint that keeps an override from beginning or ending.
fn busy_with_bounds<'a>(id: &TargetId, observed: &'a Observation) -> Option<&'a EndpointStatus> {
    let is_about_bounds = observed.leases(id).is_some_and(|l| l.bounds.is_some());
    let endpoint = observed.endpoints.get(observed.endpoint_of(id)?)?;
    let busy = Some(&endpoint.status).filter(|s| **s != EndpointStatus::InService);
    busy.filter(|_| is_about_bounds)
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
    if span <= TimeDelta::zero() {
        let until = until.format("%Y-%m-%d %H:%M UTC");
        return Err(Failure::Usage(format!("{until} is in the past")));
    }
    if asked.reason.chars().count() > LONGEST_REASON {
        return Err(Failure::Usage(format!(
            "--reason: say it in at most {LONGEST_REASON} characters"
        )));
    }
    if span > LONGEST {
        return Err(Failure::Usage(format!(
            "{} is not within the next 30 days; what is to last longer belongs into the config",
            until.format("%Y-%m-%d %H:%M UTC")
        )));
    }
    Ok(Terms {
        by: person(asked.by.as_deref()),
        reason: asked
            .reason
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
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
        let standing = standing.filter(|old| old.holds(scene.now));
        if let Some(old) = &standing {
            // Less than what someone holds is a release of it, and has to be seen as one.
            let narrower = (old.what.scale_in && !hold.scale_in)
                || (old.what.scale_out && !hold.scale_out)
                || old.until > terms.until;
            let (id, text) = (&target.1, hold_text(old));
            if narrower {
                return Err(Failure::world(format!(
                    "{id}: {text}, which is more than this; release it first"
                )));
            }
            console.note(&format!("{id}: takes the place of: {text}"));
        }
        let lease = Lease {
            what: hold,
            by: terms.by.clone(),
            reason: terms.reason.clone(),
            since: scene.now,
            until: terms.until,
        };
        wanted.push((target, lease));
    }
    // Nothing is asked of any of them before all of them can take it.
    for (target, lease) in wanted {
        console.note(&format!("{}: {}", target.1, hold_text(&lease)));
        scene.want(&target, MarkerKind::Hold, lease.describe(), |leases| {
            leases.hold = Some(lease);
        })?;
    }
    scene.enact(true, console).await.map(outcome)
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
        if let Some(old) = standing.as_ref().filter(|old| old.holds(scene.now)) {
            let loses = (old.what.min.is_some() && min.is_none())
                || (old.what.max.is_some() && max.is_none());
            let (id, text) = (&target.1, override_text(old));
            if loses {
                return Err(Failure::world(format!(
                    "{id}: {text}, and that would end; give both --min and --max, or release it first"
                )));
            }
            console.note(&format!("{id}: takes the place of: {text}"));
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
        wanted.push((target, lease));
    }
    // Nothing is asked of any of them before all of them can take it.
    for (target, lease) in wanted {
        console.note(&format!("{}: {}", target.1, override_text(&lease)));
        scene.want(&target, MarkerKind::Override, lease.describe(), |leases| {
            leases.bounds = Some(lease);
        })?;
    }
    scene.enact(options.yes, console).await.map(outcome)
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
    let gap = looked.and_then(|looked| looked.observed.gap(&Part::Targets));
    if let (None, Some(gap)) = (held, gap) {
        return Err(Failure::world(format!(
            "whether {id} is registered could not be read: {}",
            gap.why
        )));
    }
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
    options: &ReleaseOptions,
    console: Console,
) -> Result<u8, Failure> {
    let mut scene = Scene::of_any_mode(common, &options.subject, console).await?;
    let both = !options.hold && !options.bounds;
    let mut any = false;
    for (target, leases) in scene.held() {
        let hold = leases.hold.filter(|_| both || options.hold);
        let bounds = leases.bounds.filter(|_| both || options.bounds);
        any |= hold.is_some() || bounds.is_some();
        if let Some(lease) = hold {
            console.note(&format!("{}: ends: {}", target.1, hold_text(&lease)));
            let lease = lease.ended(scene.now);
            scene.want(&target, MarkerKind::Hold, lease.describe(), |leases| {
                leases.hold = Some(lease);
            })?;
        }
        if let Some(lease) = bounds {
            console.note(&format!("{}: ends: {}", target.1, override_text(&lease)));
            let lease = lease.ended(scene.now);
            scene.want(&target, MarkerKind::Override, lease.describe(), |leases| {
                leases.bounds = Some(lease);
            })?;
        }
    }
    if !any {
        let what = match (options.hold, options.bounds) {
            (true, false) => "held",
            (false, true) => "overridden",
            _ => "held or overridden",
        };
        console.note(&format!("{}: nothing is {what}", options.subject));
        return Ok(FAILED);
    }
    scene.enact(options.yes, console).await.map(outcome)
}
