"""Fixtures of the end-to-end tests: servers that are stopped, and looked at, when their test ends."""
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "interop"))

import harness  # noqa: E402


@pytest.fixture
def make_server(request):
    """make_server(...) is harness.Server(...).start(); every one of them ends with the test."""
    made = []

    def make(start=True, **options):
        server = harness.Server(**options)
        made.append(server)
        return server.start() if start else server

    yield make
    for server in made:
        if getattr(request.node, "failed_call", False):
            print("---- log of the server ----\n" + "\n".join(server.log_text().splitlines()[-60:]))
            server.expect("*")
        server.close()


@pytest.fixture
def server(make_server):
    return make_server()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed_call = outcome.get_result().failed


@pytest.fixture
def program():
    """program("swaks") is its path, or skips by name."""
    def find(name):
        path = shutil.which(name)
        if not path:
            pytest.skip(f"{name} is not installed")
        return path
    return find
