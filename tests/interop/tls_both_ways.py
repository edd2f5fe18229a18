"""
The tests of both_ways.py with TLS on both ways, each side sure of the other by its name and our own CA. A file that
takes them defines the fixture `peer`, whose certificate is for peer.example.test and stands in authority.folder.
"""
import os

import pytest

import accounts
from both_ways import *  # noqa: F401,F403
from peer_fixtures import make_host as make_plain_host  # noqa: F401

PEER, OURS = "peer.example.test", "here.example.test"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ca")
    for path in [folder, folder.parent]:
        os.chmod(path, 0o755)
    made = accounts.Authority(folder)
    made.certificate("peer", PEER)
    made.certificate("here", OURS)
    for name in os.listdir(folder):
        os.chmod(os.path.join(folder, name), 0o644)
    return made


@pytest.fixture
def make_host(make_plain_host, authority):  # noqa: F811
    """A server of ours that is sure of the peer, and shows it a certificate that it can be sure of."""
    servers = []

    def make(more="", **settings):
        settings["more"] = (f"tls {{ certificate {authority.path('here.pem')} {authority.path('here.key')}; }}\n"
                            f"tls-level verify {PEER}; tls-ca {authority.ca}; {more}")
        servers.append(make_plain_host(**settings))
        return servers[-1]

    yield make
    for server in servers:
        for record in server.records("deliver"):
            # What went out went in TLS; a mailbox of ours knows none.
            assert "tls" in record or "peer" not in record, record
        for record in server.records("accept"):
            assert record["client"] == "127.0.0.1" or record["protocol"].endswith("S"), record
