//! What every node must have and know when a payment has ended.

use std::collections::BTreeMap;

use leyden::{Error, MockPlugin, Node, Result};
use serde_json::{Value, json};

use crate::Verdict;
use crate::stage::{AMOUNT_MSAT, FEE_MSAT};

/// How an attempt to pay has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    /// With this code of BOLT 4.
    Failed(u16),
    /// The payer knows nothing of it.
    NeverSent,
}

impl End {
    /// The failure that the payer was told.
    pub(crate) fn of(error: &Error) -> Self {
        let report = error.to_string();
        let (_, rest) = report.split_once("\"failcode\":").unwrap_or_else(|| panic!("no failcode: {report}"));
        let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
        Self::Failed(digits.parse().unwrap_or_else(|_| panic!("no code: {report}")))
    }
}

/// Who has how much, to the msat: the two ends of the first channel and those of the second.
pub(crate) struct Books {
    balances: [u64; 4],
    /// How many payments the node between has passed on.
    forwarded: usize,
}

impl Books {
    pub(crate) async fn open(nodes: &[Node; 3]) -> Result<Self> {
        Ok(Self { balances: balances(nodes).await?, forwarded: 0 })
    }

    /// What the end of an attempt means for everybody's money.
    pub(crate) fn enter(&mut self, end: End, verdict: Verdict) {
        if end != End::Complete {
            return;
        }
        let [payer, near, far, payee] = &mut self.balances;
        *payer -= AMOUNT_MSAT + FEE_MSAT;
        *near += AMOUNT_MSAT + FEE_MSAT;
        // A plugin that knows the preimage keeps what was meant for the payee.
        if verdict != Verdict::Resolve {
            *far -= AMOUNT_MSAT;
            *payee += AMOUNT_MSAT;
            self.forwarded += 1;
        }
    }

    /// Compares with what the nodes say.
    pub(crate) async fn check(&self, nodes: &[Node; 3], invoice: &Value, name: &str) -> Result {
        assert_eq!(balances(nodes).await?, self.balances, "{name}: what everybody has");
        let [l1, l2, l3] = nodes;
        let hash = &invoice["payment_hash"];
        let sent = l1.rpc("listsendpays", json!({"payment_hash": hash})).await?;
        let attempts = len(&sent["payments"]);
        let completed = count(&sent["payments"], |payment| payment["status"] == "complete");
        assert_eq!(count(&sent["payments"], |payment| payment["status"] == "pending"), 0, "{name}: {sent}");

        let settled = l2.rpc("listforwards", json!({"status": "settled"})).await?;
        assert_eq!(len(&settled["forwards"]), self.forwarded, "{name}: {settled}");
        let open = l2.rpc("listforwards", json!({"status": "offered"})).await?;
        assert_eq!(len(&open["forwards"]), 0, "{name}: {open}");
        let paid = l3.rpc("listinvoices", json!({"payment_hash": hash})).await?;
        let [near_out, near_in, far_out, far_in] = self.htlcs(nodes, hash).await?;
        assert_eq!(
            (near_out, near_in),
            (attempts, attempts),
            "{name}: HTLCs for {attempts} attempts: {sent}"
        );
        assert_eq!(far_out, far_in, "{name}: HTLCs of the second channel");
        assert!(far_out <= attempts, "{name}: {far_out} HTLCs were sent on for {attempts} that came");
        let is_paid = paid["invoices"][0]["status"] == "paid";
        assert_eq!(is_paid, completed > 0 && far_in > 0, "{name}: {paid}");
        Ok(())
    }

    /// A plugin that is asked again about an HTLC is asked the same. That its verdict counts once shows in the HTLCs and the money.
    pub(crate) fn check_judge(judge: &MockPlugin, hash: &Value, crashes: usize, name: &str) {
        let mut asked: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
        let calls = judge.calls("htlc_accepted").into_iter().map(|call| call.params().clone());
        for mut call in calls.filter(|call| call["htlc"]["payment_hash"] == *hash) {
            // A node that starts again has yet to look at the last block.
            call["htlc"]["cltv_expiry_relative"].take();
            asked.entry(call["htlc"]["id"].as_u64().unwrap_or_default()).or_default().push(call);
        }
        assert!(!asked.is_empty(), "{name}: the plugin was not asked");
        for (id, calls) in asked {
            assert!(calls.len() <= 1 + crashes, "{name}: asked {} times about HTLC {id}", calls.len());
            assert!(
                calls.iter().all(|call| *call == calls[0]),
                "{name}: asked otherwise about HTLC {id}: {calls:#?}"
            );
        }
    }

    /// How many HTLCs with a hash each end of a channel has had.
    async fn htlcs(&self, [l1, l2, l3]: &[Node; 3], hash: &Value) -> Result<[usize; 4]> {
        let mut counts = [0; 4];
        let ends = [(l1, l2, "out"), (l2, l1, "in"), (l2, l3, "out"), (l3, l2, "in")];
        for (number, (node, peer, direction)) in counts.iter_mut().zip(ends) {
            let scid = node.get_channel_scid(peer).await?;
            let listed = node.rpc("listhtlcs", json!([scid])).await?;
            *number = count(&listed["htlcs"], |htlc| {
                htlc["payment_hash"] == *hash && htlc["direction"] == direction
            });
        }
        Ok(counts)
    }
}

async fn balances([l1, l2, l3]: &[Node; 3]) -> Result<[u64; 4]> {
    let mut balances = [0; 4];
    for (balance, (node, peer)) in balances.iter_mut().zip([(l1, l2), (l2, l1), (l2, l3), (l3, l2)]) {
        let channel = node.channel(peer).await?;
        *balance = channel["to_us_msat"].as_u64().unwrap_or_else(|| panic!("no to_us_msat: {channel}"));
    }
    Ok(balances)
}

fn len(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

fn count(list: &Value, is_one: impl Fn(&Value) -> bool) -> usize {
    list.as_array().into_iter().flatten().filter(|entry| is_one(entry)).count()
}
