"""GNU SASL at the next hop: SCRAM bound to TLS 1.3 by tls-exporter (RFC 9266), and what hides that is noticed (RFC 5802 6)."""
import os
import pathlib
import subprocess

import pytest

from peer_fixtures import *  # noqa: F401,F403

from harness import BUILD, until
from pki import Authority

PROGRAM = os.path.join(BUILD, "tests", "interop", "sasl-host")
LETTER = b"From: ada@example.test\r\nSubject: x\r\n\r\nhello\r\n"
NAME = "sasl.test"


class Host:
    def __init__(self, pem, mechanisms):
        self.process = subprocess.Popen([PROGRAM, pem, mechanisms], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def logged_in(self):
        """What it says of the next log-in."""
        return self.process.stdout.readline().decode().split()

    def close(self):
        self.process.kill()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture
def meet(make_server, tmp_path_factory):
    """Starts a host with these mechanisms and a server with a route to it; returns both, and the domain's outcome."""
    folder = pathlib.Path("/tmp") / f"veredus-gsasl-{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o755)
    ca = Authority(folder)
    hosts = []

    def begin(mechanisms, secret="tea"):
        host = Host(ca.issue(NAME).path, mechanisms)
        hosts.append(host)
        (folder / "secret").write_text(secret + "\n")
        (folder / "secret").chmod(0o644)
        server = make_server(top=f"""relay-from 127.0.0.1;
            route sasl.test smtps://127.0.0.1:{host.port} {{
                login anna file:{folder}/secret; tls-level verify {NAME}; tls-ca {ca.path};
            }}""")
        assert server.send(LETTER, to="kim@sasl.test") == 250
        outcome = until(lambda: server.records("deliver") + server.records("defer"), "an outcome")[0]
        return host, outcome

    yield begin
    for host in hosts:
        host.close()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_C121_PLUS_is_bound_by_tls_exporter(meet):
    host, outcome = meet("SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN")
    assert (outcome["event"], outcome["tls"]) == ("deliver", "TLSv1.3"), outcome
    assert host.logged_in() == ["SCRAM-SHA-256-PLUS", "p=tls-exporter", "welcome"]


def test_what_hides_PLUS_in_between_is_noticed(meet):
    """It could bind, its EHLO does not say so any more, and our y tells it."""
    host, outcome = meet("SCRAM-SHA-256 PLAIN")
    flag = host.logged_in()
    assert flag[:2] == ["SCRAM-SHA-256", "y"], flag
    # Who sees a y and could bind must refuse: and nothing weaker is tried instead.
    assert flag[2] == "refused" and (outcome["event"], outcome["reason"], outcome["stage"]) == ("defer", "auth", "auth"), outcome


def test_a_wrong_password_is_refused_and_kept(meet):
    host, outcome = meet("SCRAM-SHA-256-PLUS", secret="coffee")
    assert (outcome["event"], outcome["reason"], outcome["code"]) == ("defer", "auth", 535), outcome
    assert host.logged_in()[2] == "refused"
