//! Any manifest that a plugin can write is read as it was meant.

use crate::{read, response};
use leyden_protocol::deprecation::Deprecated;
use leyden_protocol::hook::{Filter, HookRegistration};
use leyden_protocol::manifest::{EmptyNode, FeatureBits, Manifest, OwnTopic, Refusal, RpcMethod};
use leyden_protocol::option::{OptionType, PluginOption};
use leyden_protocol::profile::Profile;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,12}"
}

fn deprecated() -> impl Strategy<Value = Deprecated> {
    let version = || "v(2[0-9])\\.(0[1-9]|1[0-2])";
    prop_oneof![
        Just(Deprecated::Never),
        Just(Deprecated::Now),
        (version(), prop::option::of(version())).prop_map(|(start, end)| Deprecated::Range(start, end)),
    ]
}

fn option() -> impl Strategy<Value = PluginOption> {
    // Escapes in a default are kept: see `the_escapes_of_a_default_stay`.
    let text = r#"[^"\\\p{C}]*"#;
    let parts = (name(), text, 0..5usize, any::<i64>(), any::<[bool; 3]>(), deprecated());
    parts.prop_map(|(name, about, kind, number, [multi, dynamic, has_default], deprecated)| {
        let kinds = [
            OptionType::String,
            OptionType::StringConceal,
            OptionType::Int,
            OptionType::Bool,
            OptionType::Flag,
        ];
        let option_type = kinds[kind];
        let default = match option_type {
            OptionType::Int => Some(number.to_string()),
            OptionType::Bool => Some((number > 0).to_string()),
            OptionType::String | OptionType::StringConceal => Some(about.clone()),
            OptionType::Flag => None,
        };
        PluginOption {
            multi: multi && !matches!(option_type, OptionType::Bool | OptionType::Flag),
            default: default.filter(|_| has_default),
            dynamic,
            deprecated,
            ..PluginOption::new(&name, option_type, &about)
        }
    })
}

fn rpcmethod() -> impl Strategy<Value = RpcMethod> {
    let texts = (name(), ".*", ".*", prop::option::of(".*"), prop::option::of(".*"), deprecated());
    texts.prop_map(|(name, usage, description, long_description, category, deprecated)| RpcMethod {
        long_description,
        category,
        deprecated,
        ..RpcMethod::new(&name, &usage, &description)
    })
}

fn hooks() -> impl Strategy<Value = Vec<HookRegistration>> {
    let names = || prop::collection::vec(name(), 0..3);
    let filters = (
        prop::option::of(prop::collection::vec(name().prop_map(Filter::Method), 0..3)),
        prop::option::of(prop::collection::vec((0..65536u64).prop_map(Filter::MessageType), 0..3)),
    );
    (names(), names(), filters).prop_map(|(before, after, (methods, types))| {
        vec![
            HookRegistration { before, ..HookRegistration::new("htlc_accepted") },
            HookRegistration { after, filters: methods, ..HookRegistration::new("rpc_command") },
            HookRegistration { filters: types, ..HookRegistration::new("custommsg") },
        ]
    })
}

fn featurebits() -> impl Strategy<Value = FeatureBits> {
    let bits = || prop::option::of("([0-9a-f]{2}){0,8}");
    (bits(), bits(), bits(), bits(), bits(), bits(), bits(), bits()).prop_map(|bits| FeatureBits {
        init: bits.0,
        node: bits.1,
        channel: bits.2,
        invoice: bits.3,
        bolt12_offer: bits.4,
        bolt12_invreq: bits.5,
        bolt12_invoice: bits.6,
        channel_type: bits.7,
    })
}

fn manifest() -> impl Strategy<Value = Manifest> {
    let distinct = |names: Vec<String>| {
        let names: std::collections::BTreeSet<_> = names.into_iter().collect();
        names.into_iter().map(|name| format!("own_{name}"))
    };
    let topics = prop::collection::vec(name(), 0..4)
        .prop_map(move |names| distinct(names).map(|method| OwnTopic { method }).collect::<Vec<_>>());
    let declared = (
        prop::collection::vec(option(), 0..4),
        prop::collection::vec(rpcmethod(), 0..4),
        prop::collection::vec(".*", 0..4),
        hooks(),
        topics,
    );
    let general = (
        prop::collection::vec(any::<u16>(), 0..4),
        featurebits(),
        any::<[bool; 2]>(),
        prop::option::of(Just(true)),
    );
    (declared, general).prop_map(|(declared, (custommessages, featurebits, flags, nonnumericids))| {
        let (mut options, mut rpcmethods, subscriptions, hooks, notifications) = declared;
        let [dynamic, cancheck] = flags;
        let mut seen = std::collections::BTreeSet::new();
        options.retain(|option| seen.insert(option.name.clone()));
        let mut seen = std::collections::BTreeSet::new();
        rpcmethods.retain(|method| seen.insert(method.name.clone()));
        let dynamic = dynamic && !featurebits.any();
        Manifest {
            options,
            rpcmethods,
            subscriptions,
            hooks,
            notifications,
            custommessages,
            featurebits,
            dynamic,
            nonnumericids,
            cancheck,
            disable: None,
        }
    })
}

proptest! {
    #[test]
    fn what_a_plugin_writes_is_what_the_node_reads(manifest in manifest()) {
        let written = serde_json::to_string(&manifest).unwrap();
        let read = Manifest::parse(&response(&written), &mut EmptyNode(Profile::V26_06));
        prop_assert_eq!(read, Ok(manifest));
    }

    #[test]
    fn whatever_a_manifest_says_it_is_read_or_refused(result in r#"[ \[\]{},:"a1\-.etfnu]{0,24}"#) {
        for profile in Profile::ALL {
            for name in ["options", "dynamic", "featurebits", "custommessages", "notifications", "hooks"] {
                let said = format!(r#"{{"options":[],"rpcmethods":[],"{name}":{result}}}"#);
                prop_assert!(matches!(read(profile, &said), Ok(_) | Err(Refusal::Kill(_))));
            }
        }
    }
}
