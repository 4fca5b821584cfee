//! The embedded node, release by release, held against recordings of real lightningds (`scenarios/groundtruth/`).
//!
//! Frames are compared by kind: their members, the order and the nesting of these, their JSON types, and the values
//! that do not differ from run to run. Then the order in which kinds come is compared. Two lists say what is left
//! out: `not-compared.txt` (what the story cannot have) and `differences.txt` (what is not equal).

mod comparison;
mod kind;
mod list;
mod payments;
mod recording;
mod replay;
mod shape;
mod story;
mod writes;

use comparison::Comparison;
use recording::Recording;
use std::io::Write;

/// Plays the story as one release, compares, and says how much was equal: also if the test passes.
async fn compare(release: &str) {
    let recording = Recording::read(release);
    let played = story::play(&recording).await.unwrap_or_else(|error| panic!("{release}: {error}"));
    let comparison = Comparison::new(&recording, &played);
    // `println!` would be kept from who runs the tests.
    writeln!(std::io::stdout(), "{comparison}").expect("stdout is there");
    comparison.judge();
}

#[tokio::test]
async fn groundtruth_v0_10_1() {
    compare("v0.10.1").await;
}

#[tokio::test]
async fn groundtruth_v0_10_1_with_deprecated_apis() {
    compare("v0.10.1-deprecated-apis").await;
}

#[tokio::test]
async fn groundtruth_v23_02_2() {
    compare("v23.02.2").await;
}

#[tokio::test]
async fn groundtruth_v26_06_6() {
    compare("v26.06.6").await;
}

#[test]
fn every_frame_that_groundtruth_leaves_out_was_recorded() {
    let recordings = recording::RELEASES.map(Recording::read);
    for rule in list::not_compared() {
        let used = recordings
            .iter()
            .flat_map(|recording| recording.told.runs())
            .flat_map(|run| &run.told)
            .any(|frame| rule.covers(frame));
        assert!(used, "not-compared.txt: nothing that was recorded is '{rule}'");
    }
}
