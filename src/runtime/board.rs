//! The one place where the fleet snapshot is written.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::domain::{ConfigState, FleetSnapshot, Mode, ScopeName, ScopeSnapshot};

/// Publishes the snapshot. Readers clone the `Arc` and keep an unchanging picture.
#[derive(Debug)]
pub struct Board {
    snapshot: watch::Sender<Arc<FleetSnapshot>>,
}

impl Board {
    /// A board with nothing on it yet.
    #[must_use]
    pub fn new(
        now: DateTime<Utc>,
        mode: Mode,
        scopes: impl IntoIterator<Item = ScopeName>,
    ) -> Self {
        let scopes = scopes
            .into_iter()
            .map(|name| (name, Arc::default()))
            .collect();
        let config = ConfigState {
            loaded: now,
            problem: None,
        };
        let snapshot = FleetSnapshot {
            started: now,
            mode,
            config,
            scopes,
        };
        Self {
            snapshot: watch::Sender::new(Arc::new(snapshot)),
        }
    }

    /// Follows the snapshot.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<FleetSnapshot>> {
        self.snapshot.subscribe()
    }

    /// The snapshot of this moment.
    #[must_use]
    pub fn current(&self) -> Arc<FleetSnapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Changes the snapshot as a whole.
    pub fn update(&self, change: impl FnOnce(&mut FleetSnapshot)) {
        self.snapshot
            .send_modify(|held| change(Arc::make_mut(held)));
    }

    /// Changes what is known of one scope.
    pub fn update_scope(&self, scope: &ScopeName, change: impl FnOnce(&mut ScopeSnapshot)) {
        self.update(|fleet| {
            let held = fleet.scopes.entry(scope.clone()).or_default();
            change(Arc::make_mut(held));
        });
    }
}
