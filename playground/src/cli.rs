//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use leyden::{Backend, Profile};

/// Regtest networks of bitcoind, Lightning nodes and plugins.
#[derive(Debug, Parser)]
#[command(name = "leyden", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play a scene of three nodes, a mock plugin, a Rust plugin and a Python plugin, and check it.
    ///
    /// Ends with 0 if everything that is asserted holds and nothing is left over, otherwise with 1.
    Demo(DemoArgs),
    /// Record the goldens from a real lightningd: LIGHTNINGD_EXE, or lightningd on PATH. In a clone of Leyden.
    Record(TruthArgs),
    /// Play scenarios on the embedded node and on a real lightningd, and say where they differ. In a clone of Leyden.
    ///
    /// Ends with 0 if everything is equal that is not in snapshots/differences.toml.
    Diff(TruthArgs),
    /// Start bitcoind and some nodes, which run in the background until `stop_ln`.
    #[command(name = "start_ln", alias = "start-ln")]
    StartLn(StartArgs),
    /// Give every node a bitcoin, and each a channel with the next, announced to all.
    #[command(name = "fund_nodes", alias = "fund-nodes")]
    FundNodes,
    /// Connect two nodes: `connect 1 2`.
    Connect {
        /// The node that dials: `1` or `l1`
        from: String,
        /// The node that it dials
        to: String,
    },
    /// Call an RPC method of a node: `cli 1 getinfo`.
    Cli {
        /// The node: `1` or `l1`
        node: String,
        #[command(flatten)]
        call: CallArgs,
    },
    /// Call an RPC method of bitcoind: `bt-cli getblockcount`.
    BtCli(CallArgs),
    /// Shut the nodes and bitcoind down; their files stay.
    #[command(name = "stop_ln", alias = "stop-ln")]
    StopLn,
    /// Remove the files of nodes that were shut down.
    #[command(name = "destroy_ln", alias = "destroy-ln")]
    DestroyLn,
    /// Print all of this as functions for a shell, with l1-cli, l1-log and so on: eval "$(leyden env)"
    Env,
    /// Be the program that has the net.
    #[command(name = HOST, hide = true)]
    Host(HostArgs),
    /// Be the demo's Rust plugin: speaks with lightningd on stdin and stdout.
    #[command(name = crate::doorman::SUBCOMMAND, hide = true)]
    Doorman,
}

#[derive(Debug, Args)]
pub(crate) struct TruthArgs {
    /// Only scenarios whose name contains this
    scenario: Option<String>,
}

impl TruthArgs {
    /// A part of the names of the scenarios that are meant: without one, all are.
    pub(crate) fn scenario(&self) -> &str {
        self.scenario.as_deref().unwrap_or_default()
    }
}

/// Whose nodes a net has.
#[derive(Clone, Debug, Args)]
pub(crate) struct NetArgs {
    /// The program that plays the nodes [default: LEYDEN_BACKEND, or embedded]
    #[arg(long, value_enum)]
    backend: Option<BackendName>,
    /// The release that embedded nodes shall be: manual, v0.10, v23.02, v26.06 [default: v26.06]
    #[arg(long, value_name = "RELEASE")]
    pub(crate) release_profile: Option<Profile>,
}

/// The hidden subcommand that has the net.
const HOST: &str = "host-of-the-net";

#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// How many nodes: l1, l2 and so on
    #[arg(default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) nodes: u8,
    /// Fund them at once, as `fund_nodes` does
    #[arg(long)]
    pub(crate) fund: bool,
    #[command(flatten)]
    pub(crate) net: NetArgs,
}

/// What is said to `start_ln` is handed on to the host.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    host: HostArgs,
}

impl StartArgs {
    /// The command line of the host.
    pub(crate) fn for_host(&self) -> Vec<String> {
        let HostArgs { nodes, fund, net } = &self.host;
        let mut args = vec![HOST.to_owned(), nodes.to_string()];
        args.extend(fund.then(|| "--fund".to_owned()));
        args.extend(
            net.backend
                .and_then(|backend| backend.to_possible_value())
                .map(|value| format!("--backend={}", value.get_name())),
        );
        args.extend(net.release_profile.map(|profile| format!("--release-profile={profile}")));
        args
    }
}

/// A call of an RPC method.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The method
    pub(crate) method: String,
    /// Its parameters, by place or as name=value
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) params: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) net: NetArgs,
    /// Keep the run directory, and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print every frame whole, not only what fits into a line
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BackendName {
    /// Leyden's own node; nothing to install
    Embedded,
    /// A real one: LIGHTNINGD_EXE, or lightningd on PATH
    Lightningd,
}

impl NetArgs {
    /// What was asked for, or what the environment says.
    pub(crate) fn backend(&self) -> leyden::Result<Backend> {
        match self.backend {
            Some(BackendName::Embedded) => Ok(Backend::Embedded),
            Some(BackendName::Lightningd) => Ok(Backend::Lightningd),
            None => Backend::from_env(),
        }
    }
}
