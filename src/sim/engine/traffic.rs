//! Requests per minute that an endpoint receives.

use std::sync::Arc;

use super::chance::{Chance, Purpose};

/// How the mean load changes over time. All rates are requests per minute for the whole endpoint.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// The same all the time.
    Steady {
        /// Requests per minute.
        rpm: f64,
    },
    /// A wave with a period of one day.
    Daily {
        /// At the lowest point.
        low: f64,
        /// At the highest point.
        high: f64,
        /// Minute of the day (UTC) of the highest point.
        peak_minute: i64,
    },
    /// A base load with bursts on top.
    Bursts {
        /// Between bursts.
        base: f64,
        /// During a burst.
        burst: f64,
        /// Minutes from one burst's start to the next; the first starts this long after the beginning of time.
        every: i64,
        /// Minutes that a burst lasts.
        lasting: i64,
    },
    /// One rate per minute from the world's first minute on; after the last one it starts again.
    Trace {
        /// Requests per minute.
        rpm: Arc<[f64]>,
    },
}

/// The load of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// How its mean changes.
    pub shape: Shape,
    /// Whether requests arrive as independent people send them (Poisson), or exactly at the mean.
    pub random: bool,
    /// The minute from which bursts and traces are counted.
    pub origin: i64,
}

impl Traffic {
    /// No requests at all.
    #[must_use]
    pub fn none() -> Self {
        Self {
            shape: Shape::Steady { rpm: 0.0 },
            random: false,
            origin: 0,
        }
    }

    /// The mean rate in a minute, counted from the epoch.
    #[must_use]
    pub fn mean(&self, minute: i64) -> f64 {
        match &self.shape {
            Shape::Steady { rpm } => *rpm,
            Shape::Daily {
                low,
                high,
                peak_minute,
            } => {
                let from_peak = crate::num::from_i64((minute - peak_minute).rem_euclid(1440));
                let wave = f64::midpoint(1.0, (from_peak / 1440.0 * std::f64::consts::TAU).cos());
                low + (high - low) * wave
            }
            Shape::Bursts {
                base,
                burst,
                every,
                lasting,
            } => {
                let since = minute - self.origin;
                let bursting = *every > 0 && since >= *every && since.rem_euclid(*every) < *lasting;
                if bursting { *burst } else { *base }
            }
            Shape::Trace { rpm } => {
                let length = i64::try_from(rpm.len()).unwrap_or(i64::MAX).max(1);
                let at = usize::try_from((minute - self.origin).rem_euclid(length)).unwrap_or(0);
                rpm.get(at).copied().unwrap_or(0.0)
            }
        }
    }

    /// Requests that arrive in a minute at the endpoint numbered `serial`.
    pub(crate) fn requests(&self, minute: i64, serial: u64, chance: Chance) -> f64 {
        let mean = self.mean(minute);
        if self.random {
            chance.arrivals(Purpose::Traffic, serial, minute.unsigned_abs(), mean)
        } else {
            mean
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(shape: Shape) -> Traffic {
        Traffic {
            shape,
            random: false,
            origin: 100,
        }
    }

    #[test]
    fn the_daily_wave_peaks_at_its_minute() {
        let traffic = exact(Shape::Daily {
            low: 100.0,
            high: 500.0,
            peak_minute: 840,
        });
        assert!((traffic.mean(840) - 500.0).abs() < 1e-9);
        assert!((traffic.mean(840 + 720) - 100.0).abs() < 1e-9);
        assert!((traffic.mean(840 + 1440 * 365) - 500.0).abs() < 1e-9);
    }

    #[test]
    fn bursts_come_after_every_interval_and_end() {
        let traffic = exact(Shape::Bursts {
            base: 10.0,
            burst: 90.0,
            every: 30,
            lasting: 5,
        });
        let rates: Vec<f64> = [100, 129, 130, 134, 135, 160]
            .map(|m| traffic.mean(m))
            .to_vec();
        assert_eq!(rates, [10.0, 10.0, 90.0, 90.0, 10.0, 90.0]);
    }

    #[test]
    fn a_trace_starts_at_the_origin_and_repeats() {
        let traffic = exact(Shape::Trace {
            rpm: Arc::from([1.0, 2.0, 3.0]),
        });
        let rates = [100, 101, 102, 103].map(|m| traffic.mean(m)).to_vec();
        assert_eq!(rates, [1.0, 2.0, 3.0, 1.0]);
        assert!(exact(Shape::Trace { rpm: Arc::from([]) }).mean(100).abs() < f64::EPSILON);
    }
}
