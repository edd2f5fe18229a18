"""Postfix on the other end, both ways: every message arrives once, octet for octet below the trace fields (C052)."""
import os

import pytest

from peer_fixtures import *  # noqa: F401,F403
from peer_fixtures import in_our_mailboxes, settled

import corpus
import postfix
from harness import until
from namespaces import HERE, there

# It would fold long lines, drop fields and mend headers of its own accord.
MORE = f"""\
virtual_mailbox_domains = peer.test smart.test direct.test
virtual_mailbox_base = {{work}}/mail
virtual_mailbox_maps = texthash:{{work}}/conf/mailboxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
relayhost = [{HERE}]:25
smtp_tls_security_level = none
smtp_line_length_limit = 0
message_drop_headers =
local_header_rewrite_clients =
header_size_limit = 10000000
"""


class Peer(postfix.Postfix):
    """Keeps mail for peer.test, smart.test and direct.test in Maildirs, and gives all other to us."""

    def __init__(self):
        super().__init__(MORE, there(2), 25)
        self.write("conf/mailboxes", "".join(f"m{number}@{domain} {domain}/m{number}/\n" for number in range(200)
                                             for domain in ["peer.test", "smart.test", "direct.test"]))
        os.mkdir(os.path.join(self.work, "mail"))
        os.chown(os.path.join(self.work, "mail"), 65534, 65534)

    def arrived(self, domain):
        def mailbox(number):
            folder = os.path.join(self.work, "mail", domain, f"m{number}", "new")
            found = []
            for name in os.listdir(folder) if os.path.exists(folder) else []:
                with open(os.path.join(folder, name), "rb") as message:
                    found.append(message.read().replace(b"\n", b"\r\n"))
            return found
        return mailbox


@pytest.fixture(scope="module")
def peer(start_peer, serve):
    serve()
    return start_peer(Peer)


@pytest.fixture(scope="module")
def given_directly(peer):
    """What Postfix makes of the messages when nobody is between."""
    sent = corpus.messages()
    corpus.send(25, sent, "direct.test", there(2))
    arrived = peer.arrived("direct.test")
    until(lambda: all(arrived(number) for number in range(len(sent))),
          lambda: "Postfix; it says\n" + peer.log()[-3000:], 60)
    return arrived


@pytest.mark.parametrize("route, domain", [("mx", "peer.test"), (f"smtp://{there(2)}", "smart.test")])
def test_c052_to_postfix(make_host, peer, given_directly, route, domain):
    sent = corpus.messages()
    server = make_host(f"route * {route};")
    corpus.send(server.port, sent, domain)
    settled(server, len(sent))
    changed = corpus.check(sent, peer.arrived(domain), 2, given_directly)
    assert changed <= len(sent) // 20


def test_c052_from_postfix(make_host, peer, given_directly):
    sent = corpus.messages()
    server = make_host()
    corpus.send(25, sent, "example.test", there(2), "kim@peer.test")
    settled(server, len(sent))
    changed = corpus.check(sent, in_our_mailboxes(server), 2, given_directly)
    assert changed <= len(sent) // 20
