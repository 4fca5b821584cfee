//! Connections to peers with channels are made again by themselves (`connectd/connectd.c:schedule_reconnect_if_important`).

use super::LocalChannel;
use super::channel_state::ChannelState;
use crate::config::channels::Reconnect;
use crate::event::LogLevel;
use crate::input::Timer;
use crate::output::Output;
use crate::peer::PeerState;
use crate::state::{Phase, State};
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::transaction::Side;
use std::time::Duration;

/// Before the first attempt.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Before all further ones, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// The same with `--dev-fast-reconnect`.
const LONGEST_FAST_WAIT: Duration = Duration::from_secs(3);

/// How long to wait before the next attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff(Duration);

impl LocalChannel {
    /// Whether a connection is kept up for it. Who only waits for another's funding waits for the other (`channel_important_filter`).
    fn is_important(&self) -> bool {
        let waits_for_opener = self.state == ChannelState::AwaitingLockin && self.opener() == Side::Remote;
        self.state.wants_peer() && !waits_for_opener
    }
}

impl State {
    fn is_important(&self, peer: &PublicKey) -> bool {
        self.channels.of_peer(peer).any(LocalChannel::is_important)
    }

    /// The peer is there.
    pub(super) fn reset_backoff(&mut self, peer: &PublicKey) {
        self.channels.backoffs.remove(peer);
        self.out.push(Output::CancelTimer(Timer::Reconnect(*peer)));
    }

    /// The peer is gone, or could not be reached.
    pub(crate) fn schedule_reconnect(&mut self, peer: &PublicKey) {
        let longest = match self.config.channels.reconnect {
            Reconnect::Never => return,
            Reconnect::Fast => LONGEST_FAST_WAIT,
            Reconnect::Patient => LONGEST_WAIT,
        };
        let known = self.peers.known_addresses.contains_key(peer);
        if !known || !self.is_important(peer) || self.phase != Phase::Running {
            return;
        }
        let wait = self.channels.backoffs.get(peer).map_or(FIRST_WAIT, |backoff| backoff.0);
        self.channels.backoffs.insert(*peer, Backoff((wait * 2).min(longest)));
        let source = format!("{peer}-connectd");
        self.log(LogLevel::Debug, &source, &format!("Will try reconnect in {} seconds", wait.as_secs()));
        // Two nodes that lose each other must not dial at the same moment for ever.
        let [low, high, ..] = self.entropy.draw();
        let fuzz = Duration::from_micros(u64::from(u16::from_be_bytes([low, high])) * 15);
        self.out.push(Output::SetTimer(Timer::Reconnect(*peer), wait + fuzz));
    }

    /// It is time to dial again.
    pub(crate) fn reconnect(&mut self, peer: PublicKey) {
        if self.is_important(&peer) && !self.stopping() {
            self.dial_known(peer);
        }
    }

    /// Everything is up: dials the peers with channels.
    pub(crate) fn connect_to_channel_peers(&mut self) {
        if self.config.channels.reconnect == Reconnect::Never {
            return;
        }
        let important = self.channels.iter().filter(|channel| channel.is_important());
        let mut peers: Vec<PublicKey> = important.map(|channel| channel.peer).collect();
        peers.dedup();
        for peer in peers {
            self.dial_known(peer);
        }
    }

    fn dial_known(&mut self, peer: PublicKey) {
        let address = self.peers.known_addresses.get(&peer).copied();
        if let Some(address) = address.filter(|_| self.peers.of(&peer, PeerState::Dialling).is_none()) {
            self.dial(peer, address);
        }
    }
}
