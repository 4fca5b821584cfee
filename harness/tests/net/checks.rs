//! The end of a net: its checks, and the end without them.

use std::path::Path;

use leyden::event::EventKind;
use leyden::{Fault, Mock, Net, Plugin, Reply};
use serde_json::json;

use crate::{ShellPlugin, on_each_backend};

/// The processes that bear the mark of the net in this directory.
fn alive(run_dir: &Path) -> Vec<String> {
    let mark = format!("LEYDEN_RUN={}.", run_dir.file_name().unwrap().to_string_lossy());
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let marked = processes.flatten().filter(|process| {
        std::fs::read(process.path().join("environ"))
            .is_ok_and(|environ| String::from_utf8_lossy(&environ).contains(&mark))
    });
    marked
        .map(|process| std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn all_complaints_are_raised_together_and_the_evidence_is_kept() {
    on_each_backend(async |backend| {
        let noisy = Mock::method("noise")
            .reply(Reply::result(json!({})).notify("log", json!({"level": "error", "message": "my foot"})))
            .expect(1)
            .named("noisy");
        let net = Net::builder()
            .nodes(["l1", "l2"])
            .backend(backend)
            .mount("l1", noisy)
            .mount("l2", Mock::hook("peer_connected").expect(1).named("lonely"))
            .start()
            .await?;
        let [l1, _l2] = net.nodes();
        l1.rpc("noise", json!({})).await?;
        l1.wait_for_log("BROKEN.*my foot").await?;
        let run_dir = net.run_dir().to_owned();

        let line = line!() + 1;
        let error = net.finish().await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.headline(), "finishing the net: there are 2 complaints", "{text}");
        assert_eq!((error.fault(), error.location().line()), (Fault::Plugin, line));
        assert!(text.contains("peer_connected: expected 1 call, received 0"), "{text}");
        assert!(text.contains("**BROKEN** plugin-noisy: my foot"), "{text}");
        assert!(text.trim_end().ends_with(&run_dir.display().to_string()), "{text}");
        assert!(run_dir.join("lightning-1/log").is_file() && run_dir.join("timeline.jsonl").is_file());
        assert_eq!(alive(&run_dir), Vec::<String>::new());
        std::fs::remove_dir_all(run_dir)?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_a_test_allows_is_no_complaint_and_nothing_is_left() {
    on_each_backend(async |backend| {
        let log = json!({"level": "error", "message": "expected"});
        let net = Net::builder()
            .nodes(["l1"])
            .backend(backend)
            .broken_log("l1", "plugin-noisy: expected")
            .mount(
                "l1",
                Mock::method("noise").reply(Reply::result(json!({})).notify("log", log)).named("noisy"),
            )
            .start()
            .await?;
        let [l1] = net.nodes();
        l1.rpc("noise", json!({})).await?;
        l1.wait_for_log("BROKEN").await?;
        let run_dir = net.run_dir().to_owned();
        net.finish().await?;
        assert!(!run_dir.exists());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_net_that_is_dropped_early_panics_with_the_last_error_and_leaves_no_process() {
    on_each_backend(async |backend| {
        let (tell, told) = std::sync::mpsc::channel();
        let test = tokio::spawn(async move {
            let net = Net::builder().nodes(["l1"]).backend(backend).start().await?;
            let [l1] = net.nodes();
            tell.send(net.run_dir().to_owned()).unwrap();
            l1.rpc("no-such-method", json!({})).await?;
            net.finish().await
        });
        let panic = test.await.unwrap_err().into_panic();
        let said = panic.downcast_ref::<String>().unwrap();
        let run_dir = told.recv().unwrap();
        assert!(said.contains("dropped without `finish().await`"), "{said}");
        assert!(said.contains("no-such-method") && said.contains(&run_dir.display().to_string()), "{said}");
        leyden::eventually("no process is left", || async { leyden::seen(alive(&run_dir), Vec::is_empty) })
            .await?;
        assert!(run_dir.join("lightning-1/log").is_file());
        std::fs::remove_dir_all(run_dir)?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_panicking_test_leaves_its_evidence_and_no_process() {
    on_each_backend(async |backend| {
        let (tell, told) = std::sync::mpsc::channel();
        let test = tokio::spawn(async move {
            let net = Net::builder().nodes(["l1"]).backend(backend).start().await.unwrap();
            tell.send(net.run_dir().to_owned()).unwrap();
            panic!("the author's own");
        });
        let panic = test.await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the author's own"));
        let run_dir = told.recv().unwrap();
        leyden::eventually("no process is left", || async { leyden::seen(alive(&run_dir), Vec::is_empty) })
            .await?;
        assert!(run_dir.is_dir());
        std::fs::remove_dir_all(run_dir)?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_run_directory_is_kept_when_asked() {
    on_each_backend(async |backend| {
        let net = Net::builder().nodes(["l1"]).backend(backend).keep().start().await?;
        let run_dir = net.run_dir().to_owned();
        net.finish().await?;
        assert!(run_dir.join("lightning-1/log").is_file() && run_dir.join("timeline.jsonl").is_file());
        std::fs::remove_dir_all(run_dir)?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_process_that_a_plugin_leaves_behind_is_a_complaint_and_is_killed() {
    on_each_backend(async |backend| {
        let litterer = ShellPlugin::new();
        let net = Net::builder()
            .nodes(["l1"])
            .plugin("l1", Plugin::exe(litterer.path()))
            .backend(backend)
            .start()
            .await?;
        let [l1] = net.nodes();
        l1.rpc("litter", json!({})).await?;
        let run_dir = net.run_dir().to_owned();
        let error = net.finish().await.unwrap_err();
        assert_eq!(
            error.headline(),
            "ending the net: expected no process to outlive the nodes, but 1 did",
            "{error}"
        );
        assert!(error.to_string().contains("sleep 987"), "{error}");
        drop(l1);
        leyden::eventually("no process is left", || async { leyden::seen(alive(&run_dir), Vec::is_empty) })
            .await?;
        std::fs::remove_dir_all(run_dir)?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_node_that_died_unasked_is_a_complaint() {
    on_each_backend(async |backend| {
        let greeter = ShellPlugin::new();
        let plugin = Plugin::exe(greeter.path()).important();
        let net = Net::builder().nodes(["l1"]).plugin("l1", plugin).backend(backend).start().await?;
        let run_dir = net.run_dir().to_owned();
        let mut events = net.events();
        let pid = rustix::process::Pid::from_raw(greeter.pid().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        while !matches!(events.next().await?.kind, EventKind::NodeExited { .. }) {}
        let error = net.finish().await.unwrap_err();
        assert!(error.to_string().contains("the life of l1: expected to end by `stop`"), "{error}");
        std::fs::remove_dir_all(run_dir)?;
        Ok(())
    })
    .await;
}
