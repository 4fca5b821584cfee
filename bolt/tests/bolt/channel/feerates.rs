//! Changes of the fee rate: when the opener makes them, and which are refused.

use super::{CONFIG, Pair, htlc, refusal, request, warning};
use leyden_bolt::message::channel::UpdateFee;
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::transaction::{ChannelType, Side};

#[test]
fn the_opener_changes_the_fee_rate_with_the_first_commitment() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    pair.channel(0).update_fee(2000);
    pair.settle();
    assert_eq!(pair.channel(0).feerate_per_kw(Side::Local), 1000, "not of its own accord");
    pair.add(0, htlc(1, 10_000_000));
    for side in Side::BOTH {
        assert_eq!(
            (pair.channel(0).feerate_per_kw(side), pair.channel(1).feerate_per_kw(side)),
            (2000, 2000)
        );
    }
    pair.channel(0).update_fee(500);
    pair.settle();
    assert_eq!(pair.channel(1).feerate_per_kw(Side::Local), 500, "then at once");
    pair.assert_in_step();
}

#[test]
fn the_opener_changes_the_fee_rate_when_a_channel_is_reestablished() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    pair.channel(0).update_fee(2000);
    pair.disconnect();
    pair.reconnect();
    pair.settle();
    assert_eq!([0, 1].map(|node| pair.channel(node).feerate_per_kw(Side::Local)), [2000; 2]);
    pair.assert_in_step();
}

#[test]
fn the_opener_changes_no_fee_rate_with_a_peer_that_has_not_heard_that_it_is_ready() {
    let mut pair = Pair::open(request(ChannelType::ANCHORS), [CONFIG; 2]);
    pair.channel(0).update_fee(2000);
    pair.disconnect();
    pair.reconnect();
    pair.channel(1).send_channel_ready(None);
    pair.settle();
    assert_eq!([0, 1].map(|node| pair.channel(node).feerate_per_kw(Side::Local)), [1000; 2]);
    pair.channel(0).send_channel_ready(None);
    pair.settle();
    pair.assert_in_step();
}

#[test]
fn fee_rates_that_break_rules_are_refused_in_channelds_words() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let channel_id = pair.channel(0).channel_id();
    let fee = |feerate_per_kw| UpdateFee { channel_id, feerate_per_kw, tlvs: TlvStream::new() };
    assert_eq!(refusal(&mut pair, 0, fee(2000)), warning("update_fee from non-opener?"));
    assert_eq!(refusal(&mut pair, 1, fee(4_000_000)), warning("update_fee 4000000 unaffordable"));
    pair.channel(1).set_feerate_range(2000, 3000);
    assert_eq!(
        refusal(&mut pair, 1, fee(999)),
        warning("update_fee 999 outside range 2000-3000 (currently 1000)")
    );
    assert_eq!(
        refusal(&mut pair, 1, fee(3001)),
        warning("update_fee 3001 outside range 2000-3000 (currently 1000)")
    );
    for feerate in [1000, 1999, 2000, 3000] {
        pair.channel(1).receive(fee(feerate).into()).unwrap_or_else(|error| panic!("{feerate}: {error}"));
    }
}
