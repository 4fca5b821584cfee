//! One call of a node's JSON-RPC, and what its errors tell a test's author.

use std::fmt::Debug;
use std::panic::Location;
use std::path::PathBuf;

use cln_rpc::{ClnRpc, RpcError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Fault, Result};
use crate::wait::Deadline;

/// lightningd: "Plugin terminated before replying to RPC call" (`common/jsonrpc_errors.h`, `PLUGIN_TERMINATED`).
const PLUGIN_TERMINATED: i32 = -4;

/// A node's RPC socket.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    pub(crate) node: String,
    pub(crate) socket: PathBuf,
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
            connection.call_raw(method, params).await.map_err(|error| refused(&doing, params, error))
        };
        deadline.limit(doing.clone(), call).await.and_then(|answered| answered).map_err(|error| error.at(at))
    }
}

fn refused(doing: &str, params: &(impl Serialize + Debug), error: RpcError) -> Error {
    let given = serde_json::to_string(params).unwrap_or_else(|_| format!("{params:?}"));
    let Some(code) = error.code else {
        // cln-rpc has no code for a connection that ends.
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
