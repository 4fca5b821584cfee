//! Invoices: the same text as lightningd v26.06.6 for the same fields, read back into what it prints, and at random.

use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::DisplayHex;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use bitcoin::{Address, Network, ScriptBuf};
use leyden_bolt::ShortChannelId;
use leyden_bolt::features::{FeatureSet, Features};
use leyden_bolt::invoice::{Description, Invoice, InvoiceError, RouteHop, SignedInvoice, payment_secret};
use leyden_bolt::keys::HsmSecret;
use proptest::prelude::*;

/// The key of the lightningd that made the invoices below.
fn node_key() -> SecretKey {
    HsmSecret::parse(&[0x42; 32]).unwrap().node_key()
}

/// What `invoice` of lightningd makes by default of this preimage, at the time the invoices below were made.
fn invoice(preimage: u8, amount_msat: Option<u64>, description: &str) -> Invoice {
    Invoice {
        network: Network::Regtest,
        created_at: 1795259110,
        amount_msat,
        description: Description::Text(description.to_owned()),
        expiry_seconds: 7 * 24 * 3600,
        min_final_cltv_expiry: 10,
        payment_hash: sha256::Hash::hash(&[preimage; 32]).to_byte_array(),
        payment_secret: payment_secret(&[preimage; 32]),
        features: FeatureSet::lightningd_v26_06().invoice,
        payment_metadata: None,
        fallbacks: vec![],
        routes: vec![],
    }
}

/// Signs, compares with lightningd's text, and reads that back.
fn assert_same(invoice: &Invoice, text: &str) -> SignedInvoice {
    assert_eq!(invoice.sign(&node_key()).unwrap(), text);
    let signed: SignedInvoice = text.parse().unwrap();
    let wire_features: Features = "02024100".parse().unwrap();
    assert_eq!(signed.invoice, Invoice { features: wire_features, ..invoice.clone() });
    assert_eq!(signed.invoice.features.to_string(), "02024100");
    assert_eq!(signed.payee, node_key().public_key(&Secp256k1::new()));
    assert_eq!(signed.extra, []);
    signed
}

fn script(address: &str) -> ScriptBuf {
    address.parse::<Address<_>>().unwrap().require_network(Network::Regtest).unwrap().script_pubkey()
}

#[test]
fn any_amount_and_defaults() {
    let text = "lnbcrt1p4sz7hxsp5j9w8t9p2y6an5se63n3vkpp8c20vdsthtn78sv5t2lmt57l742wqpp5wtxkappzcsrlkmgfs6g0zyct0hkhashh7hsaxz7e65slq9fkx7fsdq2vdhkven9v5xqyjw5qcqp29qxpqysgqlzdt58ywrvjjth88ke0eudc26n4dr5lr00fp8pcuudplj4p7s33qg7v35m3zs2p5vwazck07xkxc938njtelfz7mxnn6ll4zu89qkpcq3xqtlk";
    let signed = assert_same(&invoice(1, None, "coffee"), text);
    assert_eq!(
        signed.signature.serialize_der().to_string(),
        "3045022100f89aba1c8e1b2525dce7b65f9e370ad4ead1d3e37bd213871ce343f9543e84620220047991a6e228283463ba2c59fe358d82c4f392f3f48bdb34e7affea2e1ca0b07"
    );
    assert_eq!(
        signed.invoice.payment_secret.to_lower_hex_string(),
        "915c75942a26bb3a433a8ce2cb0427c29ec6c1775cfc78328b57f6ba7bfeaa9c"
    );
}

#[test]
fn an_amount_in_pico_bitcoin_and_four_kinds_of_fallback() {
    let text = "lnbcrt1234567890p1p4sz7hxsp5agjepkx7x0f79760ufng7fhcvqqhx4qqjhmrq288v43t2tcju84qpp5wkrhhdqa8ya4lwz9tnnqanvdmgqp6p33vjttzn0607y4v4hwef9qdqcf3jhjer9dcsx5ctj9ssw9x4pcqzp2fppqct70p59ken90f7a5r6wtrljqdt0qzj20fp4pquz33pzjf2p7q2lxxhhfmm05tkhxar0eh0pyrst70r8p7h4677vqfpp3ysl38985g420fn3l66rynsv6m3yre6fyfppjf60nnjjx3rl3qgfgafxvmg6pq5eyxpds9qxpqysgqks5736j2gjajxk7ylc4zh0td2s8sh08f8l8adey2tt8ufa7xxfyjm2htq5vm0389x9u5k3r6hpfjsg8z4tqtuyz0lzzmzrtaaca3v9qpsp7da0";
    let mut invoice = invoice(2, Some(123_456_789), "Leyden jar, ⚡");
    invoice.expiry_seconds = 3600;
    invoice.min_final_cltv_expiry = 42;
    invoice.fallbacks = vec![
        script("bcrt1qct70p59ken90f7a5r6wtrljqdt0qzj20d634d9"),
        script("bcrt1pquz33pzjf2p7q2lxxhhfmm05tkhxar0eh0pyrst70r8p7h4677vqe00w6k"),
        script("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"),
        script("2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc"),
    ];
    assert_same(&invoice, text);
}

#[test]
fn a_whole_bitcoin_with_the_hash_of_the_description() {
    let text = "lnbcrt11p4sz7hxsp5fk7edcvcv700c9j4xrnl9hx8cuygjdg4gnqnwnuf0wqc9yjmypvspp5vj92t3telvc08zhhgnvh6mkggrr6jynh5jv6p4uq70nnznk2py9shp5nrmfdx8xq59jj306nuhuac8fcfnwr50yn7svgp5kum70z3krsq2sxqppcqp29qxpqysgq9x58xqtw4wntpcsxqsm0e64hnf3azq8hwvwxrmdvsrzgv2p37458y9rft0y4g9lj7cd9ykjdwj5a3aw5sdn7f8jtnaah3p6dlgufkssqpm580w";
    let mut invoice = invoice(3, Some(100_000_000_000), "");
    invoice.expiry_seconds = 1;
    invoice.description = Description::hash_of("a long one");
    assert_same(&invoice, text);
}

#[test]
fn one_msat_an_empty_description_and_a_private_route() {
    let text = "lnbcrt10p1p4sz7hxsp5uyez8um5zw89muprz36rm79l5mdfnxq8z5ynr2egu5ej4m0m0pqspp5na8mdre7rkkgygp0n2jcrnsthu0hvh0saxkrerzhug8ksk46hrksdqqxqyjw5qcqp2r9yqtqvzuwjrkc8uspvzgl89m9elvq77aj2rmlp20700pdg3pvk9kduzqqqvuqqqqgqqqqqqqqpqqqqqzsqqcpk205sc88yvc8as5za6mtyxdtwj087yq40zzwnsfu8vwwatzgwslgqqp5qqqqzllllllllluqqqqqqllls9qxpqysgqvas6kzea9r8ecytuckk33v97kafecyyxmr2r42uq7q8y59eesn79z79uqqng8sk5ltnjcpdf5lfu5jvarm34g8dhw5usck90dtnet3qqvq0x22";
    let hop =
        |pubkey: &str, scid: &str, fee_base_msat, fee_proportional_millionths, cltv_expiry_delta| RouteHop {
            pubkey: pubkey.parse().unwrap(),
            short_channel_id: scid.parse().unwrap(),
            fee_base_msat,
            fee_proportional_millionths,
            cltv_expiry_delta,
        };
    let mut invoice = invoice(4, Some(1), "");
    invoice.routes = vec![vec![
        hop("02c0c171d21db07e402c123e72ecb9fb01ef764a1efe153fcf785a8885962d9bc1", "103x1x0", 1, 10, 6),
        hop(
            "03653e90c1ce4660fd8505dd6d643356e93cfe202af109d382787639dd5890e87d",
            "104x2x65535",
            4294967295,
            0,
            65535,
        ),
    ]];
    let signed = assert_same(&invoice, text);
    let scids: Vec<String> =
        signed.invoice.routes[0].iter().map(|hop| hop.short_channel_id.to_string()).collect();
    assert_eq!(scids, ["103x1x0", "104x2x65535"]);
}

/// Zero takes one letter, also where it is signed and where it is read.
#[test]
fn neither_time_to_pay_nor_blocks() {
    let text = "lnbcrt1p4szls8sp5ncxaryvf9rxshkh24lklv8436gkpxrpwhevmjph5pszgr8la4vpspp5lpyavue9lt8sg9mmce3m9hz5gpgcx8zcnm6cr4qj7t46gjp5ua7qdq80fjhymcxqpqcqpq9qxpqysgqvvuvj6f4avxgj5vxggufpwh3x0zdx0z07h6nuj9xaelnhmdwl4k3cc2fzh38xftj48fzusaztrys6aywn0rvj3unpyg9843w9z47rggqs6jlcz";
    let zero = Invoice {
        created_at: 1795259911,
        expiry_seconds: 0,
        min_final_cltv_expiry: 0,
        ..invoice(5, None, "zero")
    };
    assert_same(&zero, text);
}

#[test]
fn upper_case_and_a_uri_scheme_are_read() {
    let text = invoice(1, Some(1000), "x").sign(&node_key()).unwrap();
    let expected: SignedInvoice = text.parse().unwrap();
    assert_eq!(text.to_uppercase().parse(), Ok(expected.clone()));
    assert_eq!(format!("lightning:{text}").parse(), Ok(expected.clone()));
    assert_eq!(format!("LIGHTNING:{}", text.to_uppercase()).parse(), Ok(expected));
}

#[test]
fn the_prefix_has_the_largest_multiplier() {
    let prefixes = [
        (Network::Regtest, 200_000_000_000, "lnbcrt21"),
        (Network::Bitcoin, 100_000_000, "lnbc1m1"),
        (Network::Testnet, 2_500_000_000, "lntb25m1"),
        (Network::Signet, 2_500_000, "lntbs25u1"),
        (Network::Regtest, 2_500, "lnbcrt25n1"),
        (Network::Regtest, 25, "lnbcrt250p1"),
    ];
    for (network, amount_msat, prefix) in prefixes {
        let invoice = Invoice { network, ..invoice(1, Some(amount_msat), "") };
        let text = invoice.sign(&node_key()).unwrap();
        assert!(text.starts_with(prefix), "{text}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refuse = |invoice: Invoice| invoice.sign(&node_key()).unwrap_err().to_string();
    let longest = "x".repeat(639);
    assert!(invoice(1, None, &longest).sign(&node_key()).is_ok());
    let message = "invoice: expected description in bytes of at most 639, got 640";
    assert_eq!(refuse(invoice(1, None, &(longest + "x"))), message);
    assert_eq!(refuse(invoice(1, Some(0), "")), "invoice: expected an amount above 0 msat, or none");
    assert_eq!(
        refuse(Invoice { network: Network::Testnet4, ..invoice(1, None, "") }),
        "invoice: expected bitcoin, testnet, signet or regtest, got testnet4"
    );
    assert_eq!(
        refuse(Invoice { fallbacks: vec![ScriptBuf::from_hex("6a0100").unwrap()], ..invoice(1, None, "") }),
        "invoice: expected a P2PKH, P2SH or segwit script as fallback, got 6a0100"
    );
}

#[test]
fn altered_text_is_refused() {
    let text = invoice(1, Some(1000), "x").sign(&node_key()).unwrap();
    let altered = text.replace("lnbcrt10n", "lnbcrt20n");
    assert!(matches!(altered.parse::<SignedInvoice>(), Err(InvoiceError::Format(_))));
    for text in ["", "lnbcrt1", "hello", "lightning:"] {
        assert!(matches!(text.parse::<SignedInvoice>(), Err(InvoiceError::Format(_))), "{text}");
    }
}

fn scripts() -> impl Strategy<Value = ScriptBuf> {
    let address = prop_oneof![
        Just("bcrt1qct70p59ken90f7a5r6wtrljqdt0qzj20d634d9"),
        Just("2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc")
    ];
    let future = (2u8..=16, prop::collection::vec(any::<u8>(), 2..40));
    prop_oneof![
        address.prop_map(script),
        future.prop_map(|(version, program)| {
            ScriptBuf::from_bytes([&[0x50 + version, program.len() as u8], program.as_slice()].concat())
        }),
    ]
}

prop_compose! {
    fn hops()(scid: u64, fee_base_msat: u32, fee_proportional_millionths: u32, cltv_expiry_delta: u16) -> RouteHop {
        let pubkey: PublicKey = node_key().public_key(&Secp256k1::new());
        RouteHop { pubkey, short_channel_id: ShortChannelId::from_u64(scid), fee_base_msat, fee_proportional_millionths, cltv_expiry_delta }
    }
}

prop_compose! {
    fn invoices()(
        created_at in 0u64..1 << 35,
        amount_msat in prop::option::of(1..u64::MAX / 10),
        text in ".{0,100}",
        deschashonly: bool,
        expiry_seconds: u64,
        min_final_cltv_expiry: u32,
        payment_hash: [u8; 32],
        payment_secret: [u8; 32],
        bits in prop::collection::vec(0usize..100, 0..6),
        payment_metadata in prop::option::of(prop::collection::vec(any::<u8>(), 0..100)),
        fallbacks in prop::collection::vec(scripts(), 0..3),
        routes in prop::collection::vec(prop::collection::vec(hops(), 1..4), 0..3),
    ) -> Invoice {
        let description = if deschashonly { Description::hash_of(&text) } else { Description::Text(text) };
        // Said only with metadata, so it would not come back.
        let bits: Vec<usize> = bits.into_iter().filter(|bit| ![48, 49].contains(bit)).collect();
        Invoice {
            network: Network::Regtest, created_at, amount_msat, description, expiry_seconds, min_final_cltv_expiry,
            payment_hash, payment_secret, features: Features::from_bits(&bits), payment_metadata, fallbacks, routes,
        }
    }
}

proptest! {
    #[test]
    fn invoices_round_trip(invoice in invoices(), key in 1u8..255) {
        let key = SecretKey::from_slice(&[key; 32]).unwrap();
        let signed: SignedInvoice = invoice.sign(&key).unwrap().parse().unwrap();
        prop_assert_eq!(signed.payee, key.public_key(&Secp256k1::new()));
        prop_assert_eq!(signed.invoice, invoice);
    }

    #[test]
    fn arbitrary_text_is_refused(text in "(lnbcrt[0-9]{0,3}[munp]?1)?[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{0,150}") {
        prop_assert!(text.parse::<SignedInvoice>().is_err());
    }
}
