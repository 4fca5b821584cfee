//! What was given for options, and where it was given (`common/configvar.c`).

use leyden_protocol::option::boolean;
use std::fmt;
use std::path::PathBuf;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On the command line.
    CommandLine,
    /// In a configuration file.
    File(ConfigFile, PathBuf, usize),
    /// With `plugin start`.
    PluginStart,
    /// With `setconfig … transient=true`.
    Transient,
}

/// Which configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFile {
    /// That of `--conf`.
    Explicit,
    /// `config` in the lightning-dir.
    Base,
    /// `config` in the directory of the network, which `setconfig` writes as well.
    Network,
}

impl fmt::Display for Source {
    /// As `listconfigs` has it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => formatter.write_str("cmdline"),
            Self::File(_, path, line) => write!(formatter, "{}:{line}", path.display()),
            Self::PluginStart => formatter.write_str("pluginstart"),
            Self::Transient => formatter.write_str("setconfig transient"),
        }
    }
}

/// One value that was given for an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigVar {
    /// Where.
    pub source: Source,
    /// As it stands there: `name=value`, or `name`.
    pub line: String,
    /// The option.
    pub name: String,
    /// Its value; a flag has none.
    pub value: Option<String>,
}

impl ConfigVar {
    /// Reads `name=value` or `name`.
    #[must_use]
    pub fn new(source: Source, line: &str) -> Self {
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (line, None),
        };
        Self { source, name: name.to_owned(), value, line: line.to_owned() }
    }

    /// Whether it stands in the network's configuration file, or in one that this includes.
    pub(crate) fn is_of_network_file(&self) -> bool {
        matches!(self.source, Source::File(ConfigFile::Network, ..))
    }

    /// Forgets white space behind the value, which most options do not keep.
    pub(crate) fn trim(&mut self) {
        if let Some(value) = &mut self.value {
            value.truncate(value.trim_end().len());
        }
    }

    /// What lightningd says about a value that it cannot use.
    pub(crate) fn complaint(&self, why: &str) -> String {
        let line = &self.line;
        match &self.source {
            Source::File(_, path, number) => {
                format!("Config file {} line {number}: {line}: {why}", path.display())
            }
            _ => format!("--{line}: {why}"),
        }
    }
}

/// Everything that was given, in order: configuration files, command line, and what came later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigVars(Vec<ConfigVar>);

impl ConfigVars {
    pub(crate) fn extend(&mut self, more: impl IntoIterator<Item = ConfigVar>) {
        self.0.extend(more);
    }

    pub(crate) fn push(&mut self, var: ConfigVar) {
        self.0.push(var);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ConfigVar> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ConfigVar> {
        self.0.iter_mut()
    }

    /// Whether anything was given for the option `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|var| var.name == name)
    }

    /// What counts for the option `name`: the last value; or all of them, if it takes several and none is
    /// transient.
    pub(crate) fn in_force(&self, name: &str, multi: bool) -> Vec<&ConfigVar> {
        let all: Vec<&ConfigVar> = self.0.iter().filter(|var| var.name == name).collect();
        let is_transient = |var: &&ConfigVar| var.source == Source::Transient;
        if !multi {
            return all.into_iter().next_back().into_iter().collect();
        }
        let last_transient = all.iter().rposition(is_transient).unwrap_or(0);
        let counts = |(at, var): &(usize, &ConfigVar)| *at >= last_transient || is_transient(var);
        all.into_iter().enumerate().filter(counts).map(|(_, var)| var).collect()
    }

    /// What counts for an option of lightningd's plugins that is true or false; `None` if nothing of that kind was given.
    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        self.in_force(name, false).first()?.value.as_deref().and_then(|value| boolean(value).ok())
    }

    /// Forgets what `unwanted` says.
    pub(crate) fn forget(&mut self, unwanted: impl Fn(&ConfigVar) -> bool) {
        self.0.retain(|var| !unwanted(var));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(given: &[(Source, &str)]) -> ConfigVars {
        ConfigVars(given.iter().map(|(source, line)| ConfigVar::new(source.clone(), line)).collect())
    }

    fn values(vars: &ConfigVars, multi: bool) -> Vec<&str> {
        vars.in_force("a", multi).into_iter().filter_map(|var| var.value.as_deref()).collect()
    }

    #[test]
    fn the_last_value_counts_or_all_of_them() {
        let vars =
            vars(&[(Source::CommandLine, "a=1"), (Source::CommandLine, "b=2"), (Source::PluginStart, "a=3")]);
        assert_eq!(values(&vars, false), ["3"]);
        assert_eq!(values(&vars, true), ["1", "3"]);
    }

    #[test]
    fn transient_values_hide_the_others() {
        let given = [(Source::CommandLine, "a=1"), (Source::Transient, "a=2"), (Source::Transient, "a=3")];
        let mut vars = vars(&given);
        assert_eq!(values(&vars, true), ["2", "3"]);
        vars.forget(|var| var.source == Source::Transient);
        assert_eq!(values(&vars, true), ["1"]);
    }
}
