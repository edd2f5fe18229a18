"""Hosts that speak TLS badly: what breaks off is never taken for delivered, what has no end gets one (RFC 5246, 8446)."""
import itertools
import ssl
import threading

import pytest

from harness import until
from scripted_peer import STALL, Dripping, Endless, Over, Raw, Slowly
from test_tls_client import HOST, LARGE, LETTER, InOneWrite, check, folder, world  # noqa: F401  (fixtures)
from tls_peer import TlsPeer, context_of

ANEW = "retry 1s; dead-host 1s;"
LEVELS = ("none", "may", "encrypt", "verify", "secure")


def demand(world, level="verify"):  # noqa: F811
    return f"tls-level {level}; tls-ca {world.ca.path};"


class Tapped(InOneWrite):
    """TLS whose records can be cut, and go in segments of so many octets."""

    step = 65536

    def __init__(self, plain, context):
        super().__init__(plain, context)
        self.out(self.outgoing.read())

    def sendall(self, octets):
        self.tls.write(octets)
        self.out(self.outgoing.read())

    def out(self, octets):
        for at in range(0, len(octets), self.step):
            self.plain.sendall(octets[at:at + self.step])

    def going(self, call, *arguments):
        while True:
            try:
                return call(*arguments)
            except ssl.SSLWantReadError:
                self.out(self.outgoing.read())
                octets = self.plain.recv(65536)
                if not octets:
                    raise Over from None
                self.incoming.write(octets)

    def cut(self, octets, left):
        """A record without its last LEFT octets."""
        self.tls.write(octets)
        self.plain.sendall(self.outgoing.read()[:-left])

    def unwrap(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            self.out(self.outgoing.read())


class InSteps(Tapped):
    step = 1


def tapped(world, *scripts, kind=Tapped, maximum=None, **options):  # noqa: F811
    context = context_of(world.ca.issue(HOST), maximum=maximum)
    peer = TlsPeer(context, *scripts, **options)
    context.wrap_socket = lambda plain, server_side: kind(plain, context)
    world.peers.append(peer)
    return peer


def then_over(*acts):
    """What is done in place of a reply, and then the connection is closed as it is."""
    def script(conversation, line):
        for act in acts:
            act(conversation)
        raise Over
    return script


def inside(script):
    """In TLS; in clear as usual."""
    return lambda conversation, line: script(conversation, line) if conversation.tls else None


def answers(lie):
    """In place of a handshake, to the client's hello: before that it would be taken for what was injected in clear."""
    def script(conversation, line):
        conversation.client.recv(65536)
        return lie
    return {"handshake": script}


def says(octets):
    return lambda conversation: conversation.client.sendall(octets)


def cuts(octets, left):
    return lambda conversation: conversation.client.cut(octets, left)


def ends(conversation):
    conversation.client.unwrap()


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_what_breaks_off_before_the_reply_to_the_dot_is_sent_again(world, maximum):  # noqa: F811
    """C154: half a reply, half a record, an end with and without close_notify: none of them is a 250."""
    lies = {
        "nothing": then_over(),
        "half": then_over(says(b"250 2.0.0 tak")),
        "unended": then_over(says(b"250 2.0.0 taken\r")),
        "cut": then_over(cuts(b"250 2.0.0 taken\r\n", 1)),
        "header": then_over(cuts(b"250 2.0.0 taken\r\n", 20)),
        "more": then_over(says(b"250-2.0.0 taken\r\n")),
        "ended": then_over(ends),
        "half-ended": then_over(says(b"250 2.0.0 taken"), ends),
    }
    peers = {}
    for name, lie in lies.items():
        peers[name] = tapped(world, {".": lie}, maximum=maximum)
        world.route(f"{name}.test", demand(world) + ANEW, peers[name])
    server = world.start()
    for name, peer in peers.items():
        record = world.outcome(f"{name}.test")
        assert (record["event"], record["reason"], record["stage"]) == ("defer", "lost", "final"), (name, record)
        assert not peer.messages, name
    for name, peer in peers.items():
        until(lambda name=name: server.records("deliver", to=f"kim@{name}.test"), f"the second attempt at {name}")
        assert len(peer.messages) == 1, name


def test_what_was_taken_is_delivered_however_the_connection_ends(world):  # noqa: F811
    """An end behind the 250 takes nothing back; close_notify or none."""
    def taken(conversation, line):
        conversation.peer.take(conversation.sender, conversation.recipients, conversation.contents[-1])
        conversation.client.sendall(b"250 2.0.0 taken\r\n")

    bare, ended = tapped(world, {".": lambda c, l: (taken(c, l), then_over()(c, l))}), \
        tapped(world, {".": lambda c, l: (taken(c, l), then_over(ends)(c, l))})
    world.route("bare.test", demand(world) + ANEW, bare)
    world.route("ended.test", demand(world) + ANEW, ended)
    server = world.start()
    for domain, peer in (("bare.test", bare), ("ended.test", ended)):
        world.delivered(domain)
        assert len(peer.messages) == 1 and len(peer.conversations) == 1
    assert not server.records("defer")


def test_a_host_that_ends_early_is_left_at_each_stage(world):  # noqa: F811
    stages = ("EHLO", "MAIL", "RCPT", "DATA")
    for stage, (name, act) in itertools.product(stages, {"cut": then_over(), "ended": then_over(ends)}.items()):
        peer = tapped(world, {stage: inside(act)})
        world.route(f"{name}.{stage.lower()}.test", demand(world) + ANEW, peer)
    server = world.start()
    for stage, name in itertools.product(stages, ("cut", "ended")):
        record = world.outcome(f"{name}.{stage.lower()}.test")
        assert (record["event"], record["reason"]) == ("defer", "lost"), (stage, name, record)
    for stage, name in itertools.product(stages, ("cut", "ended")):
        to = f"kim@{name}.{stage.lower()}.test"
        until(lambda to=to: server.records("deliver", to=to), f"the second attempt for {to}")
    assert all(len(peer.messages) == 1 for peer in world.peers)


def test_a_host_that_says_why_in_the_middle_of_content_is_heard(world):  # noqa: F811
    """Inside TLS as in clear: what it said lies in our kernel when the connection is gone."""
    peer = world.peer(None, {"content": ("452 4.3.1 my disk is full", "drop")})
    world.route("full.test", demand(world), peer)
    world.start()
    record = world.outcome("full.test", LARGE)
    assert (record["event"], record.get("code"), record["stage"]) == ("defer", 452, "content"), record


def test_one_octet_at_a_time_is_as_good_as_all_at_once(world):  # noqa: F811
    """Segments of one octet below TLS, records of one octet inside."""
    for name, maximum in (("old", ssl.TLSVersion.TLSv1_2), ("new", ssl.TLSVersion.TLSv1_3)):
        slow = {"greeting": Slowly("220 peer.test"), "MAIL": Slowly("250 2.1.0 ok"), "RCPT": Slowly("250 2.1.5 ok"),
                "DATA": Slowly("354 go"), ".": Slowly("250 2.0.0 taken")}
        peer = tapped(world, kind=InSteps, maximum=maximum, always=slow)
        world.route(f"{name}.test", demand(world), peer)
    world.start()
    for name in ("old", "new"):
        assert world.delivered(f"{name}.test")["tls"]
    assert all(peer.messages[0][2].endswith(LETTER) for peer in world.peers)


def test_a_handshake_without_end_ends_and_holds_up_nobody(world):  # noqa: F811
    """As long as it takes octets, and as long as it has time: then it is over."""
    lies = {
        "hello": (Endless("\x16\x03\x03\x00\x10" + "\0" * 16), "the peer's handshake has no end"),
        "empty": (Endless("\x16\x03\x03\x00\x00"), ""),
        "slow": (("\x16\x03\x03\x40\x00\x02\x00\x3f\x00", Dripping("\0")), "timed out in the TLS handshake"),
        "warnings": (Endless("\x15\x03\x03\x00\x02\x01\x70"), ""),
    }
    for name, (lie, _) in lies.items():
        if isinstance(lie, tuple):
            lie = (Raw(lie[0]), lie[1])
        world.route(f"{name}.test", demand(world) + "timeout ehlo 2s;", world.peer(None, always=answers(lie)))
        world.route(f"{name}.may.test", "timeout ehlo 2s;", world.peer(None, answers(lie)))
    world.route("good.test", demand(world), world.peer())
    server = world.start()
    for name, (_, words) in lies.items():
        assert server.send(LETTER, to=f"kim@{name}.test") == 250
    assert world.delivered("good.test")["tls"] == "TLSv1.3"
    for name, (_, words) in lies.items():
        record = until(lambda name=name: server.records("defer", to=f"kim@{name}.test"), f"the end of {name}")[0]
        assert (record["reason"], record["stage"]) == ("tls", "tls"), record
        assert words in record["error"], record
        assert "tls" not in world.delivered(f"{name}.may.test")


def test_alerts_and_old_versions_are_failures_in_words(world):  # noqa: F811
    alert = "\x15\x03\x03\x00\x02\x02"
    lies = {
        "fatal": (alert + "\x28", "the peer says: handshake failure"),
        "name": (alert + "\x70", "the peer says: unrecognized name"),
        "version": (alert + "\x46", "no TLS version in common"),
        "internal": (alert + "\x50", "the peer says: internal error"),
        "ten": ("\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" + "r" * 32 + "\x00\x00\x2f\x00", "no TLS version in common"),
    }
    for name, (lie, _) in lies.items():
        script = answers((Raw(lie), STALL))
        world.route(f"{name}.test", demand(world, "encrypt"), world.peer(None, always=script))
        world.route(f"{name}.may.test", "", world.peer(None, script))
    server = world.start()
    for name, (_, words) in lies.items():
        world.deferred(f"{name}.test", words)
        assert "tls" not in world.delivered(f"{name}.may.test")
    # Who reads the log at night: which host, where, what was wrong, and what was done about it.
    for record in server.records("tls_fail"):
        assert record["host"] == HOST and record["peer"] == "127.0.0.1" and record["error"] and record["level"] == "warning"
    assert len(server.records("tls_fail", action="clear")) == len(lies)


def test_what_each_level_takes_of_a_certificate(world):  # noqa: F811
    """FACE 1.7. What says that it must be stapled (RFC 7633) is taken without: OCSP is not asked, revocation not looked up."""
    pairs = {
        "good": (world.ca.issue(HOST), None),
        "staple": (world.ca.issue(HOST, must_staple=True), None),
        "old": (world.ca.issue(HOST, days=-1), "the certificate of mx.peer.test expired on 20"),
        "young": (world.ca.issue(HOST, begins=1), "the certificate of mx.peer.test is not valid before 20"),
        "self": (world.ca.issue(HOST, self_signed=True), "signed by itself"),
        "name": (world.ca.issue("elsewhere.test"), "is for elsewhere.test, not for mx.peer.test"),
        "nul": (world.ca.issue(HOST + "\0.evil.test"), "NUL"),
    }
    for (name, (pair, _)), level in itertools.product(pairs.items(), LEVELS):
        world.route(f"{level}.{name}.test", demand(world, level), world.peer(pair))
    for name, (pair, _) in pairs.items():
        world.route(f"fingerprint.{name}.test", f"tls-level fingerprint sha256:{pair.fingerprint()};", world.peer(pair))
    server = world.start()
    for (name, (_, words)), level in itertools.product(pairs.items(), LEVELS + ("fingerprint",)):
        if words and level in ("verify", "secure"):
            world.deferred(f"{level}.{name}.test", words)
        else:
            assert world.delivered(f"{level}.{name}.test").get("tls") == (None if level == "none" else "TLSv1.3")
    assert not any(record["resumed"] for record in server.records("tls"))


def test_who_shows_another_certificate_is_told_by_its_fingerprints(world):  # noqa: F811
    """Both are in the log, to be compared with what its owner says, and written into the configuration."""
    pair = world.ca.issue(HOST)
    world.route("other.test", f"tls-level fingerprint sha256:{'00' * 32};", world.peer(pair))
    world.start()
    record = world.deferred("other.test", "another certificate than expected")
    assert pair.fingerprint() in record["error"] and pair.key_fingerprint() in record["error"]


def test_many_hosts_that_break_off_at_once_lose_nothing(world):  # noqa: F811
    """Connections of one process end in each way while others go on."""
    acts = itertools.cycle([then_over(), then_over(cuts(b"250 2.0.0 taken\r\n", 3)), then_over(ends), None])
    for n in range(12):
        act = next(acts)
        world.route(f"n{n}.test", demand(world) + ANEW, tapped(world, {".": act} if act else {}))
    server = world.start()
    threads = [threading.Thread(target=lambda n=n: server.send(LETTER, to=f"kim@n{n}.test")) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(12):
        until(lambda n=n: server.records("deliver", to=f"kim@n{n}.test"), f"the delivery to n{n}")
    assert [len(peer.messages) for peer in world.peers] == [1] * 12
