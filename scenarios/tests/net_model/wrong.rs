//! That nodes which are wrong are found: each fault here is one that a node could have, and its nodes have it when they come back from a kill.

use leyden_scenarios::Wrong;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use crate::action::Action;
use crate::model;
use crate::run::{Theatre, search};
use crate::step::{Step, Verdict, step};

const CAPACITY_SAT: u64 = 500_000;

fn open(from: usize, to: usize) -> Step {
    Step::Open { from, to, capacity_sat: CAPACITY_SAT, push_percent: 0 }
}

fn pay(to: usize, verdicts: &[Verdict]) -> Step {
    Step::Pay { from: 0, to, amount_msat: 5_000_000, parts: 1, verdicts: verdicts.to_vec(), fault: None }
}

/// Such a node is found when it has been killed; at once, in these words, or by what it does not come to say.
#[track_caller]
fn is_found(theatre: &mut Theatre, steps: &[Step], at_once: Option<&str>) {
    let plan = model::plan(3, steps);
    let kill = plan.iter().position(|action| matches!(action, Action::Kill(_))).expect("a node is killed");
    let error = theatre.play(&plan).expect_err("the node is wrong").to_string();
    let place: usize = error
        .split_once("action ")
        .and_then(|(_, rest)| rest.split_once(" of "))
        .and_then(|(place, _)| place.parse().ok())
        .unwrap_or_else(|| panic!("no action: {error}"));
    assert!(place >= kill && at_once.is_none_or(|words| error.contains(words)), "{error}");
}

#[test]
fn net_model_finds_nodes_that_are_wrong() {
    use Verdict::Continue;
    let owns = [open(0, 1), Step::Kill(0)];
    let waits = |killed| [open(0, 1), pay(1, &[]), Step::Kill(killed)];
    let is_paid = |killed| [open(0, 1), pay(1, &[Continue]), Step::Kill(killed)];
    let is_passed_on = [open(0, 1), open(1, 2), pay(2, &[Continue, Continue]), Step::Kill(1)];
    let judge = Step::Judge { which: 0, verdict: Continue, fault: None };
    let waits_behind = [open(0, 1), open(1, 2), pay(2, &[Continue]), Step::Kill(1), judge];
    let cases: [(&[Step], Wrong, Option<&str>); 9] = [
        (&waits(1), Wrong::FORGETS_HTLCS, Some("cannot be loaded")),
        (
            &is_paid(0),
            Wrong::Executes("UPDATE channels SET msatoshi_local = msatoshi_local - 1000"),
            Some("cannot be loaded"),
        ),
        (
            &waits_behind,
            Wrong::Executes("UPDATE channel_htlcs SET origin_htlc = NULL"),
            Some("stage.asked(&l2, "),
        ),
        (&waits_behind, Wrong::Executes("DELETE FROM forwards"), None),
        (&is_passed_on, Wrong::SETTLES_TWICE, None),
        (&owns, Wrong::Executes("UPDATE outputs SET value = value - 1 WHERE status = 0"), None),
        (&is_paid(0), Wrong::Executes("DELETE FROM payments"), None),
        (&is_paid(1), Wrong::Executes("UPDATE invoices SET state = 0"), None),
        (&waits(0), Wrong::SendsBeforeItCommits, None),
    ];
    let mut theatre = Theatre::new(3, None);
    for (steps, wrong, at_once) in cases {
        theatre.go_wrong(Some(wrong));
        is_found(&mut theatre, steps, at_once);
    }
    theatre.go_wrong(None);
    theatre.close();
}

#[test]
fn net_model_tells_of_a_wrong_node_in_a_short_sequence() {
    let theatre = Theatre::new(2, Some(Wrong::FORGETS_HTLCS)).counting("cannot be loaded");
    let config = Config { cases: 20, rng_seed: RngSeed::Fixed(1), max_shrink_iters: 8, ..Config::default() };
    let sequences = prop::collection::vec(step(2), 0..=3).prop_map(|noise| {
        let end = [pay(1, &[]), Step::Kill(1)];
        [&[open(0, 1)][..], &noise[..], &end[..]].concat()
    });
    let found = search(theatre, config, &sequences).expect("the node is wrong");
    assert!(found.why.contains("cannot be loaded"), "{found}");
    let file = std::fs::read_to_string(&found.file).expect("it was written");
    assert!(
        file.contains("async fn a_sequence_of_the_net_model()") && file.contains("mod stage {"),
        "{file}"
    );
    let is_needed = ["stage.send(", "l2.kill().await?;"].iter().all(|step| found.body.contains(step));
    assert!(is_needed && found.plan.len() < 60, "{found}");
    std::fs::remove_dir_all(found.file.parent().expect("it is in a directory")).expect("it was kept");
}
