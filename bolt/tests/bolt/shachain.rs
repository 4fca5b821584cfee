//! Per-commitment secrets against the vectors of BOLT 3, whose indexes count down, and as rows of the database.

use crate::hex;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use leyden_bolt::channel_keys::{ChannelKeys, ChannelSecrets};
use leyden_bolt::transaction::{BadSecret, Shachain};
use proptest::prelude::*;

const LAST_INDEX: u64 = (1 << 48) - 1;

fn secret(text: &str) -> [u8; 32] {
    hex(text).try_into().expect("32 bytes")
}

fn keys_of_seed(per_commitment_seed: [u8; 32]) -> ChannelKeys {
    let any = SecretKey::from_slice(&[1; 32]).expect("a key");
    ChannelKeys::new(ChannelSecrets {
        funding: any,
        revocation: any,
        htlc: any,
        payment: any,
        delayed_payment: any,
        per_commitment_seed,
    })
}

#[test]
fn secrets_come_from_a_seed_as_in_the_vectors() {
    let vectors = [
        (0x00, LAST_INDEX, "02a40c85b6f28da08dfdbe0926c53fab2de6d28c10301f8f7c4073d5e42e3148"),
        (0xff, LAST_INDEX, "7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc"),
        (0xff, 0x0aaa_aaaa_aaaa, "56f4008fb007ca9acf0e15b054d5c9fd12ee06cea347914ddbaed70d1c13a528"),
        (0xff, 0x5555_5555_5555, "9015daaeb06dba4ccc05b91b2f73bd54405f2be9f217fbacd3c5ac2e62327d31"),
        (0x01, 1, "915c75942a26bb3a433a8ce2cb0427c29ec6c1775cfc78328b57f6ba7bfeaa9c"),
    ];
    for (seed, index, expected) in vectors {
        let keys = keys_of_seed([seed; 32]);
        assert_eq!(keys.per_commitment_secret(LAST_INDEX - index), secret(expected));
    }
}

/// The correct sequence, of seed 0xff.
const SEQUENCE: [&str; 8] = [
    "7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc",
    "c7518c8ae4660ed02894df8976fa1a3659c1a8b4b5bec0c4b872abeba4cb8964",
    "2273e227a5b7449b6e70f1fb4652864038b1cbf9cd7c043a7d6456b7fc275ad8",
    "27cddaa5624534cb6cb9d7da077cf2b22ab21e9b506fd4998a51d54502e99116",
    "c65716add7aa98ba7acb236352d665cab17345fe45b55fb879ff80e6bd0c41dd",
    "969660042a28f32d9be17344e09374b379962d03db1574df5a8a5a47e19ce3f2",
    "a5a64476122ca0925fb344bdc1854c1c0a59fc614298e50a33e331980a220f32",
    "05cde6323d949933f7f7b78776bcc1ea6d9b31447732e3802e1f7ac44b650e17",
];

#[test]
fn a_correct_sequence_is_kept_in_few_rows() {
    let mut chain = Shachain::default();
    assert_eq!((chain.next_number(), chain.min_index(), chain.rows().count()), (0, 1 << 48, 0));
    for (number, text) in (0..).zip(SEQUENCE) {
        chain.insert(number, secret(text)).expect("the next secret");
    }
    for (number, text) in (0..).zip(SEQUENCE) {
        assert_eq!(chain.get(number), Some(secret(text)));
    }
    assert_eq!(chain.get(8), None);
    // Index ...f8 gives all eight; the rows of the earlier ones stay, as lightningd's do.
    let positions: Vec<u32> = chain.rows().map(|row| row.pos).collect();
    assert_eq!((positions, chain.next_number()), (vec![0, 1, 2, 3], 8));
    assert_eq!(chain.min_index(), LAST_INDEX - 7);
}

#[test]
fn a_wrong_secret_is_found_when_its_parent_comes() {
    // One is wrong; the first that it should follow from betrays it.
    for (wrong, found_at) in [(0, 1), (1, 3), (2, 3), (3, 7), (4, 5), (5, 7), (6, 7)] {
        let mut chain = Shachain::default();
        let mut refused = None;
        for (number, text) in (0..).zip(SEQUENCE) {
            let mut secret = secret(text);
            if number == wrong {
                secret[0] ^= 1;
            }
            // What the wrong one itself does not give is refused at once, unless nothing came before it.
            if let Err(error) = chain.insert(number, secret) {
                refused = Some(error);
                break;
            }
        }
        let at_once = BadSecret::Unrelated { number: wrong };
        let later = BadSecret::Unrelated { number: found_at };
        assert!(refused == Some(at_once) || refused == Some(later), "{wrong}: {refused:?}");
    }
}

#[test]
fn secrets_come_in_order() {
    let mut chain = Shachain::default();
    assert_eq!(chain.insert(1, [0; 32]), Err(BadSecret::Order { expected: 0, got: 1 }));
}

#[test]
fn a_point_is_that_of_its_secret() {
    let keys = keys_of_seed([7; 32]);
    let secret = SecretKey::from_slice(&keys.per_commitment_secret(3)).expect("a key");
    assert_eq!(keys.per_commitment_point(3), PublicKey::from_secret_key(&Secp256k1::new(), &secret));
}

proptest! {
    #[test]
    fn what_was_revealed_is_known_after_a_restart(seed: [u8; 32], count in 1..200u64) {
        let keys = keys_of_seed(seed);
        let mut chain = Shachain::default();
        for number in 0..count {
            let row = chain.insert(number, keys.per_commitment_secret(number)).expect("the next secret");
            prop_assert_eq!(row.secret, keys.per_commitment_secret(number));
        }
        let restored = Shachain::from_rows(chain.rows().copied());
        prop_assert_eq!(&restored, &chain);
        for number in 0..count {
            prop_assert_eq!(restored.get(number), Some(keys.per_commitment_secret(number)));
        }
        prop_assert_eq!(restored.get(count), None);
    }
}
