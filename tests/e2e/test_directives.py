"""Each directive changes what it says it changes: those that no other file of tests is about."""
import os
import pwd

import pytest

from harness import below_trace, until

HEADER = b"From: carol@example.net\r\nSubject: test\r\n\r\n"


@pytest.mark.parametrize("check, name, code", [
    ("off", "under_score", 250), ("syntax", "under_score", 501), ("syntax", "localhost", 250),
    ("fqdn", "localhost", 501), ("fqdn", "client.example.test", 250), ("fqdn", "[192.0.2.1]", 250)])
def test_c033_ehlo_check(make_server, check, name, code):
    with make_server(listen=f"ehlo-check {check};").wire() as wire:
        assert wire.ehlo(name) == code


@pytest.mark.parametrize("syntax, code", [("strict", 501), ("lenient", 250)])
def test_c025_path_syntax(make_server, syntax, code):
    with make_server(listen=f"path-syntax {syntax};").wire() as wire:
        wire.ehlo()
        assert wire.cmd("MAIL FROM: <carol@example.net>") == code
        wire.cmd("RSET")
        assert wire.cmd("MAIL FROM:carol@example.net") == code


def test_max_line_length(make_server):
    server = make_server(listen="max-line-length 2k;")
    assert server.send(HEADER + b"y" * 2048 + b"\r\n") == 250
    reply = server.send(HEADER + b"y" * 2049 + b"\r\n")
    assert reply == 550 and reply.status == "5.6.0"
    assert below_trace(server.wait_mail("ada")[0]) == HEADER + b"y" * 2048 + b"\r\n"


def test_c070_max_received(make_server):
    server = make_server(top="max-received 3;")
    hop = b"Received: from a.example by b.example; Sun, 22 Nov 2026 09:41:07 +0000\r\n"
    assert server.send(hop * 3 + HEADER) == 250
    reply = server.send(hop * 4 + HEADER)
    assert reply.code == 554 and reply.status == "5.4.6"


def test_max_expansion(make_server):
    server = make_server(domain="max-expansion 2;", users=["ada", "bob", "eve"],
                         aliases={"two": "ada, bob", "three": "ada, bob, eve"})
    assert server.send(HEADER, to="two@example.test") == 250
    server.wait_mail("bob")
    assert server.send(HEADER, to="three@example.test").code // 100 in (4, 5)
    server.wait_queue_empty()
    assert not server.mail("eve")


@pytest.mark.parametrize("separators, taken, refused", [
    ("+", "ada+x", "ada-x"), ('"-"', "ada-x", "ada+x"), ('"+-"', "ada-x+y", "ada_x"), ("off", "ada", "ada+x")])
def test_subaddress(make_server, separators, taken, refused):
    server = make_server(domain=f"subaddress {separators};")
    assert server.send(HEADER, to=f"{taken}@example.test") == 250
    assert server.send(HEADER, to=f"{refused}@example.test") == 550
    server.wait_mail("ada")


def test_origin_is_where_postmaster_without_a_domain_lives(make_server):
    server = make_server(top="origin example.test;", users=["postmaster"])
    with server.wire() as wire:
        wire.ehlo()
        assert wire.transaction(HEADER, to="Postmaster") == 250
    server.wait_mail("postmaster")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: only root may change users")
def test_run_as_makes_one_account_of_all(make_server):
    server = make_server(start=False, top="run-as daemon;")
    account = pwd.getpwnam("daemon")
    os.chown(server.path("mail"), account.pw_uid, account.pw_gid)
    server.start()
    assert server.send(HEADER) == 250
    server.wait_mail("ada")
    pids = until(lambda: server.pids()[1:], "workers")
    assert len(pids) >= 6
    assert {os.stat(f"/proc/{pid}").st_uid for pid in pids} <= {account.pw_uid, 0}
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as text:
            uids = [line.split()[1:] for line in text if line.startswith("Uid:")][0]
        assert set(uids) == {str(account.pw_uid)}
