//! From a signed commitment to a usable channel: the funding transaction on the chain, and `channel_ready`
//! (`lightningd/channel_control.c`, `peer_control.c:funding_depth_cb`).

use super::LocalChannel;
use super::channel_state::ChannelState;
use crate::chain::topology::TxLocation;
use crate::chain::watch::Watcher;
use crate::coin_mvts::ChannelOpen;
use crate::coin_mvts::movement::Account;
use crate::event::LogLevel;
use crate::state::State;
use bitcoin::hashes::Hash;
use leyden_bolt::ShortChannelId;
use leyden_bolt::transaction::Side;

/// How deep a funding transaction has to be before the channel is announced (BOLT 7).
const ANNOUNCE_DEPTH: u32 = 6;

/// For how many blocks a channel waits for its funding by the peer (BOLT 2).
const FUNDING_PATIENCE: u32 = 2016;

/// How many of those that have waited for so long are kept nevertheless.
const UNFUNDED_KEPT: usize = 100;

impl State {
    /// Follows the funding transaction of a channel, and who spends it.
    pub(super) fn watch_funding(&mut self, dbid: u64) {
        let Some(funding) = self.channels.get(dbid).map(LocalChannel::funding) else { return };
        self.watch_tx(funding.txid, Watcher::Funding(dbid));
        self.watch_output(funding, Watcher::Funding(dbid));
    }

    /// The funding transaction is so deep now; 0 if a reorganisation has taken it out of the chain.
    pub(crate) fn funding_depth(&mut self, dbid: u64, depth: u32, location: Option<TxLocation>) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        channel.depth = depth;
        let output = u16::try_from(channel.funding().vout).expect("funding_output_index has 16 bits");
        let at = location.and_then(|at| ShortChannelId::new(at.height, at.index, output));
        match (channel.state, at) {
            (ChannelState::AwaitingLockin, None) => channel.scid = None,
            (_, Some(scid)) if channel.scid != Some(scid) => self.funding_found(dbid, scid),
            _ => {}
        }
        self.maybe_channel_ready(dbid);
        let is_deep = depth >= ANNOUNCE_DEPTH;
        let normal = |channel: &LocalChannel| channel.state == ChannelState::Normal;
        if is_deep && self.channels.get(dbid).is_some_and(normal) {
            self.own_channel_deep(dbid);
        }
    }

    /// The funding is in a block: the channel has a name.
    fn funding_found(&mut self, dbid: u64, scid: ShortChannelId) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let old = channel.scid.replace(scid);
        let (source, usable) = (channel.log_source(), channel.state == ChannelState::Normal);
        let is_first = old.is_none();
        if let Some(old) = old {
            let text = format!("Short channel id changed from {old}->{scid}");
            self.log(LogLevel::Info, &source, &text);
        }
        if usable {
            // It was used before it had a name, or has another one now.
            self.own_channel_usable(dbid);
            if is_first {
                self.channel_opened_on_chain(dbid);
            }
        }
    }

    /// Says `channel_ready` if the funding is deep enough for us.
    pub(super) fn maybe_channel_ready(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        if channel.depth < channel.minimum_depth || channel.state > ChannelState::ShuttingDown {
            return;
        }
        let alias = channel.alias_local;
        channel.bolt.send_channel_ready(Some(alias));
    }

    /// There is another block: forgets channels that peers have not funded in time, if there are very many
    /// (`channel_control.c:is_fundee_should_forget`).
    pub(crate) fn forget_unfunded_channels(&mut self, height: u32) {
        let is_late = |channel: &&LocalChannel| {
            channel.state == ChannelState::AwaitingLockin
                && channel.opener() == Side::Remote
                && channel.scid.is_none()
                && height.saturating_sub(channel.first_block) >= FUNDING_PATIENCE
        };
        let mut late: Vec<(u32, u64)> =
            self.channels.iter().filter(is_late).map(|channel| (channel.first_block, channel.dbid)).collect();
        late.sort_unstable();
        // The newest may still come to something, and cost little.
        let forgotten = late.len().saturating_sub(UNFUNDED_KEPT);
        for (first_block, dbid) in late.into_iter().take(forgotten) {
            let txid = self.channels.get(dbid).map(|channel| channel.funding().txid.to_string());
            let why = format!(
                "Forgetting channel: It has been {} blocks without the funding transaction {} getting deeply confirmed. \
                 We are fundee and can forget channel without loss of funds.",
                height - first_block,
                txid.unwrap_or_default()
            );
            self.forget_failed_channel(dbid, &why);
        }
    }

    /// Both sides have said `channel_ready`.
    pub(super) fn locked_in(&mut self, dbid: u64) {
        self.own_channel_usable(dbid);
        self.channel_opened_on_chain(dbid);
        let deep = |channel: &LocalChannel| channel.depth >= ANNOUNCE_DEPTH;
        if self.channels.get(dbid).is_some_and(deep) {
            self.own_channel_deep(dbid);
        }
        self.want_feerate(dbid);
    }

    /// The books begin with the funding: once it is in a block, and both sides can use it (`channel_record_open`).
    fn channel_opened_on_chain(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let Some(scid) = channel.scid else { return };
        let open = ChannelOpen {
            account: Account::Channel { dbid, id: channel.channel_id() },
            peer: channel.peer,
            funding: channel.funding(),
            height: scid.block(),
            capacity_sat: channel.bolt.terms().capacity_sat,
            pushed_msat: channel.push_msat,
            is_opener: channel.opener() == Side::Local,
        };
        self.channel_opened_movement(&open);
    }

    /// A name that nobody else has.
    pub(super) fn draw_alias(&mut self) -> ShortChannelId {
        let drawn = bitcoin::hashes::sha256::Hash::hash(&self.entropy.draw()).to_byte_array();
        let [a, b, c, d, e, f, g, h, ..] = drawn;
        ShortChannelId::from_u64(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}
