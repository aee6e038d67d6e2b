//! Which target an entry of `targets` is about: one that it names, or all that it describes.

use std::collections::BTreeMap;

use super::node::{Fields, Node};
use crate::domain::{
    ComponentName, Dimension, EndpointKind, EndpointName, Glob, Selector, TargetId, VariantName,
};

const SELECT_KEYS: [&str; 6] = [
    "endpoint",
    "variant",
    "component",
    "tags",
    "kind",
    "dimension",
];

/// What an entry is about.
#[derive(Debug)]
pub(super) enum Subject {
    /// One target.
    Target(TargetId),
    /// Whatever fits.
    Selection(Selector),
}

impl Subject {
    /// What of the target scales.
    pub(super) fn dimension(&self) -> Dimension {
        match self {
            Self::Target(id) => id.dimension(),
            Self::Selection(selector) => selector.dimension,
        }
    }
}

/// Reads which of the ways an entry uses to say what it is about, and what it says.
pub(super) fn read_subject(entry: &Node<'_>, fields: &Fields<'_>) -> Option<Subject> {
    let ways = ["endpoint", "component", "select"];
    let given: Vec<&str> = ways
        .into_iter()
        .filter(|key| fields.get(key).is_some())
        .collect();
    match given.as_slice() {
        ["endpoint"] => read_variant(fields),
        ["component"] => read_component(fields),
        ["select"] => read_selection(fields),
        [] => {
            entry.report(
                "it is not said which target this is",
                "name it, `endpoint: chat` and `variant: AllTraffic`, or `component: llm`; or describe several: \
                 `select: { endpoint: \"llm-*\" }`",
            );
            None
        }
        several => {
            entry.report(
                format!("{} in one entry", several.join(" and ")),
                "keep one of them",
            );
            None
        }
    }
}

fn read_variant(fields: &Fields<'_>) -> Option<Subject> {
    let endpoint = fields
        .get("endpoint")
        .and_then(|n| n.parsed::<EndpointName>());
    let variant = fields
        .require("variant", "AllTraffic")
        .and_then(|n| n.parsed::<VariantName>());
    let dimension = read_dimension(fields.get("dimension").as_ref());
    let (endpoint, variant) = (endpoint?, variant?);
    Some(Subject::Target(match dimension? {
        Dimension::ProvisionedConcurrency => TargetId::ProvisionedConcurrency { endpoint, variant },
        Dimension::Instances | Dimension::Copies => TargetId::Instances { endpoint, variant },
    }))
}

fn read_component(fields: &Fields<'_>) -> Option<Subject> {
    for key in ["variant", "dimension"] {
        if let Some(node) = fields.get(key) {
            node.report(
                format!("`{key}` stands beside `component`"),
                "remove it: a component has a name of its own, and its copies are what scales",
            );
        }
    }
    let component = fields.get("component")?.parsed::<ComponentName>()?;
    Some(Subject::Target(TargetId::Copies { component }))
}

/// Instances, unless it is said otherwise.
fn read_dimension(node: Option<&Node<'_>>) -> Option<Dimension> {
    let words = [Dimension::Instances, Dimension::ProvisionedConcurrency].map(|d| (d.name(), d));
    node.map_or(Some(Dimension::Instances), |node| node.word(&words))
}

fn read_selection(fields: &Fields<'_>) -> Option<Subject> {
    for key in ["variant", "dimension"] {
        if let Some(node) = fields.get(key) {
            node.report(
                format!("`{key}` stands beside `select`"),
                format!("move it into `select`: `select: {{ endpoint: …, {key}: … }}`"),
            );
        }
    }
    let select = fields.get("select")?;
    let fields = select.fields(&SELECT_KEYS)?;
    let glob = |key: &str| fields.get(key).map(|node| read_glob(&node));
    let endpoint = fields
        .require("endpoint", "llm-*")
        .and_then(|node| read_glob(&node));
    let variant = glob("variant").unwrap_or_else(|| Some(Glob::any()));
    let component = glob("component");
    let tags = match fields.get("tags") {
        Some(node) => read_tags(&node),
        None => Some(BTreeMap::new()),
    };
    let kinds = EndpointKind::ALL.map(|kind| (kind.name(), kind));
    let kind = fields.get("kind").map(|node| node.word(&kinds));
    let dimension = fields.get("dimension");
    if let (Some(node), true) = (&dimension, component.is_some()) {
        node.report(
            "`dimension` stands beside `component`",
            "remove it: of components the copies are what scales",
        );
    }
    if kind == Some(Some(EndpointKind::Components)) && component.is_none() {
        select.report(
            "`kind: components` without `component` selects nothing: their variants do not scale",
            "add `component: \"*\"`: of components the copies are what scales",
        );
        return None;
    }
    let serverless = kind == Some(Some(EndpointKind::Serverless));
    let chosen = match (&component, &dimension) {
        (Some(_), _) => Some(Dimension::Copies),
        (None, None) if serverless => Some(Dimension::ProvisionedConcurrency),
        (None, node) => read_dimension(node.as_ref()),
    };
    let has_concurrency = chosen == Some(Dimension::ProvisionedConcurrency);
    if let (Some(node), Some(Some(kind))) = (&dimension, kind)
        && has_concurrency != serverless
    {
        node.report(
            format!("a {} endpoint has no {}", kind.name(), node.shown()),
            "remove `dimension`, or `kind`: provisioned concurrency is of serverless endpoints",
        );
        return None;
    }
    let dimension = chosen;
    Some(Subject::Selection(Selector {
        endpoint: endpoint?,
        variant: variant?,
        component: match component {
            Some(glob) => Some(glob?),
            None => None,
        },
        tags: tags?,
        kind: match kind {
            Some(kind) => Some(kind?),
            None => None,
        },
        dimension: dimension?,
    }))
}

/// Only `*` and `?` are wildcards; what looks like other ones would match nothing.
fn read_glob(node: &Node<'_>) -> Option<Glob> {
    let text = node.text()?;
    if text.contains(['[', ']', '{', '}', '^', '$']) {
        node.report(
            format!("`{text}` is no pattern"),
            "`*` and `?` are the wildcards; name several in several entries",
        );
        return None;
    }
    Some(Glob::new(text))
}

fn read_tags(node: &Node<'_>) -> Option<BTreeMap<String, Glob>> {
    let read = |(key, value): (&String, Node<'_>)| {
        if value.is_truth() {
            value.report(
                format!("{} is no text: YAML reads it as yes or no", value.shown()),
                "put the value of the tag in quotes, for example \"yes\"",
            );
            return None;
        }
        Some((key.clone(), read_glob(&value)?))
    };
    node.named_entries().into_iter().map(read).collect()
}
