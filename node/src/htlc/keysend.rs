//! Payments that nobody asked for: the onion brings the preimage. As lightningd's plugin `keysend` does, an invoice is made for
//! them, so that they leave a trace, and the payload is changed so that it pays that (`plugins/keysend.c`).

use crate::command::invoice::Invoice;
use crate::event::LogLevel;
use crate::state::State;
use bitcoin::hashes::{Hash, sha256};
use leyden_bolt::channel::Htlc;
use leyden_bolt::integer::{decode_tu64, encode_tu64, read_bigsize};
use leyden_bolt::onion::Peeled;
use leyden_bolt::onion::payload::{KNOWN, with_length};
use leyden_bolt::tlv::TlvStream;
use std::time::UNIX_EPOCH;

/// The record with the preimage.
pub(crate) const PREIMAGE: u64 = 5_482_373_484;

const AMT_TO_FORWARD: u64 = 2;
const PAYMENT_DATA: u64 = 8;

/// Whose lines these are in lightningd's log.
const SOURCE: &str = "plugin-keysend";

/// A payment that brings its preimage.
#[derive(Debug, PartialEq, Eq)]
struct Keysend {
    preimage: [u8; 32],
    amount_msat: u64,
    /// The longest text that somebody put in.
    message: Option<String>,
    records: TlvStream,
}

/// Why a payload with a preimage is no such payment.
#[derive(Debug, PartialEq, Eq)]
enum NotKeysend {
    /// It has none, or is not even a payload.
    Other,
    /// It is wrong in a way that is worth a line.
    Wrong(String),
}

impl Keysend {
    fn read(layer: &[u8], payment_hash: &sha256::Hash) -> Result<Self, NotKeysend> {
        let mut rest = layer;
        read_bigsize(&mut rest).map_err(|_| NotKeysend::Other)?;
        let records = TlvStream::decode(rest).map_err(|_| NotKeysend::Other)?;
        let preimage = records.get(PREIMAGE).ok_or(NotKeysend::Other)?;
        let wrong = |text: String| Err(NotKeysend::Wrong(text));
        let Some(amount_msat) = records.get(AMT_TO_FORWARD).and_then(|amount| decode_tu64(amount).ok())
        else {
            return wrong("Sender omitted amount.  Ignoring this HTLC.".to_owned());
        };
        let Ok(preimage) = <[u8; 32]>::try_from(preimage) else {
            let length = preimage.len();
            return wrong(format!(
                "Sender specified a preimage that is {length} bytes long, we expected 32 bytes. Ignoring this HTLC."
            ));
        };
        let hash = sha256::Hash::hash(&preimage);
        if hash != *payment_hash {
            let preimage = hex::encode(preimage);
            return wrong(format!(
                "Preimage provided by the sender does not match the payment_hash: SHA256({preimage})={hash} != \
                 {payment_hash}. Ignoring keysend."
            ));
        }
        let texts = records.iter().filter(|(kind, _)| *kind != PREIMAGE && !KNOWN.contains(kind));
        let texts = texts.filter_map(|(_, value)| std::str::from_utf8(value).ok());
        // Of texts of the same length the first.
        let message = texts.reduce(|longest, text| if text.len() > longest.len() { text } else { longest });
        Ok(Self { preimage, amount_msat, message: message.map(str::to_owned), records })
    }

    fn description(&self) -> String {
        self.message.as_ref().map_or_else(|| "keysend".to_owned(), |text| format!("keysend: {text}"))
    }

    /// The payload that pays the invoice: with its secret, without what the node would refuse. Gives the types that were left out.
    fn payload(&self, payment_secret: &[u8; 32], extra_known: &[u64]) -> (Vec<u8>, Vec<u64>) {
        let mut records = TlvStream::new();
        let mut stripped = Vec::new();
        for (kind, value) in self.records.iter() {
            if kind % 2 == 1 || KNOWN.contains(&kind) || extra_known.contains(&kind) {
                records.set(kind, value);
            } else if kind != PREIMAGE {
                stripped.push(kind);
            }
        }
        records.set(PAYMENT_DATA, [&payment_secret[..], &encode_tu64(self.amount_msat)].concat());
        (with_length(&records.encode()), stripped)
    }
}

impl State {
    /// If an HTLC ends here and brings its preimage: the payload with which it pays an invoice that was just made for it.
    pub(super) fn accept_keysend(&mut self, htlc: &Htlc, peeled: &Peeled) -> Option<Vec<u8>> {
        let keysend = match Keysend::read(&peeled.payload, &htlc.payment_hash) {
            Ok(keysend) => keysend,
            Err(NotKeysend::Other) => return None,
            Err(NotKeysend::Wrong(text)) => {
                self.log(LogLevel::Unusual, SOURCE, &text);
                return None;
            }
        };
        let text = format!("Inserting a new invoice for keysend with payment_hash {}", htlc.payment_hash);
        self.log(LogLevel::Info, SOURCE, &text);
        let now = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The clock may stand still.
        let mut labels = (now.subsec_nanos()..).map(|nanos| format!("keysend-{}.{nanos:09}", now.as_secs()));
        let label = labels.find(|label| !self.has_label(label)).expect("there are fewer invoices");
        let cltv = self.config.channels.cltv_final.into();
        let invoice = Invoice::backfill(label, keysend.description(), keysend.preimage, cltv);
        let issued = match invoice.issue(self) {
            Ok(issued) => issued,
            Err(error) => {
                let text = format!("Could not create invoice for keysend: {}", error.message);
                self.log(LogLevel::Broken, SOURCE, &text);
                return None;
            }
        };
        let known = &self.config.accept_htlc_tlv_types;
        let (payload, stripped) = keysend.payload(&issued.payment_secret, known);
        for kind in stripped {
            let text = format!("Keysend payment uses illegal even field {kind}: stripping");
            self.log(LogLevel::Info, SOURCE, &text);
        }
        let text = format!(
            "Resolving incoming HTLC with preimage for payment_hash {} provided in the onion payload.",
            htlc.payment_hash
        );
        self.log(LogLevel::Info, SOURCE, &text);
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leyden_bolt::onion::Payload;

    const KEY: [u8; 32] = [7; 32];

    fn layer(records: &[(u64, &[u8])]) -> Vec<u8> {
        let mut stream = TlvStream::new();
        for (kind, value) in records {
            stream.set(*kind, *value);
        }
        with_length(&stream.encode())
    }

    #[test]
    fn the_payload_comes_to_pay_an_invoice() {
        let layer = layer(&[
            (2, &[5]),
            (4, &[100]),
            (100, b"x"),
            (133_773_310, b"even"),
            (7_629_169, b"hello"),
            (PREIMAGE, &KEY),
        ]);
        let keysend = Keysend::read(&layer, &sha256::Hash::hash(&KEY)).expect("it is one");
        assert_eq!(keysend.description(), "keysend: hello");
        let (paying, stripped) = keysend.payload(&[9; 32], &[100]);
        assert_eq!(stripped, [133_773_310]);
        let paying = Payload::decode_hop(&paying, true, &[100]).expect("the node takes it now");
        assert_eq!(
            paying.payment_data.map(|data| (data.payment_secret, data.total_msat)),
            Some(([9; 32], 5))
        );
        assert_eq!(paying.tlvs.get(7_629_169), Some(&b"hello"[..]), "odd records stay");
        assert_eq!(paying.tlvs.get(PREIMAGE), None);
    }

    #[test]
    fn what_brings_no_right_preimage_is_left_alone() {
        let hash = sha256::Hash::hash(&KEY);
        assert_eq!(Keysend::read(&layer(&[(2, &[5]), (4, &[100])]), &hash), Err(NotKeysend::Other));
        assert_eq!(Keysend::read(&[], &hash), Err(NotKeysend::Other));
        let wrong = |records: &[(u64, &[u8])]| match Keysend::read(&layer(records), &hash) {
            Err(NotKeysend::Wrong(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(wrong(&[(PREIMAGE, &KEY)]).starts_with("Sender omitted amount."));
        assert!(wrong(&[(2, &[5]), (PREIMAGE, &KEY[1..])]).contains("is 31 bytes long"));
        assert!(
            wrong(&[(2, &[5]), (PREIMAGE, &[0; 32])])
                .starts_with("Preimage provided by the sender does not match")
        );
        let plain = layer(&[(2, &[5]), (PREIMAGE, &KEY)]);
        assert_eq!(
            Keysend::read(&plain, &hash).map(|keysend| keysend.description()),
            Ok("keysend".to_owned())
        );
    }
}
