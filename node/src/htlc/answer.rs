//! What a plugin's answer to `htlc_accepted` says (`peer_htlcs.c:htlc_accepted_hook_deserialize`).

use super::failure::{FailureMessage, bare};
use crate::command::amount::parse_msat;
use leyden_bolt::ChannelId;
use leyden_bolt::onion::FailureCode;
use leyden_bolt::tlv::TlvStream;
use leyden_protocol::{Profile, json};

/// The record of `update_add_htlc` that a node knows: `blinded_path`.
const BLINDED_PATH: u64 = 0;

/// An answer. What it changes counts whatever the verdict is; later plugins see it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// What the onion is to have said: the records, without their length.
    pub(super) payload: Option<Vec<u8>>,
    /// Where the HTLC is to go.
    pub(super) forward_to: Option<ChannelId>,
    /// The records that `update_add_htlc` is to have.
    pub(super) extra_tlvs: Option<TlvStream>,
    /// What the invoice is to have asked for.
    pub(super) invoice_msat: Option<u64>,
    pub(super) verdict: HtlcVerdict,
}

/// What is to become of the HTLC.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum HtlcVerdict {
    /// Ask the next plugin; then do what is usual.
    #[default]
    Continue,
    /// Fail it, with this message.
    Fail(FailureMessage),
    /// Fail it, with this onion of somebody else.
    FailWith {
        onion: Vec<u8>,
        /// There was a message as well, which does not count.
        had_message: bool,
    },
    /// Fulfil it, if this is the preimage.
    Resolve([u8; 32]),
}

/// Which of the answers' members a release knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) profile: Profile,
    /// `--allow-deprecated-apis`.
    pub(super) deprecated_ok: bool,
}

impl Answer {
    /// Reads the `result` of a `response`.
    ///
    /// # Errors
    /// The text with which lightningd ends.
    pub(super) fn parse(result: &str, response: &str, dialect: Dialect) -> Result<Self, String> {
        let verdict = json::member(result, "result")
            .ok_or_else(|| format!("Plugin return value does not contain 'result' key {result}"))?;
        let profile = dialect.profile;
        let modern = |name| json::member(result, name).filter(|_| profile.htlc_has_extra_tlvs());
        let redirect = json::member(result, "forward_to").filter(|_| profile.htlc_can_be_redirected());
        Ok(Self {
            invoice_msat: modern("invoice_msat").map(invoice_msat).transpose()?,
            extra_tlvs: modern("extra_tlvs").map(extra_tlvs).transpose()?,
            payload: json::member(result, "payload").map(|token| hex_or(token, "payload")).transpose()?,
            forward_to: redirect.map(forward_to).transpose()?,
            verdict: match json::content(verdict) {
                "continue" => HtlcVerdict::Continue,
                "fail" => failure(result, dialect)?,
                "resolve" => resolution(result, verdict, response)?,
                unknown => {
                    return Err(format!(
                        "Plugin responded with an unknown result to the htlc_accepted hook: {unknown}"
                    ));
                }
            },
        })
    }
}

fn bad(what: &str, token: &str) -> String {
    format!("Bad {what} for htlc_accepted hook: {}", json::content(token))
}

fn hex_or(token: &str, what: &str) -> Result<Vec<u8>, String> {
    hex::decode(json::content(token)).map_err(|_| bad(what, token))
}

fn invoice_msat(token: &str) -> Result<u64, String> {
    parse_msat(json::content(token)).ok_or_else(|| bad("invoice_msat", token))
}

fn extra_tlvs(token: &str) -> Result<TlvStream, String> {
    let bytes = hex_or(token, "custom tlvs")?;
    TlvStream::decode(&bytes)
        .and_then(|tlvs| tlvs.check_known(&[BLINDED_PATH]).map(|()| tlvs))
        .map_err(|_| format!("htlc_accepted_hook returned bad extra_tlvs {}", hex::encode(&bytes)))
}

fn forward_to(token: &str) -> Result<ChannelId, String> {
    let mut id = [0; 32];
    hex::decode_to_slice(json::content(token), &mut id).map_err(|_| bad("forward_to", token))?;
    Ok(ChannelId(id))
}

fn failure(result: &str, dialect: Dialect) -> Result<HtlcVerdict, String> {
    let profile = dialect.profile;
    let message = json::member(result, "failure_message");
    if let Some(onion) = json::member(result, "failure_onion").filter(|_| profile.htlc_fails_with_onion()) {
        let onion = hex_or(onion, "failure_onion")?;
        return Ok(HtlcVerdict::FailWith { onion, had_message: message.is_some() });
    }
    if let Some(message) = message {
        return Ok(HtlcVerdict::Fail(hex_or(message, "failure_message")?));
    }
    let code = json::member(result, "failure_code");
    if let Some(code) = code.filter(|_| profile.fails_with_code(dialect.deprecated_ok)) {
        let code = json::content(code).parse().map_err(|_| bad("failure_code", code))?;
        return Ok(HtlcVerdict::Fail(bare(FailureCode(code))));
    }
    if profile.htlc_failure_needs_message() {
        return Err(
            "Missing both failure_onion and failure_message for htlc_accepted hook fail: fail".to_owned()
        );
    }
    Ok(HtlcVerdict::Fail(bare(FailureCode::TEMPORARY_NODE_FAILURE)))
}

fn resolution(result: &str, verdict: &str, response: &str) -> Result<HtlcVerdict, String> {
    let key = json::member(result, "payment_key")
        .ok_or("Plugin did not specify a 'payment_key' in return value to the htlc_accepted hook: resolve")?;
    let mut preimage = [0; 32];
    if hex::decode_to_slice(json::content(key), &mut preimage).is_err() {
        // lightningd quotes everything from there on.
        let start = verdict.as_ptr() as usize - response.as_ptr() as usize;
        return Err(format!("Plugin specified an invalid 'payment_key': {}", &response[start..]));
    }
    Ok(HtlcVerdict::Resolve(preimage))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(release: &str, deprecated_ok: bool) -> Dialect {
        Dialect { profile: release.parse().expect("a release"), deprecated_ok }
    }

    fn new() -> Dialect {
        dialect("v26.06", false)
    }

    fn parse(result: &str, dialect: Dialect) -> Result<Answer, String> {
        let response = format!(r#"{{"jsonrpc":"2.0","id":"x","result":{result}}}"#);
        let result = json::member(&response, "result").expect("it is there");
        Answer::parse(result, &response, dialect)
    }

    fn verdict(result: &str, dialect: Dialect) -> HtlcVerdict {
        parse(result, dialect).expect("it is understood").verdict
    }

    #[test]
    fn verdicts_are_read() {
        let key = "00".repeat(32);
        assert_eq!(verdict(r#"{"result":"continue"}"#, new()), HtlcVerdict::Continue);
        let resolve = format!(r#"{{"result":"resolve","payment_key":"{key}"}}"#);
        assert_eq!(verdict(&resolve, new()), HtlcVerdict::Resolve([0; 32]));
        let fail = r#"{"result":"fail","failure_message":"2002"}"#;
        assert_eq!(verdict(fail, new()), HtlcVerdict::Fail(vec![0x20, 2]));
        let onion = r#"{"result":"fail","failure_message":"2002","failure_onion":"0102"}"#;
        let expected = HtlcVerdict::FailWith { onion: vec![1, 2], had_message: true };
        assert_eq!(verdict(onion, new()), expected);
        let manual = dialect("manual", false);
        assert_eq!(verdict(onion, manual), HtlcVerdict::Fail(vec![0x20, 2]), "it has no onions");
    }

    #[test]
    fn modifications_are_read_whatever_the_verdict() {
        let forward_to = "11".repeat(32);
        let result = format!(
            r#"{{"result":"fail","failure_message":"","payload":"0202","forward_to":"{forward_to}","extra_tlvs":"fd010101ff","invoice_msat":"5sat"}}"#
        );
        let answer = parse(&result, new()).expect("all of it is right");
        assert_eq!(answer.payload, Some(vec![2, 2]));
        assert_eq!(answer.forward_to, Some(ChannelId([0x11; 32])));
        assert_eq!(answer.extra_tlvs.expect("there are some").encode(), [0xfd, 1, 1, 1, 0xff]);
        assert_eq!(answer.invoice_msat, Some(5000));

        let old = dialect("v0.10", false);
        let answer = parse(&result, old).expect("what is not known is not looked at");
        assert_eq!(
            answer,
            Answer { payload: Some(vec![2, 2]), verdict: HtlcVerdict::Fail(vec![]), ..Answer::default() }
        );
    }

    #[test]
    fn older_releases_fail_with_less() {
        let fail = r#"{"result":"fail","failure_code":16399}"#;
        let temporary = HtlcVerdict::Fail(vec![0x20, 2]);
        for release in ["manual", "v0.10", "v23.02"] {
            assert_eq!(verdict(fail, dialect(release, false)), temporary, "{release}");
        }
        let deprecated = dialect("v23.02", true);
        assert_eq!(verdict(fail, deprecated), HtlcVerdict::Fail(vec![0x40, 0x0f]));
    }

    #[test]
    fn what_cannot_be_understood_is_quoted() {
        let end = "for htlc_accepted hook";
        for (result, text) in [
            (r#"{"x":1}"#, r#"Plugin return value does not contain 'result' key {"x":1}"#.to_owned()),
            (
                r#"{"result":"maybe"}"#,
                "Plugin responded with an unknown result to the htlc_accepted hook: maybe".to_owned(),
            ),
            (r#"{"result":"continue","payload":"0g"}"#, format!("Bad payload {end}: 0g")),
            (r#"{"result":"continue","forward_to":"00"}"#, format!("Bad forward_to {end}: 00")),
            (r#"{"result":"continue","extra_tlvs":7}"#, format!("Bad custom tlvs {end}: 7")),
            (
                r#"{"result":"continue","extra_tlvs":"0200"}"#,
                "htlc_accepted_hook returned bad extra_tlvs 0200".to_owned(),
            ),
            (r#"{"result":"continue","invoice_msat":"x"}"#, format!("Bad invoice_msat {end}: x")),
            (r#"{"result":"fail","failure_onion":"x"}"#, format!("Bad failure_onion {end}: x")),
            (r#"{"result":"fail","failure_message":"x"}"#, format!("Bad failure_message {end}: x")),
            (
                r#"{"result":"fail"}"#,
                "Missing both failure_onion and failure_message for htlc_accepted hook fail: fail".to_owned(),
            ),
            (
                r#"{"result":"resolve"}"#,
                "Plugin did not specify a 'payment_key' in return value to the htlc_accepted hook: resolve"
                    .to_owned(),
            ),
            (
                r#"{"result":"resolve","payment_key":"00"}"#,
                r#"Plugin specified an invalid 'payment_key': "resolve","payment_key":"00"}}"#.to_owned(),
            ),
        ] {
            assert_eq!(parse(result, new()), Err(text));
        }
    }
}
