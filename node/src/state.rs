//! The node's state and the one function that changes it.
//!
//! `State` does no I/O: [`State::handle`] takes an [`Input`], and what is to be done about it collects in
//! `out`, to be released by [`crate::actor`] once the database is committed. The subjects live in their own
//! modules as further `impl State` blocks, named after lightningd's files.

use crate::chain::broadcast::Outgoing;
use crate::chain::feerates::Feerates;
use crate::chain::topology::Topology;
use crate::chain::watch::Watches;
use crate::channel::Channels;
use crate::channel::anchorspend::AnchorSpends;
use crate::command::dev::SlowCommands;
use crate::command::invoice::InvoiceWaiters;
use crate::config::Config;
use crate::db::Db;
use crate::event::{Event, Exit, LogLevel};
use crate::gossip::Gossip;
use crate::htlc::Htlcs;
use crate::indexes::IndexWaiters;
use crate::input::{Input, Step, Timer};
use crate::jsonrpc::connection::Connections;
use crate::jsonrpc::hook::Complaint;
use crate::jsonrpc::internal::InternalCalls;
use crate::log::Log;
use crate::onchain::ClosedChannels;
use crate::output::Output;
use crate::payment::{Plans, SendpayWaiters};
use crate::peer::Peers;
use crate::pid_file::PidFile;
use crate::plugin::Plugins;
use crate::plugin::hook::order::Hooks;
use crate::plugin::request::Requests;
use crate::shutdown::Shutdown;
use crate::wallet::address::Scripts;
use crate::wallet::txprepare::Unreleased;
use crate::world::{Clock, Entropy};
use bitcoin::Network;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use leyden_bolt::keys::Wallet;
use leyden_bolt::{FeatureSet, HsmSecret};
use leyden_protocol::Profile;
use std::net::SocketAddr;

/// How far a node is (spec of lightningd's start: `lightningd.c:main`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Plugins have been asked for their manifests.
    Manifests,
    /// The database is being made or opened.
    Database,
    /// The Bitcoin backend has been asked for the first block.
    Topology,
    /// Plugins have been sent `init`.
    Inits,
    /// Everything is up.
    Running,
    /// `stop` was called: plugins have been told.
    Stopping,
}

/// A node.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) profile: Profile,
    pub(crate) phase: Phase,
    pub(crate) out: Vec<Output>,
    /// Set by [`State::fatal`]: nothing further is handled, nothing of this input committed.
    pub(crate) exit: Option<Exit>,
    pub(crate) log: Log,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) node_key: SecretKey,
    pub(crate) node_id: PublicKey,
    pub(crate) wallet: Wallet,
    pub(crate) hsm_secret: HsmSecret,
    pub(crate) features: FeatureSet,
    /// What peers are told of them: connectd is started before plugins answer `init`, and not told of those
    /// that go with a plugin which disables itself then.
    pub(crate) peer_features: FeatureSet,
    /// This start made the `hsm_secret`.
    pub(crate) made_secret: bool,
    pub(crate) binding: Option<SocketAddr>,
    pub(crate) plugins: Plugins,
    pub(crate) requests: Requests,
    pub(crate) hooks: Hooks,
    /// The last one about an answer to `rpc_command`.
    pub(crate) rpc_command_complaint: Complaint,
    pub(crate) connections: Connections,
    pub(crate) htlcs: Htlcs,
    pub(crate) invoice_waiters: InvoiceWaiters,
    /// No unpaid invoice expires before this time, in seconds since 1970. A payment does not look at all of them.
    pub(crate) next_invoice_expiry: i64,
    pub(crate) index_waiters: IndexWaiters,
    pub(crate) sendpay_waiters: SendpayWaiters,
    pub(crate) slow_commands: SlowCommands,
    pub(crate) plans: Plans,
    /// Set when the node is to leave its main loop, after what is being handled, with this exit code
    /// (`lightningd.c:lightningd_exit`).
    pub(crate) leave: Option<i32>,
    /// The end of the node, once it has begun.
    pub(crate) shutdown: Shutdown,
    pub(crate) peers: Peers,
    pub(crate) topology: Topology,
    pub(crate) pid_file: Option<PidFile>,
    pub(crate) feerates: Feerates,
    pub(crate) watches: Watches,
    pub(crate) outgoing: Outgoing,
    pub(crate) internal_calls: InternalCalls,
    pub(crate) anchor_spends: AnchorSpends,
    /// Channels that are closed on the chain.
    pub(crate) onchain: ClosedChannels,
    /// What the wallet can spend.
    pub(crate) scripts: Scripts,
    pub(crate) unreleased: Unreleased,
    pub(crate) gossip: Gossip,
    pub(crate) channels: Channels,
    /// `None` until the manifests are in.
    db: Option<Db>,
    /// Writes outside of any transaction that `db_write` has not seen yet.
    unversioned_writes: Option<(u32, Vec<String>)>,
}

impl State {
    /// A node that has not been started.
    pub(crate) fn new(
        config: Config,
        clock: Clock,
        entropy: Entropy,
        log: Log,
        hsm_secret: HsmSecret,
    ) -> Self {
        let node_key = hsm_secret.node_key();
        Self {
            profile: config.profile,
            phase: Phase::Manifests,
            out: Vec::new(),
            exit: None,
            log,
            clock,
            entropy,
            node_key,
            node_id: node_key.public_key(&Secp256k1::signing_only()),
            wallet: hsm_secret.wallet(Network::Regtest),
            hsm_secret,
            features: FeatureSet::from_hex(&config.profile.features()).expect("a release's features are hex"),
            peer_features: FeatureSet::default(),
            made_secret: false,
            binding: None,
            plugins: Plugins::default(),
            requests: Requests::default(),
            hooks: Hooks::default(),
            rpc_command_complaint: "",
            connections: Connections::default(),
            htlcs: Htlcs::default(),
            invoice_waiters: InvoiceWaiters::default(),
            next_invoice_expiry: i64::MIN,
            index_waiters: IndexWaiters::default(),
            sendpay_waiters: SendpayWaiters::default(),
            slow_commands: SlowCommands::default(),
            plans: Plans::default(),
            leave: None,
            shutdown: Shutdown::default(),
            peers: Peers::default(),
            topology: Topology::default(),
            pid_file: None,
            feerates: Feerates::default(),
            watches: Watches::default(),
            outgoing: Outgoing::default(),
            internal_calls: InternalCalls::default(),
            anchor_spends: AnchorSpends::default(),
            onchain: ClosedChannels::default(),
            scripts: Scripts::default(),
            unreleased: Unreleased::new(),
            gossip: Gossip::default(),
            channels: Channels::default(),
            db: None,
            unversioned_writes: None,
            config,
        }
    }

    /// Lets one thing happen.
    pub(crate) fn handle(&mut self, input: Input) {
        if self.phase == Phase::Stopping && !input.is_heard_at_the_end() {
            return;
        }
        match input {
            Input::Start => self.start(),
            Input::Step(Step::Database(step)) => self.make_database(step),
            Input::Step(Step::LoadInvoices) => self.load_invoices(),
            Input::Step(Step::RecordIdentity) => self.record_identity(),
            Input::Step(Step::Usage) => self.print_usage(),
            Input::Step(Step::SetupTopology) => self.setup_topology(),
            Input::Step(Step::FirstBlock) => self.first_block_recorded(),
            Input::Step(Step::PruneOutputs) => self.prune_outputs(),
            Input::Step(Step::InitPlugins) => self.init_plugins(),
            Input::Plugin(plugin, input) => self.plugin_input(plugin, input),
            Input::Rpc(connection, input) => self.rpc_input(connection, input),
            Input::Peer(connection, input) => self.peer_input(connection, input),
            Input::Listening(Ok(address)) => self.listening(address),
            Input::Listening(Err(why)) => self.fatal(&why),
            Input::Backend(question, asker, answer) => self.built_in_answered(&question, asker, answer),
            Input::PokeChain => self.poke_chain(),
            Input::ReopenLogs => self.reopen_logs(),
            Input::Timer(Timer::PollChain) => self.poll_chain(),
            Input::Timer(Timer::PollFees) => self.poll_fees(),
            Input::Timer(Timer::PollSync) => self.poll_sync(),
            Input::Timer(Timer::AwaitBlocks) => self.look_for_lost_blocks(),
            Input::Timer(Timer::WaitBlockHeight(number)) => self.block_height_timeout(number),
            Input::Timer(Timer::PluginStartup(plugin)) => self.plugin_startup_timeout(plugin),
            Input::Timer(Timer::PluginStop(plugin)) => self.plugin_stop_timeout(plugin),
            Input::Timer(Timer::Shutdown) => self.shutdown_timeout(),
            Input::Timer(Timer::Reconnect(peer)) => self.reconnect(peer),
            Input::Timer(Timer::StableChannel(dbid)) => self.channel_is_stable(dbid),
            Input::Timer(Timer::OfferedHtlc(key)) => self.offered_htlc_timeout(key),
            Input::Timer(Timer::CloseChannel(number)) => self.close_timeout(number),
            Input::Timer(Timer::ExpireInvoices) => self.expire_invoices(),
            Input::Timer(Timer::WaitAnyInvoice(number)) => self.wait_any_invoice_timeout(number),
            Input::Timer(Timer::HtlcSet(number)) => self.htlc_set_timeout(number),
            Input::Timer(Timer::SlowCommand(number)) => self.slow_command_done(number),
            Input::Timer(Timer::WaitSendpay(number)) => self.wait_sendpay_timeout(number),
            Input::Failed(exit) => self.exit = Some(exit),
        }
        self.flush_channels();
        if let Some(code) = self.leave.take() {
            self.leave_main_loop(code);
        }
    }

    /// The database.
    ///
    /// # Panics
    /// Before it is open: nothing that may touch it happens earlier.
    pub(crate) fn db(&mut self) -> &mut Db {
        self.db.as_mut().expect("the database is opened before anything is stored")
    }

    /// What is in the database, to be looked at only.
    ///
    /// # Panics
    /// Before it is open.
    pub(crate) fn stored(&self) -> &Db {
        self.db.as_ref().expect("the database is opened before anything is stored")
    }

    /// The database, if it is open already.
    pub(crate) fn open_db(&mut self) -> Option<&mut Db> {
        self.db.as_mut()
    }

    pub(crate) fn set_db(&mut self, db: Db) {
        self.db = Some(db);
    }

    /// Notes writes that `db_write` is to see with a `data_version` it has seen before.
    pub(crate) fn show_unversioned(&mut self, data_version: u32, writes: Vec<String>) {
        self.unversioned_writes = Some((data_version, writes));
    }

    /// Takes what [`State::show_unversioned`] noted.
    pub(crate) fn take_unversioned_writes(&mut self) -> Option<(u32, Vec<String>)> {
        self.unversioned_writes.take()
    }

    /// Logs a line, and tells plugins that subscribed to `log` or `warning`.
    pub(crate) fn log(&mut self, level: LogLevel, source: &str, text: &str) {
        let line = self.log.line(level, source, text);
        self.notify_of_log(&line);
    }

    /// Logs a line of `lightningd` itself.
    pub(crate) fn log_main(&mut self, level: LogLevel, text: &str) {
        self.log(level, "lightningd", text);
    }

    /// SIGHUP: somebody has moved the log files away (`log.c:rotate_log`).
    fn reopen_logs(&mut self) {
        self.log_main(LogLevel::Info, "Ending log due to SIGHUP");
        match self.log.reopen(&self.config.log_files) {
            Ok(()) => self.log_main(LogLevel::Info, "Started log due to SIGHUP"),
            Err(why) => self.exit = Some(Exit { code: 1, message: Some(why) }),
        }
    }

    /// Ends the node as `lightningd/log.c:fatal` does: exit code 1 during the start; later two BROKEN lines
    /// and an abort. Of several in one input the first counts.
    pub(crate) fn fatal(&mut self, message: &str) {
        if self.exit.is_some() {
            return;
        }
        let code = if self.phase < Phase::Running {
            1
        } else {
            self.log_main(LogLevel::Broken, message);
            self.log_main(LogLevel::Broken, &crate::crash::signal_line(self.profile.version()));
            Exit::ABORTED
        };
        self.exit = Some(Exit { code, message: Some(message.to_owned()) });
    }

    /// Tells whoever listens.
    pub(crate) fn tell(&mut self, event: Event) {
        self.out.push(Output::Tell(event));
    }

    /// Whether the node is on its way out.
    pub(crate) fn stopping(&self) -> bool {
        self.phase == Phase::Stopping || self.exit.is_some() || self.leave.is_some()
    }
}
