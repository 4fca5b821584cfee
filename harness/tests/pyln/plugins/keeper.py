#!/usr/bin/env python3
"""Holds, fails and settles HTLCs, as the commands `keep` and `release` say: a plugin on pyln-client."""

from pyln.client import Plugin

plugin = Plugin()
verdicts = {}
held = {}


@plugin.method("keep")
def keep(plugin, payment_hash, verdict):
    """Says what is to become of HTLCs with this hash: an answer to `htlc_accepted`, or null to hold them."""
    verdicts[payment_hash] = verdict
    return {}


@plugin.method("release")
def release(plugin, payment_hash):
    """Lets an HTLC that is held go on."""
    held.pop(payment_hash).set_result({"result": "continue"})
    return {}


@plugin.async_hook("htlc_accepted")
def on_htlc_accepted(htlc, onion, plugin, request, **kwargs):
    payment_hash = htlc["payment_hash"]
    verdict = verdicts.get(payment_hash, {"result": "continue"})
    if verdict is None:
        held[payment_hash] = request
        plugin.log(f"holds {htlc['amount_msat']}msat for {onion['short_channel_id']}")
    else:
        request.set_result(verdict)


plugin.run()
