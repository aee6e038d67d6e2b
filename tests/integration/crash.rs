//! Kill it between any two writes: the next start ends where an uninterrupted one would have.

use std::sync::atomic::Ordering;
use std::time::Duration;

use evenkeel::domain::PassOutcome;
use evenkeel::sim::engine::Options;
use evenkeel::sim::engine::Span;

use crate::world::{THREE, THREE_CONFIG, World};

/// Bounds and policies of one endpoint.
type Held = (Option<(u32, u32)>, Vec<(String, f64)>);

fn state(world: &World) -> Vec<Held> {
    ["chat", "embed", "rank"]
        .map(|e| (world.bounds(e), world.policies(e)))
        .to_vec()
}

#[tokio::test(start_paused = true)]
async fn a_pass_killed_between_any_two_writes_is_finished_by_the_next() {
    let whole = World::new(THREE, THREE_CONFIG);
    assert_eq!(whole.pass().await.outcome, PassOutcome::Changed);
    let writes = whole.faults.writes.load(Ordering::SeqCst);
    assert_eq!(writes, 6);
    for kill_after in 0..writes {
        let world = World::new(THREE, THREE_CONFIG);
        world.faults.die_after(Some(kill_after));
        let killed = tokio::time::timeout(Duration::from_mins(1), world.pass()).await;
        assert!(killed.is_err(), "the process died");
        assert_eq!(world.faults.writes.load(Ordering::SeqCst), kill_after);
        world.faults.die_after(None);
        let next = world.pass().await;
        assert_eq!(
            next.done,
            writes - kill_after,
            "no write twice after {kill_after}"
        );
        assert_eq!(world.pass().await.outcome, PassOutcome::Converged);
        assert_eq!(state(&world), state(&whole), "killed after {kill_after}");
    }
}

/// The same in the middle of mending: a change of config that touches everything.
#[tokio::test(start_paused = true)]
async fn a_change_of_config_killed_between_any_two_writes_is_finished_by_the_next() {
    let changed = THREE_CONFIG
        .replace("target: 300", "target: 200")
        .replace("max: 10", "max: 12");
    let whole = World::new(THREE, THREE_CONFIG);
    whole.pass().await;
    whole.reload(&changed);
    whole.pass().await;
    for kill_after in 0..5 {
        let world = World::new(THREE, THREE_CONFIG);
        world.pass().await;
        world.reload(&changed);
        let before = world.faults.writes.load(Ordering::SeqCst);
        world.faults.die_after(Some(before + kill_after));
        assert!(
            tokio::time::timeout(Duration::from_mins(1), world.pass())
                .await
                .is_err()
        );
        world.faults.die_after(None);
        world.pass().await;
        assert_eq!(world.pass().await.outcome, PassOutcome::Converged);
        assert_eq!(state(&world), state(&whole));
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_that_is_not_visible_at_once_does_not_fail_the_pass() {
    let options = Options {
        registration_lag: Span::from_secs(3),
        ..Options::default()
    };
    let world = World::with_options(1, &options, THREE, THREE_CONFIG);
    let pass = world.pass().await;
    assert_eq!((pass.outcome, pass.failed), (PassOutcome::Changed, 0));
}
