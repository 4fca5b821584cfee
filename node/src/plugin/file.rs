//! The files of plugins: which may be run, which of a directory are plugins, and whether one has changed
//! (`plugin.c:plugin_fullpath`, `plugin_paths_match`, `file_checksum`).

use rustix::fs::Access;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Whether this process may execute the file.
///
/// # Errors
/// Why not.
pub(crate) fn may_execute(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(path, Access::EXEC_OK)?)
}

/// The files of a directory that are plugins, by name; lightningd takes them as the directory has them.
///
/// # Errors
/// If the directory cannot be read.
pub(crate) fn plugins_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = entries(dir)?;
    found.retain(|path| is_plugin(path));
    Ok(found)
}

/// Everything in a directory, by name.
///
/// # Errors
/// If the directory cannot be read.
pub(crate) fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn is_plugin(path: &Path) -> bool {
    let odd = |byte: u8| byte.is_ascii_punctuation() && !matches!(byte, b'-' | b'_' | b'.');
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let executable =
        |metadata: fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
    name != "README.md" && !name.bytes().any(odd) && path.metadata().is_ok_and(executable)
}

/// Whether `name` means the plugin at `path`: with a slash it is a path itself, which may start at `dir`;
/// without, it is the last part of one.
pub(crate) fn is_called(path: &Path, name: &str, dir: &Path) -> bool {
    if !name.contains('/') {
        return path.file_name().is_some_and(|last| last == name);
    }
    let canonical = |path: &Path| dir.join(path).canonicalize().ok();
    path == Path::new(name) || canonical(path).is_some_and(|path| canonical(Path::new(name)) == Some(path))
}

/// CRC-32C of the file; that of nothing if it cannot be read.
pub(crate) fn checksum(path: &Path) -> u32 {
    crc32c::crc32c(&fs::read(path).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn write(path: &Path, mode: u32) {
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn files_that_somebody_may_execute_are_plugins_unless_their_names_are_odd() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.py", "a-_b", "with space", "é", "par(en", "tilde~", "README.md"] {
            write(&dir.path().join(name), 0o755);
        }
        write(&dir.path().join("for others"), 0o641);
        write(&dir.path().join("text"), 0o644);
        fs::create_dir(dir.path().join("directory")).unwrap();
        symlink("b.py", dir.path().join("link")).unwrap();
        symlink("nowhere", dir.path().join("dangling")).unwrap();
        let names: Vec<_> = plugins_in(dir.path()).unwrap();
        let names: Vec<_> = names.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a-_b", "b.py", "for others", "link", "with space", "é"]);
    }

    #[test]
    fn a_name_with_a_slash_is_a_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap().join("a");
        write(&path, 0o755);
        for (name, meant) in [("a", true), ("b", false), ("./a", true), ("../a", false), ("x/a", false)] {
            assert_eq!(is_called(&path, name, dir.path()), meant, "{name}");
        }
        assert!(is_called(&path, path.to_str().unwrap(), Path::new("/")));
    }
}
