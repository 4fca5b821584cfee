//! Onion messages: those that come to a node, and those that it cannot hand on. They take connections and no channels.

use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use leyden::{Mock, Net, Node, Reply, Result};
use leyden_bolt::ShortChannelId;
use leyden_bolt::onion::blinding::FirstNode;
use leyden_bolt::onion::{BlindedHop, BlindedPath, MessagePayload, OnionMessage, RecipientData};
use leyden_bolt::tlv::TlvStream;
use serde_json::{Value, json};

use crate::heard::{answered, heard};
use crate::scenario::Scenario;

const WITH_SECRET: &str = "onion_message_recv_secret";
const UNASKED: &str = "onion_message_recv";
const LOST: &str = "onionmessage_forward_fail";

/// By which l3 knows a path of its own.
const SECRET: [u8; 32] = [0x5e; 32];

pub(crate) fn onion_messages() -> Scenario {
    let net = || {
        // lightningd's plugin `offers` would answer what is no offer at all.
        let taken = Reply::result(json!({"result": "taken"}));
        let first = Mock::hook(UNASKED).before("offers").reply(taken).then(Reply::cont());
        let second = Mock::hook(UNASKED).after("first").and(Mock::hook(WITH_SECRET).after("first"));
        Net::line(["l1", "l2", "l3"])
            .without_channels()
            .mount("l2", Mock::notification(LOST).named("watcher"))
            .mount("l3", first.and(Mock::hook(WITH_SECRET).before("offers")).named("first"))
            .mount("l3", second.named("second"))
    };
    Scenario::new(
        "an onion message comes to the plugins of its last node until one takes it, and who cannot hand one on tells its own plugins",
        net,
        |net| Box::pin(send_around(net)),
    )
    .golden("l2", "watcher")
    .golden("l3", "first")
    .golden("l3", "second")
}

async fn send_around(net: &Net) -> Result {
    arrive(net).await?;
    get_lost(net).await
}

/// From l1 to l3. No more than four messages in a second: lightningd takes no more from one peer.
async fn arrive(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    let send = async |last: RecipientData, said: MessagePayload| {
        let path = [(id(&l1), RecipientData::towards(id(&l2))), (id(&l2), RecipientData::towards(id(&l3)))];
        let message = along(&[&path[..], &[(id(&l3), last)]].concat(), &said);
        assert_eq!(l1.rpc("injectonionmessage", message).await?, json!({}));
        Ok::<(), leyden::Error>(())
    };

    let channel = FirstNode::Channel { short_channel_id: unknown_channel(), direction: 1 };
    let reply = MessagePayload {
        reply_path: Some(reply_path(channel)),
        invoice_error: Some(b"no".to_vec()),
        ..odd("first")
    };
    send(RecipientData::last(SECRET), reply).await?;
    answered(net, "l3", "second", 3).await?;
    let first = told(&l3, WITH_SECRET);
    assert_eq!(first["pathsecret"], SECRET.as_hex().to_string());
    assert_eq!(first["reply_blindedpath"]["first_scid"], unknown_channel().to_string());

    let question = MessagePayload {
        reply_path: Some(reply_path(FirstNode::Id(stranger()))),
        invoice_request: Some(b"please".to_vec()),
        invoice: Some(b"pay".to_vec()),
        ..odd("second")
    };
    send(RecipientData::default(), question).await?;
    answered(net, "l3", "first", 4).await?;
    // A secret has 32 bytes: this is none.
    send(RecipientData::last(*b"short"), odd("third")).await?;
    answered(net, "l3", "second", 4).await?;
    let third = json!({"unknown_fields": [{"number": 65537, "value": b"third".as_hex().to_string()}]});
    assert_eq!(told(&l3, UNASKED), third, "the second was taken");
    Ok(())
}

/// At l2: to a peer, to a channel and to nobody that it knows.
async fn get_lost(net: &Net) -> Result {
    let [l1, l2, l3] = net.nodes();
    let wishes = [
        RecipientData::towards(stranger()),
        RecipientData::through(unknown_channel()),
        RecipientData::default(),
    ];
    for ((number, from), wish) in [(1, &l1), (2, &l3), (3, &l3)].into_iter().zip(wishes) {
        let path = [
            (id(from), RecipientData::towards(id(&l2))),
            (id(&l2), wish),
            (stranger(), RecipientData::default()),
        ];
        from.rpc("injectonionmessage", along(&path, &odd("lost"))).await?;
        heard(net, "l2", "watcher", LOST, number).await?;
    }
    let at_once = along(
        &[(id(&l2), RecipientData::towards(stranger())), (stranger(), RecipientData::default())],
        &odd("lost"),
    );
    let error = l2.rpc("injectonionmessage", at_once).await.expect_err("nobody hands it on");
    let why = format!("onion msg: unknown next peer {}", stranger());
    assert!(error.code() == -1 && error.to_string().contains(&why), "{error}");
    Ok(())
}

/// The way from node to node may be told by channel, too.
pub(crate) async fn over_channels(l1: &Node, l2: &Node, l3: &Node) -> Result {
    let mut path = Vec::new();
    for (node, next) in [(l1, l2), (l2, l3)] {
        let scid = node.get_channel_scid(next).await?;
        path.push((id(node), RecipientData::through(scid.parse().expect("a short channel id"))));
    }
    path.push((id(l3), RecipientData::last(SECRET)));
    l1.rpc("injectonionmessage", along(&path, &odd("over channels"))).await?;
    l3.wait_for_log("Got onionmsg with pathsecret$").await.map(drop)
}

/// What the second plugin was told first.
fn told(node: &Node, hook: &str) -> Value {
    node.mock("second").expect("it is mounted").calls(hook)[0].params()["onion_message"].clone()
}

fn id(node: &Node) -> PublicKey {
    node.id().parse().expect("a node id")
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_slice(&[number; 32]).expect("a number above 0 is a key")
}

/// A node that is nobody's peer.
fn stranger() -> PublicKey {
    key(9).public_key(&Secp256k1::new())
}

fn unknown_channel() -> ShortChannelId {
    "1x2x3".parse().expect("a short channel id")
}

/// A record of an odd type, which nobody need know.
fn odd(text: &str) -> MessagePayload {
    let mut others = TlvStream::new();
    others.set(65537, text);
    MessagePayload { others, ..MessagePayload::default() }
}

/// A path that nobody takes.
fn reply_path(first_node: FirstNode) -> BlindedPath {
    let hop =
        |number: u8| BlindedHop { blinded_node_id: stranger(), encrypted_recipient_data: vec![number; 3] };
    BlindedPath { first_node, first_path_key: stranger(), hops: vec![hop(1), hop(2)] }
}

/// The parameters of `injectonionmessage`, at the first node of a path of nodes and what each is told.
fn along(path: &[(PublicKey, RecipientData)], said: &MessagePayload) -> Value {
    let path = BlindedPath::create(&key(1), path);
    let message = OnionMessage::create(&key(2), &path, said).expect("it fits");
    json!({"path_key": message.path_key.to_string(), "message": message.packet.as_bytes().as_hex().to_string()})
}
