"""AUTH at our listeners (RFC 4954, 4616): who logs in, who does not, and what everyone else gets meanwhile."""
import base64
import os
import signal

import pytest

from harness import Wire, until
from secure import Certificate, Ports, Secure, context, run, words
from test_trace import watch  # noqa: F401

MESSAGE = b"Subject: x\r\n\r\ny\r\n"
PASSWORD = "correct horse"


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def plain(account="ada@example.test", password=PASSWORD, who=""):
    return b64(f"{who}\0{account}\0{password}")


@pytest.fixture(scope="module")
def password_hash():
    return run("openssl", "passwd", "-6", PASSWORD).decode().strip()


@pytest.fixture
def server(make_server, tmp_path, password_hash):
    ports, certificate = Ports(), Certificate(tmp_path)
    made = make_server(start=False, top=f"tls {{ {certificate.directive} }}"
                                        f"listen 127.0.0.1:{ports.tls} submission tls;"
                                        f"listen 127.0.0.1:{ports.clear} submission;")
    made.ports = ports
    made.write("users", f"ada:{{SHA512-CRYPT}}{password_hash}\nbob\n")
    return made.start()


@pytest.fixture
def wire(server):
    with Secure(server.ports.tls) as made:
        made.ehlo()
        yield made


# ---- what is offered ----

def test_nothing_is_offered_or_taken_in_clear_C115(server):
    with server.wire() as stranger:
        assert "AUTH" not in words(stranger.ehlo())
        assert stranger.cmd("AUTH PLAIN " + plain()) == 502
    with Wire(server.ports.clear) as clear:
        assert "AUTH" not in words(clear.ehlo())
        replies = [clear.cmd("AUTH PLAIN " + plain(password=password)) for password in [PASSWORD, "wrong"]]
        assert replies[0] == 538 and replies[0].status == "5.7.11"
        assert replies[0].raw == replies[1].raw
        assert clear.cmd("MAIL FROM:<ada@example.test>") == 530


def test_mechanisms_are_offered_in_tls(wire):
    offered = words(wire.ehlo())["AUTH"]
    assert {"PLAIN", "LOGIN"} <= set(offered)
    assert "EXTERNAL" not in offered


def test_mechanisms_are_those_of_the_configuration(make_server, tmp_path, password_hash):
    ports, certificate = Ports(), Certificate(tmp_path)
    server = make_server(start=False, top=f"tls {{ {certificate.directive} }}"
                                          f"listen 127.0.0.1:{ports.tls} submission tls {{ mechanisms LOGIN; }}")
    server.write("users", f"ada:{{SHA512-CRYPT}}{password_hash}\n")
    server.start()
    with Secure(ports.tls) as wire:
        assert words(wire.ehlo())["AUTH"] == ["LOGIN"]
        assert wire.cmd("AUTH PLAIN " + plain()) == 504


# ---- exchanges ----

def test_plain_with_an_initial_response(server, wire):
    assert wire.cmd("auth plain " + plain()) == 235
    record = server.wait_record("auth")
    assert list(record) == ["time", "level", "event", "session", "client", "listener", "mechanism", "account"]
    assert record["account"] == "ada@example.test" and record["mechanism"] == "PLAIN"
    assert record["listener"] == f"submission-{server.ports.tls}"
    assert wire.transaction(MESSAGE, sender="ada@example.test", to="bob@example.test") == 250
    accept = server.wait_record("accept")
    assert accept["protocol"] == "ESMTPSA" and accept["account"] == "ada@example.test"
    assert b" with ESMTPSA id " in server.wait_mail("bob")[0]


def test_plain_without_an_initial_response_C110(wire):
    wire.send("AUTH PLAIN\r\n")
    assert wire.file.readline() == b"334 \r\n"
    assert wire.cmd(plain()) == 235


def test_login(wire):
    challenge = wire.cmd("AUTH LOGIN")
    assert challenge == 334 and base64.b64decode(challenge.text)
    assert wire.cmd(b64("ada@example.test")) == 334
    assert wire.cmd(b64(PASSWORD)) == 235


def test_a_name_without_domain_is_of_the_origin(server, wire):
    assert wire.cmd("AUTH PLAIN " + plain("ada")) == 235
    assert server.wait_record("auth")["account"] == "ada@example.test"


def test_an_exchange_may_come_in_one_segment(wire):
    wire.send(f"AUTH LOGIN\r\n{b64('ada@example.test')}\r\n{b64(PASSWORD)}\r\nNOOP\r\n")
    assert [wire.reply().code for _ in range(4)] == [334, 334, 235, 250]


def test_a_wrong_password_is_535_and_the_connection_stays_C114(server, wire):
    for _ in range(3):
        reply = wire.cmd("AUTH PLAIN " + plain(password="wrong"))
        assert reply == 535 and reply.status == "5.7.8"
    unknown = wire.cmd("AUTH PLAIN " + plain("nobody@example.test"))
    assert unknown.raw == reply.raw
    assert wire.cmd("AUTH PLAIN " + plain()) == 235
    record = until(lambda: server.records("auth_fail"), "auth_fail")[0]
    assert list(record)[:8] == ["time", "level", "event", "session", "client", "reason", "listener", "mechanism"]
    assert record["reason"] == "password" and record["account"] == "ada@example.test"


def test_auth_twice_and_within_a_message_is_503_C108(wire):
    assert wire.cmd("AUTH PLAIN " + plain()) == 235
    assert wire.cmd("AUTH PLAIN " + plain()) == 503
    assert wire.cmd("MAIL FROM:<ada@example.test>") == 250
    assert wire.cmd("AUTH PLAIN " + plain()) == 503
    assert wire.cmd("RCPT TO:<bob@example.test>") == 250


def test_within_a_message_where_auth_is_not_required_C108(make_server, tmp_path, password_hash):
    certificate = Certificate(tmp_path)
    server = make_server(start=False, top=f"tls {{ {certificate.directive} }}", listen="auth users;")
    server.write("users", f"ada:{{SHA512-CRYPT}}{password_hash}\n")
    server.start()
    with Secure(server.port, starttls=True) as wire:
        assert "AUTH" in words(wire.ehlo())
        assert wire.cmd("MAIL FROM:<a@example.net>") == 250
        assert wire.cmd("AUTH PLAIN " + plain()) == 503
        assert wire.cmd("RSET") == 250
        assert wire.cmd("AUTH PLAIN " + plain()) == 235


def test_a_mechanism_that_is_not_there_is_504_C109(wire):
    reply = wire.cmd("AUTH CRAM-MD5")
    assert reply == 504 and reply.status == "5.5.4"
    assert wire.cmd("AUTH") == 501


def test_cancelled_and_broken_exchanges_are_501_C111(wire):
    for line in ["*", "!!!!", "=AAA", "AGF=kYQ=="]:
        assert wire.cmd("AUTH PLAIN") == 334
        assert wire.cmd(line) == 501, line
    assert wire.cmd("AUTH PLAIN AGF!") == 501
    assert wire.cmd("AUTH PLAIN " + plain()) == 235


def test_an_equals_sign_is_an_empty_response_C110(wire):
    assert wire.cmd("AUTH PLAIN =").code in (501, 535)
    assert wire.cmd("AUTH PLAIN " + plain()) == 235


def test_an_initial_response_where_the_server_speaks_first_C112(wire):
    offered = words(wire.ehlo())["AUTH"]
    reply = wire.cmd("AUTH LOGIN " + b64("ada@example.test"))
    assert "LOGIN" in offered and reply.code in (334, 501)


def test_long_responses_C113(wire):
    assert wire.cmd("AUTH PLAIN") == 334
    assert wire.cmd(b64(b"\0" + b"a" * 255 + b"\0" + b"p" * 8000)).code in (501, 535)
    assert wire.cmd("AUTH PLAIN") == 334
    reply = wire.cmd("A" * 20000)
    assert reply == 500 and reply.status == "5.5.6"
    assert wire.cmd("AUTH PLAIN " + plain()) == 235


def test_ehlo_after_auth_leaves_the_log_in(wire):
    assert wire.cmd("AUTH PLAIN " + plain()) == 235
    wire.ehlo()
    assert wire.cmd("MAIL FROM:<ada@example.test>") == 250


def test_what_works_before_auth_where_it_is_required_C116(wire):
    for command in ["MAIL FROM:<ada@example.test>", "VRFY ada@example.test"]:
        reply = wire.cmd(command)
        assert reply == 530 and reply.status == "5.7.0"
    for command in ["NOOP", "RSET", "EHLO client.example.test", "HELO client.example.test"]:
        assert wire.cmd(command) == 250
    assert wire.cmd("QUIT") == 221


def test_auth_of_mail_is_read_and_not_believed_C117(server, wire):
    assert wire.cmd("AUTH PLAIN " + plain()) == 235
    assert wire.cmd("MAIL FROM:<ada@example.test> AUTH=e+ZZf") == 501
    assert wire.transaction(MESSAGE, sender="ada@example.test", to="bob@example.test",
                            parameters=" AUTH=e+3Dmc2@example.com") == 250


# ---- processes ----

def test_nobody_waits_for_a_password(server):
    pids = server.workers()["auth"]
    assert len(pids) == 2
    with Secure(server.ports.tls) as slow, Secure(server.ports.tls) as quick:
        slow.ehlo(), quick.ehlo()
        assert quick.cmd("AUTH PLAIN " + plain()) == 235
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            slow.send("AUTH PLAIN " + plain() + "\r\n")
            assert quick.transaction(MESSAGE, sender="ada@example.test", to="bob@example.test") == 250
            assert server.send(MESSAGE) == 250
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        assert slow.reply() == 235


def test_auth_that_is_gone_is_454_and_comes_again_C114(server, wire):
    server.expect("process")
    assert wire.cmd("AUTH LOGIN") == 334
    for pid in server.workers()["auth"]:
        os.kill(pid, signal.SIGKILL)
    reply = wire.cmd(b64("ada@example.test"))
    assert reply == 454 and reply.status == "4.7.0"
    until(lambda: wire.cmd("AUTH PLAIN " + plain()) == 235, "an auth process that answers")
    assert not server.records("auth_fail")


def test_both_auth_processes_have_work(server):
    before = {pid: ticks(pid) for pid in server.workers()["auth"]}
    for _ in range(8):
        with Secure(server.ports.tls) as wire:
            wire.ehlo()
            assert wire.cmd("AUTH PLAIN " + plain()) == 235
    assert all(ticks(pid) > before[pid] for pid in before)


def ticks(pid):
    """Nanoseconds it has run."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as text:
        return int(text.read().split()[0])


# ---- limits and secrets ----

def test_guessing_is_slowed_and_told_C114(make_server, tmp_path, password_hash):
    ports, certificate = Ports(), Certificate(tmp_path)
    server = make_server(start=False, top=f"tls {{ {certificate.directive} }}"
                                          f"listen 127.0.0.1:{ports.tls} submission tls "
                                          "{ limit client auth-failures 3/10m; }")
    server.write("users", f"ada:{{SHA512-CRYPT}}{password_hash}\n")
    server.start()
    with Secure(ports.tls) as wire:
        wire.ehlo()
        replies = [wire.cmd("AUTH PLAIN " + plain(password=f"wrong {i}")) for i in range(5)]
        assert [reply.code for reply in replies] == [535, 535, 535, 454, 454]
        assert wire.cmd("AUTH PLAIN " + plain()) == 454
    server.wait_record("disconnect")
    # One for each that met it, as fail2ban counts them.
    records = server.records("limit")
    assert len(records) == 3
    assert list(records[0])[3:7] == ["session", "client", "reason", "key"]
    assert records[0]["key"] == "client" and records[0]["measure"] == "auth-failures"
    assert records[0]["value"] == 4 and records[0]["bound"] == "3/10m"


def test_the_log_says_what_the_client_is_not_told(server, wire):
    assert wire.cmd("AUTH PLAIN " + plain(password="wrong")) == 535
    assert wire.cmd("AUTH PLAIN " + plain("nobody@example.test")) == 535
    assert wire.cmd("AUTH PLAIN " + b64("\0ada\0")) == 501
    until(lambda: len(server.records("auth_fail")) == 2, "both records")
    assert [r["error"] for r in server.records("auth_fail")] == ["wrong password", "no such account"]
    record = server.wait_record("reject", stage="auth")
    assert record["error"] == "not a message of this mechanism" and record["rule"] == "default"


def test_no_password_is_in_the_log(server, wire):
    assert wire.cmd("AUTH PLAIN " + plain(password="xyzzy-plugh-17")) == 535
    assert wire.cmd("AUTH PLAIN " + plain()) == 235
    for word in ["xyzzy-plugh-17", plain(password="xyzzy-plugh-17"), PASSWORD]:
        assert word not in server.log_text()


def test_those_who_watch_see_no_password(server, watch):  # noqa: F811
    live = watch(server, "127.0.0.1")
    with Secure(server.ports.tls) as wire:
        wire.ehlo()
        assert wire.cmd("AUTH LOGIN") == 334
        assert wire.cmd(b64("ada@example.test")) == 334
        assert wire.cmd(b64("wrong")) == 535
        assert wire.cmd("AUTH PLAIN " + plain()) == 235
        wire.cmd("NOOP end")
        live.until_said("NOOP end")
    said = live.said("client")
    assert said == ["EHLO client.example.test", "AUTH LOGIN", "(hidden)", "(hidden)", "AUTH PLAIN …", "NOOP end"]
    assert not any(word in row["text"] for row in live.rows for word in [b64("ada@example.test"), plain(), PASSWORD])


def test_external_is_for_those_with_a_certificate_of_ours(make_server, tmp_path, password_hash):
    ports, certificate = Ports(), Certificate(tmp_path)
    ca = Certificate(tmp_path, "ca", hosts=["ca.example.test"], ca=True)
    ada = Certificate(tmp_path, "ada", hosts=[], addresses=["ada@example.test"], issuer=ca)
    eve = Certificate(tmp_path, "eve", hosts=[], addresses=["ada@example.test"])
    server = make_server(start=False, top=f"tls {{ {certificate.directive} client-certificates ask;"
                                          f"client-ca {ca.chain}; }}"
                                          f"listen 127.0.0.1:{ports.tls} submission tls;")
    server.write("users", f"ada:{{SHA512-CRYPT}}{password_hash}\n")
    server.start()
    with Secure(ports.tls, context(client=ada)) as wire:
        assert "EXTERNAL" in words(wire.ehlo())["AUTH"]
        assert wire.cmd("AUTH EXTERNAL =") == 235
        assert server.wait_record("auth")["account"] == "ada@example.test"
    with Secure(ports.tls) as wire:
        assert "EXTERNAL" not in words(wire.ehlo())["AUTH"]
        assert wire.cmd("AUTH EXTERNAL =") == 504
    try:
        with Secure(ports.tls, context(client=eve)) as wire:
            assert "EXTERNAL" not in words(wire.ehlo())["AUTH"]
    except (OSError, EOFError):
        pass  # or the handshake itself ends
    assert len(server.records("auth")) == 1
