//! Facts of the build for `--version`. A build from an archive has no repository to ask: whoever packs it says the
//! commit in `EVENKEEL_COMMIT`.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=EVENKEEL_COMMIT");
    let of_cargo = |name: &str| env::var(name).unwrap_or_default();
    let profile = of_cargo("PROFILE");
    let commit = commit(&profile).unwrap_or_else(|| "unknown".to_owned());
    let rustc = said(&of_cargo("RUSTC"), &["--version"]).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=EVENKEEL_BUILT_COMMIT={commit}");
    println!(
        "cargo::rustc-env=EVENKEEL_BUILT_TARGET={}",
        of_cargo("TARGET")
    );
    println!("cargo::rustc-env=EVENKEEL_BUILT_PROFILE={profile}");
    println!("cargo::rustc-env=EVENKEEL_BUILT_COMPILER={rustc}");
}

/// The commit that is built. Only releases ask for it: otherwise every commit would build everything again.
fn commit(profile: &str) -> Option<String> {
    if let Some(given) = env::var("EVENKEEL_COMMIT").ok().filter(|c| !c.is_empty()) {
        return Some(given);
    }
    if profile != "release" {
        return None;
    }
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/index");
    let hash = said("git", &["rev-parse", "--short=12", "HEAD"])?;
    let changes = said("git", &["status", "--porcelain", "--untracked-files=no"]);
    let dirty = changes.is_some_and(|changes| !changes.is_empty());
    Some(if dirty {
        format!("{hash}, changed")
    } else {
        hash
    })
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
