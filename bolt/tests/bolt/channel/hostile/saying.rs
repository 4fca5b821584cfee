//! What a hostile peer says, and what happens to us meanwhile.

use super::super::close_script;
use proptest::prelude::*;

/// What may happen. Node 0 is ours, node 1 is hostile, but has its moments of honesty.
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// A message of the hostile node.
    Say(Say),
    /// The next message of the honest node that it could be.
    Deliver,
    Add {
        amount_msat: u64,
    },
    Remove {
        id: u64,
        fulfill: bool,
    },
    Fee(u32),
    Commit,
    Shutdown,
    Negotiate,
    /// And reestablishes the channel, or leaves that to what is said.
    Reconnect {
        honest: bool,
    },
}

#[derive(Debug, Clone)]
pub(super) enum Say {
    Ready {
        point: u64,
    },
    /// With the next id, or another one.
    Add {
        id: Option<u64>,
        amount_msat: u64,
        cltv_expiry: u32,
    },
    /// With the right preimage, or another one.
    Fulfill {
        id: u64,
        number: Option<u64>,
    },
    Fail {
        id: u64,
        length: usize,
    },
    FailMalformed {
        id: u64,
        failure_code: u16,
    },
    Fee(u32),
    /// Signs what our next commitment will be, as well as it can be known.
    Commit,
    BadCommit {
        signatures: usize,
    },
    /// The commitment before the last, or another one.
    Revoke {
        number: Option<u64>,
    },
    Shutdown {
        script: Vec<u8>,
    },
    Close {
        fee_satoshis: u64,
        range: Option<(u64, u64)>,
    },
    Reestablish {
        commitment: u64,
        revocation: u64,
        secret: u64,
    },
}

fn amount() -> impl Strategy<Value = u64> {
    let edges = [0, 1, 546_000, 10_000_000, 499_000_000, 1_000_000_000, u64::MAX];
    prop_oneof![1..300_000_000_u64, prop::sample::select(edges.to_vec())]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..6_u64, 1 => Just(1 << 48), 1 => Just(u64::MAX), 1 => any::<u64>()]
}

/// What is not as it should be, now and then.
fn seldom() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![9 => Just(None), 1 => number().prop_map(Some)]
}

fn feerate() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 253..20_000_u32, 1 => Just(0), 1 => Just(u32::MAX), 1 => any::<u32>()]
}

fn say() -> impl Strategy<Value = Say> {
    let script = prop_oneof![Just(close_script(2).into_bytes()), prop::collection::vec(any::<u8>(), 0..40)];
    prop_oneof![
        1 => (0..4_u64).prop_map(|point| Say::Ready { point }),
        8 => (seldom(), amount(), prop_oneof![9 => Just(500), 1 => any::<u32>()])
            .prop_map(|(id, amount_msat, cltv_expiry)| Say::Add { id, amount_msat, cltv_expiry }),
        4 => (number(), seldom()).prop_map(|(id, number)| Say::Fulfill { id, number }),
        2 => (number(), 0..400_usize).prop_map(|(id, length)| Say::Fail { id, length }),
        2 => (number(), any::<u16>()).prop_map(|(id, failure_code)| Say::FailMalformed { id, failure_code }),
        2 => feerate().prop_map(Say::Fee),
        8 => Just(Say::Commit),
        1 => (0..4_usize).prop_map(|signatures| Say::BadCommit { signatures }),
        8 => seldom().prop_map(|number| Say::Revoke { number }),
        1 => script.prop_map(|script| Say::Shutdown { script }),
        1 => (number(), prop::option::of((number(), number())))
            .prop_map(|(fee_satoshis, range)| Say::Close { fee_satoshis, range }),
        2 => (number(), number(), number())
            .prop_map(|(commitment, revocation, secret)| Say::Reestablish { commitment, revocation, secret }),
    ]
}

pub(super) fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        20 => say().prop_map(Action::Say),
        20 => Just(Action::Deliver),
        6 => amount().prop_map(|amount_msat| Action::Add { amount_msat }),
        4 => (0..5_u64, any::<bool>()).prop_map(|(id, fulfill)| Action::Remove { id, fulfill }),
        1 => feerate().prop_map(Action::Fee),
        8 => Just(Action::Commit),
        1 => Just(Action::Shutdown),
        1 => Just(Action::Negotiate),
        2 => any::<bool>().prop_map(|honest| Action::Reconnect { honest }),
    ]
}
