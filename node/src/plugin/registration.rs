//! Which plugins there are: those of the configuration, of directories, and of the `plugin` command
//! (`plugin.c:plugin_register`, `add_plugin_dir`, `plugin_blacklist`, `options.c:opt_add_plugin`).

use super::{Plugin, RuntimeStart, file};
use crate::config::PluginChoice;
use crate::event::LogLevel;
use crate::input::PluginId;
use crate::state::State;
use crate::strerror::strerror;
use std::path::{Path, PathBuf};

impl State {
    /// Registers the plugins of the configuration, in its order, then those of the default directory.
    ///
    /// # Errors
    /// The option that cannot be followed, and why, as lightningd words it.
    pub(crate) fn register_configured(&mut self) -> Result<(), String> {
        for choice in self.config.plugins.clone() {
            self.follow(&choice).map_err(|why| format!("lightningd: {choice}: {why}"))?;
        }
        self.register_default_directory();
        Ok(())
    }

    fn follow(&mut self, choice: &PluginChoice) -> Result<(), String> {
        match choice {
            PluginChoice::Register { path, important } => self.register_chosen(path, *important),
            PluginChoice::Directory(dir) => self.register_directory(dir, false),
            PluginChoice::Disable(name) => {
                self.disable_plugin(name);
                Ok(())
            }
            PluginChoice::Clear => {
                self.log(LogLevel::Info, "plugin-manager", "clear-plugins removing all plugins");
                self.plugins.ids().into_iter().for_each(|id| drop(self.plugins.remove(id)));
                self.plugins.cleared = true;
                Ok(())
            }
        }
    }

    fn register_chosen(&mut self, path: &Path, important: bool) -> Result<(), String> {
        if self.is_disabled(path) {
            self.log_main(LogLevel::Info, &format!("{}: disabled via disable-plugin", path.display()));
            return Ok(());
        }
        match self.register_plugin(path, important, None) {
            Ok(_) => Ok(()),
            Err(_) if self.profile.ignores_repeated_plugin() => Ok(()),
            Err(why) => Err(format!("Failed to register {}: {why}", path.display())),
        }
    }

    /// `--disable-plugin`: for those that are registered, and for those that will be.
    fn disable_plugin(&mut self, name: &str) {
        self.log(LogLevel::Debug, "plugin-manager", &format!("blacklist for {name}"));
        let dir = self.config.network_dir();
        let meant = |(_, plugin): &(PluginId, &Plugin)| plugin.is_called(name, &dir);
        let disabled: Vec<PluginId> = self.plugins.iter().filter(meant).map(|(id, _)| id).collect();
        for id in disabled {
            if let Some(plugin) = self.plugins.remove(id) {
                self.log_disabled(&plugin.path);
            }
        }
        self.plugins.disabled.push(name.to_owned());
    }

    fn log_disabled(&mut self, path: &Path) {
        let text = format!("{}: disabled via disable-plugin", path.display());
        self.log(LogLevel::Info, "plugin-manager", &text);
    }

    pub(super) fn is_disabled(&self, path: &Path) -> bool {
        let dir = self.config.network_dir();
        self.plugins.disabled.iter().any(|name| file::is_called(path, name, &dir))
    }

    /// Registers every plugin in a directory. With `lenient`, what cannot be registered is passed over.
    ///
    /// # Errors
    /// If the directory cannot be read, though it is there, or a plugin is registered already.
    pub(crate) fn register_directory(&mut self, dir: &Path, lenient: bool) -> Result<(), String> {
        let found = match file::plugins_in(&self.config.network_dir().join(dir)) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(format!("Failed to open plugin-dir {}: {}", dir.display(), strerror(&error)));
            }
        };
        for path in found {
            if self.is_disabled(&path) {
                self.log_disabled(&path);
            } else if let Err(why) = self.register_plugin(&path, false, None)
                && !lenient
            {
                return Err(format!("Failed to register {}: {why}", path.display()));
            }
        }
        Ok(())
    }

    /// Registers what is new in `<lightning-dir>/plugins` and the directories directly in it.
    pub(crate) fn register_default_directory(&mut self) {
        let dir = self.default_plugin_dir();
        let Ok(entries) = file::entries(&dir) else { return };
        for dir in std::iter::once(dir).chain(entries) {
            // Most entries are plugins themselves, and no directories.
            drop(self.register_directory(&dir, true));
        }
    }

    pub(crate) fn default_plugin_dir(&self) -> PathBuf {
        self.config.lightning_dir.join("plugins")
    }

    /// Registers a plugin, which is to be launched then. One that is registered is ended, and registered
    /// anew, if its file has changed.
    ///
    /// # Errors
    /// Why it cannot be, as lightningd words it.
    pub(crate) fn register_plugin(
        &mut self,
        path: &Path,
        important: bool,
        start: Option<RuntimeStart>,
    ) -> Result<PluginId, String> {
        let file = self.config.network_dir().join(path);
        let canonical = self.profile.canonical_plugin_paths();
        let path =
            if canonical { file.canonicalize().map_err(|error| strerror(&error))? } else { path.to_owned() };
        let checksum = if self.config.plugin_checksum { file::checksum(&file) } else { 0 };
        if let Some((id, plugin)) = self.plugins.at(&path) {
            plugin.important |= important;
            if plugin.checksum == checksum || plugin.important {
                return Err(self.profile.already_registered().to_owned());
            }
            self.kill_plugin(id, LogLevel::Info, "Plugin changed, needs restart.");
        }
        Ok(self.plugins.add(Plugin::new(&path, important, checksum, start)))
    }
}
