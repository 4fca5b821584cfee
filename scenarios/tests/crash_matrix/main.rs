//! The crash matrix: one of the nodes of a payment, or of a channel's life, is stopped dead at each of its commits, on each side of the
//! commit, and started again. Whatever the point, all nodes must agree how it has ended, and nothing may be lost, stuck or done twice.

mod books;
mod channel;
mod matrix;
mod stage;
mod wrong;

use std::time::{Duration, Instant};

use leyden::{Backend, Call, Commit, CrashPoint, Mock, Net, Reply, Result};

use channel::Pair;
use matrix::{Phase, at_each_commit};
use stage::{Preimages, Stage, Victim};

/// How long a plugin thinks about an HTLC: long enough for the node to do everything else before.
const HELD: Duration = Duration::from_millis(5);

/// The code with which plugins fail HTLCs here.
const REFUSAL: u16 = 0x2002;

/// What a plugin of the node that crashes says of HTLCs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// There is no such plugin.
    None,
    Continue,
    Fail,
    Resolve,
}

const PHASES: [Phase; 3] = [Commit::before, Commit::after, Commit::after_send];

#[tokio::test]
async fn crash_matrix_of_the_node_between() -> Result {
    play(Victim::Between, Verdict::None, None).await
}

#[tokio::test]
async fn crash_matrix_of_the_node_between_while_a_plugin_holds() -> Result {
    play(Victim::Between, Verdict::Continue, None).await
}

#[tokio::test]
async fn crash_matrix_of_the_node_between_whose_plugin_fails() -> Result {
    play(Victim::Between, Verdict::Fail, None).await
}

#[tokio::test]
async fn crash_matrix_of_the_node_between_whose_plugin_resolves() -> Result {
    play(Victim::Between, Verdict::Resolve, None).await
}

#[tokio::test]
async fn crash_matrix_of_the_paying_node() -> Result {
    play(Victim::Paying, Verdict::None, None).await
}

#[tokio::test]
async fn crash_matrix_of_the_receiving_node() -> Result {
    play(Victim::Receiving, Verdict::Continue, None).await
}

#[tokio::test]
async fn crash_matrix_of_a_restart_behind_a_crash() -> Result {
    play(Victim::Between, Verdict::Continue, Some(Commit::nth(5).after())).await
}

/// Crashes the victim at its first commit, at its second, and so on, until a payment ends without a crash; if there is a crash before all
/// that, at the commits behind that one.
#[expect(clippy::print_stdout, reason = "how much was tried is a part of the result")]
async fn play(victim: Victim, verdict: Verdict, before: Option<CrashPoint>) -> Result {
    let began = Instant::now();
    let net = Net::line(["l1", "l2", "l3"]).backend(Backend::Embedded).replicate();
    let preimages = Preimages::default();
    let net = match verdict {
        Verdict::None => net,
        _ => net.mount(victim.name(), judge(verdict, &preimages)),
    };
    let net = net.start().await?;
    let mut stage = Stage::new(&net, victim, verdict, preimages).await?;
    // A restart costs twice the time, and what it does before a commit it has done when it has sent the last one.
    let phases = if before.is_some() { &PHASES[1..] } else { &PHASES };
    let tried = at_each_commit(phases, async |point| {
        let points: Vec<CrashPoint> = before.iter().cloned().chain([point]).collect();
        stage.pay_and_crash(&points).await
    });
    let tried = tried.await;
    println!("{victim:?}, {verdict:?}: {tried} in {:.1?}; {}", began.elapsed(), stage.ends);
    assert!(tried.commits >= 5, "a payment was expected to take more than that");
    net.finish().await
}

#[tokio::test]
async fn crash_matrix_of_the_node_that_opens_a_channel() -> Result {
    open_and_close("l1").await
}

#[tokio::test]
async fn crash_matrix_of_the_node_that_takes_a_channel() -> Result {
    open_and_close("l2").await
}

/// Of the sides of a commit, only the one on which both nodes know different things: each channel is opened and closed, which takes its time.
#[expect(clippy::print_stdout, reason = "how much was tried is a part of the result")]
async fn open_and_close(victim: &str) -> Result {
    let began = Instant::now();
    let net =
        Net::line(["l1", "l2"]).without_channels().backend(Backend::Embedded).replicate().start().await?;
    let mut pair = Pair::new(&net, victim).await?;
    let tried = at_each_commit(&[Commit::after], async |point| pair.live_and_crash(point).await).await;
    let closed = pair.ends.iter().filter(|end| **end == channel::End::Closed).count();
    println!(
        "{victim}, a channel: {tried} in {:.1?}; {closed} of {} channels were opened and closed",
        began.elapsed(),
        pair.ends.len()
    );
    assert!(tried.commits >= 8, "a channel was expected to take more than that");
    net.finish().await
}

/// A plugin that thinks a while about each HTLC, and says the same of it whenever it is asked.
fn judge(verdict: Verdict, preimages: &Preimages) -> Mock {
    let preimages = preimages.clone();
    let answer = move |call: &Call| match verdict {
        Verdict::None | Verdict::Continue => Reply::cont().delay(HELD),
        Verdict::Fail => Reply::fail(format!("{REFUSAL:04x}")).delay(HELD),
        Verdict::Resolve => Reply::resolve(preimages.of(&call.params()["htlc"]["payment_hash"])).delay(HELD),
    };
    Mock::hook("htlc_accepted").reply(answer).named("judge")
}
