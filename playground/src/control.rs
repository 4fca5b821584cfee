//! What commands say to the program that has the net, and hear: one line of JSON each way, over the home's socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::home::Home;

/// Something that the net is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Order {
    /// Give every node coins, and each a channel with the next.
    FundNodes,
    Connect {
        from: String,
        to: String,
    },
    /// Call an RPC method, of a node or of bitcoind.
    Call {
        whom: String,
        method: String,
        params: Value,
    },
    Stop,
}

/// By whose name bitcoind is called.
pub(crate) const BITCOIND: &str = "bitcoind";

impl Order {
    fn to_json(&self) -> Value {
        match self {
            Self::FundNodes => json!({ "do": "fund_nodes" }),
            Self::Connect { from, to } => json!({ "do": "connect", "from": from, "to": to }),
            Self::Call { whom, method, params } => {
                json!({ "do": "call", "whom": whom, "method": method, "params": params })
            }
            Self::Stop => json!({ "do": "stop" }),
        }
    }

    /// Reads an order from its line.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let mut order: Value = serde_json::from_str(line).context("an order is JSON")?;
        let text = |order: &Value, name: &str| order[name].as_str().unwrap_or_default().to_owned();
        Ok(match &*text(&order, "do") {
            "fund_nodes" => Self::FundNodes,
            "connect" => Self::Connect { from: text(&order, "from"), to: text(&order, "to") },
            "call" => Self::Call {
                whom: text(&order, "whom"),
                method: text(&order, "method"),
                params: order["params"].take(),
            },
            "stop" => Self::Stop,
            other => bail!("there is no order '{other}'"),
        })
    }
}

/// Gives an order to the net of this home, and waits for what comes of it.
///
/// # Errors
/// If there is no net, or what it answers instead.
pub(crate) fn give(home: &Home, order: &Order) -> Result<Value> {
    let mut stream = UnixStream::connect(home.control())
        .map_err(|_| anyhow!("no net runs in {}: start one with `leyden start_ln`", home.path().display()))?;
    writeln!(stream, "{}", order.to_json())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let mut answer: Value = serde_json::from_str(&line)
        .with_context(|| format!("the net has gone; see {}", home.log().display()))?;
    match answer["error"].as_str() {
        Some(error) => bail!("{error}"),
        None => Ok(answer["result"].take()),
    }
}

/// Whether a net runs in this home.
pub(crate) fn is_running(home: &Home) -> bool {
    UnixStream::connect(home.control()).is_ok()
}

/// The line that answers an order.
pub(crate) fn answer(came: &Result<Value, String>) -> String {
    let answer = match came {
        Ok(result) => json!({ "result": result }),
        Err(error) => json!({ "error": error }),
    };
    format!("{answer}\n")
}

/// The last line that a host says on its standard output: now it takes orders.
pub(crate) const READY: &str = "ready";

/// Hands on what a host says until it is ready.
///
/// # Errors
/// If it ends before that; it has said why.
pub(crate) fn relay(host: impl io::Read, out: &mut impl Write) -> Result<()> {
    for line in BufReader::new(host).lines() {
        match line? {
            line if line == READY => return Ok(()),
            line => writeln!(out, "{line}")?,
        }
    }
    bail!("the net has not started")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_given() {
        let call = Order::Call { whom: "l1".into(), method: "getinfo".into(), params: json!([1, "a"]) };
        let connect = Order::Connect { from: "l1".into(), to: "l2".into() };
        for order in [Order::FundNodes, connect, call, Order::Stop] {
            assert_eq!(Order::parse(&order.to_json().to_string()).unwrap(), order);
        }
        assert!(Order::parse("{}").is_err() && Order::parse("stop").is_err());
    }
}
