"""The fixtures and the harness of the end-to-end tests."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

from e2e_fixtures import *  # noqa: E402,F401,F403
