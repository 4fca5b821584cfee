//! What a plugin's answer to `invoice_payment` says (`lightningd/invoice.c:hook_gives_failmsg`).

use super::failure::{FailureMessage, bare};
use leyden_bolt::onion::FailureCode;
use leyden_protocol::{Profile, json};

/// How a plugin refuses a payment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// `reject`: each part fails with `incorrect_or_unknown_payment_details`.
    Reject,
    /// Each part fails with this.
    Message(FailureMessage),
    /// The answer has neither; older releases reject, and complain with this.
    Unexplained(String),
}

impl Refusal {
    /// Reads the `result` of an answer. `None` is to go on.
    ///
    /// # Errors
    /// The text with which lightningd ends.
    pub(super) fn parse(result: &str, profile: Profile, deprecated_ok: bool) -> Result<Option<Self>, String> {
        if let Some(verdict) = json::member(result, "result") {
            return match json::content(verdict) {
                "continue" => Ok(None),
                "reject" => Ok(Some(Self::Reject)),
                _ => Err(format!("Invalid invoice_payment hook result: {result}")),
            };
        }
        if let Some(message) = json::member(result, "failure_message") {
            let message = hex::decode(json::content(message));
            let message =
                message.map_err(|_| format!("Invalid invoice_payment_hook failure_message: {result}"))?;
            return Ok(Some(Self::Message(message)));
        }
        if profile.invoice_payment_needs_message() {
            return Err(format!("Missing failure_message in invoice_payment hook result: {result}"));
        }
        if !deprecated_ok {
            return Ok(None);
        }
        let code = json::member(result, "failure_code");
        if let Some(code) = code.filter(|_| profile.fails_with_code(deprecated_ok)) {
            let invalid = |_| format!("Invalid invoice_payment_hook failure_code: {result}");
            return Ok(Some(Self::Message(bare(FailureCode(json::content(code).parse().map_err(invalid)?)))));
        }
        let text = format!(
            "Plugin did not return object with 'result' or 'failure_message' fields. This is now deprecated and you should return {{'result': 'continue' }} or {{'result': 'reject'}} or {{'failure_message'... instead: {result}"
        );
        Ok(Some(Self::Unexplained(text)))
    }

    /// What each part fails with; `None` is `incorrect_or_unknown_payment_details`.
    pub(super) fn message(self) -> Option<FailureMessage> {
        match self {
            Self::Message(message) => Some(message),
            Self::Reject | Self::Unexplained(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(result: &str, release: &str, deprecated_ok: bool) -> Result<Option<Refusal>, String> {
        Refusal::parse(result, release.parse().expect("a release"), deprecated_ok)
    }

    fn new(result: &str) -> Result<Option<Refusal>, String> {
        parse(result, "v26.06", false)
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(new(r#"{"result":"continue"}"#), Ok(None));
        assert_eq!(new(r#"{"result":"reject"}"#), Ok(Some(Refusal::Reject)));
        let message = new(r#"{"failure_message":"2002"}"#).expect("it is understood").expect("it refuses");
        assert_eq!(message.message(), Some(vec![0x20, 2]));
        for (result, text) in [
            (r#"{"result":"maybe"}"#, "Invalid invoice_payment hook result: "),
            (r#"{"failure_message":"x"}"#, "Invalid invoice_payment_hook failure_message: "),
            (r"{}", "Missing failure_message in invoice_payment hook result: "),
        ] {
            assert_eq!(new(result), Err(format!("{text}{result}")));
        }
    }

    #[test]
    fn older_releases_make_something_of_nothing() {
        for release in ["manual", "v0.10", "v23.02"] {
            assert_eq!(parse("{}", release, false), Ok(None), "{release}");
            let refused = parse("{}", release, true).expect("it is understood");
            assert!(matches!(refused, Some(Refusal::Unexplained(_))), "{release}: {refused:?}");
        }
        let code = parse(r#"{"failure_code":8194}"#, "v23.02", true);
        assert_eq!(code, Ok(Some(Refusal::Message(vec![0x20, 2]))));
    }
}
