//! Requests as AWS clients send them, answers as they expect them.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use hyper::body::Bytes;
use hyper::header::HeaderName;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::dispatch::{Service, call};
use super::{cbor, control};
use crate::http::{Handler, Request, Response};
use crate::sim::clock::SandboxClock;
use crate::sim::engine::ApiError;
use crate::sim::sandbox::Sandbox;

/// The sandbox behind HTTP.
#[derive(Debug)]
pub struct WireDoor {
    pub(super) sandbox: Arc<Sandbox>,
    /// The clock, when it can be turned.
    pub(super) clock: Option<Arc<SandboxClock>>,
    requests: AtomicU64,
}

/// How a request is written, and so its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json11,
    Json10,
    Cbor,
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Self::Json11 => "application/x-amz-json-1.1",
            Self::Json10 => "application/x-amz-json-1.0",
            Self::Cbor => "application/cbor",
        }
    }
}

/// Unpacked bodies may be this long: PutMetricData's limit is 1 MB, and JSON may write it longer.
const MOST_UNPACKED: u64 = 8 * 1024 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const SMITHY_PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
const INVOKED_VARIANT: HeaderName = HeaderName::from_static("x-amzn-invoked-production-variant");
const OUTPUT_LOCATION: HeaderName = HeaderName::from_static("x-amzn-sagemaker-outputlocation");

impl WireDoor {
    /// A door to a sandbox. With its clock, clients can turn it.
    #[must_use]
    pub fn new(sandbox: Arc<Sandbox>, clock: Option<Arc<SandboxClock>>) -> Self {
        Self {
            sandbox,
            clock,
            requests: AtomicU64::new(0),
        }
    }

    fn respond(&self, request: &Request) -> Response {
        if request.path.starts_with("/_sandbox") {
            return control::respond(self, request);
        }
        if let Some(endpoint) = invoked_endpoint(request, "/invocations") {
            return self.invoke(endpoint, request);
        }
        if let Some(endpoint) = invoked_endpoint(request, "/async-invocations") {
            return self.invoke_async(endpoint, request);
        }
        let Some((format, service, operation)) = addressed(request) else {
            return not_aws(request);
        };
        let result = body_of(request, format).and_then(|body| match service {
            Some(service) => self
                .sandbox
                .with(|world| call(world, service, &operation, body)),
            None => Err(ApiError::unknown_operation()),
        });
        match result {
            Ok(output) => success(format, &output),
            Err(error) => failure(format, service, &error),
        }
    }

    /// `InvokeEndpoint`: the request counts, and is answered at once.
    fn invoke(&self, endpoint: &str, request: &Request) -> Response {
        if let Some(component) = request.header("x-amzn-sagemaker-inference-component") {
            let result = self
                .sandbox
                .with(|world| world.invoke_component(endpoint, component));
            return match result {
                Ok(()) => {
                    let body = json!({ "sandbox": true, "component": component }).to_string();
                    Response::new(StatusCode::OK, "application/json", body)
                }
                Err(error) => runtime_error(&error),
            };
        }
        let variant = request.header("x-amzn-sagemaker-target-variant");
        match self.sandbox.with(|world| world.invoke(endpoint, variant)) {
            Ok(variant) => {
                let body = json!({ "sandbox": true, "variant": variant }).to_string();
                Response::new(StatusCode::OK, "application/json", body)
                    .with_header(INVOKED_VARIANT, &variant)
            }
            Err(error) => runtime_error(&error),
        }
    }

    /// `InvokeEndpointAsync`: the request waits in the endpoint's queue.
    fn invoke_async(&self, endpoint: &str, request: &Request) -> Response {
        let number = self.requests.load(Ordering::Relaxed);
        let id = request
            .header("x-amzn-sagemaker-inference-id")
            .map_or_else(|| format!("sandbox-{number}"), str::to_owned);
        match self.sandbox.with(|world| world.invoke_async(endpoint)) {
            Ok(()) => {
                let place = format!("s3://{endpoint}-output/{id}.out");
                let body = json!({ "InferenceId": id }).to_string();
                Response::new(StatusCode::ACCEPTED, "application/json", body)
                    .with_header(OUTPUT_LOCATION, &place)
            }
            Err(error) => runtime_error(&error),
        }
    }
}

/// The SageMaker runtime speaks another protocol, whose errors are named in a header.
fn runtime_error(error: &ApiError) -> Response {
    let body = json!({ "message": error.message }).to_string();
    Response::new(StatusCode::BAD_REQUEST, "application/json", body)
        .with_header(ERROR_TYPE, "ValidationError")
}

#[async_trait]
impl Handler for WireDoor {
    async fn handle(&self, request: Request) -> Response {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let id = format!("00000000-0000-4000-8000-{number:012x}");
        self.respond(&request).with_header(REQUEST_ID, &id)
    }
}

/// The endpoint of `POST /endpoints/{name}/invocations`, or of another such path.
fn invoked_endpoint<'a>(request: &'a Request, suffix: &str) -> Option<&'a str> {
    let name = request
        .path
        .strip_prefix("/endpoints/")?
        .strip_suffix(suffix)?;
    (request.method == Method::POST).then_some(name)
}

/// How the request is written, which service it is for (if we know it), and which operation it names.
fn addressed(request: &Request) -> Option<(Format, Option<Service>, String)> {
    if request.method != Method::POST {
        return None;
    }
    if let Some(path) = request.path.strip_prefix("/service/") {
        let (service, operation) = path.split_once("/operation/")?;
        return Some((
            Format::Cbor,
            Service::of_target(service),
            operation.to_owned(),
        ));
    }
    let (prefix, operation) = request.header("x-amz-target")?.split_once('.')?;
    let content_type = request.header("content-type").unwrap_or_default();
    let format = if content_type.contains("json-1.0") {
        Format::Json10
    } else {
        Format::Json11
    };
    Some((format, Service::of_target(prefix), operation.to_owned()))
}

fn body_of(request: &Request, format: Format) -> Result<Value, ApiError> {
    let unpacked;
    let bytes: &[u8] = match request.header("content-encoding") {
        Some("gzip") => {
            unpacked = unzip(&request.body)?;
            &unpacked
        }
        _ => &request.body,
    };
    if bytes.is_empty() {
        return Ok(json!({}));
    }
    match format {
        Format::Json11 | Format::Json10 => serde_json::from_slice(bytes)
            .map_err(|error| ApiError::serialization(format!("the body is no JSON: {error}"))),
        Format::Cbor => cbor::decode(bytes)
            .map_err(|error| ApiError::serialization(format!("the body is no CBOR: {error}"))),
    }
}

fn unzip(bytes: &[u8]) -> Result<Vec<u8>, ApiError> {
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .take(MOST_UNPACKED + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| ApiError::serialization(format!("the body is no gzip: {error}")))?;
    if u64::try_from(unpacked.len()).is_ok_and(|length| length <= MOST_UNPACKED) {
        Ok(unpacked)
    } else {
        Err(ApiError::serialization("the unpacked body is too long"))
    }
}

fn encoded(format: Format, status: StatusCode, tree: &Value) -> Response {
    let body: Bytes = match format {
        Format::Json11 | Format::Json10 => tree.to_string().into(),
        Format::Cbor => cbor::encode(tree).into(),
    };
    let response = Response::new(status, format.content_type(), body);
    match format {
        Format::Cbor => response.with_header(SMITHY_PROTOCOL, "rpc-v2-cbor"),
        Format::Json11 | Format::Json10 => response,
    }
}

fn success(format: Format, output: &Value) -> Response {
    encoded(format, StatusCode::OK, output)
}

/// Errors carry their code in the body, and for CloudWatch's older name of it in a header.
fn failure(format: Format, service: Option<Service>, error: &ApiError) -> Response {
    // Modelled errors of Application Auto Scaling spell their message with a capital (aws-autoscaling.md 1.1).
    let member = if service == Some(Service::ApplicationAutoScaling) {
        "Message"
    } else {
        "message"
    };
    let mut body = json!({ "__type": error.code });
    if let (Some(map), false) = (body.as_object_mut(), error.message.is_empty()) {
        map.insert(member.to_owned(), json!(error.message));
    }
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    let response = encoded(format, status, &body);
    match error.query_code {
        Some(code) => {
            let fault = if status.is_server_error() {
                "Receiver"
            } else {
                "Sender"
            };
            response.with_header(QUERY_ERROR, &format!("{code};{fault}"))
        }
        None => response,
    }
}

/// What speaks none of the protocols gets told which ones there are.
fn not_aws(request: &Request) -> Response {
    let message = format!(
        "{} {} is not a request that this sandbox knows. It speaks AWS JSON 1.1 (Application Auto Scaling, \
         SageMaker), AWS JSON 1.0 and Smithy RPC v2 CBOR (CloudWatch), and /_sandbox.",
        request.method, request.path
    );
    let body = json!({ "__type": "UnknownOperationException", "message": message });
    Response::new(
        StatusCode::NOT_FOUND,
        "application/x-amz-json-1.1",
        body.to_string(),
    )
}
