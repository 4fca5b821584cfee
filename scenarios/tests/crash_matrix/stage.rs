//! Three nodes in a line, and one payment after the other during which one of them crashes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use leyden::{Crash, CrashPoint, Error, Net, Node, Result, eventually};
use leyden_scenarios::Wrong;
use serde_json::{Value, json};

use crate::books::{Books, End};
use crate::matrix::{Way, until};
use crate::{REFUSAL, Verdict};

/// What is paid.
pub(crate) const AMOUNT_MSAT: u64 = 1_000_000;
/// What the node between earns: lightningd's fees, 1 msat and 10 millionths.
pub(crate) const FEE_MSAT: u64 = 11;

/// The node that crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Paying,
    Between,
    Receiving,
}

impl Victim {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Paying => "l1",
            Self::Between => "l2",
            Self::Receiving => "l3",
        }
    }
}

/// The preimages of all payments, by their hashes: a plugin that resolves must know them.
#[derive(Clone, Default)]
pub(crate) struct Preimages(Arc<Mutex<BTreeMap<String, String>>>);

impl Preimages {
    pub(crate) fn of(&self, hash: &Value) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known[hash.as_str().expect("a hash is a string")].clone()
    }

    fn add(&self, hash: &Value, preimage: String) {
        let hash = hash.as_str().expect("a hash is a string").to_owned();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, preimage);
    }
}

/// How often payments ended so, for the reader of the output.
#[derive(Default)]
pub(crate) struct Ends {
    complete: usize,
    failed: usize,
    never_sent: usize,
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { complete, failed, never_sent } = self;
        write!(f, "attempts: {complete} complete, {failed} failed, {never_sent} never sent")
    }
}

pub(crate) struct Stage<'a> {
    net: &'a Net,
    nodes: [Node; 3],
    victim: Victim,
    verdict: Verdict,
    preimages: Preimages,
    route: Value,
    books: Books,
    played: u64,
    /// What is wrong with the victim when it comes back.
    wrong: Option<Wrong>,
    pub(crate) ends: Ends,
}

impl<'a> Stage<'a> {
    pub(crate) async fn new(
        net: &'a Net,
        victim: Victim,
        verdict: Verdict,
        preimages: Preimages,
    ) -> Result<Self> {
        let nodes = net.nodes::<3>();
        let [l1, l2, l3] = &nodes;
        let (near, far) = (l1.get_channel_scid(l2).await?, l2.get_channel_scid(l3).await?);
        let route = json!([
            {"id": l2.id(), "channel": near, "amount_msat": AMOUNT_MSAT + FEE_MSAT, "delay": 20},
            {"id": l3.id(), "channel": far, "amount_msat": AMOUNT_MSAT, "delay": 14},
        ]);
        let books = Books::open(&nodes).await?;
        let ends = Ends::default();
        Ok(Self { net, nodes, victim, verdict, preimages, route, books, played: 0, wrong: None, ends })
    }

    /// The victim shall be a wrong node, which has to be found.
    pub(crate) fn go_wrong(&mut self, wrong: Wrong) {
        self.wrong = Some(wrong);
    }

    /// Pays; the victim crashes at the first point and starts again, then crashes at the next one, and so on. In the end the payment must have
    /// ended in one way for all; it is tried again if it could not arrive.
    pub(crate) async fn pay_and_crash(&mut self, points: &[CrashPoint]) -> Result<Way> {
        self.played += 1;
        let label = format!("payment {}", self.played);
        let preimage = format!("{:064x}", self.played);
        let invoice =
            json!({"amount_msat": AMOUNT_MSAT, "label": label, "description": "", "preimage": preimage});
        let invoice = self.nodes[2].rpc("invoice", invoice).await?;
        self.preimages.add(&invoice["payment_hash"], preimage);

        let mut crashes = 0;
        let mut way = Way::Crashed;
        for point in points {
            let crash = self.net.crash(&self.victim()).at(point.clone())?;
            way = self.go_on_until(&invoice, crashes, crash).await?;
            if way == Way::Unhurt {
                break;
            }
            crashes += 1;
        }
        if way == Way::Crashed {
            self.come_back().await?;
        }
        let mut end = self.end_of(&invoice, &label).await?;
        if end.is_accident(self.verdict) {
            assert_ne!(crashes, 0, "{label}: {end:?} though nobody crashed");
            self.send(&invoice).await?;
            end = self.end_of(&invoice, &label).await?;
        }
        assert!(!end.is_accident(self.verdict), "{label}: {end:?} though all nodes are there again");
        if let Some(judge) = self.victim().mock("judge") {
            Books::check_judge(&judge, &invoice["payment_hash"], crashes, &label);
        }
        Ok(way)
    }

    fn victim(&self) -> Node {
        self.net.node(self.victim.name())
    }

    /// Sends the payment, or lets the victim come back from a crash, and waits for the end of it all or for the next crash.
    async fn go_on_until(&self, invoice: &Value, crashes: usize, crash: Crash) -> Result<Way> {
        let through = async {
            // The payer may be the one who crashes, and how it ends is looked at later.
            match crashes {
                0 => drop(self.send(invoice).await),
                _ => self.come_back().await?,
            }
            drop(self.nodes[0].rpc("waitsendpay", json!([invoice["payment_hash"]])).await);
            self.no_htlcs().await
        };
        until(crash, through).await
    }

    async fn send(&self, invoice: &Value) -> Result {
        let params = json!({
            "route": self.route,
            "payment_hash": invoice["payment_hash"],
            "payment_secret": invoice["payment_secret"],
        });
        self.nodes[0].rpc("sendpay", params).await.map(drop)
    }

    async fn no_htlcs(&self) -> Result {
        for node in &self.nodes {
            node.wait_for_htlcs().await?;
        }
        Ok(())
    }

    /// Starts the victim again. Nodes do not connect by themselves here.
    async fn come_back(&self) -> Result {
        if let Some(wrong) = self.wrong {
            wrong.leave(self.net, &self.victim())?;
        }
        self.victim().start().await?;
        for pair in self.nodes.windows(2) {
            if pair.iter().any(|node| node.name() == self.victim.name()) {
                let [one, other] = pair else { continue };
                let what = format!("{} and {} use their channel again", one.name(), other.name());
                eventually(what, || reconnect(one, other)).await?;
            }
        }
        Ok(())
    }

    /// How the last attempt has ended, which all nodes must agree about.
    async fn end_of(&mut self, invoice: &Value, name: &str) -> Result<End> {
        let hash = &invoice["payment_hash"];
        let sent = self.nodes[0].rpc("listsendpays", json!({"payment_hash": hash})).await?;
        let end = match sent["payments"].as_array().map(Vec::len) {
            None | Some(0) => End::NeverSent,
            Some(_) => match self.nodes[0].rpc("waitsendpay", json!([hash])).await {
                Ok(_) => End::Complete,
                Err(error) => End::of(&error),
            },
        };
        self.no_htlcs().await?;
        match end {
            End::Complete => self.ends.complete += 1,
            End::Failed(_) => self.ends.failed += 1,
            End::NeverSent => self.ends.never_sent += 1,
        }
        self.books.enter(end, self.verdict);
        self.books.check(&self.nodes, invoice, name).await?;
        Ok(end)
    }
}

impl End {
    /// Whether the crash has kept it from the end that it would have had.
    fn is_accident(self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::None | Verdict::Continue | Verdict::Resolve => self != Self::Complete,
            Verdict::Fail => self != Self::Failed(REFUSAL),
        }
    }
}

/// One look whether two nodes use their channel; connects them if they do not. It is over when one has given the channel up.
async fn reconnect(one: &Node, other: &Node) -> Result<bool> {
    one.connect(other).await?;
    let mut ready = true;
    for (node, peer) in [(one, other), (other, one)] {
        let channel = node.channel(peer).await?;
        if channel["state"] != "CHANNELD_NORMAL" {
            let came = format!("{}: {}", node.name(), channel["state"]);
            return Err(Error::node("a channel").expected("CHANNELD_NORMAL").came(came).fatal());
        }
        ready &= channel["reestablished"] == true;
    }
    Ok(ready)
}
