#!/usr/bin/env python3
"""Greets whom it is asked to, and whoever connects."""

from pyln.client import Plugin

plugin = Plugin()
plugin.add_option("greeting", "hello", "how to greet")
plugin.add_option("times", 1, "how often", opt_type="int")
plugin.add_option("loud", False, "in capitals", opt_type="bool")
plugin.add_option("also", None, "whom to greet as well", opt_type="string", multi=True)
plugin.add_flag_option("politely", "take the hat off")


@plugin.init()
def init(options, configuration, plugin):
    plugin.log(f"greets as lightningd of {configuration['network']} wants it")


@plugin.method("greet")
def greet(plugin, name="world", times=None):
    """Greets `name`, and the others of the option `also`."""
    if name == "nobody":
        raise ValueError("nobody is not to be greeted")
    names = " and ".join([name] + [also for also in plugin.get_option("also") or []])
    words = f"{plugin.get_option('greeting')} {names}"
    if plugin.get_option("loud"):
        words = words.upper()
    how_often = int(plugin.get_option("times")) if times is None else times
    return {"words": [words] * how_often, "hat": "off" if plugin.get_option("politely") else "on"}


@plugin.subscribe("connect")
def on_connect(plugin, connect, **kwargs):
    plugin.log(f"hello {connect['id']}, {connect['direction']}going")


@plugin.subscribe("disconnect")
def on_disconnect(plugin, disconnect, **kwargs):
    plugin.log(f"goodbye {disconnect['id']}")


plugin.run()
