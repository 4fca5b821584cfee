//! A suite of pyln-testing, in Python, on the embedded node: the program is the first `lightningd` on PATH.

mod bench;
mod venv;

use bench::Bench;
use std::path::Path;
use std::time::Duration;
use venv::Venv;

use leyden::Result;
use leyden::env::Settings;
use leyden::process::ParentWatch;

/// What is in this folder.
const SUITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pyln");

/// Each of its tests takes some three seconds.
const SUITE_TAKES: Duration = Duration::from_secs(150);

#[expect(clippy::print_stdout, reason = "a test that is skipped says why")]
#[tokio::test]
async fn a_suite_of_pyln_testing_passes() -> Result {
    let settings = Settings::from_env();
    let _watch = ParentWatch::start(&settings);
    let bench = Bench::new(&settings)?;
    let venv = match Venv::with(&Path::new(SUITE).join("requirements.txt"), &settings, &bench).await {
        Ok(venv) => venv,
        Err(because) => {
            println!("skipped, because {because}");
            return bench.finish();
        }
    };
    bench.install_lightningd().await?;
    bench.install_bitcoind(&settings).await?;
    let pytest = bench
        .on_path(&[&bench.bin(), &venv.bin()], "python")
        .args(["-m", "pytest", "-p", "no:cacheprovider", "-v", "--tb=short", SUITE])
        .env("TEST_DIR", bench.dir())
        // Whatever is meant for another suite.
        .env("PYTEST_ADDOPTS", "")
        .env("TEST_NETWORK", "regtest")
        .env("VALGRIND", "0")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    bench.run("pytest", pytest, SUITE_TAKES).await?;
    bench.finish()
}
