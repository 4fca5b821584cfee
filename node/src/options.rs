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
    /// Whether it is listed only if it was given, or asked for by name.
    hidden: bool,
    /// What it is if it is not given, for those without `show`.
    default: Option<&'static str>,
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
    /// Nothing; what it is given must have its shape.
    Nothing,
    /// The node cannot start with it, for this reason.
    Refuse(&'static str),
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

    /// An option of lightningd that changes nothing here.
    const fn ignored(name: &'static str, shape: Shape) -> Self {
        Self::new(name, "one of lightningd's, without effect here", shape, Action::Nothing)
    }

    /// An option of lightningd that this node cannot honour.
    const fn refused(name: &'static str, why: &'static str) -> Self {
        Self::new(name, "one of lightningd's, refused here", Shape::Flag, Action::Refuse(why))
    }

    const fn new(name: &'static str, about: &'static str, shape: Shape, action: Action) -> Self {
        Self {
            name,
            about,
            action,
            shape,
            multi: false,
            dynamic: false,
            keeps_space: false,
            hidden: false,
            default: None,
            show: None,
        }
    }

    const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
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
        match self.action {
            Action::Value(_) => true,
            Action::Nothing => !matches!(self.shape, Shape::Flag),
            Action::Flag(_) | Action::Instead(_) | Action::Refuse(_) => false,
        }
    }

    /// Sets it.
    ///
    /// # Errors
    /// lightningd's text behind the option, such as `'x' is not a number`.
    pub(crate) fn set(&self, config: &mut Config, value: Option<&str>) -> Result<(), String> {
        match value {
            None if self.takes_value() => return Err("requires an argument".to_owned()),
            Some(_) if !self.takes_value() => return Err("doesn't allow an argument".to_owned()),
            _ => {}
        }
        match self.action {
            Action::Value(set) => set(config, value.unwrap_or_default()),
            Action::Flag(set) => {
                set(config);
                Ok(())
            }
            Action::Nothing => self.shape.check(value.unwrap_or_default()),
            Action::Refuse(why) => Err(why.to_owned()),
            Action::Instead(_) => Ok(()),
        }
    }
}

impl Shape {
    /// Whether a value has this shape.
    fn check(self, value: &str) -> Result<(), String> {
        match self {
            Self::Int => own::number::<i64>(value).map(drop),
            Self::Bool => leyden_protocol::option::boolean(value).map(drop),
            Self::Msat => channels::msat(value).map(drop),
            Self::Flag | Self::Text | Self::Concealed => Ok(()),
        }
    }
}

/// Every option of the node itself, in order.
pub(crate) fn table() -> impl Iterator<Item = &'static Opt> {
    own::FIRST.iter().chain(channels::OPTIONS).chain(own::REST).chain(ignored::OWN)
}

/// Whether an option exists only behind `--developer`.
pub(crate) fn is_for_developers(name: &str) -> bool {
    name.starts_with("dev-")
}

/// Whether an option of this name is lightningd's own, so that no plugin may have it.
pub(crate) fn is_taken(name: &str) -> bool {
    find(name).is_some()
}

/// The node's own option `name`.
pub(crate) fn find(name: &str) -> Option<&'static Opt> {
    table().find(|option| option.name == name)
}
