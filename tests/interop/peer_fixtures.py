"""Fixtures of tests in which another mail host runs beside us: a network, names, and a server of ours in it."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

import corpus  # noqa: E402
import nsd  # noqa: E402
from conftest import *  # noqa: E402, F401, F403
from harness import until  # noqa: E402
from namespaces import HERE, NAMES, Network  # noqa: E402
from postfix import Unavailable  # noqa: E402

# For a name that no test asks about: to all others it says nothing.
ANCHOR = "elsewhere.test. IN DS 1 8 2 " + "00" * 32 + "\n"

ZONE = """$ORIGIN test.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A {names}
peer IN MX 10 mx.peer
mx.peer IN A 10.99.0.2
{more}
"""


def or_skip(make):
    """What MAKE returns, or a skip that says why it cannot be had."""
    try:
        return make()
    except Unavailable as why:
        return pytest.skip(str(why))


@pytest.fixture(scope="module")
def network():
    made = or_skip(Network)
    yield made
    made.close()


@pytest.fixture(scope="module")
def start_peer(network):
    """start_peer(MAKE) makes and starts a peer on the other side; it is closed after the last test."""
    made = []

    def start(make):
        with network.outside():
            peer = or_skip(make)
            made.append(peer)
        with network.on_the_other_side():
            return or_skip(peer.start)

    yield start
    for peer in made:
        peer.close()


@pytest.fixture(scope="module")
def serve(network, tmp_path_factory):
    """serve(TEXT): the zone test. has these lines, too."""
    servers = []

    def start(more="", **zones):
        folder = str(tmp_path_factory.mktemp("names"))
        path = os.path.join(folder, "test")
        with open(path, "w", encoding="ascii") as out:
            out.write(ZONE.format(names=NAMES, more=more))
        with network.outside():
            or_skip(nsd.program)
        with network.on_the_other_side():
            servers.append(or_skip(lambda: nsd.Nsd(folder, {"test": path, **zones}, NAMES, 53)))

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def make_host(make_server):
    """make_host(MORE): a server of ours on the cable that asks the names there; its users are those of the corpus."""
    def make(more="", anchor=ANCHOR, domain="", users=None):
        server = make_server(start=False, users=users or ["ada", *(f"m{n}" for n in range(len(corpus.messages())))],
                             domain=domain)
        server.write("anchor", anchor)
        server.write_config(top=f"listen {HERE}:25; resolver {NAMES}:53; trust-anchor anchor; relay-from 127.0.0.1;"
                                f" {more}")
        return server.start()

    return make


def settled(server, count):
    """COUNT messages were taken, and each is done."""
    until(lambda: len(server.records("done")) >= count, lambda: f"{count} messages at their end; the last words are\n" +
          "\n".join(server.log_text().splitlines()[-20:]), 100)


def in_our_mailboxes(server):
    return corpus.maildirs(server.path("mail", "example.test"))
