//! Statistics of a period, and the words for them.

/// Count, sum, minimum and maximum of the samples of one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StatSet {
    pub(crate) count: f64,
    pub(crate) sum: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl StatSet {
    /// One sample, `count` times.
    pub(crate) fn repeated(value: f64, count: f64) -> Self {
        Self {
            count,
            sum: value * count,
            min: value,
            max: value,
        }
    }

    /// Every sample times a factor that is not negative.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self {
            count: self.count,
            sum: self.sum * factor,
            min: self.min * factor,
            max: self.max * factor,
        }
    }

    /// The samples of both.
    pub(crate) fn merge(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    /// One number, or nothing when there is no sample to speak of.
    pub(crate) fn pick(self, stat: Stat) -> Option<f64> {
        if self.count <= 0.0 {
            return None;
        }
        Some(match stat {
            Stat::Average => self.sum / self.count,
            Stat::Sum => self.sum,
            Stat::Minimum => self.min,
            Stat::Maximum => self.max,
            Stat::SampleCount => self.count,
            Stat::Percentile(p) => self.percentile(p),
        })
    }

    /// A percentile as far as four numbers can tell: a curve from the minimum over the mean to the maximum.
    fn percentile(self, p: f64) -> f64 {
        let mean = self.sum / self.count;
        if p <= 50.0 {
            self.min + (mean - self.min) * p / 50.0
        } else {
            mean + (self.max - mean) * ((p - 50.0) / 50.0).powi(3)
        }
    }
}

/// What one number to take from a [`StatSet`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Stat {
    Average,
    Sum,
    Minimum,
    Maximum,
    SampleCount,
    /// 0 to 100.
    Percentile(f64),
}

impl Stat {
    /// CloudWatch's words, the percentiles as `p99` or `p99.9`.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "Average" => Some(Self::Average),
            "Sum" => Some(Self::Sum),
            "Minimum" => Some(Self::Minimum),
            "Maximum" => Some(Self::Maximum),
            "SampleCount" => Some(Self::SampleCount),
            other => {
                let p: f64 = other.strip_prefix('p')?.parse().ok()?;
                (0.0..=100.0).contains(&p).then_some(Self::Percentile(p))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_every_sample() {
        let set = StatSet::repeated(2.0, 3.0).merge(StatSet::repeated(8.0, 1.0));
        assert_eq!(set.pick(Stat::Average), Some(3.5));
        assert_eq!(set.pick(Stat::Sum), Some(14.0));
        assert_eq!(set.pick(Stat::Minimum), Some(2.0));
        assert_eq!(set.pick(Stat::Maximum), Some(8.0));
        assert_eq!(set.pick(Stat::SampleCount), Some(4.0));
    }

    #[test]
    fn words_are_cloudwatchs() {
        assert_eq!(Stat::parse("p99.9"), Some(Stat::Percentile(99.9)));
        assert_eq!(Stat::parse("p101"), None);
        assert_eq!(Stat::parse("average"), None);
    }
}
