//! Keys of a channel, and what is signed with them, against a channel between two lightningds v26.06.6 with known secrets:
//! `channels.*_basepoint_local`, per-commitment points, its first commitment, and the sweep after a unilateral close.

use crate::hex;
use bitcoin::consensus::deserialize;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::secp256k1::PublicKey;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::{OutPoint, ScriptBuf, Transaction, TxOut};
use leyden_bolt::channel_keys::{Basepoints, ChannelKeys};
use leyden_bolt::keys::HsmSecret;
use leyden_bolt::transaction::{ChannelConfig, ChannelType, Claim, Commitment, CommitmentSpec, Side, Terms};

const COMMITMENT: &str = "020000000001011adf11fee0afc5d833979cb0569d251e6dc99c4e687c9474687c219681dc25d10000000000db3e1480024a01000000000000220020d6fb0b11c8f1c8d95a820eea08eda9aa4d1f03c13d0d1e70086e01d701f4b1532f3a0f0000000000220020bdc191a5e17784dc187693afdc781d6c41b7b6d6859deb8902b5b3cafd680ecc040047304402204474ae92c23cf56f5dca587d7233ca38b4cde021f2f2634224a154fc02670e1a022049159954334099e68ee0e967fa5f82f99730643dfe2ad622d05a43a81d7998e60147304402202d868028e2da12da61069de6a51b1b3ccafd84941a3ae76bfac1ea19a5a38df802202d4198c41903e8772e89a01a17cc4ffd2ac08e6c7cc6659cb35a7a6488e83884014752210200b4759385ce72f5c0fcd7aef9f6065872a63721f0b2fcaeb442a397fb0a6a3721034c5df5afeffce366cdc7f56151b54c88d7db4a3555d67f16d66264d082c98dc852ae386e0b20";
const SWEEP: &str = "020000000001016819e18673b3ac92faa1118d76b0e16ec25fdd78652008ac2c8270eaabb6ce5a01000000000600000001a9390f00000000002251202f2bef32a2df406af982a6a0f101ac0ba4b85c3b8d0cfd80a9a1617f993b8c55034730440220008cf312528a900f8d9a439a8d81ae53ae3e2e18b97b17733e6e98fd25347643022040520c6c825e17d592b3b3bc2ded00473ca4c8ade67c1b25c48137ea6543cda201004b6321030c0af85e2b94c08aecf3e3932738bb0e4b8c4009fefa9898993972a76eaa5ef56756b2752102cc8ac207b8d54306cfd12ac596b6f2928554b2fa06a0ee89c7c4da61fa419c5168ac00000000";

/// The opener has a raw secret, the other node a mnemonic.
fn secrets() -> [HsmSecret; 2] {
    let words =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    let mnemonic = [&[0; 32], words.as_bytes()].concat();
    [HsmSecret::Raw([0x42; 32]), HsmSecret::parse(&mnemonic).expect("a mnemonic")]
}

/// The keys of both nodes; both have the channel as their first.
fn keys() -> [ChannelKeys; 2] {
    let [opener, other] = secrets();
    [opener.channel_keys(&other.node_id(), 1), other.channel_keys(&opener.node_id(), 1)]
}

/// The channel as its opener sees it.
fn terms() -> Terms {
    let [opener, other] = keys();
    let config = ChannelConfig {
        dust_limit_satoshis: 546,
        max_htlc_value_in_flight_msat: u64::MAX,
        channel_reserve_satoshis: 10_000,
        htlc_minimum_msat: 0,
        to_self_delay: 6,
        max_accepted_htlcs: 483,
        max_dust_htlc_exposure_msat: u64::MAX,
    };
    let txid = "d125dc8196217c6874947c684e9cc96d1e259d56b09c9733d8c5afe0fe11df1a";
    Terms {
        opener: Side::Local,
        funding: OutPoint { txid: txid.parse().expect("a txid"), vout: 0 },
        capacity_sat: 1_000_000,
        channel_type: ChannelType::ANCHORS,
        local: opener.basepoints(),
        remote: other.basepoints(),
        config: [config; 2],
    }
}

fn first_commitment() -> Commitment {
    let spec = CommitmentSpec {
        side: Side::Local,
        number: 0,
        per_commitment_point: keys()[0].per_commitment_point(0),
        feerate_per_kw: 1250,
        to_local_msat: 1_000_000_000,
        to_remote_msat: 0,
        htlcs: Vec::new(),
    };
    Commitment::new(&terms(), spec)
}

fn transaction(text: &str) -> Transaction {
    deserialize(&hex(text)).expect("a transaction")
}

#[test]
fn lightningd_gives_the_same_basepoints() {
    let point = |hex: &str| hex.parse::<PublicKey>().expect("a public key");
    let [raw, mnemonic] = keys();
    let expected = Basepoints {
        funding_pubkey: point("034c5df5afeffce366cdc7f56151b54c88d7db4a3555d67f16d66264d082c98dc8"),
        revocation: point("03f6e4ccb97b7bb6890ba88776769e83b01b966d6eadd96f25457128eab4fe4705"),
        payment: point("035ad93c2586f61d50e6a43e106d4a51385d6ae107607fd4e038487f9c0508ed20"),
        delayed_payment: point("024ac7b76ea8fc47b8da598de4ca25877513329c59b3c86424d427b605a82f3095"),
        htlc: point("03c1e84824b5ce2d0f2894e64f23b152771969b0583e267876a24ac77dcd8a065d"),
    };
    assert_eq!(raw.basepoints(), expected);
    let expected = Basepoints {
        funding_pubkey: point("0200b4759385ce72f5c0fcd7aef9f6065872a63721f0b2fcaeb442a397fb0a6a37"),
        revocation: point("0224810400ace5f90a81e64118dc7edafff5fb1f57d53eff99faa4cd4fcd2ec0c4"),
        payment: point("035094bd466273796d8cbdb0bb03fc42aad3851a330ea0451dcd037e90e1a2ef7f"),
        delayed_payment: point("0294fa4c9ec082e90a8ebf688503444dec260084ef374c29b314b62bb00e412a45"),
        htlc: point("02929e9269c97cc8a65f71117bbd289ad5612a4d4232616e631b82de246ab282a2"),
    };
    assert_eq!(mnemonic.basepoints(), expected);
}

#[test]
fn lightningd_gives_the_same_per_commitment_points() {
    let [raw, mnemonic] = keys();
    let points = |keys: &ChannelKeys| [0, 1].map(|number| keys.per_commitment_point(number).to_string());
    // `old_per_commit_remote` and `per_commit_remote` at the other node.
    assert_eq!(
        points(&raw),
        [
            "02b955cc48a322daad4cddfc0450e49e0c394e2c6b6cf9a31d19156ce05e778628",
            "028cca39730df55e4015409893be1c131bc6a30b1261d05525f4b2c49cb1a16c92",
        ]
    );
    assert_eq!(
        points(&mnemonic),
        [
            "02d2f36d411baf7f49b1ed979e1ddf26f12bae2155bcdf2102203bc7a24da0054e",
            "0215cf781a04b0016ad52dc486281186dbde9b168520948b09f0d1e51712c92b21",
        ]
    );
}

#[test]
fn lightningd_signs_the_same_commitment_with_the_same_bytes() {
    let theirs = hex(
        "304402204474ae92c23cf56f5dca587d7233ca38b4cde021f2f2634224a154fc02670e1a022049159954334099e68ee0e967fa5f82f99730643dfe2ad622d05a43a81d7998e6",
    );
    let theirs = Signature::from_der(&theirs).expect("a signature");
    let signed = keys()[0].fully_signed(&first_commitment(), &theirs);
    assert_eq!(serialize_hex(&signed), COMMITMENT);
    // The signature that the other node sent in funding_signed.
    let [opener, other] = keys();
    let config = terms().config;
    let remote = CommitmentSpec { side: Side::Remote, ..first_commitment().spec().clone() };
    let seen = Terms {
        opener: Side::Remote,
        local: other.basepoints(),
        remote: opener.basepoints(),
        config,
        ..terms()
    };
    assert_eq!(other.sign_commitment(&Commitment::new(&seen, remote)).signature, theirs);
}

#[test]
fn lightningd_sweeps_its_balance_with_the_same_bytes() {
    let commitment = transaction(COMMITMENT);
    let expected = transaction(SWEEP);
    let TxOut { value, .. } = &commitment.output[1];
    let output = (OutPoint { txid: commitment.compute_txid(), vout: 1 }, value.to_sat());
    let claim = Claim::Delayed { per_commitment_point: keys()[0].per_commitment_point(0) };
    let destination: ScriptBuf = expected.output[0].script_pubkey.clone();
    let sweep = keys()[0].claim(&terms(), &claim, output, &destination, 253);
    assert_eq!(sweep.as_ref().map(serialize_hex), Some(SWEEP.to_owned()));
}

#[test]
fn channels_of_one_node_share_no_keys() {
    let [opener, other] = secrets();
    let peer = other.node_id();
    let first = opener.channel_keys(&peer, 1).basepoints();
    assert_ne!(opener.channel_keys(&peer, 2).basepoints(), first);
    assert_ne!(opener.channel_keys(&opener.node_id(), 1).basepoints(), first);
}
