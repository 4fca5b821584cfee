//! Ids and addresses that lightningd v26.06.6 gave for two known secrets.

use bitcoin::{Address, Network};
use leyden_bolt::keys::{HsmSecret, HsmSecretError, Wallet};

/// The secret of BIP 39's first test vector, without a passphrase.
fn mnemonic_file() -> Vec<u8> {
    let words =
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
    [&[0; 32], words.as_bytes()].concat()
}

fn addresses(secret: &HsmSecret, kind: fn(&Wallet, u32) -> Address, indices: [u32; 4]) -> [String; 4] {
    let wallet = secret.wallet(Network::Regtest);
    indices.map(|index| kind(&wallet, index).to_string())
}

#[test]
fn a_raw_secret_gives_lightningds_id_and_addresses() {
    let secret = HsmSecret::parse(&[0x42; 32]).unwrap();
    assert_eq!(
        secret.node_id().to_string(),
        "02c0c171d21db07e402c123e72ecb9fb01ef764a1efe153fcf785a8885962d9bc1"
    );
    assert_eq!(
        addresses(&secret, Wallet::p2wpkh, [1, 2, 3, 7]),
        [
            "bcrt1qct70p59ken90f7a5r6wtrljqdt0qzj20d634d9",
            "bcrt1qwwu7zs5undqgjq3zlllte32gmdth49zm2kj6t9",
            "bcrt1qw059xsa4tw7v4c82rww7x489ge8n3z2c4rdr55",
            "bcrt1qvurjvevy4a2k068u3zt94vmrrfvgckwgv4rn8v",
        ]
    );
    assert_eq!(
        addresses(&secret, Wallet::p2tr, [4, 5, 6, 7]),
        [
            "bcrt1pquz33pzjf2p7q2lxxhhfmm05tkhxar0eh0pyrst70r8p7h4677vqe00w6k",
            "bcrt1p3g9jwm9xq7fstp4t9nqcmn5mn3wl9nh0c2w29ancxx2ydaaggqls3zpmfl",
            "bcrt1p8qlddu9rghgw9atc6ru58dqkp6ej2ss7vtxuce3lv86rlqxv6jkqnllrfd",
            "bcrt1prl0jnrvyedkujpfgd8ygxq3gh9u2gdhmg0slag8tj99dgr3rngmsczauxa",
        ]
    );
}

#[test]
fn a_mnemonic_gives_lightningds_id_and_addresses() {
    let secret = HsmSecret::parse(&mnemonic_file()).unwrap();
    assert_eq!(
        secret.node_id().to_string(),
        "03653e90c1ce4660fd8505dd6d643356e93cfe202af109d382787639dd5890e87d"
    );
    assert_eq!(
        addresses(&secret, Wallet::p2wpkh, [1, 2, 3, 7]),
        [
            "bcrt1qytm2qwnmv7lys5w6gpfxfzydwpwey5dyadvmqq",
            "bcrt1q3cjqwz6gvaq7u3cwuueeg370cpratsyg00rg4s",
            "bcrt1qef29l455d8erlyng8vum68wwxq0uv9dydcy5fs",
            "bcrt1qnmtnqet4v293fq9l9r3penr3aykhqz4d9d4wfp",
        ]
    );
    assert_eq!(
        addresses(&secret, Wallet::p2tr, [4, 5, 6, 7]),
        [
            "bcrt1pjpp8nwqvhkx6kdna6vpujdqglvz2304twfd308ve5ppyxpmcjufsy8x0tk",
            "bcrt1pl4frjws098l3nslfjlnry6jxt46w694kuexvs5ar0cmkvxyahfkq42fumu",
            "bcrt1p5sxs429uz2s2yn6tt98sf67qwytwvffae4dqnzracq586cu0t6zsn63pre",
            "bcrt1pxsvy7ep2awd5x9lg90tgm4xre8wxcuj5cpgun8hmzwqnltqha8pqv84cl7",
        ]
    );
}

/// BIP 86's own test vectors, which are for the same mnemonic.
#[test]
fn a_mnemonic_follows_bip_86_on_mainnet() {
    let wallet = HsmSecret::parse(&mnemonic_file()).unwrap().wallet(Network::Bitcoin);
    assert_eq!(wallet.p2tr(0).to_string(), "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr");
    assert_eq!(wallet.p2tr(1).to_string(), "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh");
}

#[test]
fn a_new_file_is_read_back() {
    let file = HsmSecret::new_file(&[0; 16]);
    assert_eq!(file, mnemonic_file());
}

#[test]
fn other_contents_are_refused() {
    let refuse = |contents: &[u8]| HsmSecret::parse(contents).unwrap_err();
    assert_eq!(refuse(&[0; 31]), HsmSecretError::Length { got: 31 });
    assert_eq!(refuse(&[9; 73]), HsmSecretError::Passphrase { got: "an encrypted secret" });
    assert_eq!(
        refuse(&[&[9; 32], b"some words".as_slice()].concat()),
        HsmSecretError::Passphrase { got: "the hash of a mnemonic's passphrase" }
    );
    let not_words = refuse(&[&[0; 32], b"abandon".as_slice()].concat());
    assert!(matches!(not_words, HsmSecretError::Mnemonic(_)), "{not_words}");
}

#[test]
fn debug_output_shows_no_secret() {
    assert_eq!(format!("{:?}", HsmSecret::parse(&[0x42; 32]).unwrap()), "HsmSecret::Raw(..)");
}
