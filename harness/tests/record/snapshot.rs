//! `assert_transcript!` with a file beside the test.

use leyden::Transcript;

use crate::fixture::Run;

#[test]
fn a_snapshot_may_be_a_file() {
    let run = Run::example();
    leyden::assert_transcript!(
        Transcript::of(&run.timeline(), "l1", None, run.names()).only(["getmanifest"])
    );
}

#[test]
fn a_file_may_have_a_name() {
    let run = Run::example();
    leyden::assert_transcript!(
        "block",
        Transcript::of(&run.timeline(), "l1", None, run.names()).only(["block_added"])
    );
}
