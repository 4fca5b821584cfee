//! A plugin that does what a TOML script says: `mock-plugin SCRIPT.toml`, or a script that begins with
//! `#!/usr/bin/env mock-plugin` and is executable.
//!
//! Serves lightningd over stdin and stdout. At the end, expectations that were not met are printed to stderr
//! and the exit code is 1.

use clap::Parser;
use leyden_mock_plugins::{Ended, Mock, MockPlugin};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncWrite, Stdout};

/// A Core Lightning plugin that does what a TOML script says.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The script.
    script: PathBuf,
    /// Only check the script.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mock = match Mock::script(&arguments.script) {
        Ok(_) if arguments.check => return ExitCode::SUCCESS,
        Ok(mock) => mock,
        Err(error) => return complain(&error),
    };
    let plugin = MockPlugin::new(mock);
    let code = match (serve(plugin.clone()), plugin.verify()) {
        (Ok(code), Ok(())) => code,
        (Ok(_), Err(unmet)) => return complain(&unmet),
        (Err(error), _) => return complain(&*error),
    };
    std::process::exit(code)
}

fn complain(error: &dyn std::fmt::Display) -> ExitCode {
    // With stderr closed there is nobody left to tell.
    drop(writeln!(io::stderr(), "mock-plugin: {error}"));
    ExitCode::FAILURE
}

/// Serves until the end; the code is what the script exits with.
fn serve(plugin: MockPlugin) -> Result<i32, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let served = runtime.block_on(plugin.serve(tokio::io::stdin(), ClosableStdout(tokio::io::stdout())));
    runtime.shutdown_background();
    match served? {
        Ended::Exit(code) => Ok(code),
        Ended::Eof | Ended::Stopped => Ok(0),
    }
}

/// Tokio's stdout does not close the descriptor when it is shut down; lightningd has to see the end.
struct ClosableStdout(Stdout);

impl AsyncWrite for ClosableStdout {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_flush(context))?;
        let nowhere = File::options().write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(&nowhere)?;
        Poll::Ready(Ok(()))
    }
}
