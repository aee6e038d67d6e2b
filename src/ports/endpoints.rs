//! SageMaker endpoints.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::ApiError;
use super::scaling::Listing;
use crate::domain::{EndpointName, EndpointStatus, ObservedVariant, VariantName};

/// An endpoint as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSummary {
    /// Its name.
    pub name: EndpointName,
    /// Its status.
    pub status: EndpointStatus,
    /// When it was created.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub modified: DateTime<Utc>,
}

/// Endpoints of a scope.
#[async_trait]
pub trait EndpointApi: Debug + Send + Sync {
    /// All endpoints.
    async fn endpoints(&self) -> Listing<EndpointSummary>;

    /// The variants of one endpoint.
    async fn variants(
        &self,
        endpoint: &EndpointName,
    ) -> Result<BTreeMap<VariantName, ObservedVariant>, ApiError>;
}
