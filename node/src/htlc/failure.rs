//! Failure messages: a code and its data, as the erring node puts them into an onion (BOLT 4, "Failure Messages").

use leyden_bolt::integer::write_bigsize;
use leyden_bolt::onion::FailureCode;

/// A failure message.
pub(crate) type FailureMessage = Vec<u8>;

/// A code that comes alone.
pub(super) fn bare(code: FailureCode) -> FailureMessage {
    code.0.to_be_bytes().to_vec()
}

/// `incorrect_or_unknown_payment_details`, at `height`.
pub(super) fn incorrect_or_unknown(htlc_msat: u64, height: u32) -> FailureMessage {
    let code = FailureCode::INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS;
    [&bare(code)[..], &htlc_msat.to_be_bytes(), &height.to_be_bytes()].concat()
}

/// `final_incorrect_htlc_amount`.
pub(super) fn final_incorrect_htlc_amount(htlc_msat: u64) -> FailureMessage {
    [&bare(FailureCode::FINAL_INCORRECT_HTLC_AMOUNT)[..], &htlc_msat.to_be_bytes()].concat()
}

/// `final_incorrect_cltv_expiry`.
pub(super) fn final_incorrect_cltv_expiry(cltv_expiry: u32) -> FailureMessage {
    [&bare(FailureCode::FINAL_INCORRECT_CLTV_EXPIRY)[..], &cltv_expiry.to_be_bytes()].concat()
}

/// `invalid_onion_payload`: the record of type `kind`, which begins at `offset`.
pub(super) fn invalid_onion_payload(kind: u64, offset: usize) -> FailureMessage {
    let mut message = bare(FailureCode::INVALID_ONION_PAYLOAD);
    write_bigsize(kind, &mut message);
    // No onion has more than 1300 bytes of payload; a plugin's may have.
    message.extend(u16::try_from(offset).unwrap_or(u16::MAX).to_be_bytes());
    message
}

/// A failure that tells of the outgoing channel: its data, and the `channel_update`, which may be empty.
pub(super) fn with_update(code: FailureCode, data: &[u8], channel_update: &[u8]) -> FailureMessage {
    let length = u16::try_from(channel_update.len()).expect("a channel_update is a message");
    [&bare(code)[..], data, &length.to_be_bytes(), channel_update].concat()
}

/// What the previous hop is told when the next one could not read the onion.
pub(super) fn malformed(code: u16, sha256_of_onion: &[u8; 32]) -> FailureMessage {
    [&code.to_be_bytes()[..], sha256_of_onion].concat()
}

/// The code of a message; 0 if it has none.
pub(crate) fn code_of(message: &[u8]) -> FailureCode {
    FailureCode(message.first_chunk().map_or(0, |code| u16::from_be_bytes(*code)))
}

/// The name of a code in CLN's output, such as `WIRE_UNKNOWN_NEXT_PEER` (`onion_wire_name`).
pub(crate) fn wire_name(code: FailureCode) -> String {
    match code.name() {
        Some(name) => format!("WIRE_{}", name.to_uppercase()),
        None => format!("INVALID {}", code.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_bolt_4() {
        let message = incorrect_or_unknown(1000, 103);
        assert_eq!(hex::encode(message), "400f00000000000003e800000067");
        let message = with_update(FailureCode::FEE_INSUFFICIENT, &7u64.to_be_bytes(), &[1, 2]);
        assert_eq!(hex::encode(&message), "100c000000000000000700020102");
        assert_eq!(wire_name(code_of(&message)), "WIRE_FEE_INSUFFICIENT");
        assert_eq!(hex::encode(invalid_onion_payload(6, 300)), "401606012c");
        assert_eq!(wire_name(code_of(&[])), "INVALID 0");
    }
}
