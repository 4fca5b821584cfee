//! Payments, one after the other, over a channel between two nodes of this process: against what one write of a node costs, and
//! against the same between two lightningds, where there is one.

use crate::contest::{self, Effort, take_turns, timed};
use leyden::env::Settings;
use leyden::{Backend, Net, Node};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::runtime::Runtime;

const ROUNDS: usize = 25;
const REPEATS: usize = 8;

/// The ratios of a payment.
pub(crate) fn sequential(effort: Effort) -> leyden::Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let embedded = Line::start(&runtime, Backend::Embedded)?;
    let real = match Backend::Lightningd.missing(&Settings::from_env()) {
        None => Some(Line::start(&runtime, Backend::Lightningd)?),
        Some(_) => None,
    };
    let (rounds, repeats) = (effort.of(ROUNDS), effort.of(REPEATS));
    let [payment, write] =
        take_turns(rounds, repeats, [&mut || embedded.pay(&runtime), &mut || embedded.write(&runtime)])?;
    contest::compare("a payment", &payment, "a write of the node", &write);
    if let Some(real) = &real {
        let [payment, theirs] =
            take_turns(rounds, repeats, [&mut || embedded.pay(&runtime), &mut || real.pay(&runtime)])?;
        contest::compare("a payment", &payment, "one of lightningd's", &theirs);
    }
    for line in [Some(embedded), real].into_iter().flatten() {
        runtime.block_on(line.net.finish())?;
    }
    Ok(())
}

/// Two nodes with a channel.
struct Line {
    net: Net,
    route: Value,
}

impl Line {
    fn start(runtime: &Runtime, backend: Backend) -> leyden::Result<Self> {
        runtime.block_on(async {
            let net = Net::line(["l1", "l2"]).backend(backend).start().await?;
            let [l1, l2] = net.nodes();
            let channel = l1.get_channel_scid(&l2).await?;
            let route = json!([{ "id": l2.id(), "channel": channel, "amount_msat": 1000, "delay": 9 }]);
            Ok(Self { net, route })
        })
    }

    /// How long `sendpay` and `waitsendpay` take together.
    fn pay(&self, runtime: &Runtime) -> leyden::Result<Duration> {
        let [l1, l2] = self.net.nodes();
        let label = self.net.timeline().now().to_string();
        let invoice = runtime.block_on(l2.rpc("invoice", json!([1000, label, ""])))?;
        let params = json!({
            "route": self.route,
            "payment_hash": invoice["payment_hash"],
            "payment_secret": invoice["payment_secret"],
        });
        let paid = timed(|| {
            runtime.block_on(async {
                l1.rpc("sendpay", params).await?;
                l1.rpc("waitsendpay", json!([invoice["payment_hash"]])).await
            })
        })?;
        Ok(paid.0)
    }

    /// How long one transaction of a node takes, with the request for it.
    fn write(&self, runtime: &Runtime) -> leyden::Result<Duration> {
        let [l1, _]: [Node; 2] = self.net.nodes();
        let params = json!({ "key": "bench", "string": "value", "mode": "create-or-replace" });
        Ok(timed(|| runtime.block_on(l1.rpc("datastore", params)))?.0)
    }
}
