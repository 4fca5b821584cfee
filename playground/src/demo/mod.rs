//! `leyden demo`: a scene of three nodes and three kinds of plugins, played, shown and checked.
//!
//! | module | what it is for |
//! |---|---|
//! | `cast` | who plays: nodes, mocks, plugins |
//! | `scene` | what happens, step by step |
//! | `payments` | how it ends: channels, and payments that plugins judge |
//! | `sequence` | everything that was said and done, in order, for people |
//! | `ledger` | what was asserted, and the table of it |

mod cast;
mod ledger;
mod payments;
mod scene;
mod sequence;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use leyden::backend::Capability;
use leyden::env::Settings;
use leyden::{Backend, Error, Net, Node, Result};

use crate::cli::DemoArgs;
use ledger::Ledger;
use sequence::Sequence;

const WRONG: Style = AnsiColor::Red.on_default().bold();

/// Plays the demo and prints it.
pub(crate) fn main(args: &DemoArgs) -> ExitCode {
    let told = play(args).and_then(|played| {
        match played.print(args, &mut anstream::stdout()) {
            // A reader that has seen enough, such as `head`, is no failure of the demo.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
        // What went wrong first explains the rest.
        played.scene.and(played.finished).map(|()| played.ledger.holds())
    });
    match told {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A demo that has come to its end, good or bad.
struct Played {
    backend: Backend,
    scene: Result,
    finished: Result,
    ledger: Ledger,
    sequence: Sequence,
    run_dir: PathBuf,
    took: Duration,
}

/// # Errors
/// If the net does not start.
#[tokio::main]
async fn play(args: &DemoArgs) -> Result<Played> {
    let backend = args.net.backend()?;
    check(backend, args)?;
    let began = Instant::now();
    let net = cast::builder(args, backend)?.start().await?;
    let nodes: [Node; 3] = net.nodes();
    let sequence = Sequence { timeline: net.timeline().clone(), nodes: nodes.into(), full: args.full };
    let (mut ledger, run_dir) = (Ledger::default(), net.run_dir().to_owned());
    let profile = args.net.release_profile.unwrap_or_default();
    let scene = scene::play(&net, profile, &mut ledger).await;
    let finished = finish(net, &mut ledger).await;
    Ok(Played { backend, scene, finished, ledger, sequence, run_dir, took: began.elapsed() })
}

/// Whether the backend can be what is asked of it, before anything is started.
fn check(backend: Backend, args: &DemoArgs) -> Result {
    if let Some(reason) = backend.missing(&Settings::from_env()) {
        let error = Error::environment(format!("looking for the backend {backend}")).came(reason);
        return Err(error.advice("set LIGHTNINGD_EXE, or use --backend embedded"));
    }
    match backend.lacks(Capability::AnyProfile) {
        Some(reason) if args.net.release_profile.is_some() => {
            Err(Error::test("choosing a --release-profile").came(reason).advice("leave the option out"))
        }
        _ => Ok(()),
    }
}

/// The checks that every test ends with are a row, too.
async fn finish(net: Net, ledger: &mut Ledger) -> Result {
    let finished = net.finish().await;
    let complaint = finished.as_ref().err().map_or("none".to_owned(), Error::headline);
    ledger.same("complaints at the end", "net", &"none", &complaint);
    finished
}

impl Played {
    fn print(&self, args: &DemoArgs, out: &mut impl Write) -> io::Result<()> {
        self.sequence.print(out)?;
        writeln!(out)?;
        for line in self.ledger.table().lines() {
            let style = if line.contains(ledger::FAILED) { WRONG } else { Style::new() };
            writeln!(out, "{style}{line}{style:#}")?;
        }
        if args.keep {
            writeln!(out, "run directory: {}", self.run_dir.display())?;
        }
        let took = self.took.as_secs_f64();
        writeln!(out, "{} with the {} node, in {took:.2} s", self.ledger, self.backend)
    }
}
