//! Every assumption about AWS that is not certain, as a named option with the documented default.
//!
//! The defaults are those of aws-autoscaling.md 3.9 and its register of unknowns (section 10), so that one real
//! observation can flip one of them.

use std::collections::BTreeMap;

use super::time::Span;

/// A span drawn evenly between two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanRange {
    /// Shortest.
    pub low: Span,
    /// Longest.
    pub high: Span,
}

impl SpanRange {
    /// A range in seconds.
    #[must_use]
    pub const fn secs(low: i64, high: i64) -> Self {
        Self {
            low: Span::from_secs(low),
            high: Span::from_secs(high),
        }
    }

    /// A range that holds one span only.
    #[must_use]
    pub const fn exactly(span: Span) -> Self {
        Self {
            low: span,
            high: span,
        }
    }
}

/// How the alarm of one side of target tracking is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlarmShape {
    /// Threshold as a multiple of the target value.
    pub threshold_ratio: f64,
    /// Evaluation periods; as many datapoints must breach.
    pub periods: u32,
}

/// In which order scheduled actions of one target run that come due at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleOrder {
    /// By name; the last name wins.
    ByName,
    /// By when they were first put; the youngest wins.
    ByCreation,
}

/// The assumptions of a world.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each answers one question about AWS with yes or no"
)]
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The account that ARNs name.
    pub account: String,
    /// The region that ARNs name.
    pub region: String,
    /// When a 60 s datapoint becomes visible, counted from the end of its minute: 60 s, at times up to 180 s.
    pub publish_delay: SpanRange,
    /// When a datapoint of 10 s becomes visible: 10 to 20 s after its end.
    pub fast_publish_delay: SpanRange,
    /// An alarm judges periods that ended at least so long ago, or every metric that is published with a delay
    /// would be missing its newest point at every evaluation. Unknown; the shortest publishing delay is assumed.
    pub evaluation_lag: Span,
    /// The same for periods below a minute.
    pub fast_evaluation_lag: Span,
    /// CloudWatch looks at more periods than it evaluates, to find enough data: evaluation periods plus this.
    pub extra_evaluation_range: u32,
    /// From alarm evaluation to the call to SageMaker: 2 to 10 s.
    pub signal_delay: SpanRange,
    /// A signal whose query is older than this is refused as outdated: 10 s.
    pub signal_freshness: Span,
    /// From the call to new instances in service: 420 s, 180 to 900 s; a world file sets it per endpoint.
    pub start_up: SpanRange,
    /// From the call to instances gone: 120 to 300 s.
    pub scale_in: SpanRange,
    /// From `CreateEndpoint` to `InService`.
    pub creation: SpanRange,
    /// From `DeleteEndpoint` to gone.
    pub deletion: SpanRange,
    /// The high alarm on a metric of 60 s: 3 of 3 above the target.
    pub high_alarm: AlarmShape,
    /// The low alarm on a metric of 60 s: 15 of 15 below 0.9 of the target.
    pub low_alarm: AlarmShape,
    /// The high alarm on a metric of 10 s: 3 of 3.
    pub fast_high_alarm: AlarmShape,
    /// The low alarm on a metric of 10 s: 90 of 90.
    pub fast_low_alarm: AlarmShape,
    /// Default cooldown of every policy of SageMaker targets: 300 s.
    pub default_cooldown: Span,
    /// From the second at which a scheduled action comes due to its run: 0 to 10 s.
    pub schedule_lateness: SpanRange,
    /// Which of two actions of a target that come due at one instant runs first. AWS keeps to one order and does not
    /// say which; that of their names is assumed.
    pub schedule_order: ScheduleOrder,
    /// Whether a scheduled action that finds its endpoint not scalable, and so fails, sets minimum and maximum all the
    /// same. Not documented; it is assumed to change nothing.
    pub unscalable_runs_set_bounds: bool,
    /// Whether a put of a scheduled action with one bound keeps the other one that it had before. Members that are left
    /// out keep their values; the bounds are one member, which is assumed to be replaced whole.
    pub scheduled_bounds_merge: bool,
    /// Whether the activity of an action with one bound names the other one too, as it stands. Only the text with both
    /// is documented.
    pub one_sided_texts_name_both: bool,
    /// How long actions are listed that will never run again. AWS's own examples list past ones, and a purge is not
    /// documented: for ever.
    pub expired_actions_kept: Option<Span>,
    /// After a registration, puts may answer `ObjectNotFoundException` for so long. AWS: 0 to 5 s.
    pub registration_lag: Span,
    /// After a write to a target, another one to it answers `ConcurrentUpdateException` for so long. AWS gives no
    /// figure; none is assumed.
    pub concurrent_update_window: Span,
    /// From the moment that a change found no instances to the endpoint in service as it was. Unknown; 60 s.
    pub roll_back: Span,
    /// Instances of a type that the account may have over all endpoints; types that are not listed have no limit.
    pub quotas: BTreeMap<String, u32>,
    /// The most that `ServerlessProvisionedConcurrencyUtilization` can show; infinity for no end. Unknown; as
    /// executions beyond the provisioned concurrency spill over and are counted elsewhere, 1 is assumed.
    pub provisioned_utilization_most: f64,
    /// From the call to new copies in service on instances that are there: 140 to 360 s.
    pub copy_start_up: SpanRange,
    /// What is added when they need new instances: 105 to 240 s.
    pub hosting_start_up: SpanRange,
    /// From the call to copies gone. Unknown; 30 to 90 s.
    pub copy_scale_in: SpanRange,
    /// How long instances that host no copy any more are kept: 720 s.
    pub idle_release: Span,
    /// Whether instances may be registered whose variant hosts components, and so follow their copies. AWS advises
    /// against it and documents no refusal; a refusal is assumed.
    pub hosting_variants_register: bool,
    /// Whether `DeleteInferenceComponent` deregisters the component's target, as `DeleteEndpoint` does for those of
    /// variants. Nothing is documented; it is assumed to stay.
    pub component_deletion_deregisters: bool,
    /// Whether an endpoint in service publishes zeros when no request came, as AWS documents; users also see gaps.
    pub idle_publishes_zeros: bool,
    /// How long datapoints of 60 s are kept: 15 days.
    pub metric_retention: Span,
    /// How long activities are kept: 6 weeks.
    pub activity_retention: Span,
    /// How many items of alarm history are kept in all. AWS keeps two weeks; this bounds memory at any speed.
    pub history_limit: usize,
    /// How many activities are kept in all.
    pub activity_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            publish_delay: SpanRange::secs(60, 180),
            fast_publish_delay: SpanRange::secs(10, 20),
            evaluation_lag: Span::from_secs(60),
            fast_evaluation_lag: Span::from_secs(10),
            extra_evaluation_range: 2,
            signal_delay: SpanRange::secs(2, 10),
            signal_freshness: Span::from_secs(10),
            start_up: SpanRange::secs(300, 540),
            scale_in: SpanRange::secs(120, 300),
            creation: SpanRange::secs(240, 480),
            deletion: SpanRange::secs(30, 120),
            high_alarm: AlarmShape {
                threshold_ratio: 1.0,
                periods: 3,
            },
            low_alarm: AlarmShape {
                threshold_ratio: 0.9,
                periods: 15,
            },
            fast_high_alarm: AlarmShape {
                threshold_ratio: 1.0,
                periods: 3,
            },
            fast_low_alarm: AlarmShape {
                threshold_ratio: 0.9,
                periods: 90,
            },
            default_cooldown: Span::from_secs(300),
            schedule_lateness: SpanRange::secs(0, 10),
            schedule_order: ScheduleOrder::ByName,
            unscalable_runs_set_bounds: false,
            scheduled_bounds_merge: false,
            one_sided_texts_name_both: true,
            expired_actions_kept: None,
            registration_lag: Span::ZERO,
            concurrent_update_window: Span::ZERO,
            roll_back: Span::from_secs(60),
            quotas: BTreeMap::new(),
            provisioned_utilization_most: 1.0,
            copy_start_up: SpanRange::secs(140, 360),
            hosting_start_up: SpanRange::secs(105, 240),
            copy_scale_in: SpanRange::secs(30, 90),
            idle_release: Span::from_secs(720),
            hosting_variants_register: false,
            component_deletion_deregisters: false,
            idle_publishes_zeros: true,
            metric_retention: Span::from_secs(15 * 86_400),
            activity_retention: Span::from_secs(42 * 86_400),
            history_limit: 20_000,
            activity_limit: 20_000,
        }
    }
}
