//! The few conversions between number types that the standard library leaves to `as`.
//!
//! Each is exact or saturating over the range it is used for, and says so; nothing else in the crate casts.

/// A count as a float; exact up to 2^53, far above any count of ours.
#[must_use]
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "exact up to 2^53; counts of targets, requests and datapoints stay below"
)]
pub fn from_usize(n: usize) -> f64 {
    n as f64
}

/// A number of milliseconds or slots as a float; exact up to 2^53 (milliseconds: 285,000 years).
#[must_use]
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "exact up to 2^53; instants and spans stay below"
)]
pub fn from_i64(n: i64) -> f64 {
    n as f64
}

/// A hash as a float in [0, 1): its upper 53 bits.
#[must_use]
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "53 bits are exactly what a float holds"
)]
pub fn unit_interval(hash: u64) -> f64 {
    (hash >> 11) as f64 / 9_007_199_254_740_992.0
}

/// Rounds down; negative numbers and NaN become 0, numbers too large the largest.
#[must_use]
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
pub fn floor_to_usize(x: f64) -> usize {
    x.floor() as usize
}

/// Rounds up to a count of units; negative numbers and NaN become 0, numbers too large the largest.
#[must_use]
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to integer cast saturates"
)]
pub fn ceil_to_u32(x: f64) -> u32 {
    x.ceil() as u32
}

/// Rounds to the nearest whole number, saturating; NaN becomes 0.
#[must_use]
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "a float to integer cast saturates"
)]
pub fn round_to_i64(x: f64) -> i64 {
    x.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float_to_integer_saturates() {
        assert_eq!(floor_to_usize(-1.0), 0);
        assert_eq!(floor_to_usize(2.9), 2);
        assert_eq!(ceil_to_u32(f64::NAN), 0);
        assert_eq!(ceil_to_u32(1e18), u32::MAX);
        assert_eq!(round_to_i64(f64::INFINITY), i64::MAX);
    }

    #[test]
    fn unit_interval_is_half_open() {
        assert!(unit_interval(u64::MAX) < 1.0);
        assert!(unit_interval(0) >= 0.0);
    }
}
