//! What evenkeel's own calls cost, by AWS's price list (aws-autoscaling.md 6.3; us-east-1, before any free tier).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::metric::{CustomMetric, MathMetric, MathPart, Statistic};

/// Dollars per metric that GetMetricData is asked for, however many points come back.
const METRIC_DOLLARS: f64 = 0.000_01;
/// Dollars per other call to CloudWatch. Application Auto Scaling, SageMaker and STS take nothing.
const CALL_DOLLARS: f64 = 0.000_01;
/// Statistics of one metric in one call that are billed as one metric.
const STATISTICS_PER_METRIC: usize = 5;
/// Hours in a mean month.
const MONTH_HOURS: f64 = 730.5;
/// So many hours' worth an allowance saves up, for a bad day.
const MOST_HOURS: f64 = 24.0;
/// And so many it begins with: a process that is restarted again and again must not overdraw.
const FIRST_HOURS: f64 = 1.0;

/// What so many metrics cost.
#[must_use]
pub fn metrics_dollars(billed: usize) -> f64 {
    METRIC_DOLLARS * crate::num::from_usize(billed)
}

/// What so many other calls to CloudWatch cost.
#[must_use]
pub fn calls_dollars(calls: usize) -> f64 {
    CALL_DOLLARS * crate::num::from_usize(calls)
}

/// What so many metrics, or calls, come to in a month when they are asked for at this interval.
#[must_use]
pub fn monthly_dollars(billed: usize, every: TimeDelta) -> f64 {
    let hours = crate::num::from_i64(every.num_seconds().max(1)) / 3600.0;
    metrics_dollars(billed) * MONTH_HOURS / hours
}

/// A part of a budget, by a part of the targets.
#[must_use]
pub fn share(budget: f64, ours: usize, all: usize) -> f64 {
    budget * crate::num::from_usize(ours) / crate::num::from_usize(all.max(1))
}

/// What one call to a service costs, apart from the metrics that it is asked for.
#[must_use]
pub fn call_dollars(service: &str, operation: &str) -> f64 {
    if service == "cloudwatch" && operation != "GetMetricData" {
        CALL_DOLLARS
    } else {
        0.0
    }
}

/// As how many metrics AWS bills these in one call: up to 5 statistics of one metric count once.
pub fn metrics_billed<'a>(metrics: impl IntoIterator<Item = &'a CustomMetric>) -> usize {
    type Name<'a> = (&'a str, &'a str, &'a BTreeMap<String, String>);
    let mut statistics: BTreeMap<Name<'a>, BTreeSet<Statistic>> = BTreeMap::new();
    for metric in metrics {
        let name = (
            metric.namespace.as_str(),
            metric.name.as_str(),
            &metric.dimensions,
        );
        statistics.entry(name).or_default().insert(metric.statistic);
    }
    let billed = |one: &BTreeSet<Statistic>| one.len().div_ceil(STATISTICS_PER_METRIC);
    statistics.values().map(billed).sum()
}

/// The metrics that an expression is made of: each is billed, the expression is not.
pub fn metrics_of(math: &MathMetric) -> impl Iterator<Item = &CustomMetric> {
    math.parts.values().filter_map(|part| match part {
        MathPart::Series(metric) => Some(metric),
        MathPart::Expression(_) => None,
    })
}

/// Dollars that may be spent: they come in evenly over the month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// May be below zero: some calls are made all the same.
    left: f64,
    at: DateTime<Utc>,
}

impl Allowance {
    /// An allowance of so many dollars a month, as it begins.
    #[must_use]
    pub fn new(monthly: f64, now: DateTime<Utc>) -> Self {
        Self {
            left: monthly / MONTH_HOURS * FIRST_HOURS,
            at: now,
        }
    }

    /// What has come in since the last time. A clock that goes back brings nothing.
    pub fn refill(&mut self, monthly: f64, now: DateTime<Utc>) {
        let hours =
            crate::num::from_i64(now.signed_duration_since(self.at).num_milliseconds()) / 3.6e6;
        let hourly = monthly / MONTH_HOURS;
        let most = hourly * MOST_HOURS;
        self.left = (self.left + hourly * hours.clamp(0.0, MOST_HOURS)).min(most);
        self.at = now;
    }

    /// Dollars that are left.
    #[must_use]
    pub fn left(&self) -> f64 {
        self.left
    }

    /// Spends, whatever is left.
    pub fn spend(&mut self, dollars: f64) {
        self.left -= dollars;
    }

    /// Spends if there is enough.
    #[must_use]
    pub fn take(&mut self, dollars: f64) -> bool {
        let enough = self.left >= dollars;
        if enough {
            self.left -= dollars;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metric(name: &str, statistic: Statistic) -> CustomMetric {
        CustomMetric {
            namespace: "N".to_owned(),
            name: name.to_owned(),
            dimensions: BTreeMap::new(),
            statistic,
            unit: None,
        }
    }

    #[test]
    fn five_statistics_of_one_metric_bill_as_one() {
        use Statistic::{Average, Maximum, Minimum, SampleCount, Sum};
        let all = [Average, Maximum, Minimum, SampleCount, Sum].map(|s| metric("a", s));
        assert_eq!(metrics_billed(&all), 1);
        let two = [metric("a", Sum), metric("b", Sum), metric("b", Sum)];
        assert_eq!(metrics_billed(&two), 2);
        assert_eq!(metrics_billed([]), 0);
    }

    #[test]
    fn only_cloudwatch_takes_money() {
        assert!(call_dollars("cloudwatch", "DescribeAlarms") > 0.0);
        for free in ["application-autoscaling", "sagemaker", "sts"] {
            assert!(call_dollars(free, "Anything") <= 0.0);
        }
        // Its metrics are what is billed.
        assert!(call_dollars("cloudwatch", "GetMetricData") <= 0.0);
    }

    proptest! {
        /// However it is asked, no more is spent than has come in, and a day's worth.
        #[test]
        fn an_allowance_is_kept(
            monthly in 0.1_f64..1000.0,
            asks in prop::collection::vec((0_i64..7200, 0.0_f64..0.5), 1..200),
        ) {
            let begin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
            let mut now = begin;
            let mut allowance = Allowance::new(monthly, now);
            let mut spent = 0.0;
            for (seconds, dollars) in asks {
                now = now.checked_add_signed(TimeDelta::seconds(seconds)).unwrap();
                allowance.refill(monthly, now);
                if allowance.take(dollars) {
                    spent += dollars;
                }
                prop_assert!(allowance.left() >= 0.0);
            }
            let hours = crate::num::from_i64(now.signed_duration_since(begin).num_seconds()) / 3600.0;
            prop_assert!(spent <= monthly / MONTH_HOURS * (hours + FIRST_HOURS) + 1e-9);
        }
    }
}
