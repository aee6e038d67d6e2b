//! What other tools keep: calls and answers of the AWS CLI as JSON, and manifests of ACK.
//!
//! Each becomes the call to AWS that it stands for.

use serde_json::{Map, Value};

/// A call that a file stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `RegisterScalableTarget`.
    Register,
    /// `PutScalingPolicy`.
    PutPolicy,
    /// `PutMetricAlarm`.
    PutAlarm,
    /// `PutScheduledAction`.
    PutSchedule,
}

impl Operation {
    /// AWS's name.
    #[must_use]
    pub fn aws_name(self) -> &'static str {
        match self {
            Self::Register => "RegisterScalableTarget",
            Self::PutPolicy => "PutScalingPolicy",
            Self::PutAlarm => "PutMetricAlarm",
            Self::PutSchedule => "PutScheduledAction",
        }
    }
}

/// A call with its body, and where it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which.
    pub operation: Operation,
    /// The body, in AWS's words.
    pub body: Value,
    /// The place within the file.
    pub place: String,
}

impl Call {
    /// A member of the body.
    #[must_use]
    pub fn text(&self, member: &str) -> Option<&str> {
        self.body.get(member)?.as_str()
    }
}

/// The lists that AWS CLI calls and answers consist of.
const LISTS: [(&str, Operation); 8] = [
    ("RegisterScalableTarget", Operation::Register),
    ("ScalableTargets", Operation::Register),
    ("PutScalingPolicy", Operation::PutPolicy),
    ("ScalingPolicies", Operation::PutPolicy),
    ("PutMetricAlarm", Operation::PutAlarm),
    ("MetricAlarms", Operation::PutAlarm),
    ("PutScheduledAction", Operation::PutSchedule),
    ("ScheduledActions", Operation::PutSchedule),
];

/// The kinds of ACK's manifests.
const KINDS: [(&str, Operation); 2] = [
    ("ScalableTarget", Operation::Register),
    ("ScalingPolicy", Operation::PutPolicy),
];

/// The calls that a file stands for.
///
/// # Errors
/// A sentence when the text is neither JSON nor YAML, or holds nothing that is known.
pub fn read_calls(text: &str) -> Result<Vec<Call>, String> {
    let documents: Vec<Value> = match serde_json::from_str(text) {
        Ok(document) => vec![document],
        Err(json) => serde_saphyr::from_multiple(text)
            .map_err(|yaml| format!("is neither JSON ({json}) nor YAML ({yaml})"))?,
    };
    let mut calls = Vec::new();
    for (number, document) in documents.iter().enumerate() {
        let place = if documents.len() > 1 {
            format!("document {}", number + 1)
        } else {
            String::new()
        };
        read_document(document, &place, &mut calls);
    }
    if calls.is_empty() {
        return Err(
            "holds no scalable targets, policies or alarms: give answers or calls of the AWS CLI as JSON, or ACK \
             manifests"
                .to_owned(),
        );
    }
    Ok(calls)
}

fn read_document(document: &Value, place: &str, calls: &mut Vec<Call>) {
    match document {
        Value::Array(entries) => {
            for (i, entry) in entries.iter().enumerate() {
                read_document(entry, &format!("{place}[{i}]"), calls);
            }
        }
        Value::Object(object) => {
            if let Some(call) = manifest(object, place).or_else(|| bare(document, place)) {
                calls.push(call);
                return;
            }
            for (key, operation) in LISTS {
                let listed = match object.get(key) {
                    Some(Value::Array(entries)) => entries.as_slice(),
                    Some(one @ Value::Object(_)) => std::slice::from_ref(one),
                    _ => continue,
                };
                calls.extend(listed.iter().enumerate().map(|(i, body)| Call {
                    operation,
                    body: body.clone(),
                    place: format!("{key}[{i}]"),
                }));
            }
        }
        _ => {}
    }
}

/// The body of one call, told by what it holds.
fn bare(body: &Value, place: &str) -> Option<Call> {
    let has = |member: &str| body.get(member).is_some();
    let operation = match () {
        () if has("ScheduledActionName") => Operation::PutSchedule,
        () if has("PolicyName") && has("ResourceId") => Operation::PutPolicy,
        () if has("AlarmName") => Operation::PutAlarm,
        () if has("ResourceId") && has("MaxCapacity") => Operation::Register,
        () => return None,
    };
    Some(Call {
        operation,
        body: body.clone(),
        place: place.to_owned(),
    })
}

fn manifest(object: &Map<String, Value>, place: &str) -> Option<Call> {
    let group = object.get("apiVersion")?.as_str()?;
    if !group.starts_with("applicationautoscaling.services.k8s.aws/") {
        return None;
    }
    let kind = object.get("kind")?.as_str()?;
    let (_, operation) = KINDS.into_iter().find(|(name, _)| *name == kind)?;
    let name = object.get("metadata").and_then(|m| m.get("name"));
    let name = name.and_then(Value::as_str).unwrap_or("without a name");
    let place = format!("{place} {kind} {name}");
    Some(Call {
        operation,
        body: capitalised(object.get("spec")?),
        place: place.trim().to_owned(),
    })
}

/// ACK writes AWS's members with a small first letter, and `ID` and `ARN` in capitals.
fn capitalised(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let member = |(key, value): (&String, &Value)| {
                let mut letters = key.chars();
                let first = letters.next().map(|c| c.to_ascii_uppercase());
                let name: String = first.into_iter().chain(letters).collect();
                let name = if name == "ResourceID" {
                    "ResourceId".to_owned()
                } else {
                    name
                };
                (name, capitalised(value))
            };
            Value::Object(object.iter().map(member).collect())
        }
        Value::Array(entries) => entries.iter().map(capitalised).collect(),
        other => other.clone(),
    }
}
