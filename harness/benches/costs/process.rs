//! The children that a benchmark starts: this very program, in one of a few roles.

use crate::{memory, node, round_trip, start};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, ExitCode, Stdio};

/// What says that this process is a child.
const MARK: &str = "--child";

/// The role of this process and its arguments, if it is a child.
pub(crate) fn role() -> Option<Vec<String>> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == MARK).then(|| arguments.collect())
}

/// Plays a role to its end.
pub(crate) fn play(role: &[String]) -> ExitCode {
    let arguments: Vec<&str> = role.iter().map(String::as_str).collect();
    let played = match arguments[..] {
        ["plugin", manifest] => round_trip::plugin(manifest),
        ["database", file] => start::database(file),
        ["nodes", count, dir, port, user, password] => node::Access::new(port, user, password)
            .and_then(|bitcoind| memory::nodes(count.parse().unwrap_or_default(), dir.as_ref(), &bitcoind)),
        _ => Err(leyden::Error::test(format!("playing the role {role:?}")).came("there is no such role")),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

/// A shell script that becomes a child in this role.
pub(crate) fn script(role: &[&str]) -> leyden::Result<String> {
    let program = std::env::current_exe()?;
    let words: String = role.iter().map(|word| format!(" '{word}'")).collect();
    Ok(format!("#!/bin/sh\nexec '{}' {MARK}{words}\n", program.display()))
}

/// A child with pipes.
pub(crate) struct Running {
    child: Child,
    /// `None` once somebody else has them.
    pipes: Option<Pipes>,
}

/// The two pipes of a child.
pub(crate) struct Pipes {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts one.
    #[expect(clippy::disallowed_methods, reason = "the one place of the benchmark that spawns")]
    pub(crate) fn start(role: &[&str]) -> leyden::Result<Self> {
        let mut child = std::process::Command::new(std::env::current_exe()?)
            .arg(MARK)
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().expect("it was asked for");
        let stdout = BufReader::new(child.stdout.take().expect("it was asked for"));
        Ok(Self { child, pipes: Some(Pipes { stdin, stdout }) })
    }

    /// Its pipes.
    pub(crate) fn pipes(&mut self) -> &mut Pipes {
        self.pipes.as_mut().expect("nobody else has them")
    }

    /// Its pipes, for somebody else.
    pub(crate) fn take_pipes(&mut self) -> Pipes {
        self.pipes.take().expect("nobody else has them")
    }

    /// Waits for its next line.
    pub(crate) fn line(&mut self) -> leyden::Result<String> {
        let mut line = String::new();
        match self.pipes().stdout.read_line(&mut line)? {
            0 => Err(leyden::Error::test("reading what a child says").came("it has ended")),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// Closes its standard input, which ends it, and waits for that.
    pub(crate) fn end(mut self) -> leyden::Result {
        let stdout = self.pipes.take().map(|pipes| pipes.stdout);
        let status = self.child.wait()?;
        drop(stdout);
        if status.success() {
            return Ok(());
        }
        Err(leyden::Error::test("waiting for a child").expected("status 0").came(status.to_string()))
    }
}

/// What a child has to say, at once.
pub(crate) fn tell(line: &str) -> leyden::Result {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}

/// Returns when the benchmark lets the child go.
pub(crate) fn until_let_go() -> leyden::Result {
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
