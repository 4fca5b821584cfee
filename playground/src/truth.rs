//! `leyden record` and `leyden diff`: the embedded node held against a real lightningd.
//!
//! What is held against what are tests of the package `leyden-snapshots`; cargo builds and runs them. So the command depends on no scenario.

use std::process::ExitCode;

use leyden::env::Settings;
use leyden::{Backend, Error, Profile, Result};

use crate::cli::TruthArgs;
use crate::process::cargo_test;

/// Records the goldens anew: also those that are the same, which then say what they were recorded from.
pub(crate) fn record(args: &TruthArgs) -> ExitCode {
    run("goldens", &format!("lightningd::{}", args.scenario()), &[("INSTA_UPDATE", "force")])
}

/// Plays scenarios on both nodes, and says where they differ.
pub(crate) fn diff(args: &TruthArgs) -> ExitCode {
    run("differential", args.scenario(), &[])
}

fn run(target: &str, filter: &str, env: &[(&str, &str)]) -> ExitCode {
    let ran = needs_the_real_one().and_then(|()| Ok(cargo_test(target, filter, env)?));
    match ran {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Without it the tests would be skipped.
fn needs_the_real_one() -> Result {
    let (settings, wanted) = (Settings::from_env(), Profile::default().version());
    let looking =
        Error::environment("looking for a real lightningd").expected(format!("lightningd {wanted}"));
    let looking = looking.advice("set LIGHTNINGD_EXE");
    if let Some(because) = Backend::Lightningd.missing(&settings) {
        return Err(looking.came(because));
    }
    match Backend::Lightningd.version(&settings)? {
        version if version == wanted => Ok(()),
        version => Err(looking.came(format!("it is {version}"))),
    }
}
