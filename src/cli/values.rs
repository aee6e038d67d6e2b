//! Values of options, each with a sentence for those that are none.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::{Bounds, Capacity, Expression, Zone, ZoneError, is_region, is_role};

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "use for example 90s, 5m or 2h".to_owned())
}

pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let parsed = DateTime::parse_from_rfc3339(text);
    let parsed = parsed.map(|time| time.with_timezone(&Utc));
    parsed.map_err(|_| "use for example 2026-11-22T18:00:00Z".to_owned())
}

pub(super) fn zone(text: &str) -> Result<Zone, String> {
    let parsed = text.parse();
    parsed.map_err(|error: ZoneError| format!("{error}\n    remedy: {}", error.remedy))
}

fn expression(text: &str) -> Result<Expression, String> {
    Expression::parse(text).map_err(|error| format!("{error}\n    remedy: {}", error.remedy))
}

pub(super) fn cron(text: &str) -> Result<Expression, String> {
    match expression(text)? {
        expression @ Expression::Cron(_) => Ok(expression),
        Expression::Rate(_) | Expression::At(_) => Err("this is no cron expression".to_owned()),
    }
}

pub(super) fn rate(text: &str) -> Result<Expression, String> {
    // The option says what it is, so the brackets may be left out.
    let bare = text.starts_with(|c: char| c.is_ascii_digit());
    let whole = if bare {
        format!("rate({text})")
    } else {
        text.to_owned()
    };
    match expression(&whole)? {
        expression @ Expression::Rate(_) => Ok(expression),
        Expression::Cron(_) | Expression::At(_) => Err("this is no rate".to_owned()),
    }
}

pub(super) fn at(text: &str) -> Result<Expression, String> {
    match expression(text)? {
        expression @ Expression::At(_) => Ok(expression),
        Expression::Cron(_) | Expression::Rate(_) => Err("this is no single time".to_owned()),
    }
}

pub(super) fn region(text: &str) -> Result<String, String> {
    if is_region(text) {
        Ok(text.to_owned())
    } else {
        Err("use a region, for example us-west-2".to_owned())
    }
}

pub(super) fn role(text: &str) -> Result<String, String> {
    if is_role(text) {
        Ok(text.to_owned())
    } else {
        Err("use the ARN of a role, for example arn:aws:iam::123456789012:role/evenkeel".to_owned())
    }
}

pub(super) fn url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(text.to_owned()),
        _ => Err("use a URL, for example http://127.0.0.1:4599".to_owned()),
    }
}

pub(super) fn bounds(text: &str) -> Result<Bounds, String> {
    let ends = text
        .split_once("..")
        .map(|(min, max)| (min.parse(), max.parse()));
    let Some((Ok(min), Ok(max))) = ends else {
        return Err("use two whole numbers, for example 1..4".to_owned());
    };
    let capacity = |n| Capacity::new(n).ok_or_else(|| format!("{n} is too large"));
    Bounds::new(capacity(min)?, capacity(max)?).map_err(|error| error.to_string())
}

pub(super) fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("use the account's twelve digits".to_owned())
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "use an IP address and a port, for example 127.0.0.1:9464".to_owned())
}

pub(super) fn speed(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "use a number".to_owned())?;
    if (0.0..=100_000.0).contains(&factor) {
        Ok(factor)
    } else {
        Err("use a factor from 0 to 100000".to_owned())
    }
}

pub(super) fn demo_speed(text: &str) -> Result<f64, String> {
    let factor = speed(text)?;
    if (1.0..=3600.0).contains(&factor) {
        Ok(factor)
    } else {
        Err("use a factor from 1 to 3600: the daemon has to keep up".to_owned())
    }
}
