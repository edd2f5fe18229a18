"""Who may send where (RFC 5321 3.6.2, 7.9; 2505 2.1): strangers nowhere but here, clients of relay-from anywhere."""
import os

import pytest

from harness import Server, below_trace, until
from peer import Peer

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello\r\n"

# 192.0.2.1 is an address of ours. Mail for other hosts waits: nothing leaves this machine.
TOP = "public-address 192.0.2.1; route * hold;"

ELSEWHERE, UNKNOWN, MALFORMED, OURS = "550 5.7.1", "550 5.1.1", "501", "250"

# Every way of writing an address that has ever led a host to relay, and what it means here.
FORMS = [
    ("<x@elsewhere.test>", ELSEWHERE),
    ("<X@ELSEWHERE.TEST>", ELSEWHERE),
    ("<x@sub.example.test>", ELSEWHERE),
    ("<x@mail.example.test>", ELSEWHERE),  # our name is no domain that we serve
    ("<x@localhost.test>", ELSEWHERE),
    ("x@elsewhere.test", ELSEWHERE),  # without brackets (path-syntax lenient)
    (" <x@elsewhere.test>", ELSEWHERE),
    # The percent hack: what stands behind it is part of a name.
    ("<x%elsewhere.test@example.test>", UNKNOWN),
    ("<x%elsewhere.test%other.test@example.test>", UNKNOWN),
    ("<x%elsewhere.test@[192.0.2.1]>", UNKNOWN),
    ("<x%elsewhere.test@elsewhere.test>", ELSEWHERE),
    ("<x%elsewhere.test>", MALFORMED),
    ("<ada%example.test@elsewhere.test>", ELSEWHERE),
    # Bang paths.
    ("<elsewhere.test!x@example.test>", UNKNOWN),
    ("<elsewhere.test!x%other.test@example.test>", UNKNOWN),
    ("<example.test!elsewhere.test!x>", MALFORMED),
    ("<elsewhere.test!x>", MALFORMED),
    ("<example.test!ada@elsewhere.test>", ELSEWHERE),
    # Source routes are read and forgotten (C030).
    ("<@example.test:x@elsewhere.test>", ELSEWHERE),
    ("<@mail.example.test,@example.test:x@elsewhere.test>", ELSEWHERE),
    ("<@example.test:x%elsewhere.test@example.test>", UNKNOWN),
    ("<@[192.0.2.1]:x@elsewhere.test>", ELSEWHERE),
    ("<@elsewhere.test:ada@example.test>", OURS),
    ("<@elsewhere.test:ada>", MALFORMED),
    # Quoted local parts.
    ('<"x@elsewhere.test"@example.test>', UNKNOWN),
    ('<"x@elsewhere.test"@[192.0.2.1]>', UNKNOWN),
    ('<"x%elsewhere.test"@example.test>', UNKNOWN),
    ('<"elsewhere.test!x"@example.test>', UNKNOWN),
    ('<"@elsewhere.test:x"@example.test>', UNKNOWN),
    ('<"x\\@elsewhere.test"@example.test>', UNKNOWN),
    ('<"ada@example.test"@elsewhere.test>', ELSEWHERE),
    ('<"x@elsewhere.test">', MALFORMED),
    ('<"<x@elsewhere.test>"@example.test>', UNKNOWN),
    ('<"ada"@example.test>', OURS),
    # Address literals.
    ("<x@[203.0.113.1]>", ELSEWHERE),
    ("<x@[IPv6:2001:db8::9]>", ELSEWHERE),
    ("<x@[127.0.0.1]>", ELSEWHERE),  # not one of public-address
    ("<ada@[192.0.2.1]>", OURS),
    ("<x@203.0.113.1>", ELSEWHERE),  # digits and dots: a name, to SMTP
    ("<x@[elsewhere.test]>", MALFORMED),
    # More than one at sign, colons, semicolons, nothing.
    ("<x@elsewhere.test@example.test>", MALFORMED),
    ("<x@example.test@elsewhere.test>", MALFORMED),
    ("<x@elsewhere.test:ada@example.test>", MALFORMED),
    ("<x@elsewhere.test,ada@example.test>", MALFORMED),
    ("<x:elsewhere.test@example.test>", MALFORMED),
    ("<<x@elsewhere.test>>", MALFORMED),
    ("<x@elsewhere.test><ada@example.test>", MALFORMED),
    ("<x@example.test%elsewhere.test>", MALFORMED),
    ("<x@example.test/elsewhere.test>", MALFORMED),
    ("<x@.elsewhere.test>", MALFORMED),
    ("<@elsewhere.test>", MALFORMED),
    ("<@>", MALFORMED),
    ("<>", MALFORMED),
    # A detail is a detail, whatever it looks like.
    ("<ada+x%elsewhere.test@example.test>", OURS),
    ("<ada+elsewhere.test!x@example.test>", OURS),
]

SENDERS = ["", "ada@example.test", "postmaster@mail.example.test", "x@elsewhere.test", '"ada@example.test"@elsewhere.test']


def outcome(reply):
    """Code and status of a refusal, the code alone of the others."""
    return f"{reply.code} {reply.status}" if reply.code == 550 else str(reply.code)


@pytest.fixture
def make_peer():
    """make_peer(...) is peer.Peer(...); every one of them ends with the test."""
    made = []

    def make(answer=None):
        made.append(Peer(answer))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture(scope="module")
def strange():
    """A server to which we are strangers; the whole table is asked of one."""
    server = Server(top=TOP, listen="max-errors 1000; error-delay 0s;").start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def trusted():
    server = Server(top=TOP + "relay-from 127.0.0.1;", listen="max-errors 1000; error-delay 0s;").start()
    yield server
    server.close()


@pytest.mark.parametrize("sender", SENDERS)
def test_c040_no_form_and_no_sender_makes_a_stranger_a_relay(strange, sender):
    wrong = []
    with strange.wire() as wire:
        wire.ehlo()
        assert wire.cmd(f"MAIL FROM:<{sender}>") == 250
        for path, meant in FORMS:
            got = outcome(wire.cmd(f"RCPT TO:{path}"))
            if got != meant:
                wrong.append((path, got, meant))
        # The session goes on for those that are ours.
        assert wire.cmd("RCPT TO:<ada@example.test>") == 250
        assert wire.cmd("RSET") == 250
    assert not wrong


@pytest.mark.parametrize("sender", SENDERS)
def test_c040_a_client_of_relay_from_may_send_anywhere_and_names_are_no_routes_for_it_either(trusted, sender):
    wrong = []
    with trusted.wire() as wire:
        wire.ehlo()
        assert wire.cmd(f"MAIL FROM:<{sender}>") == 250
        for path, meant in FORMS:
            got = outcome(wire.cmd(f"RCPT TO:{path}"))
            if got != ("250" if meant == ELSEWHERE else meant):
                wrong.append((path, got, meant))
        assert wire.cmd("RSET") == 250
    assert not wrong


def test_c030_what_looks_like_a_route_is_delivered_here(make_server):
    server = make_server(top=TOP)
    for path in ["@elsewhere.test:ada@example.test", "ada+x%elsewhere.test@example.test"]:
        assert server.send(LETTER, to=path) == 250
    assert len(server.wait_mail("ada", 2)) == 2
    for record in server.records("accept"):
        assert record["recipients"] == 1


def test_a_refused_relay_is_recorded_with_what_decided(make_server):
    server = make_server(top=TOP)
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<ada@example.test>")
        assert wire.cmd("RCPT TO:<x@elsewhere.test>") == 550
    record = server.wait_record("reject")
    assert (record["reason"], record["code"], record["status"]) == ("relay", 550, "5.7.1")
    assert (record["from"], record["to"]) == ("ada@example.test", "x@elsewhere.test")


def test_relay_from_of_a_listener_replaces_what_stands_outside(make_server):
    server = make_server(top=TOP + "relay-from 127.0.0.1;", listen="relay-from none;")
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<ada@example.test>")
        assert wire.cmd("RCPT TO:<x@elsewhere.test>") == 550


def test_a_file_of_clients_is_read_and_read_again(make_server):
    server = make_server(start=False, top=TOP + "relay-from file:clients;")
    server.write("clients", "192.0.2.7\n")
    os.chmod(server.path("clients"), 0o644)
    server.start()

    def reply():
        with server.wire() as wire:
            wire.ehlo()
            wire.cmd("MAIL FROM:<ada@example.test>")
            return wire.cmd("RCPT TO:<x@elsewhere.test>")

    assert reply() == 550
    server.write("clients", "192.0.2.7\n127.0.0.1 this machine\n")
    until(lambda: reply() == 250, "the new version of the file")


# ---- routes at RCPT ----

def test_routes_refuse_in_the_administrators_words(make_server):
    server = make_server(top=TOP + """
        route moved@elsewhere.test bob@example.test fail "5.1.6 moved to example.net";
        route later.test defer "4.3.2 not on Sundays";
        relay-from 127.0.0.1;""")
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        for path, words in [("moved@elsewhere.test", "550 5.1.6 moved to example.net"),
                            ("bob@example.test", "550 5.1.6 moved to example.net"),
                            ("x@later.test", "450 4.3.2 not on Sundays")]:
            reply = wire.cmd(f"RCPT TO:<{path}>")
            assert str(reply).strip() == words, reply
        assert wire.cmd("RCPT TO:<ada@example.test>") == 250
    until(lambda: len(server.records("reject")) == 3, "three records")
    records = server.records("reject")
    assert [record["reason"] for record in records] == ["route"] * 3
    assert records[0]["reply"] == "5.1.6 moved to example.net"
    assert ":" in records[0]["rule"]


def test_conditions_are_asked_of_the_sender_and_the_listener(make_server):
    server = make_server(top=TOP + """
        route partner.test fail "5.7.1 not from there" { senders .bad.test <>; }
        route other.test fail "5.7.1 not by this one" { listeners mine; }
        relay-from 127.0.0.1;""", listen="name mine;")
    for sender, path, code in [("a@x.bad.test", "x@partner.test", 550), ("", "x@partner.test", 550),
                               ("a@bad.test", "x@partner.test", 250), ("a@good.test", "x@other.test", 550)]:
        with server.wire() as wire:
            wire.ehlo()
            wire.cmd(f"MAIL FROM:<{sender}>")
            assert wire.cmd(f"RCPT TO:<{path}>") == code, (sender, path)


# ---- aliases that lead elsewhere ----

def test_an_alias_may_lead_elsewhere_for_strangers_too(make_server):
    server = make_server(top=TOP, aliases={"away": "x@elsewhere.test", "both": "ada, x@elsewhere.test"})
    assert server.send(LETTER, to="both@example.test") == 250
    assert len(server.wait_mail("ada")) == 1
    assert server.records("expand")[0]["into"] == ["ada@example.test", "x@elsewhere.test"]
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        assert wire.cmd("RCPT TO:<away@example.test>") == 250
        assert wire.cmd("RCPT TO:<x@elsewhere.test>") == 550


def test_c024_c052_what_an_alias_leads_to_gets_the_message_as_it_was(make_server, make_peer):
    peer = make_peer()
    server = make_server(top=f"route * smtp://127.0.0.1:{peer.port};", aliases={"away": "Kim@elsewhere.test"})
    assert server.send(LETTER, to="away@example.test") == 250
    until(lambda: peer.messages, "the message at the other host")
    sender, recipients, content = peer.messages[0]
    assert (sender, recipients) == ("carol@example.net", ["Kim@elsewhere.test"])
    assert below_trace(content) == LETTER


@pytest.mark.parametrize("on, mode, owner, code", [("off", 0o644, None, 451), ("on", 0o664, None, 451),
                                                   ("on", 0o646, None, 451), ("on", 0o644, 65534, 451),
                                                   ("on", 0o644, None, 250)])
def test_commands_of_aliases_are_taken_where_they_are_meant_and_guarded(make_server, on, mode, owner, code):
    server = make_server(start=False, top=TOP, domain=f"alias-commands {on};",
                         aliases={"run": '"|/bin/true"', "file": "/dev/null"})
    os.chmod(server.path("aliases"), mode)
    if owner is not None:
        if os.getuid() != 0:
            pytest.skip("only root gives files away")
        os.chown(server.path("aliases"), owner, owner)
    server.start()
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        assert wire.cmd("RCPT TO:<run@example.test>") == code
        assert wire.cmd("RCPT TO:<file@example.test>") == code
        assert wire.cmd("RCPT TO:<ada@example.test>") == 250


# ---- users ask ----

def mailboxes(verb, line):
    """A next hop that knows kim."""
    if verb != "RCPT" or "kim@" in line:
        return None
    if "later@" in line:
        return "451 4.3.0 ask again"
    return "550 5.7.1 not you" if "blocked@" in line else "550 5.1.1 no such user"


ASKED = "domain asked.test {{ users ask; deliver smtp://127.0.0.1:{}; }}"


def test_users_ask_is_answered_as_the_next_hop_answers_and_once(make_server, make_peer):
    peer = make_peer(mailboxes)
    server = make_server(top=ASKED.format(peer.port))
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        for path, code, status in [("kim@asked.test", 250, "2.1.5"), ("nobody@asked.test", 550, "5.1.1"),
                                   ("later@asked.test", 250, "2.1.5"), ("blocked@asked.test", 550, "5.7.1"),
                                   ("postmaster@asked.test", 250, "2.1.5"),  # C037
                                   ("kim@asked.test", 250, "2.1.5"), ("nobody@asked.test", 550, "5.1.1")]:
            reply = wire.cmd(f"RCPT TO:<{path}>")
            assert (reply.code, reply.status) == (code, status), reply
    asked = [line for line in peer.lines if line.startswith("RCPT")]
    assert asked == [f"RCPT TO:<{name}@asked.test>" for name in ["kim", "nobody", "later", "blocked"]]
    assert not any(line == "DATA" for line in peer.lines)
    assert set(line for line in peer.lines if line.startswith("MAIL")) == {"MAIL FROM:<>"}
    rules = {record["rule"] for record in server.records("reject")}
    assert len(rules) == 1 and "veredus.conf" in rules.pop()


def test_while_the_next_hop_is_down_everyone_is_taken(make_server, make_peer):
    peer = make_peer()
    port = peer.port
    peer.close()
    server = make_server(top=ASKED.format(port))
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        assert wire.cmd("RCPT TO:<nobody@asked.test>") == 250
        assert wire.cmd("RSET") == 250
