//! The `evenkeel` command: parse, dispatch, and map the outcome to an exit code.

use std::process::ExitCode;

use clap::Parser;
use evenkeel::app::{self, USAGE};
use evenkeel::cli::Cli;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => ExitCode::from(app::main(&cli)),
        Err(error) => {
            // Help and version come this way too, and are no error. Nothing is left to do if even this can not be
            // printed.
            error.print().unwrap_or_default();
            if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            }
        }
    }
}
