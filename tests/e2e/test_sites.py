"""Fallbacks, and what a site block says: values of sites over a reload."""
import json
import socket
import subprocess

import pytest

from harness import PROGRAM, until
from names import Names
from peer import Peer

LETTER = b"From: ada@example.test\r\nSubject: out\r\n\r\nhello\r\n"
ANCHOR = "elsewhere.test. IN DS 1 8 2 " + "00" * 32 + "\n"


@pytest.fixture
def make_peer():
    made = []

    def make(answer=None):
        made.append(Peer(answer))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def closed_port():
    """A port that is ours, and that nobody is listening on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def names():
    server = Names({})
    yield server
    server.stop()


def relaying(make_server, first, second, more=""):
    return make_server(top=f"relay-from 127.0.0.1; retry 1h; {more}"
                           f"route * smtp://127.0.0.1:{first} {{ fallback smtp://127.0.0.1:{second}; }}")


def say(at, reply):
    """The answer of a peer that says REPLY to one verb, and the usual to others."""
    return lambda verb, line: reply if verb == at else None


def explain(server, *arguments):
    """What it says, as soon as a reload is over."""
    def ask():
        return subprocess.run([PROGRAM, "explain", "-c", server.path("veredus.conf"), "--client", "127.0.0.1", *arguments],
                              check=False, capture_output=True, timeout=60)

    return until(lambda: (lambda done: done.returncode == 0 and done.stdout.decode())(ask()), "an explanation")


def explained(server, *arguments):
    return json.loads(explain(server, "--json", *arguments))


# ---- fallback ----


def test_a_fallback_takes_what_the_route_cannot_reach(make_server, make_peer, closed_port):
    second = make_peer()
    server = relaying(make_server, closed_port, second.port)
    for number in range(3):
        assert server.send(LETTER, sender="ada@example.test", to=f"bob{number}@elsewhere.test") == 250
    server.wait_queue_empty()
    assert sorted(to for _, recipients, _ in second.messages for to in recipients) == \
        [f"bob{number}@elsewhere.test" for number in range(3)]
    assert not server.records("defer")


def test_a_fallback_is_not_asked_while_the_route_can_be_reached(make_server, make_peer):
    first, second = make_peer(), make_peer()
    server = relaying(make_server, first.port, second.port)
    assert server.send(LETTER, sender="ada@example.test", to="bob@elsewhere.test") == 250
    server.wait_queue_empty()
    assert len(first.messages) == 1 and not second.lines


@pytest.mark.parametrize("reply", ["554 5.3.2 not here", "421 4.3.2 closing"])
@pytest.mark.parametrize("verb", ["", "EHLO"])
def test_a_host_that_does_not_begin_is_out_of_reach(make_server, make_peer, verb, reply):
    def answer(said, line):
        return reply if said == verb or (verb == "EHLO" and said == "HELO") else None

    first, second = make_peer(answer), make_peer()
    server = relaying(make_server, first.port, second.port)
    assert server.send(LETTER, sender="ada@example.test", to="bob@elsewhere.test") == 250
    until(lambda: second.messages, "the message at the fallback")


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
def test_a_host_that_says_later_is_waited_for(make_server, make_peer, verb):
    first, second = make_peer(say(verb, "451 4.7.1 later")), make_peer()
    server = relaying(make_server, first.port, second.port)
    assert server.send(LETTER, sender="ada@example.test", to="bob@elsewhere.test") == 250
    record = server.wait_record("defer", to="bob@elsewhere.test")
    assert (record["code"], record["status"]) == (451, "4.7.1")
    assert not second.lines


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
def test_a_host_that_says_never_is_believed(make_server, make_peer, verb):
    first, second = make_peer(say(verb, "550 5.7.1 never")), make_peer()
    server = relaying(make_server, first.port, second.port)
    assert server.send(LETTER, sender="ada@example.test", to="bob@elsewhere.test") == 250
    record = server.wait_record("fail", to="bob@elsewhere.test")
    assert (record["code"], record["status"]) == (550, "5.7.1")
    server.wait_mail("ada")
    assert not second.lines


def test_without_either_the_message_waits(make_server, closed_port):
    server = relaying(make_server, closed_port, closed_port)
    assert server.send(LETTER, sender="ada@example.test", to="bob@elsewhere.test") == 250
    record = server.wait_record("defer", to="bob@elsewhere.test")
    assert (record["reason"], record["status"]) == ("connect", "4.4.1")


@pytest.mark.parametrize("rows", [{"other.test A": ["192.0.2.1"]}, {"there.test MX": "SERVFAIL"}])
def test_a_fallback_takes_what_the_dns_does_not_know(make_server, make_peer, names, rows):
    second = make_peer()
    names.rows = rows
    server = make_server(start=False)
    anchor = server.write("anchor", ANCHOR)
    server.write_config(top=f"resolver 127.0.0.1:{names.port}; trust-anchor {anchor}; relay-from 127.0.0.1;"
                            f"route * mx {{ fallback smtp://127.0.0.1:{second.port}; }}")
    server.start()
    assert server.send(LETTER, sender="ada@example.test", to="bob@there.test") == 250
    until(lambda: second.messages, "the message at the fallback")
    assert not server.records("defer")


def test_a_fallback_does_not_know_who_has_a_mailbox(make_server, make_peer, closed_port):
    second = make_peer(say("RCPT", "550 5.1.1 not here"))
    server = make_server(top=f"""domain ours.test {{
        users ask; deliver smtp://127.0.0.1:{closed_port}; fallback smtp://127.0.0.1:{second.port}; retry 1h; }}""")
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        assert wire.cmd("RCPT TO:<bob@ours.test>") == 250
    assert not second.lines


def test_explain_names_the_fallback(make_server, make_peer, closed_port):
    server = relaying(make_server, closed_port, make_peer().port)
    found = explained(server, "x@elsewhere.test")
    assert [host.get("fallback") for host in found["hosts"]] == [None, True]
    assert ", fallback smtp://127.0.0.1:" in [row["text"] for row in found["decisions"] if row["name"] == "route"][0]
    assert "if no other can be reached: " in explain(server, "x@elsewhere.test")


# ---- sites ----


def test_a_site_block_that_changed_counts_after_a_reload_and_a_bad_one_changes_nothing(make_server, names):
    names.rows = {"there.test MX": ["10 mx.test"], "mx.test A": ["192.0.2.1"], "mx.test AAAA": ["2001:db8::1"]}
    server = make_server(start=False)
    anchor = server.write("anchor", ANCHOR)

    def peers():
        return [peer for host in explained(server, "x@there.test")["hosts"] for peer in host.get("peer", [])]

    def leads_to(want, site, good=True):
        server.write_config(top=f"resolver 127.0.0.1:{names.port}; trust-anchor {anchor}; relay-from 127.0.0.1; {site}")
        if server.process:
            assert (server.reload()["level"] == "info") == good
        else:
            server.start()
        until(lambda: peers() == want, lambda: f"{want} by {site}")

    both = ["2001:db8::1", "192.0.2.1"]
    leads_to(both, "")
    leads_to(both[1:], "site one { hosts mx.test; address-family ipv4; }")
    leads_to(both[:1], "site one { hosts mx.test; address-family ipv6; }")
    server.expect("config")
    leads_to(both[:1], "site one { hosts mx.test; address-family ipv4; } site one { hosts *; }", good=False)
    leads_to(both[:1], "site one { address-family ipv4; }", good=False)
    leads_to(both[1:], "site one { domains .test; address-family ipv4; }")
    leads_to(both, "site two { domains there.test; } site one { hosts mx.test; address-family ipv4; }")
