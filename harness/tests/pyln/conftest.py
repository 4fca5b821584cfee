"""The fixtures of pyln-testing, as every suite of a Python plugin has them."""

import threading

from pyln.testing.fixtures import *  # noqa: F401, F403
from werkzeug.routing import Rule

# pyln-testing starts the nodes of a test in threads, and each of them has a proxy whose routes werkzeug parses.
# CPython before 3.11.8 can raise SystemError when two threads parse at once: its issue 106905.
_parses = threading.Lock()
_compile = Rule.compile


def _compile_alone(rule):
    with _parses:
        _compile(rule)


Rule.compile = _compile_alone
