//! Options: one table of those of the node and those of its plugins, with what was given for each and where
//! (`lightningd/options.c`).
//!
//! | module | subject | CLN |
//! |---|---|---|
//! | `configvar` | what was given, and where | `common/configvar.c` |
//! | `configdir` | reading command line and configuration files | `common/configdir.c` |
//! | `own`, `channels` | the node's own options; those about channels | `options.c:register_opts` |
//! | `ignored` | options of lightningd that change nothing here | |
//! | `entry` | a row of the table, of the node or of a plugin | `ccan/opt` |
//! | `setconfig_file` | changing configuration files | `configs.c:configvar_save` |
//! | `usage` | `--help` | `ccan/opt/usage.c` |
//!
//! What the node's options set is in [`crate::config`]; `listconfigs` and `setconfig` are commands.

mod channels;
pub(crate) mod configdir;
pub mod configvar;
pub(crate) mod entry;
pub(crate) mod ignored;
mod own;
pub(crate) mod setconfig_file;
mod usage;

use crate::config::Config;
pub use configdir::parse;

/// An option of the node itself.
#[derive(Debug)]
pub(crate) struct Opt {
    pub(crate) name: &'static str,
    about: &'static str,
    action: Action,
    /// How its value is shown.
    shape: Shape,
    /// Whether each value counts, not only the last one.
    multi: bool,
    /// Whether `setconfig` may change it.
    dynamic: bool,
    /// Whether white space behind the value belongs to it.
    keeps_space: bool,
    /// Its value, given or not; without this, it is shown as it was given.
    show: Option<fn(&Config) -> Option<String>>,
}

/// What an option does.
#[derive(Debug, Clone, Copy)]
enum Action {
    /// It needs a value.
    Value(fn(&mut Config, &str) -> Result<(), String>),
    /// It stands alone.
    Flag(fn(&mut Config)),
    /// It prints something instead of starting a node.
    Instead(Instead),
}

/// What is asked for instead of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// `--version`.
    Version,
}

/// How a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// There is none: the option is set or not.
    Flag,
    Text,
    /// Text that nobody shall see.
    Concealed,
    Int,
    Msat,
    Bool,
}

impl Opt {
    /// An option that stands alone.
    const fn flag(name: &'static str, about: &'static str, set: fn(&mut Config)) -> Self {
        Self::new(name, about, Shape::Flag, Action::Flag(set))
    }

    /// An option with a value.
    const fn value(
        name: &'static str,
        about: &'static str,
        shape: Shape,
        set: fn(&mut Config, &str) -> Result<(), String>,
    ) -> Self {
        Self::new(name, about, shape, Action::Value(set))
    }

    /// An option that prints something instead of starting a node.
    const fn instead(name: &'static str, about: &'static str, instead: Instead) -> Self {
        Self::new(name, about, Shape::Flag, Action::Instead(instead))
    }

    const fn new(name: &'static str, about: &'static str, shape: Shape, action: Action) -> Self {
        Self { name, about, action, shape, multi: false, dynamic: false, keeps_space: false, show: None }
    }

    const fn multi(mut self) -> Self {
        self.multi = true;
        self
    }

    const fn dynamic(mut self) -> Self {
        self.dynamic = true;
        self
    }

    const fn keeps_space(mut self) -> Self {
        self.keeps_space = true;
        self
    }

    const fn shown(mut self, show: fn(&Config) -> Option<String>) -> Self {
        self.show = Some(show);
        self
    }

    const fn takes_value(&self) -> bool {
        matches!(self.action, Action::Value(_))
    }

    /// Sets it.
    ///
    /// # Errors
    /// lightningd's text behind the option, such as `'x' is not a number`.
    pub(crate) fn set(&self, config: &mut Config, value: Option<&str>) -> Result<(), String> {
        match (self.action, value) {
            (Action::Value(set), Some(value)) => set(config, value),
            (Action::Value(_), None) => Err("requires an argument".to_owned()),
            (Action::Flag(_) | Action::Instead(_), Some(_)) => Err("doesn't allow an argument".to_owned()),
            (Action::Flag(set), None) => {
                set(config);
                Ok(())
            }
            (Action::Instead(_), None) => Ok(()),
        }
    }
}

/// Every option of the node itself, in order.
pub(crate) fn table() -> impl Iterator<Item = &'static Opt> {
    own::FIRST.iter().chain(channels::OPTIONS).chain(own::REST)
}

/// Whether an option exists only behind `--developer`.
pub(crate) fn is_for_developers(name: &str) -> bool {
    name.starts_with("dev-")
}

/// Whether an option of this name is lightningd's own, so that no plugin may have it.
pub(crate) fn is_taken(name: &str) -> bool {
    find(name).is_some() || ignored::is_lightningds(name)
}

/// The node's own option `name`.
pub(crate) fn find(name: &str) -> Option<&'static Opt> {
    table().find(|option| option.name == name)
}
