//! The embedded node as a program, with lightningd's command line.

use leyden_node::config::{Bitcoind, Config};
use leyden_node::event::{Event, Exit, LogLevel};
use leyden_node::options::{self, Instead};
use leyden_node::process::{self, start_daemon};
use leyden_node::{Host, Node};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// The last argument of the one that is started as a daemon.
const DAEMON: &str = "--started-as-daemon";

fn main() -> ExitCode {
    let bitcoind = Bitcoind {
        rpc: SocketAddr::from(([127, 0, 0, 1], 18443)),
        user: String::new(),
        password: String::new(),
    };
    let mut config = Config::new(PathBuf::from("."), Some(bitcoind));
    config.developer = false;
    config.log_level = LogLevel::Info;
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let is_daemon = args.last().is_some_and(|last| last == DAEMON);
    args.truncate(args.len() - usize::from(is_daemon));
    match options::parse(&mut config, &args) {
        Ok(None) => {}
        Ok(Some(Instead::Version)) => return say(&format!("{}\n", config.profile.version())),
        Err(why) => return complain(&format!("lightningd: {why}")),
    }
    if config.daemon && config.log_files.is_empty() {
        return complain("lightningd: --daemon needs --log-file");
    }
    if config.daemon && !is_daemon {
        args.push(DAEMON.to_owned());
        return match start_daemon(args) {
            Ok(code) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
            Err(error) => complain(&format!("lightningd: {error}")),
        };
    }
    match run(config) {
        Ok(exit) => end(&exit),
        Err(error) => complain(&format!("lightningd: {error}")),
    }
}

/// Runs a node where lightningd would: its working directory is that of the network.
fn run(mut config: Config) -> io::Result<Exit> {
    config.lightning_dir = std::path::absolute(&config.lightning_dir)?;
    config.pid_file.get_or_insert_with(|| config.lightning_dir.join("lightningd-regtest.pid"));
    let rotates = !config.log_files.is_empty();
    if !rotates {
        config.log_files.push(PathBuf::from("-"));
    }
    std::fs::create_dir_all(config.network_dir())?;
    std::env::set_current_dir(config.network_dir())?;
    let signals = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    signals.block_on(async {
        let mut hangup = rotates.then(|| signal(SignalKind::hangup())).transpose()?;
        let (exits, mut exit) = mpsc::unbounded_channel();
        let is_daemon = config.daemon;
        let ear = move |event| match event {
            Event::Exited(exit) => {
                // The receiver lives until this has come.
                drop(exits.send(exit));
            }
            // Its starter may have ended meanwhile: it is nobody's daemon then, and goes on.
            Event::Started { .. } if is_daemon => drop(process::complete()),
            _ => {}
        };
        let node = Node::start(config, Host { events: Some(Arc::new(ear)), ..Host::default() });
        loop {
            tokio::select! {
                exit = exit.recv() => {
                    return exit.ok_or_else(|| io::Error::other("the node ended without a word"));
                }
                () = hung_up(&mut hangup) => node.reopen_logs(),
            }
        }
    })
}

/// Waits for SIGHUP, if it means anything.
async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

fn end(exit: &Exit) -> ExitCode {
    match &exit.message {
        Some(message) if exit.code == 0 => return say(message),
        Some(message) => drop(complain(message)),
        None => {}
    }
    if exit.code == Exit::ABORTED {
        std::process::abort();
    }
    u8::try_from(exit.code).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn say(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) -> ExitCode {
    // Without standard error there is nobody to tell.
    drop(writeln!(io::stderr(), "{text}"));
    ExitCode::FAILURE
}
