//! What is looked at: what nodes say, how often plugins were asked, what is in wallets.

use std::ops::RangeInclusive;

use leyden::{Amount, Deadline, Error, Node, Result};
use serde_json::{Value, json};

use super::stage::{Stage, is_over, list, preimage, text};

/// HTLCs in these states stay as they are until somebody decides about them.
const AT_REST: [&str; 2] = ["SENT_ADD_ACK_REVOCATION", "RCVD_ADD_ACK_REVOCATION"];

impl Stage<'_> {
    /// The channel of two nodes that is in use.
    pub(super) async fn channel(&self, node: &Node, peer: &Node) -> Result<Value> {
        let listed = node.rpc("listpeerchannels", json!([peer.id()])).await?;
        let found = list(&listed["channels"]).iter().find(|channel| !is_over(channel)).cloned();
        let doing = || format!("the channel of {} with {}", node.name(), peer.name());
        found.ok_or_else(|| Error::node(doing()).expected("one in use").came(listed.to_string()))
    }

    /// The short channel id of a channel, also if its node crashes before it has said it: a commit of its own may have come first.
    pub(super) async fn scid(&mut self, node: &Node, peer: &Node) -> Result<Value> {
        loop {
            match self.channel(node, peer).await {
                Ok(mut channel) => return Ok(channel["short_channel_id"].take()),
                Err(error) if !self.tend().await? => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Waits until this is what a node says of its channels, payments, invoices and forwards.
    pub(crate) async fn sees(&mut self, node: &Node, expected: &[&str]) -> Result {
        let deadline = Deadline::after(self.patience);
        loop {
            let from = self.net.timeline().now();
            self.tend().await?;
            let seen = match self.view(node, expected).await {
                Ok(seen) if seen == expected => return Ok(()),
                Ok(seen) => format!("{seen:?}"),
                Err(error) => error.to_string(),
            };
            let doing = format!("waiting for what {} sees", node.name());
            self.wait(from, deadline, || Error::node(doing).expected(format!("{expected:?}")).came(seen))
                .await?;
        }
    }

    /// How often a node has asked about payments.
    pub(crate) async fn asked(&mut self, node: &Node, expected: &[(u64, RangeInclusive<usize>)]) -> Result {
        let deadline = Deadline::after(self.patience);
        loop {
            let from = self.net.timeline().now();
            let seen: Vec<(u64, usize)> = self
                .invoices
                .keys()
                .map(|payment| (*payment, self.calls(node, *payment).len()))
                .filter(|(_, times)| *times > 0)
                .collect();
            let fits = seen.len() == expected.len()
                && seen
                    .iter()
                    .zip(expected)
                    .all(|(seen, range)| seen.0 == range.0 && range.1.contains(&seen.1));
            if fits {
                return Ok(());
            }
            let error = || {
                let doing = format!("how often {} asks about which payment", node.name());
                Error::node(doing).expected(format!("{expected:?}")).came(format!("{seen:?}"))
            };
            let most = |payment| {
                expected.iter().find(|(about, _)| *about == payment).map_or(0, |(_, range)| *range.end())
            };
            if seen.iter().any(|(payment, times)| *times > most(*payment)) {
                return Err(error());
            }
            self.wait(from, deadline, error).await?;
        }
    }

    /// What a node has in its wallet, and what it has paid to miners.
    pub(crate) async fn owns(&mut self, node: &Node, expected: Amount) -> Result {
        let deadline = Deadline::after(self.patience);
        let fees_sat = self.fees_sat.get(node.name()).copied().unwrap_or_default();
        loop {
            let from = self.net.timeline().now();
            let funds = node.rpc("listfunds", json!({})).await?;
            let amounts = list(&funds["outputs"]).iter().filter_map(|output| output["amount_msat"].as_u64());
            let seen_sat = amounts.sum::<u64>() / 1000;
            if seen_sat + fees_sat == expected.to_sat() {
                return Ok(());
            }
            let error = || {
                let came = format!("it has {seen_sat} sat, and {fees_sat} sat went into fees");
                Error::node(format!("the wallet of {}", node.name()))
                    .expected(format!("{} sat", expected.to_sat()))
                    .came(came)
            };
            self.wait(from, deadline, error).await?;
        }
    }

    /// The payer has the preimage.
    pub(crate) async fn paid(&mut self, payer: &Node, payment: u64) -> Result {
        for part in self.part_ids(payment) {
            let paid = payer.rpc("waitsendpay", self.part(payment, part)).await?;
            if paid["payment_preimage"] != preimage(payment) {
                return Err(Error::node(format!("payment {payment}"))
                    .expected("its preimage")
                    .came(paid.to_string()));
            }
        }
        Ok(())
    }

    /// The payment has failed with this code.
    pub(crate) async fn failed(&mut self, payer: &Node, payment: u64, code: i64) -> Result {
        for part in self.part_ids(payment) {
            match payer.rpc("waitsendpay", self.part(payment, part)).await {
                Err(error) if error.code() == code => {}
                other => {
                    return Err(Error::node(format!("payment {payment}"))
                        .expected(format!("the error {code}"))
                        .came(format!("{other:?}")));
                }
            }
        }
        Ok(())
    }

    /// The parameters that name a part of a payment, or the whole.
    fn part(&self, payment: u64, part: u64) -> Value {
        let hash = self.hash(payment);
        match part {
            0 => json!({"payment_hash": hash}),
            part => json!({"payment_hash": hash, "partid": part, "groupid": 1}),
        }
    }

    /// The channels alone, as long as these are not as expected.
    async fn view(&self, node: &Node, expected: &[&str]) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let listed = node.rpc("listpeerchannels", json!({})).await?;
        self.reconnect(node, &listed["channels"]).await;
        for channel in list(&listed["channels"]).iter().filter(|channel| !is_over(channel)) {
            lines.push(self.channel_line(channel));
        }
        lines.sort();
        if lines.iter().zip(expected).any(|(line, expected)| line != expected) {
            return Ok(lines);
        }
        let sent = node.rpc("listsendpays", json!({})).await?;
        let mut payments: Vec<(u64, Option<u64>, &str)> = list(&sent["payments"])
            .iter()
            .map(|payment| {
                let number = self.payment(&payment["payment_hash"]);
                (number, payment["partid"].as_u64(), text(&payment["status"]))
            })
            .collect();
        payments.sort_unstable();
        lines.extend(payments.iter().map(|(payment, part, status)| match part {
            None => format!("payment {payment}: {status}"),
            Some(part) => format!("payment {payment}, part {part}: {status}"),
        }));
        let invoices = node.rpc("listinvoices", json!({})).await?;
        for invoice in list(&invoices["invoices"]) {
            lines.push(format!("invoice {}: {}", text(&invoice["label"]), text(&invoice["status"])));
        }
        let forwards = node.rpc("listforwards", json!({})).await?;
        for status in ["offered", "settled", "failed", "local_failed"] {
            match list(&forwards["forwards"]).iter().filter(|forward| forward["status"] == status).count() {
                0 => {}
                count => lines.push(format!("forwards {status}: {count}")),
            }
        }
        Ok(lines)
    }

    fn channel_line(&self, channel: &Value) -> String {
        let peer = self.peer(channel);
        let mut line = format!("with {}: {} msat", peer.name(), channel["to_us_msat"]);
        if channel["state"] != "CHANNELD_NORMAL" || channel["reestablished"] != true {
            line.push_str(&format!(", {}, reestablished {}", channel["state"], channel["reestablished"]));
        }
        let mut htlcs: Vec<(u64, String)> = list(&channel["htlcs"])
            .iter()
            .map(|htlc| {
                let (payment, state) = (self.payment(&htlc["payment_hash"]), text(&htlc["state"]));
                let restless = if AT_REST.contains(&state) { "" } else { state };
                let direction = text(&htlc["direction"]);
                (payment, format!(", {direction} {payment}: {} msat{restless}", htlc["amount_msat"]))
            })
            .collect();
        htlcs.sort();
        line.extend(htlcs.into_iter().map(|(_, htlc)| htlc));
        line
    }

    fn payment(&self, hash: &Value) -> u64 {
        let found = self.invoices.iter().find(|(_, invoice)| invoice["payment_hash"] == *hash);
        found.map_or(0, |(payment, _)| *payment)
    }
}
