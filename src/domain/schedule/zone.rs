//! Time zones: names, and the way between wall clocks and instants.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc,
};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

/// A time zone by its IANA name, for example `Europe/Berlin` or `Etc/GMT+9` (aws-autoscaling.md 4.2).
///
/// The rules of summer time are known to the end of 2099; after that a zone keeps its last offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// A text that AWS would not take as a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a time zone of AWS, which takes IANA names such as Europe/Berlin")]
pub struct ZoneError {
    /// The rejected text.
    pub name: String,
    /// What would be right, as a sentence.
    pub remedy: String,
}

/// What a local time is in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mapped {
    /// The instant; of two, the first.
    At(DateTime<Utc>),
    /// There is none: clocks go forward over it, from the first local time to the second.
    Gap(NaiveDateTime, NaiveDateTime),
}

/// What Windows calls the zones that people ask for most.
const WINDOWS: [(&str, &str); 14] = [
    ("AUS Eastern Standard Time", "Australia/Sydney"),
    ("Central Europe Standard Time", "Europe/Budapest"),
    ("Central European Standard Time", "Europe/Warsaw"),
    ("Central Standard Time", "America/Chicago"),
    ("China Standard Time", "Asia/Shanghai"),
    ("E. South America Standard Time", "America/Sao_Paulo"),
    ("Eastern Standard Time", "America/New_York"),
    ("GMT Standard Time", "Europe/London"),
    ("India Standard Time", "Asia/Kolkata"),
    ("Mountain Standard Time", "America/Denver"),
    ("Pacific Standard Time", "America/Los_Angeles"),
    ("Romance Standard Time", "Europe/Paris"),
    ("Tokyo Standard Time", "Asia/Tokyo"),
    ("W. Europe Standard Time", "Europe/Berlin"),
];

/// How much alike two names have to be for one to be meant by the other.
const ALIKE: f64 = 0.8;

impl Zone {
    /// Coordinated Universal Time, AWS's default.
    pub const UTC: Self = Self(Tz::UTC);

    /// The IANA name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What a wall clock in the zone shows, with its offset from UTC.
    #[must_use]
    pub fn local(self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        let offset = self.0.offset_from_utc_datetime(&at.naive_utc()).fix();
        at.with_timezone(&offset)
    }

    /// The first instant at which a wall clock shows a time; `None` where clocks go forward over it.
    #[must_use]
    pub fn first_instant(self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self.instant(local) {
            Mapped::At(at) => Some(at),
            Mapped::Gap(..) => None,
        }
    }

    /// The instant at which a wall clock shows a time.
    pub(super) fn instant(self, local: NaiveDateTime) -> Mapped {
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => {
                Mapped::At(at.with_timezone(&Utc))
            }
            MappedLocalTime::None => {
                let gap = GapInfo::new(&local, &self.0);
                let ends = gap.and_then(|gap| Some((gap.begin?.0, gap.end?.naive_local())));
                // No zone begins or ends with a gap; if one did, the gap would be this second.
                let second = TimeDelta::seconds(1);
                let (begin, end) =
                    ends.unwrap_or((local, local.checked_add_signed(second).unwrap_or(local)));
                Mapped::Gap(begin, end)
            }
        }
    }

    /// How much of the hour before is being repeated at an instant; zero but for the second time round.
    pub(super) fn repeated(self, at: DateTime<Utc>) -> TimeDelta {
        let local = self.local(at).naive_local();
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Ambiguous(first, second) if second.naive_utc() == at.naive_utc() => {
                second.signed_duration_since(first)
            }
            MappedLocalTime::Ambiguous(..) | MappedLocalTime::Single(_) | MappedLocalTime::None => {
                TimeDelta::zero()
            }
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, ZoneError> {
        // Names are case sensitive at AWS, and `Tz` reads them so.
        name.parse().map(Self).map_err(|_| ZoneError {
            name: name.to_owned(),
            remedy: remedy(name),
        })
    }
}

fn remedy(name: &str) -> String {
    let trimmed = name.trim();
    if trimmed.is_empty() {
        return "leave it out for UTC, or name a zone".to_owned();
    }
    if trimmed.eq_ignore_ascii_case("local") {
        return "name the zone that is meant, for example Europe/Berlin: AWS has no local time"
            .to_owned();
    }
    if let Some(hours) = offset(trimmed) {
        // POSIX turned the sign round, and IANA kept it.
        let fixed = match hours {
            0 => "UTC".to_owned(),
            1..=14 => format!("Etc/GMT-{hours}"),
            -12..=-1 => format!("Etc/GMT+{}", hours.unsigned_abs()),
            _ => return "name a zone, for example Asia/Kolkata: AWS takes no offsets".to_owned(),
        };
        return format!(
            "use {fixed} for this offset all year, or a place, for example Europe/Berlin"
        );
    }
    let windows = WINDOWS
        .iter()
        .find(|(windows, _)| windows.eq_ignore_ascii_case(trimmed));
    if let Some((_, iana)) = windows {
        return format!("that is a name of Windows; use {iana}");
    }
    if trimmed.to_ascii_lowercase().ends_with("standard time") {
        return "that is a name of Windows; use a place, for example Europe/Berlin".to_owned();
    }
    let lower = trimmed.to_ascii_lowercase();
    let alike = TZ_VARIANTS
        .iter()
        .map(|zone| {
            let known = zone.name();
            (
                strsim::jaro_winkler(&lower, &known.to_ascii_lowercase()),
                known,
            )
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match alike {
        Some((score, known)) if score >= ALIKE => format!("did you mean {known}?"),
        _ => "use a name of the IANA database, for example Europe/Berlin".to_owned(),
    }
}

/// Hours of `+02:00`, `-5`, `UTC+2` and `GMT-03:00`; 99 for an offset that is not whole hours.
fn offset(text: &str) -> Option<i32> {
    let upper = text.to_ascii_uppercase();
    let rest = upper
        .strip_prefix("UTC")
        .or_else(|| upper.strip_prefix("GMT"))
        .unwrap_or(&upper);
    let (negative, digits) = match rest.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, rest.strip_prefix('+')?),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let signed = if negative {
        hours.saturating_neg()
    } else {
        hours
    };
    Some(if minutes == 0 { signed } else { 99 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_iana_are_zones() {
        for name in [
            "UTC",
            "Europe/Berlin",
            "Etc/GMT+9",
            "America/Argentina/Buenos_Aires",
            "Asia/Kolkata",
        ] {
            assert_eq!(name.parse::<Zone>().unwrap().to_string(), name);
        }
        assert_eq!(Zone::default(), Zone::UTC);
    }

    #[test]
    fn what_is_no_name_says_what_would_be() {
        for (name, want) in [
            ("", "leave it out for UTC"),
            ("Local", "AWS has no local time"),
            ("+02:00", "Etc/GMT-2"),
            ("-0500", "Etc/GMT+5"),
            ("UTC+2", "Etc/GMT-2"),
            ("GMT-03:00", "Etc/GMT+3"),
            ("+05:30", "AWS takes no offsets"),
            ("W. Europe Standard Time", "use Europe/Berlin"),
            ("Tonga Standard Time", "a name of Windows"),
            ("europe/berlin", "did you mean Europe/Berlin?"),
            ("Europe/Berln", "did you mean Europe/Berlin?"),
            ("xyzzy", "IANA database"),
        ] {
            let error = name.parse::<Zone>().unwrap_err();
            assert!(error.remedy.contains(want), "{name}: {}", error.remedy);
        }
    }
}
