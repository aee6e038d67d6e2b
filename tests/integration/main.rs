//! One binary for all integration tests: linking the SDKs is slow.
//!
//! Most tests run the real planner and the real runtime against the simulator in process, on a clock that the test
//! turns. A file holds one behaviour.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "test code: a panic is how a test fails, and helpers are read where they are used"
)]

mod adopt;
mod alerts;
mod aws_errors;
mod budget;
mod chaos;
mod cli;
mod conformance;
mod converges;
mod crash;
mod daemon;
mod drift;
mod hardening;
mod incidents;
mod isolation;
mod kinds;
mod leases;
mod notices;
mod pages;
mod process;
mod reference;
mod runners;
mod schedule_findings;
mod schedules;
mod select;
mod server;
mod traps;
mod watching;
mod world;
