"""Postfix as a smart host that wants TLS and a log-in, whose passwords Dovecot knows (RFC 3207, 4954, 5802)."""
import os
import pathlib
import shutil
import subprocess

import pytest

from peer_fixtures import *  # noqa: F401,F403
from peer_fixtures import or_skip, settled

import corpus
import postfix
from dovecot import words_of
from harness import until
from pki import Authority

NAME = "smart.peer.test"

POSTFIX = """\
virtual_mailbox_domains = smart.test
virtual_mailbox_base = {{work}}/mail
virtual_mailbox_maps = texthash:{{work}}/conf/mailboxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {{work}}/conf/tls.pem
smtpd_tls_key_file = {{work}}/conf/tls.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_client_restrictions = permit_sasl_authenticated, reject
smtp_line_length_limit = 0
message_drop_headers =
local_header_rewrite_clients =
header_size_limit = 10000000
"""

DOVECOT = """\
{beginning}
protocols =
auth_mechanisms = {mechanisms}
{passwords}
{users}
service auth {{
  inet_listener postfix {{
    {address} = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class Dovecot:
    """Its auth process alone, on a port of loopback."""

    def __init__(self, folder, mechanisms):
        self.program = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/sbin")
        if os.getuid() != 0:
            raise postfix.Unavailable("dovecot needs root")
        if not self.program:
            raise postfix.Unavailable("dovecot is not installed")
        self.port = postfix.free_port()
        self.folder = folder
        for name in ["run", "state"]:
            (folder / name).mkdir()
        (folder / "users").write_text("anna:{PLAIN}tea:::::\n")
        (folder / "users").chmod(0o644)
        words = words_of(self.program)
        (folder / "dovecot.conf").write_text(DOVECOT.format(
            beginning=words.beginning(folder), mechanisms=mechanisms, passwords=words.passwords(folder / "users"),
            users=words.users(folder), address=words["address"], port=self.port))
        self.process = subprocess.Popen([self.program, "-F", "-c", str(folder / "dovecot.conf")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(params=["scram-sha-256 plain login", "plain login", "login"], ids=["scram", "plain", "login"])
def smart(request, tmp_path_factory):
    folder = pathlib.Path("/tmp") / f"veredus-smart-{os.getpid()}-{request.node.callspec.id}"
    folder.mkdir()
    folder.chmod(0o755)
    made = []
    try:
        ca = Authority(folder)
        dovecot = or_skip(lambda: Dovecot(folder, request.param))
        made.append(dovecot)
        host = or_skip(lambda: postfix.Postfix(POSTFIX.format(auth=dovecot.port)))
        made.append(host)
        host.ca = ca
        shutil.copy(ca.issue(NAME).path, os.path.join(host.work, "conf", "tls.pem"))
        host.write("conf/mailboxes", "".join(f"m{n}@smart.test smart.test/m{n}/\n" for n in range(200)))
        os.mkdir(os.path.join(host.work, "mail"))
        os.chown(os.path.join(host.work, "mail"), 65534, 65534)
        or_skip(host.start)
        yield host
    finally:
        for peer in reversed(made):
            peer.close()
        shutil.rmtree(folder, ignore_errors=True)


# Our server ends before the files that it watches go.
def test_postfix_and_dovecot_take_our_log_in(smart, make_server):
    """Every message arrives once, octet for octet, and over TLS 1.3."""
    right, wrong = smart.ca.folder / "right", smart.ca.folder / "wrong"
    right.write_text("tea\n")
    wrong.write_text("coffee\n")
    demand = f"tls-level verify {NAME}; tls-ca {smart.ca.path};"
    server = make_server(top=f"""relay-from 127.0.0.1;
        route smart.test smtp://127.0.0.1:{smart.port} {{ login anna file:{right}; {demand} }}
        route wrong.test smtp://127.0.0.1:{smart.port} {{ login anna file:{wrong}; {demand} }}
        route nobody.test smtp://127.0.0.1:{smart.port} {{ {demand} }}""")
    # What Postfix mends in the published ones is no matter of log-ins.
    sent = corpus.own()
    corpus.send(server.port, sent, "smart.test")
    try:
        settled(server, len(sent))
    except AssertionError as late:
        raise AssertionError(smart.log()[-2000:] + (smart.ca.folder / "log").read_text()[-2000:]) from late
    changed = corpus.check(sent, corpus.maildirs(os.path.join(smart.work, "mail", "smart.test")), 2)
    assert changed <= len(sent) * 0.05, changed
    assert {record["tls"] for record in server.records("deliver")} == {"TLSv1.3"}
    assert server.send(b"Subject: x\r\n\r\nx\r\n", to="kim@wrong.test") == 250
    deferred = until(lambda: server.records("defer", to="kim@wrong.test"), "the refusal")[0]
    assert (deferred["reason"], deferred["code"], deferred["stage"]) == ("auth", 535, "auth")
    assert server.send(b"Subject: x\r\n\r\nx\r\n", to="kim@nobody.test") == 250
    until(lambda: server.records("fail", to="kim@nobody.test"), "what becomes of mail without a log-in")
    assert "coffee" not in server.log_text()
