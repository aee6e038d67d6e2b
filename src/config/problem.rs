//! What is wrong with a config, for people.

use std::fmt;

/// One mistake, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file or the environment variable that the value came from.
    pub source: String,
    /// The key path, for example `targets[0].bounds.min`; empty for the file as a whole.
    pub path: String,
    /// What is wrong, with the value.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.what)?;
        if self.remedy.is_empty() {
            Ok(())
        } else {
            write!(f, "\n    remedy: {}", self.remedy)
        }
    }
}

/// Every mistake of a config, in the order of reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
