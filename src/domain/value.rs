//! Numbers with a unit and a rule: target values and cooldowns.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

/// The value that target tracking holds its metric at, in the metric's own unit.
///
/// Finite, above zero and at most 2^360, the range of a CloudWatch threshold. Because NaN can not get in,
/// equality and order are total.
#[derive(Debug, Clone, Copy)]
pub struct TargetValue(f64);

/// A number that can not be a target value.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a target value must be a number above 0 and at most 2^360")]
pub struct TargetValueError;

impl TargetValue {
    /// Accepts a finite number in (0, 2^360].
    ///
    /// # Errors
    /// [`TargetValueError`] for anything else.
    pub fn new(value: f64) -> Result<Self, TargetValueError> {
        if value.is_finite() && value > 0.0 && value <= 2.0_f64.powi(360) {
            Ok(Self(value))
        } else {
            Err(TargetValueError)
        }
    }

    /// The number, in the metric's unit.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for TargetValue {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for TargetValue {}

impl PartialOrd for TargetValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TargetValue {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Display for TargetValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A finite number: thresholds and step bounds. Because NaN can not get in, equality and order are total; minus zero
/// is zero.
#[derive(Debug, Clone, Copy)]
pub struct Number(f64);

impl Number {
    /// Accepts any finite number.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        // Adding zero turns minus zero into zero and leaves everything else as it is.
        value.is_finite().then_some(Self(value + 0.0))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A cooldown in whole seconds, 0 to 2^31 - 1 (the API's integer). Zero is legal and means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cooldown(u32);

/// A duration that can not be a cooldown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cooldown is a whole number of seconds, 0 to 2147483647")]
pub struct CooldownError;

impl Cooldown {
    /// What AWS uses for SageMaker when a policy names none (aws-autoscaling.md 2.4): 300 s, both directions,
    /// target tracking and step.
    pub const SAGEMAKER_DEFAULT: Self = Self(300);

    /// Accepts seconds that fit the API's 32-bit integer.
    ///
    /// # Errors
    /// [`CooldownError`] above 2147483647.
    pub fn from_secs(secs: u32) -> Result<Self, CooldownError> {
        if i32::try_from(secs).is_ok() {
            Ok(Self(secs))
        } else {
            Err(CooldownError)
        }
    }

    /// Accepts a duration of whole seconds.
    ///
    /// # Errors
    /// [`CooldownError`] for fractions of a second and for what is too long.
    pub fn from_duration(duration: Duration) -> Result<Self, CooldownError> {
        if duration.subsec_nanos() != 0 {
            return Err(CooldownError);
        }
        u32::try_from(duration.as_secs())
            .map_err(|_| CooldownError)
            .and_then(Self::from_secs)
    }

    /// Seconds.
    #[must_use]
    pub fn as_secs(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Cooldown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_values_are_finite_and_positive() {
        for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, 2.0_f64.powi(361)] {
            assert!(TargetValue::new(bad).is_err(), "{bad}");
        }
        assert_eq!(TargetValue::new(70.0).unwrap().to_string(), "70");
        assert_eq!(TargetValue::new(0.5).unwrap().to_string(), "0.5");
    }

    #[test]
    fn cooldowns_are_whole_seconds_that_fit_the_api() {
        assert!(Cooldown::from_duration(Duration::from_millis(1500)).is_err());
        assert!(Cooldown::from_secs(u32::MAX).is_err());
        assert_eq!(
            Cooldown::from_duration(Duration::from_mins(1))
                .unwrap()
                .as_secs(),
            60
        );
    }
}
