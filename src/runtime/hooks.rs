//! Tells webhooks of alerts: each message once, in order, tried again until it is taken.
//!
//! Each receiver has a queue of its own, so one that hangs holds up no other. A message that waits too long behind a
//! receiver that is down is still sent: what was wrong at night is to be known in the morning.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::board::Board;
use super::drive::{Again, Task};
use crate::domain::{Notice, Notices, PassReason, Told};
use crate::ports::{AlertMemory, Clock, Event, EventSink, PostFault, Poster, Webhook};

/// A message in the form that a receiver takes.
pub type RenderNotice = Arc<dyn Fn(&Webhook, &Notice) -> String + Send + Sync>;

const INTERVAL: Duration = Duration::from_secs(15);
/// Messages that wait for a receiver at the most; the oldest go first.
const MOST_WAITING: usize = 1000;
/// Messages that are sent to a receiver at one time, so that the others have their turn.
const MOST_AT_ONCE: usize = 20;
/// The longest wait between two attempts.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(5);

/// One receiver.
#[derive(Debug, Default)]
struct Receiver {
    notices: Notices,
    waiting: VecDeque<Notice>,
    failures: u32,
    retry_at: Option<DateTime<Utc>>,
}

/// Tells webhooks.
pub struct Hooks {
    clock: Arc<dyn Clock>,
    events: Arc<dyn EventSink>,
    board: Arc<Board>,
    settings: watch::Receiver<Arc<Settings>>,
    poster: Arc<dyn Poster>,
    render: RenderNotice,
    memory: Arc<dyn AlertMemory>,
    receivers: BTreeMap<String, Receiver>,
    /// What receivers were told by another process.
    before: BTreeMap<String, Told>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("receivers", &self.receivers)
            .finish_non_exhaustive()
    }
}

impl Hooks {
    /// Goes on where `memory` says that another process ended.
    #[must_use]
    pub fn new(
        clock: Arc<dyn Clock>,
        events: Arc<dyn EventSink>,
        board: Arc<Board>,
        settings: watch::Receiver<Arc<Settings>>,
        poster: Arc<dyn Poster>,
        render: RenderNotice,
        memory: Arc<dyn AlertMemory>,
    ) -> Self {
        let before = memory.told();
        Self {
            clock,
            events,
            board,
            settings,
            poster,
            render,
            memory,
            receivers: BTreeMap::new(),
            before,
        }
    }

    /// Looks what there is to tell, and tells it as far as it is taken.
    pub async fn tell(&mut self) {
        let settings = Arc::clone(&self.settings.borrow());
        let now = self.clock.now();
        let named = |name: &String| settings.webhooks.iter().any(|hook| hook.name == *name);
        self.receivers.retain(|name, _| named(name));
        let fleet = self.board.current();
        let mut is_news = false;
        for hook in &settings.webhooks {
            let before = &mut self.before;
            let receiver = self
                .receivers
                .entry(hook.name.clone())
                .or_insert_with(|| Receiver {
                    notices: Notices::after(before.remove(&hook.name).unwrap_or_default()),
                    ..Receiver::default()
                });
            let fresh = receiver
                .notices
                .step(&fleet, hook.grouping, hook.least, now);
            is_news |= !fresh.is_empty();
            receiver.waiting.extend(fresh);
            while receiver.waiting.len() > MOST_WAITING {
                if let Some(dropped) = receiver.waiting.pop_front() {
                    self.events.emit(&Event::Dropped {
                        receiver: &hook.name,
                        what: dropped.group.kind.name(),
                        why: "too many wait",
                    });
                }
            }
        }
        self.send(&settings.webhooks, now).await;
        if is_news {
            self.keep();
        }
    }

    /// Keeps what was told. What still waits was not: another process is to tell it.
    fn keep(&self) {
        let told = self.receivers.iter().map(|(name, receiver)| {
            let mut told = receiver.notices.told().clone();
            for notice in &receiver.waiting {
                let lines = told.entry(notice.group.clone()).or_default();
                lines.retain(|subject, _| !notice.started.iter().any(|l| l.subject == *subject));
                lines.extend(
                    notice
                        .ended
                        .iter()
                        .map(|line| (line.subject.clone(), line.clone())),
                );
            }
            told.retain(|_, lines| !lines.is_empty());
            (name.clone(), told)
        });
        self.memory.keep_told(&told.collect());
    }

    async fn send(&mut self, hooks: &[Webhook], now: DateTime<Utc>) {
        let mut posts = JoinSet::new();
        for hook in hooks {
            let Some(receiver) = self.receivers.get(&hook.name) else {
                continue;
            };
            // A clock that was wrong may have set it far ahead.
            let waits =
                |at: DateTime<Utc>| now < at && at.signed_duration_since(now) <= LONGEST_WAIT;
            if receiver.waiting.is_empty() || receiver.retry_at.is_some_and(waits) {
                continue;
            }
            let waiting = receiver.waiting.iter().take(MOST_AT_ONCE);
            let bodies: Vec<String> = waiting.map(|notice| (self.render)(hook, notice)).collect();
            let (poster, hook) = (Arc::clone(&self.poster), hook.clone());
            posts.spawn(async move {
                let (taken, fault) = post(&*poster, &hook, bodies).await;
                (hook.name, taken, fault)
            });
        }
        let mut sent = false;
        while let Some(posted) = posts.join_next().await {
            if let Ok((name, taken, fault)) = posted {
                sent |= taken > 0;
                self.note(&name, taken, fault, now);
            }
        }
        if sent {
            self.keep();
        }
    }

    /// Notes how many messages were taken, and what became of the next one.
    fn note(&mut self, name: &str, taken: usize, fault: Option<PostFault>, now: DateTime<Utc>) {
        let Some(receiver) = self.receivers.get_mut(name) else {
            return;
        };
        receiver.waiting.drain(..taken.min(receiver.waiting.len()));
        let failed_before = receiver.failures > 0;
        for _ in 0..taken {
            self.events.emit(&Event::Sent {
                receiver: name,
                problem: None,
                is_news: failed_before && receiver.failures > 0,
            });
            receiver.failures = 0;
            receiver.retry_at = None;
        }
        let Some(fault) = fault else { return };
        self.events.emit(&Event::Sent {
            receiver: name,
            problem: Some(&fault.text),
            is_news: receiver.failures == 0,
        });
        receiver.failures = receiver.failures.saturating_add(1);
        if fault.is_final {
            // It would be refused again, and the ones behind it may not be.
            if let Some(dropped) = receiver.waiting.pop_front() {
                self.events.emit(&Event::Dropped {
                    receiver: name,
                    what: dropped.group.kind.name(),
                    why: &fault.text,
                });
            }
            return;
        }
        let factor = 1_i32.checked_shl(receiver.failures.min(5)).unwrap_or(1);
        let wait = (TimeDelta::seconds(7) * factor).min(LONGEST_WAIT);
        receiver.retry_at = now.checked_add_signed(wait);
    }
}

/// Posts until one is not taken; says how many were.
async fn post(
    poster: &dyn Poster,
    hook: &Webhook,
    bodies: Vec<String>,
) -> (usize, Option<PostFault>) {
    let mut taken = 0;
    for body in bodies {
        match poster
            .post(hook.url.reveal(), hook.token.as_ref(), body)
            .await
        {
            Ok(()) => taken += 1,
            Err(fault) => return (taken, Some(fault)),
        }
    }
    (taken, None)
}

#[async_trait]
impl Task for Hooks {
    fn name(&self) -> String {
        "webhooks".to_owned()
    }

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn activate(&mut self, _reason: PassReason, stop: &CancellationToken) -> Option<Again> {
        tokio::select! {
            () = self.tell() => {}
            () = stop.cancelled() => {}
        }
        None
    }
}
