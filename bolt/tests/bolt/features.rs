//! Feature bits: the sets of a real lightningd, its names, what a peer may not ask for.

use leyden_bolt::features::{FeatureError, FeatureSet, Features, bit, feature_name};
use proptest::prelude::*;

#[test]
fn the_sets_are_those_of_lightningd() {
    let set = FeatureSet::lightningd_v26_06();
    assert_eq!(set.init.to_string(), "800898880a8a59a1");
    assert_eq!(set.global_init.to_string(), "1100");
    assert_eq!(set.node.to_string(), "808898880a8a59a1");
    assert_eq!(set.channel.to_string(), "");
    assert_eq!(set.invoice.to_string(), "02000002024100");
    assert_eq!(set.bolt12_offer.to_string(), "");
    assert_eq!(set.bolt12_invreq.to_string(), "");
    assert_eq!(set.bolt12_invoice.to_string(), "020000");
    assert_eq!(set.channel_type.to_string(), "08800000800000");
}

#[test]
fn a_set_is_what_its_places_are() {
    let set = FeatureSet::lightningd_v26_06();
    let places: Vec<(&str, String)> = set.places().map(|(name, place)| (name, place.to_string())).into();
    let hex: Vec<(&str, &str)> = places.iter().map(|(name, hex)| (*name, hex.as_str())).collect();
    assert_eq!(FeatureSet::from_hex(&hex), Ok(set));
    assert_eq!(FeatureSet::from_hex(&[]), Ok(FeatureSet::default()));
    assert!(FeatureSet::from_hex(&[("node", "x")]).is_err());
}

/// `lightningd --list-features-only` of v26.06.6, without its last line, which is not a feature.
#[test]
fn names_are_those_of_lightningd() {
    let names: Vec<String> = FeatureSet::lightningd_v26_06().init.bits().map(feature_name).collect();
    let expected = [
        "option_data_loss_protect/even",
        "option_upfront_shutdown_script/odd",
        "option_gossip_queries/odd",
        "option_var_onion_optin/even",
        "option_gossip_queries_ex/odd",
        "option_static_remotekey/even",
        "option_payment_secret/even",
        "option_basic_mpp/odd",
        "option_support_large_channel/odd",
        "option_anchors/odd",
        "option_route_blinding/odd",
        "option_shutdown_anysegwit/odd",
        "option_quiesce/odd",
        "option_onion_messages/odd",
        "option_provide_storage/odd",
        "option_channel_type/even",
        "option_scid_alias/odd",
        "option_zeroconf/odd",
        "option_splice/odd",
    ];
    assert_eq!(names, expected);
    assert_eq!(feature_name(101), "option_unknown_100/odd");
}

#[test]
fn a_peer_may_ask_for_what_we_offer_and_for_odd_bits() {
    let ours = FeatureSet::lightningd_v26_06().init;
    assert_eq!(ours.check(&ours), Ok(()));
    assert_eq!(Features::new().check(&ours), Ok(()));
    assert_eq!(Features::from_bits(&[1001]).check(&ours), Ok(()));
    // Compulsory for the peer, optional for us: still offered.
    assert_eq!(Features::from_bits(&[bit::GOSSIP_QUERIES]).check(&ours), Ok(()));
}

#[test]
fn unknown_even_bits_are_refused() {
    let ours = FeatureSet::lightningd_v26_06().init;
    let error = Features::from_bits(&[0, 100, 102]).check(&ours).unwrap_err();
    assert_eq!(error, FeatureError::Unsupported { bit: 100 });
    let message = "expected no compulsory feature beyond ours, got option_unknown_100/even (bit 100)";
    assert_eq!(error.to_string(), message);
}

#[test]
fn basic_mpp_needs_payment_secret() {
    let ours = FeatureSet::lightningd_v26_06().init;
    let error = Features::from_bits(&[bit::BASIC_MPP | 1]).check(&ours).unwrap_err();
    let message = "expected option_payment_secret/even beside option_basic_mpp/even, it is not offered";
    assert_eq!(error.to_string(), message);
    assert_eq!(Features::from_bits(&[bit::BASIC_MPP | 1, bit::PAYMENT_SECRET | 1]).check(&ours), Ok(()));
}

#[test]
fn a_plugin_adds_features_only_where_they_are_not_yet() {
    let mut ours = FeatureSet::lightningd_v26_06();
    let theirs = FeatureSet {
        init: Features::from_bits(&[201]),
        invoice: Features::from_bits(&[205]),
        ..FeatureSet::default()
    };
    ours.add(&theirs).unwrap();
    assert!(ours.init.is_set(201) && ours.invoice.is_set(205) && !ours.node.is_set(201));

    let before = ours.clone();
    let known = FeatureSet {
        init: Features::from_bits(&[203]),
        node: Features::from_bits(&[bit::KEYSEND]),
        ..FeatureSet::default()
    };
    let error = ours.add(&known).unwrap_err();
    assert_eq!(error, FeatureError::AlreadyOffered { bit: bit::KEYSEND, place: "node" });
    assert_eq!(ours, before);
}

#[test]
fn zero_bytes_are_printed_and_make_no_difference() {
    let padded: Features = "000001".parse().unwrap();
    assert_eq!(padded.to_string(), "000001");
    assert_eq!(padded, Features::from_bits(&[0]));
    assert!("0g".parse::<Features>().is_err());
}

proptest! {
    #[test]
    fn bits_and_hex_agree(bits in prop::collection::btree_set(0usize..300, 0..20), others in prop::collection::btree_set(0usize..300, 0..20)) {
        let bits: Vec<usize> = bits.into_iter().collect();
        let others: Vec<usize> = others.into_iter().collect();
        let features = Features::from_bits(&bits);
        prop_assert_eq!(features.bits().collect::<Vec<_>>(), bits.clone());
        prop_assert_eq!(features.to_string().parse::<Features>().unwrap(), features.clone());
        prop_assert_eq!(features.or(&Features::from_bits(&others)), Features::from_bits(&[bits, others].concat()));
    }
}
