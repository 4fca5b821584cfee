//! The built-in Bitcoin backend: bitcoind over JSON-RPC and HTTP (`plugins/bcli.c`).

use crate::config::Bitcoind;
use crate::input::Input;
use crate::mailbox::Mailbox;
use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize_hex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// What the core asks of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChainRequest {
    /// `getchaininfo`.
    GetChainInfo,
    /// `getrawblockbyheight`.
    GetBlock(u32),
}

/// What the chain answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChainReply {
    /// To [`ChainRequest::GetChainInfo`].
    Info {
        /// bip70's name: `main`, `test`, `regtest`.
        chain: String,
        /// The height of the best header.
        headercount: u32,
        /// The height of the best block.
        blockcount: u32,
    },
    /// To [`ChainRequest::GetBlock`]: the block, or `None` if the chain is not that long.
    Block(Option<Header>),
}

/// Serves requests, one after another, until nobody can ask any more.
pub(crate) async fn run(
    bitcoind: Bitcoind,
    mut requests: mpsc::UnboundedReceiver<ChainRequest>,
    mailbox: Mailbox,
) {
    let client = Client { http: bitreq::Client::new(1), bitcoind };
    while let Some(request) = requests.recv().await {
        let reply = match request {
            ChainRequest::GetChainInfo => client.chain_info().await,
            ChainRequest::GetBlock(height) => client.block(height).await,
        };
        mailbox.send(Input::Chain(request, reply));
    }
}

struct Client {
    http: bitreq::Client,
    bitcoind: Bitcoind,
}

/// bitcoind's code for a height that the chain does not have (`RPC_INVALID_PARAMETER`).
const NO_SUCH_HEIGHT: i64 = -8;

impl Client {
    async fn chain_info(&self) -> Result<ChainReply, String> {
        let info = self.call("getblockchaininfo", &json!([])).await?.map_err(|error| error.to_string())?;
        let number = |name: &str| {
            let number = info[name].as_u64().and_then(|number| u32::try_from(number).ok());
            number.ok_or_else(|| format!("getblockchaininfo of bitcoind has no number '{name}': {info}"))
        };
        Ok(ChainReply::Info {
            chain: info["chain"].as_str().unwrap_or_default().to_owned(),
            headercount: number("headers")?,
            blockcount: number("blocks")?,
        })
    }

    async fn block(&self, height: u32) -> Result<ChainReply, String> {
        let hash = match self.call("getblockhash", &json!([height])).await? {
            Ok(hash) => hash,
            Err(error) if error["code"] == NO_SUCH_HEIGHT => return Ok(ChainReply::Block(None)),
            Err(error) => return Err(format!("getblockhash {height}: {error}")),
        };
        let header =
            self.call("getblockheader", &json!([hash, false])).await?.map_err(|error| error.to_string())?;
        let header = header.as_str().unwrap_or_default();
        let header =
            deserialize_hex(header).map_err(|error| format!("bad block header '{header}': {error}"))?;
        Ok(ChainReply::Block(Some(header)))
    }

    /// One call: the outer error is of the connection, the inner one is bitcoind's.
    async fn call(&self, method: &str, params: &Value) -> Result<Result<Value, Value>, String> {
        let url = format!("http://{}/", self.bitcoind.rpc);
        let body = json!({ "jsonrpc": "1.0", "id": "leyden", "method": method, "params": params });
        let request = bitreq::post(url)
            .with_header("Authorization", self.authorization())
            .with_header("Content-Type", "application/json")
            .with_body(body.to_string());
        let explain = |error: &dyn std::fmt::Display| {
            format!("bitcoind at {} did not answer {method}: {error}", self.bitcoind.rpc)
        };
        let response = self.http.send_async(request).await.map_err(|error| explain(&error))?;
        let mut reply: Value = serde_json::from_slice(response.as_bytes()).map_err(|error| {
            let status = response.status_code;
            explain(&format!("HTTP status {status}, {error}"))
        })?;
        // A proxy may leave out `result` where there is an `error`, and the other way round.
        match reply["error"].take() {
            Value::Null => Ok(Ok(reply["result"].take())),
            error => Ok(Err(error)),
        }
    }

    fn authorization(&self) -> String {
        use base64::Engine;
        let credentials = format!("{}:{}", self.bitcoind.user, self.bitcoind.password);
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials))
    }
}
