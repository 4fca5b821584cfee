//! The built-in Bitcoin backend: bitcoind over JSON-RPC and HTTP (`plugins/bcli.c`).
//!
//! What comes from bitcoind is looked at as text: a proxy may put decimals in strings and leave `result` out.

use super::answer::FEERATE_NAMES;
use super::bitcoind::{Asker, Question};
use crate::config::Bitcoind;
use crate::input::Input;
use crate::mailbox::Mailbox;
use bitcoin::{Amount, Denomination};
use leyden_protocol::message::{RpcError, code};
use leyden_protocol::{Envelope, Profile, json};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;

/// For how many blocks fees are estimated, and how. pyln-testing's mock of bitcoind knows just these.
const ESTIMATES: [(u32, &str); 4] =
    [(2, "CONSERVATIVE"), (6, "ECONOMICAL"), (12, "ECONOMICAL"), (100, "ECONOMICAL")];
/// What is said to be the estimate where bitcoind has none, as it has none on regtest; sat per kVB.
const FAKE_FEERATE: u64 = 1000;
/// The floor where bitcoind does not tell it; sat per kVB.
const DEFAULT_FLOOR: u64 = 1000;
/// How much more than the highest estimate old releases allowed (`--max-fee-multiplier`).
const MAX_MULTIPLIER: u64 = 10;
/// bitcoind's code for a transaction that is in the chain already (`RPC_VERIFY_ALREADY_IN_UTXO_SET`).
const ALREADY_IN_CHAIN: &str = "-27";
/// bitcoind's code for being not ready yet (`RPC_IN_WARMUP`).
const IN_WARMUP: &str = "-28";
/// How often it is asked whether it is.
const RETRY: Duration = Duration::from_millis(500);
/// How long a block may take until it can be read (`bitcoin-retry-timeout`).
const BLOCK_IS_WRITTEN: Duration = Duration::from_secs(60);

/// Serves questions, one after another, until nobody can ask any more.
pub(crate) async fn run(
    bitcoind: Bitcoind,
    profile: Profile,
    patience: Duration,
    ignores_ibd: bool,
    mut questions: mpsc::UnboundedReceiver<(Question, Asker)>,
    mailbox: Mailbox,
) {
    let client = Client { http: bitreq::Client::new(1), bitcoind, profile, ignores_ibd };
    client.wait_for_bitcoind(patience).await;
    while let Some((question, asker)) = questions.recv().await {
        let answer = match client.answer(&question).await {
            Ok(result) => Ok(Ok(result.to_string())),
            Err(Failure::Refused(error)) => Ok(Err(error)),
            Err(Failure::Unreachable(why)) => Err(why),
        };
        mailbox.send(Input::Backend(question, asker, answer));
    }
}

struct Client {
    http: bitreq::Client,
    bitcoind: Bitcoind,
    profile: Profile,
    /// bitcoind is taken to know the whole chain, whatever it says.
    ignores_ibd: bool,
}

/// Why there is no result.
enum Failure {
    /// bitcoind does not answer, or what it says cannot be read.
    Unreachable(String),
    /// bitcoind has answered with an error, or with something that bcli does not understand.
    Refused(RpcError),
}

/// An error of bitcoind: its JSON.
struct Error(String);

impl Error {
    fn code(&self) -> Option<&str> {
        json::member(&self.0, "code")
    }

    fn message(&self) -> String {
        json::member(&self.0, "message").map_or_else(|| self.0.clone(), json::bare)
    }
}

fn refused(method: &str, why: &str, output: &str) -> Failure {
    Failure::Refused(RpcError::new(code::BCLI_ERROR, format!("{method}: {why} ({output})")))
}

impl Client {
    async fn answer(&self, question: &Question) -> Result<Value, Failure> {
        match question {
            Question::ChainInfo { .. } => self.chain_info().await,
            Question::Block(height) | Question::OldBlock(height) => self.block(*height).await,
            Question::SendTransaction { tx, allow_high_fees, .. } => {
                self.send_transaction(tx, *allow_high_fees).await
            }
            Question::Output { txid, vout } => self.output(txid, *vout).await,
            Question::Estimates => self.estimates().await,
        }
    }

    async fn chain_info(&self) -> Result<Value, Failure> {
        let method = "getblockchaininfo";
        let info = self.call(method, &json!([])).await?;
        let info = info.map_err(|error| refused(method, "command failed", &error.message()))?;
        let member = |name: &str| {
            let missing = || refused(method, &format!("bad JSON: object does not have member {name}"), &info);
            let value = json::member(&info, name).ok_or_else(missing)?;
            serde_json::from_str::<Value>(value).map_err(|error| refused(method, &error.to_string(), &info))
        };
        Ok(json!({
            "chain": member("chain")?,
            "headercount": member("headers")?,
            "blockcount": member("blocks")?,
            "ibd": if self.ignores_ibd { json!(false) } else { member("initialblockdownload")? },
        }))
    }

    /// Any error is taken for the end of the chain, as bcli takes it. A block that has a hash and cannot be read, because bitcoind has pruned
    /// it or is still writing it, is asked for again for a time.
    async fn block(&self, height: u32) -> Result<Value, Failure> {
        let Ok(hash) = self.call("getblockhash", &json!([height])).await? else {
            return Ok(json!({ "blockhash": null, "block": null }));
        };
        let hash = json::bare(&hash);
        let found = async {
            loop {
                if let Ok(block) = self.call("getblock", &json!([hash, 0])).await? {
                    break Ok(json!({ "blockhash": hash, "block": json::bare(&block) }));
                }
                crate::wait::pause(RETRY).await;
            }
        };
        let too_late = || {
            let why = format!("getblock {hash} timed out after {} seconds", BLOCK_IS_WRITTEN.as_secs());
            Err(Failure::Refused(RpcError::new(code::BCLI_ERROR, why)))
        };
        crate::wait::within(BLOCK_IS_WRITTEN, found).await.unwrap_or_else(too_late)
    }

    async fn send_transaction(&self, tx: &str, allow_high_fees: bool) -> Result<Value, Failure> {
        let params = if allow_high_fees { json!([tx, 0]) } else { json!([tx]) };
        Ok(match self.call("sendrawtransaction", &params).await? {
            Ok(_) => json!({ "success": true, "errmsg": "" }),
            Err(error) => {
                let known = error.code() == Some(ALREADY_IN_CHAIN);
                let text = format!(
                    "error code: {}\nerror message:\n{}\n",
                    error.code().unwrap_or_default(),
                    error.message()
                );
                json!({ "success": known, "errmsg": text })
            }
        })
    }

    async fn output(&self, txid: &str, vout: u32) -> Result<Value, Failure> {
        let method = "gettxout";
        let spent = json!({ "amount": null, "script": null });
        let output = match self.call(method, &json!([txid, vout])).await? {
            Ok(output) if output != "null" => output,
            _ => return Ok(spent),
        };
        let bad = || refused(method, "bad JSON: value and scriptPubKey were expected", &output);
        let amount = json::member(&output, "value").and_then(satoshi).ok_or_else(bad)?;
        let script = json::member(&output, "scriptPubKey").and_then(|script| json::member(script, "hex"));
        let script = script.map(json::bare).ok_or_else(bad)?;
        Ok(json!({ "amount": format!("{amount}sat"), "script": script }))
    }

    async fn estimates(&self) -> Result<Value, Failure> {
        let unknown = self.shape(DEFAULT_FLOOR, [0; 4]);
        let method = "getmempoolinfo";
        let Ok(info) = self.call(method, &json!([])).await? else { return Ok(unknown) };
        let fee = |name: &str| {
            let bad = || refused(method, &format!("bad JSON: {name} was expected"), &info);
            json::member(&info, name).and_then(satoshi).ok_or_else(bad)
        };
        let floor = fee("mempoolminfee")?.max(fee("minrelaytxfee")?);
        let mut rates = [0; 4];
        for ((blocks, mode), rate) in ESTIMATES.into_iter().zip(&mut rates) {
            let method = "estimatesmartfee";
            let Ok(estimate) = self.call(method, &json!([blocks, mode])).await? else { return Ok(unknown) };
            *rate = match json::member(&estimate, "feerate") {
                Some(rate) => {
                    satoshi(rate).ok_or_else(|| refused(method, "bad JSON: cannot scan", &estimate))?
                }
                None => FAKE_FEERATE,
            };
        }
        Ok(self.shape(floor, rates))
    }

    /// Estimates as the release wants them; 0 is an unknown one.
    fn shape(&self, floor: u64, rates: [u64; 4]) -> Value {
        if self.profile.estimates_fees_by_name() {
            let [highest, urgent, normal, slow] = rates;
            let by_name = [normal, slow, urgent, normal, urgent, normal, slow / 2, highest * MAX_MULTIPLIER];
            let rate = |rate: u64| if rate > 0 { rate.into() } else { Value::Null };
            return FEERATE_NAMES.into_iter().zip(by_name.map(rate)).collect();
        }
        let known = ESTIMATES.into_iter().zip(rates).filter(|(_, rate)| *rate > 0);
        let known = known.map(|((blocks, _), rate)| {
            json!({ "blocks": blocks, "feerate": rate.max(floor).min(u32::MAX.into()) })
        });
        json!({ "feerates": known.collect::<Vec<_>>(), "feerate_floor": floor })
    }

    /// bitcoind may have been started a moment before the node: it is waited for as bcli does (`wait_and_check_bitcoind`). Whoever asks in vain then is told why.
    async fn wait_for_bitcoind(&self, patience: Duration) {
        let is_there = async {
            while !self.is_ready().await {
                crate::wait::pause(RETRY).await;
            }
        };
        crate::wait::within(patience, is_there).await;
    }

    async fn is_ready(&self) -> bool {
        match self.call("getnetworkinfo", &json!([])).await {
            Err(_) => false,
            Ok(answer) => answer.err().is_none_or(|error| error.code() != Some(IN_WARMUP)),
        }
    }

    /// One call: the outer error is of the connection, the inner one is bitcoind's. The result is its JSON.
    async fn call(&self, method: &str, params: &Value) -> Result<Result<String, Error>, Failure> {
        let url = format!("http://{}/", self.bitcoind.rpc);
        let body = json!({ "jsonrpc": "1.0", "id": "leyden", "method": method, "params": params });
        let request = bitreq::post(url)
            .with_header("Authorization", self.authorization())
            .with_header("Content-Type", "application/json")
            .with_body(body.to_string());
        let explain = |error: &dyn std::fmt::Display| {
            let rpc = self.bitcoind.rpc;
            Failure::Unreachable(format!("bitcoind at {rpc} did not answer {method}: {error}"))
        };
        let response = self.http.send_async(request).await.map_err(|error| explain(&error))?;
        let text = response.as_str().map_err(|error| explain(&error))?;
        let reply = Envelope::parse(text)
            .ok_or_else(|| explain(&format!("HTTP status {}, {text:?}", response.status_code)))?;
        match (reply.error.filter(|error| *error != "null"), reply.result) {
            (Some(error), _) => Ok(Err(Error(error.to_owned()))),
            (None, result) => Ok(Ok(result.unwrap_or("null").to_owned())),
        }
    }

    fn authorization(&self) -> String {
        use base64::Engine;
        let credentials = format!("{}:{}", self.bitcoind.user, self.bitcoind.password);
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials))
    }
}

/// An amount in bitcoin, as a number or a string, in satoshi.
fn satoshi(token: &str) -> Option<u64> {
    let amount = Amount::from_str_in(json::content(token), Denomination::Bitcoin).ok()?;
    Some(amount.to_sat())
}

#[cfg(test)]
mod tests {
    use super::satoshi;

    #[test]
    fn an_amount_may_be_a_number_or_a_string() {
        assert_eq!(satoshi("0.00060000"), Some(60_000));
        assert_eq!(satoshi("\"0.00060000\""), Some(60_000));
        assert_eq!(satoshi("50"), Some(5_000_000_000));
        assert_eq!(satoshi("null"), None);
    }
}
