//! The relay: how a plugin of *any* lightningd is served from the test process.
//!
//! lightningd runs an executable and speaks with it over pipes. The relay is such an executable, a few lines of sh in the run
//! directory. It connects lightningd's pipes with FIFOs whose other ends the test process holds:
//!
//! ```text
//! mock:    lightningd ==pipe== relay ==from-node, to-node== test process: the mock
//! tapped:  lightningd ==pipe== relay ==from-node, to-node== test process ==to-plugin, from-plugin== the plugin
//! ```
//!
//! The relay of a tapped plugin becomes the plugin (`exec`), so that the process that lightningd knows is the plugin: its SIGKILL hits
//! it, and arguments, environment and working directory are as lightningd gave them.
//!
//! Every start is a session with FIFOs of its own, named by the process id; the relay makes them and announces itself on the FIFO
//! `control`. If the test process dies, the watchdog kills relays and plugins: they carry the mark of the net.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use leyden_node::host::Launch;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;

use crate::error::{Error, Result};
use crate::fault::Kill;
use crate::process;
use crate::served::{Behind, Served};
use crate::wait::eventually;

/// The relays of one net.
pub(crate) struct Relays {
    dir: PathBuf,
    table: Mutex<BTreeMap<PathBuf, Arc<Served>>>,
}

impl Relays {
    /// An empty directory for them is made.
    #[track_caller]
    pub(crate) fn create(dir: PathBuf) -> Result<Arc<Self>> {
        std::fs::create_dir_all(&dir)?;
        Ok(Arc::new(Self { dir, table: Mutex::default() }))
    }

    /// Writes the executable for a plugin and gives its path, whose last part is the plugin's name.
    #[track_caller]
    pub(crate) fn add(&self, served: Served) -> Result<PathBuf> {
        check_name(&served.name)?;
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        // A directory each: two nodes, or two mocks of a node, may use one name.
        let dir = self.dir.join(table.len().to_string());
        std::fs::create_dir(&dir)?;
        let path = dir.join(&served.name);
        let script = match &served.behind {
            Behind::Mock(_) => script(include_str!("relay/mock.sh"), &self.dir, &path, None),
            Behind::Exe(exe) => script(include_str!("relay/tapped.sh"), &self.dir, &path, Some(exe)),
        };
        write_executable(&path, &script)?;
        table.insert(path.clone(), Arc::new(served));
        Ok(path)
    }

    /// Writes the text of a plugin into a file of its own and gives its path.
    #[track_caller]
    pub(crate) fn write_script(&self, name: &str, text: &str) -> Result<PathBuf> {
        check_name(name)?;
        let dir = self.dir.join("scripts");
        std::fs::create_dir_all(&dir)?;
        // Two nodes may each have a script of this name: it is numbered, one writer at a time.
        let _table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let path = dir.join(format!("{}-{name}", std::fs::read_dir(&dir)?.count()));
        write_executable(&path, text)?;
        Ok(path)
    }

    /// What stands behind a relay.
    pub(crate) fn find(&self, path: &Path) -> Option<Arc<Served>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Listens for relays that lightningd starts, and serves their sessions, until the runtime ends. Must be called on the net's runtime.
    ///
    /// # Errors
    /// If the FIFO cannot be made.
    #[track_caller]
    pub(crate) fn listen(self: &Arc<Self>) -> Result {
        let path = self.dir.join("control");
        let mut mkfifo = process::command("mkfifo");
        mkfifo.arg(&path);
        if !mkfifo.status()?.success() {
            return Err(Error::environment(format!("mkfifo {}", path.display()))
                .advice("set TEST_DIR to a local disk"));
        }
        // Open for writing too: there is no end of file when the last relay has spoken.
        let control = pipe::Receiver::from_file(File::options().read(true).write(true).open(&path)?)?;
        let relays = Arc::clone(self);
        tokio::spawn(async move {
            let mut announcements = BufReader::new(control).lines();
            while let Ok(Some(session)) = announcements.next_line().await {
                let relays = Arc::clone(&relays);
                tokio::spawn(async move { relays.serve(Path::new(&session)).await });
            }
        });
        Ok(())
    }

    /// Serves one start of a plugin to its end. `session` is the beginning of the names of its FIFOs.
    async fn serve(&self, session: &Path) {
        let Ok(start) = std::fs::read_to_string(session.with_extension("start")) else { return };
        let Some(launch) = parse_start(&start) else { return };
        let Some(served) = self.find(&launch.path) else { return };
        served.launched(&launch);
        // The relay has become the plugin, or is the mock's end of lightningd's pipes.
        let pid = session.file_name().and_then(|name| name.to_str()?.parse().ok());
        let kill = Kill::process(pid);
        // Errors below are those of pipes whose other end has died: the session is over, and the node notices on its own pipe.
        let Ok(from_node) = open_receiver(session, "from-node") else { return };
        match &served.behind {
            Behind::Mock(_) => {
                let Ok(to_node) = open_sender(session, "to-node").await else { return };
                remove_files(session);
                served.serve_mock(kill, from_node, to_node).await;
            }
            Behind::Exe(_) => {
                let Ok(from_plugin) = open_receiver(session, "from-plugin") else { return };
                let Ok(to_node) = open_sender(session, "to-node").await else { return };
                let Ok(to_plugin) = open_sender(session, "to-plugin").await else { return };
                remove_files(session);
                served.forward(kill, from_node, to_node, to_plugin, from_plugin).await;
            }
        }
    }
}

#[track_caller]
fn check_name(name: &str) -> Result {
    if name.is_empty() || name.contains('/') {
        return Err(Error::test(format!("naming a plugin '{name}'")).expected(
            "a name that a file can have, for lightningd knows plugins by the names of their files",
        ));
    }
    Ok(())
}

fn write_executable(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o755).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// Fills a template. The places are named so that the template is a script by itself.
fn script(template: &str, dir: &Path, relay: &Path, exe: Option<&Path>) -> String {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let script = template.replace("\"$RELAYS\"", &quoted(dir)).replace("\"$RELAY\"", &quoted(relay));
    exe.map_or(script.clone(), |exe| script.replace("\"$PLUGIN\"", &quoted(exe)))
}

/// Reads what the relay has written of its start: path, working directory, number of arguments, each argument, then the environment.
fn parse_start(text: &str) -> Option<Launch> {
    let mut lines = text.lines();
    let path = PathBuf::from(lines.next()?);
    let cwd = PathBuf::from(lines.next()?);
    let count: usize = lines.next()?.parse().ok()?;
    let args = lines.by_ref().take(count).map(str::to_owned).collect();
    let variable = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    // `LIGHTNINGD_EXE` is not lightningd's word to its plugin but the author's to Leyden.
    let added = |(name, _): &(String, String)| name.starts_with("LIGHTNINGD_") && name != "LIGHTNINGD_EXE";
    let env = lines.filter_map(variable).filter(added).collect();
    Some(Launch { path, args, env, cwd })
}

/// Does not wait for the other end; the first byte or the end of file comes when it has been there.
fn open_receiver(session: &Path, end: &str) -> io::Result<pipe::Receiver> {
    pipe::OpenOptions::new().open_receiver(session.with_extension(end))
}

/// Waits until the other end is open for reading: what was written before would be lost if this end were closed again.
async fn open_sender(session: &Path, end: &str) -> Result<pipe::Sender> {
    let path = session.with_extension(end);
    eventually(format!("{} is read", path.display()), || async {
        pipe::OpenOptions::new().open_sender(&path).ok()
    })
    .await
}

/// Both ends are open: the names can go, so that another process with this id can use them.
fn remove_files(session: &Path) {
    for end in ["start", "from-node", "to-node", "to-plugin", "from-plugin"] {
        // A mock has only some of them.
        drop(std::fs::remove_file(session.with_extension(end)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_relay_notes_of_its_start_is_read_back() {
        let text = "/run/relay/0/my plugin\n/run/lightning-1/regtest\n2\n--a\nb c\nHOME=/root\nLIGHTNINGD_EXE=/x\nLIGHTNINGD_VERSION=v26.06\nLIGHTNINGD_PLUGIN=1\n";
        let launch = parse_start(text).unwrap();
        assert_eq!(launch.shortname(), "my plugin");
        assert_eq!(launch.args, ["--a", "b c"]);
        assert_eq!(
            launch.env,
            [("LIGHTNINGD_VERSION".into(), "v26.06".into()), ("LIGHTNINGD_PLUGIN".into(), "1".into())]
        );
        assert_eq!(launch.cwd, Path::new("/run/lightning-1/regtest"));
    }

    #[test]
    fn a_quote_in_a_path_does_not_end_the_word() {
        let filled = script(
            "exec \"$PLUGIN\" \"$@\"\n",
            Path::new("/r"),
            Path::new("/r/0/x"),
            Some(Path::new("/it's")),
        );
        assert_eq!(filled, "exec '/it'\\''s' \"$@\"\n");
    }
}
