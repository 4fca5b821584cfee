//! Channels that are to be forgotten: a while after their funding output is spent, for a splice may follow, or when
//! nothing was heard of them (`gossipd/gossmap_manage.c`).

use crate::event::LogLevel;
use crate::state::State;
use crate::world::unix_seconds;
use leyden_bolt::ShortChannelId;
use leyden_bolt::gossip::{DYING_BLOCKS, PRUNE_SECONDS};

impl State {
    /// The block at `height` was gone through: looks which outputs that may be channels it spends.
    pub(crate) fn gossip_spends(&mut self, height: u32) {
        let query = "SELECT blockheight, txindex, outnum FROM utxoset WHERE spendheight = ?";
        let scid = |row: &rusqlite::Row<'_>| Ok(ShortChannelId::new(row.get(0)?, row.get(1)?, row.get(2)?));
        for scid in self.stored().rows(query, &[&height], scid).into_iter().flatten() {
            self.gossip_channel_spent(scid, height);
        }
    }

    /// The funding output of a channel was spent in the block at `height`.
    fn gossip_channel_spent(&mut self, scid: ShortChannelId, height: u32) {
        let dies_at = height + DYING_BLOCKS;
        if !self.gossip.graph.forget_at(scid, dies_at) {
            return;
        }
        let text = format!("channel {scid} closing soon due to the funding outpoint being spent");
        self.log_gossip(LogLevel::Trace, &text);
        self.gossip.store.mark_dying(scid, dies_at);
        let Some(channel) = self.gossip.graph.channel(scid) else { return };
        for node in [*channel.source(0), *channel.source(1)] {
            if self.gossip.graph.is_dying(&node) {
                self.gossip.store.mark_node_dying(&node);
            }
        }
        self.flush_gossip_store();
    }

    /// Forgets channels that were spent long enough ago.
    pub(super) fn forget_dead_channels(&mut self, height: u32) {
        for scid in self.gossip.graph.dead(height) {
            let text = format!("Deleting channel {scid} due to the funding outpoint being spent");
            self.log_gossip(LogLevel::Debug, &text);
            self.forget_channel(scid);
        }
    }

    /// Forgets channels of which an end has been silent for two weeks. It is looked at every half a week.
    pub(super) fn forget_stale_channels(&mut self) {
        let now = unix_seconds((self.clock)());
        let due = *self.gossip.prune_at.get_or_insert(now + PRUNE_SECONDS / 4);
        if now < due {
            return;
        }
        self.gossip.prune_at = Some(now + PRUNE_SECONDS / 4);
        for scid in self.gossip.graph.stale(now) {
            self.log_gossip(LogLevel::Debug, &format!("Pruning channel {scid} from network view"));
            self.forget_channel(scid);
        }
    }

    /// Forgets a channel, and what nodes say of themselves that have no other. It is not believed again.
    fn forget_channel(&mut self, scid: ShortChannelId) {
        self.gossip.refused.insert(scid);
        let Some(channel) = self.gossip.graph.remove_channel(scid) else { return };
        self.gossip.store.remove_channel(scid);
        for node in [channel.source(0), channel.source(1)] {
            if self.gossip.graph.node(node).is_none() {
                self.gossip.store.remove_node(node);
            }
        }
        self.flush_gossip_store();
    }
}
