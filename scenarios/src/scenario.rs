//! What a scenario is, and how it is played.

use std::pin::Pin;

use leyden::{Backend, Capability, Net, NetBuilder, Result, Transcript};

/// What happens in the net.
pub type Body = for<'a> fn(&'a Net) -> Pin<Box<dyn Future<Output = Result> + Send + 'a>>;

/// A net, what happens in it, and whose words are kept as goldens.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: that of its tests and its goldens.
    pub name: &'static str,
    /// What it shows, in one line.
    pub shows: &'static str,
    /// What a backend must be able to do.
    pub needs: Vec<Capability>,
    /// The transcripts that every backend must reproduce.
    pub goldens: Vec<Golden>,
    net: fn() -> NetBuilder,
    body: Body,
}

/// A transcript that every backend must reproduce.
#[derive(Clone, Debug)]
pub struct Golden {
    /// The node, such as `l1`.
    pub node: &'static str,
    /// The plugin.
    pub plugin: &'static str,
    view: fn(Transcript) -> Transcript,
}

/// What became of a golden when its scenario was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// Its name.
    pub golden: String,
    /// What node and plugin said this time.
    pub transcript: Transcript,
}

impl Scenario {
    pub(crate) fn new(shows: &'static str, net: fn() -> NetBuilder, body: Body) -> Self {
        Self { name: "", shows, needs: Vec::new(), goldens: Vec::new(), net, body }
    }

    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(crate) fn needs(mut self, capability: Capability) -> Self {
        self.needs.push(capability);
        self
    }

    /// Keeps everything between a node and one of its plugins.
    pub(crate) fn golden(self, node: &'static str, plugin: &'static str) -> Self {
        self.golden_view(node, plugin, |transcript| transcript)
    }

    /// Keeps a part of it: what lightningd's bundled plugins cause as well is left out, for example.
    pub(crate) fn golden_view(
        mut self,
        node: &'static str,
        plugin: &'static str,
        view: fn(Transcript) -> Transcript,
    ) -> Self {
        self.goldens.push(Golden { node, plugin, view });
        self
    }

    /// The names of its goldens, such as `peer_refused.l2.doorman`.
    pub fn golden_names(&self) -> Vec<String> {
        self.goldens.iter().map(|golden| self.golden_name(golden)).collect()
    }

    /// Why a backend cannot play it, in words; `None` if it can.
    pub fn skipped(&self, backend: Backend) -> Option<&'static str> {
        self.needs.iter().find_map(|need| backend.lacks(*need))
    }

    /// Plays it from the start to the checks at the end of the net, replicas included; gives the transcripts of its goldens.
    ///
    /// # Errors
    /// If the net does not start, or if its end has complaints.
    ///
    /// # Panics
    /// If the body fails. The run directory is kept.
    pub async fn play(&self, backend: Backend) -> Result<Vec<Played>> {
        self.play_on((self.net)().backend(backend), &backend.to_string()).await
    }

    /// As [`Scenario::play`], with both kinds of nodes in one net: the first is played by this backend, the second by the other, and so on.
    ///
    /// # Errors
    /// As [`Scenario::play`].
    ///
    /// # Panics
    /// As [`Scenario::play`].
    pub async fn play_alternating(&self, first: Backend) -> Result<Vec<Played>> {
        let second = match first {
            Backend::Embedded => Backend::Lightningd,
            Backend::Lightningd => Backend::Embedded,
        };
        let net = (self.net)().backend(first);
        let names = net.node_names();
        let net = names.iter().skip(1).step_by(2).fold(net, |net, name| net.node_backend(name, second));
        self.play_on(net, &format!("{first} and {second}")).await
    }

    async fn play_on(&self, net: NetBuilder, who: &str) -> Result<Vec<Played>> {
        let net = net.replicate().start().await?;
        if let Err(error) = (self.body)(&net).await {
            panic!("{} on {who}: {error}\nits files are in {}", self.name, net.run_dir().display());
        }
        let played = self.goldens.iter().map(|golden| self.played(golden, &net)).collect();
        net.finish().await?;
        Ok(played)
    }

    fn played(&self, golden: &Golden, net: &Net) -> Played {
        let transcript = (golden.view)(net.node(golden.node).transcript(golden.plugin));
        Played { golden: self.golden_name(golden), transcript }
    }

    fn golden_name(&self, golden: &Golden) -> String {
        format!("{}.{}.{}", self.name, golden.node, golden.plugin)
    }
}
