//! Every scenario on every backend that this machine has; its transcripts are compared with the goldens recorded from a real lightningd.
//!
//! `cargo leyden record` records them. `cargo test -p leyden-snapshots --test goldens lightningd::` plays those on a real lightningd:
//! `LIGHTNINGD_EXE`, or `lightningd` on PATH.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use leyden::{Backend, Profile, Result};
use leyden_scenarios::{Scenario, every_scenario, scenario, scenarios};
use leyden_snapshots::{Difference, skipped};

/// The release that the goldens are of.
const RELEASE: Profile = Profile::V26_06;

#[expect(clippy::print_stdout, reason = "a test that is skipped says why")]
async fn compare(name: &str, backend: Backend) -> Result {
    let scenario = scenario(name);
    if let Some(because) = skipped(&scenario, backend) {
        println!("skipped {name} on {backend}, because {because}");
        return Ok(());
    }
    for said in scenario.play(backend).await?.goldens {
        let differs = backend == Backend::Embedded && file(&own_golden(&said.name)).exists();
        let golden = if differs { own_golden(&said.name) } else { said.name };
        insta::with_settings!({
            description => recorded_from(backend),
            omit_expression => true,
            prepend_module_to_snapshot => false,
        }, { insta::assert_snapshot!(golden, said.transcript) });
    }
    Ok(())
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

fn recorded_from(backend: Backend) -> String {
    let who = match backend {
        Backend::Lightningd => "lightningd",
        Backend::Embedded => "the embedded node as",
    };
    let (version, date) = (RELEASE.version(), RELEASE.release_date());
    format!("recorded from {who} {version} of {date}, profile {RELEASE}")
}

/// What the name of a golden of the embedded node ends in, where it differs from the real one's.
const OF_OUR_OWN: &str = "@embedded";

fn own_golden(golden: &str) -> String {
    format!("{golden}{OF_OUR_OWN}")
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

/// The goldens that scenarios have, with what they must be recorded from.
fn expected() -> BTreeMap<String, Backend> {
    let mut expected = BTreeMap::new();
    for golden in scenarios().iter().flat_map(Scenario::golden_names) {
        if file(&own_golden(&golden)).exists() {
            expected.insert(own_golden(&golden), Backend::Embedded);
        }
        expected.insert(golden, Backend::Lightningd);
    }
    expected
}

#[test]
fn every_golden_says_what_it_was_recorded_from_and_none_is_left_over() {
    let expected = expected();
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
fn enough_is_recorded_from_a_real_lightningd() {
    // Where the embedded node has a golden of its own, it is not held against the real one's.
    let held = |golden: &str| !golden.ends_with(OF_OUR_OWN) && !file(&own_golden(golden)).exists();
    let goldens = expected().into_keys().filter(|golden| held(golden)).map(|golden| read(&golden));
    let recorded: Vec<String> = goldens
        .filter(|(metadata, _)| metadata.contains(&recorded_from(Backend::Lightningd)))
        .map(|(_, text)| text)
        .collect();
    let frames: usize = recorded.iter().map(|text| frames(text)).sum();
    // `println!` would be kept from who runs the tests.
    writeln!(std::io::stdout(), "{} goldens of a real lightningd, with {frames} frames", recorded.len())
        .expect("stdout is there");
    assert!(recorded.len() >= 60, "{} goldens of at least 60", recorded.len());
    assert!(frames >= 1000, "{frames} frames of at least 1000");
}

/// The frames of a golden: only their first lines begin with a name and an arrow.
fn frames(golden: &str) -> usize {
    let begins = |line: &&str| !line.starts_with([' ', '{', '}', '[', ']']) && line.contains(" -> ");
    golden.lines().filter(begins).count()
}

#[test]
fn every_listed_difference_is_of_a_golden_or_a_transcript_and_has_a_reason() {
    let listed = Difference::all();
    for one in &listed {
        let Difference { transcript, because, profile, .. } = one;
        let known = |name: &str| scenarios().iter().any(|one| one.name == name);
        assert!(one.scenario().is_none_or(known), "no scenario has {transcript}");
        assert!(!because.is_empty(), "{transcript} differs without a reason");
        assert!(profile.parse::<Profile>().is_ok(), "{transcript}: there is no profile {profile}");
    }
    for golden in expected().into_iter().filter(|(_, from)| *from == Backend::Embedded) {
        let real = golden.0.trim_end_matches(OF_OUR_OWN);
        assert!(listed.iter().any(|one| one.transcript == real), "{} differs, and nobody says why", golden.0);
        assert!(read(real).1 != read(&golden.0).1, "{real} no longer differs; delete {}", golden.0);
    }
}
