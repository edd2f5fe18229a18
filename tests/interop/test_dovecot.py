"""Dovecot takes our mail by LMTP (RFC 2033), and IMAP reads it back."""
import imaplib

import pytest

from peer_fixtures import *  # noqa: F401,F403
from peer_fixtures import settled

import corpus
import root
from dovecot import Words
from namespaces import there

CONFIG = """\
{beginning}
protocols = imap lmtp
listen = {address}
{clear}
{maildir}
{password}
{users}
service lmtp {{
  unix_listener {work}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    port = 24
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = 143
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


class Dovecot(root.Peer):
    name = "dovecot"
    packages = ["dovecot-core", "dovecot-lmtpd", "dovecot-imapd"]
    program = "usr/sbin/dovecot"

    def start(self):
        words = Words(self.run("/usr/sbin/dovecot", "--version").stdout)
        for name in ["run", "state"]:
            self.folder(name)
        self.write("dovecot.conf", CONFIG.format(
            beginning=words.beginning(self.work), work=self.work, address=there(3), clear=words["clear"],
            maildir=words["maildir"], password=words.password("tea"),
            users=words.users(f"{self.work}/mail/{words['user']}")))
        return self.launch(there(3), 143, "/usr/sbin/dovecot", "-F", "-c", self.path("dovecot.conf"))

    @staticmethod
    def read(user):
        """All messages in the mailbox, as IMAP gives them."""
        box = imaplib.IMAP4(there(3), 143, timeout=20)
        box.login(user, "tea")
        box.select("INBOX", readonly=True)
        numbers = box.search(None, "ALL")[1][0].split()
        found = [box.fetch(number.decode(), "(BODY.PEEK[])")[1][0][1] for number in numbers]
        box.logout()
        return found


@pytest.fixture(scope="module")
def dovecot(start_peer, serve):
    serve()
    return start_peer(Dovecot)


@pytest.mark.parametrize("target", ["unix", "tcp"])
def test_c052_to_dovecot_by_lmtp(make_host, dovecot, target):
    where = f"unix:{dovecot.work}/lmtp" if target == "unix" else f"//{there(3)}:24"
    server = make_host(f"domain {target}.test {{ users any; deliver lmtp:{where}; }}")
    sent = corpus.messages()
    corpus.send(server.port, sent, f"{target}.test")
    settled(server, len(sent))
    changed = corpus.check(sent, lambda number: dovecot.read(f"m{number}@{target}.test"), 2)
    assert not changed
