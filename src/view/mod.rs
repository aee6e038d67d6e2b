//! Words: plans, snapshots and activities as people and programs read them.
//!
//! Pure functions from domain facts to text and JSON. The command line, the page and the log lines all come here,
//! so that one thing is said in one way.

mod alarms;
mod alertmanager;
mod alerts;
mod explain;
mod findings;
mod iam;
mod journal;
mod plan;
mod plot;
mod schedule;
mod status;
mod webhooks;
mod words;

pub use alarms::{AlarmView, alarms_of};
pub use alertmanager::alertmanager_alerts;
pub use alerts::{alert_lines, alert_text, alerts_json, status_line};
pub use explain::{Entry, Explanation, Source, explain, explanation_json, explanation_text};
pub use findings::{finding_json, finding_json_about, finding_text, finding_text_about};
pub use iam::{IamPlace, iam_policy};
pub use journal::journal_json;
pub use plan::{plan_json, plan_text, withdrawal_text};
pub use plot::changes_svg;
pub use schedule::{
    Change, Changes, Firings, changes_json, changes_text, firings_json, firings_text,
};
pub use status::{names_of, status_json, status_text};
pub use webhooks::{dedup_key, generic_notice, notice_title, pagerduty_notice, slack_notice};
pub use words::{
    action_line, activity_line, aim_text, conflict_text, effect_text, happened, hold_text,
    leases_text, not_scaled_text, note_text, override_text, reason_text, reset_text, run_text,
    unscalable_text, wait_text,
};

/// Whether text may carry colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// ANSI colours, for terminals.
    Colour,
    /// Plain text.
    Plain,
}

/// A colour for one meaning.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tone {
    Good,
    Change,
    Bad,
    Dim,
    Strong,
}

impl Paint {
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Change => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        match self {
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// Text made of lines.
#[derive(Debug, Default)]
pub(crate) struct Lines(String);

impl Lines {
    /// Adds a line.
    pub(crate) fn push(&mut self, line: impl AsRef<str>) {
        self.0.push_str(line.as_ref());
        self.0.push('\n');
    }

    /// All lines, each with its end.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}
