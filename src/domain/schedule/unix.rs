//! What someone meant who wrote cron as Unix, Quartz or a crontab has it: the remedies.

use super::field::{DAYS, number};

/// AWS's form of the five fields of a crontab: one expression, or two where Unix fires on either kind of day.
pub(super) fn from_crontab(fields: &[&str]) -> Option<Vec<String>> {
    let [minutes, hours, day_of_month, month, day_of_week] = fields else {
        return None;
    };
    let day_of_week = from_zero(day_of_week)?;
    let days = day_pairs(day_of_month, &day_of_week);
    let one = |(of_month, of_week)| format!("{minutes} {hours} {of_month} {month} {of_week} *");
    Some(days.into_iter().map(one).collect())
}

/// AWS's form of the nicknames of a crontab.
pub(super) fn from_nickname(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * ? *",
        "@daily" | "@midnight" => "0 0 * * ? *",
        "@weekly" => "0 0 ? * SUN *",
        "@monthly" => "0 0 1 * ? *",
        "@yearly" | "@annually" => "0 0 1 1 ? *",
        _ => return None,
    })
}

/// The two day fields with exactly one `?`; two pairs if both ask for certain days.
pub(super) fn day_pairs(of_month: &str, of_week: &str) -> Vec<(String, String)> {
    let free = |day: &str| matches!(day, "*" | "?");
    let any = || "?".to_owned();
    match (free(of_month), free(of_week)) {
        (true, true) => vec![("*".to_owned(), any())],
        (false, true) => vec![(of_month.to_owned(), any())],
        (true, false) => vec![(any(), of_week.to_owned())],
        (false, false) => vec![(of_month.to_owned(), any()), (any(), of_week.to_owned())],
    }
}

/// Days of the week that count from 0, Sunday, as names.
fn from_zero(text: &str) -> Option<String> {
    let day = |text: &str| match number(text) {
        None => Some(text.to_ascii_uppercase()),
        Some(number) => {
            let index = usize::try_from(number.checked_rem(7)?).ok()?;
            let name = DAYS.get(index).filter(|_| number <= 7)?;
            Some((*name).to_owned())
        }
    };
    let entry = |entry: &str| {
        let (base, step) = entry
            .split_once('/')
            .map_or((entry, None), |(b, s)| (b, Some(s)));
        let mut written = match base.split_once('-') {
            Some((from, to)) => format!("{}-{}", day(from)?, day(to)?),
            None => day(base)?,
        };
        if let Some(step) = step {
            written.push('/');
            written.push_str(step);
        }
        Some(written)
    };
    let entries: Option<Vec<String>> = text.split(',').map(entry).collect();
    Some(entries?.join(","))
}
