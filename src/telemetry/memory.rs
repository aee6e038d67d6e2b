//! What fires and who was told of it, in two small files of the state directory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use tracing::warn;

use crate::domain::{
    AlertKey, AlertKind, EndpointName, Group, Line, Remembered, ScopeName, Subject, Told,
};
use crate::ports::AlertMemory;

const ALERTS: &str = "alerts.json";
const TOLD: &str = "told.json";

/// The adapter. A file that can not be read counts as empty: then someone is told a second time.
#[derive(Debug)]
pub struct StateFiles {
    directory: PathBuf,
}

impl StateFiles {
    /// Files in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// When the directory can not be made.
    pub fn open(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    fn load(&self, name: &str) -> Value {
        let path = self.directory.join(name);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Value::Null,
            Err(error) => {
                warn!(
                    "{}: {error}; alerts may be told a second time",
                    path.display()
                );
                return Value::Null;
            }
        };
        serde_json::from_str(&text).unwrap_or_else(|error| {
            warn!(
                "{}: {error}; alerts may be told a second time",
                path.display()
            );
            Value::Null
        })
    }

    /// Whoever is killed in between leaves the file of before, whole.
    fn store(&self, name: &str, value: &Value) {
        let path = self.directory.join(name);
        let new = self.directory.join(format!("{name}.new"));
        let stored =
            std::fs::write(&new, value.to_string()).and_then(|()| std::fs::rename(&new, &path));
        if let Err(error) = stored {
            warn!(
                "{}: {error}; after a restart alerts may be told a second time",
                path.display()
            );
        }
    }
}

fn time_json(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(at.with_timezone(&Utc))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A scope is nothing, an endpoint `{"endpoint": ...}`, a target its dimension and resource.
fn subject_json(subject: &Subject) -> Value {
    match subject {
        Subject::Scope => Value::Null,
        Subject::Endpoint(endpoint) => json!({ "endpoint": endpoint.as_str() }),
        Subject::Target(target) => {
            json!({ "dimension": target.dimension().aws_name(), "resource": target.resource_id() })
        }
    }
}

fn subject(value: &Value) -> Option<Subject> {
    if value.is_null() {
        return Some(Subject::Scope);
    }
    if let Some(endpoint) = value.get("endpoint") {
        let endpoint: EndpointName = endpoint.as_str()?.parse().ok()?;
        return Some(Subject::Endpoint(endpoint));
    }
    let (dimension, resource) = (value.get("dimension")?, value.get("resource")?);
    let target = crate::domain::TargetId::parse(resource.as_str()?, dimension.as_str()?).ok()?;
    Some(Subject::Target(target))
}

fn kind(value: &Value) -> Option<AlertKind> {
    let name = value.as_str()?;
    AlertKind::ALL.into_iter().find(|kind| kind.name() == name)
}

fn remembered_json(one: &Remembered) -> Value {
    json!({
        "alert": one.key.kind.name(),
        "subject": subject_json(&one.key.subject),
        "since": time_json(one.since),
        "fired": time_json(one.fired),
        "reason": one.reason,
        "cause": one.cause,
    })
}

fn remembered(value: &Value) -> Option<Remembered> {
    Some(Remembered {
        key: AlertKey {
            kind: kind(value.get("alert")?)?,
            subject: subject(value.get("subject")?)?,
        },
        since: time(value.get("since")?)?,
        fired: time(value.get("fired")?)?,
        reason: text(value.get("reason")?)?,
        cause: value.get("cause").and_then(text),
    })
}

fn group_json(group: &Group, lines: &BTreeMap<Subject, Line>) -> Value {
    let lines = lines.values().map(|line| {
        json!({
            "subject": subject_json(&line.subject),
            "since": time_json(line.since),
            "reason": line.reason,
            "cause": line.cause,
        })
    });
    json!({
        "scope": group.scope.as_str(),
        "alert": group.kind.name(),
        "by_target": group.subject.is_some(),
        "lines": lines.collect::<Vec<_>>(),
    })
}

fn group(value: &Value) -> Option<(Group, BTreeMap<Subject, Line>)> {
    let lines = value.get("lines")?.as_array()?.iter().map(|line| {
        let of = subject(line.get("subject")?)?;
        let line = Line {
            subject: of.clone(),
            since: time(line.get("since")?)?,
            reason: text(line.get("reason")?)?,
            cause: line.get("cause").and_then(text),
        };
        Some((of, line))
    });
    let lines: BTreeMap<Subject, Line> = lines.collect::<Option<_>>()?;
    let by_target = value.get("by_target")?.as_bool()?;
    let group = Group {
        scope: value.get("scope")?.as_str()?.parse().ok()?,
        kind: kind(value.get("alert")?)?,
        subject: lines.keys().next().filter(|_| by_target).cloned(),
    };
    Some((group, lines))
}

impl AlertMemory for StateFiles {
    fn alerts(&self) -> BTreeMap<ScopeName, Vec<Remembered>> {
        let held = self.load(ALERTS);
        let scopes = held.as_object().into_iter().flatten();
        let scopes = scopes.filter_map(|(scope, all)| {
            let all = all.as_array()?.iter().filter_map(remembered);
            Some((scope.parse().ok()?, all.collect()))
        });
        scopes.collect()
    }

    fn keep_alerts(&self, alerts: &BTreeMap<ScopeName, Vec<Remembered>>) {
        let scopes = alerts.iter().map(|(scope, all)| {
            let all: Vec<Value> = all.iter().map(remembered_json).collect();
            (scope.to_string(), Value::Array(all))
        });
        self.store(ALERTS, &Value::Object(scopes.collect::<Map<_, _>>()));
    }

    fn told(&self) -> BTreeMap<String, Told> {
        let held = self.load(TOLD);
        let receivers = held.as_object().into_iter().flatten();
        let receivers = receivers.filter_map(|(name, groups)| {
            let groups = groups.as_array()?.iter().filter_map(group);
            Some((name.clone(), groups.collect()))
        });
        receivers.collect()
    }

    fn keep_told(&self, told: &BTreeMap<String, Told>) {
        let receivers = told.iter().map(|(name, groups)| {
            let groups = groups.iter().map(|(group, lines)| group_json(group, lines));
            (name.clone(), Value::Array(groups.collect()))
        });
        self.store(TOLD, &Value::Object(receivers.collect::<Map<_, _>>()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn subjects() -> [Subject; 4] {
        [
            Subject::Scope,
            Subject::Endpoint("chat".parse().unwrap()),
            Subject::Target("endpoint/chat/variant/v".parse().unwrap()),
            Subject::Target("inference-component/llm".parse().unwrap()),
        ]
    }

    #[test]
    fn what_is_kept_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let files = StateFiles::open(&directory.path().join("new")).unwrap();
        assert!(files.alerts().is_empty() && files.told().is_empty());
        let scope: ScopeName = "prod".parse().unwrap();
        let alerts = subjects().map(|subject| Remembered {
            key: AlertKey {
                kind: AlertKind::ScalingFailed,
                subject,
            },
            since: at(1000),
            fired: at(1015),
            reason: "a \"quota\"\n".to_owned(),
            cause: None,
        });
        let alerts = BTreeMap::from([(scope.clone(), alerts.to_vec())]);
        files.keep_alerts(&alerts);
        assert_eq!(files.alerts(), alerts);
        let line = |subject: &Subject| Line {
            subject: subject.clone(),
            since: at(1000),
            reason: "r".to_owned(),
            cause: Some("c".to_owned()),
        };
        let lines: BTreeMap<_, _> = subjects().iter().map(|s| (s.clone(), line(s))).collect();
        let mut told = Told::new();
        let kind = AlertKind::Thrashing;
        told.insert(
            Group {
                scope: scope.clone(),
                kind,
                subject: None,
            },
            lines,
        );
        let [_, _, target, _] = subjects();
        let alone = BTreeMap::from([(target.clone(), line(&target))]);
        told.insert(
            Group {
                scope,
                kind,
                subject: Some(target),
            },
            alone,
        );
        let told = BTreeMap::from([("slack".to_owned(), told)]);
        files.keep_told(&told);
        assert_eq!(files.told(), told);
    }

    #[test]
    fn a_broken_file_counts_as_none() {
        let directory = tempfile::tempdir().unwrap();
        let files = StateFiles::open(directory.path()).unwrap();
        std::fs::write(directory.path().join(ALERTS), "{\"prod\": [{\"alert\": 1").unwrap();
        std::fs::write(
            directory.path().join(TOLD),
            "{\"slack\": [{\"scope\": \"prod\"}]}",
        )
        .unwrap();
        assert!(files.alerts().is_empty());
        assert!(files.told()["slack"].is_empty());
    }
}
