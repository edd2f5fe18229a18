"""Python's aiosmtpd on the other end, octet by octet; and Python's smtplib as the client that gives it to us."""
import smtplib
import threading

import pytest

from peer_fixtures import *  # noqa: F401,F403
from peer_fixtures import in_our_mailboxes, settled

import corpus
from namespaces import there

controller = pytest.importorskip("aiosmtpd.controller", reason="python3-aiosmtpd is not installed")
from aiosmtpd.smtp import SMTP  # noqa: E402


class Handler:
    """Keeps what it is given: {recipient: [octets, ...]}."""

    def __init__(self):
        self.kept = {}
        self.lock = threading.Lock()

    async def handle_DATA(self, server, session, envelope):
        with self.lock:
            for recipient in envelope.rcpt_tos:
                self.kept.setdefault(recipient, []).append(envelope.original_content)
        return "250 2.0.0 kept"

    def arrived(self, domain):
        return lambda number: self.kept.get(f"m{number}@{domain}", [])


class Wide(SMTP):
    """Takes lines longer than those of RFC 5321 4.5.3.1.6, as we do."""
    line_length_limit = 1 << 20


class Controller(controller.Controller):
    def factory(self):
        return Wide(self.handler, data_size_limit=1 << 26, enable_SMTPUTF8=self.utf8)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "smtputf8"])
def peer(request, network, serve):
    serve()
    made = Controller(Handler(), hostname=there(2), port=25)
    made.utf8 = request.param
    with network.on_the_other_side():
        made.start()
    yield made.handler
    made.stop()


@pytest.mark.parametrize("route, domain", [("mx", "peer.test"), (f"smtp://{there(2)}", "smart.test")])
def test_c052_to_aiosmtpd(make_host, peer, route, domain):
    sent = corpus.messages()
    server = make_host(f"route * {route};")
    corpus.send(server.port, sent, domain)
    settled(server, len(sent))
    assert not corpus.check(sent, peer.arrived(domain), 1)


def test_c052_from_smtplib(make_host, network):
    sent = corpus.messages()
    server = make_host()
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        for number, (_, octets) in enumerate(sent):
            options = ["BODY=8BITMIME"] if corpus.eight_bit(octets) else []
            assert client.sendmail("kim@peer.test", f"m{number}@example.test", octets, options) == {}
    settled(server, len(sent))
    assert not corpus.check(sent, in_our_mailboxes(server), 1)
