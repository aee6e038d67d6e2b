//! How this program was built. The build script finds it out.

/// The commit, or `unknown`: only releases know it.
pub const COMMIT: &str = env!("EVENKEEL_BUILT_COMMIT");

/// For one line.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("EVENKEEL_BUILT_COMMIT"),
    ")"
);

/// For `--version`: everything that is known.
pub const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit:   ",
    env!("EVENKEEL_BUILT_COMMIT"),
    "\ntarget:   ",
    env!("EVENKEEL_BUILT_TARGET"),
    "\nprofile:  ",
    env!("EVENKEEL_BUILT_PROFILE"),
    "\ncompiler: ",
    env!("EVENKEEL_BUILT_COMPILER"),
    "\nTLS:      rustls with ring",
);
