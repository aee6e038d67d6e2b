//! What is wrong with a schedule, as AWS would see it, and what would be right.

use std::fmt;

use super::field::Field;

/// A text that AWS Application Auto Scaling would not take as a schedule.
///
/// Its `Display` says what is wrong; the remedy stands apart, because a config problem shows it on a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` is not a schedule: {reason}")]
pub struct ScheduleError {
    /// The rejected text.
    pub expression: String,
    /// Why AWS rejects it.
    pub reason: Reason,
    /// What would be right, as a sentence.
    pub remedy: String,
}

impl ScheduleError {
    pub(super) fn new(expression: &str, reason: Reason, remedy: impl Into<String>) -> Self {
        Self {
            expression: expression.to_owned(),
            reason,
            remedy: remedy.into(),
        }
    }
}

/// Why AWS rejects a schedule (aws-autoscaling.md 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Neither `cron(...)`, `rate(...)` nor `at(...)`.
    UnknownForm,
    /// A bracket that does not close, or something behind it.
    Brackets,
    /// The fields of a cron expression.
    Cron(CronFault),
    /// A rate is not a whole number and a unit.
    RateShape,
    /// A rate of zero, or one that does not fit 32 bits.
    RateValue,
    /// Something else than minutes, hours or days.
    RateUnit(String),
    /// Not `yyyy-mm-ddThh:mm:ss`.
    AtShape,
    /// A zone or an offset behind the time.
    AtZone,
    /// A date or time that no calendar has.
    AtDate,
    /// A local time that the zone skips as its clocks go forward.
    AtGap {
        /// The zone, by its IANA name.
        zone: &'static str,
    },
    /// Years outside 1970 to 2199.
    AtYear,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownForm => write!(f, "it is none of cron(...), rate(...) and at(...)"),
            Self::Brackets => write!(f, "its brackets do not match"),
            Self::Cron(fault) => fault.fmt(f),
            Self::RateShape => write!(f, "a rate is a whole number, a blank and a unit"),
            Self::RateValue => write!(f, "a rate counts from 1 to 4294967295"),
            Self::RateUnit(unit) => {
                write!(
                    f,
                    "a rate is in minutes, hours or days, and `{unit}` is none"
                )
            }
            Self::AtShape => write!(f, "at takes yyyy-mm-ddThh:mm:ss"),
            Self::AtZone => write!(
                f,
                "at takes a local time without a zone or an offset; the zone is the schedule's timezone"
            ),
            Self::AtDate => write!(f, "there is no such date or time"),
            Self::AtGap { zone } => write!(
                f,
                "there is no such time in {zone}: the clocks go forward over it"
            ),
            Self::AtYear => write!(f, "the year is not within 1970 to 2199"),
        }
    }
}

/// What is wrong with the fields of a cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CronFault {
    /// Neither six fields nor seven.
    FieldCount(usize),
    /// Five fields: a cron line of Unix.
    Crontab,
    /// `?` for both kinds of day.
    NoDay,
    /// `?` for neither kind of day.
    TwoDays,
    /// One field is wrong.
    Field {
        /// Which.
        field: Field,
        /// The part that is wrong.
        text: String,
        /// In what way.
        fault: FieldFault,
    },
    /// No calendar could be made of fields that are right; a fault of evenkeel.
    Calendar,
}

impl fmt::Display for CronFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FieldCount(count) => write!(
                f,
                "cron takes six fields (minutes, hours, day-of-month, month, day-of-week, year), or seven with \
                 seconds first, and this has {count}"
            ),
            Self::Crontab => write!(
                f,
                "it has the five fields of a Unix crontab; AWS takes six, the last one the year, and one of the days \
                 is `?`"
            ),
            Self::NoDay => write!(
                f,
                "day-of-month and day-of-week are both `?`; AWS takes exactly one of them as `?`"
            ),
            Self::TwoDays => write!(
                f,
                "neither day-of-month nor day-of-week is `?`; AWS takes exactly one of them as `?`"
            ),
            Self::Field { field, text, fault } => {
                let (name, (min, max)) = (field.label(), field.range());
                match fault {
                    FieldFault::Empty => write!(f, "{name} has an empty entry in its list"),
                    FieldFault::Unknown => write!(f, "{name} does not take `{text}`"),
                    FieldFault::OutOfRange => {
                        write!(f, "{name} goes from {min} to {max}, and `{text}` does not")
                    }
                    FieldFault::Backward => {
                        write!(f, "{name} can not go backward, as `{text}` does")
                    }
                    FieldFault::Step => write!(
                        f,
                        "a step of {name} is 1 to {max}, and that of `{text}` is not"
                    ),
                    FieldFault::Alone => write!(
                        f,
                        "`{text}` holds an entry of {name} that stands alone, not in a list"
                    ),
                    FieldFault::Nth => write!(
                        f,
                        "the number behind # is 1 to 5, and that of `{text}` is not"
                    ),
                    FieldFault::Offset => write!(
                        f,
                        "the number behind L- is 0 to 30, and that of `{text}` is not"
                    ),
                }
            }
            Self::Calendar => write!(f, "no calendar could be made of it"),
        }
    }
}

/// In what way a cron field is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldFault {
    /// Nothing between two commas.
    Empty,
    /// No value, name or wildcard of this field.
    Unknown,
    /// A value outside the field's range.
    OutOfRange,
    /// A range of years that ends before it begins. All other fields wrap.
    Backward,
    /// A step of zero, above the field's maximum, or no number.
    Step,
    /// `?`, `L`, `W` or `#` in a list.
    Alone,
    /// `d#k` with k outside 1 to 5.
    Nth,
    /// `L-n` with n outside 0 to 30.
    Offset,
}
