//! The fields of a cron expression: their ranges and names, and lists of values, ranges and steps.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::error::{CronFault, FieldFault};

/// A field of a cron expression (aws-autoscaling.md 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// 0 to 59. AWS does not promise to keep the second.
    Seconds,
    /// 0 to 59.
    Minutes,
    /// 0 to 23.
    Hours,
    /// 1 to 31.
    DayOfMonth,
    /// 1 to 12, or JAN to DEC.
    Month,
    /// 1 to 7, or SUN to SAT: 1 is Sunday.
    DayOfWeek,
    /// 1970 to 2199.
    Year,
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// The days of the week in AWS's order: the first is 1.
pub(super) const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    /// AWS's name of the field, in lower case.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
            Self::Year => "year",
        }
    }

    /// The smallest and the largest value.
    #[must_use]
    pub fn range(self) -> (u32, u32) {
        match self {
            Self::Seconds | Self::Minutes => (0, 59),
            Self::Hours => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (1, 7),
            Self::Year => (1970, 2199),
        }
    }

    /// What the field takes, for a remedy.
    pub(super) fn takes(self) -> &'static str {
        match self {
            Self::Seconds | Self::Minutes => "0-59 with , - * /",
            Self::Hours => "0-23 with , - * /",
            Self::DayOfMonth => "1-31 with , - * / or one of ?, L, L-n, LW, nW",
            Self::Month => "1-12 or JAN-DEC with , - * /",
            Self::DayOfWeek => {
                "1-7 or SUN-SAT, where 1 is SUN, with , - * / or one of ?, L, nL, n#k"
            }
            Self::Year => "1970-2199 with , - * /",
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &DAYS,
            Self::Seconds | Self::Minutes | Self::Hours | Self::DayOfMonth | Self::Year => &[],
        }
    }

    pub(super) fn wrong(self, text: &str, fault: FieldFault) -> CronFault {
        CronFault::Field {
            field: self,
            text: text.to_owned(),
            fault,
        }
    }

    /// A value or a name, and how it is written.
    pub(super) fn value(self, text: &str) -> Result<(u32, String), CronFault> {
        let (min, max) = self.range();
        if let Some(number) = number(text) {
            if (min..=max).contains(&number) {
                return Ok((number, number.to_string()));
            }
            return Err(self.wrong(text, FieldFault::OutOfRange));
        }
        let named = (min..).zip(self.names());
        let mut named = named.filter(|(_, name)| name.eq_ignore_ascii_case(text));
        named
            .next()
            .map(|(number, name)| (number, (*name).to_owned()))
            .ok_or_else(|| self.wrong(text, FieldFault::Unknown))
    }
}

/// A number in plain digits; too large a one is the largest.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// A list of values, ranges and steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Values {
    /// What the field matches.
    pub(super) set: BTreeSet<u32>,
    /// The field in AWS's strict form.
    pub(super) text: String,
}

impl Values {
    /// Reads a list. Ranges wrap (`22-2`, `FRI-MON`) but for years; a step goes on to the end of the field.
    pub(super) fn parse(field: Field, text: &str) -> Result<Self, CronFault> {
        let mut values = Self {
            set: BTreeSet::new(),
            text: String::new(),
        };
        for entry in text.split(',') {
            if entry.is_empty() {
                return Err(field.wrong(text, FieldFault::Empty));
            }
            if !values.text.is_empty() {
                values.text.push(',');
            }
            values.add(field, entry)?;
        }
        Ok(values)
    }

    fn add(&mut self, field: Field, entry: &str) -> Result<(), CronFault> {
        let (min, max) = field.range();
        let (base, step) = match entry.split_once('/') {
            None => (entry, None),
            Some((base, step)) => {
                let step = number(step).filter(|step| (1..=max).contains(step));
                let step = step.ok_or_else(|| field.wrong(entry, FieldFault::Step))?;
                (base, Some(step))
            }
        };
        let (from, to, written) = if base == "*" {
            (min, max, "*".to_owned())
        } else if let Some((from, to)) = base.split_once('-') {
            let (from, to) = (field.value(from)?, field.value(to)?);
            if from.0 > to.0 && field == Field::Year {
                return Err(field.wrong(entry, FieldFault::Backward));
            }
            (from.0, to.0, format!("{}-{}", from.1, to.1))
        } else {
            let (from, written) = field.value(base)?;
            (from, if step.is_some() { max } else { from }, written)
        };
        let by = step
            .and_then(|step| usize::try_from(step).ok())
            .unwrap_or(1);
        if from <= to {
            self.set.extend((from..=to).step_by(by));
        } else {
            self.set.extend((from..=max).chain(min..=to).step_by(by));
        }
        self.text.push_str(&written);
        if let Some(step) = step {
            // Writing to a string can not fail.
            write!(self.text, "/{step}").unwrap_or_default();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(field: Field, text: &str) -> Vec<u32> {
        let values = Values::parse(field, text).unwrap();
        values.set.into_iter().collect()
    }

    fn fault(field: Field, text: &str) -> FieldFault {
        let CronFault::Field { fault, .. } = Values::parse(field, text).unwrap_err() else {
            panic!("{text}")
        };
        fault
    }

    #[test]
    fn values_ranges_steps_and_lists_add_up() {
        assert_eq!(set(Field::Minutes, "0/15"), [0, 15, 30, 45]);
        assert_eq!(set(Field::Minutes, "*/20"), [0, 20, 40]);
        assert_eq!(set(Field::Minutes, "10-20/5"), [10, 15, 20]);
        assert_eq!(set(Field::Minutes, "7,5,5-6"), [5, 6, 7]);
        assert_eq!(set(Field::Month, "jan,Mar-MAY"), [1, 3, 4, 5]);
        assert_eq!(set(Field::DayOfWeek, "MON-FRI"), [2, 3, 4, 5, 6]);
        assert_eq!(set(Field::DayOfMonth, "*/10"), [1, 11, 21, 31]);
        assert_eq!(set(Field::Year, "2190/4"), [2190, 2194, 2198]);
        assert_eq!(set(Field::Hours, "*").len(), 24);
    }

    #[test]
    fn ranges_wrap_in_every_field_but_the_year() {
        assert_eq!(set(Field::Hours, "22-2"), [0, 1, 2, 22, 23]);
        // A step counts from where the range begins: 22, 0, 2.
        assert_eq!(set(Field::Hours, "22-2/2"), [0, 2, 22]);
        assert_eq!(set(Field::DayOfWeek, "FRI-MON"), [1, 2, 6, 7]);
        assert_eq!(set(Field::Month, "NOV-FEB"), [1, 2, 11, 12]);
        assert_eq!(fault(Field::Year, "2030-2020"), FieldFault::Backward);
    }

    #[test]
    fn the_strict_form_has_capitals_and_no_leading_zeros() {
        let written = |field, text| Values::parse(field, text).unwrap().text;
        assert_eq!(written(Field::Minutes, "05,007-9/02,*"), "5,7-9/2,*");
        assert_eq!(written(Field::DayOfWeek, "mon-Fri/2"), "MON-FRI/2");
    }

    #[test]
    fn what_aws_rejects_says_in_what_way() {
        for (field, text, want) in [
            (Field::Minutes, "60", FieldFault::OutOfRange),
            (Field::Minutes, "99999999999999", FieldFault::OutOfRange),
            (Field::Hours, "0-24", FieldFault::OutOfRange),
            (Field::DayOfWeek, "0", FieldFault::OutOfRange),
            (Field::DayOfWeek, "MONDAY", FieldFault::Unknown),
            (Field::Month, "MON", FieldFault::Unknown),
            (Field::Minutes, "1,,2", FieldFault::Empty),
            (Field::Minutes, "", FieldFault::Empty),
            (Field::Minutes, "*/0", FieldFault::Step),
            (Field::Minutes, "*/60", FieldFault::Step),
            (Field::Minutes, "1/", FieldFault::Step),
            (Field::Minutes, "1/-2", FieldFault::Step),
            (Field::Minutes, "?", FieldFault::Unknown),
            (Field::Minutes, "-5", FieldFault::Unknown),
            (Field::Minutes, "+5", FieldFault::Unknown),
            (Field::Minutes, "1-2-3", FieldFault::Unknown),
            (Field::Minutes, "*-5", FieldFault::Unknown),
            (Field::Year, "1969", FieldFault::OutOfRange),
            (Field::Year, "2200", FieldFault::OutOfRange),
        ] {
            assert_eq!(fault(field, text), want, "{text}");
        }
    }
}
