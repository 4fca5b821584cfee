//! What the command reads from the environment: the only module that may.

use std::ffi::OsString;

/// The cargo that runs this command, or the one on `PATH`.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Whether there is a `python3` on `PATH`, as `#!/usr/bin/env python3` needs it.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn has_python3() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join("python3").is_file())
}

/// Where the nodes of a net that stays have their directories, as for `contrib/startup_regtest.sh`.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn lightning_dir() -> Option<std::path::PathBuf> {
    std::env::var_os("LIGHTNING_DIR").map(Into::into)
}
