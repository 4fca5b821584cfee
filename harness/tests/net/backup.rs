//! The driver for backup plugins: what it says of a good one, and how it names what is wrong with others.

use std::path::Path;
use std::sync::{Arc, Mutex};

use leyden::backup::{Answer, BackupDriver, Case, DbWrite, Duty};
use leyden::{Backend, Call, Fault, Mock, Plugin, Replica, Reply};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::on_each_backend;

/// A backup plugin in sh, which does all that CLN's documentation wants.
const KEEPER: &str = include_str!("keeper.sh");

/// Restores what `keeper.sh` has kept.
fn restore(dir: &Path, file: &Path) -> std::io::Result<()> {
    if dir.join("keeper.sqlite3").exists() {
        std::fs::copy(dir.join("keeper.sqlite3"), file)?;
    }
    let database = Connection::open(file).map_err(std::io::Error::other)?;
    database.execute_batch("PRAGMA foreign_keys = ON").map_err(std::io::Error::other)?;
    for line in std::fs::read_to_string(dir.join("keeper.log"))?.lines() {
        let call: Value = serde_json::from_str(line)?;
        let write = DbWrite::from_params(&call["params"]).expect("it has kept what came");
        let statements = write.writes.join(";\n");
        let executed = match write.is_lone_pragma() {
            true => database.execute_batch(&statements),
            false => database.execute_batch(&format!("BEGIN;\n{statements};\nCOMMIT")),
        };
        executed.map_err(std::io::Error::other)?;
    }
    Ok(())
}

fn keeper(text: String) -> BackupDriver {
    BackupDriver::new(move || Plugin::script("keeper.sh", text.clone())).restored_by(restore)
}

#[tokio::test]
async fn a_plugin_that_keeps_the_rules_is_played_through_every_case() {
    on_each_backend(async |backend| {
        let report = keeper(KEEPER.to_owned()).backend(backend).run().await?;
        report.check()?;
        let cases: Vec<Case> = report.cases.iter().map(|played| played.case).collect();
        assert_eq!(cases, Case::ALL);
        let text = report.to_string();
        assert!(text.starts_with("keeper.sh as a backup plugin:\n  deltas: kept; "), "{text}");
        let refusals = |case: Case| {
            let played = report.cases.iter().find(|played| played.case == case).expect("all were played");
            played.shown.iter().filter(|(_, answer)| matches!(answer, Answer::Refusal(_))).count()
        };
        assert_eq!((refusals(Case::OlderDatabase), refusals(Case::Gap)), (1, 0), "{text}");
        let wrap = report.cases.last().expect("it is the last");
        let numbers: Vec<u32> = wrap.shown.iter().map(|(write, _)| write.data_version).collect();
        assert!(numbers.windows(3).any(|three| three == [u32::MAX, 0, 1]), "{numbers:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_plugin_that_accepts_a_lower_number_is_named_with_the_frame_and_the_rule() {
    on_each_backend(async |backend| {
        let text = KEEPER.replace("refuse() { answer '{\"result\":\"refused\"}'; }", "refuse() { keep; }");
        let report = keeper(text).backend(backend).cases([Case::OlderDatabase]).run().await?;
        let (case, breach) = report.breaches().next().expect("it has broken a rule");
        assert_eq!((case, breach.rule), (Case::OlderDatabase, Duty::Halt));
        let error = report.check().unwrap_err();
        assert_eq!(error.fault(), Fault::Plugin);
        assert_eq!(
            error.headline(),
            "keeper.sh as a backup plugin: expected the rules of db_write to be kept, but 1 of 1 cases break one"
        );
        let call: Value = serde_json::from_str(&breach.frame)?;
        let (new, method) = (&call["params"]["data_version"], &call["method"]);
        assert_eq!(method, "db_write");
        let text = error.to_string();
        for expected in [
            format!("an older database: it accepted data_version {new} behind "),
            "rule:  less than the last: refuse, and let the operator look".into(),
            format!("frame: {}", breach.frame.split_at(60).0),
            "answer: continue".into(),
        ] {
            assert!(text.contains(&expected), "{expected:?} in {text}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_plugin_that_keeps_the_writes_of_an_uncommitted_number_is_found_by_its_copy() {
    on_each_backend(async |backend| {
        let text = KEEPER.replace("            drop_last\n", "");
        let cases = [Case::CrashBeforeCommit, Case::RefusedByAnother];
        let report = keeper(text).backend(backend).cases(cases).run().await?;
        let text = report.check().unwrap_err().to_string();
        assert!(text.contains("2 of 2 cases break one"), "{text}");
        assert!(text.contains("a crash between answer and commit: its "), "{text}");
        assert!(
            text.contains("rule:  the last one again, which was not committed: replace its writes"),
            "{text}"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_plugin_that_gives_no_answer_is_named() -> leyden::Result {
    let text = KEEPER.replace("            drop_last\n", "            exit 1\n");
    let report = keeper(text).backend(Backend::Embedded).cases([Case::CrashBeforeCommit]).run().await?;
    let text = report.check().unwrap_err().to_string();
    assert!(text.contains("a crash between answer and commit: it did not answer to data_version "), "{text}");
    Ok(())
}

/// A replica is a backup plugin by itself, but for gaps, which it refuses.
#[tokio::test]
async fn a_mock_may_be_the_plugin_and_may_refuse_a_gap() -> leyden::Result {
    let kept = Arc::new(Mutex::new(Replica::new()));
    let keeping = Arc::clone(&kept);
    let make = move || {
        let replica = Arc::clone(&keeping);
        *replica.lock().unwrap() = Replica::new();
        let keep = move |call: &Call| {
            let write = DbWrite::from_params(call.params()).expect("lightningd sends what it says");
            match replica.lock().unwrap().keep(&write) {
                Ok(()) => Reply::cont(),
                Err(error) => Reply::result(json!({"result": error.headline()})),
            }
        };
        Mock::hook("db_write").reply(keep).named("replica")
    };
    let driver = BackupDriver::new(make).backend(Backend::Embedded);
    let saved = move |_: &Path, file: &Path| kept.lock().unwrap().save(file).map_err(std::io::Error::other);
    let report = driver.restored_by(saved).run().await?;
    report.check()?;
    let text = report.to_string();
    let gap = text.lines().find(|line| line.contains("a gap")).unwrap_or_default();
    assert!(gap.contains("kept") && gap.contains(", as it may"), "{text}");
    Ok(())
}
