//! The simulated AWS: an engine without IO, and two doors to it.

mod clock;
mod door;
pub mod engine;
mod sandbox;
pub mod scenario;
pub mod wire;

pub use clock::SandboxClock;
pub use door::Door;
pub use sandbox::{Sandbox, to_instant, to_time};
