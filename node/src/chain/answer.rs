//! Answers of a Bitcoin backend: what they must be (`lightningd/bitcoind.c`). A wrong one ends the node.

use super::bitcoind::Question;
use bitcoin::Block;
use bitcoin::consensus::encode::deserialize_hex;
use leyden_protocol::scan::{Scan, number};
use leyden_protocol::{Envelope, Profile, json};

/// What the chain says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// To `getchaininfo`.
    Info(ChainInfo),
    /// To `estimatefees`.
    Estimates(Estimates),
    /// To `getrawblockbyheight`: `None` if the chain is not that long.
    Block(Option<Box<Block>>),
    /// To `getutxout`. What it holds is known from its block.
    Output { is_unspent: bool },
    /// To `sendrawtransaction`: why it was not taken.
    Sent(Result<(), String>),
}

/// The result of `getchaininfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainInfo {
    /// bip70's name: `main`, `test`, `regtest`.
    pub(crate) chain: String,
    /// The height of the best header.
    pub(crate) headercount: u32,
    /// The height of the best block.
    pub(crate) blockcount: u32,
    /// Whether blocks of the past are still being fetched.
    pub(crate) ibd: bool,
}

/// The result of `estimatefees`, in sat per kVB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Estimates {
    /// Since v23.05.
    Ranges {
        /// What the backend accepts at least.
        floor: u32,
        /// By number of blocks, ascending.
        rates: Vec<Estimate>,
    },
    /// Before, in the order of [`FEERATE_NAMES`].
    Named([Option<u32>; 8]),
}

/// What fees were for before v23.05.
pub(crate) const FEERATE_NAMES: [&str; 8] = [
    "opening",
    "mutual_close",
    "unilateral_close",
    "delayed_to_us",
    "htlc_resolution",
    "penalty",
    "min_acceptable",
    "max_acceptable",
];

/// The fee for which a transaction gets into a block in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// The time, in blocks.
    pub(crate) blocks: u32,
    pub(crate) rate: u32,
}

/// An answer that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadAnswer {
    /// The method, perhaps with a member of the result.
    to: &'static str,
    why: String,
    /// The part of the answer that lightningd quotes.
    quoted: String,
}

impl BadAnswer {
    /// lightningd's last words; `owner` is the path of the plugin (`bitcoind.c:bitcoin_plugin_error`).
    pub(crate) fn complaint(&self, owner: &str) -> String {
        let Self { to, why, quoted } = self;
        format!("{owner} error: bad response to {to} ({why}), response was {quoted}")
    }
}

/// Reads the answer to a question.
pub(crate) fn read(
    question: &Question,
    response: &Envelope<'_>,
    profile: Profile,
) -> Result<Answer, BadAnswer> {
    let to = question.method();
    let bad = |why: String, quoted: &str| BadAnswer { to, why, quoted: quoted.to_owned() };
    // Old releases look at the message as a whole, and quote all of it.
    let whole = profile.scans_whole_chain_answers();
    let result = match (response.error, response.result) {
        (None, Some(result)) => result,
        (Some(error), _) if !whole => {
            let why = json::member(error, "message").unwrap_or(error).to_owned();
            return Err(bad(why, response.text));
        }
        (_, None) if !whole => return Err(bad("missing 'result' field".to_owned(), response.text)),
        (_, result) => result.unwrap_or_default(),
    };
    let quoted = if whole { response.text } else { result };
    let scan = || if whole { Scan::within(response.text, "result") } else { Scan::object(result) };
    let bad_field = |why: String| bad(format!("bad 'result' field: {why}"), quoted);
    match question {
        Question::Estimates if profile.estimates_fees_by_name() => named_estimates(response),
        Question::Estimates => estimates(result),
        Question::Block(_) | Question::OldBlock(_)
            if json::member(result, "blockhash").map(json::content) == Some("null") =>
        {
            Ok(Answer::Block(None))
        }
        Question::Block(_) | Question::OldBlock(_) => {
            let block = scan().and_then(block).map_err(bad_field)?;
            let block: Block = deserialize_hex(block).map_err(|_| bad("bad block".to_owned(), quoted))?;
            Ok(Answer::Block(Some(Box::new(block))))
        }
        Question::Output { .. } if json::member(result, "script").map(json::content) == Some("null") => {
            Ok(Answer::Output { is_unspent: false })
        }
        Question::Output { .. } => {
            scan().and_then(output).map_err(bad_field)?;
            Ok(Answer::Output { is_unspent: true })
        }
        Question::SendTransaction { .. } => {
            if scan().and_then(|mut scan| scan.bool("success")).map_err(bad_field)? {
                return Ok(Answer::Sent(Ok(())));
            }
            let why = scan().and_then(|mut scan| scan.text("errmsg").map(str::to_owned));
            let why = why.map_err(|why| bad(format!("bad 'errmsg' field: {why}"), quoted))?;
            Ok(Answer::Sent(Err(why)))
        }
        _ => scan().and_then(info).map(Answer::Info).map_err(bad_field),
    }
}

fn output(mut scan: Scan<'_>) -> Result<(), String> {
    let satoshi = |token| {
        let text = json::content(token);
        text.strip_suffix("sat").unwrap_or(text).parse::<u64>().ok()
    };
    let is_hex = |token| hex::decode(json::content(token)).ok();
    scan.member("script", "json_tok_bin_from_hex", is_hex)?;
    scan.member("amount", "json_to_sat", satoshi).map(drop)
}

fn info(mut scan: Scan<'_>) -> Result<ChainInfo, String> {
    Ok(ChainInfo {
        chain: scan.text("chain")?.to_owned(),
        headercount: scan.number("headercount")?,
        blockcount: scan.number("blockcount")?,
        ibd: scan.bool("ibd")?,
    })
}

fn block(mut scan: Scan<'_>) -> Result<&str, String> {
    let is_hash = |token| hex::decode(json::content(token)).ok().filter(|hash| hash.len() == 32);
    scan.member("blockhash", "json_to_sha256", is_hash)?;
    scan.text("block")
}

/// Before v23.05; anything but a number is an unknown rate.
fn named_estimates(response: &Envelope<'_>) -> Result<Answer, BadAnswer> {
    let bad = |why: String| BadAnswer { to: "estimatefees", why, quoted: response.text.to_owned() };
    let result = response.result.ok_or_else(|| bad("bad 'result' field".to_owned()))?;
    let mut rates = [None; 8];
    for (rate, name) in rates.iter_mut().zip(FEERATE_NAMES) {
        let token = json::member(result, name).ok_or_else(|| bad(format!("missing '{name}' field")))?;
        *rate = number(token);
    }
    Ok(Answer::Estimates(Estimates::Named(rates)))
}

fn estimates(result: &str) -> Result<Answer, BadAnswer> {
    let bad = |to, why: &str, quoted: &str| BadAnswer { to, why: why.to_owned(), quoted: quoted.to_owned() };
    let floor = json::member(result, "feerate_floor")
        .ok_or_else(|| bad("estimatefees", "missing feerate_floor field", result))?;
    let feerates = json::member(result, "feerates")
        .ok_or_else(|| bad("estimatefees", "missing feerates field", result))?;
    let floor = number(floor).ok_or_else(|| bad("estimatefees.feerate_floor", "Not a u32?", floor))?;
    let mut rates: Vec<Estimate> = Vec::new();
    for element in json::elements(feerates).unwrap_or_default() {
        let rate = estimate(element).map_err(|why| bad("estimatefees.feerates", &why, element))?;
        if let Some(last) = rates.last().filter(|last| rate.blocks <= last.blocks) {
            let why = format!("Blocks must be ascending order: {} <= {}!", rate.blocks, last.blocks);
            return Err(bad("estimatefees.feerates", &why, feerates));
        }
        rates.push(rate);
    }
    Ok(Answer::Estimates(Estimates::Ranges { floor, rates }))
}

fn estimate(element: &str) -> Result<Estimate, String> {
    let mut scan = Scan::object(element)?;
    Ok(Estimate { blocks: scan.u32("blocks")?, rate: scan.u32("feerate")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(question: &Question, members: &str) -> String {
        let text = format!(r#"{{"jsonrpc":"2.0","id":"1",{members}}}"#);
        let response = Envelope::parse(&text).expect("it is an object");
        let bad = read(question, &response, Profile::default()).expect_err("it cannot be used");
        bad.complaint("/bcli")
    }

    #[test]
    fn an_output_is_looked_at_from_its_script_on() {
        let question = Question::Output { txid: String::new(), vout: 0 };
        for (result, why) in [
            ("{}", "Parsing '{script:': object does not have member script"),
            (r#"{"script":"51"}"#, "Parsing '{script:%,amount:': object does not have member amount"),
            (r#"{"amount":1}"#, "Parsing '{script:': object does not have member script"),
            (
                r#"{"amount":"x","script":"5"}"#,
                r#"Parsing '{script:%': json_tok_bin_from_hex could not parse "5""#,
            ),
            (
                r#"{"amount":"x","script":"51"}"#,
                r#"Parsing '{script:%,amount:%': json_to_sat could not parse "x""#,
            ),
        ] {
            let expected = format!(
                "/bcli error: bad response to getutxout (bad 'result' field: {why}), response was {result}"
            );
            assert_eq!(complaint(&question, &format!(r#""result":{result}"#)), expected);
        }
        let expected = r#"/bcli error: bad response to getutxout ("no"), response was {"#;
        assert!(complaint(&question, r#""error":{"message":"no"}"#).starts_with(expected));
    }

    #[test]
    fn whoever_refuses_a_transaction_says_why() {
        let question = Question::SendTransaction { tx: String::new(), allow_high_fees: false, attempt: None };
        for (result, why) in [
            ("{}", "bad 'result' field: Parsing '{success:': object does not have member success"),
            (r#"{"success":1}"#, "bad 'result' field: Parsing '{success:%': json_to_bool could not parse 1"),
            (
                r#"{"success":false}"#,
                "bad 'errmsg' field: Parsing '{errmsg:': object does not have member errmsg",
            ),
        ] {
            let expected =
                format!("/bcli error: bad response to sendrawtransaction ({why}), response was {result}");
            assert_eq!(complaint(&question, &format!(r#""result":{result}"#)), expected);
        }
    }
}
