//! Commitment and HTLC transactions against the vectors of BOLT 3, with both kinds of channel.

use crate::hex;
use bitcoin::consensus::deserialize;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::FromHex;
use bitcoin::secp256k1::ecdsa::Signature;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use bitcoin::{OutPoint, Transaction};
use leyden_bolt::channel_keys::{Basepoints, ChannelKeys, ChannelSecrets};
use leyden_bolt::transaction::{
    BadSignature, ChannelConfig, ChannelType, Commitment, CommitmentHtlc, CommitmentOutput,
    CommitmentSignatures, CommitmentSpec, Side, Terms, commitment_number, commitment_outputs,
    preimage_in_witness,
};
use std::str::FromStr;

struct Case {
    terms: Terms,
    spec: CommitmentSpec,
    signatures: CommitmentSignatures,
    commitment: Transaction,
    htlcs: Vec<Transaction>,
}

fn key(hex: &str) -> SecretKey {
    SecretKey::from_str(hex).expect("a private key")
}

fn point(hex: &str) -> PublicKey {
    PublicKey::from_str(hex).expect("a public key")
}

fn transaction(hex: &str) -> Transaction {
    deserialize(&Vec::from_hex(hex).expect("hex")).expect("a transaction")
}

fn der(hex: &str) -> Signature {
    Signature::from_der(&Vec::from_hex(hex).expect("hex")).expect("a signature")
}

fn per_commitment_point() -> PublicKey {
    point("025f7117a78150fe2ef97db7cfc83bd57b2e2c0d0dd25eaf467a4a1c2a45ce1486")
}

fn our_keys() -> ChannelKeys {
    let htlc_and_payment = key(&"11".repeat(32));
    ChannelKeys::new(ChannelSecrets {
        funding: key("30ff4956bbdd3222d44cc5e8a1261dab1e07957bdac5ae88fe3261ef321f3749"),
        revocation: key(&"55".repeat(32)),
        htlc: htlc_and_payment,
        payment: htlc_and_payment,
        delayed_payment: key(&"33".repeat(32)),
        per_commitment_seed: [0; 32],
    })
}

fn their_basepoints() -> Basepoints {
    let payment = point("032c0b7cf95324a07d05398b240174dc0c2be444d96b159aa6c7f7b1e668680991");
    Basepoints {
        funding_pubkey: point("030e9f7b623d2ccc7c9bd44d66d5ce21ce504c0acf6385a132cec6d3c39fa711c1"),
        revocation: key(&"22".repeat(32)).public_key(&Secp256k1::new()),
        payment,
        delayed_payment: payment,
        htlc: payment,
    }
}

fn terms(channel_type: ChannelType, dust_limit_satoshis: u64) -> Terms {
    let config = ChannelConfig {
        dust_limit_satoshis,
        max_htlc_value_in_flight_msat: u64::MAX,
        channel_reserve_satoshis: 0,
        htlc_minimum_msat: 0,
        to_self_delay: 144,
        max_accepted_htlcs: 483,
        max_dust_htlc_exposure_msat: u64::MAX,
    };
    let txid = "8984484a580b825b9972d7adb15050b3ab624ccd731946b3eeddb92f4e7ef6be";
    Terms {
        opener: Side::Local,
        funding: OutPoint { txid: txid.parse().expect("a txid"), vout: 0 },
        capacity_sat: 10_000_000,
        channel_type,
        local: our_keys().basepoints(),
        remote: their_basepoints(),
        config: [config; 2],
    }
}

/// The HTLCs by their numbers in the vectors; the preimage is that byte repeated.
fn htlcs(which: &str) -> Vec<CommitmentHtlc> {
    use Side::{Local, Remote};
    let all = [
        (Remote, 1_000_000, 500, 0),
        (Remote, 2_000_000, 501, 1),
        (Local, 2_000_000, 502, 2),
        (Local, 3_000_000, 503, 3),
        (Remote, 4_000_000, 504, 4),
        (Local, 5_000_000, 506, 5),
        (Local, 5_000_001, 505, 5),
    ];
    let numbers: &[usize] = match which {
        "none" => &[],
        "five" => &[0, 1, 2, 3, 4],
        "same" => &[1, 5, 6],
        other => panic!("no HTLCs are called {other}"),
    };
    let htlc = |number: &usize| {
        let (offered_by, amount_msat, cltv_expiry, preimage) = all[*number];
        let payment_hash = sha256::Hash::hash(&[preimage; 32]);
        CommitmentHtlc { offered_by, id: *number as u64, amount_msat, cltv_expiry, payment_hash }
    };
    numbers.iter().map(htlc).collect()
}

fn cases() -> Vec<Case> {
    let vectors = include_str!("vectors/commitments.txt");
    let cases: Vec<Case> = vectors.split("\ncase ").skip(1).map(case).collect();
    assert_eq!(cases.len(), 25, "all vectors of the two appendices");
    cases
}

/// One case of the file; its first lines say what the words are.
fn case(text: &str) -> Case {
    let mut lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let head = lines.next().expect("a line of parameters");
    let [kind, feerate, dust, to_local, to_remote, which] = head[..] else {
        panic!("no parameters: {head:?}")
    };
    let channel_type = if kind == "anchors" { ChannelType::ANCHORS } else { ChannelType::STATIC_REMOTEKEY };
    let mut signed: Vec<(Signature, Transaction)> =
        lines.map(|words| (der(words[1]), transaction(words[2]))).collect();
    let (signature, commitment) = signed.remove(0);
    let (htlc_signatures, transactions) = signed.into_iter().unzip();
    Case {
        terms: terms(channel_type, dust.parse().expect("sat")),
        spec: CommitmentSpec {
            side: Side::Local,
            number: 42,
            per_commitment_point: per_commitment_point(),
            feerate_per_kw: feerate.parse().expect("a fee rate"),
            to_local_msat: to_local.parse().expect("msat"),
            to_remote_msat: to_remote.parse().expect("msat"),
            htlcs: htlcs(which),
        },
        signatures: CommitmentSignatures { signature, htlc_signatures },
        commitment,
        htlcs: transactions,
    }
}

/// Signatures of ours are not those of the vectors, which mix nothing into the nonce as lightningd does: the rest is
/// the same, and the peer's signature too.
fn assert_same_but_for_our_signature(made: &Transaction, expected: &Transaction, theirs: &Signature) {
    assert_eq!(made.compute_txid(), expected.compute_txid());
    let (made, expected) = (&made.input[0].witness, &expected.input[0].witness);
    assert_eq!(made.len(), expected.len());
    for (made, expected) in made.iter().zip(expected) {
        let is_ours =
            expected.first() == Some(&0x30) && expected[..expected.len() - 1] != *theirs.serialize_der();
        assert!(made == expected || is_ours && made.len() <= 71 + 1, "{made:02x?} is not {expected:02x?}");
    }
}

#[test]
fn commitments_are_those_of_the_vectors() {
    for case in cases() {
        let commitment = Commitment::new(&case.terms, case.spec);
        assert_eq!(commitment.txid(), case.commitment.compute_txid());
        let theirs = case.signatures.signature;
        let signed = our_keys().fully_signed(&commitment, &theirs);
        assert_same_but_for_our_signature(&signed, &case.commitment, &theirs);
    }
}

#[test]
fn the_peers_signatures_of_the_vectors_are_accepted() {
    for case in cases() {
        let commitment = Commitment::new(&case.terms, case.spec);
        assert_eq!(commitment.verify(&case.signatures), Ok(()));
    }
}

#[test]
fn signatures_of_something_else_are_refused() {
    let case = cases().into_iter().find(|case| case.htlcs.len() == 5).expect("there is one");
    let commitment = Commitment::new(&case.terms, case.spec);
    let mut swapped = case.signatures.clone();
    swapped.htlc_signatures.swap(0, 1);
    assert!(matches!(commitment.verify(&swapped), Err(BadSignature::Htlc { .. })));
    let mut fewer = case.signatures.clone();
    fewer.htlc_signatures.pop();
    assert_eq!(commitment.verify(&fewer), Err(BadSignature::Count { expected: 5, got: 4 }));
    let mut other = case.signatures;
    other.signature = other.htlc_signatures[0];
    assert!(matches!(commitment.verify(&other), Err(BadSignature::Transaction { .. })));
}

#[test]
fn htlc_transactions_are_those_of_the_vectors() {
    for case in cases() {
        let commitment = Commitment::new(&case.terms, case.spec);
        let made = commitment.htlc_transactions();
        assert_eq!(made.len(), case.htlcs.len());
        let signatures = &case.signatures.htlc_signatures;
        for ((made, expected), signature) in made.iter().zip(&case.htlcs).zip(signatures) {
            let htlc = made.output().htlc;
            let preimage = preimage_in_witness(expected, 0, &htlc);
            assert_eq!(preimage.is_some(), htlc.offered_by == Side::Remote);
            let completed = made.complete(&our_keys(), made.transaction().clone(), signature, preimage);
            assert_same_but_for_our_signature(&completed, expected, signature);
        }
    }
}

#[test]
fn what_is_signed_for_the_peers_commitment_is_accepted_by_the_peer() {
    let theirs = ChannelKeys::new(ChannelSecrets {
        funding: key("1552dfba4f6cf29a62a0af13c8d6981d36d0ef8d61ba10fb0fe90da7634d7e13"),
        revocation: key(&"22".repeat(32)),
        htlc: key(&"44".repeat(32)),
        payment: key(&"44".repeat(32)),
        delayed_payment: key(&"44".repeat(32)),
        per_commitment_seed: [0; 32],
    });
    for case in cases() {
        // As the peer sees it: the same commitment belongs to the other side.
        let swap = |htlc: &CommitmentHtlc| CommitmentHtlc { offered_by: htlc.offered_by.other(), ..*htlc };
        let htlcs = case.spec.htlcs.iter().map(swap).collect();
        let spec = CommitmentSpec { side: Side::Remote, htlcs, ..case.spec.clone() };
        let (local, remote) = (theirs.basepoints(), our_keys().basepoints());
        let terms = Terms { opener: Side::Remote, local, remote, ..case.terms };
        let signatures = theirs.sign_commitment(&Commitment::new(&terms, spec));
        assert_eq!(Commitment::new(&case.terms, case.spec).verify(&signatures), Ok(()));
    }
}

#[test]
fn a_commitment_on_the_chain_is_recognized() {
    for case in cases() {
        let (terms, spec) = (case.terms, case.spec);
        assert_eq!(commitment_number(&terms, &case.commitment), Some(42));
        let point = spec.per_commitment_point;
        let outputs = commitment_outputs(&terms, Side::Local, &point, &case.commitment, &spec.htlcs);
        assert!(!outputs.contains(&CommitmentOutput::Unknown), "{outputs:?}");
        let commitment = Commitment::new(&terms, spec);
        for htlc in commitment.htlcs() {
            assert_eq!(outputs[htlc.vout as usize], CommitmentOutput::Htlc(htlc.htlc));
        }
        let anchors = outputs.iter().filter(|output| matches!(output, CommitmentOutput::Anchor(_))).count();
        assert_eq!(anchors > 0, terms.channel_type.anchors);
    }
}

#[test]
fn the_fee_is_all_that_no_output_has() {
    let fees: Vec<u64> = cases()
        .into_iter()
        .filter(|case| !case.terms.channel_type.anchors)
        .map(|case| Commitment::new(&case.terms, case.spec).fee_sat())
        .collect();
    // "actual commitment transaction fee" of the first vectors; then what the trimmed outputs add.
    assert_eq!(fees[..4], [10860, 0, 1024, 1914]);
}

#[test]
fn an_ordinary_transaction_is_no_commitment() {
    let funding_of_appendix_b = hex(
        "0200000001adbb20ea41a8423ea937e76e8151636bf6093b70eaff942930d20576600521fd000000006b48304502210090587b6201e166ad6af0227d3036a9454223d49a1f11839c1a362184340ef0240220577f7cd5cca78719405cbf1de7414ac027f0239ef6e214c90fcaab0454d84b3b012103535b32d5eb0a6ed0982a0479bbadc9868d9836f6ba94dd5a63be16d875069184ffffffff028096980000000000220020c015c4a6be010e21657068fc2e6a9d02b27ebe4d490a25846f7237f104d1a3cd20256d29010000001600143ca33c2e4446f4a305f23c80df8ad1afdcf652f900000000",
    );
    let transaction: Transaction = deserialize(&funding_of_appendix_b).expect("a transaction");
    let terms = terms(ChannelType::STATIC_REMOTEKEY, 546);
    assert_eq!(commitment_number(&terms, &transaction), None);
    assert_eq!(transaction.output[0].script_pubkey, terms.funding_script().to_p2wsh());
}
