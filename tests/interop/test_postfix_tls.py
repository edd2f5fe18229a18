"""Postfix on the other end, both ways with TLS, each verifying the other (RFC 3207, 9525)."""
import pytest

from tls_both_ways import *  # noqa: F401,F403
from tls_both_ways import OURS

import test_postfix
from namespaces import HERE

TLS = """\
smtpd_tls_cert_file = {folder}/peer.pem
smtpd_tls_key_file = {folder}/peer.key
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtp_tls_security_level = secure
smtp_tls_CAfile = {folder}/ca.pem
smtp_tls_policy_maps = inline:{{{{ {{{{ [{here}]:25 = secure match={ours} }}}} }}}}
tls_random_source = dev:/dev/urandom
"""


class Peer(test_postfix.Peer):
    def __init__(self, folder):
        self.folder = folder
        super().__init__()

    def write_config(self, more, master):
        more = more.replace("smtp_tls_security_level = none\n", "")
        super().write_config(more + TLS.format(folder=self.folder, here=HERE, ours=OURS), master)


@pytest.fixture(scope="module")
def peer(start_peer, serve, authority):
    serve()
    return start_peer(lambda: Peer(authority.folder))
