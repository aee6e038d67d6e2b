//! Whoever started this process and watches over it.

use std::fmt::Debug;

/// What a service manager is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// It does what it is there for.
    Ready,
    /// The config is read again; `Ready` follows.
    Reloading,
    /// All loops tick.
    Alive,
    /// How it stands, in a line for people.
    Status(String),
    /// It ends.
    Stopping,
}

/// A service manager, systemd for one.
pub trait ServiceManager: Debug + Send + Sync {
    /// Tells it something. Whoever can not be told can not be told that either.
    fn tell(&self, sign: &Sign);
}
