"""The fixtures are in e2e_fixtures.py, which tests of other folders use, too."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from e2e_fixtures import *  # noqa: E402,F401,F403
