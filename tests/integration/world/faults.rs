//! A door with faults: what AWS does on a bad day, and a process that dies between two writes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel::domain::*;
use evenkeel::ports::*;
use evenkeel::sim::Door;

/// Faults to inject. All off in the beginning.
#[derive(Debug)]
pub struct Faults {
    inner: ScopePorts,
    /// Operations that fail, and how.
    failing: Mutex<BTreeMap<&'static str, ErrorKind>>,
    /// Endpoints whose writes fail, and how.
    failing_targets: Mutex<BTreeMap<String, ErrorKind>>,
    /// Lists that end after so many entries, with an error.
    cut: Mutex<BTreeMap<&'static str, usize>>,
    /// After so many writes the process never comes back from the next one.
    die_after: Mutex<Option<usize>>,
    /// Writes that reached AWS.
    pub writes: AtomicUsize,
}

impl Faults {
    pub fn new(door: Door) -> Self {
        Self {
            inner: door.ports(),
            failing: Mutex::default(),
            failing_targets: Mutex::default(),
            cut: Mutex::default(),
            die_after: Mutex::default(),
            writes: AtomicUsize::new(0),
        }
    }

    pub fn ports(self: &Arc<Self>) -> ScopePorts {
        ScopePorts {
            scaling: self.clone(),
            endpoints: self.clone(),
            alarms: self.clone(),
            metrics: self.clone(),
        }
    }

    pub fn fail(&self, operation: &'static str, kind: ErrorKind) {
        self.failing.lock().unwrap().insert(operation, kind);
    }

    pub fn fail_target(&self, endpoint: &str, kind: ErrorKind) {
        self.failing_targets
            .lock()
            .unwrap()
            .insert(endpoint.to_owned(), kind);
    }

    pub fn cut(&self, operation: &'static str, after: usize) {
        self.cut.lock().unwrap().insert(operation, after);
    }

    pub fn die_after(&self, writes: Option<usize>) {
        *self.die_after.lock().unwrap() = writes;
    }

    pub fn heal(&self) {
        self.failing.lock().unwrap().clear();
        self.failing_targets.lock().unwrap().clear();
        self.cut.lock().unwrap().clear();
    }

    fn error(operation: &'static str, kind: ErrorKind) -> ApiError {
        let message = format!("injected {}", kind.label());
        ApiError {
            operation,
            kind,
            message,
            request_id: None,
        }
    }

    fn gate(&self, operation: &'static str) -> Result<(), ApiError> {
        match self.failing.lock().unwrap().get(operation) {
            Some(kind) => Err(Self::error(operation, *kind)),
            None => Ok(()),
        }
    }

    fn listing<T>(&self, operation: &'static str, mut listing: Listing<T>) -> Listing<T> {
        if let Err(error) = self.gate(operation) {
            return Listing {
                items: Vec::new(),
                gap: Some(error),
            };
        }
        if let Some(after) = self.cut.lock().unwrap().get(operation) {
            listing.items.truncate(*after);
            listing.gap = Some(Self::error(operation, ErrorKind::Throttled));
        }
        listing
    }

    /// Before a write: it may be refused, or the process may die.
    async fn before_write(
        &self,
        operation: &'static str,
        target: Option<&TargetId>,
    ) -> Result<(), ApiError> {
        let dies = self
            .die_after
            .lock()
            .unwrap()
            .is_some_and(|n| self.writes.load(Ordering::SeqCst) >= n);
        if dies {
            std::future::pending::<()>().await;
        }
        self.gate(operation)?;
        let endpoint = target
            .and_then(TargetId::endpoint)
            .map(ToString::to_string)
            .unwrap_or_default();
        match self.failing_targets.lock().unwrap().get(&endpoint) {
            Some(kind) => Err(Self::error(operation, *kind)),
            None => Ok(()),
        }
    }

    fn after_write(&self) {
        self.writes.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl ScalingApi for Faults {
    async fn targets(&self) -> Listing<ObservedTarget> {
        self.listing(
            "DescribeScalableTargets",
            self.inner.scaling.targets().await,
        )
    }

    async fn policies(&self) -> Listing<ObservedPolicy> {
        self.listing(
            "DescribeScalingPolicies",
            self.inner.scaling.policies().await,
        )
    }

    async fn scheduled_actions(&self) -> Listing<ObservedSchedule> {
        self.listing(
            "DescribeScheduledActions",
            self.inner.scaling.scheduled_actions().await,
        )
    }

    async fn activities(&self, since: DateTime<Utc>, limit: usize) -> Listing<Activity> {
        self.listing(
            "DescribeScalingActivities",
            self.inner.scaling.activities(since, limit).await,
        )
    }

    async fn activities_of(
        &self,
        target: &TargetId,
        since: DateTime<Utc>,
        limit: usize,
    ) -> Listing<Activity> {
        self.listing(
            "DescribeScalingActivities",
            self.inner.scaling.activities_of(target, since, limit).await,
        )
    }

    async fn register(
        &self,
        target: &TargetId,
        bounds: Bounds,
        suspended: Option<Suspension>,
        owner: Option<&OwnerName>,
    ) -> Result<(), ApiError> {
        self.before_write("RegisterScalableTarget", Some(target))
            .await?;
        let scaling = &self.inner.scaling;
        let result = scaling.register(target, bounds, suspended, owner).await;
        self.after_write();
        result
    }

    async fn deregister(&self, target: &TargetId) -> Result<(), ApiError> {
        self.before_write("DeregisterScalableTarget", Some(target))
            .await?;
        let result = self.inner.scaling.deregister(target).await;
        self.after_write();
        result
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
        self.gate("ListTagsForResource")?;
        self.inner.scaling.tags(arn).await
    }

    async fn delete_policy(&self, target: &TargetId, policy: &PolicyName) -> Result<(), ApiError> {
        self.before_write("DeleteScalingPolicy", Some(target))
            .await?;
        let result = self.inner.scaling.delete_policy(target, policy).await;
        self.after_write();
        result
    }

    async fn put_scheduled_action(
        &self,
        target: &TargetId,
        action: &ScheduledAction,
    ) -> Result<(), ApiError> {
        self.before_write("PutScheduledAction", Some(target))
            .await?;
        let scaling = &self.inner.scaling;
        let result = scaling.put_scheduled_action(target, action).await;
        self.after_write();
        result
    }

    async fn delete_scheduled_action(&self, target: &TargetId, name: &str) -> Result<(), ApiError> {
        self.before_write("DeleteScheduledAction", Some(target))
            .await?;
        let scaling = &self.inner.scaling;
        let result = scaling.delete_scheduled_action(target, name).await;
        self.after_write();
        result
    }

    async fn put_policy(&self, target: &TargetId, policy: &Policy) -> Result<String, ApiError> {
        self.before_write("PutScalingPolicy", Some(target)).await?;
        let result = self.inner.scaling.put_policy(target, policy).await;
        self.after_write();
        result
    }
}

#[async_trait]
impl EndpointApi for Faults {
    async fn endpoints(&self) -> Listing<EndpointSummary> {
        self.listing("ListEndpoints", self.inner.endpoints.endpoints().await)
    }

    async fn endpoint(&self, endpoint: &EndpointName) -> Result<EndpointDetails, ApiError> {
        self.gate("DescribeEndpoint")?;
        self.inner.endpoints.endpoint(endpoint).await
    }

    async fn config(&self, config: &str) -> Result<ObservedConfig, ApiError> {
        self.gate("DescribeEndpointConfig")?;
        self.inner.endpoints.config(config).await
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError> {
        self.gate("ListTags")?;
        self.inner.endpoints.tags(arn).await
    }

    async fn components(&self) -> Listing<ObservedComponent> {
        let listing = self.inner.endpoints.components().await;
        self.listing("ListInferenceComponents", listing)
    }

    async fn copies(&self, component: &ComponentName) -> Result<Running, ApiError> {
        self.gate("DescribeInferenceComponent")?;
        self.inner.endpoints.copies(component).await
    }
}

#[async_trait]
impl AlarmApi for Faults {
    async fn alarms(&self, prefix: &str) -> Listing<ObservedAlarm> {
        self.listing("DescribeAlarms", self.inner.alarms.alarms(prefix).await)
    }

    async fn alarms_named(&self, names: &[String]) -> Listing<ObservedAlarm> {
        let listing = self.inner.alarms.alarms_named(names).await;
        self.listing("DescribeAlarms", listing)
    }

    async fn muted(&self) -> Listing<String> {
        self.listing("ListAlarmMuteRules", self.inner.alarms.muted().await)
    }

    async fn history(
        &self,
        name: &str,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Listing<AlarmRecord> {
        self.listing(
            "DescribeAlarmHistory",
            self.inner.alarms.history(name, from, until, limit).await,
        )
    }

    async fn put_alarm(
        &self,
        name: &str,
        rule: &AlarmRule,
        policy: &str,
        keeps: &AlarmExtras,
    ) -> Result<(), ApiError> {
        self.before_write("PutMetricAlarm", None).await?;
        let alarms = &self.inner.alarms;
        let result = alarms.put_alarm(name, rule, policy, keeps).await;
        self.after_write();
        result
    }

    async fn put_marker(&self, name: &str, description: &str) -> Result<(), ApiError> {
        self.before_write("PutMetricAlarm", None).await?;
        let result = self.inner.alarms.put_marker(name, description).await;
        self.after_write();
        result
    }

    async fn delete_alarm(&self, name: &str) -> Result<(), ApiError> {
        self.before_write("DeleteAlarms", None).await?;
        let result = self.inner.alarms.delete_alarm(name).await;
        self.after_write();
        result
    }
}

#[async_trait]
impl MetricSource for Faults {
    async fn datapoints(
        &self,
        queries: &[MetricQuery],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Vec<Datapoint>>, ApiError> {
        self.gate("GetMetricData")?;
        self.inner.metrics.datapoints(queries, from, until).await
    }

    async fn math(
        &self,
        math: &MathMetric,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<Datapoint>, ApiError> {
        self.gate("GetMetricData")?;
        self.gate("math")?;
        self.inner.metrics.math(math, from, until).await
    }
}
