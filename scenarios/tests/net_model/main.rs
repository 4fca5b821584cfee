//! Property: whatever happens to a net of two to four nodes, in whatever order, its nodes say what a model says: to the millisatoshi of
//! every channel, to the satoshi of every wallet, of every payment and HTLC, and of every call of a hook.
//!
//! `PROPTEST_CASES=5000 cargo test -p leyden-scenarios net_model` plays so many sequences rather than 200 in all; `PROPTEST_RNG_SEED` plays
//! those of a seed again. A sequence that fails is made as short as it can be, and printed as a test.
//!
//! * `step`: what may happen, and how it is drawn. * `model`: what must come of it. * `action`: what is done and looked at.
//! * `stage`, `looks`, `chain`: the verbs. * `print`: a plan as a test; `printed` is one. * `run`: sequences, one after the other.
//! * `wrong`: nodes that are wrong are found.

mod action;
mod chain;
mod looks;
mod model;
mod print;
mod printed;
mod run;
mod stage;
mod step;
mod wrong;

use crate::action::Action;
use crate::step::{Fault, Phase, Verdict};

#[test]
fn net_model_of_two_nodes() {
    run::property(2, 50);
}

#[test]
fn net_model_of_three_nodes() {
    run::property(3, 35);
}

#[test]
fn net_model_of_four_nodes() {
    run::property(4, 15);
}

/// A plan with every action in it, which is true.
fn all_actions() -> Vec<Action> {
    let sees = |node, lines: &[&str]| Action::Sees {
        node,
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
    };
    let both_ended = || {
        sees(
            0,
            &["with l2: 295999500 msat", "payment 1: complete", "payment 3: complete", "invoice 2: unpaid"],
        )
    };
    let parts_failed = || {
        sees(
            1,
            &[
                "with l1: 204000500 msat",
                "payment 2, part 1: failed",
                "payment 2, part 2: failed",
                "invoice 1: paid",
                "invoice 3: unpaid",
            ],
        )
    };
    let arm = |fault| Action::Arm(fault);
    vec![
        Action::Open { from: 0, to: 1, capacity_sat: 500_000, push_msat: 200_000_500 },
        Action::Owns { node: 0, sat: 1_000_000 },
        Action::Invoice { payment: 1, payee: 1, amount_msat: 1_000_000 },
        arm(Fault::Commit { node: 1, nth: 2, phase: Phase::After }),
        Action::Send { payment: 1, along: vec![0, 1], amount_msat: 1_000_000, parts: 1 },
        sees(1, &["with l1: 200000500 msat, in 1: 1000000 msat", "invoice 1: unpaid"]),
        Action::Disarm,
        arm(Fault::Answered { node: 1 }),
        Action::Answer { node: 1, payment: 1, verdict: Verdict::Continue },
        sees(0, &["with l2: 298999500 msat", "payment 1: complete"]),
        Action::Disarm,
        Action::Paid { payer: 0, payment: 1 },
        Action::Asked { node: 1, times: vec![(1, 1, 3)] },
        Action::Restart(0),
        sees(0, &["with l2: 298999500 msat", "payment 1: complete"]),
        sees(1, &["with l1: 201000500 msat", "invoice 1: paid"]),
        Action::Invoice { payment: 2, payee: 0, amount_msat: 2_000_000 },
        Action::Send { payment: 2, along: vec![1, 0], amount_msat: 2_000_000, parts: 2 },
        sees(
            0,
            &[
                "with l2: 298999500 msat, in 2: 1000000 msat, in 2: 1000000 msat",
                "payment 1: complete",
                "invoice 2: unpaid",
            ],
        ),
        arm(Fault::Cut { node: 0, message: "revoke_and_ack", nth: 1, arrives: true }),
        Action::Answer { node: 0, payment: 2, verdict: Verdict::Fail },
        sees(
            1,
            &[
                "with l1: 201000500 msat",
                "payment 2, part 1: failed",
                "payment 2, part 2: failed",
                "invoice 1: paid",
            ],
        ),
        Action::Disarm,
        Action::Failed { payer: 1, payment: 2, code: 204 },
        Action::Kill(1),
        sees(
            1,
            &[
                "with l1: 201000500 msat",
                "payment 2, part 1: failed",
                "payment 2, part 2: failed",
                "invoice 1: paid",
            ],
        ),
        sees(0, &["with l2: 298999500 msat", "payment 1: complete", "invoice 2: unpaid"]),
        Action::Invoice { payment: 3, payee: 1, amount_msat: 3_000_000 },
        arm(Fault::Called { node: 1 }),
        Action::Send { payment: 3, along: vec![0, 1], amount_msat: 3_000_000, parts: 1 },
        Action::Answer { node: 1, payment: 3, verdict: Verdict::Resolve },
        both_ended(),
        Action::Disarm,
        Action::Disconnect(0, 1),
        parts_failed(),
        Action::CrashPlugin(0),
        Action::Block(2),
        Action::Reorg { depth: 2, shift: 1 },
        parts_failed(),
        both_ended(),
        Action::Close { by: 0, with: 1, opener: 0 },
        Action::Owns { node: 0, sat: 1_296_000 },
        Action::Owns { node: 1, sat: 204_000 },
        Action::Open { from: 1, to: 0, capacity_sat: 500_000, push_msat: 0 },
        Action::Invoice { payment: 4, payee: 0, amount_msat: 20_000_000 },
        Action::Send { payment: 4, along: vec![1, 0], amount_msat: 20_000_000, parts: 1 },
        sees(
            0,
            &[
                "with l2: 0 msat, in 4: 20000000 msat",
                "payment 1: complete",
                "payment 3: complete",
                "invoice 2: unpaid",
                "invoice 4: unpaid",
            ],
        ),
        Action::CloseAlone { by: 1, with: 0, opener: 1, has: true },
        Action::Answer { node: 0, payment: 4, verdict: Verdict::Continue },
        Action::Claim { payment: 4, by: 0, from: 1, late: false },
        Action::Paid { payer: 1, payment: 4 },
        Action::Owns { node: 0, sat: 1_316_000 },
        Action::Owns { node: 1, sat: 1_684_000 },
    ]
}

#[test]
fn a_plan_is_printed_as_a_test_that_runs() {
    let printed = print::body(2, &all_actions());
    // `printed.rs` is compiled, and its test is run.
    assert!(printed == include_str!("printed.rs"), "printed.rs is to be:\n{printed}");
    let whole = print::test(2, &all_actions());
    assert!(whole.starts_with("//! ") && whole.contains("\nuse stage::{Fault, Stage, judge};\n"), "{whole}");
}
