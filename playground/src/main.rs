//! The `leyden` command: a demo of all that a test can do.
//!
//! | module | what it is for |
//! |---|---|
//! | `cli` | the command line |
//! | `demo` | `leyden demo` |
//! | `doorman` | a plugin on the crate `cln-plugin`, which this binary also is |
//! | `truth` | `leyden record` and `leyden diff` |
//! | `env`, `process` | what is read from the environment; running cargo |

mod cli;
mod demo;
mod doorman;
mod env;
mod process;
mod truth;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::main(&args),
        Command::Doorman => doorman::main(),
        Command::Record(args) => truth::record(&args),
        Command::Diff(args) => truth::diff(&args),
    }
}
