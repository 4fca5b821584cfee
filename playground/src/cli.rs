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

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The program that plays the nodes [default: LEYDEN_BACKEND, or embedded]
    #[arg(long, value_enum)]
    backend: Option<BackendName>,
    /// The release that embedded nodes shall be: manual, v0.10, v23.02, v26.06 [default: v26.06]
    #[arg(long, value_name = "RELEASE")]
    pub(crate) release_profile: Option<Profile>,
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

impl DemoArgs {
    /// What was asked for, or what the environment says.
    pub(crate) fn backend(&self) -> leyden::Result<Backend> {
        match self.backend {
            Some(BackendName::Embedded) => Ok(Backend::Embedded),
            Some(BackendName::Lightningd) => Ok(Backend::Lightningd),
            None => Backend::from_env(),
        }
    }
}
