//! What the node does about plugins that misbehave, against what lightningd v26.06.6 did: a test for each recorded case.
//!
//! `groundtruth/v26.06.6/misbehaviour.jsonl` says how a plugin misbehaves and what came of it: the answer to `plugin start`, the log, what
//! `help` and `listconfigs` show, the answer to `plugin stop`. Where a case cannot come out the same, `misbehaviour.exceptions.jsonl` has what
//! is expected instead, and why.

mod case;
mod outcome;
mod plugin;
mod stage;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use case::Case;
use stage::Stage;

fn main() -> ExitCode {
    let stage = Arc::new(Stage::default());
    let mut trials = vec![Trial::test("misbehaviour::every_recorded_case_is_a_test", every_case_is_known)];
    trials.extend(case::all().into_iter().map(|case| {
        let stage = Arc::clone(&stage);
        Trial::test(format!("misbehaviour::{}", case.name), move || check(&stage, &case))
    }));
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // The nets end with the checks that every net makes.
    if let Err(error) = stage.finish() {
        complain(&error.to_string());
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

fn check(stage: &Stage, case: &Case) -> Result<(), Failed> {
    let expected = case.expected();
    let differences = stage.play(case, expected.log.len())?.differences(&expected);
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n").into()) }
}

fn every_case_is_known() -> Result<(), Failed> {
    let mut names: Vec<String> = case::all().into_iter().map(|case| case.name).collect();
    names.sort();
    names.dedup();
    if names.len() != case::COUNT {
        return Err(
            format!("{} cases of different names were expected, not {}", case::COUNT, names.len()).into()
        );
    }
    match case::exceptions().keys().find(|name| !names.contains(name)) {
        Some(stray) => Err(format!("there is no case {stray} to which there could be an exception").into()),
        None => Ok(()),
    }
}

#[expect(clippy::print_stderr, reason = "what the end of the nets has to complain about belongs to no test")]
fn complain(text: &str) {
    eprintln!("{text}");
}
