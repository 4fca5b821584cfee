//! The directory of the playground: links to the nodes' directories by their names, and the socket of who has the net.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use leyden::Node;

use crate::env;

/// What the directory of a net begins with.
const RUN_DIR: &str = "leyden-";

/// `LIGHTNING_DIR`, or `leyden-playground` among the temporary files.
#[derive(Clone, Debug)]
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn from_env() -> Self {
        Self(env::lightning_dir().unwrap_or_else(|| std::env::temp_dir().join("leyden-playground")))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The socket on which the net is told what to do.
    pub(crate) fn control(&self) -> PathBuf {
        self.0.join("leyden-control")
    }

    /// What the program that has the net complains of.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("leyden-host.log")
    }

    /// The lightning-dir of a node.
    pub(crate) fn node(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes it, for nobody else to look into.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// Gives a node's directory its name here: `l1`, as in `contrib/startup_regtest.sh`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn link(&self, node: &Node) -> io::Result<()> {
        symlink(node.lightning_dir(), self.node(node.name()))
    }

    /// Removes what a net has left, and nothing else; then the directory, if it is empty.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub(crate) fn destroy(&self) -> io::Result<()> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if let Some(run_dir) = run_dir(&path) {
                match fs::remove_dir_all(run_dir) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => fs::remove_file(&path)?,
                }
            } else if path == self.control() || path == self.log() {
                fs::remove_file(&path)?;
            }
        }
        match fs::remove_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            removed => removed,
        }
    }
}

/// The directory of the net of which this is a node's link; `None` if it is something else.
fn run_dir(link: &Path) -> Option<PathBuf> {
    let run_dir = fs::read_link(link).ok()?.parent()?.to_owned();
    let is_one = run_dir.file_name()?.to_str()?.starts_with(RUN_DIR);
    is_one.then_some(run_dir)
}
