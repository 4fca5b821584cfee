//! HTLCs at this node: from the moment at which an incoming one is irrevocably committed to the end of it
//! (`lightningd/peer_htlcs.c`).
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | [`incoming`] | peeling the onion; failing and fulfilling what came in | `peer_htlcs.c` |
//! | [`hook`], [`answer`] | the hook `htlc_accepted`: what it tells, what answers say | `peer_htlcs.c:htlc_accepted_hook_deserialize` |
//! | [`forward`], [`forwards`] | handing HTLCs on, and the record of it | `forwards.c` |
//! | [`outgoing`] | the end of HTLCs that this node offered | `peer_htlcs.c` |
//! | [`payment`], [`set`], [`refusal`] | HTLCs that end here, in parts, and the hook `invoice_payment` | `htlc_set.c`, `invoice.c` |
//! | [`keysend`] | payments that bring their preimage | `plugins/keysend.c` |
//! | [`movement`] | what they move between the accounts | `coin_mvts.c` |
//! | [`deadline`] | HTLCs that are late | `peer_htlcs.c:htlcs_notify_new_block` |
//! | [`replay`] | after a restart | `peer_htlcs.c:htlcs_resubmit` |
//! | [`failure`] | failure messages | `wire/onion_wire.csv` |
//! | [`ignore`] | `dev-ignore-htlcs` | `peer_htlcs.c` |
//! | [`listforwards`], [`listhtlcs`] | the commands | |

mod answer;
mod deadline;
pub(crate) mod failure;
mod forward;
mod forwards;
pub(crate) mod hook;
mod ignore;
mod incoming;
pub(crate) mod keysend;
mod listforwards;
mod listhtlcs;
mod movement;
mod outgoing;
pub(crate) mod payment;
mod refusal;
mod replay;
mod set;

use crate::channel::HtlcKey;
use bitcoin::secp256k1::PublicKey;
pub(crate) use ignore::DevIgnoreHtlcs;
pub(crate) use listforwards::{Delforward, Listforwards};
pub(crate) use listhtlcs::Listhtlcs;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of HTLCs beside their channels. A restart makes it anew.
#[derive(Debug, Default)]
pub(crate) struct Htlcs {
    /// Payments of which parts are here.
    sets: set::HtlcSets,
    /// The plugin that is being asked about an HTLC, by its name.
    asked: BTreeMap<HtlcKey, String>,
    /// Peers whose HTLCs stay where they are (`dev-ignore-htlcs`).
    ignored: BTreeSet<PublicKey>,
}

impl Htlcs {
    /// An incoming HTLC is gone for good.
    pub(crate) fn forget(&mut self, key: HtlcKey) {
        self.asked.remove(&key);
    }

    /// `status` of an HTLC in `listpeerchannels`: it stays where a plugin has given the verdict, until the HTLC is gone.
    pub(crate) fn status(&self, key: HtlcKey) -> Option<String> {
        let plugin = self.asked.get(&key)?;
        Some(format!("Waiting for the htlc_accepted hook of plugin {plugin}"))
    }
}
