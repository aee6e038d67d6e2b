//! SageMaker endpoints and inference components.

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::error::ApiError;
use super::scaling::Listing;
use crate::domain::{
    ComponentName, EndpointDetails, EndpointName, EndpointStatus, ObservedComponent,
    ObservedConfig, Running,
};

/// An endpoint as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSummary {
    /// Its name.
    pub name: EndpointName,
    /// Its ARN, by which its tags are read.
    pub arn: String,
    /// Its status.
    pub status: EndpointStatus,
    /// When it was created.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub modified: DateTime<Utc>,
}

/// Endpoints and inference components of a scope.
#[async_trait]
pub trait EndpointApi: Debug + Send + Sync {
    /// All endpoints.
    async fn endpoints(&self) -> Listing<EndpointSummary>;

    /// One endpoint, with its variants.
    async fn endpoint(&self, endpoint: &EndpointName) -> Result<EndpointDetails, ApiError>;

    /// One endpoint config.
    async fn config(&self, config: &str) -> Result<ObservedConfig, ApiError>;

    /// The tags of an endpoint.
    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, ApiError>;

    /// All inference components, without their copies.
    async fn components(&self) -> Listing<ObservedComponent>;

    /// The copies of one inference component.
    async fn copies(&self, component: &ComponentName) -> Result<Running, ApiError>;
}
