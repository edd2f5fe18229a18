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


def test_relay_from(make_server):
    refused = make_server().send(HEADER, to="x@elsewhere.test")
    assert refused == 550 and refused.status == "5.7.1"
    server = make_server(top="relay-from 127.0.0.1; route elsewhere.test discard;")
    assert server.send(HEADER, to="x@elsewhere.test") == 250


def test_relay_from_of_a_listener_replaces_that_of_the_top(make_server):
    server = make_server(top="relay-from 127.0.0.1; route elsewhere.test discard;", listen="relay-from none;")
    assert server.send(HEADER, to="x@elsewhere.test") == 550


def test_relay_from_names_a_file_of_clients(make_server):
    server = make_server(start=False, top="relay-from file:clients; route elsewhere.test discard;")
    server.write("clients", "192.0.2.1\n127.0.0.1 this machine\n")
    server.start()
    assert server.send(HEADER, to="x@elsewhere.test") == 250


def test_route_by_address_domain_and_parent(make_server):
    server = make_server(top="""relay-from 127.0.0.1;
        route * fail "5.1.2 not from here";
        route .elsewhere.test fail "5.7.1 below";
        route elsewhere.test fail "5.1.0 domain";
        route anna@elsewhere.test defer "4.3.2 later";
        route ada@example.test fail "5.1.6 ada has moved";""")
    with server.wire() as wire:
        wire.ehlo()
        for to, code, status, text in (
                ("x@nowhere.test", 550, "5.1.2", "not from here"), ("x@a.b.elsewhere.test", 550, "5.7.1", "below"),
                ("x@elsewhere.test", 550, "5.1.0", "domain"), ("anna+x@Elsewhere.test", 450, "4.3.2", "later"),
                ("ada@example.test", 550, "5.1.6", "ada has moved")):
            wire.cmd("MAIL FROM:<carol@example.net>")
            reply = wire.cmd(f"RCPT TO:<{to}>")
            assert (reply.code, reply.status) == (code, status) and text in reply.text, to
            wire.cmd("RSET")


def test_senders_and_listeners_are_conditions_of_a_route(make_server):
    server = make_server(top="""relay-from 127.0.0.1;
        route elsewhere.test fail "5.7.1 no reports" { senders <>; listeners printers; }
        route elsewhere.test fail "5.1.0 not these" { listeners scanners; }
        route elsewhere.test discard;
        listen unix:other { name scanners; }""", listen="name printers;")
    with server.wire() as wire:
        wire.ehlo()
        for sender, code in (("", 550), ("carol@example.net", 250)):
            wire.cmd(f"MAIL FROM:<{sender}>")
            assert wire.cmd("RCPT TO:<x@elsewhere.test>") == code
            wire.cmd("RSET")


def test_a_route_for_one_address_of_ours_is_stronger_than_its_domain(make_server):
    server = make_server(top="route eve@example.test mbox:mail/{user}.mbox;", users=["ada", "eve"])
    assert server.send(HEADER + b"for eve\r\n", to="eve@example.test") == 250
    assert server.send(HEADER + b"for ada\r\n") == 250
    server.wait_mail("ada")
    server.wait_queue_empty()
    with open(server.path("mail", "eve.mbox"), "rb") as box:
        kept = box.read()
    assert kept.startswith(b"From carol@example.net ") and b"\nfor eve\n" in kept and b"for ada" not in kept
    assert not server.mail("eve")


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


def test_state_is_a_folder_that_is_made(make_server):
    server = make_server()
    assert os.path.isdir(server.path("state"))
    assert os.stat(server.path("state")).st_mode & 0o777 == 0o755


def test_mail_goes_though_the_state_cannot_be_had(make_server):
    server = make_server(start=False)
    server.write("state", "not a folder\n")
    server.expect("config")
    server.start()
    assert server.send(HEADER) == 250
    server.wait_mail("ada")
    assert "is not a folder" in server.records("config")[0]["error"]
