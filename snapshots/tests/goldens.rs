//! The transcripts of every scenario, compared with the goldens recorded from a real lightningd.
//!
//! To record: `LIGHTNINGD_EXE=… INSTA_UPDATE=always cargo test -p leyden-snapshots --test goldens lightningd::`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use leyden::env::Settings;
use leyden::{Backend, Net, Result};
use leyden_scenarios::{Scenario, every_scenario, scenario, scenarios};
use serde::Deserialize;
use serde_json::json;

/// The release that the goldens are of.
const RELEASE: &str = "v26.06.6";

#[expect(clippy::print_stdout, reason = "a test that is skipped says why")]
async fn compare(name: &str, backend: Backend) -> Result {
    let scenario = scenario(name);
    if let Some(because) = skipped(backend, scenario.skipped(backend)).await? {
        println!("skipped {name} on {backend}, because {because}");
        return Ok(());
    }
    if scenario.goldens.is_empty() {
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
        }, { insta::assert_snapshot!(golden, played.transcript) });
    }
    Ok(())
}

async fn skipped(backend: Backend, lacks: Option<&str>) -> Result<Option<String>> {
    let because = backend.missing(&Settings::from_env()).or(lacks.map(Into::into));
    if because.is_some() || backend == Backend::Embedded {
        return Ok(because);
    }
    let net = Net::builder().nodes(["l1"]).backend(backend).start().await?;
    let version = net.node("l1").rpc("getinfo", json!({})).await?["version"].clone();
    net.finish().await?;
    Ok((version != RELEASE).then(|| format!("it is {version}, and the goldens are of {RELEASE}")))
}

macro_rules! tests {
    ($($subject:ident: $($name:ident)+;)+) => {
        mod embedded {
            use super::{Backend, Result, compare};
            $($(#[tokio::test] async fn $name() -> Result { compare(stringify!($name), Backend::Embedded).await })+)+
        }
        mod lightningd {
            use super::{Backend, Result, compare};
            $($(#[tokio::test] async fn $name() -> Result { compare(stringify!($name), Backend::Lightningd).await })+)+
        }
    };
}
every_scenario!(tests);

/// What `differences.toml` says: by golden, why the embedded node differs.
fn differences() -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Listed {
        #[serde(default)]
        difference: Vec<Difference>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Difference {
        golden: String,
        because: String,
    }
    let listed: Listed =
        toml::from_str(include_str!("../differences.toml")).expect("differences.toml is as it says");
    listed.difference.into_iter().map(|one| (one.golden, one.because)).collect()
}

fn recorded_from(backend: Backend) -> String {
    match backend {
        Backend::Lightningd => format!("recorded from lightningd {RELEASE}"),
        Backend::Embedded => format!("recorded from the embedded node as {RELEASE}"),
    }
}

/// The golden of the embedded node where it differs from the real one's.
fn own_golden(golden: &str) -> String {
    format!("{golden}@embedded")
}

fn file(golden: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{golden}.snap"))
}

/// A golden's metadata and its text.
fn read(golden: &str) -> (String, String) {
    let file = file(golden);
    let whole = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (metadata, text) =
        whole.trim_start_matches("---\n").split_once("\n---\n").expect("insta writes it so");
    (metadata.to_owned(), text.to_owned())
}

#[test]
fn every_golden_says_what_it_was_recorded_from_and_none_is_left_over() {
    let differences = differences();
    let mut expected = BTreeMap::new();
    for scenario in scenarios() {
        for golden in scenario.golden_names() {
            if differences.contains_key(&golden) {
                expected.insert(own_golden(&golden), Backend::Embedded);
            }
            expected.insert(golden, Backend::Lightningd);
        }
    }
    for (golden, backend) in &expected {
        let (metadata, _) = read(golden);
        assert!(
            metadata.contains(&recorded_from(*backend)),
            "{golden} was not {}: {metadata}",
            recorded_from(*backend)
        );
    }
    let dir = file("x").with_file_name("");
    let found = std::fs::read_dir(dir).expect("there are goldens").flatten();
    let found = found.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let left: Vec<String> = found
        .filter(|name| name.strip_suffix(".snap").is_some_and(|name| !expected.contains_key(name)))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "no scenario has these goldens");
}

#[test]
fn every_listed_difference_has_a_reason_and_is_still_one() {
    let goldens: Vec<String> = scenarios().iter().flat_map(Scenario::golden_names).collect();
    for (golden, because) in differences() {
        assert!(goldens.contains(&golden), "differences.toml: no scenario has the golden {golden}");
        assert!(!because.is_empty(), "differences.toml: {golden} differs without a reason");
        let (real, own) = (read(&golden).1, read(&own_golden(&golden)).1);
        assert!(real != own, "differences.toml: {golden} no longer differs; delete the entry and the golden");
    }
}
