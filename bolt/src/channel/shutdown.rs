//! `shutdown`: no further HTLCs, and where each side wants its money.

use super::{Channel, ChannelError, ChannelOutput, warning};
use crate::message::channel::Shutdown;
use crate::tlv::TlvStream;
use crate::transaction::Side;
use bitcoin::{Script, ScriptBuf};

/// Whether money may be sent there when a channel is closed (BOLT 2 `shutdown`, lightningd's `valid_shutdown_scriptpubkey`):
/// segwit version 0; later versions with `option_shutdown_anysegwit`; hashes of keys and scripts only between nodes that do not
/// both know `option_anchors`.
pub fn is_shutdown_script(script: &Script, any_segwit: bool, before_segwit: bool) -> bool {
    script.is_p2wpkh()
        || script.is_p2wsh()
        || (any_segwit && script.is_witness_program() && script.as_bytes()[0] != 0)
        || (before_segwit && (script.is_p2pkh() || script.is_p2sh()))
}

impl Channel {
    /// Wants to close the channel, and to get our money at `script`. What was offered before is still settled; after a
    /// disconnection it is said again. Only the first call counts.
    pub fn shutdown(&mut self, script: ScriptBuf) {
        self.record.shutdown_script[Side::Local as usize].get_or_insert(script);
    }

    /// Says it, if we want to and have not on this connection. The peer must not have updates of ours that are not committed.
    pub(super) fn send_shutdown(&mut self) {
        let Some(script) = &self.record.shutdown_script[Side::Local as usize] else { return };
        if !self.shutdown_sent {
            let scriptpubkey = script.to_bytes();
            self.shutdown_sent = true;
            self.send(Shutdown { channel_id: self.channel_id, scriptpubkey, tlvs: TlvStream::new() });
        }
    }

    pub(super) fn receive_shutdown(&mut self, message: Shutdown) -> Result<(), ChannelError> {
        let script = ScriptBuf::from_bytes(message.scriptpubkey);
        let [_, agreed] = &self.record.upfront_shutdown_script;
        if let Some(agreed) = agreed.as_ref().filter(|agreed| !agreed.is_empty() && **agreed != script) {
            return warning(format!("scriptpubkey {script:x} is not as agreed upfront ({agreed:x})"));
        }
        if !self.negotiated.is_shutdown_script(&script) {
            return warning(format!("Bad shutdown scriptpubkey {script:x}"));
        }
        self.shutdown_received = true;
        if self.record.shutdown_script[Side::Remote as usize].replace(script).is_none() {
            self.outputs.push(ChannelOutput::ShutdownReceived);
        }
        Ok(())
    }

    /// When both have said on this connection that they want to close, nothing is in flight and no revocation is missing, the
    /// closing fee can be negotiated.
    pub(super) fn check_shutdown_complete(&mut self) {
        let both = self.shutdown_sent && self.shutdown_received;
        let done = self.record.htlcs.is_empty() && !self.record.awaits_revocation();
        if both && done && self.is_connected() && !self.shutdown_complete {
            self.shutdown_complete = true;
            self.outputs.push(ChannelOutput::ShutdownComplete);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hex::FromHex;

    #[test]
    fn scripts_to_close_to() {
        let p2wpkh = format!("0014{}", "11".repeat(20));
        let p2wsh = format!("0020{}", "11".repeat(32));
        let p2tr = format!("5120{}", "11".repeat(32));
        let p2pkh = format!("76a914{}88ac", "11".repeat(20));
        let p2sh = format!("a914{}87", "11".repeat(20));
        let op_return = format!("6a14{}", "11".repeat(20));
        for (hex, any_segwit, before_segwit, expected) in [
            (&p2wpkh, false, false, true),
            (&p2wsh, false, false, true),
            (&p2tr, false, true, false),
            (&p2tr, true, false, true),
            (&p2pkh, true, false, false),
            (&p2pkh, false, true, true),
            (&p2sh, false, true, true),
            (&op_return, true, true, false),
            (&"5101".to_owned(), true, true, false),
            (&String::new(), true, true, false),
        ] {
            let script = ScriptBuf::from_bytes(Vec::from_hex(hex).expect("hex"));
            assert_eq!(is_shutdown_script(&script, any_segwit, before_segwit), expected, "{hex}");
        }
    }
}
