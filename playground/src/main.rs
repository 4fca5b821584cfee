//! The `leyden` command: a demo of all that a test can do.
//!
//! | module | what it is for |
//! |---|---|
//! | `cli` | the command line |
//! | `demo` | `leyden demo` |
//! | `doorman` | a plugin on the crate `cln-plugin`, which this binary also is |
//! | `env` | what is read from the environment |

mod cli;
mod demo;
mod doorman;
mod env;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::main(&args),
        Command::Doorman => doorman::main(),
    }
}
