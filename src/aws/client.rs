//! Clients for one scope.

use std::sync::Arc;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sagemaker::config::retry::RetryPartition;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::cloudwatch::CloudWatch;
use super::requests::{QuotaIsNotThrottling, RequestCounter};
use super::sagemaker::SageMaker;
use super::scaling::ApplicationAutoScaling;
use crate::ports::{RequestLog, ScopePorts};

/// How to reach a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeOptions {
    /// The region, or what the environment says.
    pub region: Option<String>,
    /// A role to assume.
    pub assume_role: Option<String>,
    /// Another server to talk to, for every service. `AWS_ENDPOINT_URL` and its variants for single services work
    /// as for every AWS tool when this is not set.
    pub endpoint_url: Option<String>,
    /// How long one call may take, retries included.
    pub call_timeout: Duration,
}

/// A scope that can not be reached as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No region anywhere.
    #[error("no region: set `region` in the scope, or AWS_REGION, or a region in the AWS profile")]
    NoRegion,
}

/// One attempt may take this long; after that the SDK tries again within the call's own limit.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Attempts per call, the first one included.
const ATTEMPTS: u32 = 3;

/// Makes the ports of a scope over the AWS SDKs. Nothing is sent yet.
///
/// # Errors
/// [`ConnectError::NoRegion`] when neither the scope nor the environment names a region.
pub async fn connect(
    options: &ScopeOptions,
    log: &Arc<dyn RequestLog>,
) -> Result<ScopePorts, ConnectError> {
    let config = load(options).await;
    if config.region().is_none() {
        return Err(ConnectError::NoRegion);
    }
    let counter = |service| RequestCounter::new(service, Arc::clone(log));
    // One budget of retries for the scope. By default all clients of a region share one, whatever their account, and a
    // scope that fails would spend what the others need.
    let retries = RetryPartition::custom("scope").build();
    let scaling = aws_sdk_applicationautoscaling::config::Builder::from(&config)
        .interceptor(counter("application-autoscaling"))
        .retry_partition(retries.clone())
        .retry_classifier(QuotaIsNotThrottling)
        .build();
    let sagemaker = aws_sdk_sagemaker::config::Builder::from(&config)
        .interceptor(counter("sagemaker"))
        .retry_partition(retries.clone())
        .retry_classifier(QuotaIsNotThrottling)
        .build();
    let cloudwatch = aws_sdk_cloudwatch::config::Builder::from(&config)
        .interceptor(counter("cloudwatch"))
        .retry_partition(retries)
        .retry_classifier(QuotaIsNotThrottling)
        .build();
    let sagemaker = aws_sdk_sagemaker::Client::from_conf(sagemaker);
    let sagemaker = match &options.endpoint_url {
        Some(_) => SageMaker::unpaced(sagemaker),
        None => SageMaker::paced(sagemaker),
    };
    let cloudwatch = aws_sdk_cloudwatch::Client::from_conf(cloudwatch);
    let cloudwatch = Arc::new(CloudWatch::new(cloudwatch, Arc::clone(log)));
    Ok(ScopePorts {
        scaling: Arc::new(ApplicationAutoScaling::new(
            aws_sdk_applicationautoscaling::Client::from_conf(scaling),
        )),
        endpoints: Arc::new(sagemaker),
        alarms: cloudwatch.clone(),
        metrics: cloudwatch,
    })
}

async fn load(options: &ScopeOptions) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT.min(options.call_timeout))
        .operation_timeout(options.call_timeout)
        .build();
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS));
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url.clone());
        // A sandbox on this machine checks no signature; asking a metadata service for credentials to sign with, or
        // for a region, would only take time. Real credentials are never sent there by accident either.
        if is_loopback(url) {
            if !is_set("AWS_ACCESS_KEY_ID") {
                let any = Credentials::from_keys("sandbox", "sandbox", None);
                loader = loader.credentials_provider(any);
            }
            if options.region.is_none() && !is_set("AWS_REGION") && !is_set("AWS_DEFAULT_REGION") {
                loader = loader.region(Region::from_static("us-east-1"));
            }
        }
    }
    let config = loader.load().await;
    match &options.assume_role {
        None => config,
        Some(role) => {
            let provider = AssumeRoleProvider::builder(role)
                .session_name("evenkeel")
                .configure(&config)
                .build()
                .await;
            let provider = aws_credential_types::provider::SharedCredentialsProvider::new(provider);
            config.into_builder().credentials_provider(provider).build()
        }
    }
}

/// Whether a variable is there and says something.
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Whether the URL's host is this machine.
fn is_loopback(url: &str) -> bool {
    let Some(rest) = url.split_once("://").map(|(_, rest)| rest) else {
        return false;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in [
            "http://127.0.0.1:4599",
            "http://localhost",
            "http://[::1]:4599/x",
            "https://127.9.9.9",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "https://sagemaker.us-east-1.amazonaws.com",
            "http://10.0.0.1",
            "http://localhost.evil.com",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
