//! The simulated AWS: an engine without IO, and two doors to it.

pub mod engine;
pub mod scenario;
