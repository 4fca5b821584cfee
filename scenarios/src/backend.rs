//! Plugins that are the Bitcoin backend: who serves what, and which answers end a node.

use leyden::event::Direction;
use leyden::{Call, Mock, MockChain, Net, NetBuilder, Node, Reply, Result, eventually, seen};
use serde_json::{Value, json};

use crate::scenario::Scenario;

/// What a backend may say of `getchaininfo`, `estimatefees` and `getrawblockbyheight` that ends a node at its start, and in what
/// words. `<block>` stands for a block of the chain.
const BAD_ANSWERS: &[(&str, &str, &str)] = &[
    (
        "getchaininfo",
        r#"{"error":{"code":-1,"message":"no \"chain\""}}"#,
        r#"bad response to getchaininfo ("no \"chain\""), response was {"jsonrpc":"2.0","id":"#,
    ),
    (
        "getchaininfo",
        r#"{"error":"no chain"}"#,
        r#"bad response to getchaininfo ("no chain"), response was {"#,
    ),
    ("getchaininfo", "{}", "bad response to getchaininfo (missing 'result' field), response was {"),
    (
        "getchaininfo",
        r#"{"result":[]}"#,
        "bad response to getchaininfo (bad 'result' field: Parsing '{': token is not an object: []), response was []",
    ),
    (
        "getchaininfo",
        r#"{"result":{}}"#,
        "bad response to getchaininfo (bad 'result' field: Parsing '{chain:': object does not have member chain), response was {}",
    ),
    (
        "getchaininfo",
        r#"{"result":{"chain":"regtest","headercount":1}}"#,
        "(bad 'result' field: Parsing '{chain:%,headercount:%,blockcount:': object does not have member blockcount), response was {\"chain\"",
    ),
    (
        "getchaininfo",
        r#"{"result":{"chain":"regtest","headercount":-1}}"#,
        "(bad 'result' field: Parsing '{chain:%,headercount:%': json_to_number could not parse -1), response was",
    ),
    (
        "getchaininfo",
        r#"{"result":{"chain":"regtest","headercount":1,"blockcount":1,"ibd":"no"}}"#,
        r#"(bad 'result' field: Parsing '{chain:%,headercount:%,blockcount:%,ibd:%': json_to_bool could not parse "no"), response was"#,
    ),
    (
        "getchaininfo",
        r#"{"result":{"chain":"main","headercount":101,"blockcount":101,"ibd":false}}"#,
        "Wrong network! Our Bitcoin backend is running on 'main', but we expect 'regtest'.",
    ),
    (
        "estimatefees",
        r#"{"error":{"code":-1,"message":"no fees"}}"#,
        r#"bad response to estimatefees ("no fees"), response was {"jsonrpc":"#,
    ),
    (
        "estimatefees",
        r#"{"result":{"feerates":[]}}"#,
        r#"bad response to estimatefees (missing feerate_floor field), response was {"feerates":[]}"#,
    ),
    (
        "estimatefees",
        r#"{"result":{"feerate_floor":-2,"feerates":[]}}"#,
        "bad response to estimatefees.feerate_floor (Not a u32?), response was -2",
    ),
    (
        "estimatefees",
        r#"{"result":{"feerate_floor":1000,"feerates":[{"blocks":2}]}}"#,
        r#"bad response to estimatefees.feerates (Parsing '{blocks:%,feerate:': object does not have member feerate), response was {"blocks":2}"#,
    ),
    (
        "estimatefees",
        r#"{"result":{"feerate_floor":1000,"feerates":[7]}}"#,
        "bad response to estimatefees.feerates (Parsing '{': token is not an object: 7), response was 7",
    ),
    (
        "estimatefees",
        r#"{"result":{"feerate_floor":1000,"feerates":[{"blocks":6,"feerate":9},{"blocks":6,"feerate":8}]}}"#,
        r#"bad response to estimatefees.feerates (Blocks must be ascending order: 6 <= 6!), response was [{"blocks":6,"#,
    ),
    (
        "getrawblockbyheight",
        r#"{"error":{"code":-1,"message":"no block"}}"#,
        r#"bad response to getrawblockbyheight ("no block"), response was {"#,
    ),
    (
        "getrawblockbyheight",
        r#"{"result":{}}"#,
        "bad response to getrawblockbyheight (bad 'result' field: Parsing '{blockhash:': object does not have member blockhash), response was {}",
    ),
    (
        "getrawblockbyheight",
        r#"{"result":{"blockhash":"00"}}"#,
        r#"(bad 'result' field: Parsing '{blockhash:%': json_to_sha256 could not parse "00"), response was"#,
    ),
    (
        "getrawblockbyheight",
        r#"{"result":{"blockhash":"0000000000000000000000000000000000000000000000000000000000000000","block":"00"}}"#,
        "bad response to getrawblockbyheight (bad block), response was {",
    ),
];

pub(crate) fn backend_of_bitcoind() -> Scenario {
    Scenario::new(
        "the backend that comes with a node asks bitcoind, and serves anybody who calls its methods",
        || Net::builder().nodes(["l1"]),
        |net| Box::pin(ask_bitcoind(net)),
    )
}

async fn ask_bitcoind(net: &Net) -> Result {
    let ([l1], bitcoind) = (net.nodes(), net.bitcoind());
    let info = json!({"chain": "regtest", "headercount": 101, "blockcount": 101, "ibd": false});
    assert_eq!(l1.rpc("getchaininfo", json!({"last_height": 7})).await?.to_string(), info.to_string());

    let hash = bitcoind.rpc("getblockhash", json!([1])).await?;
    let raw = bitcoind.rpc("getblock", json!([hash, 0])).await?;
    let block = l1.rpc("getrawblockbyheight", json!([1])).await?;
    assert_eq!(block, json!({"blockhash": hash, "block": raw}));
    let none = l1.rpc("getrawblockbyheight", json!({"height": 500})).await?;
    assert_eq!(none, json!({"blockhash": null, "block": null}));

    let block = bitcoind.rpc("getblock", json!([hash, 2])).await?;
    let coinbase = &block["tx"][0];
    let script = &coinbase["vout"][0]["scriptPubKey"]["hex"];
    let output = l1.rpc("getutxout", json!({"txid": coinbase["txid"], "vout": 0})).await?;
    assert_eq!(output, json!({"amount": "5000000000sat", "script": script}));
    let spent = l1.rpc("getutxout", json!([coinbase["txid"], 7])).await?;
    assert_eq!(spent, json!({"amount": null, "script": null}));

    // Of a chain without fees bitcoind has no estimates: there the least that is relayed is taken for one.
    let fees = l1.rpc("estimatefees", json!({})).await?;
    let estimates: Vec<Value> =
        [2, 6, 12, 100].into_iter().map(|blocks| json!({"blocks": blocks, "feerate": 1000})).collect();
    assert_eq!(fees["feerates"], json!(estimates));
    assert!(fees["feerate_floor"].as_u64().is_some_and(|floor| (1..=1000).contains(&floor)), "{fees}");

    let refused = l1.rpc("sendrawtransaction", json!({"tx": "00", "allowhighfees": false})).await?;
    assert_eq!(refused["success"], false);
    let why = refused["errmsg"].as_str().unwrap_or_default();
    assert!(why.contains("error code: -22") && why.contains("TX decode failed"), "{why}");
    Ok(())
}

/// A node whose end is nobody's fault.
fn doomed(chain: MockChain) -> NetBuilder {
    Net::builder().nodes(["l1"]).chain(chain).may_fail("l1").broken_log("l1", ".")
}

/// Starts the node and gives what it ends with instead.
async fn last_words(l1: &Node) -> String {
    l1.start().await.expect_err("it cannot start").to_string()
}

pub(crate) fn backend_answers_badly() -> Scenario {
    Scenario::new(
        "a bad answer of the Bitcoin backend ends a node, in words that name the plugin and quote the answer",
        || doomed(MockChain::new()),
        |net| Box::pin(answer_badly(net)),
    )
}

async fn answer_badly(net: &Net) -> Result {
    let [l1] = net.nodes();
    l1.rpc("waitblockheight", json!([101])).await?;
    l1.stop().await?;
    for (method, answer, words) in BAD_ANSWERS {
        let answer: Value = serde_json::from_str(answer)?;
        let members = answer.as_object().cloned().unwrap_or_default();
        let reply = members
            .into_iter()
            .fold(Reply::default().without("result"), |reply, (name, value)| reply.with(&name, value));
        net.mock_chain().as_usual();
        net.mock_chain().on(method, |_: &Call| true, reply);
        let came = last_words(&l1).await;
        assert!(came.contains(words), "{method} {answer}\nexpected: {words}\ncame: {came}");
        let of_a_plugin = came.contains("/mock-chain error: bad response");
        assert!(of_a_plugin || words.starts_with("Wrong network"), "{came}");
    }
    net.mock_chain().as_usual();
    l1.start().await
}

pub(crate) fn backend_incomplete() -> Scenario {
    let net = || {
        let backend = Mock::from(MockChain::new()).named("backend").on_getmanifest(leave_one_out);
        doomed(MockChain::new().serving([])).mount("l1", backend)
    };
    Scenario::new("a node does not start if one of the five methods is missing", net, |net| {
        Box::pin(leave_out_each(net))
    })
}

/// The five methods in the order in which a node looks for them.
const METHODS: [&str; 5] =
    ["getchaininfo", "getrawblockbyheight", "sendrawtransaction", "getutxout", "estimatefees"];

/// The first time all five are there, then always another one is missing.
fn leave_one_out(call: &Call) -> Reply {
    let there = |(index, _): &(usize, &str)| index + 2 != call.nth();
    let methods = METHODS.into_iter().enumerate().filter(there);
    let methods = methods.map(|(_, name)| json!({"name": name, "usage": "", "description": "a mock"}));
    Reply::result(json!({"options": [], "rpcmethods": methods.collect::<Vec<_>>(), "dynamic": false}))
}

async fn leave_out_each(net: &Net) -> Result {
    let [l1] = net.nodes();
    l1.rpc("waitblockheight", json!([101])).await?;
    l1.stop().await?;
    for method in METHODS {
        let came = last_words(&l1).await;
        let words = format!(
            "Could not access the plugin for {method}, is a Bitcoin plugin (by default plugins/bcli) registered ?"
        );
        assert!(came.contains(&words), "expected: {words}\ncame: {came}");
    }
    Ok(())
}

pub(crate) fn backend_loses_blocks() -> Scenario {
    Scenario::new(
        "a backend that has fewer blocks than the node knew ends it, or is waited for if it has the headers",
        || doomed(MockChain::new()),
        |net| Box::pin(lose_blocks(net)),
    )
}

async fn lose_blocks(net: &Net) -> Result {
    let ([l1], chain) = (net.nodes(), net.mock_chain());
    chain.generate_block(2);
    l1.rpc("waitblockheight", json!([103])).await?;
    l1.stop().await?;
    chain.lose_blocks_above(100);
    let came = last_words(&l1).await;
    assert!(came.contains("bitcoind has gone backwards from 102 to 100 blocks!"), "{came}");

    chain.set_headercount(103);
    let find_blocks = async {
        l1.wait_for_log("BROKEN.* bitcoind has gone backwards from 102 to 100 blocks, waiting...").await?;
        l1.wait_for_log("bitcoind now at 100 of 102 blocks, waiting...").await?;
        chain.generate_block(3);
        Ok(())
    };
    let (started, found) = tokio::join!(l1.start(), find_blocks);
    found.and(started)?;
    assert_eq!(l1.rpc("waitblockheight", json!([103])).await?["blockheight"], 103);
    Ok(())
}

pub(crate) fn backend_forks() -> Scenario {
    Scenario::new(
        "a node follows forks, but not one that takes its first block",
        || doomed(MockChain::new()),
        |net| Box::pin(fork(net)),
    )
}

async fn fork(net: &Net) -> Result {
    let ([l1], chain) = (net.nodes(), net.mock_chain());
    chain.generate_block(3);
    l1.rpc("waitblockheight", json!([104])).await?;
    let stale = chain.best_block_hash();
    chain.simple_reorg(102, 0);
    l1.wait_for_log(&format!("Removing stale block 104: {stale}")).await?;
    l1.rpc("waitblockheight", json!([105])).await?;
    let blocks = l1.db_query("SELECT height FROM blocks ORDER BY height")?;
    let heights: Vec<&Value> = blocks.iter().map(|row| &row["height"]).collect();
    assert_eq!(heights, [101, 102, 103, 104, 105]);
    // One block before the tip was the first that the node saw.
    chain.simple_reorg(100, 0);
    l1.wait_for_log("Initial block 100 \\([0-9a-f]{64}\\) reorganized out!").await?;
    Ok(())
}

pub(crate) fn backend_dies() -> Scenario {
    Scenario::new(
        "a node does not outlive its Bitcoin backend",
        || doomed(MockChain::new()),
        |net| Box::pin(die(net)),
    )
}

async fn die(net: &Net) -> Result {
    let [l1] = net.nodes();
    net.mock_chain().on("getrawblockbyheight", |_: &Call| true, Reply::exit(1));
    l1.wait_for_log("plugin-mock-chain: Killing plugin: exited during normal operation").await?;
    l1.wait_for_log("BROKEN.* The Bitcoin backend died.").await?;
    Ok(())
}

pub(crate) fn backend_catches_up() -> Scenario {
    let net = || {
        let chain = MockChain::new();
        chain.set_ibd(true);
        Net::builder().nodes(["l1"]).chain(chain)
    };
    Scenario::new("a node tells its user that its backend is behind, until it is not", net, |net| {
        Box::pin(catch_up(net))
    })
}

async fn catch_up(net: &Net) -> Result {
    let ([l1], chain) = (net.nodes(), net.mock_chain());
    let behind = "Bitcoind is not up-to-date with network.";
    l1.wait_for_log("UNUSUAL.* Waiting for initial block download \\(this can take a while!\\)").await?;
    l1.wait_for_log("DEBUG.* Still waiting for initial block download").await?;
    assert_eq!(l1.rpc("getinfo", json!({})).await?["warning_bitcoind_sync"], behind);
    chain.set_headercount(200);
    chain.set_ibd(false);
    l1.wait_for_log("DEBUG.* Waiting for bitcoind to catch up \\(101 blocks of 200\\)").await?;
    assert_eq!(l1.rpc("getinfo", json!({})).await?["warning_bitcoind_sync"], behind);
    chain.set_headercount(None);
    l1.wait_for_log("UNUSUAL.* Bitcoin backend now synced.").await?;
    // The node itself is there when it has next asked in vain for a further block.
    chain.generate_block(1);
    l1.rpc("waitblockheight", json!([102])).await?;
    let looked = || async {
        let info = l1.rpc("getinfo", json!({})).await?;
        Ok::<_, leyden::Error>(seen(info, |info| {
            info.get("warning_bitcoind_sync").or(info.get("warning_lightningd_sync")).is_none()
        }))
    };
    eventually("the warnings end", looked).await.map(drop)
}

pub(crate) fn backend_shared() -> Scenario {
    let net = || {
        let chain = MockChain::new();
        let one = |method: &str| Mock::from(chain.serving([method])).named(method);
        // An error is as good as an answer, and to disable itself is nothing that a backend can do.
        let rest = one("getutxout").on_init(Reply::error(-1, "no outputs"));
        let fees = one("estimatefees").on_init(Reply::result(json!({"disable": "no estimates"})));
        Net::builder()
            .nodes(["l1"])
            .mount("l1", fees)
            .mount("l1", Mock::plugin("bystander"))
            .mount("l1", rest)
            .mount("l1", one("sendrawtransaction"))
            .mount("l1", one("getrawblockbyheight"))
            .chain(chain.serving(["getchaininfo"]))
    };
    Scenario::new(
        "five plugins share the backend, and are initialised one after another before all others",
        net,
        |net| Box::pin(share(net)),
    )
}

async fn share(net: &Net) -> Result {
    let [l1] = net.nodes();
    net.mock_chain().generate_block(1);
    l1.rpc("waitblockheight", json!([102])).await?;
    let backends = ["mock-chain", "getrawblockbyheight", "sendrawtransaction", "getutxout", "estimatefees"];
    let plugins = backends.into_iter().chain(["bystander"]);
    let mut said = Vec::new();
    for plugin in plugins.clone() {
        let inits = l1.transcript(plugin).only(["init"]);
        said.extend(inits.frames().iter().map(|frame| (frame.seq, plugin, frame.direction)));
    }
    said.sort_by_key(|(seq, ..)| *seq);
    let said: Vec<(&str, Direction)> =
        said.into_iter().map(|(_, plugin, direction)| (plugin, direction)).collect();
    let in_turn = |plugin| [(plugin, Direction::ToPlugin), (plugin, Direction::FromPlugin)];
    let expected: Vec<(&str, Direction)> = plugins.flat_map(in_turn).collect();
    assert_eq!(said, expected);
    Ok(())
}
