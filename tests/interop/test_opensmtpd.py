"""OpenSMTPD on the other end, both ways: every message arrives once, octet for octet below the trace fields (C052)."""
import pytest

from both_ways import *  # noqa: F401,F403

import root
from corpus import maildirs
from namespaces import HERE, there

DOMAINS = ["peer.test", "smart.test", "direct.test"]

CONFIG = """\
smtp limit max-mails 10000
smtp max-message-size 50M
table users file:/etc/smtpd-users
listen on {address} hostname opensmtpd.example.test
action "kept" maildir "{work}/mail/%{{rcpt.domain}}/%{{rcpt.user}}" user nobody virtual <users>
action "ours" relay host "smtp://{here}"
match from any for domain {{ {domains} }} action "kept"
match from any for any action "ours"
"""


class OpenSmtpd(root.Peer):
    """Keeps mail for DOMAINS in Maildirs, and gives all other to us. Its folders below /var cannot be configured."""

    name = "opensmtpd"
    packages = ["opensmtpd"]
    program = "usr/sbin/smtpd"
    accounts = ["opensmtpd", "opensmtpq"]
    folders = ["var/run", "var/lib/opensmtpd/empty", "var/spool/smtpd"]
    mounts = "mount --bind {work}/var /var"

    def start(self):
        self.folder("var/spool/smtpd", mode=0o711)
        self.write("etc/smtpd-users", "".join(f"@{domain} nobody\n" for domain in DOMAINS))
        self.write("etc/smtpd.conf", CONFIG.format(work=self.work, address=there(2), here=HERE,
                                                   domains=" ".join(DOMAINS)))
        return self.launch(there(2), 25, "/usr/sbin/smtpd", "-d")

    def arrived(self, domain):
        return maildirs(self.path("mail", domain))


@pytest.fixture(scope="module")
def peer(start_peer, serve):
    serve()
    return start_peer(OpenSmtpd)
