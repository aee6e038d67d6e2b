//! Capacity, bounds, and the one function that says which bounds hold at an instant.

use std::fmt;

use chrono::{DateTime, Utc};

use super::desired::DesiredTarget;
use super::lease::Leases;
use super::name::ScheduleName;

/// A number of instances, copies or provisioned concurrency units: 0 to 2^31 - 1, the API's integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capacity(u32);

impl Capacity {
    /// No capacity at all.
    pub const ZERO: Self = Self(0);

    /// Accepts what fits the API's 32-bit integer; `None` above 2147483647.
    #[must_use]
    pub fn new(units: u32) -> Option<Self> {
        i32::try_from(units).ok().map(|_| Self(units))
    }

    /// The number of units.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Minimum and maximum capacity of a target; the minimum is never above the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    min: Capacity,
    max: Capacity,
}

/// Bounds the wrong way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the minimum, {min}, is above the maximum, {max}")]
pub struct BoundsError {
    /// The rejected minimum.
    pub min: Capacity,
    /// The rejected maximum.
    pub max: Capacity,
}

impl BoundsError {
    /// The bounds the right way round.
    #[must_use]
    pub fn swapped(self) -> Bounds {
        Bounds {
            min: self.max,
            max: self.min,
        }
    }
}

impl Bounds {
    /// Accepts `min <= max`.
    ///
    /// # Errors
    /// [`BoundsError`] when the minimum is above the maximum.
    pub fn new(min: Capacity, max: Capacity) -> Result<Self, BoundsError> {
        if min <= max {
            Ok(Self { min, max })
        } else {
            Err(BoundsError { min, max })
        }
    }

    /// The lower end.
    #[must_use]
    pub fn min(self) -> Capacity {
        self.min
    }

    /// The upper end.
    #[must_use]
    pub fn max(self) -> Capacity {
        self.max
    }

    /// The capacity inside these bounds that is nearest to `capacity`.
    #[must_use]
    pub fn clamp(self, capacity: Capacity) -> Capacity {
        capacity.clamp(self.min, self.max)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.min, self.max)
    }
}

/// Why one end of the effective bounds is where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum BoundSource {
    /// The base bounds of the config; nothing else has a say at this instant.
    Base,
    /// A schedule that fired last.
    Schedule(ScheduleName),
    /// A window, while it is open.
    Window(ScheduleName),
    /// An override, while it holds.
    Override,
    /// What AWS holds: the config has no say any more.
    Held,
}

impl BoundSource {
    /// The source as a stable label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Schedule(_) => "schedule",
            Self::Window(_) => "window",
            Self::Override => "override",
            Self::Held => "held",
        }
    }
}

/// The bounds of a target at one instant, with the reason for each end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveBounds {
    /// The bounds that hold.
    pub bounds: Bounds,
    /// What set the minimum.
    pub min_source: BoundSource,
    /// What set the maximum.
    pub max_source: BoundSource,
}

impl fmt::Display for BoundSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("the config's bounds"),
            Self::Schedule(name) => write!(f, "schedule `{name}`"),
            Self::Window(name) => write!(f, "window `{name}`"),
            Self::Override => f.write_str("an override"),
            Self::Held => f.write_str("what AWS holds"),
        }
    }
}

/// The bounds that `target` should have at `now`, given what is asked of it for a while.
///
/// Base bounds, then what schedules set when they fired, the last one last; then what open windows set, the one that
/// opened last last; then an override. Of two at one instant the later one in the config wins. Where the minimum comes
/// out above the maximum, the maximum gives way.
///
/// Level-triggered: it needs no memory of what ran before, so a daemon that was down is right at once. The
/// planner and everything that shows bounds call this one function.
#[must_use]
pub fn effective_bounds(
    target: &DesiredTarget,
    leases: Option<&Leases>,
    now: DateTime<Utc>,
) -> EffectiveBounds {
    let (min, max) = scheduled_ends(target, now);
    let scheduled = crossed(min, max);
    let asked = leases.and_then(|leases| leases.bounds.as_ref());
    let Some(lease) = asked.filter(|lease| lease.holds(now)) else {
        return scheduled;
    };
    let bounds = lease.what.on(scheduled.bounds);
    let source = |is_kept: bool, source: BoundSource| {
        if is_kept {
            source
        } else {
            BoundSource::Override
        }
    };
    EffectiveBounds {
        bounds,
        min_source: source(bounds.min() == scheduled.bounds.min(), scheduled.min_source),
        max_source: source(bounds.max() == scheduled.bounds.max(), scheduled.max_source),
    }
}

/// An end of the bounds, and what set it.
pub(super) type End = (Capacity, BoundSource);

/// What base bounds, schedules and windows come to at `now`; the minimum may be above the maximum.
pub(super) fn scheduled_ends(target: &DesiredTarget, now: DateTime<Utc>) -> (End, End) {
    let mut min = (target.bounds.min(), BoundSource::Base);
    let mut max = (target.bounds.max(), BoundSource::Base);
    let mut set = |low: Option<Capacity>, high: Option<Capacity>, source: &BoundSource| {
        if let Some(low) = low {
            min = (low, source.clone());
        }
        if let Some(high) = high {
            max = (high, source.clone());
        }
    };
    let schedules = || target.schedules.iter();
    let mut fired: Vec<_> = schedules()
        .filter_map(|s| Some((s.last_fired(now)?, s)))
        .collect();
    fired.sort_by_key(|(at, _)| *at);
    for (_, schedule) in fired {
        let source = BoundSource::Schedule(schedule.name.clone());
        set(schedule.min, schedule.max, &source);
    }
    let mut open: Vec<_> = schedules()
        .filter_map(|s| Some((s.open_since(now)?.0, s)))
        .collect();
    open.sort_by_key(|(at, _)| *at);
    for (_, schedule) in open {
        let source = BoundSource::Window(schedule.name.clone());
        set(schedule.min, schedule.max, &source);
    }
    (min, max)
}

/// Both ends as bounds; where they cross, the maximum gives way: too much is safer than too little.
fn crossed(min: End, max: End) -> EffectiveBounds {
    let max = if min.0 > max.0 { min.clone() } else { max };
    EffectiveBounds {
        bounds: Bounds::new(min.0, max.0).unwrap_or_else(BoundsError::swapped),
        min_source: min.1,
        max_source: max.1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capacity(n: u32) -> Capacity {
        Capacity::new(n).unwrap()
    }

    #[test]
    fn min_above_max_can_not_exist() {
        let error = Bounds::new(capacity(3), capacity(2)).unwrap_err();
        assert_eq!(error.to_string(), "the minimum, 3, is above the maximum, 2");
        assert!(Bounds::new(capacity(2), capacity(2)).is_ok());
    }

    #[test]
    fn capacity_fits_the_api() {
        assert!(Capacity::new(u32::MAX).is_none());
        assert!(Capacity::new(i32::MAX.unsigned_abs()).is_some());
    }
}
