"""Postfix on the other end, both ways: every message arrives once, octet for octet below the trace fields (C052)."""
import os

import pytest

from both_ways import *  # noqa: F401,F403

import corpus
import postfix
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
        return corpus.maildirs(os.path.join(self.work, "mail", domain))


@pytest.fixture(scope="module")
def peer(start_peer, serve):
    serve()
    return start_peer(Peer)
