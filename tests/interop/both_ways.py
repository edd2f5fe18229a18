"""
Tests of a mail host on the other end, for a file that defines the fixture `peer`: it is at the second address, keeps
mail for mN@peer.test, smart.test and direct.test, and passes all other on to us. It may say which part of the
messages it mends at most; of those, what it makes of ours is what it makes of them without us.
"""
import pytest

from peer_fixtures import *  # noqa: F401,F403
from peer_fixtures import in_our_mailboxes, settled

import corpus
from namespaces import there


@pytest.fixture(scope="module")
def given_directly(peer):
    """What the peer makes of the messages when nobody is between: some mend what they get."""
    sent = corpus.messages()
    corpus.send(25, sent, "direct.test", there(2))
    return corpus.wait_all(sent, peer.arrived("direct.test"), peer.log)


def check(peer, sent, arrived, given_directly):
    changed = corpus.check(sent, arrived, 2, given_directly)
    assert changed <= len(sent) * getattr(peer, "mends", 0.05), changed


@pytest.mark.parametrize("route, domain", [("mx", "peer.test"), (f"smtp://{there(2)}", "smart.test")])
def test_c052_to_the_peer(make_host, peer, given_directly, route, domain):
    sent = corpus.messages()
    server = make_host(f"route * {route};")
    corpus.send(server.port, sent, domain)
    settled(server, len(sent))
    check(peer, sent, peer.arrived(domain), given_directly)


def test_c052_from_the_peer(make_host, peer, given_directly):
    sent = corpus.messages()
    server = make_host()
    corpus.send(25, sent, "example.test", there(2), "kim@peer.test")
    settled(server, len(sent))
    check(peer, sent, in_our_mailboxes(server), given_directly)
