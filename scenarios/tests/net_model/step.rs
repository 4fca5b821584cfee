//! The steps of a sequence, and how they are drawn.

use proptest::prelude::*;

/// One thing that happens. Nodes are numbers from 0; a step that makes no sense when its turn comes is left out.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Open {
        from: usize,
        to: usize,
        capacity_sat: u64,
        push_percent: u64,
    },
    /// A payment along the shortest way, whole or in parts of this amount, and verdicts of the nodes that it comes to; without a verdict it
    /// waits.
    Pay {
        from: usize,
        to: usize,
        amount_msat: u64,
        parts: u64,
        verdicts: Vec<Verdict>,
        fault: Option<Fault>,
    },
    /// The verdict about one of the payments that wait.
    Judge {
        which: usize,
        verdict: Verdict,
        fault: Option<Fault>,
    },
    Restart(usize),
    Kill(usize),
    Disconnect(usize, usize),
    CrashPlugin(usize),
    Block(u32),
    Reorg {
        depth: u32,
        shift: u32,
    },
    /// The channel is closed by both, or by one side alone: then there may be HTLCs in it, about which there is a verdict afterwards.
    Close {
        by: usize,
        with: usize,
        alone: bool,
        verdict: Verdict,
    },
}

/// What a plugin says of an HTLC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Continue,
    Fail,
    /// With the preimage.
    Resolve,
}

/// What happens while a payment is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A node is stopped dead at a commit.
    Commit { node: usize, nth: usize, phase: Phase },
    /// A node is stopped dead when it has called a hook.
    Called { node: usize },
    /// A node is stopped dead when a plugin has answered.
    Answered { node: usize },
    /// A connection ends with a message that a node sends, which has left or not.
    Cut { node: usize, message: &'static str, nth: usize, arrives: bool },
}

impl Fault {
    /// Whose fault it is.
    pub(crate) fn node(&self) -> usize {
        match self {
            Self::Commit { node, .. }
            | Self::Called { node }
            | Self::Answered { node }
            | Self::Cut { node, .. } => *node,
        }
    }
}

/// On which side of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Before,
    After,
    AfterSend,
}

/// A sequence on so many nodes: neighbours open channels first.
pub(crate) fn sequence(nodes: usize) -> impl Strategy<Value = Vec<Step>> {
    let opens = (0..nodes - 1).map(|from| open(Just(from).boxed(), Just(from + 1).boxed()));
    let opens: Vec<_> = opens.collect();
    (opens, prop::collection::vec(step(nodes), 3..=7))
        .prop_map(|(opens, steps)| opens.into_iter().chain(steps).collect())
}

pub(crate) fn step(nodes: usize) -> BoxedStrategy<Step> {
    let node = move || (0..nodes).boxed();
    prop_oneof![
        2 => open(node(), node()),
        12 => pay(nodes),
        5 => (0..8_usize, verdict(), fault(nodes))
            .prop_map(|(which, verdict, fault)| Step::Judge { which, verdict, fault }),
        2 => node().prop_map(Step::Restart),
        3 => node().prop_map(Step::Kill),
        2 => (node(), node()).prop_map(|(node, peer)| Step::Disconnect(node, peer)),
        2 => node().prop_map(Step::CrashPlugin),
        1 => (1..=4_u32).prop_map(Step::Block),
        2 => (1..=4_u32, 0..=1_u32).prop_map(|(depth, shift)| Step::Reorg { depth, shift }),
        4 => (node(), node(), any::<bool>(), verdict())
            .prop_map(|(by, with, alone, verdict)| Step::Close { by, with, alone, verdict }),
    ]
    .boxed()
}

fn open(from: BoxedStrategy<usize>, to: BoxedStrategy<usize>) -> BoxedStrategy<Step> {
    (from, to, 2..=20_u64, 0..=100_u64)
        .prop_map(|(from, to, capacity, push_percent)| {
            let capacity_sat = capacity * 50_000;
            Step::Open { from, to, capacity_sat, push_percent: push_percent.min(90) }
        })
        .boxed()
}

fn pay(nodes: usize) -> BoxedStrategy<Step> {
    let amount = prop_oneof![
        6 => 1_000_000..=30_000_000_u64,
        // Too little to be seen in a commitment transaction.
        2 => 1..=500_000_u64,
        1 => 100_000_000..=2_000_000_000_u64,
    ];
    let verdicts = prop::collection::vec(verdict(), 0..nodes);
    let parts = prop_oneof![4 => Just(1_u64), 1 => 2..=3_u64];
    (0..nodes, 0..nodes, amount, parts, verdicts, fault(nodes))
        .prop_map(|(from, to, amount_msat, parts, verdicts, fault)| Step::Pay {
            from,
            to,
            amount_msat,
            parts,
            verdicts,
            fault,
        })
        .boxed()
}

fn verdict() -> BoxedStrategy<Verdict> {
    prop_oneof![5 => Just(Verdict::Continue), 1 => Just(Verdict::Fail), 1 => Just(Verdict::Resolve)].boxed()
}

fn fault(nodes: usize) -> BoxedStrategy<Option<Fault>> {
    let phase = prop_oneof![Just(Phase::Before), Just(Phase::After), Just(Phase::AfterSend)];
    let message = prop::sample::select(vec![
        "commitment_signed",
        "revoke_and_ack",
        "update_fulfill_htlc",
        "update_fail_htlc",
        "channel_reestablish",
    ]);
    let fault = prop_oneof![
        3 => (0..nodes, 1..=8_usize, phase).prop_map(|(node, nth, phase)| Fault::Commit { node, nth, phase }),
        1 => (0..nodes).prop_map(|node| Fault::Called { node }),
        1 => (0..nodes).prop_map(|node| Fault::Answered { node }),
        3 => (0..nodes, message, 1..=3_usize, any::<bool>())
            .prop_map(|(node, message, nth, arrives)| Fault::Cut { node, message, nth, arrives }),
    ];
    prop::option::weighted(0.4, fault).boxed()
}
