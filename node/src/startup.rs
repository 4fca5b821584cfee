//! The start of a node, in lightningd's order (`lightningd/lightningd.c:main`): manifests, database,
//! Bitcoin backend, RPC socket, `init` of every plugin, peers.

use crate::config::Config;
use crate::db::Db;
use crate::db::schema::{self, Written};
use crate::event::{Event, Exit, LogLevel};
use crate::host::Host;
use crate::input::Step;
use crate::log::Log;
use crate::output::Output;
use crate::pid_file::PidFile;
use crate::plugin::hook::{FilterKey, Subject, Verdict};
use crate::state::{Phase, State};
use crate::strerror::strerror;
use crate::world::Entropy;
use bitcoin::Network;
use leyden_bolt::{HsmSecret, recovery};
use leyden_protocol::{Profile, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// Makes the directories and reads the secret. `Err` is what lightningd would print before it exits.
pub(crate) fn prepare(config: Config, host: &Host) -> Result<State, String> {
    let network_dir = config.network_dir();
    fs::create_dir_all(&network_dir).map_err(|error| format!("{}: {error}", network_dir.display()))?;
    let log = Log::open(&config, host.events.clone(), host.clock.clone())?;
    let mut entropy = Entropy::new(host.seed);
    let secret_file = network_dir.join("hsm_secret");
    let made_secret = !secret_file.exists();
    // Who asks for help only wants no node to stay.
    let secret = if config.help {
        HsmSecret::parse(&entropy.draw()).expect("32 bytes are a secret")
    } else {
        if let Some(secret) = &config.recover {
            recover(&secret_file, secret)?;
        }
        hsm_secret(&secret_file, &mut entropy, config.profile)?
    };
    let mut state = State::new(config, host.clock.clone(), entropy, log, secret);
    state.made_secret = made_secret;
    Ok(state)
}

/// Makes the file of a secret that somebody has kept.
fn recover(path: &Path, secret: &str) -> Result<(), String> {
    let refuse = |why: &dyn std::fmt::Display| format!("--recover={secret}: {why}");
    let contents = recovery::hsm_secret_file(secret).map_err(|error| refuse(&error))?;
    if path.exists() {
        return Err(refuse(&"hsm_secret already exists!"));
    }
    fs::write(path, contents).map_err(|error| refuse(&format!("Creating hsm_secret: {}", strerror(&error))))
}

/// Reads the secret of the node, or makes one, as lightningd does.
fn hsm_secret(path: &Path, entropy: &mut Entropy, profile: Profile) -> Result<HsmSecret, String> {
    let explain = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    if !path.exists() {
        let drawn = entropy.draw();
        let words = drawn.first_chunk().expect("16 of 32 bytes");
        let contents = if profile.secret_is_mnemonic() { HsmSecret::new_file(words) } else { drawn.to_vec() };
        fs::write(path, contents).map_err(|error| explain(&error))?;
    }
    let contents = fs::read(path).map_err(|error| explain(&error))?;
    HsmSecret::parse(&contents).map_err(|error| explain(&error))
}

impl State {
    /// The first thing that happens: every plugin is run and asked for its manifest.
    pub(crate) fn start(&mut self) {
        self.log_main(LogLevel::Info, self.profile.version());
        if let Err(why) = self.register_configured() {
            return self.fatal(&why);
        }
        self.launch_plugins(None);
        if self.plugins.is_empty() {
            self.manifests_settled();
        }
    }

    /// Every manifest is in.
    pub(crate) fn manifests_settled(&mut self) {
        if self.config.help {
            // Not at once: the last manifest may be missing because an important plugin has died.
            return self.out.push(Output::Again(Step::Usage));
        }
        self.check_configured_options();
        if self.exit.is_some() {
            return;
        }
        self.peer_features = self.features.clone();
        if let Some(path) = &self.config.pid_file {
            match PidFile::create(path) {
                Ok(file) => self.pid_file = Some(file),
                Err(exit) => {
                    self.exit = Some(exit);
                    return;
                }
            }
        }
        self.phase = Phase::Database;
        match self.config.addr {
            Some(address) => self.out.push(Output::ListenPeers(address)),
            None => self.open_database(),
        }
    }

    /// All that `--help` asks for.
    pub(crate) fn print_usage(&mut self) {
        if !self.stopping() {
            self.exit = Some(Exit { code: 0, message: Some(self.usage()) });
        }
    }

    /// The socket for peers is bound.
    pub(crate) fn listening(&mut self, address: SocketAddr) {
        self.binding = Some(address);
        self.log(LogLevel::Debug, "connectd", &format!("Created listener on {address}"));
        self.open_database();
    }

    fn open_database(&mut self) {
        if self.made_secret {
            self.log(LogLevel::Unusual, "hsmd", "HSM: created new hsm_secret file");
        }
        let path = self.config.database();
        match Db::open(&path, self.config.journal) {
            Ok(db) => {
                let next_step = schema::next_step(&db);
                self.set_db(db);
                if let Some(step) = next_step {
                    self.log_main(LogLevel::Info, "Creating database");
                    self.make_database(step);
                } else {
                    let profile = self.profile;
                    schema::reopen(self.db(), profile);
                    self.check_node_id();
                    self.out.push(Output::Again(Step::LoadInvoices));
                }
            }
            Err(error) => self.fatal(&format!("Failed to open database {}: {error}", path.display())),
        }
    }

    /// The next step of making the database; each is a transaction, or a call of `db_write` of its own.
    pub(crate) fn make_database(&mut self, step: usize) {
        let profile = self.profile;
        match schema::create(self.db(), profile, step) {
            Written::Transaction => self.out.push(Output::Again(Step::Database(step + 1))),
            Written::Alone(data_version, writes) => {
                self.show_unversioned(data_version, writes);
                self.out.push(Output::Again(Step::Database(step + 1)));
            }
            Written::Done => self.out.push(Output::Again(Step::LoadInvoices)),
        }
    }

    /// The tables are there.
    pub(crate) fn load_invoices(&mut self) {
        if self.profile.expires_invoices_at_start() {
            self.mark_expired_invoices();
        }
        self.out.push(Output::Again(Step::RecordIdentity));
    }

    /// Notes, once, to which chain and node the database belongs.
    pub(crate) fn record_identity(&mut self) {
        let stored = "SELECT 1 FROM vars WHERE name = 'genesis_hash'";
        if self.db().rows(stored, &[], |_| Ok(())).is_empty() {
            let genesis = bitcoin::constants::genesis_block(Network::Regtest).block_hash();
            self.db().add_blobvar("genesis_hash", genesis.as_ref());
            if self.profile.stores_node_id() {
                let node_id = self.node_id.serialize();
                self.db().add_blobvar("node_id", &node_id);
            }
        }
        self.load_scripts();
        self.load_channels();
        self.open_gossip_store();
        self.out.push(Output::Again(Step::SetupTopology));
    }

    /// A database belongs to one secret.
    fn check_node_id(&mut self) {
        let stored: Vec<Vec<u8>> =
            self.db().rows("SELECT blobval FROM vars WHERE name = 'node_id'", &[], |row| row.get(0));
        let ours = self.node_id.serialize();
        if let Some(stored) = stored.first().filter(|stored| stored[..] != ours) {
            let message = format!(
                "Wallet node_id does not match HSM: {} != {}",
                hex::encode(stored),
                hex::encode(ours)
            );
            self.fatal(&message);
        }
    }

    /// The first block is recorded: clients are served, and plugins initialised.
    pub(crate) fn init_plugins(&mut self) {
        self.phase = Phase::Inits;
        self.out.push(Output::ListenRpc(self.config.rpc_path()));
        self.send_inits();
        // With no plugin there is nothing to wait for. A real node of v26.06.6 would wait all the same.
        self.inits_may_be_complete();
    }

    /// Every plugin may have answered `init` now: then the node is up.
    pub(crate) fn inits_may_be_complete(&mut self) {
        if self.plugins.all_initialised() {
            self.answer_waiting();
        } else if self.profile.waits_for_init() {
            return;
        }
        if self.phase != Phase::Inits || self.stopping() {
            return;
        }
        self.phase = Phase::Running;
        self.replay_htlcs();
        self.fail_unsent_payments();
        self.out.push(Output::AcceptPeers);
        let (id, version) = (self.node_id, self.profile.version());
        let text = format!(
            "Server started with public key {id}, alias {} (color #{}) and lightningd {version}",
            self.alias(),
            self.color(),
        );
        self.log_main(LogLevel::Info, "--------------------------------------------------");
        self.log_main(LogLevel::Info, &text);
        let port = self.binding.map_or(0, |address| address.port());
        self.tell(Event::Started { id: id.to_string(), port });
        if let Some(secret) = &self.config.recover {
            let payload = serde_json::json!({ "codex32": secret }).to_string();
            self.call_hook("recover", FilterKey::None, payload, None, Subject::Recover);
        }
        if self.db().intvar(schema::UNWATCHED_CLOSES) == Some(1) {
            // Addresses of every kind are watched here.
            self.db().set_intvar(schema::UNWATCHED_CLOSES, 0);
        }
        self.resume_channels();
        self.expire_invoices();
        self.begin_topology();
    }

    /// A plugin's answer to `recover`, which it can only take note of (`lightningd.c:recover_hook_deserialize`).
    pub(crate) fn recover_answer(&mut self, result: &str, response: &str) -> Verdict {
        if json::member(result, "result") == Some(r#""continue""#) {
            return Verdict::Next;
        }
        self.fatal(&format!("Plugin returned an invalid response to the recover hook: {response}"));
        Verdict::Stop
    }

    /// `--alias`, or one made from the node id, as CLN makes it (`lightningd/options.c:setup_default`).
    pub(crate) fn alias(&self) -> String {
        self.config.alias.clone().unwrap_or_else(|| {
            let id = self.node_id.serialize();
            format!("LEYDEN-{}-{}", hex::encode(&id[1..4]).to_uppercase(), self.profile.version())
        })
    }

    /// `--rgb`, or the first three bytes of the node id.
    pub(crate) fn rgb(&self) -> [u8; 3] {
        let id = self.node_id.serialize();
        self.config.rgb.unwrap_or([id[0], id[1], id[2]])
    }

    /// The same in hex.
    pub(crate) fn color(&self) -> String {
        hex::encode(self.rgb())
    }
}
