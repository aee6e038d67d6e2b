//! Signs of life for the service manager: ready after the first complete look at AWS, alive while every loop ticks.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::board::Board;
use crate::domain::FleetSnapshot;
use crate::ports::{Heartbeats, ServiceManager, Sign};

/// How the fleet stands, in a line.
pub type StatusLine = Arc<dyn Fn(&FleetSnapshot) -> String + Send + Sync>;

/// Tells until stopped. What it goes by are the loops' own heartbeats: a timer that is alive says nothing of them.
pub async fn tell_signs(
    manager: Arc<dyn ServiceManager>,
    board: Arc<Board>,
    heartbeats: Arc<Heartbeats>,
    line: StatusLine,
    every: Duration,
    stop: CancellationToken,
) {
    let (mut is_ready, mut told) = (false, String::new());
    loop {
        let fleet = board.current();
        if heartbeats.silent().is_empty() {
            manager.tell(&Sign::Alive);
        }
        let status = line(&fleet);
        if status != told {
            manager.tell(&Sign::Status(status.clone()));
            told = status;
        }
        if !is_ready && fleet.is_ready() {
            is_ready = true;
            manager.tell(&Sign::Ready);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use chrono::DateTime;

    use super::*;
    use crate::domain::{Mode, ScopeName};

    #[derive(Debug, Default)]
    struct Manager(Mutex<Vec<Sign>>);

    impl ServiceManager for Manager {
        fn tell(&self, sign: &Sign) {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(sign.clone());
        }
    }

    impl Manager {
        fn count(&self, sign: &Sign) -> usize {
            self.0.lock().unwrap().iter().filter(|s| *s == sign).count()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ready_after_the_first_look_and_alive_while_every_loop_ticks() {
        let scope: ScopeName = "prod".parse().unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let board = Arc::new(Board::new(now, Mode::Enforce, [scope.clone()]));
        let heartbeats = Arc::new(Heartbeats::default());
        let manager = Arc::new(Manager::default());
        let stop = CancellationToken::new();
        let line: StatusLine = Arc::new(|fleet| format!("ready: {}", fleet.is_ready()));
        let signs = tell_signs(
            manager.clone(),
            Arc::clone(&board),
            Arc::clone(&heartbeats),
            line,
            Duration::from_secs(10),
            stop.clone(),
        );
        let script = async {
            heartbeats.beat("reconcile prod", Duration::from_mins(2));
            tokio::time::sleep(Duration::from_secs(65)).await;
            assert_eq!(manager.count(&Sign::Ready), 0);
            assert_eq!(manager.count(&Sign::Alive), 7);
            board.update_scope(&scope, |held| held.observed_once = true);
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert_eq!(manager.count(&Sign::Ready), 1);
            assert_eq!(manager.count(&Sign::Status("ready: true".to_owned())), 1);
            // The loop hangs: two minutes after its last tick there are no more signs of life.
            tokio::time::sleep(Duration::from_mins(5)).await;
            let last = manager.count(&Sign::Alive);
            assert_eq!(last, 13);
            heartbeats.beat("reconcile prod", Duration::from_mins(2));
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert_eq!(manager.count(&Sign::Alive), last + 3);
            stop.cancel();
        };
        tokio::join!(signs, script);
    }
}
