//! The world: everything that exists, and how time passes in it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::alarm::{Signal, View};
use super::alarms::{Alarms, Wish};
use super::chance::{Chance, Purpose};
use super::change::{Change, Finished};
use super::component::Components;
use super::faults::Fault;
use super::fleet::Fleet;
use super::meter::Publishing;
use super::options::{Options, SpanRange};
use super::scaling::Scaling;
use super::scheduled::Run;
use super::series::Metrics;
use super::time::{Instant, Span};

/// Something that will happen at an instant already known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// A change of an endpoint ends.
    ChangeEnds { endpoint: usize, number: u64 },
    /// A change of an inference component ends.
    CopiesChanged { component: usize, number: u64 },
    /// Instances that host no copy may have been idle for long enough.
    IdleRelease { endpoint: usize },
    /// A scheduled action comes due.
    ActionDue(Run),
    /// A scheduled action that has come due runs.
    ActionRuns(Run),
    /// An alarm's signal reaches Application Auto Scaling.
    SignalArrives {
        alarm: usize,
        policy: usize,
        signal: Signal,
    },
}

/// An event in the queue, ordered by time and then by when it was scheduled.
#[derive(Debug)]
struct Scheduled {
    at: Instant,
    order: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// One account and region of a simulated AWS.
///
/// It has no clock: whoever holds it moves it with [`World::advance`]. Two worlds with one seed that are moved and
/// called alike are alike.
#[derive(Debug)]
pub struct World {
    pub(crate) options: Options,
    pub(crate) chance: Chance,
    pub(crate) now: Instant,
    /// The first instant of this world.
    origin: Instant,
    pub(crate) fleet: Fleet,
    pub(crate) components: Components,
    /// Instance types that AWS has none of.
    pub(crate) shortages: BTreeSet<String>,
    /// Answers that were ordered in advance.
    pub(crate) faults: Vec<Fault>,
    pub(crate) metrics: Metrics,
    pub(crate) alarms: Alarms,
    pub(crate) scaling: Scaling,
    queue: BinaryHeap<Reverse<Scheduled>>,
    next_order: u64,
    next_minute: Instant,
    next_fast: Instant,
    next_identity: u64,
}

/// Minutes between two rounds of forgetting old data.
const HOUSEKEEPING: i64 = 60;

impl World {
    /// An empty account at `now`.
    #[must_use]
    pub fn new(options: Options, seed: u64, now: Instant) -> Self {
        let mut world = Self {
            options,
            chance: Chance::new(seed),
            now,
            origin: now,
            fleet: Fleet::default(),
            components: Components::default(),
            shortages: BTreeSet::new(),
            faults: Vec::new(),
            metrics: Metrics::default(),
            alarms: Alarms::default(),
            scaling: Scaling::default(),
            queue: BinaryHeap::new(),
            next_order: 0,
            next_minute: now,
            next_fast: now,
            next_identity: 0,
        };
        world.next_minute = Instant::of_minute(now.minute() + 1);
        world.next_fast = now.floor(FAST_GRID) + FAST_GRID;
        world
    }

    /// The instant this world has reached.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The region that ARNs name.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.options.region
    }

    /// The first instant of this world, from which bursts and traces are counted.
    #[must_use]
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// The assumptions this world is made of.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Lets time pass up to `to`. Going back is not possible and does nothing.
    pub fn advance(&mut self, to: Instant) {
        loop {
            let tick = if self.alarms.has_fast() {
                self.next_minute.min(self.next_fast)
            } else {
                self.next_minute
            };
            let event = self
                .queue
                .peek()
                .map_or(Instant::from_millis(i64::MAX), |e| e.0.at);
            if event.min(tick) > to {
                break;
            }
            if event <= tick {
                self.now = self.now.max(event);
                if let Some(Reverse(scheduled)) = self.queue.pop() {
                    self.handle(scheduled.event);
                }
            } else {
                self.now = tick;
                self.tick();
            }
        }
        self.now = self.now.max(to);
    }

    pub(crate) fn schedule(&mut self, after: Span, event: Event) {
        let order = self.next_order;
        self.next_order += 1;
        self.queue.push(Reverse(Scheduled {
            at: self.now + after,
            order,
            event,
        }));
    }

    fn tick(&mut self) {
        let now = self.now;
        let fast = now >= self.next_fast && self.alarms.has_fast();
        if fast {
            // Before the minute closes, whose load it is.
            let publishing = self.publishing();
            self.fleet.close_slot(now, &mut self.metrics, &publishing);
            self.components
                .close_slot(now, &mut self.metrics, &publishing);
        }
        if now >= self.next_minute {
            let publishing = self.publishing();
            self.fleet.close_minute(now, &mut self.metrics, &publishing);
            self.components
                .close_minute(now, &self.fleet, &mut self.metrics, &publishing);
            self.next_minute = now + Span::MINUTE;
            self.evaluate(false);
            self.begin_scheduled_minute();
            if now.minute().rem_euclid(HOUSEKEEPING) == 0 {
                self.forget();
            }
        }
        if now >= self.next_fast {
            self.next_fast = now.floor(FAST_GRID) + FAST_GRID;
            if fast {
                self.evaluate(true);
            }
        }
    }

    fn evaluate(&mut self, fast: bool) {
        let publishing = self.publishing();
        let view = view(&self.metrics, &publishing, &self.options, self.now);
        let wishes = self.alarms.evaluate(fast, view);
        for wish in wishes {
            self.send_signal(wish);
        }
    }

    fn send_signal(&mut self, wish: Wish) {
        let Wish {
            alarm,
            policy,
            signal,
        } = wish;
        let key = u64::try_from(alarm).unwrap_or(0);
        let at = self.now.millis().unsigned_abs();
        let delay = self.draw(Purpose::SignalDelay, key, at, self.options.signal_delay);
        self.schedule(
            delay,
            Event::SignalArrives {
                alarm,
                policy,
                signal,
            },
        );
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::ChangeEnds { endpoint, number } => {
                match self.fleet.finish(endpoint, number, self.now, self.chance) {
                    Some(Finished::InService {
                        activity: Some(activity),
                    }) => {
                        self.complete_activity(activity);
                    }
                    Some(Finished::Refused { activity }) => self.roll_back(endpoint, activity),
                    Some(
                        Finished::InService { activity: None }
                        | Finished::Failed
                        | Finished::Deleted,
                    )
                    | None => {}
                }
            }
            Event::CopiesChanged { component, number } => self.finish_copies(component, number),
            Event::IdleRelease { endpoint } => self.release_idle(endpoint),
            Event::ActionDue(run) => self.action_due(run),
            Event::ActionRuns(run) => self.run_action(run),
            Event::SignalArrives {
                alarm,
                policy,
                signal,
            } => {
                self.receive_signal(alarm, policy, signal);
            }
        }
    }

    /// Starts a change of an endpoint that will take `span`.
    pub(crate) fn start_change(&mut self, endpoint: usize, change: Change, span: Span) {
        if let Some(number) = self.fleet.start(endpoint, change, self.now) {
            self.schedule(span, Event::ChangeEnds { endpoint, number });
        }
    }

    pub(crate) fn draw(&self, purpose: Purpose, a: u64, b: u64, range: SpanRange) -> Span {
        let (low, high) = (range.low.millis(), range.high.millis());
        Span::from_millis(self.chance.between(purpose, a, b, low, high))
    }

    pub(crate) fn publishing(&self) -> Publishing {
        Publishing {
            delay: self.options.publish_delay,
            fast_delay: self.options.fast_publish_delay,
            provisioned_most: self.options.provisioned_utilization_most,
            idle_zeros: self.options.idle_publishes_zeros,
            chance: self.chance,
        }
    }

    /// A fresh id in the form of a UUID.
    pub(crate) fn new_uuid(&mut self) -> String {
        let number = self.next_identity;
        self.next_identity += 1;
        self.uuid(Purpose::Identity, number)
    }

    /// The id of an activity.
    pub(crate) fn activity_id(&self, number: u64) -> String {
        self.uuid(Purpose::ActivityIdentity, number)
    }

    fn uuid(&self, purpose: Purpose, number: u64) -> String {
        let a = self.chance.hash(purpose, number, 0);
        let b = self.chance.hash(purpose, number, 1);
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xFFFF,
            a & 0xFFF,
            0x8000 | ((b >> 48) & 0x3FFF),
            b & 0xFFFF_FFFF_FFFF
        )
    }

    fn forget(&mut self) {
        let options = &self.options;
        self.metrics
            .forget_before(self.now - options.metric_retention);
        let oldest = self.now - options.activity_retention;
        self.scaling.activities.trim(oldest, options.activity_limit);
        self.alarms.trim_history(options.history_limit);
        self.purge_actions();
    }
}

/// What an evaluation at `now` sees.
pub(crate) fn view<'a>(
    metrics: &'a Metrics,
    publishing: &'a Publishing,
    options: &Options,
    now: Instant,
) -> View<'a> {
    View {
        metrics,
        publishing,
        now,
        extra_range: options.extra_evaluation_range,
        lag: options.evaluation_lag,
        fast_lag: options.fast_evaluation_lag,
    }
}

/// The grid on which alarms with periods below a minute are evaluated.
const FAST_GRID: Span = Span::from_secs(10);
