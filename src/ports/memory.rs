//! What outlives the process, beside what AWS keeps: only that nobody is told the same twice.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::domain::{Remembered, ScopeName, Told};

/// Keeps what fires, and who was told of it.
pub trait AlertMemory: Debug + Send + Sync {
    /// What fired when another process ended, by scope.
    fn alerts(&self) -> BTreeMap<ScopeName, Vec<Remembered>>;

    /// Keeps what fires. A failure is told by whoever keeps, and costs nothing but a message that comes twice.
    fn keep_alerts(&self, alerts: &BTreeMap<ScopeName, Vec<Remembered>>);

    /// What each receiver was told.
    fn told(&self) -> BTreeMap<String, Told>;

    /// Keeps what each receiver was told.
    fn keep_told(&self, told: &BTreeMap<String, Told>);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMemory;

impl AlertMemory for NoMemory {
    fn alerts(&self) -> BTreeMap<ScopeName, Vec<Remembered>> {
        BTreeMap::new()
    }

    fn keep_alerts(&self, _alerts: &BTreeMap<ScopeName, Vec<Remembered>>) {}

    fn told(&self) -> BTreeMap<String, Told> {
        BTreeMap::new()
    }

    fn keep_told(&self, _told: &BTreeMap<String, Told>) {}
}
