"""The fixtures of pyln-testing, as every suite of a Python plugin has them."""

from pyln.testing.fixtures import *  # noqa: F401, F403
