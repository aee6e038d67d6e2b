//! What endpoints publish beside the metrics that policies follow: what people on call look at first.

use std::collections::BTreeMap;
use std::fmt;

use super::endpoint::EndpointKind;
use super::metric::{CustomMetric, Statistic, known_dimensions};
use super::target::TargetId;

/// Something that an endpoint or a component publishes about itself. Its name says its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Requests per minute.
    Invocations,
    /// Time in the model, as the mean of a minute.
    ModelLatency,
    /// Requests per minute that the model failed.
    Errors5xx,
    /// Requests per minute that were refused.
    Errors4xx,
    /// Time around the model, as the mean of a minute.
    OverheadLatency,
    /// Processor, as AWS publishes it: of variants 100 per core, of components 100 in all.
    Cpu,
    /// Memory.
    Memory,
    /// Accelerators, as AWS publishes them: of variants 100 each, of components 100 in all.
    Gpu,
    /// Their memory.
    GpuMemory,
    /// Disk.
    Disk,
    /// Requests that execute or wait, the most within a minute.
    Concurrency,
    /// Requests in the queue of an asynchronous endpoint.
    Backlog,
    /// Requests per minute that met no copy.
    NoCapacity,
}

/// How soon a signal is to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// What a policy follows.
    Policy,
    /// Load, latency, failures.
    Vital,
    /// The rest.
    Detail,
}

impl Rank {
    /// All of them, what matters most first.
    pub const ALL: [Self; 3] = [Self::Policy, Self::Vital, Self::Detail];
}

const SAGEMAKER: &str = "AWS/SageMaker";
const ENDPOINTS: &str = "/aws/sagemaker/Endpoints";
const COMPONENTS: &str = "/aws/sagemaker/InferenceComponents";

impl Signal {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Invocations,
        Self::ModelLatency,
        Self::Errors5xx,
        Self::Errors4xx,
        Self::OverheadLatency,
        Self::Cpu,
        Self::Memory,
        Self::Gpu,
        Self::GpuMemory,
        Self::Disk,
        Self::Concurrency,
        Self::Backlog,
        Self::NoCapacity,
    ];

    /// The name, as in the label `signal`, with its unit.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Invocations => "invocations_per_minute",
            Self::ModelLatency => "model_latency_seconds",
            Self::Errors5xx => "errors_5xx_per_minute",
            Self::Errors4xx => "errors_4xx_per_minute",
            Self::OverheadLatency => "overhead_latency_seconds",
            Self::Cpu => "cpu_percent",
            Self::Memory => "memory_percent",
            Self::Gpu => "gpu_percent",
            Self::GpuMemory => "gpu_memory_percent",
            Self::Disk => "disk_percent",
            Self::Concurrency => "concurrent_requests",
            Self::Backlog => "backlog",
            Self::NoCapacity => "no_capacity_failures_per_minute",
        }
    }

    /// What people call it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Invocations => "invocations",
            Self::ModelLatency => "model latency",
            Self::Errors5xx => "5XX",
            Self::Errors4xx => "4XX",
            Self::OverheadLatency => "overhead latency",
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Gpu => "GPU",
            Self::GpuMemory => "GPU memory",
            Self::Disk => "disk",
            Self::Concurrency => "concurrent requests",
            Self::Backlog => "backlog",
            Self::NoCapacity => "failures for want of capacity",
        }
    }

    /// How soon it is to be known.
    #[must_use]
    pub fn rank(self) -> Rank {
        match self {
            Self::Invocations
            | Self::ModelLatency
            | Self::Errors5xx
            | Self::Backlog
            | Self::NoCapacity => Rank::Vital,
            Self::Errors4xx
            | Self::OverheadLatency
            | Self::Cpu
            | Self::Memory
            | Self::Gpu
            | Self::GpuMemory
            | Self::Disk
            | Self::Concurrency => Rank::Detail,
        }
    }

    /// Whether a target that publishes it at all publishes it always: what is silent once is then asked as often as
    /// the others. Without accelerators there is nothing to publish, ever.
    #[must_use]
    pub fn is_of_some_machines_only(self) -> bool {
        matches!(self, Self::Gpu | Self::GpuMemory)
    }

    /// A value as AWS publishes it, in the unit that the name says: AWS measures latency in microseconds
    /// (aws-autoscaling.md 6.2).
    #[must_use]
    pub fn scale(self, published: f64) -> f64 {
        match self {
            Self::ModelLatency | Self::OverheadLatency => published / 1e6,
            Self::Invocations
            | Self::Errors5xx
            | Self::Errors4xx
            | Self::Cpu
            | Self::Memory
            | Self::Gpu
            | Self::GpuMemory
            | Self::Disk
            | Self::Concurrency
            | Self::Backlog
            | Self::NoCapacity => published,
        }
    }

    /// Namespace, name and statistic, where such a target publishes it; `kind` is that of its endpoint, as far as it is
    /// known (aws-autoscaling.md 6.2).
    fn published(
        self,
        target: &TargetId,
        kind: Option<EndpointKind>,
    ) -> Option<(&'static str, &'static str, Statistic)> {
        use Statistic::{Average, Maximum, Sum};
        let (is_serverless, is_component) = match target {
            TargetId::Instances { .. } => (false, false),
            TargetId::ProvisionedConcurrency { .. } => (true, false),
            TargetId::Copies { .. } => (false, true),
        };
        let is_async = kind == Some(EndpointKind::Async);
        let has_instances = !is_serverless && !is_component;
        let answers_at_once = !is_async;
        match self {
            Self::Invocations if answers_at_once => Some((SAGEMAKER, "Invocations", Sum)),
            Self::ModelLatency if !is_component => Some((SAGEMAKER, "ModelLatency", Average)),
            Self::Errors5xx if answers_at_once && !is_component => {
                Some((SAGEMAKER, "Invocation5XXErrors", Sum))
            }
            Self::Errors4xx if answers_at_once && !is_component => {
                Some((SAGEMAKER, "Invocation4XXErrors", Sum))
            }
            Self::OverheadLatency if answers_at_once && !is_component => {
                Some((SAGEMAKER, "OverheadLatency", Average))
            }
            Self::Cpu if is_component => Some((COMPONENTS, "CPUUtilizationNormalized", Average)),
            Self::Cpu if has_instances => Some((ENDPOINTS, "CPUUtilization", Average)),
            Self::Memory if is_component => {
                Some((COMPONENTS, "MemoryUtilizationNormalized", Average))
            }
            Self::Memory => Some((ENDPOINTS, "MemoryUtilization", Average)),
            Self::Gpu if is_component => Some((COMPONENTS, "GPUUtilizationNormalized", Average)),
            Self::Gpu if has_instances => Some((ENDPOINTS, "GPUUtilization", Average)),
            Self::GpuMemory if is_component => {
                Some((COMPONENTS, "GPUMemoryUtilizationNormalized", Average))
            }
            Self::GpuMemory if has_instances => Some((ENDPOINTS, "GPUMemoryUtilization", Average)),
            Self::Disk if has_instances => Some((ENDPOINTS, "DiskUtilization", Average)),
            Self::Concurrency if is_component => {
                Some((SAGEMAKER, "ConcurrentRequestsPerCopy", Maximum))
            }
            Self::Concurrency if has_instances && answers_at_once => {
                Some((SAGEMAKER, "ConcurrentRequestsPerModel", Maximum))
            }
            Self::Backlog if is_async => Some((SAGEMAKER, "ApproximateBacklogSize", Average)),
            Self::NoCapacity if is_component => {
                Some((SAGEMAKER, "NoCapacityInvocationFailures", Sum))
            }
            Self::Invocations
            | Self::ModelLatency
            | Self::Errors5xx
            | Self::Errors4xx
            | Self::OverheadLatency
            | Self::Cpu
            | Self::Gpu
            | Self::GpuMemory
            | Self::Disk
            | Self::Concurrency
            | Self::Backlog
            | Self::NoCapacity => None,
        }
    }

    /// Whether such a target publishes it.
    #[must_use]
    pub fn is_published(self, target: &TargetId, kind: Option<EndpointKind>) -> bool {
        self.published(target, kind).is_some()
    }

    /// Where CloudWatch has it, in periods of a minute; `None` where such a target does not publish it.
    #[must_use]
    pub fn metric(self, target: &TargetId, kind: Option<EndpointKind>) -> Option<CustomMetric> {
        let (namespace, name, statistic) = self.published(target, kind)?;
        let dimensions: BTreeMap<_, _> = known_dimensions(namespace, name, target)?;
        Some(CustomMetric {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions,
            statistic,
            unit: None,
        })
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(target: &str, kind: Option<EndpointKind>) -> Vec<&'static str> {
        let target = target.parse().unwrap();
        let published = Signal::ALL
            .into_iter()
            .filter(|s| s.metric(&target, kind).is_some());
        published.map(Signal::name).collect()
    }

    #[test]
    fn each_kind_is_asked_for_what_it_publishes() {
        let variant = "endpoint/e/variant/v";
        let real_time = names(variant, Some(EndpointKind::RealTime));
        assert!(real_time.contains(&"invocations_per_minute"));
        assert!(real_time.contains(&"gpu_memory_percent"));
        assert!(!real_time.contains(&"backlog"));
        let queued = names(variant, Some(EndpointKind::Async));
        assert!(queued.contains(&"backlog"));
        assert!(!queued.contains(&"invocations_per_minute"));
        let component = names("inference-component/c", None);
        assert!(component.contains(&"no_capacity_failures_per_minute"));
        assert!(!component.contains(&"disk_percent"));
    }

    #[test]
    fn a_serverless_variant_has_neither_processor_nor_disk() {
        let target = TargetId::ProvisionedConcurrency {
            endpoint: "e".parse().unwrap(),
            variant: "v".parse().unwrap(),
        };
        assert_eq!(Signal::Cpu.metric(&target, None), None);
        assert_eq!(Signal::Disk.metric(&target, None), None);
        let memory = Signal::Memory.metric(&target, None).unwrap();
        assert_eq!(memory.name, "MemoryUtilization");
    }

    #[test]
    fn a_backlog_is_published_per_endpoint_and_latency_in_microseconds() {
        let target: TargetId = "endpoint/e/variant/v".parse().unwrap();
        let backlog = Signal::Backlog.metric(&target, Some(EndpointKind::Async));
        assert_eq!(backlog.unwrap().dimensions.len(), 1);
        assert!((Signal::ModelLatency.scale(250_000.0) - 0.25).abs() < 1e-12);
    }
}
