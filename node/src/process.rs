//! Plugins as child processes, and the node itself as a daemon. The only module of this crate that spawns.

mod daemon;

use crate::host::{Launch, PluginLauncher, PluginProcess, RunningPlugin};
use rustix::io::Errno;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::process::{Child, ChildStdout, Command};

pub use daemon::{complete, start_daemon};

/// Runs a plugin's executable as a child of this process, as lightningd does: pipes on 0 and 1, and the
/// node's standard error (`ccan/pipecmd`).
#[derive(Debug, Clone, Default)]
pub struct ChildProcess {
    /// The file that is the node's standard error, appended to; `None` is this process's own.
    pub stderr: Option<PathBuf>,
}

impl PluginLauncher for ChildProcess {
    #[expect(clippy::disallowed_methods, reason = "the module that spawns")]
    fn launch(&self, launch: &Launch) -> io::Result<RunningPlugin> {
        let mut child = match self.spawn(Command::new(&launch.path), launch) {
            // lightningd's execvp lets a shell run a script that does not say by what it is to be run.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOEXEC) => {
                let mut shell = Command::new("/bin/sh");
                shell.arg(&launch.path);
                self.spawn(shell, launch)?
            }
            spawned => spawned?,
        };
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the child has no pipes"));
        };
        Ok(RunningPlugin {
            stdin: Box::new(stdin),
            stdout: Box::new(Output { pipe: stdout, drained: false }),
            process: Box::new(Plugin(Some(child))),
        })
    }
}

/// A plugin's standard output. The event loop tells what is in it only when it asks the system next; who looks gets it at once.
struct Output {
    pipe: ChildStdout,
    /// The last look has emptied it.
    drained: bool,
}

impl AsyncRead for Output {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !std::mem::take(&mut self.drained) {
            match rustix::io::read(&self.pipe, into.initialize_unfilled()) {
                Ok(length) => {
                    into.advance(length);
                    self.drained = into.remaining() > 0 && length > 0;
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        Pin::new(&mut self.pipe).poll_read(context, into)
    }
}

impl ChildProcess {
    fn spawn(&self, mut command: Command, launch: &Launch) -> io::Result<Child> {
        command
            .args(&launch.args)
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&launch.cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(path) = &self.stderr {
            command.stderr(OpenOptions::new().create(true).append(true).open(path)?);
        }
        command.spawn()
    }
}

/// Killed when it is dropped, unless it was released.
struct Plugin(Option<Child>);

impl PluginProcess for Plugin {
    fn pid(&self) -> Option<u32> {
        self.0.as_ref().and_then(Child::id)
    }

    fn kill(&mut self) {
        if let Some(child) = &mut self.0 {
            // An error means that it has ended already.
            drop(child.start_kill());
        }
    }

    fn release(mut self: Box<Self>) {
        if let Some(mut child) = self.0.take() {
            // Somebody must wait for it, or it stays as a zombie.
            tokio::spawn(async move { child.wait().await });
        }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn a_script_that_names_no_interpreter_is_run_by_a_shell() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plugin");
        fs::write(&path, "echo $1 $LIGHTNINGD_VERSION").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let launch = Launch {
            path,
            args: vec!["--developer".to_owned()],
            env: vec![("LIGHTNINGD_VERSION".to_owned(), "v1".to_owned())],
            cwd: dir.path().to_owned(),
        };
        let mut running = ChildProcess::default().launch(&launch).unwrap();
        let mut said = String::new();
        running.stdout.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "--developer v1\n");
    }
}
