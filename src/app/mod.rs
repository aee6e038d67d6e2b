//! Wiring: the only room that knows all the others.

mod settings;

pub use settings::settings;
