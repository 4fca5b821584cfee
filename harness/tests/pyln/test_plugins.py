"""A suite such as authors of Python plugins have: pyln-testing starts whatever is called `lightningd` on PATH."""

from pathlib import Path

import pytest
from pyln.client import RpcError
from pyln.testing.utils import only_one, wait_for

PLUGINS = Path(__file__).parent / "plugins"
GREETER = str(PLUGINS / "greeter.py")
GUARD = str(PLUGINS / "guard.py")
KEEPER = str(PLUGINS / "keeper.py")


def listed(node, plugin):
    """What the node says of this plugin: lightningd has others of its own."""
    return [found for found in node.rpc.plugin_list()["plugins"] if found["name"] == plugin]


def test_options(node_factory):
    given = {"plugin": GREETER, "greeting": "hej", "times": 2, "loud": "true", "also": ["you", "me"], "politely": None}
    l1 = node_factory.get_node(options=given)
    assert l1.rpc.greet() == {"words": ["HEJ WORLD AND YOU AND ME"] * 2, "hat": "off"}

    configs = l1.rpc.listconfigs()["configs"]
    assert (configs["times"]["value_int"], configs["times"]["plugin"]) == (2, GREETER)

    # A value that the option cannot have ends a node before it is up, as it ends lightningd.
    given["times"] = "often"
    l2 = node_factory.get_node(options=given, start=False, may_fail=True, expect_fail=True)
    l2.daemon.start(wait_for_initialized=False, stderr_redir=True)
    assert l2.daemon.wait() == 1
    assert l2.daemon.is_in_stderr("--times=often: 'often' is not a number")


def test_rpc_method(node_factory):
    l1 = node_factory.get_node(options={"plugin": GREETER})
    assert l1.rpc.greet() == {"words": ["hello world"], "hat": "on"}
    assert l1.rpc.call("greet", {"name": "Mårten", "times": 2})["words"] == ["hello Mårten"] * 2
    assert l1.rpc.call("greet", ["you"])["words"] == ["hello you"]
    assert only_one(l1.rpc.help("greet")["help"])["command"].startswith("greet [name] [times]")

    with pytest.raises(RpcError, match="nobody is not to be greeted"):
        l1.rpc.greet("nobody")
    with pytest.raises(RpcError, match="Unknown command 'curse'") as unknown:
        l1.rpc.call("curse")
    assert unknown.value.error["code"] == -32601


def test_plugin_start_and_stop(node_factory):
    l1 = node_factory.get_node()
    l1.rpc.plugin_start(GREETER, greeting="moin")
    assert listed(l1, GREETER) == [{"name": GREETER, "active": True, "dynamic": True}]
    l1.daemon.wait_for_log(r"plugin-greeter.py: greets as lightningd of regtest wants it")
    assert l1.rpc.greet("you")["words"] == ["moin you"]

    l1.rpc.plugin_stop("greeter.py")
    l1.daemon.wait_for_log(r"plugin-greeter.py: Killing plugin: stopped by lightningd via RPC")
    assert listed(l1, GREETER) == []
    with pytest.raises(RpcError, match="Unknown command"):
        l1.rpc.greet()


def test_rpc_command_hook(node_factory):
    l1 = node_factory.get_node(options={"plugin": GUARD})
    with pytest.raises(RpcError, match="no addresses today") as refused:
        l1.rpc.newaddr()
    assert refused.value.error["code"] == -1
    assert l1.rpc.call("getinfo", {"id": "guarded"}) == {"guarded": True}
    bolt11 = l1.rpc.invoice(1000, "label", "written by the caller")["bolt11"]
    assert l1.rpc.decode(bolt11)["description"] == "written by the guard"
    assert l1.rpc.getinfo()["network"] == "regtest"


def test_connect_notification(node_factory):
    l1, l2 = node_factory.get_nodes(2, opts=[{"plugin": GREETER}, {}])
    l1.connect(l2)
    l1.daemon.wait_for_log(rf"plugin-greeter.py: hello {l2.info['id']}, outgoing")
    l2.rpc.disconnect(l1.info["id"], force=True)
    l1.daemon.wait_for_log(rf"plugin-greeter.py: goodbye {l2.info['id']}")
    wait_for(lambda: l1.rpc.listpeers(l2.info["id"])["peers"] == [])


def test_htlc_accepted_hook(node_factory, executor):
    l1, l2, l3 = node_factory.line_graph(3, opts=[{}, {"plugin": KEEPER}, {}], wait_for_announce=True)

    held = l3.rpc.invoice(10_000, "held", "is held until the plugin is told")
    l2.rpc.keep(held["payment_hash"], None)
    payment = executor.submit(l1.rpc.pay, held["bolt11"])
    l2.daemon.wait_for_log(r"plugin-keeper.py: holds 10001msat for \d+x\d+x\d+")
    assert not payment.done()
    l2.rpc.release(held["payment_hash"])
    assert payment.result(60)["status"] == "complete"

    failed = l3.rpc.invoice(10_000, "failed", "is refused by the plugin")
    l2.rpc.keep(failed["payment_hash"], {"result": "fail", "failure_message": "2002"})
    with pytest.raises(RpcError):
        l1.rpc.pay(failed["bolt11"], retry_for=0)
    attempts = l1.rpc.listsendpays(failed["bolt11"])["payments"]
    assert {attempt["status"] for attempt in attempts} == {"failed"}

    settled = l3.rpc.call("invoice", {"amount_msat": 10_000, "label": "settled", "description": "", "preimage": "07" * 32})
    l2.rpc.keep(settled["payment_hash"], {"result": "resolve", "payment_key": "07" * 32})
    assert l1.rpc.pay(settled["bolt11"])["payment_preimage"] == "07" * 32
    assert only_one(l3.rpc.listinvoices("settled")["invoices"])["status"] == "unpaid"
