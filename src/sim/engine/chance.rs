//! Seeded chance without state: a draw is a hash of what it is for.
//!
//! A draw depends on the seed, its purpose and two keys (say, variant and minute), never on how many draws came
//! before. So traffic of a minute is the same whoever asks, in whatever order, and an extra draw in one place
//! does not reshuffle the rest of the world.

/// What a draw is for; each purpose is a stream of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Requests of an endpoint in a minute.
    Traffic,
    /// How late a datapoint becomes visible.
    PublishDelay,
    /// How long a signal travels from alarm to scaling.
    SignalDelay,
    /// How long instances take to come into service.
    StartUp,
    /// How long instances take to leave.
    ScaleIn,
    /// How long a new or updated endpoint takes.
    Deployment,
    /// How long copies of a component take, and instances for them.
    Copies,
    /// How late a scheduled action runs.
    Lateness,
    /// Ids of what clients make.
    Identity,
    /// Ids of activities, which are made when someone asks.
    ActivityIdentity,
}

/// The source of all chance in one world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance {
    seed: u64,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// 64 well mixed bits: `SplitMix64`'s finaliser over the sum of the keys, each spread by an odd constant.
    pub(crate) fn hash(self, purpose: Purpose, a: u64, b: u64) -> u64 {
        let keyed = self
            .seed
            .wrapping_add(purpose.key().wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .wrapping_add(a.wrapping_mul(0xD1B5_4A32_D192_ED03))
            .wrapping_add(b.wrapping_mul(0x8CB9_2BA7_2F3D_8DD7));
        mix(mix(keyed))
    }

    /// A whole number in [`low`, `high`], evenly; `low` when the range is empty.
    pub(crate) fn between(self, purpose: Purpose, a: u64, b: u64, low: i64, high: i64) -> i64 {
        let Ok(width) = u64::try_from(high.saturating_sub(low)) else {
            return low;
        };
        // The upper half of a 128-bit product scales 64 random bits to [0, width].
        let steps = (u128::from(self.hash(purpose, a, b)) * (u128::from(width) + 1)) >> 64;
        low.saturating_add(i64::try_from(steps).unwrap_or(0))
    }

    /// A count with mean `mean` and the spread of independent arrivals (Poisson).
    ///
    /// Small means by inversion; larger ones by a normal approximation from the sum of four uniforms, whose
    /// tails end at 3.5 standard deviations. Good enough for traffic, and fast.
    pub(crate) fn arrivals(self, purpose: Purpose, a: u64, b: u64, mean: f64) -> f64 {
        if mean <= 0.0 {
            return 0.0;
        }
        let bits = self.hash(purpose, a, b);
        if mean < 12.0 {
            return poisson_by_inversion(mean, crate::num::unit_interval(bits));
        }
        let quarter = |shift: u32| f64::from(u16::try_from((bits >> shift) & 0xFFFF).unwrap_or(0));
        let sum = (quarter(0) + quarter(16) + quarter(32) + quarter(48)) / 65_536.0;
        // Four uniforms have mean 2 and variance 1/3.
        let z = (sum - 2.0) * 3.0_f64.sqrt();
        (mean + mean.sqrt() * z).round().max(0.0)
    }
}

impl Purpose {
    fn key(self) -> u64 {
        match self {
            Self::Traffic => 1,
            Self::PublishDelay => 2,
            Self::SignalDelay => 3,
            Self::StartUp => 4,
            Self::ScaleIn => 5,
            Self::Deployment => 6,
            Self::Identity => 7,
            Self::ActivityIdentity => 8,
            Self::Copies => 9,
            Self::Lateness => 10,
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn poisson_by_inversion(mean: f64, unit: f64) -> f64 {
    let mut probability = (-mean).exp();
    let mut cumulative = probability;
    let mut count = 0.0;
    // 64 is far beyond any quantile of a mean below 12 that 53 bits can ask for.
    while unit >= cumulative && count < 64.0 {
        count += 1.0;
        probability *= mean / count;
        cumulative += probability;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(mean: f64) -> (f64, f64) {
        let chance = Chance::new(7);
        let n = 20_000_u32;
        let draws: Vec<f64> = (0..n)
            .map(|i| chance.arrivals(Purpose::Traffic, 3, u64::from(i), mean))
            .collect();
        let average = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|x| (x - average).powi(2)).sum::<f64>() / f64::from(n);
        (average, variance)
    }

    #[test]
    fn arrivals_have_the_mean_and_spread_of_poisson() {
        for mean in [0.5, 5.0, 11.9, 12.0, 100.0, 10_000.0] {
            let (average, variance) = sample(mean);
            assert!(
                (average / mean - 1.0).abs() < 0.03,
                "mean {mean}: {average}"
            );
            assert!(
                (variance / mean - 1.0).abs() < 0.05,
                "mean {mean}: variance {variance}"
            );
        }
    }

    #[test]
    fn draws_depend_on_seed_purpose_and_keys_only() {
        let chance = Chance::new(1);
        let draw = chance.hash(Purpose::StartUp, 2, 3);
        assert_eq!(draw, chance.hash(Purpose::StartUp, 2, 3));
        for other in [
            Chance::new(2).hash(Purpose::StartUp, 2, 3),
            chance.hash(Purpose::ScaleIn, 2, 3),
            chance.hash(Purpose::StartUp, 3, 3),
            chance.hash(Purpose::StartUp, 2, 4),
            chance.hash(Purpose::StartUp, 3, 2),
        ] {
            assert_ne!(draw, other);
        }
    }

    #[test]
    fn between_covers_both_ends_and_nothing_beyond() {
        let chance = Chance::new(9);
        let draws: Vec<i64> = (0..1000)
            .map(|i| chance.between(Purpose::StartUp, i, 0, 2, 5))
            .collect();
        assert_eq!(draws.iter().min(), Some(&2));
        assert_eq!(draws.iter().max(), Some(&5));
        assert_eq!(chance.between(Purpose::StartUp, 0, 0, 4, 4), 4);
    }
}
