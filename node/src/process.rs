//! Plugins as child processes. The only module of this crate that spawns.

use crate::host::{Launch, PluginLauncher, PluginProcess, RunningPlugin};
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Runs a plugin's executable as a child of this process, as lightningd does: pipes on 0 and 1, and the
/// node's standard error (`ccan/pipecmd`).
#[derive(Debug, Clone, Default)]
pub struct ChildProcess {
    /// The file that is the node's standard error, appended to; `None` is this process's own.
    pub stderr: Option<PathBuf>,
}

impl PluginLauncher for ChildProcess {
    fn launch(&self, launch: &Launch) -> io::Result<RunningPlugin> {
        let mut command = command(launch);
        if let Some(path) = &self.stderr {
            command.stderr(OpenOptions::new().create(true).append(true).open(path)?);
        }
        let mut child = command.spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the child has no pipes"));
        };
        Ok(RunningPlugin {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            process: Box::new(Plugin(Some(child))),
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the module that spawns")]
fn command(launch: &Launch) -> Command {
    let mut command = Command::new(&launch.path);
    command
        .args(&launch.args)
        .envs(launch.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&launch.cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
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
