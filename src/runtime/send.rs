//! Sends alerts to every Alertmanager, again and again while they fire.
//!
//! Nothing is queued: what is sent follows from the snapshot, so whoever was down for an hour is told what fires now,
//! and several receivers do not wait for one another.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::board::Board;
use super::drive::{Again, Task};
use crate::domain::{FleetSnapshot, PassReason};
use crate::ports::{Clock, Event, EventSink, Poster};

/// What fires in a snapshot at an instant, as a receiver takes it, by what identifies it.
pub type Render = Arc<dyn Fn(&FleetSnapshot, DateTime<Utc>) -> Firing + Send + Sync>;

type Firing = BTreeMap<String, Value>;

/// How often what fires is sent again: Alertmanager takes an alert for over after 5 minutes of silence.
const INTERVAL: Duration = Duration::from_secs(15);

/// So often the end of an alert is sent: each receiver has its chance to hear of it.
const ENDS_SENT: u32 = 20;

/// Where Alertmanager takes alerts.
pub const ALERTMANAGER_PATH: &str = "/api/v2/alerts";

/// Sends alerts.
pub struct Sender {
    clock: Arc<dyn Clock>,
    events: Arc<dyn EventSink>,
    board: Arc<Board>,
    settings: watch::Receiver<Arc<Settings>>,
    poster: Arc<dyn Poster>,
    render: Render,
    /// What fired the last time.
    firing: Firing,
    /// What is over, and how often that is still to be sent.
    over: BTreeMap<String, (Value, u32)>,
    /// Receivers that failed the last time, and why: a failure is told once, not every 15 seconds.
    failing: BTreeMap<String, String>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("failing", &self.failing)
            .finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender of what is on the board.
    #[must_use]
    pub fn new(
        clock: Arc<dyn Clock>,
        events: Arc<dyn EventSink>,
        board: Arc<Board>,
        settings: watch::Receiver<Arc<Settings>>,
        poster: Arc<dyn Poster>,
        render: Render,
    ) -> Self {
        Self {
            clock,
            events,
            board,
            settings,
            poster,
            render,
            firing: Firing::new(),
            over: BTreeMap::new(),
            failing: BTreeMap::new(),
        }
    }

    /// What fires, and what has ended since it was sent; `None` when there is nothing to say.
    fn body(&mut self) -> Option<String> {
        let now = self.clock.now();
        let firing = (self.render)(&self.board.current(), now);
        for (id, mut alert) in std::mem::replace(&mut self.firing, firing.clone()) {
            if !firing.contains_key(&id) {
                if let Some(map) = alert.as_object_mut() {
                    let end = now.to_rfc3339_opts(SecondsFormat::Millis, true);
                    map.insert("endsAt".to_owned(), json!(end));
                }
                self.over.insert(id, (alert, ENDS_SENT));
            }
        }
        self.over
            .retain(|id, (_, left)| *left > 0 && !firing.contains_key(id));
        let ended = self.over.values_mut().map(|(alert, left)| {
            *left -= 1;
            alert.clone()
        });
        let all: Vec<Value> = firing.into_values().chain(ended).collect();
        (!all.is_empty()).then(|| Value::Array(all).to_string())
    }

    /// Sends once to every receiver.
    pub async fn send(&mut self) {
        let receivers = self.settings.borrow().alertmanagers.clone();
        self.failing.retain(|url, _| receivers.contains(url));
        let Some(body) = self.body() else {
            return;
        };
        let mut posts = JoinSet::new();
        for receiver in receivers {
            let (poster, body) = (Arc::clone(&self.poster), body.clone());
            posts.spawn(async move {
                let url = format!("{}{ALERTMANAGER_PATH}", receiver.trim_end_matches('/'));
                let outcome = poster.post(&url, None, body).await;
                (receiver, outcome)
            });
        }
        while let Some(posted) = posts.join_next().await {
            let Ok((receiver, outcome)) = posted else {
                continue;
            };
            let problem = outcome.err().map(|fault| fault.text);
            let before = match &problem {
                Some(problem) => self.failing.insert(receiver.clone(), problem.clone()),
                None => self.failing.remove(&receiver),
            };
            self.events.emit(&Event::Sent {
                receiver: &receiver,
                problem: problem.as_deref(),
                is_news: before.is_some() != problem.is_some(),
            });
        }
    }
}

#[async_trait]
impl Task for Sender {
    fn name(&self) -> String {
        "send alerts".to_owned()
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn activate(&mut self, _reason: PassReason, stop: &CancellationToken) -> Option<Again> {
        tokio::select! {
            () = self.send() => {}
            () = stop.cancelled() => {}
        }
        None
    }
}
