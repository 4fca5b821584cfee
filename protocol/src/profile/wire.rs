//! What releases differ in about messages between peers.

use super::Profile;

/// The messages that lightningd keeps to itself: nobody sends them with `sendcustommsg`, and no plugin sees them in `custommsg`
/// (`wire/peer_wire.c:peer_wire_is_internal`). Type, name, and the first release that has it.
const INTERNAL: &[(u16, &str, Profile)] = &[
    (0, "WIRE_PROTOCOL_BATCH_ELEMENT", Profile::V26_06),
    (1, "WIRE_WARNING", Profile::Manual),
    (2, "WIRE_STFU", Profile::V26_06),
    (16, "WIRE_INIT", Profile::Manual),
    (17, "WIRE_ERROR", Profile::Manual),
    (18, "WIRE_PING", Profile::Manual),
    (19, "WIRE_PONG", Profile::Manual),
    (32, "WIRE_OPEN_CHANNEL", Profile::Manual),
    (33, "WIRE_ACCEPT_CHANNEL", Profile::Manual),
    (34, "WIRE_FUNDING_CREATED", Profile::Manual),
    (35, "WIRE_FUNDING_SIGNED", Profile::Manual),
    (36, "WIRE_CHANNEL_READY", Profile::Manual),
    (38, "WIRE_SHUTDOWN", Profile::Manual),
    (39, "WIRE_CLOSING_SIGNED", Profile::Manual),
    (40, "WIRE_CLOSING_COMPLETE", Profile::V26_06),
    (41, "WIRE_CLOSING_SIG", Profile::V26_06),
    (64, "WIRE_OPEN_CHANNEL2", Profile::Manual),
    (65, "WIRE_ACCEPT_CHANNEL2", Profile::Manual),
    (66, "WIRE_TX_ADD_INPUT", Profile::Manual),
    (67, "WIRE_TX_ADD_OUTPUT", Profile::Manual),
    (68, "WIRE_TX_REMOVE_INPUT", Profile::Manual),
    (69, "WIRE_TX_REMOVE_OUTPUT", Profile::Manual),
    (70, "WIRE_TX_COMPLETE", Profile::Manual),
    (71, "WIRE_TX_SIGNATURES", Profile::Manual),
    (72, "WIRE_TX_INIT_RBF", Profile::Manual),
    (73, "WIRE_TX_ACK_RBF", Profile::Manual),
    (74, "WIRE_TX_ABORT", Profile::V23_02),
    (77, "WIRE_SPLICE_LOCKED", Profile::V26_06),
    (80, "WIRE_SPLICE", Profile::V26_06),
    (81, "WIRE_SPLICE_ACK", Profile::V26_06),
    (127, "WIRE_START_BATCH", Profile::V26_06),
    (128, "WIRE_UPDATE_ADD_HTLC", Profile::Manual),
    (130, "WIRE_UPDATE_FULFILL_HTLC", Profile::Manual),
    (131, "WIRE_UPDATE_FAIL_HTLC", Profile::Manual),
    (132, "WIRE_COMMITMENT_SIGNED", Profile::Manual),
    (133, "WIRE_REVOKE_AND_ACK", Profile::Manual),
    (134, "WIRE_UPDATE_FEE", Profile::Manual),
    (135, "WIRE_UPDATE_FAIL_MALFORMED_HTLC", Profile::Manual),
    (136, "WIRE_CHANNEL_REESTABLISH", Profile::Manual),
    (137, "WIRE_UPDATE_BLOCKHEIGHT", Profile::Manual),
    (256, "WIRE_CHANNEL_ANNOUNCEMENT", Profile::Manual),
    (257, "WIRE_NODE_ANNOUNCEMENT", Profile::Manual),
    (258, "WIRE_CHANNEL_UPDATE", Profile::Manual),
    (259, "WIRE_ANNOUNCEMENT_SIGNATURES", Profile::Manual),
    (261, "WIRE_QUERY_SHORT_CHANNEL_IDS", Profile::Manual),
    (262, "WIRE_REPLY_SHORT_CHANNEL_IDS_END", Profile::Manual),
    (263, "WIRE_QUERY_CHANNEL_RANGE", Profile::Manual),
    (264, "WIRE_REPLY_CHANNEL_RANGE", Profile::Manual),
    (265, "WIRE_GOSSIP_TIMESTAMP_FILTER", Profile::Manual),
    (513, "WIRE_ONION_MESSAGE", Profile::V23_02),
];

impl Profile {
    /// What lightningd calls a type of message that it keeps to itself; `None` if it is for plugins.
    #[must_use]
    pub fn internal_message(self, msg_type: u16) -> Option<&'static str> {
        if matches!(self, Self::Manual | Self::V0_10) {
            match msg_type {
                36 => return Some("WIRE_FUNDING_LOCKED"),
                72 => return Some("WIRE_INIT_RBF"),
                73 => return Some("WIRE_ACK_RBF"),
                385 => return Some("WIRE_ONION_MESSAGE"),
                _ => {}
            }
        }
        let found = INTERNAL.iter().find(|(number, ..)| *number == msg_type);
        found.filter(|(.., since)| *since <= self).map(|(_, name, _)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_kept_from_the_release_on_that_knows_it() {
        let names = |number| Profile::ALL.map(|profile| profile.internal_message(number));
        assert_eq!(names(7), [None; 4], "peers' storage is a plugin's");
        assert_eq!(names(2), [None, None, None, Some("WIRE_STFU")]);
        let new = Some("WIRE_CHANNEL_READY");
        assert_eq!(names(36), [Some("WIRE_FUNDING_LOCKED"), Some("WIRE_FUNDING_LOCKED"), new, new]);
        assert_eq!(names(513), [None, None, Some("WIRE_ONION_MESSAGE"), Some("WIRE_ONION_MESSAGE")]);
        assert_eq!(names(385), [Some("WIRE_ONION_MESSAGE"), Some("WIRE_ONION_MESSAGE"), None, None]);
    }
}
