//! Crash points: what an embedded node has done at each of them, and what a test is told that armed one for nothing.

use leyden::env::Settings;
use leyden::event::{Event, EventKind};
use leyden::{Backend, Commit, Crashed, Deadline, Hook, Mock, MockChain, Net, Node, Result};
use serde_json::json;

use crate::on_each_backend;

/// Waits until a node that was started is through with the chain, and commits nothing more by itself.
async fn settled(net: &Net, node: &Node) -> Result {
    let name = node.name();
    let events = net.timeline().events();
    let is_launch = |event: &&std::sync::Arc<Event>| {
        event.kind == EventKind::NodeLaunched && event.node.as_deref() == Some(name)
    };
    let launched = events.iter().rev().find(is_launch).map_or(0, |event| event.seq);
    let is_last = |event: &Event| match &event.kind {
        EventKind::DbWrite(write) if event.node.as_deref() == Some(name) => {
            write.writes.iter().any(|sql| sql.starts_with("DELETE FROM utxoset")).then_some(event.seq)
        }
        _ => None,
    };
    let deadline = Deadline::standard(&Settings::from_env());
    net.timeline().wait_for("its last write", Some(name), launched, deadline, is_last).await?;
    // It was shown; when the node answers, it is committed.
    node.rpc("getinfo", json!({})).await.map(drop)
}

#[tokio::test]
async fn at_each_side_of_a_commit_just_so_much_has_happened() -> Result {
    let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded).chain(MockChain::new());
    let net = net.replicate().start().await?;
    let [l1] = net.nodes();
    let second = Commit::nth(2);
    let points = [
        ("before", second.before(), false, false),
        ("after", second.after(), true, false),
        ("after-send", second.after_send(), true, true),
    ];
    for (key, point, is_kept, is_answered) in points {
        settled(&net, &l1).await?;
        let crash = net.crash(&l1).at(point)?;
        l1.rpc("datastore", json!({"key": [key, "first"], "string": "kept"})).await?;
        let params = json!({"key": [key, "second"], "string": "?"});
        let (answer, crashed) = tokio::join!(l1.rpc("datastore", params), crash.happened());
        assert_eq!(answer.is_ok(), is_answered, "{key}: {answer:?}");
        let Crashed::AtCommit(write) = crashed? else { panic!("{key}: it was armed at a commit") };
        assert!(write.writes.iter().any(|sql| sql.contains("datastore")), "{key}: {:?}", write.writes);
        let error = l1.rpc("getinfo", json!({})).await.unwrap_err();
        assert_eq!((error.fault(), error.code()), (leyden::Fault::Node, 0), "{key}: {error}");

        l1.start().await?;
        let stored = l1.rpc("listdatastore", json!([[key]])).await?;
        let count = stored["datastore"].as_array().map(Vec::len);
        assert_eq!(count, Some(1 + usize::from(is_kept)), "{key}: {stored}");
    }
    net.finish().await
}

#[tokio::test]
async fn a_crash_that_nobody_awaits_is_no_complaint_and_one_that_never_comes_is() -> Result {
    let chain = MockChain::new();
    let net = Net::builder().nodes(["l1", "l2"]).backend(Backend::Embedded).chain(&chain).start().await?;
    let [l1, l2] = net.nodes();
    settled(&net, &l1).await?;
    settled(&net, &l2).await?;
    let crash = net.crash(&l1).at(Commit::nth(1).after_send())?;
    l1.rpc("datastore", json!({"key": ["k"], "string": "v"})).await?;
    l1.wait_for_exit().await?;
    assert!(crash.has_happened());
    l1.start().await?;
    assert!(crash.disarm().is_some(), "it has happened");
    assert!(net.crash(&l1).at(Hook::called("custommsg"))?.disarm().is_none());

    let crash = net.crash(&l2).at(Commit::nth(3).before())?;
    l2.rpc("datastore", json!({"key": ["k"], "string": "v"})).await?;
    l2.stop().await?;
    assert!(!crash.has_happened());
    let error = net.finish().await.unwrap_err();
    let expected = "l2: a crash before its commit 3: it never came to that: 1 of 3 have come";
    assert!(error.headline().contains(expected), "{error}");
    assert_eq!(error.location().file(), file!());
    Ok(())
}

#[tokio::test]
async fn a_wait_for_a_crash_ends_when_the_node_does() -> Result {
    let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded).chain(MockChain::new()).start().await?;
    let [l1] = net.nodes();
    let crash = net.crash(&l1).at(Hook::answered("custommsg").nth(2))?;
    let (waited, killed) = tokio::join!(crash.happened(), l1.kill());
    killed?;
    let error = waited.unwrap_err();
    let headline = error.headline();
    assert!(headline.contains("l1 to crash when custommsg is answered for the time 2"), "{error}");
    assert!(error.to_string().contains("0 of 2 have come"), "{error}");
    assert!(crash.disarm().is_none());
    net.finish().await
}

#[tokio::test]
async fn what_cannot_be_is_refused_when_it_is_armed() {
    on_each_backend(async |backend| {
        let net = Net::builder().nodes(["l1"]).backend(backend).start().await?;
        let [l1] = net.nodes();
        let line = line!() + 1;
        let error = net.crash(&l1).at(Hook::called("htlc_acepted")).unwrap_err();
        assert_eq!((error.location().line(), error.location().file()), (line, file!()));
        assert!(error.to_string().contains("htlc_accepted"), "{error}");
        if backend == Backend::Lightningd {
            let error = net.crash(&l1).at(Commit::nth(1).after()).unwrap_err();
            assert!(error.to_string().contains("before() or a Hook"), "{error}");
            let error = net.crash(&l1).at(Commit::nth(1).before()).unwrap_err();
            assert!(error.to_string().contains("Mock::hook(\"db_write\")"), "{error}");
            l1.commits().unwrap_err();
        }
        net.finish().await
    })
    .await;
}

#[tokio::test]
async fn a_node_can_crash_while_it_starts() -> Result {
    let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded).chain(MockChain::new());
    let net = net.mount("l1", Mock::hook("db_write").named("backup")).start().await?;
    let [l1] = net.nodes();
    l1.stop().await?;
    net.mock_chain().generate_block(1);
    let crash = net.crash(&l1).at(Commit::nth(1).after())?;
    let (started, crashed) = tokio::join!(l1.start(), crash.happened());
    started.unwrap_err();
    assert!(matches!(crashed?, Crashed::AtCommit(_)));
    l1.start().await?;
    l1.check_backup("backup")?;
    net.finish().await
}
