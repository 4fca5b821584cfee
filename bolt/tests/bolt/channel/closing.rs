//! Closing together: `shutdown`, and how two sides find a fee.

use super::{CONFIG, Pair, close_script, features, funding, htlc, our_side, preimage, request};
use bitcoin::{ScriptBuf, Transaction};
use leyden_bolt::channel::{
    AddHtlcError, ChannelError, ChannelOutput, ClosingFees, NegotiationStep, OpenRequest, Opening, Removal,
};
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::message::channel::{ClosingSigned, Shutdown};
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::transaction::{ChannelConfig, ChannelType, Side};

/// Weight of a closing transaction with two outputs to keys, and both signatures at their longest.
const WEIGHT: u64 = 676;

fn fees(min_per_kw: u32, wanted_per_kw: u32, max_per_kw: u32) -> ClosingFees {
    ClosingFees { min_per_kw, wanted_per_kw, max_per_kw, step: NegotiationStep::default() }
}

fn shutdown_both(pair: &mut Pair) {
    pair.channel(0).shutdown(close_script(1));
    pair.settle();
    assert!(pair.events(1).contains(&ChannelOutput::ShutdownReceived));
    pair.channel(1).shutdown(close_script(2));
    pair.settle();
    for node in [0, 1] {
        assert!(pair.events(node).contains(&ChannelOutput::ShutdownComplete));
    }
}

/// Fees in sat, and who offered them.
type Offers = Vec<(usize, u64)>;

/// Negotiates until both are silent, and gives the offers and what came of them.
fn negotiate(pair: &mut Pair, fees: [ClosingFees; 2]) -> (Offers, Result<[Transaction; 2], ChannelError>) {
    // The opener speaks at once: the other one is to be there.
    for node in [1, 0] {
        pair.channel(node).negotiate_close(fees[node]).expect("there is something to share");
        pair.flush(node);
    }
    let mut offers = Vec::new();
    while let Some(node) = [0, 1].into_iter().find(|node| !pair.peers[*node].inbox.is_empty()) {
        if let Some(ChannelMessage::ClosingSigned(message)) = pair.peers[node].inbox.front() {
            offers.push((1 - node, message.fee_satoshis));
        }
        if let Err(error) = pair.deliver(node).expect("there is one") {
            return (offers, Err(error));
        }
    }
    let closed = [0, 1].map(|node| match pair.events(node).pop() {
        Some(ChannelOutput::Closed { transaction, fee_sat: agreed }) => {
            assert_eq!(offers.last().map(|(_, offered)| *offered), Some(agreed));
            transaction
        }
        other => panic!("node {node} is left with {other:?} after {offers:?}"),
    });
    (offers, Ok(closed))
}

fn fee_sat(transaction: &Transaction) -> u64 {
    1_000_000 - transaction.output.iter().map(|output| output.value.to_sat()).sum::<u64>()
}

#[test]
fn with_ranges_on_both_sides_two_messages_do() {
    for kind in [ChannelType::STATIC_REMOTEKEY, ChannelType::ANCHORS] {
        let mut pair = Pair::balanced(kind);
        shutdown_both(&mut pair);
        let (offers, closed) = negotiate(&mut pair, [fees(253, 1000, 2000), fees(253, 1000, 2000)]);
        assert_eq!(offers, [(0, WEIGHT), (1, WEIGHT)], "the same, and so the end");
        let [first, second] = closed.expect("agreed");
        assert_eq!(first, second);
        let mut scripts: Vec<_> = first.output.iter().map(|output| output.script_pubkey.clone()).collect();
        scripts.sort();
        assert_eq!(scripts, [close_script(1), close_script(2)]);
        assert_eq!(first.input[0].previous_output, funding());
        assert_eq!(first.input[0].witness.len(), 4, "both signatures");
    }
}

#[test]
fn who_does_not_pay_names_a_fee_in_both_ranges_and_the_payer_repeats_it() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    shutdown_both(&mut pair);
    let (offers, closed) = negotiate(&mut pair, [fees(253, 500, 2000), fees(1000, 3000, 3000)]);
    assert_eq!(offers, [(0, WEIGHT / 2), (1, 2 * WEIGHT), (0, 2 * WEIGHT)]);
    assert_eq!(fee_sat(&closed.expect("agreed")[0]), 2 * WEIGHT);
}

#[test]
fn ranges_that_do_not_meet_end_the_connection() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    shutdown_both(&mut pair);
    let (offers, closed) = negotiate(&mut pair, [fees(253, 500, 1000), fees(2000, 3000, 4000)]);
    assert_eq!(offers, [(0, WEIGHT / 2)]);
    let text = "Unable to agree on a feerate. Our range 1352sat-1000000sat, other range 171sat-676sat";
    assert_eq!(closed, Err(ChannelError::Warning(text.to_owned())));
}

#[test]
fn without_ranges_offers_come_closer() {
    let mut pair = Pair::balanced(ChannelType::STATIC_REMOTEKEY);
    shutdown_both(&mut pair);
    let step = NegotiationStep::Percent(30);
    let slow = |fees| ClosingFees { step, ..fees };
    let (offers, closed) = negotiate(&mut pair, [slow(fees(253, 400, 3000)), slow(fees(253, 2000, 3000))]);
    assert_eq!(offers[..2], [(0, 270), (1, 1352)]);
    assert!(offers.len() > 4, "{offers:?}");
    let agreed = offers.last().expect("some").1;
    for (node, ours) in [(0, true), (1, false)] {
        let of_node: Vec<_> = offers.iter().filter(|(by, _)| *by == node).map(|(_, fee)| *fee).collect();
        let sorted = |pair: &[u64]| if ours { pair[0] < pair[1] } else { pair[0] > pair[1] };
        assert!(of_node.windows(2).all(sorted), "{offers:?}");
    }
    let [first, second] = closed.expect("agreed");
    assert_eq!((fee_sat(&first), fee_sat(&second)), (agreed, agreed));
}

#[test]
fn steps_can_be_counted_in_sat() {
    let mut pair = Pair::balanced(ChannelType::STATIC_REMOTEKEY);
    shutdown_both(&mut pair);
    let by_100 = |fees| ClosingFees { step: NegotiationStep::Sat(100), ..fees };
    let (offers, closed) =
        negotiate(&mut pair, [by_100(fees(253, 400, 3000)), by_100(fees(253, 1000, 3000))]);
    assert_eq!(offers[..4], [(0, 270), (1, 676), (0, 370), (1, 576)]);
    assert!(closed.is_ok(), "{closed:?}");
}

#[test]
fn what_was_offered_is_settled_before_the_end() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let (first, second) = (pair.add(0, htlc(1, 10_000_000)), pair.add(1, htlc(2, 20_000_000)));
    pair.channel(0).shutdown(close_script(1));
    pair.settle();
    pair.channel(1).shutdown(close_script(2));
    pair.settle();
    for node in [0, 1] {
        assert_eq!(pair.channel(node).add_htlc(htlc(3, 1_000_000)), Err(AddHtlcError::Unavailable));
        assert!(!pair.events(node).contains(&ChannelOutput::ShutdownComplete));
    }
    pair.remove(1, first, Removal::Fulfill(preimage(1)));
    pair.remove(0, second, Removal::Fail(vec![]));
    for node in [0, 1] {
        assert_eq!(pair.events(node).last(), Some(&ChannelOutput::ShutdownComplete));
    }
    let (_, closed) = negotiate(&mut pair, [fees(253, 1000, 2000); 2]);
    let mut amounts =
        closed.expect("agreed")[0].output.iter().map(|output| output.value.to_sat()).collect::<Vec<_>>();
    amounts.sort_unstable();
    assert_eq!(amounts, [490_000 - WEIGHT, 510_000]);
}

/// Who signs leaves out what is too small for it, and the other one puts up with that.
#[test]
fn dust_is_left_out() {
    let careful = ChannelConfig { dust_limit_satoshis: 1000, ..CONFIG };
    for (push_msat, second, outputs) in
        [(545_999, CONFIG, [1, 1]), (546_000, CONFIG, [2, 2]), (800_000, careful, [1, 2])]
    {
        let mut pair =
            Pair::ready(OpenRequest { push_msat, ..request(ChannelType::ANCHORS) }, [CONFIG, second]);
        shutdown_both(&mut pair);
        let (_, closed) = negotiate(&mut pair, [fees(253, 1000, 2000); 2]);
        // Each node has the transaction that the other one signed.
        assert_eq!(closed.expect("agreed").map(|transaction| transaction.output.len()), outputs);
    }
}

#[test]
fn a_negotiation_begins_anew_on_each_connection() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    shutdown_both(&mut pair);
    pair.channel(0).negotiate_close(fees(253, 500, 1000)).expect("there is something to share");
    pair.disconnect();
    pair.restart(0);
    pair.reconnect();
    pair.settle();
    for node in [0, 1] {
        assert_eq!(pair.events(node).last(), Some(&ChannelOutput::ShutdownComplete));
    }
    let (_, closed) = negotiate(&mut pair, [fees(253, 1000, 2000); 2]);
    assert!(closed.is_ok(), "{closed:?}");
}

fn shutdown(pair: &mut Pair, script: ScriptBuf) -> Shutdown {
    Shutdown {
        channel_id: pair.channel(0).channel_id(),
        scriptpubkey: script.into_bytes(),
        tlvs: TlvStream::new(),
    }
}

#[test]
fn money_goes_to_scripts_of_a_known_kind() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let p2pkh = ScriptBuf::from_bytes([&[0x76, 0xa9, 20][..], &[1; 20], &[0x88, 0xac]].concat());
    let message = shutdown(&mut pair, p2pkh.clone());
    let text = format!("Bad shutdown scriptpubkey {p2pkh:x}");
    assert_eq!(pair.channel(0).receive(message.into()), Err(ChannelError::Warning(text)));
}

#[test]
fn who_named_a_script_at_first_closes_to_it() {
    let mut us = our_side(1, CONFIG);
    us.upfront_shutdown_script = Some(close_script(1));
    let (mut offered, open) = Opening::offer(us, request(ChannelType::ANCHORS)).expect("a proposal");
    let mut received = Opening::received(our_side(2, CONFIG), super::CHAIN, open).expect("in order");
    offered.accepted(&received.accept(Default::default()).expect("accepts")).expect("in order");
    let (mut channel, _) = received.funding_created(&offered.fund(funding()).expect("funds")).expect("signs");
    let channel_id = channel.channel_id();
    let to =
        |byte| Shutdown { channel_id, scriptpubkey: close_script(byte).into_bytes(), tlvs: TlvStream::new() };
    let text = format!("scriptpubkey {:x} is not as agreed upfront ({:x})", close_script(2), close_script(1));
    assert_eq!(channel.receive(to(2).into()), Err(ChannelError::Warning(text)));
    assert_eq!(channel.receive(to(1).into()), Ok(()));
    assert_eq!(channel.take_outputs(), [ChannelOutput::ShutdownReceived]);
}

#[test]
fn while_closing_only_closing_is_talked_about() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let signature = pair.channel(0).record().signatures.signature;
    let channel_id = pair.channel(0).channel_id();
    let early = ClosingSigned { channel_id, fee_satoshis: 1000, signature, tlvs: TlvStream::new() };
    let text = "Peer sent unknown message 39 (WIRE_CLOSING_SIGNED)".to_owned();
    assert_eq!(pair.channel(1).receive(early.clone().into()), Err(ChannelError::Warning(text)));
    shutdown_both(&mut pair);
    pair.channel(1).negotiate_close(fees(253, 1000, 2000)).expect("there is something to share");
    let ChannelError::Warning(text) = pair.channel(1).receive(early.clone().into()).expect_err("forged")
    else {
        panic!("no warning")
    };
    assert!(text.starts_with("Bad closing_signed signature for 0200"), "{text}");
    let dear = ClosingSigned { fee_satoshis: 500_001, ..early };
    let text = "Funder cannot afford fee 500001sat (500000sat and 500000sat)".to_owned();
    assert_eq!(pair.channel(1).receive(dear.into()), Err(ChannelError::Warning(text)));
    let again = shutdown(&mut pair, close_script(1));
    assert_eq!(pair.channel(1).receive(again.into()), Ok(()), "said again after a reconnection");
    let fee =
        leyden_bolt::message::channel::UpdateFee { channel_id, feerate_per_kw: 500, tlvs: TlvStream::new() };
    let ChannelError::Warning(text) = pair.channel(1).receive(fee.into()).expect_err("too late") else {
        panic!("no warning")
    };
    assert!(text.starts_with("Expected closing_signed: 0086"), "{text}");
    assert_eq!(pair.channel(1).balance_msat(Side::Local), 500_000_000);
    pair.channel(1).reconnected(&features(), &features());
    assert!(pair.channel(1).is_shutting_down());
}
