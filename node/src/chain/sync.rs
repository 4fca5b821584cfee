//! Whether bitcoind has caught up with the network, and the node with bitcoind (`lightningd/chaintopology.c`).

use super::answer::ChainInfo;
use crate::event::LogLevel;
use crate::input::Timer;
use crate::output::Output;
use crate::state::State;

/// How far both are. Neither ever falls back.
#[derive(Default)]
pub(crate) struct Sync {
    bitcoind: bool,
    node: bool,
}

impl Sync {
    /// What `getinfo` warns of: a member and its text.
    pub(crate) fn warning(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self { bitcoind: false, .. } => {
                Some(("warning_bitcoind_sync", "Bitcoind is not up-to-date with network."))
            }
            Self { node: false, .. } => {
                Some(("warning_lightningd_sync", "Still loading latest blocks from bitcoind."))
            }
            _ => None,
        }
    }

    /// The node has every block that bitcoind has.
    pub(crate) fn blocks_are_loaded(&mut self) {
        self.node = self.node || self.bitcoind;
    }
}

impl State {
    /// The first look, which tells the user loudly.
    pub(crate) fn first_sync(&mut self, info: &ChainInfo) {
        match lag(info) {
            None => self.topology.sync.bitcoind = true,
            Some(_) if info.ibd => {
                let text = "Waiting for initial block download (this can take a while!)";
                self.log_main(LogLevel::Unusual, text);
            }
            Some(lag) => self.log_main(LogLevel::Unusual, &lag),
        }
    }

    /// Looks whether bitcoind has caught up, unless it has.
    pub(crate) fn poll_sync(&mut self) {
        if !self.topology.sync.bitcoind {
            self.ask_chain_info(self.topology.height());
        }
    }

    /// Another look.
    pub(crate) fn sync_polled(&mut self, info: &ChainInfo) {
        if let Some(lag) = lag(info) {
            self.log_main(LogLevel::Debug, &lag);
            self.out.push(Output::SetTimer(Timer::PollSync, self.config.bitcoind_poll / 4));
        } else {
            self.topology.sync.bitcoind = true;
            self.log_main(LogLevel::Unusual, "Bitcoin backend now synced.");
        }
    }
}

/// What bitcoind still has to do, in lightningd's words.
fn lag(info: &ChainInfo) -> Option<String> {
    let ChainInfo { headercount, blockcount, ibd, .. } = info;
    if *ibd {
        Some("Still waiting for initial block download".to_owned())
    } else if headercount == blockcount {
        None
    } else {
        Some(format!("Waiting for bitcoind to catch up ({blockcount} blocks of {headercount})"))
    }
}
