"""A log-in ends with its account: `veredus user disable`, `passwd` and `remove`, and what sessions hear of it."""
import subprocess

import pytest

from harness import PROGRAM, WAIT, until
from secure import Certificate, Ports, Secure, run
from test_auth import MESSAGE, PASSWORD, plain


@pytest.fixture(scope="module")
def password_hash():
    return run("openssl", "passwd", "-6", PASSWORD).decode().strip()


@pytest.fixture
def server(make_server, tmp_path, password_hash):
    ports, certificate = Ports(), Certificate(tmp_path)
    made = make_server(start=False, top=f"tls {{ {certificate.directive} }}"
                                        f"listen 127.0.0.1:{ports.tls} submission tls;")
    made.ports = ports
    made.write("users", f"ada:{{SHA512-CRYPT}}{password_hash}\nben:{{SHA512-CRYPT}}{password_hash}\n")
    return made.start()


def user(server, *words, text=None):
    done = subprocess.run([PROGRAM, "-c", server.path("veredus.conf"), "user", *words], input=text, text=True,
                          capture_output=True, timeout=WAIT, check=False)
    assert done.returncode == 0, done.stderr


def logged_in(server, who="ada"):
    wire = Secure(server.ports.tls)
    wire.ehlo()
    assert wire.cmd("AUTH PLAIN " + plain(f"{who}@example.test")) == 235
    return wire


def ended(server, **fields):
    return server.wait_record("auth_end", account="ada@example.test", **fields)


def assert_sent_away(wire):
    reply = wire.reply()
    assert reply == 421 and reply.status == "4.7.0"
    assert wire.at_end()


def test_an_idle_session_ends_and_nobody_elses(server):
    with logged_in(server) as ada, logged_in(server, "ben") as ben:
        user(server, "disable", "ada@example.test")
        assert_sent_away(ada)
        assert ben.transaction(MESSAGE, sender="ben@example.test", to="ben@example.test") == 250
    record = ended(server)
    assert list(record) == ["time", "level", "event", "session", "client", "reason", "listener", "account"]
    assert record["reason"] == "locked"
    assert len(server.records("auth_end")) == 1
    with Secure(server.ports.tls) as wire:
        wire.ehlo()
        assert wire.cmd("AUTH PLAIN " + plain()) == 535


def test_a_transaction_ends(server):
    with logged_in(server) as wire:
        assert wire.cmd("MAIL FROM:<ada@example.test>") == 250
        assert wire.cmd("RCPT TO:<ben@example.test>") == 250
        user(server, "remove", "ada@example.test")
        assert_sent_away(wire)
    assert ended(server)["reason"] == "removed"


def test_a_message_under_way_is_refused_at_its_final_dot(server):
    with logged_in(server) as wire:
        assert wire.cmd("MAIL FROM:<ada@example.test>") == 250
        assert wire.cmd("RCPT TO:<ben@example.test>") == 250
        assert wire.cmd("DATA") == 354
        wire.send("Subject: x\r\n\r\n")
        user(server, "disable", "ada@example.test")
        ended(server)
        wire.send("y\r\n.\r\n")
        assert_sent_away(wire)
    refused = server.wait_record("reject", stage="data")
    assert refused["code"] == 421 and refused["reason"] == "auth" and refused["from"] == "ada@example.test"
    assert not server.records("accept")


def test_a_new_password_ends_what_the_old_one_began(server):
    with logged_in(server) as wire:
        user(server, "passwd", "ada@example.test", text="another horse\n")
        assert_sent_away(wire)
    assert ended(server)["reason"] == "password"
    with Secure(server.ports.tls) as wire:
        wire.ehlo()
        assert wire.cmd("AUTH PLAIN " + plain(password="another horse")) == 235
        # The auth process that did not let her in may say it later.
        assert wire.transaction(MESSAGE, sender="ada@example.test", to="ben@example.test") == 250


@pytest.mark.parametrize("keeps", [True, False], ids=["same-file", "another-file"])
def test_after_a_reload_sessions_of_before_hear_it_too(server, keeps):
    with logged_in(server) as wire, logged_in(server, "ben") as ben:
        if not keeps:
            with open(server.path("users"), encoding="utf-8") as users:
                server.write("others", users.read())
            server.template = server.template.replace("users file:users", "users file:others")
        server.write_config(domain="max-message-size 1M;")
        assert "changed" in server.reload()
        until(lambda: len(server.workers()["auth"]) == 4, "auth processes of both configurations")
        assert wire.cmd("NOOP") == 250
        with logged_in(server):
            pass
        user(server, "disable", "ada@example.test")
        assert_sent_away(wire)
        assert ben.cmd("NOOP") == 250


def reconfigured(server, *changes):
    """Reload with the template changed in these places: (what it says, what it is to say)."""
    for before, after in changes:
        assert before in server.template + server.values["top"]
        server.template = server.template.replace(before, after)
        server.values["top"] = server.values["top"].replace(before, after)
    server.write_config()
    assert "changed" in server.reload()


def test_whom_a_new_configuration_has_no_source_for_is_out(server):
    with logged_in(server) as ada, logged_in(server, "ben") as ben, Secure(server.ports.tls) as late:
        late.ehlo()
        with open(server.path("users"), encoding="utf-8") as users:
            server.write("others", "".join(line for line in users if line.startswith("ben")))
        reconfigured(server, ("users file:users", "users file:others"))
        assert_sent_away(ada)
        assert ended(server)["reason"] == "removed"
        # The former configuration still lets her in; she leaves again.
        if late.cmd("AUTH PLAIN " + plain()) == 235:
            assert_sent_away(late)
        # Another file has him, too: under the new configuration he may do what he does.
        assert ben.transaction(MESSAGE, sender="ben@example.test", to="ben@example.test") == 250
    assert {record["account"] for record in server.records("auth_end")} == {"ada@example.test"}


def test_a_new_configuration_without_log_ins_ends_all(server):
    with logged_in(server) as ada, logged_in(server, "ben") as ben:
        reconfigured(server, ("submission tls;", "submission tls { auth none; require tls; }"))
        assert_sent_away(ada)
        assert_sent_away(ben)
    assert ended(server)["reason"] == "removed"


def test_a_command_that_waits_for_its_answer_is_not_lost(server):
    with logged_in(server) as wire:
        wire.send(b"".join(b"MAIL FROM:<ada@example.test>\r\nRCPT TO:<ben@example.test>\r\nRSET\r\n" for _ in range(200)))
        user(server, "disable", "ada@example.test")
        replies = []
        while not replies or replies[-1] != 421:
            replies.append(wire.reply().code)
        assert set(replies[:-1]) <= {250}
        assert wire.at_end()
