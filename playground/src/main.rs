//! The `leyden` command: a demo of all that a test can do, and nets that stay for people to play with.
//!
//! | module | what it is for |
//! |---|---|
//! | `cli` | the command line |
//! | `demo` | `leyden demo` |
//! | `doorman` | a plugin on the crate `cln-plugin`, which this binary also is |
//! | `truth` | `leyden record` and `leyden diff` |
//! | `verbs` | `leyden start_ln`, `fund_nodes`, `connect`, `cli`, `stop_ln` and so on |
//! | `host` | the program behind them, which has the net |
//! | `control`, `home` | what they say to each other, and where |
//! | `env`, `process` | what is read from the environment; starting cargo and the host |

mod cli;
mod control;
mod demo;
mod doorman;
mod env;
mod home;
mod host;
mod process;
mod truth;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let out = &mut anstream::stdout();
    let done = match Cli::parse().command {
        Command::Demo(args) => return demo::main(&args),
        Command::Doorman => return doorman::main(),
        Command::Record(args) => return truth::record(&args),
        Command::Diff(args) => return truth::diff(&args),
        Command::Host(args) => return host::main(&args),
        Command::StartLn(args) => verbs::start_ln(&args, out),
        Command::FundNodes => verbs::fund_nodes(out),
        Command::Connect { from, to } => verbs::connect(&from, &to, out),
        Command::Cli { node, call } => verbs::cli(&node, &call, out),
        Command::BtCli(call) => verbs::bt_cli(&call, out),
        Command::StopLn => verbs::stop_ln(),
        Command::DestroyLn => verbs::destroy_ln(),
        Command::Env => verbs::env(out),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
