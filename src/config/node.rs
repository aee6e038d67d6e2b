//! A place in the config tree that knows its path and where its value came from, and reports what is wrong there.

use std::cell::RefCell;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use figment::value::{Dict, Value};
use figment::{Figment, Source};

use super::problem::Problem;
use super::source::VARIABLE_PREFIX;

/// Collects problems while a config is read.
pub(super) struct Context<'a> {
    figment: &'a Figment,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(figment: &'a Figment) -> Self {
        Self {
            figment,
            problems: RefCell::new(Vec::new()),
        }
    }

    /// The problems in the order of reading. What is wrong in a profile is found once for each target that uses
    /// it, and told once.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut told: Vec<Problem> = Vec::new();
        for problem in self.problems.into_inner() {
            if !told.contains(&problem) {
                told.push(problem);
            }
        }
        told
    }
}

/// One value with its path.
pub(super) struct Node<'a> {
    context: &'a Context<'a>,
    value: &'a Value,
    path: String,
}

/// The entries of a section whose keys have been checked.
pub(super) struct Fields<'a> {
    node: Node<'a>,
    dict: &'a Dict,
}

impl<'a> Node<'a> {
    pub(super) fn root(context: &'a Context<'a>, value: &'a Value) -> Self {
        Self {
            context,
            value,
            path: String::new(),
        }
    }

    fn child(&self, value: &'a Value, path: String) -> Node<'a> {
        Node {
            context: self.context,
            value,
            path,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Where the value came from: a file, or a variable by its name.
    pub(super) fn source(&self) -> String {
        let metadata = self.context.figment.get_metadata(self.value.tag());
        match metadata.and_then(|m| m.source.as_ref()) {
            Some(Source::File(path)) => path.display().to_string(),
            Some(other) => other.to_string(),
            // Only variables have no source of their own.
            None if metadata.is_some() => {
                let keys = self.path.replace('.', "__").to_uppercase();
                format!("variable {VARIABLE_PREFIX}{keys}")
            }
            None => "config".to_owned(),
        }
    }

    /// Reports a problem with this value.
    pub(super) fn report(&self, what: impl Into<String>, remedy: impl Into<String>) {
        self.context.problems.borrow_mut().push(Problem {
            source: self.source(),
            path: self.path.clone(),
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    /// The value in a few words, for messages.
    pub(super) fn shown(&self) -> String {
        match self.value {
            Value::String(_, text) => format!("`{text}`"),
            Value::Char(_, c) => format!("`{c}`"),
            Value::Bool(_, b) => format!("`{b}`"),
            Value::Num(_, n) => match (n.to_i128(), n.to_u128(), n.to_f64()) {
                (Some(n), _, _) => format!("`{n}`"),
                (_, Some(n), _) => format!("`{n}`"),
                (_, _, Some(x)) => format!("`{x}`"),
                _ => "a number".to_owned(),
            },
            Value::Empty(..) => "nothing".to_owned(),
            Value::Dict(..) => "a section".to_owned(),
            Value::Array(..) => "a list".to_owned(),
        }
    }

    /// The entries of a section; unknown keys are reported.
    pub(super) fn fields(&self, keys: &[&str]) -> Option<Fields<'a>> {
        let Value::Dict(_, dict) = self.value else {
            self.report(
                format!("{} stands where a section is expected", self.shown()),
                format!("write a section with the keys {}", listed(keys)),
            );
            return None;
        };
        for (key, value) in dict {
            if !keys.contains(&key.as_str()) {
                let node = self.child(value, join(&self.path, key));
                let remedy = match nearest(key, keys) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys here are {}", listed(keys)),
                };
                node.report(format!("unknown key `{key}`"), remedy);
            }
        }
        Some(Fields {
            node: self.child(self.value, self.path.clone()),
            dict,
        })
    }

    /// The entries of a section whose keys are names that the user chooses.
    pub(super) fn named_entries(&self) -> Vec<(&'a String, Node<'a>)> {
        let Value::Dict(_, dict) = self.value else {
            self.report(
                format!("{} stands where named sections are expected", self.shown()),
                "write `<name>: { … }` for each",
            );
            return Vec::new();
        };
        dict.iter()
            .map(|(key, value)| (key, self.child(value, join(&self.path, key))))
            .collect()
    }

    /// The entries of a list. Lists add up over files, so an entry is numbered within the file it stands in.
    pub(super) fn entries(&self) -> Vec<Node<'a>> {
        let Value::Array(_, list) = self.value else {
            self.report(
                format!("{} stands where a list is expected", self.shown()),
                "write a list: `[one, two]`, or a line for each that begins with `- `",
            );
            return Vec::new();
        };
        let mut counts = std::collections::BTreeMap::new();
        let mut entry = |value| {
            let mut node = self.child(value, String::new());
            let count = counts.entry(node.source()).or_insert(0_usize);
            node.path = format!("{}[{count}]", self.path);
            *count += 1;
            node
        };
        list.iter().map(&mut entry).collect()
    }

    /// An entry of a section whose keys are checked elsewhere.
    pub(super) fn entry(&self, key: &str) -> Option<Node<'a>> {
        match self.value {
            Value::Dict(_, dict) => {
                let value = dict.get(key)?;
                Some(self.child(value, join(&self.path, key)))
            }
            _ => None,
        }
    }

    /// Whether a section with this key stands here.
    pub(super) fn has_key(&self, key: &str) -> bool {
        matches!(self.value, Value::Dict(_, dict) if dict.contains_key(key))
    }

    /// Whether a section stands here.
    pub(super) fn is_section(&self) -> bool {
        matches!(self.value, Value::Dict(..))
    }

    /// Whether it is a truth value.
    pub(super) fn is_truth(&self) -> bool {
        matches!(self.value, Value::Bool(..))
    }

    /// A text. Numbers and truth values that YAML made of unquoted text are taken as written.
    pub(super) fn text(&self) -> Option<String> {
        match self.value {
            Value::String(_, text) => Some(text.clone()),
            Value::Char(_, c) => Some(c.to_string()),
            Value::Bool(..) | Value::Num(..) => Some(self.shown().trim_matches('`').to_owned()),
            Value::Empty(..) | Value::Dict(..) | Value::Array(..) => {
                self.report(
                    format!("{} stands where a text is expected", self.shown()),
                    "write one word or text, in quotes where it has signs of YAML in it",
                );
                None
            }
        }
    }

    /// A text that a type can be made of.
    pub(super) fn parsed<T: FromStr>(&self) -> Option<T>
    where
        T::Err: Display,
    {
        let text = self.text()?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(error.to_string(), "");
                None
            }
        }
    }

    /// One of a set of words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let remedy = match nearest(&text, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of {}", listed(&known)),
        };
        self.report(format!("`{text}` is not a known word here"), remedy);
        None
    }

    /// A truth value.
    pub(super) fn truth(&self) -> Option<bool> {
        if let Value::Bool(_, b) = self.value {
            return Some(*b);
        }
        self.report(
            format!("{} is neither true nor false", self.shown()),
            "write true or false",
        );
        None
    }

    /// The value as a whole number, if it is one that fits.
    fn whole(&self) -> Option<i64> {
        let Value::Num(_, n) = self.value else {
            return None;
        };
        let signed = n.to_i128().and_then(|n| i64::try_from(n).ok());
        signed.or_else(|| n.to_u128().and_then(|n| i64::try_from(n).ok()))
    }

    /// Whether a number stands in quotes, which makes it a text; reported if so.
    fn is_quoted_number(&self) -> bool {
        let Value::String(_, text) = self.value else {
            return false;
        };
        let is_number = text.trim().parse::<f64>().is_ok();
        if is_number {
            self.report(
                format!("\"{text}\" is a text, and a number is expected"),
                format!("write {} without quotes", text.trim()),
            );
        }
        is_number
    }

    /// A whole number from 0 to 2147483647, the API's integer.
    pub(super) fn count(&self) -> Option<u32> {
        let signed = self.whole().and_then(|n| i32::try_from(n).ok());
        let fits = signed.and_then(|n| u32::try_from(n).ok());
        if fits.is_none() && !self.is_quoted_number() {
            self.report(
                format!("{} is not a whole number of 0 or more", self.shown()),
                "write a whole number from 0 to 2147483647",
            );
        }
        fits
    }

    /// A whole number that the API's integer holds, also below zero.
    pub(super) fn whole_number(&self) -> Option<i32> {
        let number = self.whole().and_then(|n| i32::try_from(n).ok());
        if number.is_none() && !self.is_quoted_number() {
            self.report(
                format!("{} is not a whole number", self.shown()),
                "write a whole number",
            );
        }
        number
    }

    /// Any number.
    pub(super) fn number(&self) -> Option<f64> {
        let fraction = match self.value {
            Value::Num(_, n) => n.to_f64(),
            _ => None,
        };
        let number = fraction.or_else(|| self.whole().map(crate::num::from_i64));
        if number.is_none() && !self.is_quoted_number() {
            self.report(
                format!("{} is not a number", self.shown()),
                "write a number",
            );
        }
        number
    }

    /// A share: `30%`, or a number from 0 to 1.
    pub(super) fn share(&self) -> Option<f64> {
        let share = match self.value {
            Value::String(_, text) => {
                let percent = text
                    .strip_suffix('%')
                    .and_then(|p| p.trim().parse::<f64>().ok());
                percent.map(|p| p / 100.0)
            }
            Value::Num(_, n) => n
                .to_f64()
                .or_else(|| self.whole().map(crate::num::from_i64)),
            _ => None,
        };
        let fits = share.filter(|s| (0.0..=1.0).contains(s));
        if fits.is_none() {
            let percent = self.whole().filter(|n| (0..=100).contains(n));
            let remedy = match percent {
                Some(n) => format!("did you mean `{n}%`?"),
                None => "write a percentage from 0% to 100%".to_owned(),
            };
            self.report(format!("{} is not a share", self.shown()), remedy);
        }
        fits
    }

    /// A duration with its unit, within limits.
    pub(super) fn duration(&self, least: Duration, most: Duration) -> Option<Duration> {
        let parsed = match self.value {
            Value::String(_, text) => humantime::parse_duration(text).ok(),
            _ => None,
        };
        let Some(duration) = parsed else {
            let remedy = match self.value {
                Value::Num(..) => format!("say the unit: {}s", self.shown().trim_matches('`')),
                _ => "write for example 90s, 5m or 2h".to_owned(),
            };
            self.report(format!("{} is not a duration", self.shown()), remedy);
            return None;
        };
        if duration < least || duration > most {
            let (least, most) = (
                humantime::format_duration(least),
                humantime::format_duration(most),
            );
            self.report(
                format!("{} is out of range", self.shown()),
                format!("use {least} to {most}"),
            );
            return None;
        }
        Some(duration)
    }
}

impl<'a> Fields<'a> {
    /// An entry; one without a value counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self
            .dict
            .get(key)
            .filter(|v| !matches!(v, Value::Empty(..)))?;
        Some(self.node.child(value, join(&self.node.path, key)))
    }

    /// An entry that must be there.
    pub(super) fn require(&self, key: &str, example: &str) -> Option<Node<'a>> {
        let found = self.get(key);
        if found.is_none() {
            self.node.report(
                format!("the key `{key}` is missing"),
                format!("add for example `{key}: {example}`"),
            );
        }
        found
    }

    /// The section itself, for problems between its entries.
    pub(super) fn node(&self) -> &Node<'a> {
        &self.node
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn listed(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The known word that was most likely meant.
pub(super) fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    let similarity = |k: &str| strsim::jaro_winkler(&word.to_lowercase(), &k.to_lowercase());
    known
        .iter()
        .map(|k| (similarity(k), *k))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}
