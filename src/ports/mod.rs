//! What the product needs of the outside world, in its own words.
//!
//! Small object-safe traits; the AWS adapters and the simulator's in-process door both stand behind them. Nothing
//! here knows which.

mod clock;
mod endpoints;
mod error;
mod events;
mod heartbeat;
mod memory;
mod metrics;
mod post;
mod requests;
mod scaling;
mod service;
mod webhook;

pub use clock::Clock;
pub use endpoints::{EndpointApi, EndpointSummary};
pub use error::{ApiError, ErrorKind, absent_is_deleted};
pub use events::{Event, EventSink, NoEvents};
pub use heartbeat::Heartbeats;
pub use memory::{AlertMemory, NoMemory};
pub use metrics::{AlarmApi, MetricQuery, MetricSource, alarm_record_event, last_evaluated};
pub use post::{PostFault, Poster};
pub use requests::{NoRequestLog, RequestLog};
pub use scaling::{Listing, ScalingApi};
pub use service::{ServiceManager, Sign};
pub use webhook::{Form, Secret, Webhook};

use std::sync::Arc;

/// Everything a scope offers, behind ports.
#[derive(Debug, Clone)]
pub struct ScopePorts {
    /// Targets, policies, activities.
    pub scaling: Arc<dyn ScalingApi>,
    /// Endpoints.
    pub endpoints: Arc<dyn EndpointApi>,
    /// Alarms.
    pub alarms: Arc<dyn AlarmApi>,
    /// Metrics.
    pub metrics: Arc<dyn MetricSource>,
}
