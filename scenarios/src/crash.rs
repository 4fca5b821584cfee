//! Nodes that are stopped dead at a chosen point, and start again.

use leyden::{Backend, Commit, Crashed, Hook, Mock, Net, Result, eventually, seen};
use serde_json::json;

use crate::heard::heard;
use crate::payments::route;
use crate::scenario::Scenario;

pub(crate) fn crash_at_hook() -> Scenario {
    Scenario::new(
        "a node that dies when a plugin is called, or has answered, asks again about the HTLC, and the payment goes on",
        || Net::line(["l1", "l2"]).mount("l2", Mock::hook("htlc_accepted").named("judge")),
        |net| Box::pin(crash_at_calls(net)),
    )
}

async fn crash_at_calls(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    let there = route(&[&l1, &l2], 1_000_000).await?;
    let points = [Hook::called("htlc_accepted"), Hook::answered("htlc_accepted")];
    for (paid_before, point) in points.into_iter().enumerate() {
        let invoice = l2.rpc("invoice", json!([1_000_000, format!("paid {paid_before}"), ""])).await?;
        let hash = &invoice["payment_hash"];
        let params =
            json!({"route": there, "payment_hash": hash, "payment_secret": invoice["payment_secret"]});
        let crash = net.crash(&l2).at(point)?;
        l1.rpc("sendpay", params).await?;
        let crashed = crash.happened().await?;
        let Crashed::AtHook { plugin, frame } = crashed else {
            panic!("it was armed at a hook: {crashed:?}")
        };
        assert_eq!(plugin, "judge");
        let is_call = frame.contains(hash.as_str().unwrap_or_default());
        assert_eq!(
            is_call,
            paid_before == 0,
            "the first crash is at the call, the second at its answer: {frame}"
        );

        l2.start().await?;
        heard(net, "l2", "judge", "htlc_accepted", 2 * paid_before + 2).await?;
        net.connect(&l1, &l2).await?;
        assert_eq!(l1.rpc("waitsendpay", json!([hash])).await?["status"], "complete");
        l2.wait_for_htlcs().await?;
        assert_eq!(l2.channel(&l1).await?["to_us_msat"], 1_000_000 * (paid_before + 1));
    }
    Ok(())
}

pub(crate) fn crash_before_commit() -> Scenario {
    Scenario::new(
        "a node that dies when its backup plugin has agreed has not committed, and shows the same number again",
        || Net::builder().nodes(["l1"]).mount("l1", Mock::hook("db_write").named("backup")),
        |net| Box::pin(crash_before(net)),
    )
}

async fn crash_before(net: &Net) -> Result {
    let [l1] = net.nodes();
    if l1.backend() == Backend::Lightningd {
        let look = || async {
            let mut writes = l1.db_writes("backup").into_iter().flat_map(|(write, _)| write.writes);
            let done = writes.any(|sql| sql.contains("SET intval=0 WHERE name='needs_p2wpkh_close_rescan'"));
            Ok::<_, leyden::Error>(seen(done, |done| *done))
        };
        eventually("lightningd has written the last of its start", look).await?;
    }
    let params = json!({"key": ["crash"], "string": "once"});
    let before = l1.commits()?;
    let crash = net.crash(&l1).at(Commit::nth(1).before())?;
    let (lost, crashed) = tokio::join!(l1.rpc("datastore", params.clone()), crash.happened());
    lost.unwrap_err();
    let Crashed::AtCommit(write) = crashed? else { panic!("it was armed at a commit") };
    assert!(write.writes.iter().any(|sql| sql.contains("datastore")), "{write}: {:?}", write.writes);
    assert_eq!(l1.commits()?, before + 1, "it was shown");

    l1.start().await?;
    let again = l1.db_writes("backup").into_iter().map(|(write, _)| write.data_version);
    assert_eq!(again.filter(|version| *version == write.data_version).count(), 2, "lost, and used again");
    assert_eq!(l1.rpc("listdatastore", json!(["crash"])).await?["datastore"], json!([]));
    l1.rpc("datastore", params).await?;
    l1.check_backup("backup")
}
