//! Changing configuration files for `setconfig` (`lightningd/configs.c:configvar_save`): new values go into
//! `<file>.setconfig`, which the main file includes; an old value is commented out where it stands.

use super::configdir::main_config_file;
use super::configvar::{ConfigFile, ConfigVar, Source};
use crate::config::Config;
use rustix::fs::{Access, access};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file that could not be changed, if `setconfig` were to change the value `old`.
pub(crate) fn not_writable(config: &Config, old: Option<&ConfigVar>) -> Option<PathBuf> {
    let writable = |path: &Path| access(path, Access::WRITE_OK).is_ok();
    let in_writable_dir = |path: &Path| path.parent().is_some_and(writable);
    if let Some((path, _)) = old.and_then(place)
        && !in_writable_dir(path)
    {
        return Some(path.to_owned());
    }
    match &config.setconfig_file {
        Some(path) if !writable(path) => Some(path.clone()),
        Some(_) => None,
        None => Some(main_config_file(config)).filter(|path| !in_writable_dir(path)),
    }
}

/// Whether the line of a value still stands where it was read.
///
/// # Errors
/// lightningd's text if it does not.
pub(crate) fn check_unchanged(var: &ConfigVar) -> Result<(), String> {
    match place(var) {
        Some((path, number)) => lines_with(path, number, &var.line).map(drop),
        None => Ok(()),
    }
}

fn place(var: &ConfigVar) -> Option<(&Path, usize)> {
    match &var.source {
        Source::File(_, path, number) => Some((path, *number)),
        Source::CommandLine | Source::PluginStart | Source::Transient => None,
    }
}

/// The lines of a file, if line `number` is what it was.
fn lines_with(path: &Path, number: usize, expected: &str) -> Result<Vec<String>, String> {
    let file = path.display();
    let text =
        fs::read_to_string(path).map_err(|error| format!("Could not load configfile {file}: {error}"))?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match lines.get(number - 1) {
        None => Err(format!("Configfile {file} no longer has {number} lines!")),
        Some(line) if line != expected => {
            Err(format!("Configfile {file} line {number} changed from {expected} to {line}!"))
        }
        Some(_) => Ok(lines),
    }
}

/// What was done to the files: the new sources of the values, and what the log says about it.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    pub(crate) sources: Vec<Source>,
    pub(crate) log: Vec<String>,
}

/// Saves the value of an option that has one at most. `old` is what counted so far.
///
/// # Errors
/// lightningd's text if a file cannot be changed, which is fatal.
pub(crate) fn save(
    config: &mut Config,
    now: &str,
    old: Option<&ConfigVar>,
    line: &str,
) -> Result<Saved, String> {
    let ours = setconfig_file(config, now)?;
    let mut saved = Saved::default();
    let number = match old.and_then(place) {
        Some((path, number)) if path == ours => {
            saved.log.push(replace(path, number, line_of(old), Some(line))?);
            number
        }
        found => {
            if let Some((path, number)) = found {
                saved.log.push(replace(path, number, line_of(old), None)?);
            }
            append(&ours, line, true)?
        }
    };
    saved.sources.push(Source::File(ConfigFile::Network, ours, number));
    Ok(saved)
}

/// Saves the values of an option that takes several: all that stand in files are commented out.
///
/// # Errors
/// As those of [`save`].
pub(crate) fn save_all(
    config: &mut Config,
    now: &str,
    old: &[ConfigVar],
    lines: &[String],
) -> Result<Saved, String> {
    let ours = setconfig_file(config, now)?;
    let mut saved = Saved::default();
    for var in old {
        if let Some((path, number)) = place(var) {
            saved.log.push(replace(path, number, &var.line, None)?);
        }
    }
    for line in lines {
        let number = append(&ours, line, true)?;
        saved.sources.push(Source::File(ConfigFile::Network, ours.clone(), number));
    }
    Ok(saved)
}

fn line_of(var: Option<&ConfigVar>) -> &str {
    var.map_or("", |var| &var.line)
}

/// The file for `setconfig`; the first time it is made, and included from the main file.
fn setconfig_file(config: &mut Config, now: &str) -> Result<PathBuf, String> {
    if let Some(path) = &config.setconfig_file {
        return Ok(path.clone());
    }
    let main = main_config_file(config);
    let mut ours = main.clone().into_os_string();
    ours.push(".setconfig");
    let ours = PathBuf::from(ours);
    let name = ours.file_name().unwrap_or_default().to_string_lossy();
    append(&main, &format!("# Inserted by setconfig {now}\ninclude {name}"), config.conf.is_some())?;
    let about = "# Created and updated by setconfig, but you can edit it yourself while the node is stopped.";
    append(&ours, about, false)?;
    config.setconfig_file = Some(ours.clone());
    Ok(ours)
}

/// Adds a line at the end, and says which it is.
fn append(path: &Path, line: &str, must_exist: bool) -> Result<usize, String> {
    let explain = |error| format!("Could not write to config {}: {error}", path.display());
    let mut text = match fs::read_to_string(path) {
        Err(error) if must_exist || error.kind() != std::io::ErrorKind::NotFound => {
            return Err(explain(error));
        }
        read => read.unwrap_or_default(),
    };
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(explain)?;
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    text.push_str(end);
    file.write_all(format!("{end}{line}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(explain)?;
    Ok(text.lines().count() + 1)
}

/// Replaces a line, or comments it out, and says so. The file is exchanged as a whole.
fn replace(path: &Path, number: usize, expected: &str, with: Option<&str>) -> Result<String, String> {
    let mut lines = lines_with(path, number, expected)?;
    let line = &mut lines[number - 1];
    *line = match with {
        Some(new) => new.to_owned(),
        None => format!("# setconfig commented out (see config.setconfig): {line}"),
    };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let written = fs::write(&temporary, lines.join("\n") + "\n").and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| format!("Could not write to config {}: {error}", path.display()))?;
    let verb = if with.is_some() { "replaced" } else { "commented out" };
    Ok(format!("setconfig: {verb} line {number} of {} ({expected})", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn var(path: &Path, number: usize, line: &str) -> ConfigVar {
        ConfigVar::new(Source::File(ConfigFile::Network, path.to_owned(), number), line)
    }

    #[test]
    fn a_line_that_has_changed_meanwhile_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        fs::write(&file, "limit=3\nlimit=4").unwrap();
        assert_eq!(check_unchanged(&var(&file, 2, "limit=4")), Ok(()));
        let why = |number, line| check_unchanged(&var(&file, number, line)).unwrap_err();
        let name = file.display();
        assert_eq!(why(1, "limit=5"), format!("Configfile {name} line 1 changed from limit=5 to limit=3!"));
        assert_eq!(why(3, "limit=5"), format!("Configfile {name} no longer has 3 lines!"));
        fs::remove_file(&file).unwrap();
        assert!(why(1, "limit=3").starts_with(&format!("Could not load configfile {name}: ")));
    }

    #[test]
    fn a_line_is_appended_as_a_line_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        assert!(append(&file, "a", true).is_err(), "the file must be there");
        assert_eq!(append(&file, "a", false), Ok(1));
        fs::write(&file, "a\nb").unwrap();
        assert_eq!(append(&file, "c", true), Ok(3));
        assert_eq!(
            replace(&file, 2, "b", None),
            Ok(format!("setconfig: commented out line 2 of {} (b)", file.display()))
        );
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "a\n# setconfig commented out (see config.setconfig): b\nc\n"
        );
    }
}
