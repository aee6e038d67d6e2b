//! How an alarm judges data with holes (aws-autoscaling.md 3.2). A pure function with AWS's truth tables as tests.

/// What a missing datapoint counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TreatMissing {
    Missing,
    Ignore,
    Breaching,
    NotBreaching,
}

/// What the data says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    Ok,
    Alarm,
    InsufficientData,
    /// The alarm keeps the state it has.
    Keep,
}

/// Judges the datapoints of an evaluation range, newest first: `Some(true)` breaches, `None` is missing.
///
/// `n` is the number of evaluation periods, `m` of datapoints to alarm. CloudWatch looks at a range longer than
/// `n`; when it finds `n` real points there, the newest `n` decide and the setting for missing data is
/// irrelevant. Otherwise missing points are filled in, as few as possible.
pub(crate) fn judge(
    newest_first: impl IntoIterator<Item = Option<bool>>,
    n: u32,
    m: u32,
    treat: TreatMissing,
) -> Judgement {
    let mut real = 0;
    let mut breaching = 0;
    let mut oldest_breaching_age = 0;
    for (age, point) in (1_u32..).zip(newest_first) {
        match point {
            Some(true) => {
                breaching += 1;
                oldest_breaching_age = age;
            }
            // With all points needed, one that does not breach among the newest n settles it.
            Some(false) if m == n => return Judgement::Ok,
            Some(false) => {}
            None => continue,
        }
        real += 1;
        if real == n {
            break;
        }
    }
    if real == n || breaching >= m {
        return if breaching >= m {
            Judgement::Alarm
        } else {
            Judgement::Ok
        };
    }
    judge_with_fills(
        &Seen {
            real,
            breaching,
            oldest_breaching_age,
        },
        n,
        m,
        treat,
    )
}

/// What was found when there was less than `n`.
struct Seen {
    real: u32,
    breaching: u32,
    oldest_breaching_age: u32,
}

fn judge_with_fills(seen: &Seen, n: u32, m: u32, treat: TreatMissing) -> Judgement {
    let fills = n - seen.real;
    let only_breaching = seen.real > 0 && seen.breaching == seen.real;
    match treat {
        TreatMissing::Breaching if seen.breaching + fills >= m => Judgement::Alarm,
        TreatMissing::Ignore if seen.real == 0 || only_breaching => Judgement::Keep,
        TreatMissing::Missing if seen.real == 0 => Judgement::InsufficientData,
        // The rule against premature alarms: too few points alarm only when all of them breach and the oldest is
        // at least m periods old. A single fresh breach may be followed by points that do not.
        TreatMissing::Missing if only_breaching && seen.oldest_breaching_age >= m => {
            Judgement::Alarm
        }
        TreatMissing::Missing
        | TreatMissing::Ignore
        | TreatMissing::Breaching
        | TreatMissing::NotBreaching => Judgement::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: [TreatMissing; 4] = [
        TreatMissing::Missing,
        TreatMissing::Ignore,
        TreatMissing::Breaching,
        TreatMissing::NotBreaching,
    ];

    /// `0` ok, `X` breach, `-` missing; newest right, as AWS prints them.
    fn row(data: &str, m: u32) -> [Judgement; 4] {
        SETTINGS.map(|treat| {
            let points = data.chars().rev().map(|c| match c {
                '0' => Some(false),
                'X' => Some(true),
                _ => None,
            });
            judge(points, 3, m, treat)
        })
    }

    use Judgement::{Alarm, InsufficientData, Keep, Ok};

    #[test]
    fn aws_truth_table_three_of_three() {
        assert_eq!(row("0-X-X", 3), [Ok, Ok, Ok, Ok]);
        assert_eq!(row("0----", 3), [Ok, Ok, Ok, Ok]);
        assert_eq!(row("-----", 3), [InsufficientData, Keep, Alarm, Ok]);
        assert_eq!(row("0XX-X", 3), [Alarm, Alarm, Alarm, Alarm]);
        assert_eq!(row("--X--", 3), [Alarm, Keep, Alarm, Ok]);
    }

    #[test]
    fn aws_truth_table_two_of_three() {
        assert_eq!(row("0-X-X", 2), [Alarm, Alarm, Alarm, Alarm]);
        assert_eq!(row("00X0X", 2), [Alarm, Alarm, Alarm, Alarm]);
        assert_eq!(row("0-X--", 2), [Ok, Ok, Alarm, Ok]);
        assert_eq!(row("----0", 2), [Ok, Ok, Alarm, Ok]);
        assert_eq!(row("---X-", 2), [Alarm, Keep, Alarm, Ok]);
    }

    #[test]
    fn a_fresh_breach_alone_does_not_alarm() {
        assert_eq!(row("----X", 3)[0], Ok);
        assert_eq!(row("---X-", 3)[0], Ok);
        assert_eq!(row("--X--", 3)[0], Alarm);
    }
}
