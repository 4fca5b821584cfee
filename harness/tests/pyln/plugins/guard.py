#!/usr/bin/env python3
"""Stands before every command."""

from pyln.client import Plugin

plugin = Plugin()


@plugin.hook("rpc_command")
def guard(plugin, rpc_command, **kwargs):
    method = rpc_command["method"]
    if method == "newaddr":
        return {"return": {"error": {"code": -1, "message": "no addresses today"}}}
    if method == "getinfo" and rpc_command["params"].get("id") == "guarded":
        return {"return": {"result": {"guarded": True}}}
    if method == "invoice":
        rpc_command["params"]["description"] = "written by the guard"
        return {"replace": rpc_command}
    return {"result": "continue"}


plugin.run()
