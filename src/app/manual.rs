//! `completions` and `man`: what shells and `man` need, from the command line itself.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use super::console::Console;
use super::failure::Failure;
use crate::cli::Cli;

/// Prints the completions of a shell.
pub(super) fn completions(shell: clap_complete::Shell, console: Console) {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "evenkeel", &mut text);
    console.out(&String::from_utf8_lossy(&text));
}

/// Prints the page of `evenkeel`, or writes it and those of its commands into a directory.
pub(super) fn man(directory: Option<&Path>, console: Console) -> Result<u8, Failure> {
    let command = Cli::command();
    match directory {
        None => {
            let mut page = Vec::new();
            let written = clap_mangen::Man::new(command).render(&mut page);
            written.context("the manual page")?;
            console.out(&String::from_utf8_lossy(&page));
        }
        Some(directory) => clap_mangen::generate_to(command, directory)
            .with_context(|| format!("can not write pages into {}", directory.display()))?,
    }
    Ok(0)
}
