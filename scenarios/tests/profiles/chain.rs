//! The database and the Bitcoin backend.

use crate::coins::{ELSEWHERE, fund};
use crate::four::{Four, first_told, members, told};
use leyden::{Backend, Call, Mock, MockChain, Net, Node, Profile, Reply, Result};
use serde_json::{Map, Value, json};

/// The plugin that serves the chain.
const CHAIN: &str = "mock-chain";

pub(crate) async fn db_write() -> Result {
    let look = async |_: &Net, node: &Node| {
        let calls = told(node, "backup", "db_write");
        let version = |place: usize| calls[place]["params"]["data_version"].as_u64().unwrap_or_default();
        let writes = |place: usize| calls[place]["params"]["writes"].as_array().map_or(0, Vec::len);
        let lone = (0..calls.len()).filter(|place| writes(*place) == 1).count();
        let repeated = (1..calls.len()).filter(|place| version(*place) == version(place - 1)).count();
        Ok(format!("from {}, {lone} alone, {repeated} repeated", version(0)))
    };
    // v0.10.1 rewrites no table.
    let plain = "from 1, 0 alone, 0 repeated";
    let rewritten = "from 1, 2 alone, 2 repeated";
    Four::new()
        .mount(|| Mock::hook("db_write").named("backup"))
        .look(look, [plain, plain, rewritten, rewritten])
        .await
}

pub(crate) async fn getchaininfo_params() -> Result {
    let look = async |net: &Net, node: &Node| {
        Ok(members(&first_told(net, node, CHAIN, "getchaininfo").await?["params"]))
    };
    Four::new().look(look, ["", "", "", "last_height:number"]).await
}

pub(crate) async fn sendrawtransaction() -> Result {
    let chain = MockChain::new();
    let look = async |net: &Net, node: &Node| {
        fund(&chain, node).await?;
        node.rpc("withdraw", json!([ELSEWHERE, 400_000])).await?;
        let params = &first_told(net, node, CHAIN, "sendrawtransaction").await?["params"];
        Ok(format!("{} {}", members(params), params["allowhighfees"]))
    };
    let both = "tx:string allowhighfees:boolean false";
    Four::on(&chain).look(look, ["tx:string null", both, both, both]).await
}

pub(crate) async fn estimatefees() -> Result {
    let named = [
        "opening",
        "mutual_close",
        "unilateral_close",
        "delayed_to_us",
        "htlc_resolution",
        "penalty",
        "min_acceptable",
        "max_acceptable",
    ];
    let named: Value =
        named.into_iter().map(|name| (name.to_owned(), json!(1000))).collect::<Map<_, _>>().into();
    let listed = json!({ "feerate_floor": 1000, "feerates": [{ "blocks": 2, "feerate": 1000 }] });
    let mut seen = Vec::new();
    for profile in Profile::ALL {
        let mut understood = Vec::new();
        for (form, estimates) in [("names", &named), ("a list", &listed)] {
            let chain = MockChain::new();
            chain.on("estimatefees", |_: &Call| true, Reply::result(estimates.clone()));
            let net = Net::builder().nodes(["l1"]).backend(Backend::Embedded).profile(profile).chain(&chain);
            if let Ok(net) = net.start().await {
                net.finish().await?;
                understood.push(form);
            }
        }
        seen.push(format!("{profile}: {}", understood.join(" ")));
    }
    assert_eq!(seen, ["manual: names", "v0.10: names", "v23.02: names", "v26.06: a list"]);
    Ok(())
}
