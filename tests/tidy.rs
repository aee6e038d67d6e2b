//! Keeps the house tidy, where the compiler does not: one package means no walls between rooms.
#![expect(clippy::unwrap_used, reason = "test code: a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which rooms a room may name. Arrows point inward; siblings meet only in `app`.
///
/// `http`, `view` and `num` are inner rooms: they know nothing of AWS, the runtime or the pages.
const ROOMS: [(&str, &[&str]); 17] = [
    ("adopt", &["config", "domain", "num"]),
    ("build", &[]),
    ("num", &[]),
    ("domain", &["num"]),
    ("view", &["domain"]),
    ("http", &[]),
    ("ports", &["domain"]),
    ("config", &["domain", "num"]),
    ("aws", &["domain", "ports"]),
    ("sim/engine", &["num"]),
    ("sim", &["domain", "ports", "http", "num"]),
    ("runtime", &["domain", "ports"]),
    ("telemetry", &["build", "domain", "ports", "view", "num"]),
    ("web", &["domain", "ports", "http", "view"]),
    ("cli", &["build", "domain"]),
    (
        "app",
        &[
            "adopt",
            "aws",
            "build",
            "cli",
            "config",
            "domain",
            "http",
            "ports",
            "runtime",
            "sim",
            "telemetry",
            "view",
            "web",
        ],
    ),
    ("main", &["app", "cli"]),
];

/// What the pure rooms must not name: the outside world, and time.
const IMPURE: [&str; 13] = [
    "tokio",
    "hyper",
    "tracing::",
    "figment",
    "async_trait",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::io",
    "SystemTime",
    "Utc::now",
    "fastrand",
];

/// Files are read from the top to the bottom; past this there is a seam to be found.
const MOST_LINES: usize = 600;

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Lines of code with their numbers; comments are not code.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = |line: &&str| !line.trim_start().starts_with("//");
        (1..)
            .zip(self.text.lines())
            .filter(move |(_, line)| code(line))
    }

    fn room(&self) -> &str {
        let path = self.path.to_str().unwrap();
        let inner = path.strip_prefix("src/").unwrap();
        if inner.starts_with("sim/engine/") {
            return "sim/engine";
        }
        inner.split('/').next().unwrap().trim_end_matches(".rs")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(dir: &Path, ends: &str, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(root().join(dir)).unwrap() {
        let entry = entry.unwrap();
        let path = dir.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            walk(&path, ends, found);
        } else if path.to_str().unwrap().ends_with(ends) {
            let text = std::fs::read_to_string(root().join(&path)).unwrap();
            found.push(Source { path, text });
        }
    }
}

fn sources(dirs: &[&str], ends: &str) -> Vec<Source> {
    let mut found = Vec::new();
    for dir in dirs {
        walk(Path::new(dir), ends, &mut found);
    }
    assert!(!found.is_empty(), "nothing found under {dirs:?}");
    found
}

fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Names after `crate::` or `evenkeel::` in a line.
fn named<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut parts = line.split(prefix);
    let before = parts.next().unwrap_or_default();
    // Part of a longer word, like `pub(crate)` or `my_crate::`.
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return Vec::new();
    }
    parts
        .map(|rest| {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            rest.get(..end).unwrap_or_default()
        })
        .collect()
}

#[test]
fn rooms_name_only_the_rooms_that_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let mut problems = Vec::new();
    for source in sources(&["src"], ".rs") {
        let room = source.room();
        if room == "lib" {
            continue;
        }
        let Some(may) = allowed.get(room) else {
            problems.push(format!(
                "{}: room {room} has no arrows yet",
                source.path.display()
            ));
            continue;
        };
        let prefix = if room == "main" {
            "evenkeel::"
        } else {
            "crate::"
        };
        for (number, line) in source.code() {
            for name in named(line, prefix) {
                // Within `sim`, the doors know the engine; the engine knows no door.
                let own =
                    name == room || (room == "sim/engine" && line.contains("crate::sim::engine"));
                if !own && !may.contains(&name) {
                    let at = source.path.display();
                    problems.push(format!(
                        "{at}:{number}: room {room} names {name}: {}",
                        line.trim()
                    ));
                }
            }
        }
    }
    none(&problems);
}

#[test]
fn only_the_aws_room_knows_the_sdks() {
    let mut problems = Vec::new();
    for source in sources(&["src"], ".rs") {
        for (number, line) in source.code() {
            let names_sdk = ["aws_sdk_", "aws_config", "aws_smithy_", "aws_credential_"]
                .iter()
                .any(|name| line.contains(name));
            if names_sdk && source.room() != "aws" {
                problems.push(format!(
                    "{}:{number}: {}",
                    source.path.display(),
                    line.trim()
                ));
            }
        }
    }
    none(&problems);
}

#[test]
fn pure_rooms_name_neither_io_nor_clocks() {
    let mut problems = Vec::new();
    for source in sources(&["src/domain", "src/sim/engine", "src/view"], ".rs") {
        for (number, line) in source.code() {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                problems.push(format!("{}:{number}: names {word}", source.path.display()));
            }
        }
    }
    none(&problems);
}

#[test]
fn tasks_run_under_the_supervisor_only() {
    let mut problems = Vec::new();
    for source in sources(&["src"], ".rs") {
        for (number, line) in source.code() {
            if line.contains("tokio::spawn") || line.contains("thread::spawn") {
                problems.push(format!(
                    "{}:{number}: spawns outside",
                    source.path.display()
                ));
            }
        }
    }
    none(&problems);
}

#[test]
fn files_stay_readable() {
    let mut problems = Vec::new();
    for source in sources(&["src", "tests", "benches"], ".rs") {
        let lines = source.text.lines().count();
        if lines > MOST_LINES && !source.path.ends_with("tests.rs") {
            problems.push(format!("{}: {lines} lines", source.path.display()));
        }
        for (number, line) in (1..).zip(source.text.lines()) {
            if line.chars().count() > 120 {
                problems.push(format!(
                    "{}:{number}: longer than 120 columns",
                    source.path.display()
                ));
            }
        }
        if !source.text.starts_with("//!") {
            problems.push(format!(
                "{}: does not say what it is for",
                source.path.display()
            ));
        }
    }
    none(&problems);
}

/// A sample that nothing loads goes stale.
#[test]
fn every_file_in_config_is_loaded_by_a_test_or_by_the_program() {
    let code: String = sources(&["src", "tests"], "")
        .iter()
        .map(|s| s.text.as_str())
        .collect();
    let mut problems = Vec::new();
    for sample in sources(&["config"], "") {
        let path = sample.path.to_str().unwrap();
        if !code.contains(path) {
            problems.push(format!("{path}: nothing loads it"));
        }
    }
    none(&problems);
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut problems = Vec::new();
    let (mut within, mut reason) = (false, false);
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = line.contains("dependencies]");
            reason = false;
        } else if line.starts_with('#') {
            reason = true;
        } else if line.is_empty() {
            reason = false;
        } else if within && !reason {
            problems.push(format!("no reason above: {line}"));
        }
    }
    none(&problems);
}

/// Every key that the config knows stands in one of its references, in the code's own lists of them.
#[test]
fn every_key_of_the_config_is_in_its_reference() {
    let pages = ["config", "alerts", "schedules"];
    let text = pages.map(|page| {
        let path = root().join(format!("docs/{page}.md"));
        std::fs::read_to_string(path).unwrap()
    });
    let text = text.concat();
    let mut problems = Vec::new();
    let mut known = 0;
    for Source { path, text: code } in sources(&["src/config"], ".rs") {
        for list in code.split("KEYS: [&str; ").skip(1) {
            let list = list.split("];").next().unwrap_or_default();
            for key in list.split('"').skip(1).step_by(2) {
                known += 1;
                // A bare secret is known only to be refused.
                let refused = ["key", "token"].contains(&key);
                let stands = [
                    format!("`{key}`"),
                    format!(".{key}`"),
                    format!("`{key}."),
                    format!(".{key}."),
                ];
                if !refused && !stands.iter().any(|form| text.contains(form)) {
                    problems.push(format!("{}: `{key}` is in no reference", path.display()));
                }
            }
        }
    }
    assert!(known > 100, "only {known} keys were found in the code");
    none(&problems);
}

#[test]
fn links_in_the_docs_lead_somewhere() {
    let mut docs: Vec<Source> = Vec::new();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ] {
        let text = std::fs::read_to_string(root().join(name)).unwrap();
        docs.push(Source {
            path: PathBuf::from(name),
            text,
        });
    }
    walk(Path::new("docs"), ".md", &mut docs);
    let mut problems = Vec::new();
    for doc in &docs {
        for link in doc
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let path = match file {
                "" => doc.path.clone(),
                _ => doc.path.parent().unwrap().join(file),
            };
            match std::fs::read_to_string(root().join(&path)) {
                Err(_) if root().join(&path).is_dir() && anchor.is_empty() => {}
                Err(_) => problems.push(format!("{}: {link} leads nowhere", doc.path.display())),
                Ok(text) if !anchor.is_empty() && !anchors(&text).contains(&anchor.to_owned()) => {
                    problems.push(format!(
                        "{}: {link} has no such heading",
                        doc.path.display()
                    ));
                }
                Ok(_) => {}
            }
        }
    }
    none(&problems);
}

/// Headings as anchors, in the way that GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
            .collect()
    };
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}
