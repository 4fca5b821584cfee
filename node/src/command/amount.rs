//! Amounts of money, as clients write them (`common/amount.c:parse_amount_msat`) and as they are written to clients.

use crate::state::State;
use serde_json::Value;

/// One satoshi in msat.
const SATOSHI: u64 = 1_000;

/// One bitcoin in msat.
const BITCOIN: u64 = 100_000_000_000;

/// Digits behind the point of a bitcoin, down to one msat.
const BITCOIN_DIGITS: usize = 11;

impl State {
    /// An amount as the release writes it.
    pub(crate) fn amount(&self, msat: u64) -> Value {
        self.profile.amount(msat, self.config.allow_deprecated_apis)
    }
}

/// The msat in `1000`, `1000msat`, `1sat`, `0.00000001btc` or `1btc`. `None` if it is nothing of the kind, or too much.
pub(crate) fn parse_msat(text: &str) -> Option<u64> {
    if let Some(number) = text.strip_suffix("msat") {
        return digits(number);
    }
    if let Some(number) = text.strip_suffix("sat") {
        return digits(number)?.checked_mul(SATOSHI);
    }
    let Some(number) = text.strip_suffix("btc") else { return digits(text) };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.len() > BITCOIN_DIGITS {
        return None;
    }
    let part = digits(&format!("{part:0<BITCOIN_DIGITS$}"))?;
    digits(whole)?.checked_mul(BITCOIN)?.checked_add(part)
}

/// At least one digit, and nothing else.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::parse_msat;

    /// Each was asked of lightningd v26.06.6.
    #[test]
    fn amounts_are_read_as_lightningd_reads_them() {
        for (text, msat) in [
            ("1000", 1_000),
            ("01000", 1_000),
            ("1000msat", 1_000),
            ("1sat", 1_000),
            ("0.001btc", 100_000_000),
            ("0.00000000001btc", 1),
            ("1.btc", 100_000_000_000),
            ("1.50000000000btc", 150_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_msat(text), Some(msat), "{text}");
        }
    }

    #[test]
    fn what_lightningd_refuses_is_no_amount() {
        for text in [
            "",
            "-1",
            "+1000",
            "1000 ",
            "1 sat",
            "1SAT",
            "1.5",
            "1.5sat",
            "1.000sat",
            "1e3",
            "msat",
            "btc",
            ".5btc",
            "0.000000000001btc",
            "184467440737btc",
            "18446744073709551616",
        ] {
            assert_eq!(parse_msat(text), None, "{text}");
        }
    }
}
