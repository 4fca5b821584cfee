//! That the matrix finds nodes that are wrong: the node between comes back from its crashes with a database that a wrong node would have.

use std::panic::{AssertUnwindSafe, catch_unwind};

use leyden::{Backend, Commit, CrashPoint, Net};
use leyden_scenarios::Wrong;
use tokio::runtime::Runtime;

use crate::matrix::Way;
use crate::stage::{Preimages, Stage, Victim};
use crate::{Verdict, judge};

/// What the matrix has to say of such a node: crashes at its first commit, at its second, and so on.
fn complaint(wrong: Wrong, phase: fn(Commit) -> CrashPoint) -> String {
    let runtime = Runtime::new().expect("a runtime");
    let preimages = Preimages::default();
    let net = Net::line(["l1", "l2", "l3"])
        .backend(Backend::Embedded)
        .mount(Victim::Between.name(), judge(Verdict::Continue, &preimages));
    let net = runtime.block_on(net.start()).expect("a net");
    let stage = runtime.block_on(Stage::new(&net, Victim::Between, Verdict::Continue, preimages));
    let mut stage = stage.expect("they have channels");
    stage.go_wrong(wrong);
    let mut found = None;
    for nth in 1.. {
        let points = [phase(Commit::nth(nth))];
        let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(stage.pay_and_crash(&points))));
        match played {
            Ok(Ok(Way::Crashed)) => {}
            Ok(Ok(Way::Unhurt)) => break,
            Ok(Err(error)) => found = Some(error.to_string()),
            Err(panic) => found = Some(panic.downcast_ref().cloned().unwrap_or_default()),
        }
        if found.is_some() {
            break;
        }
    }
    let dir = net.run_dir().to_owned();
    // It has found something, and so has nothing to add.
    drop(runtime.block_on(net.finish()));
    if dir.exists() {
        std::fs::remove_dir_all(dir).expect("it was kept");
    }
    found.unwrap_or_else(|| panic!("{wrong:?}: nothing was found"))
}

#[test]
fn crash_matrix_finds_a_node_that_sends_before_it_commits() {
    let complaint = complaint(Wrong::SendsBeforeItCommits, Commit::after_send);
    assert!(complaint.contains("expected CHANNELD_NORMAL"), "{complaint}");
}

#[test]
fn crash_matrix_finds_a_node_that_forgets_an_htlc() {
    let complaint = complaint(Wrong::FORGETS_HTLCS, Commit::after);
    assert!(complaint.contains("cannot be loaded"), "{complaint}");
}

#[test]
fn crash_matrix_finds_a_verdict_that_counts_twice() {
    let complaint = complaint(Wrong::SETTLES_TWICE, Commit::after);
    assert!(complaint.contains("\"status\":\"settled\""), "{complaint}");
}
