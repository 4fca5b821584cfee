//! What is done and what is looked at, one thing after the other: played on a net, and printed as Rust that does the same.

use std::fmt;

use leyden::{Commit, CrashPoint, Hook, Net, Node, Reply, Result, Units};

use crate::stage::{self, Stage};
use crate::step::{Fault, Phase, Verdict};

/// One thing. Nodes are numbers from 0, payments from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Open {
        from: usize,
        to: usize,
        capacity_sat: u64,
        push_msat: u64,
    },
    Invoice {
        payment: u64,
        payee: usize,
        amount_msat: u64,
    },
    Send {
        payment: u64,
        along: Vec<usize>,
        amount_msat: u64,
        parts: u64,
    },
    Answer {
        node: usize,
        payment: u64,
        verdict: Verdict,
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
    Close {
        by: usize,
        with: usize,
        opener: usize,
    },
    /// `has`: the node has an output of its own to take.
    CloseAlone {
        by: usize,
        with: usize,
        opener: usize,
        has: bool,
    },
    /// Of the HTLCs of a channel that was closed alone, when they have timed out or with the preimage.
    Claim {
        payment: u64,
        by: usize,
        from: usize,
        late: bool,
    },
    Arm(Fault),
    Disarm,
    Sees {
        node: usize,
        lines: Vec<String>,
    },
    /// Payment, how often at least, how often at most.
    Asked {
        node: usize,
        times: Vec<(u64, usize, usize)>,
    },
    Owns {
        node: usize,
        sat: u64,
    },
    Paid {
        payer: usize,
        payment: u64,
    },
    Failed {
        payer: usize,
        payment: u64,
        code: i64,
    },
}

impl Action {
    /// Does it. [`fmt::Display`] says the same in Rust.
    pub(crate) async fn play(&self, net: &Net, nodes: &[Node], stage: &mut Stage<'_>) -> Result {
        match self {
            Self::Open { from, to, capacity_sat, push_msat } => {
                stage.open(&nodes[*from], &nodes[*to], capacity_sat.sat(), push_msat.msat()).await
            }
            Self::Invoice { payment, payee, amount_msat } => {
                stage.invoice(*payment, &nodes[*payee], amount_msat.msat()).await
            }
            Self::Send { payment, along, amount_msat, parts } => {
                let along: Vec<&Node> = along.iter().map(|node| &nodes[*node]).collect();
                stage.send(*payment, &along, amount_msat.msat(), *parts).await
            }
            Self::Answer { node, payment, verdict } => {
                stage.answer(&nodes[*node], *payment, reply(*verdict, *payment)).await
            }
            Self::Restart(node) => nodes[*node].restart().await,
            Self::Kill(node) => {
                nodes[*node].kill().await?;
                nodes[*node].start().await
            }
            Self::Disconnect(node, peer) => stage.disconnect(&nodes[*node], &nodes[*peer]).await,
            Self::CrashPlugin(node) => stage.crash_plugin(&nodes[*node]).await,
            Self::Block(blocks) => net.generate_block(*blocks).await.map(drop),
            Self::Reorg { depth, shift } => stage.reorg(*depth, *shift).await,
            Self::Close { by, with, opener } => {
                stage.close(&nodes[*by], &nodes[*with], &nodes[*opener]).await
            }
            Self::CloseAlone { by, with, opener, has } => {
                stage.close_alone(&nodes[*by], &nodes[*with], &nodes[*opener], *has).await
            }
            Self::Claim { payment, by, from, late } => {
                stage.claim(*payment, &nodes[*by], &nodes[*from], *late).await
            }
            Self::Arm(fault) => arm(fault, net, nodes).map(|fault| stage.arm(fault)),
            Self::Disarm => stage.disarm().await,
            Self::Sees { node, lines } => {
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                stage.sees(&nodes[*node], &lines).await
            }
            Self::Asked { node, times } => {
                let times: Vec<_> =
                    times.iter().map(|(payment, least, most)| (*payment, *least..=*most)).collect();
                stage.asked(&nodes[*node], &times).await
            }
            Self::Owns { node, sat } => stage.owns(&nodes[*node], sat.sat()).await,
            Self::Paid { payer, payment } => stage.paid(&nodes[*payer], *payment).await,
            Self::Failed { payer, payment, code } => stage.failed(&nodes[*payer], *payment, *code).await,
        }
    }
}

fn reply(verdict: Verdict, payment: u64) -> Reply {
    match verdict {
        Verdict::Continue => Reply::cont(),
        Verdict::Fail => Reply::fail("2002"),
        Verdict::Resolve => Reply::resolve(format!("{payment:064x}")),
    }
}

fn arm(fault: &Fault, net: &Net, nodes: &[Node]) -> Result<stage::Fault> {
    let crash = |node: &usize, point: CrashPoint| {
        let crash = net.crash(&nodes[*node]).at(point)?;
        Ok(stage::Fault::Crash(nodes[*node].clone(), crash))
    };
    match fault {
        Fault::Commit { node, nth, phase } => {
            let commit = Commit::nth(*nth);
            let point = match phase {
                Phase::Before => commit.before(),
                Phase::After => commit.after(),
                Phase::AfterSend => commit.after_send(),
            };
            crash(node, point)
        }
        Fault::Called { node } => crash(node, Hook::called("htlc_accepted").into()),
        Fault::Answered { node } => crash(node, Hook::answered("htlc_accepted").into()),
        Fault::Cut { node, message, nth, arrives } => {
            let rule = nodes[*node].outgoing(message)?.nth(*nth);
            let cut = if *arrives { rule.cut_after() } else { rule.cut() };
            Ok(stage::Fault::Cut(nodes[*node].clone(), cut))
        }
    }
}

/// A node as an argument.
fn node(node: &usize) -> String {
    format!("&l{}", node + 1)
}

/// A number as Rust groups its digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// A statement of Rust.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { from, to, capacity_sat, push_msat } => write!(
                f,
                "stage.open({}, {}, {}.sat(), {}.msat()).await?;",
                node(from),
                node(to),
                grouped(*capacity_sat),
                grouped(*push_msat)
            ),
            Self::Invoice { payment, payee, amount_msat } => {
                let amount = grouped(*amount_msat);
                write!(f, "stage.invoice({payment}, {}, {amount}.msat()).await?;", node(payee))
            }
            Self::Send { payment, along, amount_msat, parts } => {
                let along: Vec<String> = along.iter().map(node).collect();
                let (along, amount) = (along.join(", "), grouped(*amount_msat));
                write!(f, "stage.send({payment}, &[{along}], {amount}.msat(), {parts}).await?;")
            }
            Self::Answer { node: by, payment, verdict } => {
                let reply = match verdict {
                    Verdict::Continue => "Reply::cont()".to_owned(),
                    Verdict::Fail => "Reply::fail(\"2002\")".to_owned(),
                    Verdict::Resolve => format!("Reply::resolve(format!(\"{{:064x}}\", {payment}))"),
                };
                write!(f, "stage.answer({}, {payment}, {reply}).await?;", node(by))
            }
            Self::Restart(by) => write!(f, "l{}.restart().await?;", by + 1),
            Self::Kill(by) => write!(f, "l{0}.kill().await?;\n    l{0}.start().await?;", by + 1),
            Self::Disconnect(by, peer) => {
                write!(f, "stage.disconnect({}, {}).await?;", node(by), node(peer))
            }
            Self::CrashPlugin(by) => write!(f, "stage.crash_plugin({}).await?;", node(by)),
            Self::Block(blocks) => write!(f, "net.generate_block({blocks}).await?;"),
            Self::Reorg { depth, shift } => write!(f, "stage.reorg({depth}, {shift}).await?;"),
            Self::Close { by, with, opener } => {
                write!(f, "stage.close({}, {}, {}).await?;", node(by), node(with), node(opener))
            }
            Self::CloseAlone { by, with, opener, has } => {
                write!(f, "stage.close_alone({}, {}, {}, {has}).await?;", node(by), node(with), node(opener))
            }
            Self::Claim { payment, by, from, late } => {
                write!(f, "stage.claim({payment}, {}, {}, {late}).await?;", node(by), node(from))
            }
            Self::Arm(fault) => write!(f, "stage.arm({});", InRust(fault)),
            Self::Disarm => write!(f, "stage.disarm().await?;"),
            Self::Sees { node: by, lines } => write!(f, "stage.sees({}, &{lines:?}).await?;", node(by)),
            Self::Asked { node: by, times } => {
                let times: Vec<String> = times
                    .iter()
                    .map(|(payment, least, most)| format!("({payment}, {least}..={most})"))
                    .collect();
                write!(f, "stage.asked({}, &[{}]).await?;", node(by), times.join(", "))
            }
            Self::Owns { node: by, sat } => {
                write!(f, "stage.owns({}, {}.sat()).await?;", node(by), grouped(*sat))
            }
            Self::Paid { payer, payment } => write!(f, "stage.paid({}, {payment}).await?;", node(payer)),
            Self::Failed { payer, payment, code } => {
                write!(f, "stage.failed({}, {payment}, {code}).await?;", node(payer))
            }
        }
    }
}

/// A fault as an expression.
struct InRust<'a>(&'a Fault);

impl fmt::Display for InRust<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut crash = |by: &usize, point: String| {
            write!(f, "Fault::Crash(l{0}.clone(), net.crash(&l{0}).at({point})?)", by + 1)
        };
        match self.0 {
            Fault::Commit { node, nth, phase } => {
                let side = match phase {
                    Phase::Before => "before",
                    Phase::After => "after",
                    Phase::AfterSend => "after_send",
                };
                crash(node, format!("Commit::nth({nth}).{side}()"))
            }
            Fault::Called { node } => crash(node, "Hook::called(\"htlc_accepted\")".to_owned()),
            Fault::Answered { node } => crash(node, "Hook::answered(\"htlc_accepted\")".to_owned()),
            Fault::Cut { node, message, nth, arrives } => {
                let cut = if *arrives { "cut_after" } else { "cut" };
                let node = format!("l{}", node + 1);
                write!(f, "Fault::Cut({node}.clone(), {node}.outgoing(\"{message}\")?.nth({nth}).{cut}())")
            }
        }
    }
}
