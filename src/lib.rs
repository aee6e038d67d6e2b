//! evenkeel keeps Amazon SageMaker endpoints at the right size.

pub mod app;
pub mod config;
pub mod domain;
pub mod num;
pub mod ports;
pub mod runtime;
pub mod sim;
