#!/usr/bin/env python3
"""A plugin without a library: it writes every connect and disconnect into the file `peers` of the node's network directory.

lightningd ends each message with an empty line, so a message is two readline() away. What the plugin answers needs no newline:
lightningd reads until the JSON is complete.
"""
import json
import sys


def read_message():
    line = sys.stdin.readline()
    sys.stdin.readline()  # the empty line
    return line


def answer(request, result):
    response = {"jsonrpc": "2.0", "id": json.loads(request)["id"], "result": result}
    sys.stdout.write(json.dumps(response))
    sys.stdout.flush()


# getmanifest, then init
answer(read_message(), {"dynamic": True, "options": [], "rpcmethods": [], "subscriptions": ["connect", "disconnect"]})
answer(read_message(), {})

while message := read_message():
    topic = json.loads(message)["method"]
    if topic in ("connect", "disconnect"):
        with open("peers", "a") as peers:
            peers.write(f"{topic} notification: {message}")
