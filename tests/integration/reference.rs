//! What the docs say of the command line is what the command line is.

use clap::{CommandFactory, Parser};
use evenkeel::cli::Cli;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The whole reference, from what `--help` says.
fn reference() -> String {
    let mut text = "# Command line\n\nThis page is made from the program: every command, as `--help` prints it. \
        What they are for is in the [README](../README.md#commands) and in [operations](operations.md).\n"
        .to_owned();
    let mut top = Cli::command();
    top.build();
    let mut section = |name: &str, command: &mut clap::Command| {
        let help = command.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let help = lines.join("\n");
        writeln!(text, "\n## {name}\n\n```text\n{}\n```", help.trim()).unwrap();
    };
    section("evenkeel", &mut top.clone());
    for command in top.get_subcommands_mut() {
        if command.get_name() == "help" || command.is_hide_set() {
            continue;
        }
        let name = format!("evenkeel {}", command.get_name());
        section(&name, command);
    }
    text
}

#[test]
fn the_reference_of_the_command_line_is_complete() {
    let path = root().join("docs/cli.md");
    let made = reference();
    if std::env::var_os("EVENKEEL_WRITE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        held == made,
        "docs/cli.md is not what the program says; make it anew with \
         `EVENKEEL_WRITE_DOCS=1 cargo test --test integration reference`"
    );
}

fn pages(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "md") {
            found.push(path);
        }
    }
}

/// Words as a shell would split them; enough of one for what stands in docs.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Commands in a page: lines of shell blocks, and code within sentences. Blocks of a console are run by another test.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.replace("\\\n", " ").lines() {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            block = block.is_none().then(|| fence.to_owned());
            continue;
        }
        match block.as_deref() {
            Some("sh") => {
                let begins = ["evenkeel ", "; evenkeel ", "&& evenkeel "];
                let at = begins.iter().find_map(|b| {
                    let at = line.find(b)?;
                    // At the beginning, or after another command.
                    (at == 0 || b.len() > 9).then(|| at + b.len() - 9)
                });
                found.extend(at.and_then(|at| line.get(at..)).map(str::to_owned));
            }
            Some(_) => {}
            None => {
                let code = line.split('`').skip(1).step_by(2);
                found.extend(
                    code.filter(|c| c.starts_with("evenkeel "))
                        .map(str::to_owned),
                );
            }
        }
    }
    found
}

/// A command that stands in the docs and is refused is worse than none.
#[test]
fn every_command_in_the_docs_is_one() {
    let mut all = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    pages(&root().join("docs"), &mut all);
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for page in all.iter().filter(|page| !page.ends_with("docs/cli.md")) {
        for command in commands(&std::fs::read_to_string(page).unwrap()) {
            let ends = [" #", " >", " 2>", " |", " &", ";"];
            let end = ends.iter().filter_map(|end| command.find(end)).min();
            let command = command.get(..end.unwrap_or(command.len())).unwrap().trim();
            seen += 1;
            // Names in capitals stand for what the reader has to put there.
            let filled = command
                .replace("--for DURATION", "--for 2h")
                .replace("--account ID", "--account 123456789012");
            let parsed = Cli::try_parse_from(words(&filled));
            let refused = parsed.err().filter(clap::Error::use_stderr);
            // A command without what it is about is only named.
            let named = |error: &clap::Error| {
                words(command).len() == 2
                    && error.kind() == clap::error::ErrorKind::MissingRequiredArgument
            };
            wrong.extend(
                refused
                    .filter(|error| !named(error))
                    .map(|error| format!("{}: {command}: {error}", page.display())),
            );
        }
    }
    assert!(seen > 50, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
