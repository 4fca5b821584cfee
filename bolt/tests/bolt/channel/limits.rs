//! What a channel can carry: each limit, from both sides, one msat or one HTLC before and behind it.

use super::{CONFIG, Pair, htlc, preimage, request};
use leyden_bolt::channel::{AddHtlc, AddHtlcError, OpenRequest, Removal};
use leyden_bolt::transaction::{ChannelConfig, ChannelType, Side};

fn pair(kind: ChannelType, push_msat: u64, configs: [ChannelConfig; 2]) -> Pair {
    Pair::ready(OpenRequest { push_msat, ..request(kind) }, configs)
}

/// What one try gives; the pair itself stays as it is.
fn try_add(pair: &mut Pair, node: usize, add: AddHtlc) -> Result<u64, AddHtlcError> {
    pair.channel(node).clone().add_htlc(add)
}

/// The largest HTLC that fits.
fn largest(pair: &mut Pair, node: usize) -> u64 {
    let (mut fits, mut exceeds) = (0, 2_000_000_000);
    while fits + 1 < exceeds {
        let middle = fits + (exceeds - fits) / 2;
        match try_add(pair, node, htlc(1, middle)) {
            Ok(_) => fits = middle,
            Err(_) => exceeds = middle,
        }
    }
    fits
}

#[test]
fn the_receiver_says_what_is_too_small() {
    let second = ChannelConfig { htlc_minimum_msat: 5000, ..CONFIG };
    let mut pair = pair(ChannelType::ANCHORS, 500_000_000, [CONFIG, second]);
    let error = try_add(&mut pair, 0, htlc(1, 4999)).expect_err("too small");
    assert_eq!(error.to_string(), "HTLC too small (5000msat minimum)");
    assert_eq!(try_add(&mut pair, 0, htlc(1, 5000)), Ok(0));
    assert_eq!(try_add(&mut pair, 1, htlc(1, 1)), Ok(0));
    assert_eq!(try_add(&mut pair, 1, htlc(1, 0)), Err(AddHtlcError::HtlcBelowMinimum { minimum_msat: 0 }));
}

#[test]
fn the_receiver_says_how_many_and_how_much() {
    let second = ChannelConfig { max_accepted_htlcs: 3, max_htlc_value_in_flight_msat: 40_000_000, ..CONFIG };
    let mut pair = pair(ChannelType::ANCHORS, 500_000_000, [CONFIG, second]);
    let error = try_add(&mut pair, 0, htlc(1, 40_000_001)).expect_err("too much");
    assert_eq!(error.to_string(), "Mini mode: maximum value exceeded");
    for number in 0..3 {
        pair.add(0, htlc(number, 10_000_000));
    }
    let error = try_add(&mut pair, 0, htlc(4, 10_000_000)).expect_err("too many");
    assert_eq!(error.to_string(), "Too many HTLCs");
    pair.remove(1, 0, Removal::Fail(vec![]));
    assert_eq!(try_add(&mut pair, 0, htlc(4, 20_000_001)), Err(AddHtlcError::MaxHtlcValueExceeded));
    assert_eq!(try_add(&mut pair, 0, htlc(4, 20_000_000)), Ok(3));
}

/// Each HTLC makes a commitment dearer: we do not offer more than we would take.
#[test]
fn we_offer_no_more_than_we_take() {
    let first = ChannelConfig { max_accepted_htlcs: 2, ..CONFIG };
    let mut pair = pair(ChannelType::ANCHORS, 500_000_000, [first, CONFIG]);
    for number in 0..2 {
        pair.add(0, htlc(number, 10_000_000));
    }
    assert_eq!(try_add(&mut pair, 0, htlc(2, 10_000_000)), Err(AddHtlcError::TooManyHtlcs));
}

#[test]
fn expiry_is_a_height() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let error = try_add(&mut pair, 0, AddHtlc { cltv_expiry: 500_000_000, ..htlc(1, 1_000_000) })
        .expect_err("a time");
    assert_eq!(error.to_string(), "Invalid cltv_expiry 500000000");
}

#[test]
fn who_did_not_open_keeps_its_reserve() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    assert_eq!(largest(&mut pair, 1), 500_000_000 - 10_000_000);
    let error = try_add(&mut pair, 1, htlc(1, 490_000_001)).expect_err("below its reserve");
    assert_eq!(error.to_string(), "Capacity exceeded - HTLC fee: 1296sat");
    assert_eq!(pair.channel(1).spendable_msat(), 490_000_000);
    assert_eq!(pair.channel(0).receivable_msat(), 490_000_000);
}

/// 1000 sat per 1000 weight may rise to 1984 (`marginal_feerate`); then a commitment with two HTLCs must be affordable, and the
/// anchors.
#[test]
fn who_opened_keeps_its_reserve_and_fees_that_may_rise() {
    for (kind, fee_sat) in [
        (ChannelType::ANCHORS, (1124 + 2 * 172) * 1984 / 1000 + 660),
        (ChannelType::STATIC_REMOTEKEY, (724 + 2 * 172) * 1984 / 1000),
    ] {
        let mut pair = Pair::balanced(kind);
        let expected = 500_000_000 - 10_000_000 - fee_sat * 1000;
        assert_eq!(largest(&mut pair, 0), expected);
        assert_eq!(pair.channel(0).spendable_msat(), expected);
        assert_eq!(pair.channel(1).receivable_msat(), expected);
    }
}

/// As soon as an HTLC is offered, its sender can spend less; the balance changes when it is paid.
#[test]
fn what_is_offered_cannot_be_spent_again() {
    let mut pair = Pair::balanced(ChannelType::ANCHORS);
    let id = pair.add(1, htlc(1, 90_000_000));
    assert_eq!(pair.channel(1).spendable_msat(), 400_000_000);
    assert_eq!(pair.channel(1).balance_msat(Side::Local), 500_000_000);
    pair.remove(0, id, Removal::Fulfill(preimage(1)));
    assert_eq!(pair.channel(1).spendable_msat(), 400_000_000);
    assert_eq!(pair.channel(1).balance_msat(Side::Local), 410_000_000);
}

/// The opener would have to pay for our HTLC what it has not.
#[test]
fn we_do_not_bring_the_opener_below_its_fees() {
    // 10,000 sat of reserve, 660 for anchors, 1124 for a commitment, 172 for one HTLC.
    for (opener_sat, fits) in [(10_000 + 660 + 1124 + 172, true), (10_000 + 660 + 1124 + 171, false)] {
        let mut pair = pair(ChannelType::ANCHORS, 1_000_000_000 - opener_sat * 1000, [CONFIG; 2]);
        assert_eq!(try_add(&mut pair, 1, htlc(1, 10_000_000)).is_ok(), fits, "{opener_sat}");
        assert!(try_add(&mut pair, 1, htlc(1, 100_000)).is_ok(), "dust costs nothing");
    }
}

/// Dust is measured at a fee rate that is 2530 higher, or a quarter.
#[test]
fn too_much_dust_is_not_offered() {
    let first = ChannelConfig { max_dust_htlc_exposure_msat: 1_000_000, ..CONFIG };
    let mut pair = pair(ChannelType::ANCHORS, 500_000_000, [first, CONFIG]);
    for number in 0..2 {
        pair.add(0, htlc(number, 400_000));
    }
    let error = try_add(&mut pair, 0, htlc(2, 200_001)).expect_err("too dusty");
    assert_eq!(error.to_string(), "HTLC too dusty, allowed dust limit reached");
    assert_eq!(try_add(&mut pair, 0, htlc(2, 200_000)), Ok(2));
    assert_eq!(try_add(&mut pair, 0, htlc(2, 546_000)), Ok(2), "that has an output");
}

/// The peer may offer it, and it fails as soon as it is committed.
#[test]
fn too_much_dust_of_the_peer_is_marked() {
    let first = ChannelConfig { max_dust_htlc_exposure_msat: 500_000, ..CONFIG };
    let mut pair = pair(ChannelType::ANCHORS, 500_000_000, [first, CONFIG]);
    pair.add(1, htlc(0, 400_000));
    pair.add(1, htlc(1, 400_000));
    let marked: Vec<_> = pair.channel(0).htlcs().map(|htlc| htlc.fail_immediate).collect();
    assert_eq!(marked, [false, true]);
}

/// Without anchors, a higher fee rate turns HTLCs into dust: the opener does not change to it.
#[test]
fn the_fee_rate_does_not_turn_too_much_into_dust() {
    let first = ChannelConfig { max_dust_htlc_exposure_msat: 3_000_000, ..CONFIG };
    let mut pair = pair(ChannelType::STATIC_REMOTEKEY, 500_000_000, [first; 2]);
    for number in 0..2 {
        // 546 sat and 703 weight at 3530: no dust yet.
        pair.add(0, htlc(number, 3_100_000));
    }
    pair.channel(0).update_fee(8000);
    pair.settle();
    assert_eq!(pair.channel(0).feerate_per_kw(Side::Local), 1000);
    pair.channel(0).update_fee(1500);
    pair.settle();
    assert_eq!(pair.channel(0).feerate_per_kw(Side::Local), 1500);
}

/// The opener goes as far as it can afford.
#[test]
fn the_fee_rate_is_what_the_opener_can_pay() {
    let mut pair = pair(ChannelType::ANCHORS, 980_000_000, [CONFIG; 2]);
    pair.add(1, htlc(0, 10_000_000));
    pair.channel(0).update_fee(100_000);
    pair.settle();
    // 20,000 sat less the reserve and the anchors, for 1124 + 172 weight.
    assert_eq!(pair.channel(0).feerate_per_kw(Side::Local), (20_000 - 10_000 - 660) * 1000 / (1124 + 172));
    assert_eq!(pair.channel(1).spendable_msat(), 980_000_000 - 10_000_000 - 10_000_000);
}

/// Without `option_support_large_channel` on both sides, a payment fits 32 bits.
#[test]
fn payments_are_small_where_channels_are() {
    let mut pair = Pair::ready(
        OpenRequest { funding_satoshis: 10_000_000, ..request(ChannelType::ANCHORS) },
        [CONFIG; 2],
    );
    pair.disconnect();
    let none = leyden_bolt::Features::new();
    for node in [0, 1] {
        pair.channel(node).reconnected(&none, &none);
        pair.flush(node);
    }
    pair.settle();
    assert_eq!(pair.channel(0).spendable_msat(), u64::from(u32::MAX));
    assert_eq!(try_add(&mut pair, 0, htlc(1, 1 << 32)), Err(AddHtlcError::MaxHtlcValueExceeded));
    assert_eq!(try_add(&mut pair, 0, htlc(1, (1 << 32) - 1)), Ok(0));
}
