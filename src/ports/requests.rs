//! Who wants to know of every request that goes to AWS.

use std::fmt::Debug;

/// Is told of every request, retries included.
pub trait RequestLog: Debug + Send + Sync {
    /// A request was answered, or was not. `outcome` is `ok` or an error kind's label.
    fn request(&self, service: &'static str, operation: &str, outcome: &'static str);

    /// GetMetricData was answered; so many metrics are billed.
    fn metrics(&self, billed: usize);
}

/// Wants to know nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRequestLog;

impl RequestLog for NoRequestLog {
    fn request(&self, _service: &'static str, _operation: &str, _outcome: &'static str) {}

    fn metrics(&self, _billed: usize) {}
}
