//! Answers of many methods, one after the other: those that no other scenario sees. What they say is held against CLN's schemas, and against
//! a real lightningd by `cargo leyden diff`.

use std::fs;

use leyden::{Net, Node, Plugin, Result};
use serde_json::{Value, json};

use crate::scenario::Scenario;

/// A plugin that nobody asks anything.
const SILENT: &str = r#"#!/bin/sh
while read -r message; do
    case $message in
    *'"getmanifest"'*) result='{"options":[],"rpcmethods":[],"dynamic":true}' ;;
    *) result='{}' ;;
    esac
    id=${message#*'"id":'}
    [ "$id" = "$message" ] || echo '{"jsonrpc":"2.0","id":'"${id%%,*}"',"result":'"$result"'}'
done"#;

pub(crate) fn many_answers() -> Scenario {
    let net = || {
        let net = Net::line(["l1", "l2"]).plugin("l1", Plugin::script("silent.sh", SILENT));
        net.option("l1", "allow-deprecated-apis", true).may_fail("l1")
    };
    Scenario::new("methods answer as CLN has published it", net, |net| Box::pin(ask(net)))
}

async fn ask(net: &Net) -> Result {
    let [l1, l2] = net.nodes();
    of_invoices(&l1, &l2).await?;
    of_the_network(&l1, &l2).await?;
    of_peers(&l1, &l2).await?;
    of_the_node(&l1).await?;
    all(&l1, [("dev-forget-channel", json!({"id": l2.id(), "force": true}))]).await?;
    let answer = l1.rpc("stop", json!({})).await?;
    assert_eq!(answer, json!({"result": "Shutdown complete"}));
    l1.wait_for_exit().await.map(drop)
}

async fn all(node: &Node, calls: impl IntoIterator<Item = (&'static str, Value)>) -> Result {
    for (method, params) in calls {
        node.rpc(method, params).await?;
    }
    Ok(())
}

async fn of_invoices(l1: &Node, l2: &Node) -> Result {
    let invoice = l2.rpc("invoice", json!([10_000, "one", "the first"])).await?;
    let any_sum = json!({"amount_msat": "any", "label": "two", "description": "any sum", "expiry": 1000});
    l2.rpc("invoice", any_sum).await?;
    let asked = json!([invoice["bolt11"]]);
    let sent_spontaneously =
        json!({"destination": l2.id(), "payment_hash": invoice["payment_hash"], "amount_msat": 10_000});
    all(
        l1,
        [
            ("decode", asked.clone()),
            ("preapproveinvoice", asked.clone()),
            ("preapprovekeysend", sent_spontaneously),
            ("xpay", asked),
        ],
    )
    .await?;
    all(
        l2,
        [
            ("listinvoices", json!({})),
            ("listinvoices", json!({"label": "two"})),
            ("waitinvoice", json!(["one"])),
            ("waitanyinvoice", json!([0])),
            ("delinvoice", json!(["two", "unpaid"])),
            ("delinvoice", json!({"label": "one", "status": "paid", "desconly": true})),
        ],
    )
    .await
}

async fn of_the_network(l1: &Node, l2: &Node) -> Result {
    for node in [l1, l2] {
        node.wait_for_htlcs().await?;
    }
    let heard = l2.lightning_dir().join("regtest/gossip_store");
    all(
        l1,
        [
            ("addgossip", json!([announcement(&fs::read(heard)?)])),
            ("getroute", json!([l2.id(), 10_000, 1])),
            ("listchannelmoves", json!({})),
            ("parsefeerate", json!(["slow"])),
        ],
    )
    .await?;
    let started = json!({"id": l2.id(), "amount": 100_000, "feerate": "slow", "announce": false});
    l1.rpc("fundchannel_start", started).await?;
    l1.rpc("fundchannel_cancel", json!([l2.id()])).await.map(drop)
}

/// The first `channel_announcement` of a `gossip_store`, in hexadecimal digits: behind a byte for the version follow messages, each with a
/// header of two bytes of flags, two of its length, four of its checksum and four of a time.
fn announcement(store: &[u8]) -> String {
    let mut rest = &store[1..];
    while let Some((header, behind)) = rest.split_first_chunk::<12>() {
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if behind.starts_with(&256_u16.to_be_bytes()) {
            return behind[..length].iter().map(|byte| format!("{byte:02x}")).collect();
        }
        rest = &behind[length..];
    }
    panic!("no channel has been announced")
}

async fn of_peers(l1: &Node, l2: &Node) -> Result {
    let message = json!({"node_id": l2.id(), "msg": "80010a"});
    all(
        l1,
        [
            ("listpeers", json!({})),
            ("listnodes", json!({})),
            ("ping", json!([l2.id()])),
            ("sendcustommsg", message),
            ("disconnect", json!({"id": l2.id(), "force": true})),
            ("connect", json!({"id": l2.id(), "host": "127.0.0.1", "port": l2.port()})),
        ],
    )
    .await
}

async fn of_the_node(l1: &Node) -> Result {
    let signed = l1.rpc("signmessage", json!(["a message"])).await?;
    let checked = json!({"message": "a message", "zbase": signed["zbase"], "pubkey": l1.id()});
    all(
        l1,
        [
            ("checkmessage", checked),
            ("getinfo", json!({})),
            ("help", json!(["getinfo"])),
            ("help", json!({})),
            ("check", json!({"command_to_check": "newaddr"})),
            ("listconfigs", json!({})),
            ("listconfigs", json!(["alias"])),
            ("setconfig", json!({"config": "min-capacity-sat", "val": 20_000, "transient": true})),
            ("feerates", json!(["perkw"])),
            ("feerates", json!(["perkb"])),
            ("waitblockheight", json!([101])),
            ("newaddr", json!({})),
            ("newaddr", json!(["p2tr"])),
            ("makesecret", json!({"string": "a string"})),
            ("deprecations", json!([true])),
            ("notifications", json!([true])),
            ("datastore", json!({"key": ["a", "b"], "string": "text"})),
            ("datastore", json!({"key": ["a", "c"], "hex": "00ff"})),
            ("listdatastore", json!({"key": "a"})),
            ("deldatastore", json!({"key": ["a", "b"]})),
            ("plugin", json!(["list"])),
            ("plugin", json!(["stop", "silent.sh"])),
        ],
    )
    .await
}
