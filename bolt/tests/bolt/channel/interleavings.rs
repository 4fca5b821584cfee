//! Two channels at random: whatever is said in whatever order, lost, and restored, both agree in the end.

use super::{CONFIG, Pair, close_script, htlc, preimage, request};
use bitcoin::Transaction;
use leyden_bolt::channel::{AddHtlc, ChannelOutput, ClosingFees, NegotiationStep, OpenRequest, Removal};
use leyden_bolt::transaction::{ChannelConfig, ChannelType, Side};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What may happen to the two nodes. Nodes are 0 and 1.
#[derive(Debug, Clone, Copy)]
enum Action {
    Add {
        node: usize,
        amount_msat: u64,
        cltv_expiry: u32,
    },
    /// Removes the `which`-th of the HTLCs that can be removed.
    Remove {
        node: usize,
        which: usize,
        how: How,
    },
    Fee {
        feerate_per_kw: u32,
    },
    Commit {
        node: usize,
    },
    /// One message arrives; the node commits at once, or leaves it for later.
    Deliver {
        node: usize,
        commit: bool,
    },
    Disconnect,
    Reconnect,
    Restart {
        node: usize,
    },
    Shutdown {
        node: usize,
    },
}

#[derive(Debug, Clone, Copy)]
enum How {
    Fulfill,
    Fail,
    FailMalformed,
}

fn action() -> impl Strategy<Value = Action> {
    let node = || 0..2_usize;
    let amount =
        prop_oneof![1_000..2_000_000_u64, 2_000_000..100_000_000_u64, 100_000_000..1_000_000_000_u64];
    let how = prop_oneof![Just(How::Fulfill), Just(How::Fail), Just(How::FailMalformed)];
    prop_oneof![
        24 => (node(), amount, 400..403_u32)
            .prop_map(|(node, amount_msat, cltv_expiry)| Action::Add { node, amount_msat, cltv_expiry }),
        20 => (node(), 0..8_usize, how).prop_map(|(node, which, how)| Action::Remove { node, which, how }),
        4 => (200..8_000_u32).prop_map(|feerate_per_kw| Action::Fee { feerate_per_kw }),
        12 => node().prop_map(|node| Action::Commit { node }),
        64 => (node(), any::<bool>()).prop_map(|(node, commit)| Action::Deliver { node, commit }),
        4 => Just(Action::Disconnect),
        8 => Just(Action::Reconnect),
        4 => node().prop_map(|node| Action::Restart { node }),
        // Nothing is added after it.
        1 => node().prop_map(|node| Action::Shutdown { node }),
    ]
}

/// What the two channels are like.
fn setup() -> impl Strategy<Value = (OpenRequest, [ChannelConfig; 2])> {
    let config = (
        prop_oneof![Just(354_u64), Just(546), Just(5_000)],
        prop_oneof![Just(u64::MAX), Just(400_000_000)],
        prop_oneof![Just(0_u64), Just(10_000)],
        prop_oneof![Just(483_u16), Just(4)],
    );
    let config = config.prop_map(|(dust, in_flight, minimum, accepted)| ChannelConfig {
        dust_limit_satoshis: dust,
        max_htlc_value_in_flight_msat: in_flight,
        htlc_minimum_msat: minimum,
        max_accepted_htlcs: accepted,
        ..CONFIG
    });
    // Nobody tells it: with another one, the acceptor may refuse a fee rate for ever.
    let exposure = prop_oneof![Just(50_000_000_u64), Just(3_000_000)];
    let configs =
        (config.clone(), config, exposure).prop_map(|(first, second, max_dust_htlc_exposure_msat)| {
            [first, second].map(|config| ChannelConfig { max_dust_htlc_exposure_msat, ..config })
        });
    let kind = prop_oneof![Just(ChannelType::STATIC_REMOTEKEY), Just(ChannelType::ANCHORS)];
    let push = prop_oneof![Just(0_u64), Just(500_000_000), Just(960_000_000)];
    (kind, push, 253..5_000_u32, configs).prop_map(|(kind, push_msat, feerate_per_kw, configs)| {
        (OpenRequest { push_msat, feerate_per_kw, ..request(kind) }, configs)
    })
}

/// What is known of an HTLC from outside.
#[derive(Debug)]
struct Payment {
    number: u64,
    amount_msat: u64,
    /// The receiver was told of it.
    committed: bool,
    /// The receiver removed it.
    removal: Option<Removal>,
    /// The sender was told of the preimage.
    fulfilled: bool,
    failed: bool,
    /// The sender was told that it is gone, and the receiver.
    gone: [bool; 2],
}

struct World {
    pair: Pair,
    connected: bool,
    /// By who offered them, and their ids.
    payments: BTreeMap<(usize, u64), Payment>,
    payments_made: u64,
    balances_msat: [u64; 2],
    closed: [Option<Transaction>; 2],
}

impl World {
    fn new((request, configs): (OpenRequest, [ChannelConfig; 2])) -> Self {
        let pushed = request.push_msat;
        let balances_msat = [request.funding_satoshis * 1000 - pushed, pushed];
        let mut pair = Pair::open(request, configs);
        for node in [0, 1] {
            pair.channel(node).send_channel_ready(None);
            pair.flush(node);
        }
        let closed = [None, None];
        Self { pair, connected: true, payments: BTreeMap::new(), payments_made: 0, balances_msat, closed }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Add { node, amount_msat, cltv_expiry } => {
                self.add(node, AddHtlc { cltv_expiry, ..htlc(self.payments_made, amount_msat) });
            }
            Action::Remove { node, which, how } => self.remove(node, which, how),
            Action::Fee { feerate_per_kw } => self.pair.channel(0).update_fee(feerate_per_kw),
            Action::Commit { node } => self.pair.commit(node),
            Action::Deliver { node, commit } => {
                self.deliver(node);
                if commit {
                    self.pair.commit(node);
                }
            }
            Action::Disconnect => self.disconnect(),
            Action::Reconnect => self.reconnect(),
            Action::Restart { node } => {
                self.disconnect();
                self.pair.restart(node);
            }
            Action::Shutdown { node } => self.pair.channel(node).shutdown(close_script(1 + node as u8)),
        }
        self.hear();
    }

    fn add(&mut self, node: usize, add: AddHtlc) {
        let (number, amount_msat) = (self.payments_made, add.amount_msat);
        let Ok(id) = self.pair.channel(node).add_htlc(add) else { return };
        self.pair.flush(node);
        let payment = Payment {
            number,
            amount_msat,
            committed: false,
            removal: None,
            fulfilled: false,
            failed: false,
            gone: [false; 2],
        };
        assert!(self.payments.insert((node, id), payment).is_none(), "the id {id} is used again");
        self.payments_made += 1;
    }

    fn remove(&mut self, node: usize, which: usize, how: How) {
        let is_removable = |payment: &Payment| payment.committed && payment.removal.is_none();
        let mut of_peer =
            self.payments.iter_mut().filter(|((owner, _), payment)| *owner != node && is_removable(payment));
        let Some(((_, id), payment)) = of_peer.nth(which) else { return };
        let removal = match how {
            How::Fulfill => Removal::Fulfill(preimage(payment.number)),
            How::Fail => Removal::Fail(vec![1; 256]),
            How::FailMalformed => Removal::FailMalformed { sha256_of_onion: [2; 32], failure_code: 0xc005 },
        };
        self.pair.channel(node).remove_htlc(*id, removal.clone()).expect("it is irrevocably committed");
        payment.removal = Some(removal);
        self.pair.flush(node);
    }

    /// One message arrives, if there is one.
    fn deliver(&mut self, node: usize) -> bool {
        match self.pair.deliver(node) {
            None => return false,
            Some(Ok(())) => {}
            Some(Err(error)) => panic!("node {node} refuses: {error}"),
        }
        self.hear();
        true
    }

    fn disconnect(&mut self) {
        self.pair.disconnect();
        self.connected = false;
        self.hear();
        for node in [0, 1] {
            let record = self.pair.channel(node).record();
            assert!(record.htlcs.values().all(|htlc| !htlc.state.is_uncommitted()));
        }
    }

    fn reconnect(&mut self) {
        if !self.connected {
            self.pair.reconnect();
            self.connected = true;
        }
    }

    /// Does what a node does when its channel tells it something, and compares that with what the other node did.
    fn hear(&mut self) {
        for node in [0, 1] {
            for event in self.pair.events(node) {
                self.hear_one(node, event);
            }
            self.pair.flush(node);
        }
    }

    fn payment(&mut self, owner: usize, id: u64) -> &mut Payment {
        self.payments.get_mut(&(owner, id)).expect("somebody offered it")
    }

    fn hear_one(&mut self, node: usize, event: ChannelOutput) {
        match event {
            ChannelOutput::HtlcCommitted { id } => {
                assert!(!std::mem::replace(&mut self.payment(1 - node, id).committed, true), "told twice");
            }
            ChannelOutput::HtlcDropped { id } => {
                assert!(!self.payment(node, id).committed, "it was committed");
                self.payments.remove(&(node, id));
            }
            ChannelOutput::HtlcFulfilled { id, preimage } => {
                let payment = self.payment(node, id);
                assert_eq!(payment.removal, Some(Removal::Fulfill(preimage)));
                assert!(!std::mem::replace(&mut payment.fulfilled, true), "told twice");
            }
            ChannelOutput::HtlcFailed { id, removal } => {
                let payment = self.payment(node, id);
                assert_eq!(payment.removal, Some(removal));
                assert!(!std::mem::replace(&mut payment.failed, true), "told twice");
            }
            ChannelOutput::HtlcRemoved { id, removal } => {
                let payment = self.payment(node, id);
                assert_eq!(payment.removal.as_ref(), Some(&removal));
                assert!(!std::mem::replace(&mut payment.gone[0], true), "told twice");
                if let Removal::Fulfill(_) = removal {
                    assert!(payment.fulfilled && !payment.failed);
                    let amount_msat = payment.amount_msat;
                    self.balances_msat[node] -= amount_msat;
                    self.balances_msat[1 - node] += amount_msat;
                }
            }
            ChannelOutput::HtlcForgotten { id, removal } => {
                let payment = self.payment(1 - node, id);
                assert_eq!(payment.removal, Some(removal));
                assert!(!std::mem::replace(&mut payment.gone[1], true), "told twice");
            }
            ChannelOutput::Revoked { penalty_base, .. } => {
                let channel = self.pair.channel(node);
                if let Some(base) = penalty_base.filter(|base| base.amount_sat > 10_000) {
                    let penalty = channel.penalty(&base, 1000, &close_script(1)).expect("worth it");
                    assert_eq!(penalty.input[0].previous_output.txid, base.txid);
                }
            }
            ChannelOutput::ShutdownReceived => self.pair.channel(node).shutdown(close_script(1 + node as u8)),
            ChannelOutput::ShutdownComplete => {
                let fees = ClosingFees {
                    min_per_kw: 253,
                    wanted_per_kw: 500 + 300 * node as u32,
                    max_per_kw: 2000,
                    step: NegotiationStep::default(),
                };
                self.pair.channel(node).negotiate_close(fees).expect("both have something to get");
            }
            ChannelOutput::Closed { transaction, .. } => self.closed[node] = Some(transaction),
            ChannelOutput::Send(_) | ChannelOutput::Ready | ChannelOutput::Reestablished => {}
        }
    }

    /// Both say what they have to say until nothing is left.
    fn settle(&mut self) {
        self.reconnect();
        for _ in 0..1000 {
            for node in [0, 1] {
                self.pair.commit(node);
            }
            self.hear();
            let delivered = [0, 1].map(|node| (0..1000).take_while(|_| self.deliver(node)).count());
            if delivered == [0, 0] {
                return;
            }
        }
        panic!("they never come to rest");
    }

    /// All that was offered is removed, and all is as it should be.
    fn finish(&mut self) {
        self.settle();
        for (node, how) in [(0, How::Fulfill), (1, How::Fail)] {
            for _ in 0..self.payments.len() {
                self.remove(node, 0, how);
            }
        }
        self.settle();
        for (key, payment) in &self.payments {
            assert_eq!(payment.gone, [true; 2], "{key:?} {payment:?} is stuck");
        }
        self.pair.assert_in_step();
        for node in [0, 1] {
            assert_eq!(self.pair.channel(node).balance_msat(Side::Local), self.balances_msat[node]);
            assert_eq!(self.pair.channel(node).htlcs().count(), 0);
        }
        self.close();
    }

    fn close(&mut self) {
        self.disconnect();
        self.closed = [None, None];
        self.act(Action::Shutdown { node: 1 });
        self.settle();
        let [first, second] =
            self.closed.each_ref().map(|closed| closed.as_ref().expect("closed").compute_txid());
        let dust = Side::BOTH.map(|side| self.pair.channel(0).terms().config(side).dust_limit_satoshis);
        // Otherwise one may have an output that is dust to the other.
        if dust[0] == dust[1] {
            assert_eq!(first, second);
        }
    }
}

/// Fewer cases than elsewhere, because each is long, unless `PROPTEST_CASES` asks for a number.
pub(super) fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if default.cases == 256 { 32 } else { default.cases };
    ProptestConfig { cases, max_shrink_iters: 1024, ..default }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn two_channels_agree_whatever_happens(setup in setup(), actions in prop::collection::vec(action(), 1..120)) {
        let mut world = World::new(setup);
        for action in actions {
            world.act(action);
        }
        world.finish();
    }
}
