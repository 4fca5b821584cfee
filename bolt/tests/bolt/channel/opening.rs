//! Opening a channel: what both sides agree on, and which proposals and answers are refused with which words.

use super::{CHAIN, CONFIG, Pair, close_script, features, funding, our_side, request};
use bitcoin::ScriptBuf;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::ecdsa::Signature;
use leyden_bolt::channel::{Acceptance, Channel, ChannelOutput, OpenError, OpenRequest, Opening, OurSide};
use leyden_bolt::features::bit;
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::message::channel::{AcceptChannel, FundingCreated, OpenChannel};
use leyden_bolt::transaction::{ChannelType, Side};
use leyden_bolt::{ChannelId, Features, ShortChannelId};

fn offer() -> (Opening, OpenChannel) {
    Opening::offer(our_side(1, CONFIG), request(ChannelType::ANCHORS)).expect("a proposal")
}

fn receive(open: OpenChannel) -> Result<Opening, OpenError> {
    Opening::received(our_side(2, CONFIG), CHAIN, open)
}

fn accept() -> (Opening, Opening, AcceptChannel) {
    let (offered, open) = offer();
    let mut received = receive(open).expect("takes the proposal");
    let accept = received.accept(Acceptance { minimum_depth: 3, ..Acceptance::default() }).expect("accepts");
    (offered, received, accept)
}

fn without(feature: usize) -> Features {
    Features::from_bits(&features().bits().filter(|bit| bit / 2 != feature / 2).collect::<Vec<_>>())
}

#[test]
fn both_sides_have_the_same_channel() {
    for kind in [ChannelType::STATIC_REMOTEKEY, ChannelType::ANCHORS] {
        let pair = Pair::open(OpenRequest { push_msat: 1_234_567, ..request(kind) }, [CONFIG; 2]);
        pair.assert_in_step();
        let [first, second] = pair.peers.map(|peer| peer.channel);
        assert_eq!(first.channel_id(), ChannelId::of_funding(funding()));
        assert_eq!(first.channel_id(), second.channel_id());
        let (terms, mirrored) = (first.terms(), second.terms());
        assert_eq!((terms.opener, mirrored.opener), (Side::Local, Side::Remote));
        assert_eq!((terms.local, terms.remote), (mirrored.remote, mirrored.local));
        assert_eq!(terms.config(Side::Local).channel_reserve_satoshis, 10_000, "a hundredth");
        assert_eq!(first.balance_msat(Side::Local), 1_000_000_000 - 1_234_567);
        assert_eq!(
            first.record().penalty_bases.keys().collect::<Vec<_>>(),
            [&0],
            "commitment 0 can be punished"
        );
        for channel in [&first, &second] {
            let signed = channel.local_commitment_signed();
            assert_eq!(signed.input[0].witness.len(), 4);
            assert_eq!(signed.input[0].previous_output, funding());
        }
    }
}

#[test]
fn the_type_names_an_alias_if_the_channel_is_not_announced() {
    let (_, open) = offer();
    assert_eq!(open.channel_type(), Some(ChannelType::ANCHORS.to_features()));
    let unannounced = OpenRequest { announce: false, ..request(ChannelType::ANCHORS) };
    let (offered, open) = Opening::offer(our_side(1, CONFIG), unannounced).expect("a proposal");
    assert_eq!(open.channel_type(), Some(Features::from_bits(&[12, 22, 46])));
    assert!(!offered.is_announced());
    let us = OurSide { peer_features: without(bit::SCID_ALIAS), ..our_side(1, CONFIG) };
    let (_, open) = Opening::offer(us, unannounced).expect("a proposal");
    assert_eq!(open.channel_type(), Some(Features::from_bits(&[12, 22])));
}

#[test]
fn shutdown_scripts_are_said_if_both_know_the_feature() {
    let (_, open) = offer();
    assert_eq!(open.upfront_shutdown_script(), Some(ScriptBuf::new().as_script()));
    let us = OurSide { peer_features: without(bit::UPFRONT_SHUTDOWN_SCRIPT), ..our_side(1, CONFIG) };
    let (_, open) = Opening::offer(us, request(ChannelType::ANCHORS)).expect("a proposal");
    assert_eq!(open.upfront_shutdown_script(), None);
    let us = OurSide { upfront_shutdown_script: Some(close_script(1)), ..our_side(1, CONFIG) };
    let (_, open) = Opening::offer(us, request(ChannelType::ANCHORS)).expect("a proposal");
    assert_eq!(open.upfront_shutdown_script(), Some(close_script(1).as_script()));
}

#[test]
fn what_we_would_not_take_we_do_not_offer() {
    let small = OpenRequest { funding_satoshis: 12_000, ..request(ChannelType::ANCHORS) };
    let error = Opening::offer(our_side(1, CONFIG), small).expect_err("too small");
    assert_eq!(
        error.to_string(),
        "Not opening because if they used the same setting as us channel capacity with funding 12000sat, reserves \
         546sat/546sat, max_htlc_value_in_flight_msat is 18446744073709551615msat, channel capacity is 9124sat, which is \
         below 10000sat"
    );
    assert_eq!(error, OpenError::Aborted(error.reason().to_owned()));
}

/// The words are openingd's.
#[test]
fn proposals_are_refused() {
    type Change = fn(&mut OpenChannel);
    let cases: [(Change, &str); 11] = [
        (|open| open.tlvs = Default::default(), "Did not set channel_type in open_channel message"),
        (
            |open| open.set_channel_type(&Features::from_bits(&[12, 20])),
            "Did not support channel_type [12,20]",
        ),
        (|open| open.set_channel_type(&Features::from_bits(&[22])), "Did not support channel_type [22]"),
        (
            |open| open.chain_hash = ChainHash::BITCOIN,
            "Unknown chain-hash 6fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000",
        ),
        (
            |open| open.push_msat = 1_000_000_001,
            "Their push_msat 1000000001msat would be too large for funding_satoshis 1000000sat",
        ),
        (|open| open.feerate_per_kw = 252, "feerate_per_kw 252 below minimum 253"),
        (|open| open.feerate_per_kw = 100_001, "feerate_per_kw 100001 above maximum 100000"),
        (|open| open.to_self_delay = 2017, "to_self_delay 2017 larger than 2016"),
        (|open| open.max_accepted_htlcs = 484, "max_accepted_htlcs 484 too large"),
        (
            |open| open.dust_limit_satoshis = 995_000,
            "channel_reserve_satoshis 10000sat and 995000sat too large for funding 1000000sat",
        ),
        (
            |open| open.set_upfront_shutdown_script(ScriptBuf::from_bytes(vec![0x51])),
            "Unacceptable upfront_shutdown_script 51",
        ),
    ];
    for (change, expected) in cases {
        let (_, mut open) = offer();
        change(&mut open);
        let mut us = our_side(2, CONFIG);
        us.limits.min_feerate_per_kw = 253;
        us.limits.max_feerate_per_kw = 100_000;
        let error = Opening::received(us, CHAIN, open).expect_err(expected);
        assert_eq!(error.reason(), expected);
    }
}

#[test]
fn large_channels_need_the_feature_on_both_sides() {
    let (_, mut open) = offer();
    open.funding_satoshis = 1 << 24;
    assert!(receive(open.clone()).is_ok());
    let us = OurSide { peer_features: without(bit::LARGE_CHANNELS), ..our_side(2, CONFIG) };
    let error = Opening::received(us, CHAIN, open).expect_err("too large");
    assert_eq!(error.to_string(), "You gave bad parameters: funding_satoshis 16777216sat too large");
}

#[test]
fn answers_are_refused() {
    type Change = fn(&mut AcceptChannel);
    let cases: [(Change, &str); 6] = [
        (|accept| accept.tlvs = Default::default(), "accept_channel without a channel_type"),
        (|accept| accept.set_channel_type(&Features::from_bits(&[12])), "Return unoffered channel_type: 12"),
        (
            |accept| accept.temporary_channel_id = ChannelId([8; 32]),
            "accept_channel ids don't match: sent 0707070707070707070707070707070707070707070707070707070707070707 \
             got 0808080808080808080808080808080808080808080808080808080808080808",
        ),
        (
            |accept| accept.dust_limit_satoshis = 10_001,
            "dust limit 10001sat would be above our reserve 10000sat",
        ),
        (|accept| accept.max_accepted_htlcs = 0, "max_accepted_htlcs 0 invalid"),
        (
            |accept| accept.set_upfront_shutdown_script(ScriptBuf::from_bytes(vec![0x51])),
            "Unacceptable upfront_shutdown_script 51",
        ),
    ];
    for (change, expected) in cases {
        let (mut offered, _, mut accept) = accept();
        change(&mut accept);
        assert_eq!(offered.accepted(&accept).expect_err(expected).reason(), expected);
    }
}

#[test]
fn messages_out_of_turn_end_the_opening() {
    let (mut offered, received, accept) = accept();
    offered.accepted(&accept).expect("takes the answer");
    let again = offered.accepted(&accept).expect_err("twice");
    assert_eq!(again.to_string(), "Peer sent unexpected accept_channel");
    let created = offered.fund(funding()).expect("funds");
    let (_, unaccepted) = offer();
    let unaccepted = receive(unaccepted).expect("takes the proposal");
    assert_eq!(
        unaccepted.funding_created(&created).expect_err("early").reason(),
        "Peer sent unexpected funding_created"
    );
    let (_, signed) = received.funding_created(&created).expect("signs");
    let (unfunded, _) = offer();
    assert_eq!(
        unfunded.funding_signed(&signed).expect_err("early").reason(),
        "Peer sent unexpected funding_signed"
    );
}

#[test]
fn signatures_of_something_else_are_refused() {
    let other = Signature::from_compact(&[1; 64]).expect("numbers in range");
    let (mut offered, received, accept) = accept();
    offered.accepted(&accept).expect("takes the answer");
    let created = offered.fund(funding()).expect("funds");
    let forged = FundingCreated { signature: other, ..created.clone() };
    let error = received.clone().funding_created(&forged).expect_err("forged");
    assert!(error.reason().starts_with("Bad signature 3044"), "{error}");
    let (_, mut signed) = received.funding_created(&created).expect("signs");
    signed.signature = other;
    let error = offered.funding_signed(&signed).expect_err("forged");
    assert!(error.reason().ends_with("(channel_type=12,22)"), "{error}");
}

#[test]
fn the_opener_pays_the_first_commitments() {
    let most = OpenRequest { push_msat: 999_000_000, ..request(ChannelType::ANCHORS) };
    let (mut offered, open) = Opening::offer(our_side(1, CONFIG), most).expect("a proposal");
    let accept = receive(open).expect("in order").accept(Acceptance::default()).expect("accepts");
    offered.accepted(&accept).expect("in order");
    assert_eq!(
        offered.fund(funding()).expect_err("nothing is left").reason(),
        "Could not meet their fees and reserve: Funder cannot afford fee on initial commitment transaction"
    );
}

#[test]
fn depth_is_the_acceptors_choice_unless_both_know_zeroconf() {
    let (mut offered, _, accept) = accept();
    offered.accepted(&accept).expect("takes the answer");
    assert_eq!(offered.minimum_depth(), 1, "our own: both know option_zeroconf");

    let us = OurSide { peer_features: without(bit::ZEROCONF), ..our_side(1, CONFIG) };
    let (mut offered, _) = Opening::offer(us, request(ChannelType::ANCHORS)).expect("a proposal");
    offered.accepted(&accept).expect("takes the answer");
    assert_eq!(offered.minimum_depth(), 3, "the peer's");

    let (mut offered, open) = offer();
    let trusting = receive(open).expect("in order").accept(Acceptance::default()).expect("accepts");
    offered.accepted(&trusting).expect("takes the answer");
    assert!(offered.channel_type().zeroconf);
}

#[test]
fn who_demands_trust_needs_it() {
    let kind = ChannelType { zeroconf: true, ..ChannelType::ANCHORS };
    let (_, open) = Opening::offer(our_side(1, CONFIG), request(kind)).expect("a proposal");
    let mut received = receive(open).expect("in order");
    let error =
        received.accept(Acceptance { minimum_depth: 1, ..Acceptance::default() }).expect_err("no trust");
    assert_eq!(error.reason(), "You required zeroconf, but you're not on our allowlist");
    assert_eq!(received.accept(Acceptance::default()).expect("trusts").minimum_depth, 0);
}

#[test]
fn reserves_can_be_chosen_but_not_below_dust() {
    let (_, open) = offer();
    let mut received = receive(open).expect("in order");
    for (asked, given) in [(Some(20_000), 20_000), (Some(1), 546), (None, 546)] {
        let acceptance = Acceptance { reserve_sat: asked, ..Acceptance::default() };
        let accept = received.accept(acceptance).expect("accepts");
        assert_eq!(accept.channel_reserve_satoshis, given);
    }
}

#[test]
fn the_funding_output_needs_both_keys() {
    let (mut offered, received, accept) = accept();
    assert_eq!(offered.funding_output_script(), None, "the peer's key is not known yet");
    offered.accepted(&accept).expect("takes the answer");
    assert_eq!(offered.funding_output_script(), received.funding_output_script());
    let created = offered.fund(funding()).expect("funds");
    let (channel, _) = received.funding_created(&created).expect("signs");
    assert_eq!(offered.funding_output_script(), Some(channel.terms().funding_script().to_p2wsh()));
}

fn ready_message(channel: &mut Channel) -> Option<ShortChannelId> {
    channel.take_outputs().into_iter().find_map(|output| match output {
        ChannelOutput::Send(ChannelMessage::ChannelReady(message)) => message.alias(),
        _ => None,
    })
}

#[test]
fn a_channel_is_ready_when_both_say_so_and_each_gives_it_a_name() {
    let mut pair = Pair::open(request(ChannelType::ANCHORS), [CONFIG; 2]);
    let alias = "1x2x3".parse().expect("a short channel id");
    pair.channel(0).send_channel_ready(Some(alias));
    assert_eq!(ready_message(&mut pair.channel(0).clone()), Some(alias));
    pair.settle();
    assert_eq!((pair.events(0), pair.events(1)), (vec![], vec![]));
    assert_eq!(pair.channel(1).record().aliases, [None, Some(alias)]);
    pair.channel(1).send_channel_ready(None);
    pair.channel(1).send_channel_ready(None);
    pair.settle();
    assert_eq!((pair.events(0), pair.events(1)), (vec![ChannelOutput::Ready], vec![ChannelOutput::Ready]));
}
