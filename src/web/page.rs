//! The status page: one table per scope, no script, refreshed by the browser.

use chrono::{DateTime, Utc};

use crate::domain::{
    AlertState, Capacity, EndpointStatus, FleetSnapshot, Note, ScopeSnapshot, Severity, TargetId,
    TargetSnapshot, Verdict,
};
use crate::view::{
    Tone, activity_line, aim_text, alarms_of, alert_lines, conflict_text, happened, leases_text,
    names_of, note_text, reset_text, wait_text,
};

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta http-equiv=\"refresh\" content=\"5\">
<title>evenkeel</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; max-width: 90rem; }
h1 { font-size: 1.3rem; margin: 0 0 .3rem; }
h2 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #8885; }
th { font-weight: 600; }
td.n { font-variant-numeric: tabular-nums; white-space: nowrap; }
.good { color: #1a7f37; } .warn { color: #9a6700; } .bad { color: #cf222e; } .dim { opacity: .65; }
@media (prefers-color-scheme: dark) { .good { color: #4ac26b; } .warn { color: #d4a72c; } .bad { color: #ff7b72; } }
</style>
</head>
<body>
";

/// The page for a snapshot.
pub(super) fn render(fleet: &FleetSnapshot) -> String {
    let mut html = String::from(HEAD);
    html.push_str("<h1>evenkeel</h1>\n<p>");
    html.push_str(&escape(&format!(
        "{} mode, up since {}, config loaded {}. ",
        fleet.mode.label(),
        fleet.started.format(TIME),
        fleet.config.loaded.format(TIME),
    )));
    html.push_str(
        "<a href=\"/metrics\">metrics</a> <a href=\"/api/v1/status\">status as JSON</a></p>\n",
    );
    if let Some(problem) = &fleet.config.problem {
        let text = format!("The config file was refused, and an older one is in force:\n{problem}");
        html.push_str(&format_pre("bad", &text));
    }
    for (name, scope) in &fleet.scopes {
        render_scope(&mut html, name.as_str(), scope);
    }
    html.push_str("</body>\n</html>\n");
    html
}

const TIME: &str = "%Y-%m-%d %H:%M:%S UTC";

fn format_pre(class: &str, text: &str) -> String {
    format!("<pre class=\"{class}\">{}</pre>\n", escape(text))
}

fn render_scope(html: &mut String, name: &str, scope: &ScopeSnapshot) {
    let pass = scope.last_pass.as_ref().map_or_else(
        || "no pass yet".to_owned(),
        |pass| {
            format!(
                "pass {} at {}: {}",
                pass.number,
                pass.at.format(TIME),
                pass.outcome.label()
            )
        },
    );
    html.push_str(&format_heading(name, &pass));
    for (state, line) in alert_lines(&scope.alerts) {
        let class = if state == AlertState::Pending {
            "warn"
        } else {
            "bad"
        };
        html.push_str(&format_pre(class, &line));
    }
    let problems: Vec<&str> = scope
        .last_pass
        .iter()
        .flat_map(|pass| &pass.problems)
        .chain(&scope.watch.problems)
        .map(String::as_str)
        .collect();
    if !problems.is_empty() {
        html.push_str(&format_pre("bad", &problems.join("\n")));
    }
    html.push_str(
        "<table>\n<tr><th>target</th><th>capacity</th><th>bounds</th><th>policy</th><th>alarms</th>\
         <th>state</th><th>last activity</th></tr>\n",
    );
    for (id, target) in &scope.targets {
        html.push_str(&row(id, target, scope));
    }
    html.push_str("</table>\n");
    if !scope.unscaled.is_empty() {
        let text = format!(
            "Endpoints that nobody scales: {}",
            names_of(&scope.unscaled)
        );
        html.push_str(&format_pre("dim", &text));
    }
    if !scope.unmanaged.is_empty() {
        let names: Vec<String> = scope.unmanaged.iter().map(ToString::to_string).collect();
        let text = format!("Registered, and not in the config: {}", names.join(", "));
        html.push_str(&format_pre("dim", &text));
    }
}

fn format_heading(name: &str, pass: &str) -> String {
    format!(
        "<h2>{} <span class=\"dim\">{}</span></h2>\n",
        escape(name),
        escape(pass)
    )
}

fn row(id: &TargetId, target: &TargetSnapshot, scope: &ScopeSnapshot) -> String {
    let cells = [
        cell("", &escape(&id.to_string())),
        cell("n", &capacity(target)),
        cell("n", &bounds(target)),
        cell("n", &policies(id, target, scope)),
        cell("n", &alarms(target, scope)),
        cell("", &state(id, target, scope)),
        cell("", &activities(id, scope)),
    ];
    format!("<tr>{}</tr>\n", cells.concat())
}

fn cell(class: &str, html: &str) -> String {
    if class.is_empty() {
        format!("<td>{html}</td>")
    } else {
        format!("<td class=\"{class}\">{html}</td>")
    }
}

fn span(class: &str, text: &str) -> String {
    format!("<span class=\"{class}\">{}</span>", escape(text))
}

fn capacity(target: &TargetSnapshot) -> String {
    let Some(running) = &target.running else {
        return span("dim", "unknown");
    };
    let number = |c: Option<Capacity>| c.map_or("?".to_owned(), |c| c.to_string());
    let (current, desired) = (number(running.current), number(running.desired));
    let text = if current == desired {
        current
    } else {
        format!("{current} → {desired}")
    };
    if running.current == Some(target.effective.bounds.max()) {
        span("warn", &format!("{text} at max"))
    } else {
        escape(&text)
    }
}

fn bounds(target: &TargetSnapshot) -> String {
    let due = target.effective.bounds;
    match &target.registered {
        Some(held) if held.suspended.any() => {
            let kinds = span("warn", &format!("suspended: {}", held.suspended));
            format!("{}<br>{kinds}", escape(&due.to_string()))
        }
        Some(held) if (held.min, held.max) == (due.min(), due.max()) => escape(&due.to_string()),
        Some(held) => span(
            "warn",
            &format!("{due}, AWS holds {}..{}", held.min, held.max),
        ),
        None if target.is_unseen() => span("dim", &format!("{due}, AWS unread")),
        None => span("dim", &format!("{due}, not registered")),
    }
}

fn policies(id: &TargetId, target: &TargetSnapshot, scope: &ScopeSnapshot) -> String {
    let lines: Vec<String> = target
        .policies
        .iter()
        .map(|policy| {
            let value = scope.watch.values.get(&(id.clone(), policy.name.clone()));
            let value = value.map_or("no data".to_owned(), |point| format!("{:.1}", point.value));
            escape(&aim_text(policy, &value))
        })
        .collect();
    lines.join("<br>")
}

fn alarms(target: &TargetSnapshot, scope: &ScopeSnapshot) -> String {
    let several = target.policies.len() > 1;
    let lines: Vec<String> = target
        .policies
        .iter()
        .flat_map(|policy| {
            alarms_of(target, scope, &policy.name)
                .into_iter()
                .map(move |view| {
                    let (tone, text) = view.text();
                    let owner = if several {
                        format!("{} ", policy.name)
                    } else {
                        String::new()
                    };
                    span(class(tone), &format!("{owner}{} {text}", view.side))
                })
        })
        .collect();
    lines.join("<br>")
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Change => "warn",
        Tone::Bad => "bad",
        Tone::Dim | Tone::Strong => "dim",
    }
}

fn state(id: &TargetId, target: &TargetSnapshot, scope: &ScopeSnapshot) -> String {
    let now = scope
        .last_pass
        .as_ref()
        .map_or(DateTime::<Utc>::MIN_UTC, |pass| pass.at);
    let mut lines = vec![match &target.verdict {
        Verdict::Converged => span("good", "as declared"),
        Verdict::Changes => span("warn", "differs from the config"),
        Verdict::Waiting(wait) => escape(&wait_text(wait)),
        Verdict::Held => span("bad", "held"),
    }];
    if let Some(status) = target
        .endpoint
        .as_ref()
        .filter(|s| **s != EndpointStatus::InService)
    {
        let what = if id.component().is_some() {
            "component"
        } else {
            "endpoint"
        };
        lines.push(span("dim", &format!("{what} {status}")));
    }
    let asked = leases_text(&target.leases, now);
    lines.extend(asked.iter().map(|text| span("warn", text)));
    lines.extend(target.at_end.iter().map(|(from, to)| {
        let text = format!("at its end AWS will pull the running capacity from {from} to {to}");
        span("warn", &text)
    }));
    lines.extend(
        target
            .reset
            .iter()
            .map(|reset| span("bad", &reset_text(reset))),
    );
    let is_said = |note: &&Note| !matches!(note, Note::Held(_) | Note::Overridden(_));
    let notes = target.notes.iter().filter(is_said);
    lines.extend(notes.map(|note| escape(&note_text(note))));
    let warnings = target.findings.iter();
    let warnings = warnings.filter(|f| f.rule.severity() == Severity::Warning);
    lines.extend(warnings.map(|f| span("warn", &format!("{}: {}", f.rule, f.what))));
    lines.extend(
        target
            .conflict
            .as_ref()
            .map(|conflict| span("bad", &conflict_text(conflict))),
    );
    if let Some(failure) = &target.failure {
        lines.push(span("bad", &failure.error));
    }
    lines.join("<br>")
}

fn activities(id: &TargetId, scope: &ScopeSnapshot) -> String {
    let last = [scope.watch.activities.get(id), scope.watch.refusals.get(id)];
    let lines: Vec<String> = last
        .into_iter()
        .flatten()
        .map(|a| {
            escape(&format!(
                "{} {}",
                happened(a).format("%m-%d %H:%M:%S"),
                activity_line(a)
            ))
        })
        .collect();
    lines.join("<br>")
}

/// Text for use between tags and in attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
