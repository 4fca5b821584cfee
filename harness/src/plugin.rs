//! A plugin as the author of a test names it: an executable or a script, and its options.

use std::path::PathBuf;

use serde_json::Value;

/// A plugin to be run by a node.
///
/// ```
/// # use leyden::Plugin;
/// let plugin = Plugin::exe("target/debug/my-plugin").option("limit", 3).important();
/// ```
#[derive(Clone, Debug)]
#[must_use = "give it to `NetBuilder::plugin` or `Node::start_plugin`"]
pub struct Plugin {
    pub(crate) code: Code,
    pub(crate) name: Option<String>,
    pub(crate) options: Vec<(String, Value)>,
    pub(crate) important: bool,
}

/// What is run.
#[derive(Clone, Debug)]
pub(crate) enum Code {
    /// A file that is there.
    Exe(PathBuf),
    /// The text of a file that the net writes.
    Script(String),
}

impl Plugin {
    /// An executable file, such as `env!("CARGO_BIN_EXE_my-plugin")`. A relative path starts at the test's working directory.
    pub fn exe(path: impl Into<PathBuf>) -> Self {
        Self::new(Code::Exe(path.into()))
    }

    /// A script, `#!` line and all, such as `include_str!("my-plugin.py")`. The net writes it into its run directory.
    ///
    /// ```
    /// # use leyden::Plugin;
    /// let plugin = Plugin::script("silent.sh", "#!/bin/sh\nexec cat >/dev/null\n");
    /// ```
    pub fn script(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Code::Script(text.into())).named(name)
    }

    fn new(code: Code) -> Self {
        Self { code, name: None, options: Vec::new(), important: false }
    }

    /// The value of one of its options: a string, a number, or a bool. An option of type `flag` has none: see [`Plugin::flag`].
    pub fn option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// Sets an option of type `flag`.
    pub fn flag(self, name: impl Into<String>) -> Self {
        self.option(name, Value::Null)
    }

    /// The node shall end when the plugin ends (`--important-plugin`). Only for plugins that the node starts with.
    pub fn important(mut self) -> Self {
        self.important = true;
        self
    }

    /// Another name than that of the file: in logs, in `before` and `after`, in `plugin list`.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// An option as lightningd's command line has it: `--name=value`, or `--name` for a flag.
pub(crate) fn on_command_line(name: &str, value: &Value) -> String {
    match value {
        Value::Null => format!("--{name}"),
        Value::String(text) => format!("--{name}={text}"),
        other => format!("--{name}={other}"),
    }
}
