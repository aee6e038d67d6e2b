//! How a command fails, and with which exit code.

use std::fmt;

use crate::config::Problems;

/// Something went wrong.
pub const FAILED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 64;
/// A fault of this program.
pub const INTERNAL: u8 = 70;
/// The config is wrong; starting again does not help.
pub const CONFIG: u8 = 78;

/// How a command fails.
#[derive(Debug)]
pub enum Failure {
    /// The config is wrong.
    Config(Problems),
    /// The command line asks for something that is not there.
    Usage(String),
    /// The world did not let us.
    World(anyhow::Error),
    /// A fault of this program.
    Internal(String),
}

impl Failure {
    /// A failure of the world with a sentence.
    pub fn world(why: impl Into<String>) -> Self {
        Self::World(anyhow::Error::msg(why.into()))
    }

    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => CONFIG,
            Self::Usage(_) => USAGE,
            Self::World(_) => FAILED,
            Self::Internal(_) => INTERNAL,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => {
                let count = problems.0.len();
                let (verb, plural) = if count == 1 {
                    ("is", "problem")
                } else {
                    ("are", "problems")
                };
                write!(f, "there {verb} {count} {plural}\n{problems}")
            }
            Self::Usage(why) => write!(f, "{why}"),
            // The whole chain, once, here at the edge.
            Self::World(error) => write!(f, "{error:#}"),
            Self::Internal(why) => write!(f, "internal error: {why}"),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::World(error)
    }
}
