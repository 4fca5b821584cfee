//! Which proposals of a channel are taken: lightningd's `check_config_bounds` of openingd, and what goes with it.

use crate::transaction::{ChannelConfig, ChannelType, Side, Terms, anchors_sat, commitment_fee_sat};

/// What we take at most, or at least, when a channel is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningLimits {
    /// How long the peer may delay our outputs, in blocks.
    pub max_to_self_delay: u16,
    /// What one payment must be able to carry, in msat (option `min-capacity-sat`).
    pub min_effective_htlc_capacity_msat: u64,
    /// The least fee rate of the first commitments, in sat per 1000 weight.
    pub min_feerate_per_kw: u32,
    /// The highest one.
    pub max_feerate_per_kw: u32,
}

impl Default for OpeningLimits {
    /// lightningd's on regtest, which ignores fee limits.
    fn default() -> Self {
        Self {
            max_to_self_delay: 2016,
            min_effective_htlc_capacity_msat: 10_000_000,
            min_feerate_per_kw: 0,
            max_feerate_per_kw: u32::MAX,
        }
    }
}

/// The most HTLCs that one side may offer: with more, a penalty would not fit into a transaction (BOLT 2).
const MOST_HTLCS: u16 = 483;

/// Whether a channel between these two would be of use. The text says why not.
pub(super) fn check_bounds(
    limits: &OpeningLimits,
    (funding_sat, feerate_per_kw): (u64, u32),
    kind: ChannelType,
    [ours, theirs]: [&ChannelConfig; 2],
) -> Result<(), String> {
    let (delay, max_delay) = (theirs.to_self_delay, limits.max_to_self_delay);
    if delay > max_delay {
        return Err(format!("to_self_delay {delay} larger than {max_delay}"));
    }
    let (their_reserve, our_reserve) = (theirs.channel_reserve_satoshis, ours.channel_reserve_satoshis);
    let reserves = their_reserve.checked_add(our_reserve).and_then(|sum| sum.checked_add(anchors_sat(kind)));
    let Some(reserves) = reserves else {
        return Err(format!("channel_reserve_satoshis {their_reserve}sat too large"));
    };
    let Some(unreserved) = funding_sat.checked_sub(reserves) else {
        return Err(format!(
            "channel_reserve_satoshis {their_reserve}sat and {our_reserve}sat too large for funding {funding_sat}sat"
        ));
    };
    // An HTLC may be dust, and cost nothing.
    let fee = commitment_fee_sat(kind, feerate_per_kw, 0);
    let Some(unspent) = unreserved.checked_sub(fee) else {
        return Err(format!(
            "channel_reserve_satoshis {their_reserve}sat and {our_reserve}sat plus fee {fee}sat too large for funding {funding_sat}sat"
        ));
    };
    let in_flight = theirs.max_htlc_value_in_flight_msat;
    let capacity = unspent.min(in_flight / 1000);
    let minimum = theirs.htlc_minimum_msat;
    if minimum > capacity * 1000 {
        return Err(format!(
            "htlc_minimum_msat {minimum}msat too large for funding {funding_sat}sat capacity_msat {capacity}sat"
        ));
    }
    if limits.min_effective_htlc_capacity_msat > capacity * 1000 {
        return Err(format!(
            "channel capacity with funding {funding_sat}sat, reserves {their_reserve}sat/{our_reserve}sat, \
             max_htlc_value_in_flight_msat is {in_flight}msat, channel capacity is {capacity}sat, which is below {}sat",
            limits.min_effective_htlc_capacity_msat / 1000
        ));
    }
    match theirs.max_accepted_htlcs {
        0 => Err("max_accepted_htlcs 0 invalid".to_owned()),
        1..=MOST_HTLCS => Ok(()),
        accepted => Err(format!("max_accepted_htlcs {accepted} too large")),
    }
}

/// Whether channels with dust below a reserve of dust still have a commitment with an output, whatever is in flight: only asked if
/// dust reserves are allowed.
pub(super) fn check_dust_reserve(funding_sat: u64, configs: [&ChannelConfig; 2]) -> Result<(), String> {
    let [ours, theirs] =
        configs.map(|config| (config.dust_limit_satoshis, u64::from(config.max_accepted_htlcs)));
    let (dust, htlcs) = (ours.0.min(theirs.0), ours.1 + theirs.1);
    let Some(all_dust) = dust.checked_mul(htlcs + 2) else {
        return Err("Overflow while computing total possible dust amount".to_owned());
    };
    if all_dust < funding_sat {
        return Ok(());
    }
    Err(format!(
        "channel funding {funding_sat}sat too small for chosen parameters: a total of {htlcs} HTLCs with dust value {dust}sat \
         would result in a commitment_transaction without outputs. Please increase the funding amount or reduce the \
         max_accepted_htlcs to ensure at least one non-dust output."
    ))
}

/// Whether the first commitment of `side` can be made: the opener pays its fee, and somebody has more than the reserve.
pub(super) fn check_first_commitment(
    terms: &Terms,
    side: Side,
    push_msat: u64,
    feerate_per_kw: u32,
) -> Result<(), &'static str> {
    let kind = terms.channel_type;
    let cost_msat = (commitment_fee_sat(kind, feerate_per_kw, 0) + anchors_sat(kind)) * 1000;
    let Some(opener_msat) =
        (terms.capacity_sat * 1000).checked_sub(push_msat).and_then(|has| has.checked_sub(cost_msat))
    else {
        return Err("Funder cannot afford fee on initial commitment transaction");
    };
    let reserve_msat = terms.config(side.other()).channel_reserve_satoshis * 1000;
    if opener_msat.max(push_msat) <= reserve_msat {
        return Err("Neither self amount nor other amount exceed reserve on initial commitment transaction");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: ChannelConfig = ChannelConfig {
        dust_limit_satoshis: 546,
        max_htlc_value_in_flight_msat: u64::MAX,
        channel_reserve_satoshis: 1000,
        htlc_minimum_msat: 0,
        to_self_delay: 6,
        max_accepted_htlcs: 483,
        max_dust_htlc_exposure_msat: 50_000_000,
    };

    fn refused(change: impl Fn(&mut ChannelConfig)) -> String {
        let mut theirs = CONFIG;
        change(&mut theirs);
        let limits = OpeningLimits::default();
        check_bounds(&limits, (100_000, 1000), ChannelType::ANCHORS, [&CONFIG, &theirs]).expect_err("refused")
    }

    #[test]
    fn what_makes_a_channel_useless_is_told_in_openingds_words() {
        let limits = OpeningLimits::default();
        assert_eq!(check_bounds(&limits, (100_000, 1000), ChannelType::ANCHORS, [&CONFIG; 2]), Ok(()));
        assert_eq!(refused(|config| config.to_self_delay = 2017), "to_self_delay 2017 larger than 2016");
        assert_eq!(
            refused(|config| config.channel_reserve_satoshis = u64::MAX),
            "channel_reserve_satoshis 18446744073709551615sat too large"
        );
        assert_eq!(
            refused(|config| config.channel_reserve_satoshis = 98_341),
            "channel_reserve_satoshis 98341sat and 1000sat too large for funding 100000sat"
        );
        assert_eq!(
            refused(|config| config.channel_reserve_satoshis = 97_217),
            "channel_reserve_satoshis 97217sat and 1000sat plus fee 1124sat too large for funding 100000sat"
        );
        assert_eq!(
            refused(|config| config.htlc_minimum_msat = 96_216_001),
            "htlc_minimum_msat 96216001msat too large for funding 100000sat capacity_msat 96216sat"
        );
        assert_eq!(
            refused(|config| config.max_htlc_value_in_flight_msat = 9_999_999),
            "channel capacity with funding 100000sat, reserves 1000sat/1000sat, max_htlc_value_in_flight_msat is 9999999msat, \
             channel capacity is 9999sat, which is below 10000sat"
        );
        assert_eq!(refused(|config| config.max_accepted_htlcs = 0), "max_accepted_htlcs 0 invalid");
        assert_eq!(refused(|config| config.max_accepted_htlcs = 484), "max_accepted_htlcs 484 too large");
    }

    #[test]
    fn dust_reserves_need_an_output_that_is_left() {
        assert_eq!(check_dust_reserve(968 * 546 + 1, [&CONFIG; 2]), Ok(()));
        assert!(check_dust_reserve(968 * 546, [&CONFIG; 2]).is_err());
    }
}
