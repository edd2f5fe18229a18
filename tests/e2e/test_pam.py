"""Passwords that PAM judges: a service of our own in /etc/pam.d, gone again when the test ends."""
import os
import pathlib
import shutil
import tempfile
import uuid

import pytest

from harness import until
from secure import Certificate, Ports, Secure, words
from test_auth import PASSWORD, plain

FOLDER = "/etc/pam.d"

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="a PAM service is made by root"),
    pytest.mark.skipif(not os.path.isdir(FOLDER), reason=f"{FOLDER} is not there"),
]

# pam_exec knows no wrong password, only a failure: what follows it says which.
SERVICE = """\
auth [success=1 default=ignore] pam_exec.so quiet expose_authtok {folder}/password
auth requisite pam_deny.so
auth required pam_permit.so
account [success=1 default=ignore] pam_exec.so quiet {folder}/account
account requisite pam_debug.so acct=perm_denied
account required pam_permit.so
"""


def script(path, text):
    path.write_text("#!/bin/sh\n" + text, encoding="ascii")
    path.chmod(0o755)


@pytest.fixture
def service():
    # Whoever runs as what: all may read it.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="veredus-pam-", dir="/tmp"))
    folder.chmod(0o755)
    name = "veredus-test-" + uuid.uuid4().hex[:12]
    script(folder / "password", f'[ "$(tr -d "\\0")" = "{PASSWORD}" ] && [ "$PAM_USER" != eve ]\n')
    script(folder / "account", '[ "$PAM_USER" != bob ]\n')
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="ascii") as out:
        out.write(SERVICE.format(folder=folder))
    yield name
    os.unlink(path)
    shutil.rmtree(folder)


@pytest.fixture
def serve(make_server, tmp_path):
    def make(name):
        ports, certificate = Ports(), Certificate(tmp_path)
        server = make_server(top=f"tls {{ {certificate.directive} }}"
                                 f"listen 127.0.0.1:{ports.tls} submission tls {{ auth pam:{name}; }}")
        server.ports = ports
        return server
    return make


def test_pam_says_who_logs_in(serve, service):
    server = serve(service)
    assert len(server.workers()["pam"]) == 1
    with Secure(server.ports.tls) as wire:
        assert words(wire.ehlo())["AUTH"] == ["PLAIN", "LOGIN"]
        wrong = wire.cmd("AUTH PLAIN " + plain(password="wrong"))
        assert wrong == 535 and wrong.status == "5.7.8"
        for account in ["eve@example.test", "bob@example.test"]:
            assert wire.cmd("AUTH PLAIN " + plain(account)).raw == wrong.raw
        assert wire.cmd("AUTH PLAIN " + plain()) == 235
        assert server.wait_record("auth")["account"] == "ada@example.test"
        assert wire.transaction(b"Subject: x\r\n\r\ny\r\n", sender="ada@example.test", to="bob@example.test") == 250
    failed = until(lambda: len(server.records("auth_fail")) == 3 and server.records("auth_fail"), "three records")
    assert [record["account"] for record in failed] == [name + "@example.test" for name in ["ada", "eve", "bob"]]
    assert PASSWORD not in server.log_text()


def test_a_service_that_is_missing_is_454_and_told(serve):
    name = "veredus-none-" + uuid.uuid4().hex[:12]
    server = serve(name)
    server.expect("table")
    with Secure(server.ports.tls) as wire:
        wire.ehlo()
        reply = wire.cmd("AUTH PLAIN " + plain())
        assert reply == 454 and reply.status == "4.7.0"
    record = server.wait_record("table")
    assert record["state"] == "failing" and record["error"] == f"there is no PAM service '{name}'"
