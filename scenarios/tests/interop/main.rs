//! Embedded nodes and real lightningds in one net: their channels are with each other.
//!
//! Every scenario about channels is played twice, with the two kinds of nodes taking turns. `wire` has what only the embedded node can provoke.
//! It runs where a lightningd is at hand (`LIGHTNINGD_EXE`, or on PATH), and says so where none is.

mod wire;

use leyden::env::Settings;
use leyden::{Backend, Result};

/// Whether this cannot be tried here; says why.
#[expect(clippy::print_stdout, reason = "a test that is skipped says why")]
fn is_skipped() -> bool {
    let because = Backend::Lightningd.missing(&Settings::from_env());
    if let Some(because) = &because {
        println!("skipped, because {because}");
    }
    because.is_some()
}

/// Plays a scenario with both kinds of nodes.
async fn play(name: &str, first: Backend) -> Result {
    if is_skipped() {
        return Ok(());
    }
    leyden_scenarios::scenario(name).play_alternating(first).await.map(drop)
}

macro_rules! interop {
    ($($name:ident)+) => {
        mod embedded_first {
            $(#[tokio::test] async fn $name() -> leyden::Result {
                super::play(stringify!($name), leyden::Backend::Embedded).await
            })+
        }
        mod lightningd_first {
            $(#[tokio::test] async fn $name() -> leyden::Result {
                super::play(stringify!($name), leyden::Backend::Lightningd).await
            })+
        }
    };
}

interop! {
    channel_life channel_refused channel_to_another_address payment_life htlc_verdicts reconnected commitment_revocation
    closed_by_one_side htlcs_on_payers_commitment htlcs_on_payees_commitment funding_reorganised
}
