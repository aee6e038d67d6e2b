//! evenkeel keeps Amazon SageMaker endpoints at the right size.

pub mod adopt;
pub mod app;
pub mod aws;
pub mod build;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod num;
pub mod ports;
pub mod runtime;
pub mod sim;
pub mod telemetry;
pub mod view;
pub mod web;
