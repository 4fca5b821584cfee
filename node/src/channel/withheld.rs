//! Channels whose funding their opener keeps to itself, to send it later or never: between nodes that trust each other they
//! are used meanwhile (`lightningd/peer_control.c:drop_to_chain`, `wallet/walletrpc.c:json_sendpsbt`).

use crate::event::LogLevel;
use crate::state::State;
use bitcoin::Psbt;
use leyden_bolt::channel::Htlc;
use leyden_bolt::transaction::Side;

impl State {
    /// Gives a channel up of which the chain knows nothing: there is nothing to be closed, and its coins are free again.
    pub(super) fn drop_withheld(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let source = channel.log_source();
        let offered = |htlc: &&Htlc| htlc.owner == Side::Local && htlc.removal.is_none();
        let offered: Vec<u64> = channel.bolt.htlcs().filter(offered).map(|htlc| htlc.id).collect();
        let psbt = channel.stored_funding_psbt();
        self.log(LogLevel::Info, &source, "Withheld channel: not sending a close transaction");
        for id in offered {
            self.htlc_failed_onchain(dbid, id);
        }
        if let Some(psbt) = psbt {
            self.unreserve_inputs(&psbt);
        }
        self.resolve_closes(dbid, &[]);
        self.delete_channel(dbid, false);
    }

    /// A complete PSBT is being sent. Channels that it funds keep it instead of the one without signatures, and are withheld no longer.
    pub(crate) fn note_sent_funding(&mut self, psbt: &Psbt) {
        let txid = psbt.unsigned_tx.compute_txid();
        let mut lines = Vec::new();
        for channel in self.channels.iter_mut().filter(|channel| channel.funding().txid == txid) {
            let Some(stored) = channel.stored_funding_psbt() else { continue };
            if stored.inputs.iter().all(|input| input.final_script_witness.is_some()) {
                continue;
            }
            channel.funding_psbt = Some(psbt.serialize());
            let was_withheld = if std::mem::take(&mut channel.withheld) { " (was withheld)" } else { "" };
            lines.push((
                channel.log_source(),
                format!("Funding PSBT sent, and stored for rexmit{was_withheld}"),
            ));
        }
        for (source, text) in lines {
            self.log(LogLevel::Info, &source, &text);
        }
    }
}
