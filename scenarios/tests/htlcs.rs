//! Property: whatever any chain of plugins answers to `htlc_accepted`, at the node that passes an HTLC on and at the one that it is
//! for, the payer gets what the model says, each plugin is asked that the model says, and no money is lost.

use leyden::{Backend, Call, Mock, Net, Node, Reply, Result};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What one plugin says about the HTLC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Continue,
    /// Fails it with this code of BOLT 4.
    Fail(Failure),
    /// Pays with the preimage, which only a test can know.
    Resolve,
    /// Tries to pay with another.
    ResolveWrongly,
    /// Changes the amount or height that the payload asks for.
    Spoil,
    /// Says that twice of it was asked for.
    AskForMore,
    Die,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    TemporaryNode,
    PermanentNode,
    UnknownDetails,
}

impl Failure {
    const fn code(self) -> u16 {
        match self {
            Self::TemporaryNode => 0x2002,
            Self::PermanentNode => 0x6002,
            Self::UnknownDetails => 0x400f,
        }
    }
}

/// What the payer gets.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Paid,
    /// The node at this place of the route failed it with this code.
    Failed(u64, u16),
}

/// The chains of the two nodes behind the payer.
#[derive(Debug, Clone)]
struct Case {
    forwarder: Vec<Answer>,
    receiver: Vec<Answer>,
}

const INVALID_ONION_PAYLOAD: u16 = 0x4016;

/// The model of one node: how many of its plugins are asked, and what comes of it. `Err` is the end of the HTLC there: paid, or
/// failed with a code.
fn judge(chain: &[Answer]) -> (usize, std::result::Result<bool, Option<u16>>) {
    let (mut asked, mut spoiled, mut wants_more) = (0, false, false);
    for answer in chain {
        asked += 1;
        match answer {
            Answer::Continue | Answer::Die => {}
            Answer::Spoil => spoiled = true,
            Answer::AskForMore => wants_more = true,
            Answer::Fail(failure) => return (asked, Err(Some(failure.code()))),
            Answer::Resolve => return (asked, Err(None)),
            Answer::ResolveWrongly => return (asked, Err(Some(Failure::UnknownDetails.code()))),
        }
    }
    (asked, if spoiled { Err(Some(INVALID_ONION_PAYLOAD)) } else { Ok(wants_more) })
}

impl Case {
    /// How many plugins of each node are asked, and what comes of it.
    fn model(&self) -> ([usize; 2], Outcome) {
        let (first, verdict) = judge(&self.forwarder);
        match verdict {
            Err(None) => return ([first, 0], Outcome::Paid),
            Err(Some(code)) => return ([first, 0], Outcome::Failed(1, code)),
            // What an invoice asks for is of no interest to who passes it on.
            Ok(_) => {}
        }
        let (second, verdict) = judge(&self.receiver);
        let outcome = match verdict {
            Err(None) | Ok(false) => Outcome::Paid,
            Ok(true) => Outcome::Failed(2, Failure::UnknownDetails.code()),
            Err(Some(code)) => Outcome::Failed(2, code),
        };
        ([first, second], outcome)
    }
}

fn reply(answer: Answer, preimage: &str) -> Reply {
    match answer {
        Answer::Continue => Reply::cont(),
        Answer::Fail(failure) => Reply::fail(format!("{:04x}", failure.code())),
        Answer::Resolve => Reply::resolve(preimage),
        Answer::ResolveWrongly => Reply::resolve("00".repeat(32)),
        // A record, but neither amount nor height.
        Answer::Spoil => Reply::result(json!({ "result": "continue", "payload": "0100" })),
        Answer::AskForMore => Reply::result(json!({ "result": "continue", "invoice_msat": 2 * AMOUNT_MSAT })),
        Answer::Die => Reply::exit(1),
    }
}

fn answer() -> impl Strategy<Value = Answer> {
    let failure = prop_oneof![
        Just(Failure::TemporaryNode),
        Just(Failure::PermanentNode),
        Just(Failure::UnknownDetails)
    ];
    prop_oneof![
        6 => Just(Answer::Continue),
        1 => failure.prop_map(Answer::Fail),
        1 => Just(Answer::Resolve),
        1 => Just(Answer::ResolveWrongly),
        1 => Just(Answer::Spoil),
        1 => Just(Answer::AskForMore),
        1 => Just(Answer::Die),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let chain = || prop::collection::vec(answer(), 0..=3);
    (chain(), chain()).prop_map(|(forwarder, receiver)| Case { forwarder, receiver })
}

const AMOUNT_MSAT: u64 = 1_000_000;

/// Plays cases, one after the other, on the same three nodes.
struct Stage {
    l1: Node,
    l2: Node,
    l3: Node,
    route: Value,
    played: u64,
}

impl Stage {
    async fn new(net: &Net) -> Result<Self> {
        let [l1, l2, l3] = net.nodes();
        let (near, far) = (l1.get_channel_scid(&l2).await?, l2.get_channel_scid(&l3).await?);
        let route = json!([
            {"id": l2.id(), "channel": near, "amount_msat": AMOUNT_MSAT + 11, "delay": 20},
            {"id": l3.id(), "channel": far, "amount_msat": AMOUNT_MSAT, "delay": 14},
        ]);
        Ok(Self { l1, l2, l3, route, played: 0 })
    }

    /// What the three nodes have: in their channels no money comes or goes.
    async fn balances(&self) -> Result<[u64; 4]> {
        let mut balances = [0; 4];
        let ends = [(&self.l1, &self.l2), (&self.l2, &self.l1), (&self.l2, &self.l3), (&self.l3, &self.l2)];
        for (balance, (node, peer)) in balances.iter_mut().zip(ends) {
            *balance = node.channel(peer).await?["to_us_msat"].as_u64().unwrap_or_default();
        }
        Ok(balances)
    }

    async fn mount(
        &self,
        node: &Node,
        chain: &[Answer],
        preimage: &str,
        asked: &Arc<Mutex<usize>>,
    ) -> Result {
        for (number, answer) in chain.iter().copied().enumerate() {
            let (asked, preimage) = (Arc::clone(asked), preimage.to_owned());
            let hook = Mock::hook("htlc_accepted").reply(move |_: &Call| {
                *asked.lock().unwrap() += 1;
                reply(answer, &preimage)
            });
            node.mount(hook.named(&format!("plugin-{number}"))).await?;
        }
        Ok(())
    }

    async fn outcome(&self, hash: &Value) -> Outcome {
        match self.l1.rpc("waitsendpay", json!([hash])).await {
            Ok(_) => Outcome::Paid,
            Err(error) => {
                let report = error.to_string();
                let code = number(&report, "failcode").try_into().expect("codes have 16 bits");
                Outcome::Failed(number(&report, "erring_index"), code)
            }
        }
    }

    async fn play(&mut self, case: &Case) -> std::result::Result<(), TestCaseError> {
        self.played += 1;
        let preimage = format!("{:064x}", self.played);
        let label = format!("case {}", self.played);
        let invoice =
            json!({"amount_msat": AMOUNT_MSAT, "label": label, "description": label, "preimage": preimage});
        let invoice = self.l3.rpc("invoice", invoice).await.unwrap();
        let asked = [Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0))];
        self.mount(&self.l2, &case.forwarder, &preimage, &asked[0]).await.unwrap();
        self.mount(&self.l3, &case.receiver, &preimage, &asked[1]).await.unwrap();
        let before = self.balances().await.unwrap();

        let hash = &invoice["payment_hash"];
        let params =
            json!({"route": self.route, "payment_hash": hash, "payment_secret": invoice["payment_secret"]});
        self.l1.rpc("sendpay", params).await.unwrap();
        let (expected_asked, expected) = case.model();
        prop_assert_eq!(self.outcome(hash).await, expected);
        prop_assert_eq!(asked.map(|asked| *asked.lock().unwrap()), expected_asked);

        for node in [&self.l1, &self.l2, &self.l3] {
            node.wait_for_htlcs().await.unwrap();
        }
        let after = self.balances().await.unwrap();
        prop_assert_eq!(after[0] + after[1], before[0] + before[1], "the first channel");
        prop_assert_eq!(after[2] + after[3], before[2] + before[3], "the second channel");
        let (_, expected) = case.model();
        let paid = if expected == Outcome::Paid { AMOUNT_MSAT + 11 } else { 0 };
        prop_assert_eq!(before[0] - after[0], paid, "what the payer pays");
        let kept = matches!(judge(&case.forwarder).1, Err(None));
        let earned = match expected {
            Outcome::Paid if kept => paid,
            Outcome::Paid => 11,
            Outcome::Failed(..) => 0,
        };
        prop_assert_eq!(after[1] + after[2], before[1] + before[2] + earned, "what the node between has");
        self.stop_plugins(case).await;
        Ok(())
    }

    async fn stop_plugins(&self, case: &Case) {
        for (node, chain) in [(&self.l2, &case.forwarder), (&self.l3, &case.receiver)] {
            for number in 0..chain.len() {
                // Those that have died are gone.
                drop(node.stop_plugin(&format!("plugin-{number}")).await);
            }
        }
    }
}

/// A number in the data of an error, which its report shows.
fn number(report: &str, member: &str) -> u64 {
    let (_, rest) =
        report.split_once(&format!("\"{member}\":")).unwrap_or_else(|| panic!("no {member}: {report}"));
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{member} is no number: {report}"))
}

#[test]
fn whatever_plugins_say_of_an_htlc_no_money_is_lost() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let net = Net::line(["l1", "l2", "l3"])
        .backend(Backend::Embedded)
        .broken_log("l2", "Plugin returned a preimage")
        .broken_log("l3", "Plugin returned a preimage");
    let net = runtime.block_on(net.start()).unwrap();
    let stage = Mutex::new(runtime.block_on(Stage::new(&net)).unwrap());
    let mut runner = TestRunner::new(Config::with_cases(32));
    let result = runner.run(&case(), |case| {
        runtime.block_on(stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner).play(&case))
    });
    runtime.block_on(net.finish()).unwrap();
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
