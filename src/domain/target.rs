//! What can be scaled: AWS calls it a scalable target, we call it a target.

use std::fmt;
use std::str::FromStr;

use super::name::{ComponentName, EndpointName, NameError, VariantName};
use super::select::Glob;

/// What of a target scales, and so the unit of its capacity (aws-autoscaling.md 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Instances of a production variant.
    Instances,
    /// Provisioned concurrency units of a serverless variant.
    ProvisionedConcurrency,
    /// Copies of an inference component.
    Copies,
}

impl Dimension {
    /// All dimensions that Application Auto Scaling has for SageMaker.
    pub const ALL: [Self; 3] = [Self::Instances, Self::ProvisionedConcurrency, Self::Copies];

    /// AWS's name of the dimension.
    #[must_use]
    pub fn aws_name(self) -> &'static str {
        match self {
            Self::Instances => "sagemaker:variant:DesiredInstanceCount",
            Self::ProvisionedConcurrency => "sagemaker:variant:DesiredProvisionedConcurrency",
            Self::Copies => "sagemaker:inference-component:DesiredCopyCount",
        }
    }

    /// The config's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::ProvisionedConcurrency => "provisioned_concurrency",
            Self::Copies => "copies",
        }
    }

    /// The unit of capacity, in the plural.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::ProvisionedConcurrency => "provisioned concurrency units",
            Self::Copies => "copies",
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.aws_name())
    }
}

/// The identity of a target: AWS's resource id together with its dimension.
///
/// The three forms are variants of the type, so an id whose resource does not fit its dimension can not exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetId {
    /// Instances of a variant.
    Instances {
        /// The endpoint.
        endpoint: EndpointName,
        /// Its production variant.
        variant: VariantName,
    },
    /// Provisioned concurrency of a serverless variant.
    ProvisionedConcurrency {
        /// The endpoint.
        endpoint: EndpointName,
        /// Its production variant.
        variant: VariantName,
    },
    /// Copies of an inference component.
    Copies {
        /// The component.
        component: ComponentName,
    },
}

/// A resource id and dimension that do not make a SageMaker target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseTargetError {
    /// The dimension is not one of SageMaker's.
    #[error("`{0}` is not a dimension of SageMaker targets")]
    Dimension(String),
    /// The resource id does not have the form that the dimension asks for.
    #[error("`{resource_id}` is not of the form `{form}`")]
    Form {
        /// The rejected resource id.
        resource_id: String,
        /// The form that was expected.
        form: &'static str,
    },
    /// A name inside the resource id breaks its rule.
    #[error("resource id holds a bad name")]
    Name(#[from] NameError),
}

impl TargetId {
    /// Reads what AWS returns: a resource id and a dimension.
    ///
    /// # Errors
    /// [`ParseTargetError`] when they are not a SageMaker target or do not fit each other.
    pub fn parse(resource_id: &str, dimension: &str) -> Result<Self, ParseTargetError> {
        let dimension = Dimension::ALL
            .into_iter()
            .find(|d| d.aws_name() == dimension)
            .ok_or_else(|| ParseTargetError::Dimension(dimension.to_owned()))?;
        let parts: Vec<&str> = resource_id.split('/').collect();
        match (dimension, parts.as_slice()) {
            (Dimension::Instances, ["endpoint", endpoint, "variant", variant]) => {
                Ok(Self::Instances {
                    endpoint: endpoint.parse()?,
                    variant: variant.parse()?,
                })
            }
            (Dimension::ProvisionedConcurrency, ["endpoint", endpoint, "variant", variant]) => {
                Ok(Self::ProvisionedConcurrency {
                    endpoint: endpoint.parse()?,
                    variant: variant.parse()?,
                })
            }
            (Dimension::Copies, ["inference-component", component]) => Ok(Self::Copies {
                component: component.parse()?,
            }),
            (Dimension::Instances | Dimension::ProvisionedConcurrency, _) => {
                Err(ParseTargetError::Form {
                    resource_id: resource_id.to_owned(),
                    form: "endpoint/<endpoint>/variant/<variant>",
                })
            }
            (Dimension::Copies, _) => Err(ParseTargetError::Form {
                resource_id: resource_id.to_owned(),
                form: "inference-component/<component>",
            }),
        }
    }

    /// AWS's resource id.
    #[must_use]
    pub fn resource_id(&self) -> String {
        match self {
            Self::Instances { endpoint, variant }
            | Self::ProvisionedConcurrency { endpoint, variant } => {
                format!("endpoint/{endpoint}/variant/{variant}")
            }
            Self::Copies { component } => format!("inference-component/{component}"),
        }
    }

    /// The target as a part of the names of its alarms: the resource id, and the unit where one variant could have
    /// two targets.
    #[must_use]
    pub fn alarm_component(&self) -> String {
        match self {
            Self::Instances { .. } | Self::Copies { .. } => self.resource_id(),
            Self::ProvisionedConcurrency { .. } => format!("{}/concurrency", self.resource_id()),
        }
    }

    /// Reads what [`TargetId::alarm_component`] wrote.
    #[must_use]
    pub fn of_alarm_component(text: &str) -> Option<Self> {
        let (resource, dimension) = match text.strip_suffix("/concurrency") {
            Some(resource) => (resource, Dimension::ProvisionedConcurrency),
            None if text.starts_with("inference-component/") => (text, Dimension::Copies),
            None => (text, Dimension::Instances),
        };
        Self::parse(resource, dimension.aws_name()).ok()
    }

    /// Whether a pattern of the command line means it: by its endpoint or component, or by its resource id.
    #[must_use]
    pub fn matches(&self, glob: &Glob) -> bool {
        let name = match self {
            Self::Instances { endpoint, .. } | Self::ProvisionedConcurrency { endpoint, .. } => {
                endpoint.as_str()
            }
            Self::Copies { component } => component.as_str(),
        };
        glob.matches(name) || glob.matches(&self.resource_id())
    }

    /// The dimension.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        match self {
            Self::Instances { .. } => Dimension::Instances,
            Self::ProvisionedConcurrency { .. } => Dimension::ProvisionedConcurrency,
            Self::Copies { .. } => Dimension::Copies,
        }
    }

    /// The component that the id itself names.
    #[must_use]
    pub fn component(&self) -> Option<&ComponentName> {
        match self {
            Self::Copies { component } => Some(component),
            Self::Instances { .. } | Self::ProvisionedConcurrency { .. } => None,
        }
    }

    /// The endpoint that the id itself names; a component's endpoint is not part of its id.
    #[must_use]
    pub fn endpoint(&self) -> Option<&EndpointName> {
        match self {
            Self::Instances { endpoint, .. } | Self::ProvisionedConcurrency { endpoint, .. } => {
                Some(endpoint)
            }
            Self::Copies { .. } => None,
        }
    }

    /// The variant that the id itself names.
    #[must_use]
    pub fn variant(&self) -> Option<&VariantName> {
        match self {
            Self::Instances { variant, .. } | Self::ProvisionedConcurrency { variant, .. } => {
                Some(variant)
            }
            Self::Copies { .. } => None,
        }
    }
}

/// The resource id; two targets of one variant in different dimensions add the unit.
impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instances { endpoint, variant } => {
                write!(f, "endpoint/{endpoint}/variant/{variant}")
            }
            Self::ProvisionedConcurrency { endpoint, variant } => {
                write!(
                    f,
                    "endpoint/{endpoint}/variant/{variant} (provisioned concurrency)"
                )
            }
            Self::Copies { component } => write!(f, "inference-component/{component}"),
        }
    }
}

/// Reads a resource id as people write it; instances are meant unless the id says otherwise.
impl FromStr for TargetId {
    type Err = ParseTargetError;

    fn from_str(s: &str) -> Result<Self, ParseTargetError> {
        let dimension = if s.starts_with("inference-component/") {
            Dimension::Copies
        } else {
            Dimension::Instances
        };
        Self::parse(s, dimension.aws_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_identifiers_round_trip() {
        for (resource, dimension) in [
            (
                "endpoint/chat/variant/AllTraffic",
                "sagemaker:variant:DesiredInstanceCount",
            ),
            (
                "endpoint/chat/variant/AllTraffic",
                "sagemaker:variant:DesiredProvisionedConcurrency",
            ),
            (
                "inference-component/llm",
                "sagemaker:inference-component:DesiredCopyCount",
            ),
        ] {
            let id = TargetId::parse(resource, dimension).unwrap();
            assert_eq!(id.resource_id(), resource);
            assert_eq!(id.dimension().aws_name(), dimension);
        }
    }

    #[test]
    fn resource_and_dimension_must_fit() {
        let copies = Dimension::Copies.aws_name();
        let instances = Dimension::Instances.aws_name();
        assert!(TargetId::parse("endpoint/chat/variant/v", copies).is_err());
        assert!(TargetId::parse("inference-component/c", instances).is_err());
        assert!(TargetId::parse("endpoint/chat", instances).is_err());
        assert!(TargetId::parse("service/c/s", "ecs:service:DesiredCount").is_err());
    }
}
