//! The transcripts of every scenario, compared with the goldens recorded from a real lightningd.
//!
//! To record: `LIGHTNINGD_EXE=… INSTA_UPDATE=always cargo test -p leyden-snapshots --test goldens lightningd::`

use std::collections::BTreeMap;
use std::path::Path;

use leyden::env::Settings;
use leyden::{Backend, Mock, Net, Result};
use leyden_scenarios::{every_scenario, scenario, scenarios};
use serde::Deserialize;

/// The release that the goldens are recorded from, and that the embedded node is.
const RELEASE: &str = "v26.06.6";

/// The directory of the goldens, from this file.
const DIR: &str = "snapshots";

async fn compare(name: &str, backend: Backend) -> Result {
    let scenario = scenario(name);
    if scenario.goldens.is_empty() {
        return Ok(());
    }
    if let Some(because) = backend.missing(&Settings::from_env()).or(scenario.skipped(backend).map(Into::into)) {
        println!("skipped {name} on {backend}, because {because}");
        return Ok(());
    }
    if backend == Backend::Lightningd && version_of(backend).await? != RELEASE {
        println!("skipped {name} on {backend}, because the goldens are of {RELEASE}");
        return Ok(());
    }
    let differences = differences();
    for played in scenario.play(backend).await? {
        let differs = backend == Backend::Embedded && differences.contains_key(&played.golden);
        let golden = if differs { own_golden(&played.golden) } else { played.golden };
        insta::with_settings!({
            description => recorded_from(backend),
            omit_expression => true,
            prepend_module_to_snapshot => false,
            snapshot_path => DIR,
        }, { insta::assert_snapshot!(golden, played.transcript) });
    }
    Ok(())
}
