//! The wire door: the simulated AWS for any AWS client.
//!
//! AWS JSON 1.1 for Application Auto Scaling and SageMaker; Smithy RPC v2 CBOR and AWS JSON 1.0 for CloudWatch;
//! `InvokeEndpoint` of the SageMaker runtime, so that real requests count. Signatures are not checked. Under
//! `/_sandbox` it has what AWS has not: the clock, and the load on an endpoint.

mod cbor;
mod control;
mod dispatch;
mod protocol;

pub use dispatch::{Service, call};
pub use protocol::WireDoor;
