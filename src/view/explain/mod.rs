//! Why a target did what it did, and why it did not do something else: one timeline, and an answer for one instant.

mod answer;
#[cfg(test)]
mod tests;
mod timeline;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{Lines, Paint, Tone};
use crate::domain::Evidence;

/// Where an entry of the timeline comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// CloudWatch's values.
    Metric,
    /// An alarm's history.
    Alarm,
    /// AWS's scaling activities.
    Activity,
    /// AWS's decisions not to scale.
    Refusal,
    /// The endpoint itself: deployments and other updates.
    Endpoint,
    /// The config's schedules.
    Schedule,
    /// What someone asks for a while.
    Lease,
    /// Our own writes.
    Evenkeel,
}

impl Source {
    /// The source in a word.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Alarm => "alarm",
            Self::Activity => "activity",
            Self::Refusal => "refusal",
            Self::Endpoint => "endpoint",
            Self::Schedule => "schedule",
            Self::Lease => "asked",
            Self::Evenkeel => "evenkeel",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// Who says so.
    pub source: Source,
    /// What.
    pub text: String,
}

/// The past of a target between two instants, and the answer for the later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The target.
    pub target: String,
    /// From when on.
    pub from: DateTime<Utc>,
    /// The instant that the answer is for.
    pub at: DateTime<Utc>,
    /// Why it stood as it did then, and what kept it there, in sentences.
    pub answer: Vec<String>,
    /// What happened, oldest first.
    pub timeline: Vec<Entry>,
    /// What could not be read.
    pub gaps: Vec<String>,
}

/// Explains a target at an instant, from what is known of it since another one.
#[must_use]
pub fn explain(evidence: &Evidence, from: DateTime<Utc>, at: DateTime<Utc>) -> Explanation {
    Explanation {
        target: evidence.target.id.to_string(),
        from,
        at,
        answer: answer::answer(evidence, at),
        timeline: timeline::timeline(evidence, from, at),
        gaps: evidence.gaps.clone(),
    }
}

const TIME: &str = "%Y-%m-%d %H:%M:%S UTC";

/// For people.
#[must_use]
pub fn explanation_text(explanation: &Explanation, paint: Paint) -> String {
    let mut lines = Lines::default();
    let (from, at) = (explanation.from.format(TIME), explanation.at.format(TIME));
    let title = format!("{} from {from} to {at}", explanation.target);
    lines.push(paint.paint(Tone::Strong, &title));
    for gap in &explanation.gaps {
        lines.push(format!("  {} {gap}", paint.paint(Tone::Bad, "!")));
    }
    let mut day = None;
    for entry in &explanation.timeline {
        if day != Some(entry.at.date_naive()) {
            day = Some(entry.at.date_naive());
            lines.push(paint.paint(Tone::Dim, &format!("  {}", entry.at.format("%Y-%m-%d"))));
        }
        let tone = match entry.source {
            Source::Refusal => Tone::Bad,
            Source::Activity | Source::Endpoint | Source::Evenkeel | Source::Lease => Tone::Change,
            Source::Metric | Source::Alarm | Source::Schedule => Tone::Dim,
        };
        let source = paint.paint(tone, &format!("{:<9}", entry.source.label()));
        lines.push(format!(
            "  {}  {source} {}",
            entry.at.format("%H:%M:%S"),
            entry.text
        ));
    }
    if explanation.timeline.is_empty() {
        lines.push("  nothing happened");
    }
    let title = format!("at {at}");
    lines.push(paint.paint(Tone::Strong, &title));
    for sentence in &explanation.answer {
        lines.push(format!("  {sentence}"));
    }
    lines.finish()
}

/// For programs.
#[must_use]
pub fn explanation_json(explanation: &Explanation) -> Value {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let entries = explanation.timeline.iter().map(
        |entry| json!({ "at": time(entry.at), "source": entry.source.label(), "text": entry.text }),
    );
    json!({
        "target": explanation.target,
        "from": time(explanation.from),
        "at": time(explanation.at),
        "answer": explanation.answer,
        "timeline": entries.collect::<Vec<_>>(),
        "gaps": explanation.gaps,
    })
}
