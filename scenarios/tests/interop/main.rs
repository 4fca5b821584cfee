//! Embedded nodes and real lightningds in one net: their channels are with each other.
//!
//! The scenarios about channels and payments are played twice, with the two kinds of nodes taking turns, and payments along three nodes also
//! where neighbours are of one kind: so each is sender, forwarder and receiver, and each is killed and started again in the midst of it.
//!
//! | what | where |
//! |---|---|
//! | onion messages, made, handed on and received by either | `onion_messages`, `known_everywhere` |
//! | open, pay, close, by either side | `channel_life`, `payment_life`, `zeroconf`, `opened_together` |
//! | forwards, refused ones, all verdicts of a plugin in the middle | `payment_life`, `forwards_refused`, `htlc_verdicts` |
//! | channels with anchors | all of them, but `wire::channels_without_anchors_work_as_well`: static_remotekey |
//! | reconnecting in mid-commitment | `reconnected`, `wire::a_payment_survives_a_disconnect_at_any_message` |
//! | restarts of either | `everything_kept`, `payments_resumed`, `parts_resumed`, `payments_replayed`, `channel_life_resumed` |
//! | extra TLVs seen by the other side's hook | `wire::extra_tlvs_of_an_htlc_reach_the_other_sides_hook`, `htlc_modified` |
//! | a revoked commitment is punished | `revoked_commitment`, `commitment_revocation` |
//! | HTLCs on the chain | `htlcs_on_payers_commitment`, `htlcs_on_payees_commitment`, `deadlines` |
//!
//! `wire` has what only the embedded node can provoke.
//! It runs where a lightningd is at hand (`LIGHTNINGD_EXE`, or on PATH), and says so where none is.

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
async fn play(name: &str, backends: &[Backend]) -> Result {
    if is_skipped() {
        return Ok(());
    }
    leyden_scenarios::scenario(name).play_mixed(backends).await.map(drop)
}

/// The scenarios, in modules that are called after who plays the first node, the second, and so on.
macro_rules! mixed {
    ($names:tt $($module:ident: $($backend:ident)+;)+) => {
        $(mixed!(@ $module [$($backend)+] $names);)+
    };
    (@ $module:ident [$($backend:ident)+] { $($name:ident)+ }) => {
        mod $module {
            use leyden::Backend::{Embedded, Lightningd};
            const WHO: &[leyden::Backend] = &[$($backend),+];
            $(#[tokio::test] async fn $name() -> leyden::Result {
                assert!(WHO.contains(&Embedded) && WHO.contains(&Lightningd), "both kinds play");
                crate::play(stringify!($name), WHO).await
            })+
        }
    };
}

mod interop;
