"""TLS towards other hosts: what each level takes, and what becomes of mail for hosts that lie (FACE 1.7; RFC 3207, 9525)."""
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess

import pytest

from harness import PROGRAM, free_port, until
from names import Names
from pki import Authority
from scripted_peer import DROP, OFFERS, STALL, Raw
from secure import HYBRID, needs_hybrid
from tls_peer import TlsPeer, context_of

LETTER = b"From: ada@example.test\r\nSubject: x\r\n\r\nhello\r\n"
# More than one turn of the loop gives out (send/dialogue.c).
LARGE = LETTER + b"eighty octets a line, as many as fill what the kernels keep between two hosts.\r\n" * 98304
DOTTED = LETTER + b".eighty octets a line, and a dot that is doubled before each on its way to them.\r\n" * 32768
HOST = "mx.peer.test"


class World:
    """A CA, a name server that knows the peers, and a server with a route for each of them."""

    def __init__(self, folder, make_server):
        self.ca = Authority(folder)
        self.other_ca = Authority(folder, "Another CA")
        self.make_server = make_server
        # The root's signatures are not to be had from a server of this machine.
        self.anchor = folder / "anchor"
        self.anchor.write_text("test.invalid. IN DS 12345 8 2 " + "00" * 32 + "\n")
        self.names = Names({f"{HOST} A": ["127.0.0.1"], "two.peer.test A": ["127.0.0.1"]})
        self.peers = []
        self.routes = []
        self.server = None

    def close(self):
        for peer in self.peers:
            peer.close()
        self.names.stop()

    def peer(self, pair=None, *scripts, client_ca=None, **options):
        peer = TlsPeer(context_of(pair or self.ca.issue(HOST), client_ca=client_ca), *scripts, **options)
        self.peers.append(peer)
        return peer

    def route(self, domain, options, *peers, scheme="smtp", host=HOST):
        targets = " ".join(f"{scheme}://{host}:{peer.port}" for peer in peers)
        self.routes.append(f"route {domain} {targets} {{ {options} }}\n" if options else f"route {domain} {targets};\n")

    def start(self, top=""):
        top = (f"relay-from 127.0.0.1; resolver 127.0.0.1:{self.names.port}; trust-anchor {self.anchor}; {top}\n" +
               "".join(self.routes))
        self.server = self.make_server(top=top)
        return self.server

    def outcome(self, domain, octets=LETTER):
        """Of a message to kim there: the record of its first attempt."""
        to = f"kim@{domain}"
        assert self.server.send(octets, to=to) == 250
        return until(lambda: self.server.records("deliver", to=to) + self.server.records("defer", to=to) +
                     self.server.records("fail", to=to), f"an outcome for {to}")[0]

    def delivered(self, domain, octets=LETTER):
        record = self.outcome(domain, octets)
        assert record["event"] == "deliver", record
        return record

    def deferred(self, domain, words, status="4.7.5"):
        record = self.outcome(domain)
        assert (record["event"], record["reason"], record["stage"], record["status"]) == ("defer", "tls", "tls", status), record
        assert words in record.get("error", record.get("reply", "")), record
        return record


@pytest.fixture
def folder(tmp_path):
    """Stands before make_server: the server, which watches the files in it, ends before they go."""
    made = pathlib.Path("/tmp") / ("veredus-pki-" + tmp_path.name)
    # The server's processes are other users, who cannot walk to pytest's folders.
    made.mkdir(exist_ok=True)
    made.chmod(0o755)
    yield made
    for path in made.iterdir():
        path.unlink()
    made.rmdir()


@pytest.fixture
def world(folder, make_server):
    made = World(folder, make_server)
    yield made
    made.close()


def test_what_is_offered_is_used_whatever_the_certificate_is(world):
    """C100: opportunistic by default; the log says so, and where it did not."""
    safe = world.peer(world.ca.issue("elsewhere.test", days=-1, self_signed=True))
    clear = world.peer(offers=OFFERS)
    never = world.peer()
    world.route("safe.test", "", safe)
    world.route("clear.test", "tls-level may;", clear)
    world.route("never.test", "tls-level none;", never)
    server = world.start()
    record = world.delivered("safe.test")
    assert record["tls"] == "TLSv1.3"
    shaken = server.records("tls", host=HOST)[0]
    assert shaken["level"] == "debug" and shaken["peer"] == "127.0.0.1" and shaken["version"] == "TLSv1.3"
    assert safe.tls_conversations() and safe.messages[0][2].endswith(LETTER)
    assert "tls" not in world.delivered("clear.test")
    assert "tls" not in world.delivered("never.test")
    assert not never.said("STARTTLS")
    assert not server.records("tls_fail")


def test_C107_a_failed_handshake_is_repeated_in_clear_at_may_alone(world):
    lies = {"garbage": {"handshake": Raw("250 not TLS\r\n" * 20)}, "closed": {"handshake": DROP},
            "silent": {"handshake": STALL}, "lost": {"STARTTLS": DROP}, "nonsense": {"STARTTLS": Raw("\x16\x03\x01 hello\r\n")},
            "later": {"STARTTLS": "454 4.7.0 no entropy"}, "never": {"STARTTLS": "502 5.5.1 what"}}
    for name, lie in lies.items():
        peer = world.peer(None, lie)
        world.route(f"{name}.may.test", "timeout ehlo 2s;", peer)
        world.route(f"{name}.must.test", "timeout ehlo 2s; tls-level encrypt;", world.peer(None, always=dict(lie)))
    server = world.start()
    for name in lies:
        assert "tls" not in world.delivered(f"{name}.may.test"), name
        record = world.outcome(f"{name}.must.test")
        assert (record["event"], record["reason"], record["stage"]) == ("defer", "tls", "tls"), (name, record)
        assert record["status"].startswith("4."), record
    assert len(server.records("tls_fail", action="clear")) == len(lies)
    # Refused in words, the session goes on; else a new one begins.
    for peer, name in zip(world.peers[::2], lies):
        assert len(peer.conversations) == (1 if name in ("later", "never") else 2), name


def test_STARTTLS_that_was_taken_out_of_EHLO_defers_from_encrypt_on(world):
    for level in ("encrypt", "verify", "secure", "fingerprint sha256:" + "00" * 32):
        world.route(level.split()[0] + ".test", f"tls-level {level}; tls-ca {world.ca.path};", world.peer(offers=OFFERS))
    world.start()
    for level in ("encrypt", "verify", "secure", "fingerprint"):
        world.deferred(f"{level}.test", "does not offer TLS", "4.7.4")
    assert not any(peer.said("MAIL") for peer in world.peers)


def test_C105_verify_wants_a_chain_and_a_name(world):
    ca = f"tls-level verify; tls-ca {world.ca.path};"
    good = world.peer()
    wild = world.peer(world.ca.issue("*.peer.test"))
    named = world.peer(world.ca.issue("store.peer.test"))
    world.route("good.test", ca, good)
    world.route("wild.test", ca, wild)
    world.route("named.test", f"tls-level verify other.test store.peer.test; tls-ca {world.ca.path};", named)
    world.route("secure.test", f"tls-level secure; tls-ca {world.ca.path};", world.peer())
    lies = {
        "name": (world.ca.issue("elsewhere.test"), "is for elsewhere.test, not for mx.peer.test"),
        "wildest": (world.ca.issue("*.test"), "not for mx.peer.test"),
        "none": (world.ca.issue(), "has no DNS name"),
        "expired": (world.ca.issue(HOST, days=-1), "expired"),
        "alone": (world.ca.issue(HOST, self_signed=True), "signed by itself"),
        "stranger": (world.other_ca.issue(HOST), "no CA that is trusted"),
    }
    for name, (pair, _) in lies.items():
        world.route(f"{name}.lie.test", ca, world.peer(pair))
    world.route("system.lie.test", "tls-level verify;", world.peer())
    world.route("literal.lie.test", ca, world.peer(), host="127.0.0.1")
    server = world.start()
    for domain in ("good.test", "wild.test", "named.test", "secure.test"):
        assert world.delivered(domain)["tls"] == "TLSv1.3"
    for name, (_, words) in lies.items():
        world.deferred(f"{name}.lie.test", words)
    world.deferred("system.lie.test", "no CA that is trusted")
    world.deferred("literal.lie.test", "an address has no name")
    assert len(server.records("tls_fail", peer="127.0.0.1")) == len(lies) + 2
    assert not [peer for peer in world.peers if peer.messages and peer not in (good, wild, named)][1:]


def test_a_name_with_NUL_in_it_is_nobodys(world):
    pair = world.ca.issue(HOST + "\0.evil.test")
    world.route("nul.test", f"tls-level verify; tls-ca {world.ca.path};", world.peer(pair))
    world.start()
    world.deferred("nul.test", "")


def test_a_fingerprint_is_of_the_certificate_or_of_its_key(world):
    pair = world.ca.issue("whoever.test", days=-1)
    for domain, digest in (("whole", pair.fingerprint()), ("key", pair.key_fingerprint()), ("wrong", "11" * 32)):
        world.route(f"{domain}.test", f"tls-level fingerprint sha256:{'00' * 32} sha256:{digest};", world.peer(pair))
    world.start()
    world.delivered("whole.test")
    world.delivered("key.test")
    world.deferred("wrong.test", "")


def test_a_host_that_cannot_be_trusted_is_passed_over(world):
    bad, good = world.peer(world.other_ca.issue(HOST)), world.peer()
    world.route("pass.test", f"tls-level verify; tls-ca {world.ca.path};", bad, good)
    world.start()
    world.delivered("pass.test")
    assert good.messages and not bad.messages


def test_TLS_from_the_first_octet(world):
    world.route("once.test", f"tls-level verify; tls-ca {world.ca.path};", world.peer(at_once=True), scheme="smtps")
    world.route("any.test", "", world.peer(world.ca.issue("x.test", self_signed=True), at_once=True), scheme="smtps")
    plain = world.peer(offers=OFFERS)
    world.route("plain.test", "timeout ehlo 2s;", plain, scheme="smtps")
    world.start()
    assert world.delivered("once.test")["tls"] == "TLSv1.3"
    assert world.delivered("any.test")["tls"] == "TLSv1.3"
    world.deferred("plain.test", "")
    assert not plain.said("EHLO")


class InOneWrite:
    """TLS in which the last word of the handshake waits for the first of what is said inside."""

    def __init__(self, plain, context):
        self.plain = plain
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.going(self.tls.do_handshake)

    def going(self, call, *arguments):
        while True:
            try:
                return call(*arguments)
            except ssl.SSLWantReadError:
                self.plain.sendall(self.outgoing.read())
                self.incoming.write(self.plain.recv(65536))

    def recv(self, room):
        return self.going(self.tls.read, room)

    def sendall(self, octets):
        self.tls.write(octets)
        self.plain.sendall(self.outgoing.read())

    def getpeercert(self):
        return None

    def close(self):
        self.plain.close()

    def shutdown(self, how):
        self.plain.shutdown(how)


def test_a_greeting_that_comes_with_the_end_of_the_handshake_is_heard(world):
    """Below TLS 1.3 the server ends the handshake, and need not wait with what it says then."""
    context = context_of(world.ca.issue(HOST), maximum=ssl.TLSVersion.TLSv1_2)
    peer = TlsPeer(context, at_once=True)
    context.wrap_socket = lambda plain, server_side: InOneWrite(plain, context)
    world.peers.append(peer)
    world.route("eager.test", f"tls-level verify; tls-ca {world.ca.path}; timeout greeting 3s;", peer, scheme="smtps")
    world.start()
    assert world.delivered("eager.test")["tls"] == "TLSv1.2"


def test_C098_what_was_said_before_the_handshake_is_not_heard(world):
    """Replies injected behind the 220 answer nothing, and offer nothing."""
    lie = {"STARTTLS": Raw("220 go on\r\n250-evil\r\n250 XEVIL\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n")}
    peer = world.peer(None, lie)
    peer.conversation = lambda client, script: Injecting(peer, client, script)
    world.route("inject.test", f"tls-level verify; tls-ca {world.ca.path};", peer)
    world.start()
    assert world.delivered("inject.test")["tls"] == "TLSv1.3"
    assert peer.messages[0][2].endswith(LETTER)


def Injecting(peer, client, script):
    """Shakes hands behind whatever it said."""
    conversation = TlsPeer.conversation(peer, client, script)
    usual = conversation.on_starttls

    def on_starttls(verb, line):
        if conversation.script.get("STARTTLS"):
            conversation.say(conversation.script.pop("STARTTLS"))
            conversation.shake()
        else:
            usual(verb, line)
    conversation.on_starttls = on_starttls
    return conversation


@pytest.mark.parametrize("octets", [LARGE, DOTTED], ids=["large", "dotted"])
def test_content_arrives_through_TLS_as_it_is(world, octets):
    peer = world.peer()
    world.route("large.test", f"tls-level verify; tls-ca {world.ca.path};", peer)
    world.start()
    world.delivered("large.test", octets)
    assert peer.messages[0][2].endswith(octets)


def test_connections_are_reused_for_the_same_demands_alone(world):
    """Two domains of one route share a connection; a route with another demand has its own."""
    peer = world.peer()
    world.route("one.test two.test", f"tls-level verify; tls-ca {world.ca.path}; connections 1;", peer)
    world.route("three.test", "tls-level encrypt; connections 1;", peer)
    world.start()
    world.delivered("one.test")
    world.delivered("two.test")
    assert len(peer.conversations) == 1
    world.delivered("three.test")
    assert len(peer.conversations) == 2


def test_tls_ca_is_read_again_when_it_changes(world):
    """The next connection believes the new one; what cannot be read is not replaced by anybody else's CAs."""
    folder = pathlib.Path(world.ca.path).parent
    path = folder / "bundle.pem"
    peer = world.peer()
    world.route("ca.test", f"tls-level verify; tls-ca {path}; retry 1s; dead-host 1s;", peer)
    server = world.start()
    server.expect("config")
    world.deferred("ca.test", "bundle.pem")
    path.write_bytes(pathlib.Path(world.ca.path).read_bytes())
    until(lambda: server.records("deliver", to="kim@ca.test"), "the delivery")


def test_our_certificate_is_shown_where_the_route_says_so(world):
    """The key is with another process, which signs; one that cannot be had keeps mail from going without it."""
    ours = world.ca.issue("mail.example.test")
    context = context_of(world.ca.issue(HOST), client_ca=world.ca.path)
    shown, hidden, lost = (TlsPeer(context) for _ in range(3))
    world.peers += [shown, hidden, lost]
    demand = f"tls-level verify; tls-ca {world.ca.path};"
    world.route("shown.test", f"{demand} client-certificate {ours.path};", shown)
    world.route("hidden.test", demand, hidden)
    world.route("lost.test", f"{demand} client-certificate {ours.path}.not;", lost)
    server = world.start()
    server.expect("certificate")
    assert world.delivered("shown.test")["tls"] == "TLSv1.3"
    seen = shown.tls_conversations()[0].client_certificate
    assert ("DNS", "mail.example.test") in seen["subjectAltName"]
    # With TLS 1.3 we may be refused after our handshake is done: the connection is lost then.
    assert world.outcome("hidden.test")["event"] == "defer"
    world.deferred("lost.test", "cannot be had")
    assert not hidden.messages and not lost.messages


def test_a_key_process_that_died_is_asked_again(world):
    """A handshake that waits for a signature goes on with the successor's."""
    ours = world.ca.issue("mail.example.test")
    peer = TlsPeer(context_of(world.ca.issue(HOST), client_ca=world.ca.path))
    world.peers.append(peer)
    world.route("again.test", f"tls-level verify; tls-ca {world.ca.path}; client-certificate {ours.path}; retry 1s; "
                              "dead-host 1s;", peer)
    server = world.start()
    server.expect("process")
    before = server.workers()["key"][0]
    os.kill(before, signal.SIGSTOP)
    assert server.send(LETTER, to="kim@again.test") == 250
    until(lambda: peer.conversations and "STARTTLS" in peer.conversations[0].lines, "the handshake")
    os.kill(before, signal.SIGKILL)
    until(lambda: server.records("deliver", to="kim@again.test"), "the delivery")
    assert len(peer.messages) == 1


def test_a_handshake_of_openssls_own_server(world, program):
    """openssl s_server takes TLS from the first octet; what is behind it is no SMTP, and that is said."""
    shake_with_s_server(world, program("openssl"))


def test_a_handshake_with_a_server_of_one_group_that_we_show_no_half_of(world, program):
    """It asks for another hello (RFC 9846 4.2.4)."""
    shake_with_s_server(world, program("openssl"), "-groups", "P-384")


def test_a_hybrid_is_agreed_with_a_server_that_knows_nothing_else(world, program):
    """docs/adr/0028"""
    needs_hybrid()
    shake_with_s_server(world, program("openssl"), "-groups", HYBRID)


def shake_with_s_server(world, openssl, *arguments):
    pair = world.ca.issue(HOST)
    port = free_port()
    with subprocess.Popen([openssl, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pair.path, "-quiet", "-naccept", "4",
                           *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            until(lambda: is_open(port), "s_server")
            process.stdin.write(b"220 peer.test\r\n250 peer.test\r\n")
            process.stdin.flush()
            world.routes.append(f"route ours.test smtps://{HOST}:{port} {{ tls-level verify; tls-ca {world.ca.path}; "
                                "timeout greeting 2s; timeout ehlo 2s; }\n")
            server = world.start()
            world.outcome("ours.test")
            assert server.records("tls", host=HOST)[0]["version"] == "TLSv1.3"
        finally:
            process.kill()


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def check(server, *arguments):
    done = subprocess.run([PROGRAM, "-c", server.path("veredus.conf"), "tls", "check", *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=60, check=False)
    return done.returncode, done.stdout.decode()


def test_tls_check_tells_what_a_delivery_would_see(world):
    """FACE 2.3: host by host, nothing sent, 0 if all of them will do."""
    verify = f"tls-level verify; tls-ca {world.ca.path};"
    good, bad = world.peer(), world.peer(world.ca.issue("elsewhere.test"))
    clear = world.peer(None, always={"STARTTLS": "454 4.7.0 no entropy"})
    world.route("good.test", verify, good)
    world.route("mixed.test", verify, bad, good)
    world.route("clear.test", "", clear)
    world.route("smart.test", f"login anna file:{world.anchor}; tls-ca {world.ca.path};", good)
    server = world.start()
    code, text = check(server, "good.test")
    assert code == 0 and "good.test: a message would go to mx.peer.test, in TLS, and its certificate is what it should be" in text
    assert "TLSv1.3, TLS_" in text and "mx.peer.test until 20" in text and "verdict   deliver\n" in text
    code, text = check(server, "mixed.test")
    assert code == 1 and "is for elsewhere.test, not for mx.peer.test" in text, text
    assert "verdict   not this host; the next one, or later" in text and "1 of 2 addresses can be used" in text
    code, text = check(server, "clear.test")
    assert code == 0 and "no entropy" in text and "deliver, in clear" in text and "tls-level auto" in text, text
    code, text = check(server, "--json", "mixed.test")
    rows = [json.loads(line) for line in text.splitlines()]
    assert code == 1 and [row["state"] for row in rows] == ["refused", "deliver"]
    assert rows[1]["verified"] is True and rows[1]["version"] == "TLSv1.3" and rows[1]["tls_level"] == "verify"
    # Without the log-in: nobody's password is tried out.
    assert check(server, "smart.test")[0] == 0
    code, text = check(server, f"{HOST}:{good.port}")
    assert code == 0 and "in TLS, whatever its certificate is" in text, text
    code, text = check(server, "example.test")
    assert code == 1 and "goes to no other host" in text
    assert check(server)[0] == 64 and check(server, "not a domain")[0] == 64
    for peer in world.peers:
        assert not (peer.said("MAIL") or peer.said("AUTH"))


def test_tls_check_says_where_it_went_wrong_and_why(world):
    """A host that is down, one that refuses, one without STARTTLS, no MX, none wanted: in words, and 1 if any will not do."""
    verify = f"tls-level verify; tls-ca {world.ca.path};"
    down = free_port()
    cases = {
        "plain": ("", world.peer(offers=OFFERS), 0, "TLS       not offered (STARTTLS)\n    verdict   deliver, in clear"),
        "must": (verify, world.peer(offers=OFFERS), 1, "TLS       the host does not offer TLS (STARTTLS)"),
        "never": ("tls-level none;", world.peer(), 0, "TLS       not asked for\n    verdict   deliver, in clear"),
        "old": (verify, world.peer(world.ca.issue(HOST, days=-1)), 1, "TLS       the certificate of mx.peer.test expired on 20"),
        "greeting": ("", world.peer(None, always={"greeting": "554 5.7.1 not you"}), 1, "greeting  554 not you"),
        "ehlo": ("", world.peer(None, always={"EHLO": "421 4.3.2 busy"}), 1, "ehlo      421 busy"),
        "down": ("", None, 1, "connect   connection refused"),
        "later": ("", world.peer(None, always={"STARTTLS": "454 4.7.0 no entropy"}), 0, "TLS       454 no entropy\n"),
        "over": ("", world.peer(world.ca.issue(HOST, days=-1)), 0, "mx.peer.test, expired 20"),
        "many": (verify, world.peer(world.ca.issue("a.test", "b.test")), 1, "is for a.test and 1 more, not for mx.peer.test"),
        # It says so when our side of the handshake is over.
        "asks": ("", world.peer(client_ca=world.ca.path), 1, "ehlo      the connection was lost: the peer says: "),
        "weak": (verify, world.peer(world.ca.issue(HOST, bits=1024)), 1, "TLS       the key of the certificate is too weak: RSA"),
    }
    for name, (options, peer, _, _) in cases.items():
        if peer:
            world.route(f"{name}.test", options, peer)
        else:
            world.routes.append(f"route {name}.test smtp://{HOST}:{down};\n")
    world.names.rows["null.test MX"] = ["0 ."]
    server = world.start()
    for name, (_, _, expected, words) in cases.items():
        code, text = check(server, f"{name}.test")
        assert code == expected and words in text, (name, text)
        assert "127.0.0.1: " not in text
        assert ("a message would have to wait" in text) == (code == 1)
    for name, words in {"null.test": "takes no mail: its MX says so", "absent.test": "does not exist",
                        "127.0.0.1": "addresses of no mail server", "::1": "addresses of no mail server"}.items():
        code, text = check(server, name)
        assert code == 1 and words in text, text
    code, text = check(server, f"127.0.0.1:{down}")
    assert code == 1 and "connection refused" in text, text
    # An address has no DNS that could be signed.
    assert "DNSSEC" not in check(server, f"127.0.0.1:{cases['plain'][1].port}")[1]
    row = json.loads(check(server, "--json", "greeting.test")[1])
    assert (row["state"], row["stage"], row["code"], row["error"]) == ("refused", "greeting", 554, "not you")
