//! Gossip: what peers tell the node, what it keeps and passes on, and what it answers.

use crate::peer::Peer;
use crate::rumours::*;
use crate::running::{NOW, RunningNode};
use bitcoin::constants::ChainHash;
use leyden_bolt::Message;
use leyden_bolt::message::GossipMessage;
use leyden_bolt::message::gossip::*;
use leyden_bolt::tlv::TlvStream;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_peers_tell_is_listed_kept_and_passed_on() {
    let (mut node, mut teller) = informed().await;
    assert!(teller.heard().await.is_empty(), "nobody is told what they told");

    let channels = node.ok("listchannels", json!({ "source": id(1).to_string() })).await;
    let direction = u8::from(id(1) > id(2));
    let expected = json!({ "channels": [{
        "source": id(1).to_string(),
        "destination": id(2).to_string(),
        "short_channel_id": "1x1x0",
        "direction": direction,
        "public": true,
        "amount_msat": 1_000_000_000,
        "message_flags": 1,
        "channel_flags": direction,
        "active": true,
        "last_update": NOW,
        "base_fee_millisatoshi": 1,
        "fee_per_millionth": 10,
        "delay": 6,
        "htlc_minimum_msat": 1,
        "htlc_maximum_msat": 990_000_000,
        "features": "",
    }] });
    assert_eq!(channels, expected);
    let nodes = node.ok("listnodes", json!([id(1).to_string()])).await;
    let expected = json!({ "nodes": [{
        "nodeid": id(1).to_string(),
        "alias": "SILENTARTIST",
        "color": "010203",
        "last_timestamp": NOW,
        "features": "80",
        "addresses": [{ "type": "ipv4", "address": "127.0.0.1", "port": 9735 }],
    }] });
    assert_eq!(nodes, expected);

    let all = node.ok("listchannels", json!({})).await;
    let nodes = node.ok("listnodes", json!({})).await;
    assert_eq!(all["channels"].as_array().map(Vec::len), Some(4));
    assert_eq!(nodes["nodes"].as_array().map(Vec::len), Some(3));
    let to = node.ok("listchannels", json!({ "destination": id(3).to_string() })).await;
    assert_eq!(to["channels"][0]["source"], id(2).to_string());
    let both = node.ok("listchannels", json!(["1x1x1"])).await;
    assert_eq!(both["channels"].as_array().map(Vec::len), Some(2));

    node.ok("stop", json!({})).await;
    node.exit().await;
    let store = node.gossip_store();
    let mut node = node.restart().await;
    assert_eq!(node.ok("listchannels", json!({})).await, all);
    assert_eq!(node.ok("listnodes", json!({})).await, nodes);
    let compacted = node.gossip_store();
    assert_eq!(store[..47], compacted[..47], "it is the same store: version and uuid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_leads_through_what_is_known() {
    let (mut node, _teller) = informed().await;
    let [first, second, last] = [1, 2, 3].map(|number| id(number).to_string());
    let params = json!({ "id": last, "amount_msat": 1000, "riskfactor": 10, "fromid": first });
    // A node that allows nothing deprecated has no getroute.
    let refused = (-32601, "Command \"getroute\" is deprecated".to_owned());
    assert_eq!(node.error("getroute", params.clone()).await, refused);
    node.ok("deprecations", json!({ "enable": true })).await;
    let hop = |id: &str, channel: &str, direction: bool, amount_msat: u64, delay: u32| {
        let direction = u8::from(direction);
        json!({
            "id": id, "channel": channel, "direction": direction,
            "amount_msat": amount_msat, "delay": delay, "style": "tlv",
        })
    };
    let route = node.ok("getroute", params).await;
    let expected =
        [hop(&second, "1x1x0", id(1) > id(2), 1001, 15), hop(&last, "1x1x1", id(2) > id(3), 1000, 9)];
    assert_eq!(route, json!({ "route": expected }));

    let own = node.id.clone();
    for (params, code, text) in [
        (
            json!({ "id": last, "amount_msat": 1000, "riskfactor": 10 }),
            -32602,
            format!("{own}: unknown source node_id (no public channels?)"),
        ),
        (
            json!([last, 1000, 10, 9, first, 5, ["1x1x0/0", "1x1x0/1"]]),
            205,
            "Could not find a route".to_owned(),
        ),
        (json!([last, 1000, 10, 9, first, 5, [second]]), 205, "Could not find a route".to_owned()),
        (json!([last, 1000, 10, 9, first, 5, [], 1]), 205, "Shortest route was 2".to_owned()),
        (
            json!([last, 1000, "x"]),
            -32602,
            "riskfactor: should be a non-negative floating-point number: invalid token '\"x\"'".to_owned(),
        ),
        (
            json!([last, 1000, 10, 9, first, 5, ["x"]]),
            -32602,
            "exclude: should be short_channel_id_dir or node_id: invalid token '\"x\"'".to_owned(),
        ),
    ] {
        assert_eq!(node.error("getroute", params).await, (code, text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_carry_a_payment_together() {
    let (mut node, _teller) = informed().await;
    let [first, second, last] = [1, 2, 3].map(|number| id(number).to_string());
    let params = json!({
        "source": first, "destination": last, "amount_msat": 1000, "layers": ["auto.localchans"],
        "maxfee_msat": 5, "final_cltv": 9,
    });
    let found = node.ok("getroutes", params.clone()).await;
    let route = &found["routes"][0];
    assert_eq!((&route["amount_msat"], &route["final_cltv"]), (&json!(1000), &json!(9)));
    let direction = u8::from(id(1) > id(2));
    let step = json!({
        "short_channel_id_dir": format!("1x1x0/{direction}"),
        "node_id_in": first,
        "node_id_out": second,
        "amount_in_msat": 1002,
        "amount_out_msat": 1001,
        "cltv_in": 21,
        "cltv_out": 15,
    });
    assert_eq!(route["path"][0], step);
    assert_eq!(route["path"].as_array().map(Vec::len), Some(2));

    let change = |name: &str, value| {
        let mut params = params.clone();
        params[name] = value;
        params
    };
    for (params, code, text) in [
        (change("amount_msat", json!(0)), -32602, "amount must be non-zero"),
        (change("maxfee_msat", json!(1)), 206, "Could not find route without excessive cost"),
        (change("maxdelay", json!(20)), 206, "Could not find route without excessive delays"),
        (change("maxdelay", json!(2017)), 213, "maximum delay allowed is 2016"),
        (change("amount_msat", json!(2_000_000_000)), 205, "Could not find a route"),
        (change("layers", json!(["mine"])), -32602, "layers: unknown layer: invalid token '\"mine\"'"),
    ] {
        assert_eq!(node.error("getroutes", params).await, (code, text.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_says_what_a_peer_wants_to_hear() {
    let (node, mut teller) = informed().await;
    let mut everything = node.peer(1).await;
    everything.send(&filter(0).encode()).await;
    let heard = everything.heard().await;
    assert_eq!(heard.len(), 1 + story().len(), "the filter of the node, and all that is known");
    for message in story() {
        assert!(heard.contains(&message.encode()), "{message:?}");
    }
    let mut future = node.peer(2).await;
    future.send(&filter(u32::MAX).encode()).await;
    let mut nothing = node.peer(3).await;
    assert_eq!(nothing.heard().await, [filter(0).encode()]);
    assert_eq!(future.heard().await, [filter(0).encode()]);

    let later = update("1x1x0", 1, 2, NOW + 1);
    teller.send(&later.encode()).await;
    assert_eq!(everything.next().await, later.encode());
    assert!(nothing.heard().await.is_empty(), "a peer without a filter wants nothing");
    assert!(future.heard().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_about_channels_are_answered() {
    let (_node, mut teller) = informed().await;
    let tlvs = TlvStream::new;
    let range = QueryChannelRange {
        chain_hash: ChainHash::REGTEST,
        first_blocknum: 0,
        number_of_blocks: 100,
        tlvs: tlvs(),
    };
    teller.send(&range.encode()).await;
    let ids = [scid("1x1x0"), scid("1x1x1")].map(|scid| scid.to_u64().to_be_bytes()).concat();
    let encoded_short_ids = [&[0], ids.as_slice()].concat();
    let reply = ReplyChannelRange {
        chain_hash: ChainHash::REGTEST,
        first_blocknum: 0,
        number_of_blocks: 100,
        sync_complete: 1,
        encoded_short_ids: encoded_short_ids.clone(),
        tlvs: tlvs(),
    };
    assert_eq!(teller.next().await, reply.encode());

    let query = QueryShortChannelIds { chain_hash: ChainHash::REGTEST, encoded_short_ids, tlvs: tlvs() };
    teller.send(&query.encode()).await;
    let answer = teller.heard().await;
    let types: Vec<u16> = answer.iter().map(|one| u16::from_be_bytes([one[0], one[1]])).collect();
    assert_eq!(types, [256, 258, 258, 256, 258, 258, 257, 262]);

    let bitcoin = QueryChannelRange { chain_hash: ChainHash::BITCOIN, ..range };
    teller.send(&bitcoin.encode()).await;
    let answer = teller.next().await;
    let Some(Ok(GossipMessage::ReplyChannelRange(reply))) = GossipMessage::decode(264, &answer[2..]) else {
        panic!("{answer:?}")
    };
    assert_eq!((reply.sync_complete, reply.encoded_short_ids.len()), (0, 0));
}

/// What the node says to a peer of a message that it does not like.
async fn complaint(peer: &mut Peer, message: &[u8]) -> String {
    peer.send(message).await;
    let heard = peer.heard().await;
    let text = |message: &Vec<u8>| match Message::decode(message) {
        Ok(Message::Warning { data, .. }) => Some(String::from_utf8_lossy(&data).into_owned()),
        _ => None,
    };
    heard.iter().find_map(text).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_right_is_not_believed() {
    let mut node = RunningNode::start_on(line()).await;
    // An output of a block that the node has not seen yet is looked for, and pings are answered meanwhile.
    node.follow().await;
    let mut teller = node.peer(TELLER).await;
    let mut forged = announcement("1x1x0", 1, 2);
    forged.node_signature_1 = forged.node_signature_2;
    for (message, beginning) in [
        (forged.encode(), "Bad node_signature_1 "),
        (announcement("1x1x1", 1, 2).encode(), "channel_announcement: txout 1x1x1 expected 0020"),
        (announcement("100x1x0", 1, 2).encode(), "Bad gossip order: ignoring channel_announcement 100x1x0"),
        (vec![1, 0, 7], "Malformed channel_announcement 010007"),
        (vec![1, 2, 7], "channel_update: malformed 010207"),
        (vec![1, 1, 7], "node_announcement: malformed 010107"),
        (vec![1, 5, 7], "Bad query_short_channel_ids w/tlvs 010507"),
    ] {
        let text = complaint(&mut teller, &message).await;
        assert!(text.starts_with(beginning), "{text}, not {beginning}");
    }
    // An output that is not there, and messages about channels that are not known, are no offence.
    for message in
        [announcement("1x1x7", 1, 2).encode(), update("1x1x0", 1, 2, NOW).encode(), self::node(1).encode()]
    {
        assert_eq!(complaint(&mut teller, &message).await, "");
    }
    tell(&mut teller, &story()[..1]).await;
    let wrong = update("1x1x0", 1, 2, NOW);
    let wrong = ChannelUpdate { fee_base_msat: 7, ..wrong };
    let text = complaint(&mut teller, &wrong.encode()).await;
    assert!(text.starts_with("Bad signature for "), "{text}");
    for timestamp in [NOW + 90_000, NOW - 1_300_000] {
        assert_eq!(complaint(&mut teller, &update("1x1x0", 1, 2, timestamp).encode()).await, "");
    }
    assert_eq!(node.ok("listchannels", json!({})).await, json!({ "channels": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn gossip_is_taken_from_commands_as_well() {
    let mut node = RunningNode::start_on(line()).await;
    let mut listener = node.peer(LISTENER).await;
    listener.send(&filter(1).encode()).await;
    assert_eq!(listener.heard().await, [filter(0).encode()]);
    for message in &story()[..2] {
        node.ok("addgossip", json!([hex::encode(message.encode())])).await;
    }
    assert_eq!(listener.next().await, story()[0].encode());
    assert_eq!(listener.next().await, story()[1].encode());
    let channels = node.ok("listchannels", json!(["1x1x0"])).await;
    assert_eq!(channels["channels"].as_array().map(Vec::len), Some(1));
    let (code, _) = node.error("addgossip", json!(["0010"])).await;
    assert_eq!(code, -1);
    let one_too_many = json!({ "source": id(1).to_string(), "destination": id(2).to_string() });
    let text = "Can only specify one of `short_channel_id`, `source` or `destination`".to_owned();
    assert_eq!(node.error("listchannels", one_too_many).await, (-32602, text));
}
