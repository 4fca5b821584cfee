//! The hook `db_write`: plugins that keep a copy of the node's database.
//!
//! The copy itself is made at the end of every scenario: see `NetBuilder::replicate`.

use std::sync::Mutex;

use leyden::backup::{Answer, DbWrite, Duty, Rules};
use leyden::{Call, Mock, Net, Node, Reply, Result};
use serde_json::json;

use crate::scenario::Scenario;

pub(crate) fn db_write() -> Scenario {
    Scenario::new(
        "a plugin sees every write before it is committed, numbered without a gap from the first on",
        || Net::builder().nodes(["l1"]).mount("l1", Mock::hook("db_write").expect(1..).named("backup")),
        |net| Box::pin(show_every_write(net)),
    )
}

async fn show_every_write(net: &Net) -> Result {
    let [l1] = net.nodes();
    let backup = l1.mock("backup").expect("it was mounted");
    let names: Vec<String> = backup.received().iter().map(|call| call.name().to_owned()).collect();
    assert_eq!(names[..2], ["getmanifest", "db_write"], "the first write comes before init");
    assert_eq!(names.iter().filter(|name| *name == "init").count(), 1);

    store(&l1, "it's", "quotes ' and \" and é\n").await?;
    // The node may be at its next write already: it is found by its key, in the bytes of "it's".
    let is_stored = |write: &DbWrite| write.writes.iter().any(|sql| sql.contains("69742773"));
    let answers = l1.db_writes("backup").into_iter().filter(|(write, _)| is_stored(write));
    assert_eq!(answers.map(|(_, answer)| answer).collect::<Vec<_>>(), [Answer::Continue]);
    l1.restart().await?;
    l1.rpc("getinfo", json!({})).await?;
    l1.stop().await?;

    let mut rules = Rules::default();
    for (write, _) in l1.db_writes("backup") {
        let duty = rules.duty(&write);
        assert!(matches!(duty, Duty::Append | Duty::AppendPragma), "{write} is {duty}");
        rules.kept(&write);
        let bumps = write.writes.last().is_some_and(|last| last.contains("name = 'data_version'"));
        assert_eq!(bumps, !write.is_lone_pragma(), "{write} ends with its own number: {:?}", write.writes);
    }
    let stored = &l1.db_query("SELECT intval FROM vars WHERE name = 'data_version'")?[0]["intval"];
    assert!(rules == Rules::behind(stored.as_u64().and_then(|stored| stored.try_into().ok()).unwrap_or(0)));
    l1.check_backup("backup")
}

pub(crate) fn db_write_refused() -> Scenario {
    let net = || {
        let is_bad = |call: &Call| call.params().to_string().contains(&"ab".repeat(20));
        let bad = Mock::hook("db_write")
            .when(is_bad)
            .reply(Reply::result(json!({"result": "fail"})))
            .then(Reply::result(json!({})))
            .then(Reply::error(-1, "no"))
            .then(Reply::exit(1));
        let bad = bad.and(Mock::hook("db_write")).named("backup");
        Net::builder().nodes(["l1"]).may_fail("l1").broken_log("l1", "").mount("l1", bad)
    };
    Scenario::new(
        "whatever is not continue ends the node before it commits; started again, it shows the same number again",
        net,
        |net| Box::pin(refuse_writes(net)),
    )
}

async fn refuse_writes(net: &Net) -> Result {
    let [l1] = net.nodes();
    for text in [
        "' returned failed db_write: .*\"fail\".*",
        "' returned an invalid result to the db_write hook: ",
        "' returned an invalid response to the db_write hook: .*\"no\"",
        "Already in transaction",
    ] {
        let params = json!({"key": "bad", "hex": "ab".repeat(20)});
        l1.rpc("datastore", params).await.expect_err("the node ends");
        l1.wait_for_log(&format!(r"\*\*BROKEN\*\* .*{text}")).await?;
        l1.wait_for_exit().await?;

        let refused = l1.db_writes("backup").pop().expect("it was asked").0;
        let before = l1.db_writes("backup").len();
        l1.start().await?;
        let again = l1.db_writes("backup").swap_remove(before).0;
        assert_eq!((again.data_version, again.is_lone_pragma()), (refused.data_version, false), "{text}");
        let stored = l1.rpc("listdatastore", json!(["bad"])).await?;
        assert_eq!(stored, json!({"datastore": []}), "{text}");
    }
    Ok(())
}

/// Answers as CLN's documentation wants it.
fn careful() -> Mock {
    let rules = Mutex::new(Rules::default());
    let judge = move |call: &Call| {
        let write = DbWrite::from_params(call.params()).expect("lightningd sends what it says");
        let mut rules = rules.lock().expect("nobody panics with the rules");
        if rules.duty(&write) == Duty::Halt {
            return Reply::result(json!({"result": "halt"}));
        }
        rules.kept(&write);
        Reply::cont()
    };
    Mock::hook("db_write").reply(judge).named("careful")
}

pub(crate) fn db_write_versions() -> Scenario {
    let net = || {
        Net::builder()
            .nodes(["l1", "l2"])
            .may_fail("l1")
            .broken_log("l1", "")
            .mount("l1", careful())
            .mount("l2", Mock::hook("db_write").named("careless"))
    };
    Scenario::new(
        "an older database stops the node if a plugin looks at the number, and a gap need not; who does not look is found out",
        net,
        |net| Box::pin(tamper_with_the_number(net)),
    )
}

async fn tamper_with_the_number(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let last = last_number(&l1, "careful").await?;
    l1.set_data_version(last - 5)?;
    let error = l1.start().await.expect_err("the careful plugin does not let it");
    assert!(error.to_string().contains("careful' returned failed db_write"), "{error}");
    l1.wait_for_exit().await?;
    l1.set_data_version(last + 5)?;
    l1.start().await?;
    l1.check_backup("careful")?;

    let last = last_number(&l2, "careless").await?;
    l2.set_data_version(last - 5)?;
    l2.start().await?;
    let error = l2.check_backup("careless").expect_err("it has seen a number that was less").to_string();
    let expected = format!("data_version {} behind {last} is less than the last", last - 4);
    assert!(error.contains("1 of ") && error.contains(&expected), "{error}");
    Ok(())
}

/// Lets the node write something and stops it; gives the number of the last write.
async fn last_number(node: &Node, plugin: &str) -> Result<u32> {
    store(node, "key", "value").await?;
    node.stop().await?;
    Ok(node.db_writes(plugin).pop().expect("there are many").0.data_version)
}

async fn store(node: &Node, key: &str, text: &str) -> Result {
    node.rpc("datastore", json!({"key": ["leyden", key], "string": text})).await.map(drop)
}
