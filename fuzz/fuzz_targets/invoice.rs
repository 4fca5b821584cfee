//! Invoices: whatever can be read says the same when it is signed again.

#![no_main]

use bitcoin::secp256k1::SecretKey;
use leyden_bolt::SignedInvoice;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(signed) = text.parse::<SignedInvoice>() else { return };
    let key = SecretKey::from_slice(&[1; 32]).expect("a key");
    if let Ok(again) = signed.invoice.sign(&key) {
        assert_eq!(again.to_string().parse::<SignedInvoice>().map(|again| again.invoice), Ok(signed.invoice));
    }
});
