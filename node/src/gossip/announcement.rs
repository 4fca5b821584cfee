//! The announcement of our own channels: each of the two nodes signs it twice, and gives its signatures to the other
//! (`lightningd/channel_gossip.c`, `gossip_generation.c`).

use crate::channel::LocalChannel;
use crate::event::LogLevel;
use crate::peer::PeerState;
use crate::state::State;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::ecdsa::Signature;
use leyden_bolt::gossip::unsigned_channel_announcement;
use leyden_bolt::message::ChannelMessage;
use leyden_bolt::message::channel::AnnouncementSignatures;
use leyden_bolt::message::gossip::ChannelAnnouncement;
use leyden_bolt::tlv::TlvStream;
use leyden_bolt::{Features, Message, ShortChannelId};
use std::collections::BTreeSet;

impl State {
    /// The announcement under a name, without signatures.
    fn unsigned_announcement(&self, channel: &LocalChannel, scid: ShortChannelId) -> ChannelAnnouncement {
        let terms = channel.bolt.terms();
        let ends = [(self.node_id, terms.local.funding_pubkey), (channel.peer, terms.remote.funding_pubkey)];
        let features = self.agreed_channel_features(channel);
        unsigned_channel_announcement(ChainHash::REGTEST, scid, features, ends)
    }

    /// What both nodes offer for channels: compulsory if it is for one of them.
    fn agreed_channel_features(&self, channel: &LocalChannel) -> Features {
        let theirs = self.peers.of(&channel.peer, PeerState::InHook).and_then(|peer| self.peers.get(peer));
        let Some(theirs) = theirs.map(|peer| &peer.features) else { return Features::new() };
        let ours = &self.features.channel;
        let agreed = ours.bits().filter(|bit| theirs.offers(*bit));
        let bits: BTreeSet<usize> = agreed
            .map(|bit| if ours.is_set(bit & !1) || theirs.is_set(bit & !1) { bit & !1 } else { bit | 1 })
            .collect();
        Features::from_bits(&bits.into_iter().collect::<Vec<_>>())
    }

    /// Our two signatures of the announcement.
    fn sign_announcement(
        &self,
        channel: &LocalChannel,
        announcement: &ChannelAnnouncement,
    ) -> [Signature; 2] {
        let by_node = self.gossip.secp.sign_ecdsa(&announcement.signed_hash(), &self.node_key);
        [by_node, channel.bolt.keys().sign_announcement(&announcement.signed_bytes())]
    }

    /// Sends the peer our half of the signatures, once in each connection.
    pub(super) fn send_signatures(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid).filter(|channel| channel.is_live()) else { return };
        let Some(scid) = channel.scid else { return };
        let own = self.gossip.own.get(&dbid);
        if own.is_none_or(|own| own.signed_for == channel.connection) {
            return;
        }
        let announcement = self.unsigned_announcement(channel, scid);
        let [node_signature, bitcoin_signature] = self.sign_announcement(channel, &announcement);
        let message = AnnouncementSignatures {
            channel_id: channel.channel_id(),
            short_channel_id: scid,
            node_signature,
            bitcoin_signature,
            tlvs: TlvStream::new(),
        };
        let connection = channel.connection;
        if let Some(own) = self.gossip.own.get_mut(&dbid) {
            own.signed_for = connection;
        }
        self.send_channel_message(dbid, &ChannelMessage::from(message));
    }

    /// The peer's half of the signatures (`channel_gossip_got_announcement_sigs`).
    pub(crate) fn announcement_signatures(&mut self, dbid: u64, signatures: &AnnouncementSignatures) {
        let Some(channel) = self.channels.get(dbid) else { return };
        if channel.state.is_closing() {
            return;
        }
        if !channel.announce {
            return self.refuse_signatures(dbid);
        }
        let (scid, ours) = (signatures.short_channel_id, channel.scid);
        let text = format!(
            "channel_gossip: received announcement sigs for {scid} (we have {})",
            ours.map_or("none".to_owned(), |scid| scid.to_string())
        );
        let source = channel.log_source();
        let hash = self.unsigned_announcement(channel, scid).signed_hash();
        let (peer, funding) = (channel.peer, channel.bolt.terms().remote.funding_pubkey);
        for (signature, key, name) in [
            (&signatures.node_signature, &peer, "node_signature"),
            (&signatures.bitcoin_signature, &funding, "bitcoin_signature"),
        ] {
            if self.gossip.secp.verify_ecdsa(&hash, signature, key).is_err() {
                return self.bad_signatures(dbid, scid, name);
            }
        }
        self.log(LogLevel::Debug, &source, &text);
        self.recall_channel(dbid);
        if let Some(own) = self.gossip.own.get_mut(&dbid) {
            own.signatures = Some((scid, signatures.node_signature, signatures.bitcoin_signature));
        }
        if ours == Some(scid) {
            self.keep_announcement_signatures(dbid, signatures);
        }
        self.tell_of_channel(dbid);
        self.send_signatures(dbid);
    }

    fn keep_announcement_signatures(&mut self, dbid: u64, signatures: &AnnouncementSignatures) {
        let [node, bitcoin] =
            [signatures.node_signature, signatures.bitcoin_signature].map(|one| one.serialize_compact());
        let update = "UPDATE channels SET remote_ann_node_sig=?, remote_ann_bitcoin_sig=? WHERE id=?";
        self.db().exec(update, &[&node, &bitcoin, &dbid]);
    }

    fn refuse_signatures(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let (source, channel_id, connection) =
            (channel.log_source(), channel.channel_id(), channel.connection);
        let text = "They sent an announcement_signatures message for a private channel?  Ignoring.";
        self.log(LogLevel::Unusual, &source, text);
        if let Some(connection) = connection {
            let data = b"You sent announcement_signatures for private channel".to_vec();
            self.send_message(connection, &Message::Warning { channel_id, data });
        }
    }

    fn bad_signatures(&mut self, dbid: u64, scid: ShortChannelId, which: &str) {
        let connection = self.channels.get(dbid).and_then(|channel| channel.connection);
        if let Some(connection) = connection {
            let text = format!("Bad gossip announcement_signatures for scid {scid}: invalid {which}");
            self.warn_and_close(connection, &text);
        }
    }

    /// Tells everybody that there is a channel, unless that is known.
    pub(super) fn announce_channel(&mut self, dbid: u64) {
        let signed = self.gossip.own.get(&dbid).and_then(|own| own.signatures);
        let Some((scid, by_node, by_funding)) = signed else { return };
        if self.gossip.graph.channel(scid).is_some() {
            return;
        }
        self.send_signatures(dbid);
        let Some(channel) = self.channels.get(dbid) else { return };
        let mut announcement = self.unsigned_announcement(channel, scid);
        let [ours, funding] = self.sign_announcement(channel, &announcement);
        announcement.set_signatures(&self.node_id, ours, funding);
        announcement.set_signatures(&channel.peer, by_node, by_funding);
        let capacity_sat = channel.bolt.terms().capacity_sat;
        let message = announcement.encode();
        self.keep_channel(announcement, capacity_sat);
        self.send_to_all(&message);
    }
}
