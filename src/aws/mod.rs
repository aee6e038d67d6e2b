//! AWS: the adapters over the three SDKs, and the only room that may import them.
//!
//! An adapter builds a request, sends it, converts the answer and classifies the error; its callers never learn
//! which SDK it was. Every request has a timeout and is counted, retries included.

mod client;
mod cloudwatch;
mod convert;
mod error;
mod pace;
mod pages;
mod post;
mod requests;
mod sagemaker;
mod scaling;

pub use client::{ConnectError, ScopeOptions, connect};
pub use post::HttpPoster;
