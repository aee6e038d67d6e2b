//! Instants and spans of the simulated world, in whole milliseconds.

use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// A length of time in milliseconds; negative spans point backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// One minute, the grid of metrics and alarms.
    pub const MINUTE: Self = Self(60_000);

    /// A span of milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// A span of seconds.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds with fraction.
    #[must_use]
    pub fn secs_f64(self) -> f64 {
        crate::num::from_i64(self.0) / 1000.0
    }
}

/// An instant: milliseconds since the Unix epoch, UTC, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(i64);

impl Instant {
    /// The instant `millis` after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The instant `secs` after the Unix epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The number of the minute this instant lies in, counted from the epoch.
    #[must_use]
    pub const fn minute(self) -> i64 {
        self.0.div_euclid(Span::MINUTE.0)
    }

    /// The first instant of a minute.
    #[must_use]
    pub const fn of_minute(minute: i64) -> Self {
        Self(minute.saturating_mul(Span::MINUTE.0))
    }

    /// The latest instant not after this one that is a multiple of `grid` since the epoch.
    #[must_use]
    pub const fn floor(self, grid: Span) -> Self {
        if grid.0 <= 0 {
            self
        } else {
            Self(self.0 - self.0.rem_euclid(grid.0))
        }
    }
}

impl Instant {
    fn civil(self) -> (chrono::DateTime<chrono::Utc>, u32) {
        let time = chrono::DateTime::from_timestamp_millis(self.0).unwrap_or_default();
        (time, time.timestamp_subsec_millis())
    }

    /// As CloudWatch writes instants in JSON texts: `2025-07-03T08:34:06.300+0000`.
    #[must_use]
    pub fn aws_text(self) -> String {
        let (time, millis) = self.civil();
        format!("{}.{millis:03}+0000", time.format("%Y-%m-%dT%H:%M:%S"))
    }

    /// As CloudWatch writes instants in sentences: `03/07/25 08:34:00`.
    #[must_use]
    pub fn utc_text(self) -> String {
        self.civil().0.format("%d/%m/%y %H:%M:%S").to_string()
    }

    /// Reads what [`Self::aws_text`] writes, and RFC 3339.
    #[must_use]
    pub fn parse_aws_text(text: &str) -> Option<Self> {
        chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z")
            .or_else(|_| chrono::DateTime::parse_from_rfc3339(text))
            .ok()
            .map(|time| Self(time.timestamp_millis()))
    }
}

impl Add<Span> for Instant {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Instant {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Instant {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for Instant {
    type Output = Span;

    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

/// An instant on the wire: epoch seconds with fraction in JSON, tag 1 in CBOR.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timestamp(pub Instant);

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let secs = crate::num::from_i64(self.0.0) / 1000.0;
        serializer.serialize_f64(secs)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let secs = f64::deserialize(deserializer)?;
        Ok(Self(Instant::from_millis(crate::num::round_to_i64(
            secs * 1000.0,
        ))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_counted_from_the_epoch_also_before_it() {
        assert_eq!(Instant::from_secs(119).minute(), 1);
        assert_eq!(Instant::from_secs(-1).minute(), -1);
        assert_eq!(Instant::of_minute(2), Instant::from_secs(120));
        assert_eq!(
            Instant::from_secs(125).floor(Span::from_secs(10)),
            Instant::from_secs(120)
        );
    }
}
