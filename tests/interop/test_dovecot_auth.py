"""Passwords that Dovecot knows: its auth client socket as `auth dovecot:` (FACE 1.6)."""
import os
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

from conftest import *  # noqa: E402, F401, F403
from dovecot import words_of  # noqa: E402
from harness import free_port, until  # noqa: E402
from peer_fixtures import or_skip  # noqa: E402

SERVER = """\
hostname mail.example.test;
origin example.test;
listen 127.0.0.1:{{port}};
listen 127.0.0.1:{submission} submission;
auth dovecot:{socket};
tls {{{{ certificate {chain} {key}; }}}}
spool {{folder}}/spool;
state {{folder}}/state;
control {{folder}}/run/control;
log stderr {{form}} debug;
{{top}}
domain example.test {{{{
    users file:users;
    aliases file:aliases;
    deliver maildir:{{folder}}/mail/{{{{domain}}}}/{{{{user}}}};
    {{domain}}
}}}}
"""

DOVECOT = """\
{beginning}
protocols =
auth_mechanisms = plain login
{lower}
{passwords}
service auth {{
  unix_listener {work}/auth {{
    mode = 0666
  }}
}}
"""


class Dovecot:
    def __init__(self, work, words):
        self.work = work
        self.socket = f"{work}/auth"
        self.process = None
        for name in ["run", "state"]:
            os.mkdir(f"{work}/{name}")
        with open(f"{work}/passwd", "w", encoding="ascii") as out:
            out.write("anna@example.test:{PLAIN}tea\nben:{PLAIN}milk\ncarl:{PLAIN}gone::::::user=dora@example.test\n")
        with open(f"{work}/dovecot.conf", "w", encoding="ascii") as out:
            out.write(DOVECOT.format(beginning=words.beginning(work), work=work, lower=words["lower"],
                                     passwords=words.passwords(f"{work}/passwd")))

    def start(self):
        self.process = subprocess.Popen([PROGRAM, "-F", "-c", f"{self.work}/dovecot.conf"])
        until(lambda: os.path.exists(self.socket), "Dovecot's socket")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
        self.process = None


PROGRAM = shutil.which("dovecot", path="/usr/sbin:/usr/bin")


@pytest.fixture
def dovecot():
    if not PROGRAM:
        pytest.skip("dovecot is not installed (dovecot-core)")
    if os.getuid() != 0:
        pytest.skip("Dovecot is started by root")
    words = or_skip(lambda: words_of(PROGRAM))
    # Not below pytest's folder, which is for one user's eyes.
    with tempfile.TemporaryDirectory(prefix="veredus-dovecot-") as work:
        os.chmod(work, 0o755)
        d = Dovecot(work, words)
        d.start()
        yield d
        d.stop()


@pytest.fixture
def server(make_server, dovecot, tmp_path_factory):
    submission = free_port()
    chain, key = (str(tmp_path_factory.mktemp("tls") / name) for name in ["chain.pem", "key.pem"])
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    key, "-out", chain, "-days", "30", "-subj", "/CN=localhost"], check=True, capture_output=True)
    server = make_server(start=False, config=SERVER.format(submission=submission, socket=dovecot.socket, chain=chain,
                                                           key=key))
    server.start()
    server.submission = submission
    return server


def log_in(server, mechanism, user, password):
    """The code of the reply, and the account of the record."""
    with smtplib.SMTP("127.0.0.1", server.submission, timeout=40) as client:
        client.starttls(context=ssl._create_unverified_context())
        client.ehlo()
        assert client.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"]
        client.user, client.password = user, password
        before = len(server.records("auth"))
        try:
            code, _ = client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()),
                                  initial_response_ok=mechanism == "PLAIN")
        except smtplib.SMTPAuthenticationError as error:
            return error.smtp_code, None
        until(lambda: len(server.records("auth")) > before, "a record of the log-in")
        return code, server.records("auth")[-1]["account"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_dovecot_says_who_it_is(server, mechanism):
    assert log_in(server, mechanism, "anna@example.test", "tea") == (235, "anna@example.test")
    assert log_in(server, mechanism, "Ben", "milk") == (235, "ben@example.test")
    # Dovecot may know somebody under another name.
    assert log_in(server, mechanism, "carl", "gone") == (235, "dora@example.test")
    assert log_in(server, mechanism, "anna@example.test", "milk") == (535, None)
    assert log_in(server, mechanism, "nobody", "tea") == (535, None)
    assert server.records("auth_fail")[-1]["reason"] == "password"


def test_dovecot_that_is_away_is_no_wrong_password(server, dovecot):
    assert log_in(server, "PLAIN", "ben", "milk") == (235, "ben@example.test")
    server.expect("table")
    dovecot.stop()
    assert log_in(server, "PLAIN", "ben", "milk") == (454, None)
    if os.path.exists(dovecot.socket):
        os.unlink(dovecot.socket)
    dovecot.start()
    assert log_in(server, "PLAIN", "ben", "milk") == (235, "ben@example.test")
