//! What a plugin makes of crashes: a payment is made again and again, and each time the node stops dead at another point and is started again.
//!
//! lightningd asks its plugins once more, when it starts, about every HTLC that has no final verdict. A plugin has to give the same answer then,
//! and must not do again what it has done already. [`Net::replay`] tries that at every point of a payment's life and [reports](Report).
//!
//! | module | subject |
//! |---|---|
//! | `attempt` | one payment, with a crash or without |
//! | `payment` | making the payment, and its end |
//! | `effect` | how often something has happened outside of the node |
//! | `verdict`, `mistake` | what the plugin was asked and said; what was wrong |
//! | `report` | all of it, to be printed and checked |

mod attempt;
mod effect;
mod mistake;
mod payment;
mod report;
mod verdict;

use std::panic::Location;
use std::time::Duration;

use serde_json::Value;

use crate::amount::{Amount, Units};
use crate::backend::Backend;
use crate::crash::{Commit, CrashPoint, Hook};
use crate::error::{Error, Result};
use crate::net::Net;
use crate::node::Node;
use attempt::Attempted;
use effect::Effects;
use payment::{End, Invoices};

pub use mistake::Mistake;
pub use payment::PaymentEnd;
pub use report::{Attempt, Report};
pub use verdict::Verdict;

/// The hooks through which a plugin has to do with payments.
const HOOKS: [&str; 3] = ["htlc_accepted", "invoice_payment", "commitment_revocation"];

impl Net {
    /// Makes payments through the node that has a plugin, and crashes the node at every point of one of them.
    ///
    /// ```no_run
    /// # async fn test() -> leyden::Result {
    /// use leyden::{Net, Plugin};
    /// # const MY_PLUGIN: &str = "my-plugin";
    /// let net = Net::line(["l1", "l2"]).plugin("l2", Plugin::exe(MY_PLUGIN)).start().await?;
    /// let [l1, l2] = net.nodes();
    /// let report = net.replay(&l2, "my-plugin").along([&l1, &l2]).effect_rpc("xpay").run().await?;
    /// println!("{report}");
    /// report.check()?;
    /// # net.finish().await }
    /// ```
    ///
    /// `plugin` is the plugin's or the mock's name. Each payment is one of its own, over an invoice of its own; the net stays the same, and so
    /// does what the plugin has kept. The memory of a mock, unlike that of a process, outlives its node. A real lightningd is crashed at the
    /// calls of hooks and their answers alone: nobody can stop it at a chosen commit.
    #[track_caller]
    pub fn replay(&self, node: &Node, plugin: &str) -> Replay<'_> {
        Replay {
            net: self,
            node: node.clone(),
            plugin: plugin.to_owned(),
            along: Vec::new(),
            invoices: Invoices::OfPayee(10_000.msat()),
            effects: Effects::default(),
            points: None,
            patience: None,
            at: Location::caller(),
        }
    }
}

/// What is to be replayed; made by [`Net::replay`].
#[must_use = "call `run().await`, and look at the report or `check()` it"]
pub struct Replay<'net> {
    net: &'net Net,
    node: Node,
    plugin: String,
    along: Vec<Node>,
    invoices: Invoices,
    effects: Effects,
    points: Option<Vec<CrashPoint>>,
    patience: Option<Duration>,
    at: &'static Location<'static>,
}

impl Replay<'_> {
    /// The nodes of the payment, from the one that pays to the one that is paid. The node with the plugin is one of them, and each has a
    /// channel with the next. It pays lightningd's fees.
    pub fn along<'node>(mut self, nodes: impl IntoIterator<Item = &'node Node>) -> Self {
        self.along = nodes.into_iter().cloned().collect();
        self
    }

    /// What each payment is worth, without fees: 10,000 msat without this.
    pub fn amount(mut self, amount: Amount) -> Self {
        self.invoices.set_amount(amount);
        self
    }

    /// What is paid, in place of an invoice that the last node makes: `payment_hash` and, unless the plugin does without, `payment_secret`. It is
    /// called before each payment with the number of it, from 0, and no hash may come twice. A plugin that makes invoices of its own is asked
    /// for one here.
    pub fn invoices<F, Fut>(mut self, make: F) -> Self
    where
        F: Fn(usize) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value>> + Send + 'static,
    {
        self.invoices.set_maker(move |nth| Box::pin(make(nth)));
        self
    }

    /// Something that the plugin does outside of the node, and how often it has happened so far: lines of a file, rows of a database, requests
    /// that a test's server has seen. Where the plugin takes its time, the closure has to wait for it.
    pub fn effect<F, Fut>(mut self, name: impl Into<String>, count: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<usize>> + Send + 'static,
    {
        self.effects.counted(name.into(), move || Box::pin(count()));
        self
    }

    /// A command that the plugin calls on its node, such as `xpay` or `datastore`: each call during a payment counts. They are seen by a mock
    /// with the hook `rpc_command`, which stays on the node.
    pub fn effect_rpc(mut self, method: impl Into<String>) -> Self {
        self.effects.command(method.into());
        self
    }

    /// The points to crash at, in place of all.
    pub fn at(mut self, points: impl IntoIterator<Item = CrashPoint>) -> Self {
        self.points = Some(points.into_iter().collect());
        self
    }

    /// How long a payment may take, once the node runs again: as long as every wait without this.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Makes one payment without a crash, and then one for each point. Those are, for each commit that the first one took, before it, after it
    /// and after what it sent (an embedded node only); and for each call of a hook about payments, the call and the answer.
    ///
    /// A payment that does not end is the last.
    ///
    /// # Errors
    /// If the first payment does not end, or never comes to the plugin; if a node does not start again. What the plugin does wrong is in the
    /// report, and no error.
    pub async fn run(self) -> Result<Report> {
        self.check_route()?;
        self.effects.watch(&self.node, self.at).await?;
        let began = self.node.timeline().now();
        let calm = self.attempt(0, None).await.map_err(|error| error.at(self.at))?;
        let points = match &self.points {
            Some(points) => points.clone(),
            None => self.points_of(&calm)?,
        };
        let mut attempts = vec![calm];
        for (nth, point) in points.into_iter().enumerate() {
            let name = point.to_string();
            let attempt = self.attempt(nth + 1, Some(point)).await;
            let attempt =
                attempt.map_err(|error| error.evidence("the node was to crash", [name]).at(self.at))?;
            let ended = !matches!(attempt.end, End::Open(_));
            attempts.push(attempt);
            if !ended {
                break;
            }
        }
        Ok(self.report(began, attempts))
    }

    fn doing(&self) -> String {
        format!("replaying payments to {} of {}", self.plugin, self.node.name())
    }

    fn check_route(&self) -> Result {
        let wrong = |came: &str| {
            Err(Error::test(self.doing())
                .expected("the payment's nodes, that of the plugin among them but not the first")
                .came(came)
                .advice("say who pays and who is paid: .along([&l1, &l2])")
                .at(self.at))
        };
        match self.along.iter().position(|node| node.name() == self.node.name()) {
            _ if self.along.len() < 2 => wrong("fewer than two"),
            None => wrong("it is not among them"),
            Some(0) => wrong("it is the payer, which is asked about nothing"),
            Some(_) => Ok(()),
        }
    }

    /// Every point of a payment that went so.
    fn points_of(&self, calm: &Attempted) -> Result<Vec<CrashPoint>> {
        if let End::Open(what) = &calm.end {
            return Err(Error::plugin(self.doing())
                .expected("a payment that ends, before anything crashes")
                .came(what.clone())
                .at(self.at));
        }
        let calls = |hook: &str| self.calls(calm, hook);
        if HOOKS.iter().all(|hook| calls(hook) == 0) {
            return Err(Error::test(self.doing())
                .expected(format!("a plugin that is called: {}", HOOKS.join(", ")))
                .came("the payment passed without it")
                .at(self.at));
        }
        let mut points = Vec::new();
        for hook in HOOKS {
            for nth in 1..=calls(hook) {
                points.push(Hook::called(hook).nth(nth).into());
                points.push(Hook::answered(hook).nth(nth).into());
            }
        }
        if self.node.backend() == Backend::Embedded {
            for nth in 1..=calm.commits {
                let commit = Commit::nth(nth);
                points.extend([commit.before(), commit.after(), commit.after_send()]);
            }
        }
        Ok(points)
    }
}
