//! One call of a node's JSON-RPC, and what its errors tell a test's author.

use std::fmt::Debug;
use std::panic::Location;
use std::path::PathBuf;

use cln_rpc::{ClnRpc, RpcError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{Error, Fault, Result};
use crate::event::EventKind;
use crate::timeline::Timeline;
use crate::wait::Deadline;

/// lightningd: "Plugin terminated before replying to RPC call" (`common/jsonrpc_errors.h`, `PLUGIN_TERMINATED`).
const PLUGIN_TERMINATED: i32 = -4;

/// A node's RPC socket, and where answers are recorded.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    pub(crate) node: String,
    pub(crate) socket: PathBuf,
    pub(crate) timeline: Timeline,
}

impl Rpc {
    /// Calls a method on a connection of its own, as lightning-cli does.
    pub(crate) async fn call<P, R>(
        &self,
        method: &str,
        params: &P,
        deadline: Deadline,
        at: &'static Location<'static>,
    ) -> Result<R>
    where
        P: Serialize + Debug,
        R: DeserializeOwned + Debug,
    {
        let doing = format!("{}: {method}", self.node);
        let call = async {
            let mut connection = ClnRpc::new(&self.socket).await.map_err(|error| {
                Error::node(doing.clone())
                    .expected(format!("a node that listens on {}", self.socket.display()))
                    .came(error.to_string())
                    .advice("see whether the node was stopped, or has died")
            })?;
            let answer = connection.call_raw::<Value, _>(method, params).await;
            self.record(method, params, &answer);
            let result = answer.map_err(|error| refused(&doing, params, error))?;
            serde_json::from_value(result.clone()).map_err(|error| {
                Error::node(doing.clone())
                    .expected("an answer that fits the request's type")
                    .came(error.to_string())
                    .evidence("the answer", [result.to_string()])
            })
        };
        deadline.limit(doing.clone(), call).await.and_then(|answered| answered).map_err(|error| error.at(at))
    }
}

impl Rpc {
    fn record(&self, method: &str, params: &impl Serialize, answer: &std::result::Result<Value, RpcError>) {
        let answer = match answer {
            Ok(result) => Ok(result.to_string()),
            Err(RpcError { code: Some(code), message, data }) => {
                Err(json!({"code": code, "message": message, "data": data}).to_string())
            }
            // cln-rpc has no code for a connection that ends: nothing was answered.
            Err(RpcError { code: None, .. }) => return,
        };
        let params = json!(params).to_string();
        self.timeline
            .record(Some(&self.node), EventKind::RpcAnswered { method: method.to_owned(), params, answer });
    }
}

fn refused(doing: &str, params: &(impl Serialize + Debug), error: RpcError) -> Error {
    let given = serde_json::to_string(params).unwrap_or_else(|_| format!("{params:?}"));
    let Some(code) = error.code else {
        return Error::node(doing)
            .expected("an answer")
            .came(error.message)
            .evidence("the parameters", [given]);
    };
    let fault = if code == PLUGIN_TERMINATED { Fault::Plugin } else { Fault::Test };
    Error::new(fault, doing)
        .came(format!("the node answered with the error {:?}", error.message))
        .with_code(code.into())
        .evidence("the parameters", [given])
        .evidence("the error's data", error.data.map(|data| data.to_string()))
}
