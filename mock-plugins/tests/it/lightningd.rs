//! lightningd's end of a plugin's pipes.

use leyden_mock_plugins::{Ended, MockPlugin, ServeError};
use leyden_protocol::FrameReader;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

/// Longer than anything here takes; under a paused clock it costs nothing.
const LIMIT: Duration = Duration::from_secs(20);

/// A stand-in for lightningd that runs one plugin.
pub(crate) struct Lightningd {
    to_plugin: DuplexStream,
    from_plugin: DuplexStream,
    frames: FrameReader,
    next_id: u64,
    serving: JoinHandle<Result<Ended, ServeError>>,
}

impl Lightningd {
    /// Starts the plugin and says nothing yet.
    pub(crate) fn start(plugin: &MockPlugin) -> Self {
        let (to_plugin, stdin) = tokio::io::duplex(1 << 16);
        let (stdout, from_plugin) = tokio::io::duplex(1 << 16);
        let serving = tokio::spawn(plugin.clone().serve(stdin, stdout));
        Self { to_plugin, from_plugin, frames: FrameReader::new(), next_id: 0, serving }
    }

    /// Starts the plugin and brings it to work.
    pub(crate) async fn with(plugin: &MockPlugin) -> Self {
        let mut lightningd = Self::start(plugin);
        lightningd.call("getmanifest", json!({"allow-deprecated-apis": false})).await;
        lightningd.call("init", json!({"options": {}, "configuration": {}})).await;
        lightningd
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.to_plugin.write_all(text.as_bytes()).await.expect("the plugin reads");
    }

    /// Sends a request and gives its id.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = json!(format!("cln:{method}#{}", self.next_id));
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.write(&format!("{request}\n\n")).await;
        id
    }

    pub(crate) async fn notify(&mut self, topic: &str, params: Value) {
        let notification = json!({"jsonrpc": "2.0", "method": topic, "params": params});
        self.write(&format!("{notification}\n\n")).await;
    }

    /// The next frame that the plugin writes.
    pub(crate) async fn read(&mut self) -> Value {
        loop {
            if let Some(frame) = self.frames.next_frame().expect("JSON from the plugin") {
                return serde_json::from_str(&frame).expect("a frame is JSON");
            }
            let mut buffer = [0; 4096];
            let read = tokio::time::timeout(LIMIT, self.from_plugin.read(&mut buffer));
            let read = read.await.expect("an answer in time").expect("a whole pipe");
            assert_ne!(read, 0, "the plugin closed stdout");
            self.frames.push(&buffer[..read]);
        }
    }

    /// Sends a request and gives the response, which must be the next frame and its own.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params).await;
        let response = self.read().await;
        assert_eq!(response["id"], id, "{response}");
        response
    }

    /// Everything until the plugin closes stdout, without the space after the last frame that was read.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut bytes = self.frames.unread().to_vec();
        let read = tokio::time::timeout(LIMIT, self.from_plugin.read_to_end(&mut bytes));
        read.await.expect("the plugin closes stdout in time").expect("a whole pipe");
        String::from_utf8(bytes).expect("the mocks here write text").trim_start().to_owned()
    }

    /// The sizes of what arrives until `bytes` bytes are there.
    pub(crate) async fn pieces(&mut self, bytes: usize) -> Vec<usize> {
        let (mut sizes, mut buffer) = (Vec::new(), [0; 4096]);
        while sizes.iter().sum::<usize>() < bytes {
            sizes.push(self.from_plugin.read(&mut buffer).await.expect("a whole pipe"));
        }
        sizes
    }

    /// Waits for the plugin to end by itself.
    pub(crate) async fn ended(self) -> Result<Ended, ServeError> {
        let ended = tokio::time::timeout(LIMIT, self.serving).await;
        ended.expect("the plugin ends in time").expect("the mock does not panic")
    }

    /// Closes the pipes and waits for the plugin to end.
    pub(crate) async fn hang_up(mut self) -> Result<Ended, ServeError> {
        self.to_plugin.shutdown().await.expect("an open pipe");
        self.ended().await
    }
}
