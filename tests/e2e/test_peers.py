"""Hosts that misbehave, one for each way of it, and what becomes of mail for them (RFC 5321 4.2, 4.5.3.2, 4.5.4)."""
import collections
import dataclasses
import email
import json
import random
import re
import socket

import pytest

from harness import Server, record_of, until
from scripted_peer import DROP, OFFERS, STALL, Dripping, Endless, FullPeer, Raw, ScriptedPeer, Slowly

LETTER = b"From: ada@example.test\r\nSubject: x\r\n\r\nhello\r\n"
LARGE = LETTER + b"eighty octets a line, as many as fill what the kernels keep between two hosts.\r\n" * 65536
DOTTED = LETTER + b".eighty octets a line, and a dot that is doubled before each on its way to them.\r\n" * 65536
EIGHT_BIT = b"Subject: x\r\n\r\ngr\xc3\xbcn\r\n"

NO_PIPELINING = tuple(word for word in OFFERS if word != "PIPELINING")


@dataclasses.dataclass
class Case:
    """Mail for NAME.example, and the peers that its route has. EXPECTED: fields of the record of its first outcome."""
    name: str
    peers: list
    options: str = ""
    expected: dict = dataclasses.field(default_factory=dict)
    octets: bytes = LETTER
    parameters: str = ""
    to: tuple = ("Kim",)
    scheme: str = "smtp"
    in_doubt: bool = False

    def addresses(self):
        return [f"{local}@{self.name}.example" for local in self.to]

    @property
    def sender(self):
        return f"ada+{self.name}@example.test"

    def route(self):
        targets = " ".join(f"{self.scheme}://127.0.0.1:{peer if isinstance(peer, int) else peer.port}"
                           for peer in self.peers)
        return f"route {self.name}.example {targets}" + (f" {{ {self.options} }}\n" if self.options else ";\n")


CASES = {}


def case(name, script=None, options="", peer=None, octets=LETTER, parameters="", to=("Kim",), in_doubt=False,
         offers=OFFERS, lmtp=False, **expected):
    """A case whose first connection goes as SCRIPT says, and all others well."""
    def make():
        peers = peer() if peer else ScriptedPeer(script or {}, offers=offers, lmtp=lmtp)
        return Case(name, peers if isinstance(peers, list) else [peers], options, expected, octets, parameters, to,
                    "lmtp" if lmtp else "smtp", in_doubt)
    CASES[name] = make
    return name


# ---- what is tried again: first the outcome that is recorded, then, from a host that does better, all of it ----

TRIED_AGAIN = [
    # Silence at each stage (C153): the time-out that applies is the one of that stage alone.
    case("stall-connect", options="timeout connect 1s;", peer=FullPeer, stage="connect", reason="timeout"),
    case("stall-greeting", {"greeting": STALL}, "timeout greeting 1s;", stage="greeting", reason="timeout"),
    case("stall-ehlo", {"EHLO": STALL}, "timeout ehlo 1s;", stage="ehlo", reason="timeout"),
    case("stall-mail", {"MAIL": STALL}, "timeout mail 1s;", stage="mail", reason="timeout"),
    case("stall-rcpt", {"RCPT": STALL}, "timeout rcpt 1s;", stage="rcpt", reason="timeout"),
    case("stall-data", {"DATA": STALL}, "timeout data 1s;", stage="data", reason="timeout"),
    case("stall-content", {"content": STALL}, "timeout block 1s;", octets=LARGE, stage="content", reason="timeout"),
    case("stall-content-dots", {"content": STALL}, "timeout block 1s;", octets=DOTTED, stage="content",
         reason="timeout"),
    case("stall-dot", {".": STALL}, "timeout final 1s;", in_doubt=True, stage="final", reason="timeout"),
    case("drip-greeting", {"greeting": Dripping("220-\r\n")}, "timeout greeting 1s;", stage="greeting",
         reason="timeout"),
    case("drip-mail", {"MAIL": Dripping("2")}, "timeout mail 1s;", stage="mail", reason="timeout"),
    # Not now, at each stage (C159). What a greeting or EHLO says concerns the host, not the mail.
    case("greeting-421", {"greeting": "421 4.3.2 not now"}, stage="greeting", code=421, status="4.3.2"),
    case("greeting-554", {"greeting": "554 no service"}, stage="greeting", code=554, reply="no service"),
    case("ehlo-450", {"EHLO": "450 4.7.0 not now"}, stage="ehlo", code=450, status="4.7.0"),
    case("ehlo-550", {"EHLO": "550 5.7.1 no"}, stage="ehlo", code=550, status="4.7.1"),
    case("helo-550", {"EHLO": "500 what", "HELO": "550 5.7.1 no"}, stage="ehlo", code=550, status="4.7.1"),
    case("mail-451", {"MAIL": ["451 4.3.5 later"]}, stage="mail", code=451, status="4.3.5", reply="later"),
    case("rcpt-450", {"RCPT": ["450 4.2.1 busy"]}, stage="rcpt", code=450, status="4.2.1", reply="busy"),
    case("rcpt-452", {"RCPT": ["452 4.2.2 over quota"]}, stage="rcpt", code=452, status="4.2.2", reason="mailbox-full"),
    case("rcpt-452-first", {"RCPT": ["452 4.5.3 too many"]}, stage="rcpt", code=452, status="4.5.3"),
    case("data-451", {"DATA": ["451 4.3.0 later"]}, stage="data", code=451, status="4.3.0"),
    case("dot-451", {".": ["451 4.3.0 later"]}, stage="final", code=451, status="4.3.0"),
    case("unknown-4yz", {"MAIL": ["477 strange"]}, stage="mail", code=477, status="4.0.0", reply="strange"),
    case("class-of-the-code", {"RCPT": ["450 5.2.1 busy"]}, stage="rcpt", code=450, status="4.2.1"),
    # The end of a connection at each stage (C154).
    case("drop-greeting", {"greeting": DROP}, stage="greeting", reason="lost"),
    case("drop-ehlo", {"EHLO": DROP}, stage="ehlo", reason="lost"),
    case("drop-mail", {"MAIL": DROP}, stage="mail", reason="lost", status="4.4.2"),
    case("drop-rcpt", {"RCPT": DROP}, stage="rcpt", reason="lost", status="4.4.2"),
    case("drop-data", {"DATA": DROP}, stage="data", reason="lost", status="4.4.2"),
    case("drop-content", {"content": DROP}, octets=LARGE, stage="content", reason="lost", status="4.4.2"),
    case("drop-content-dots", {"content": DROP}, octets=DOTTED, stage="content", reason="lost", status="4.4.2"),
    case("drop-dot", {".": DROP}, in_doubt=True, stage="final", reason="lost", status="4.4.2"),
    # 421 may be said at any time (RFC 5321 3.8).
    case("421-ehlo", {"EHLO": "421 4.3.2 closing"}, stage="ehlo", code=421, status="4.3.2"),
    case("421-mail", {"MAIL": "421 4.3.2 closing"}, stage="mail", code=421, status="4.3.2"),
    case("421-rcpt", {"RCPT": "421 4.3.2 closing"}, stage="rcpt", code=421, status="4.3.2"),
    case("421-data", {"DATA": "421 4.3.2 closing"}, stage="data", code=421, status="4.3.2"),
    case("421-content", {"content": "421 4.3.2 closing"}, octets=LARGE, code=421, status="4.3.2"),
    case("421-dot", {".": "421 4.3.2 closing"}, stage="final", code=421, status="4.3.2"),
    # What was said before the end is heard, though there is something left to write.
    case("421-gone", {"MAIL": ("421 4.3.2 closing", DROP)}, stage="mail", code=421, status="4.3.2"),
    case("421-gone-content", {"content": ("421 4.3.2 closing", DROP)}, octets=LARGE, code=421, status="4.3.2"),
    # 521 of one host decides nothing while another may come back (RFC 7504 3).
    case("521-and-down", peer=lambda: [ScriptedPeer({"greeting": "521 5.3.2 never"}), DOWN.port], stage="greeting",
         code=521),
    # What is no SMTP.
    case("no-reply-line", {"MAIL": "hello"}, stage="mail", status="4.5.0"),
    case("http-greeting", {"greeting": "HTTP/1.1 400 Bad Request"}, stage="greeting"),
    case("contradiction", {"MAIL": "250-yes\r\n550 no"}, stage="mail", status="4.5.0"),
    case("third-kind", {"RCPT": "354 go on"}, stage="rcpt", status="4.5.0"),
    case("endless-line", {"MAIL": Endless("x")}, stage="mail", status="4.5.0"),
    case("endless-reply", {"EHLO": Endless("250-word\r\n")}, stage="ehlo"),
    case("endless-greeting", {"greeting": Endless("x")}, stage="greeting"),
    case("endless-dot", {".": Endless("250-word\r\n")}, in_doubt=True, stage="final", status="4.5.0"),
    case("contradiction-dot", {".": "250-yes\r\n550 no"}, in_doubt=True, stage="final", status="4.5.0"),
    # Replies are counted (C087): where the count is wrong nobody knows what was meant.
    case("one-too-many", {"MAIL": "250 ok\r\n250 ok"}, stage="data", status="4.5.0"),
    case("one-too-many-alone", {"MAIL": "250 ok\r\n250 ok"}, offers=NO_PIPELINING, status="4.5.0"),
    case("one-too-few", {"RCPT": ["250 ok", Raw("")]}, to=("Kim", "lea"), stage="rcpt", status="4.5.0"),
    case("too-few-and-silence", {"RCPT": ["250 ok", Raw("")], "DATA": STALL}, "timeout rcpt 1s;", to=("Kim", "lea"),
         stage="rcpt", reason="timeout"),
    case("lmtp-lhlo", {"LHLO": "500 5.5.1 what"}, lmtp=True, stage="ehlo", code=500),
]

# ---- what is an answer, strange as it looks: taken at the first attempt ----

EVERYTHING = ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."]
TAKEN = [
    case("octets", {"greeting": Slowly("220-peer\r\n220 test"), "EHLO": Slowly("250-peer.test\r\n250 PIPELINING"),
                    "MAIL": Slowly("250-a\r\n250 b"), "RCPT": Slowly("250 2.1.5 ok"), "DATA": Slowly("354 go on"),
                    ".": Slowly("250 2.0.0 ok")}),
    case("codes-alone", {"greeting": "220", "EHLO": "250", "MAIL": "250", "RCPT": "250", "DATA": "354", ".": "250"}),
    case("codes-and-blanks", {"greeting": "220 ", "MAIL": "250 ", "RCPT": "250-\r\n250 ", "DATA": "354 "}),
    case("codes-unknown", {"greeting": "299 x", "EHLO": "277 x", "MAIL": "200 x", "RCPT": "259 x", ".": "266 x"}),
    case("codes-alike", {"MAIL": "250-x\r\n251 y", "RCPT": "251-x\r\n250 y"}),
    case("many-lines", {"greeting": "220-a\r\n220-b\r\n220 c", "EHLO": "250-a\r\n" + "250-X\r\n" * 100 + "250 Y",
                        "MAIL": "250-a\r\n250-b\r\n250 c", "DATA": "354-a\r\n354 b", ".": "250-a\r\n250 b"}),
    case("bare-lf", {"MAIL": Raw("250 ok\n"), "RCPT": Raw("250 ok\n"), ".": Raw("250 ok\n")}),
    case("ehlo-500", {"EHLO": "500 what"}),
    case("ehlo-502", {"EHLO": "502 5.5.1 not here"}),
    case("pipelined", peer=lambda: ScriptedPeer(hold=True), to=("Kim", "lea", "max")),
    case("one-by-one", offers=("8BITMIME",), to=("Kim", "lea", "max")),
    case("8bit", octets=EIGHT_BIT, parameters=" BODY=8BITMIME"),
    case("just-fits", offers=("SIZE 1000",)),
    case("no-limit", offers=("SIZE 0",), octets=LARGE),
    case("second-target", peer=lambda: [DOWN.port, ScriptedPeer()]),
    case("second-greeting", peer=lambda: [ScriptedPeer(always={"greeting": "554 5.3.2 not here"}), ScriptedPeer()]),
    case("second-silence", peer=lambda: [ScriptedPeer(always={"greeting": STALL}), ScriptedPeer()],
         options="timeout greeting 5s;"),  # the second has to say something within that
    case("second-of-a-full-one", peer=lambda: [FullPeer(), ScriptedPeer()], options="timeout connect 5s;"),
    case("second-ehlo", peer=lambda: [ScriptedPeer(always={"EHLO": DROP}), ScriptedPeer()]),
    case("lmtp", lmtp=True, to=("Kim", "lea")),
]

# ---- what is refused for good: one attempt, and a report to the sender ----

REFUSED = [
    case("greeting-521", {"greeting": "521 5.3.2 no mail here, ever"}, stage="greeting", code=521, status="5.3.2"),
    case("mail-550", {"MAIL": "550 5.7.1 not from you"}, stage="mail", code=550, status="5.7.1", reply="not from you"),
    case("rcpt-550", {"RCPT": "550 5.1.1 no such user"}, stage="rcpt", code=550, status="5.1.1", reason="no-user"),
    case("rcpt-551", {"RCPT": "551 5.1.6 moved"}, stage="rcpt", code=551, status="5.1.6", reply="moved"),
    case("rcpt-552", {"RCPT": "552 5.2.2 full"}, stage="rcpt", code=552, status="5.2.2", reason="mailbox-full"),
    case("data-554", {"DATA": "554 5.7.1 no"}, stage="data", code=554, status="5.7.1"),
    case("dot-554", {".": "554 5.6.0 not like this"}, stage="final", code=554, status="5.6.0", reply="not like this"),
    case("dot-552", {".": "552 too much"}, stage="final", code=552, status="5.3.4", reply="too much"),
    case("code-alone-550", {"RCPT": "550"}, stage="rcpt", code=550, status="5.0.0"),
    case("unknown-5yz", {"MAIL": "599 strange"}, stage="mail", code=599, status="5.0.0"),
    case("class-of-5yz", {"RCPT": "550 4.1.1 who"}, stage="rcpt", code=550, status="5.1.1"),
    case("several-lines", {"RCPT": "550-5.1.1 who\r\n550 5.1.1 is that"}, stage="rcpt", status="5.1.1",
         reply="who is that"),
    # C086: a lone dot ends what the server begins though nobody is left.
    case("354-for-nobody", {"RCPT": "550 5.1.1 no", "DATA": "354 go on"}, stage="rcpt", code=550, status="5.1.1"),
    # What a peer cannot take is not given to it.
    case("too-big", offers=("SIZE 1000",), octets=LETTER + b"a line\r\n" * 200, status="5.3.4", reason="too-big"),
    case("no-8bit", offers=("PIPELINING",), octets=EIGHT_BIT, parameters=" BODY=8BITMIME", status="5.6.3",
         reason="conversion"),
    case("utf8-address", to=("gr\u00fcn",), parameters=" SMTPUTF8", status="5.6.7", reason="no-extension"),
    case("utf8-header", octets=b"Subject: gr\xc3\xbcn\r\n\r\nhello\r\n", parameters=" SMTPUTF8 BODY=8BITMIME",
         status="5.6.9", reason="no-extension"),
]

# ---- cases that have tests of their own, which send their mail ----


def own(name, *scripts, options="", **how):
    """A case without mail: its first connections go as SCRIPTS say."""
    scheme = "lmtp" if how.get("lmtp") else "smtp"
    OWN[name] = lambda: Case(name, [ScriptedPeer(*scripts, **how)], options, scheme=scheme)


def at_most(count, reply):
    return lambda talk, line: reply if len(talk.recipients) >= count else None


def refuses(**replies):
    """A reply for each local part."""
    return lambda talk, line: replies.get(re.search("<([^@]*)@", line)[1])


def moody():
    """
    What is said is in the addresses: <ada+DATA-451.7@...> gets 451 to DATA, <x.RCPT-450.7@...> 450 to RCPT. 4yz is said
    once to each address, 5yz always.
    """
    said = set()

    def says(stage):
        def reply(talk, line):
            address = re.search("<([^>]*)>", line)[1] if "<" in line else talk.sender or ""
            found = re.search(stage + r"-(\d+)\.", address)
            if not found or (found[1][0] == "4" and address in said):
                return None
            said.add(address)
            return f"{found[1]} as you wish"
        return reply

    return {"MAIL": says("MAIL"), "RCPT": says("RCPT"), "DATA": says("DATA"), ".": says("DOT")}


def whims(seed, count):
    """COUNT misdeeds at any stage, one in four times, but as many replies as there must be; then it does well."""
    chance = random.Random(seed)
    left = [count]
    lost_250 = (Raw("250 2.0.0 take"), DROP)

    def stage(*misdeeds):
        def reply(_talk, _line):
            if not left[0] or chance.random() > 0.25:
                return None
            left[0] -= 1
            return chance.choice(misdeeds)
        return reply

    usual = ["451 4.3.0 later", "421 4.3.2 closing", DROP, ("421 4.3.2 closing", DROP), "what", "250-a\r\n450 b"]
    return {"greeting": stage(*usual), "EHLO": stage("500 what", *usual), "MAIL": stage("354 what", *usual),
            "RCPT": stage("452 4.5.3 too many", "354 what", *usual), "DATA": stage("250 what", *usual),
            "content": stage(DROP, "451 4.3.0 not this", "421 4.3.2 closing"), "RSET": stage(*usual),
            ".": stage(lost_250, "354 more", *usual)}


OWN = {}
LATE = "ada+late@example.test"
MOODY = ["moody", "moody-one-by-one", "moody-lmtp"]
own("moody", always=moody(), options="connections 2 start 2;")
own("moody-one-by-one", always=moody(), offers=NO_PIPELINING, options="connections 2 start 2;")
own("moody-lmtp", always=moody(), lmtp=True, options="connections 2 start 2;")
WHIMS = "connections 3; retry 100ms; dead-host 100ms; timeout rcpt 1s; timeout data 1s; timeout final 2s;"
WHIMSICAL = ["whims", "whims-one-by-one", "whims-lmtp"]
own("whims", always=whims(1, 60), options=WHIMS)
own("whims-one-by-one", always=whims(2, 60), offers=NO_PIPELINING, options=WHIMS)
own("whims-lmtp", always=whims(3, 60), lmtp=True, options=WHIMS)
own("limit-452", always={"RCPT": at_most(3, "452 4.5.3 too many recipients")})
own("limit-552", always={"RCPT": at_most(3, "552 too many recipients")})
own("hundreds")
own("lmtp-each", {".": ["250 2.0.0 ok", "450 4.2.1 busy", "550 5.2.1 closed"]}, lmtp=True)
own("lmtp-missing", {".": ["250 2.0.0 ok", DROP]}, lmtp=True)
own("lmtp-silent", {".": ["250 2.0.0 ok", STALL]}, lmtp=True, options="timeout final 2s;")
own("lmtp-half", {".": ["450 4.2.1 busy", DROP]}, lmtp=True)
own("lmtp-421", {".": ["250 2.0.0 ok", "421 4.3.2 closing"]}, lmtp=True)
own("content")
own("paths")
own("returned", always={"RCPT": "550 5.1.1 no such user"})
own("one-message", options="reuse 1;")
own("confirmed", {".": ["250 2.0.0 ok", DROP]}, options="connections 1 start 1;")
own("enough", {"MAIL": ["250 2.1.0 ok", "421 4.7.0 enough"]}, options="connections 1 start 1;")
own("goes-after", {".": ("250 2.0.0 ok", DROP)}, options="connections 1 start 1;")
own("rset", {"RCPT": ["550 5.1.1 no"], "RSET": "500 what"}, offers=NO_PIPELINING, options="connections 1 start 1;")
own("dead", always={"greeting": DROP}, options="dead-host 1h; retry 1h;")
own("lively")
own("null", always={"RCPT": "550 5.1.1 no such user"})
own("not-you", always={"MAIL": lambda talk, line: "550 5.7.1 not you" if "<eve" in line else None})
own("fates", always={"RCPT": refuses(lea="550 5.1.1 no lea", max="550 5.2.1 not max")})
own("fates2", {"RCPT": ["450 4.2.1 busy", "553 5.1.3 no noa"]})
own("late", always={"RCPT": "450 4.2.1 busy"}, options="delay-warning 1s; expire 5s;")

TOP = """\
relay-from 127.0.0.1;
postmaster bob@example.test;
retry 1s 2s;
dead-host 1s;
max-messages 10000;
"""


class Closed:
    """A port that nobody listens on, for as long as it lives."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]


DOWN = Closed()


class World:
    """One server, and all the peers. Its log and its mailboxes are read once, as they grow."""

    def __init__(self, cases):
        self.cases = cases
        self.server = Server(users=["ada", "bob", "eve"], top=TOP + "".join(c.route() for c in cases.values()))
        self.offset = 0
        self.known = []
        self.reports = {}

    def peers(self):
        return [peer for one in self.cases.values() for peer in one.peers if not isinstance(peer, int)]

    def read_log(self):
        with open(self.server.log_path, "rb") as log:
            log.seek(self.offset)
            octets = log.read()
        whole = octets[:octets.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            record = record_of(line)
            if record:
                self.known.append(record)

    def records(self, event, **fields):
        self.read_log()
        return [record for record in self.known
                if record["event"] == event and all(record.get(name) == value for name, value in fields.items())]

    def wait(self, event, **fields):
        return until(lambda: self.records(event, **fields), lambda: f"{event} {fields}; there is\n" + "\n".join(
            json.dumps(r) for r in self.known if fields.get("to") in (r.get("to"), None))[-4000:])

    def send(self, octets, **options):
        reply = self.server.send(octets, **options)
        assert reply == 250, reply
        return reply.id

    def mail(self, user):
        """Messages in the mailbox of USER; each is read once."""
        for path in self.server.mail_paths(user):
            if path not in self.reports:
                with open(path, "rb") as octets:
                    self.reports[path] = email.message_from_bytes(octets.read())
        return [message for path, message in self.reports.items() if f"/{user}/" in path]

    def reports_to(self, address, user="ada"):
        """The reports in the mailbox of USER that are for ADDRESS."""
        return [Report(message) for message in self.mail(user) if message["To"].strip("<>") == address]

    def wait_report(self, address, user="ada"):
        found = until(lambda: self.reports_to(address, user), f"a report to {address}")
        assert len(found) == 1
        return found[0]


class Report:
    """A delivery status notification, taken apart (RFC 3464)."""

    def __init__(self, message):
        self.message = message
        assert message.get_content_type() == "multipart/report"
        blocks = message.get_payload()[1].get_payload()
        self.recipients = {block["Final-Recipient"].partition(";")[2].strip(): block for block in blocks[1:]}


@pytest.fixture(scope="module")
def world():
    cases = {name: make() for name, make in {**CASES, **OWN}.items()}
    built = World(cases)
    try:
        built.server.start()
        with built.server.wire() as wire:
            wire.ehlo()
            for one in [cases[name] for name in CASES]:
                reply = wire.transaction(one.octets, to=one.addresses(), sender=one.sender, parameters=one.parameters)
                assert reply == 250, (one.name, reply)
            # It takes its time: meanwhile the others.
            assert wire.transaction(LETTER, to=address("late"), sender=LATE) == 250
        yield built
    finally:
        built.server.close()
        for peer in built.peers():
            peer.close()
    assert not [fault for peer in built.peers() for fault in peer.faults]


def address(name, local="Kim"):
    return f"{local}@{name}.example"


def check_first(world, one, event):
    """The first outcome of each recipient is as expected."""
    for address in one.addresses():
        first = world.wait(event, to=address)[0]
        assert first["attempt"] == 1
        # A reply stands as it was said, its status in front.
        found = {name: first.get(name) for name in one.expected}
        if "reply" in found:
            found["reply"] = found["reply"].removeprefix(first["status"]).lstrip()
        assert found == one.expected, first


@pytest.mark.parametrize("name", TRIED_AGAIN)
def test_c153_c154_c159_it_is_deferred_and_tried_again(world, name):
    one = world.cases[name]
    peer = one.peers[0]
    check_first(world, one, "defer")
    if isinstance(peer, FullPeer):
        peer.open()
    for address in one.addresses():
        assert len(world.wait("deliver", to=address)) == 1
        assert not world.records("fail", to=address)
    # Where the host may have taken it, that is said (C154): it may arrive twice. Elsewhere it arrived once.
    assert bool(world.records("duplicate", to=one.addresses()[0])) == one.in_doubt
    assert (sorted(set(peer.arrived())) if one.in_doubt else peer.arrived()) == sorted(one.addresses())
    assert all(content.endswith(one.octets) for _, _, content in peer.messages)
    assert not world.reports_to(one.sender)


@pytest.mark.parametrize("name", TAKEN)
def test_c147_it_is_taken_at_once(world, name):
    one = world.cases[name]
    for address in one.addresses():
        assert world.wait("deliver", to=address)[0]["attempt"] == 1
        assert not world.records("defer", to=address)
    peer = one.peers[-1]
    assert peer.arrived() == sorted(one.addresses())
    assert all(content.endswith(one.octets) for _, _, content in peer.messages)


@pytest.mark.parametrize("name", REFUSED)
def test_c159_c160_it_fails_and_the_sender_is_told(world, name):
    one = world.cases[name]
    check_first(world, one, "fail")
    report = world.wait_report(one.sender)
    assert list(report.recipients) == one.addresses() or name == "utf8-address"
    for block in report.recipients.values():
        assert block["Action"] == "failed"
        assert block["Status"] == one.expected["status"]
        if "code" in one.expected:
            assert block["Remote-MTA"].startswith("dns;")
            assert block["Diagnostic-Code"].startswith(f"smtp; {one.expected['code']}")
    assert not world.records("defer", to=one.addresses()[0])
    # Nobody asked twice, and nothing was taken.
    peer = one.peers[0]
    assert len(peer.conversations) == 1
    assert not peer.messages


# ---- how it is said ----

def test_c087_a_peer_with_pipelining_gets_groups(world):
    one = world.cases["pipelined"]
    world.wait("deliver", to=one.addresses()[0])
    talk = one.peers[0].conversations[0]
    # It said nothing before DATA had come; nothing came behind the last of a group.
    assert [line.split(" ")[0] for line in talk.lines[:6]] == ["EHLO", "MAIL", "RCPT", "RCPT", "RCPT", "DATA"]
    assert "EHLO" not in talk.ahead and "DATA" not in talk.ahead


def test_c087_a_peer_without_pipelining_gets_one_command_at_a_time(world):
    for name in ["one-by-one", "ehlo-500"]:
        one = world.cases[name]
        world.wait("deliver", to=one.addresses()[0])
        assert one.peers[0].conversations[0].ahead == []


@pytest.mark.parametrize("name", ["ehlo-500", "ehlo-502"])
def test_c146_c150_where_ehlo_is_unknown_helo_follows_and_nothing_is_taken_as_offered(world, name):
    one = world.cases[name]
    world.wait("deliver", to=one.addresses()[0])
    assert one.peers[0].conversations[0].lines[:5] == ["EHLO mail.example.test", "HELO mail.example.test",
                                                       f"MAIL FROM:<{one.sender}>",
                                                       f"RCPT TO:<{one.addresses()[0]}>", "DATA"]


@pytest.mark.parametrize("name, words", [("8bit", " BODY=8BITMIME"), ("codes-alone", ""), ("one-by-one", "")])
def test_c150_no_parameter_is_sent_that_was_not_offered(world, name, words):
    one = world.cases[name]
    world.wait("deliver", to=one.addresses()[0])
    assert re.sub(r" SIZE=\d+", "", one.peers[0].said("MAIL")[0]) == f"MAIL FROM:<{one.sender}>{words}"
    assert (" SIZE=" in one.peers[0].said("MAIL")[0]) == (name == "8bit")


@pytest.mark.parametrize("name", ["too-big", "no-8bit", "utf8-address", "utf8-header"])
def test_c081_c183_what_a_peer_cannot_take_is_not_begun(world, name):
    one = world.cases[name]
    world.wait_report(one.sender)
    assert one.peers[0].said("RCPT") == [] and one.peers[0].said("DATA") == []


def test_c148_c086_content_goes_only_behind_354_and_none_of_it_to_nobody(world):
    for name, contents in [("data-554", []), ("rcpt-550", []), ("354-for-nobody", [b""])]:
        one = world.cases[name]
        world.wait_report(one.sender)
        until(lambda: one.peers[0].conversations[0].contents == contents, f"{contents} of {name}")


def test_c155_the_last_word_is_quit(world):
    world.send(LETTER, to=address("one-message"), sender="ada@example.test")
    world.send(LETTER, to=address("one-message"), sender="ada@example.test")
    peer = world.cases["one-message"].peers[0]
    until(lambda: [talk.lines[-1] for talk in peer.conversations if talk.lines] == ["QUIT", "QUIT"], "two QUITs")
    assert len(peer.arrived()) == 2


LETTERS = [
    b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n...\r\n x.\r\n.\r\n",
    b".Subject: a dot first\r\n\r\n.\r\n",
    b"Subject: no body\r\n",
    b"Subject: empty body\r\n\r\n",
    b"Subject: empty lines\r\n\r\n\r\n\r\n\r\n",
    b"\r\nno header\r\n",
    b"Return-Path: <of@another.test>\r\nReturn-Path: <x@y.test>\r\nSubject: C069\r\n\r\nx\r\n",
    b"subject:no blank\r\nX:  two \r\n\tfolded \r\nNoColon\r\n\r\n" + b"x" * 998 + b"\r\n\t \r\n",
    b"Subject: large\r\n\r\n" + b".a line of content\r\n" * 20000 + b".\r\n",
    b"Subject: large without dots\r\n\r\n" + b"a line of content\r\n" * 20000 + b"\r\n",
]


def test_c052_c069_c149_content_goes_on_octet_by_octet_below_one_received_field(world):
    for octets in LETTERS:
        world.send(octets, to=address("content"), sender="ada@example.test")
    peer = world.cases["content"].peers[0]
    until(lambda: len(peer.arrived()) == len(LETTERS), "the letters")
    trace = rb"Received: [^\r]*\r\n(?:\t[^\r]*\r\n)*"
    found = [re.sub(rb"\A" + trace, b"", content, count=1) for _, _, content in peer.messages]
    assert sorted(found) == sorted(LETTERS)
    assert all(re.match(trace, content) for _, _, content in peer.messages)
    # RFC 1870 3: SIZE counts what is sent, without the dots that are doubled.
    assert sorted(int(line.partition(" SIZE=")[2]) for line in peer.said("MAIL")) == \
        sorted(len(content) for _, _, content in peer.messages)


def test_c024_c030_c032_paths_go_on_as_they_are_meant(world):
    given = ["KiM.X@paths.example", '"lea"@paths.example', '"a b"@paths.example', '"ma\\x"@paths.example',
             "@hop.test,@example.test:noa@paths.example", '"do\\"t"@paths.example', '"two..dots"@paths.example']
    assert world.send(LETTER, to=given, sender="@a.test,@b.test:ada+paths@example.test")
    peer = world.cases["paths"].peers[0]
    until(lambda: len(peer.arrived()) == len(given), "all of them")
    assert peer.said("RCPT") == [f"RCPT TO:<{local}@paths.example>" for local in
                                 ["KiM.X", "lea", '"a b"', "max", "noa", '"do\\"t"', '"two..dots"']]
    assert peer.said("MAIL")[0].split(" SIZE")[0] == "MAIL FROM:<ada+paths@example.test>"


def test_c031_c024_a_failure_goes_to_the_address_and_not_by_the_route(world):
    world.send(LETTER, to=address("returned", "KiM"), sender="@a.test,@b.test:ada+returned@example.test")
    report = world.wait_report("ada+returned@example.test")
    assert list(report.recipients) == [address("returned", "KiM")]


# ---- many recipients ----

@pytest.mark.parametrize("name", ["limit-452", "limit-552"])
def test_c152_too_many_recipients_go_in_later_transactions(world, name):
    to = [address(name, f"kim{i}") for i in range(8)]
    world.send(LETTER, to=to, sender="ada@example.test")
    for one in to:
        assert world.wait("deliver", to=one)[0]["attempt"] == 1
        assert not world.records("defer", to=one)
    peer = world.cases[name].peers[0]
    assert peer.arrived() == to
    assert [len(recipients) for _, recipients, _ in peer.messages] == [3, 3, 2]


def test_c151_a_transaction_has_at_most_a_hundred_recipients(world):
    to = sorted(address("hundreds", f"kim{i}") for i in range(250))
    world.send(LETTER, to=to, sender="ada@example.test")
    peer = world.cases["hundreds"].peers[0]
    until(lambda: len(peer.arrived()) >= 250, "all of them")
    assert peer.arrived() == to
    assert sorted(len(recipients) for _, recipients, _ in peer.messages) == [50, 100, 100]


def test_c058_c181_one_report_lists_those_that_failed(world):
    to = [address("fates"), address("fates", "lea"), address("fates", "max"), address("fates2"),
          address("fates2", "noa")]
    world.send(LETTER, to=to, sender="ada+fates@example.test")
    report = world.wait_report("ada+fates@example.test")
    assert {name: block["Status"] for name, block in report.recipients.items()} == {
        to[1]: "5.1.1", to[2]: "5.2.1", to[4]: "5.1.3"}
    for one in [to[0], to[3]]:
        world.wait("deliver", to=one)
    assert len(world.reports_to("ada+fates@example.test")) == 1


# ---- LMTP (RFC 2033 4.2) ----

def test_c134_each_recipient_of_lmtp_has_its_own_reply(world):
    to = [address("lmtp-each", local) for local in ["kim", "lea", "max"]]
    world.send(LETTER, to=to, sender="ada+lmtp-each@example.test")
    assert world.wait("deliver", to=to[0])[0]["attempt"] == 1
    assert world.wait("defer", to=to[1])[0]["code"] == 450
    assert world.wait("fail", to=to[2])[0]["code"] == 550
    assert list(world.wait_report("ada+lmtp-each@example.test").recipients) == [to[2]]
    world.wait("deliver", to=to[1])
    assert world.cases["lmtp-each"].peers[0].arrived() == to[:2]


@pytest.mark.parametrize("name, reason", [("lmtp-missing", "lost"), ("lmtp-silent", "timeout")])
def test_c134_a_missing_reply_concerns_its_recipient_alone(world, name, reason):
    to = [address(name, local) for local in ["kim", "lea", "max"]]
    world.send(LETTER, to=to, sender="ada@example.test")
    assert world.wait("deliver", to=to[0])[0]["attempt"] == 1
    for one in to[1:]:
        deferred = world.wait("defer", to=one)[0]
        assert (deferred["stage"], deferred["reason"]) == ("final", reason)
        assert world.wait("deliver", to=one)
        assert world.wait("duplicate", to=one)
    assert not world.records("duplicate", to=to[0])
    assert world.cases[name].peers[0].arrived() == to


@pytest.mark.parametrize("name, doubtful", [("lmtp-half", [False, True, True]), ("lmtp-421", [False, True, True])])
def test_c134_only_those_without_a_reply_are_in_doubt(world, name, doubtful):
    """421 is the reply for one recipient, and says nothing of those behind it."""
    to = [address(name, local) for local in ["kim", "lea", "max"]]
    world.send(LETTER, to=to, sender="ada@example.test")
    for one in to:
        world.wait("deliver", to=one)
    assert [bool(world.records("duplicate", to=one)) for one in to] == doubtful
    assert set(world.cases[name].peers[0].arrived()) == set(to)


# ---- one message after the other ----

@pytest.mark.parametrize("name, charged", [("confirmed", True), ("enough", False), ("goes-after", None)])
def test_c154_what_was_confirmed_is_not_sent_again(world, name, charged):
    to = [address(name, local) for local in ["kim", "lea"]]
    world.send(LETTER, to=to[0], sender="ada@example.test")
    world.wait("deliver", to=to[0])
    world.send(LETTER, to=to[1], sender="ada@example.test")
    last = world.wait("deliver", to=to[1])[0]
    assert world.cases[name].peers[0].arrived() == to
    assert not world.records("defer", to=to[0])
    # 421 to MAIL behind a transaction that was made: it had enough of the connection, not of this message.
    if charged is not None:
        assert (last["attempt"], len(world.records("defer", to=to[1]))) == ((2, 1) if charged else (1, 0))


def test_c154_a_transaction_that_was_left_does_not_concern_the_next(world):
    """RSET is refused there: the next message goes by another connection, and is not charged."""
    world.send(LETTER, to=address("rset"), sender="ada@example.test")
    world.wait("fail", to=address("rset"))
    world.send(LETTER, to=address("rset", "lea"), sender="ada@example.test")
    assert world.wait("deliver", to=address("rset", "lea"))[0]["attempt"] == 1
    peer = world.cases["rset"].peers[0]
    assert "RSET" in peer.conversations[0].lines and len(peer.conversations) == 2


def test_c159_a_refused_sender_is_not_remembered_against_others(world):
    peer = world.cases["not-you"].peers[0]
    for sender, local in [("eve", "kim"), ("ada", "lea"), ("eve", "max"), ("ada", "noa")]:
        world.send(LETTER, to=address("not-you", local), sender=f"{sender}@example.test")
    for local in ["kim", "max"]:
        assert world.wait("fail", to=address("not-you", local))[0]["code"] == 550
    for local in ["lea", "noa"]:
        assert world.wait("deliver", to=address("not-you", local))[0]["attempt"] == 1
    assert len(peer.said("MAIL FROM:<eve")) == 2


def test_c158_a_thousand_messages_do_not_make_a_thousand_connections(world):
    with world.server.wire() as wire:
        wire.ehlo()
        for _ in range(1000):
            wire.send(f"MAIL FROM:<ada@example.test>\r\nRCPT TO:<{address('dead')}>\r\nDATA\r\n")
            assert [wire.reply().code for _ in range(3)] == [250, 250, 354]
            wire.send(LETTER + b".\r\n")
            assert wire.reply() == 250
    # What came later went on meanwhile; nothing of it waits behind the dead.
    world.send(LETTER, to=address("lively"), sender="ada@example.test")
    world.wait("deliver", to=address("lively"))
    assert 1 <= len(world.cases["dead"].peers[0].conversations) <= 5
    assert any(record["state"] == "dead" for record in world.records("site"))


@pytest.mark.parametrize("name", MOODY)
def test_c087_c159_replies_are_for_those_that_they_were_said_of(world, name):
    """Many messages on few connections, refused here and there: each arrives once, or fails, as was said of it."""
    well, badly, ids = [], [], []
    with world.server.wire() as wire:
        wire.ehlo()
        for number in range(42):
            mood = ["x", "MAIL-451", "DATA-451", "DOT-451", "MAIL-550", "DATA-554", "DOT-554"][number % 7]
            to = [address(name, f"{local}.{number}") for local in ["kim", "x.RCPT-450", "x.RCPT-550", "lea"]]
            reply = wire.transaction(LETTER, to=to, sender=f"ada+{mood}.{number}@example.test")
            assert reply == 250
            ids.append(reply.id)
            (badly if "-5" in mood else well).extend(to[:2] + to[3:])
            badly.append(to[2])
    until(lambda: set(ids) <= {record["id"] for record in world.records("done")}, "the end of all")
    assert world.cases[name].peers[0].arrived() == sorted(well)
    for event, expected in [("deliver", well), ("fail", badly)]:
        assert sorted(r["to"] for r in world.records(event) if r["to"].endswith(f"@{name}.example")) == sorted(expected)


@pytest.mark.parametrize("name", WHIMSICAL)
def test_c154_c162_whatever_a_host_does_each_arrives_and_twice_only_where_that_was_said(world, name):
    to = sorted(address(name, f"{local}.{number}") for number in range(30) for local in ["kim", "lea"])
    with world.server.wire() as wire:
        wire.ehlo()
        for number in range(30):
            assert wire.transaction(LETTER, to=to[number * 2:number * 2 + 2], sender="ada@example.test") == 250
    for one in to:
        world.wait("deliver", to=one)
    arrived = collections.Counter(world.cases[name].peers[0].arrived())
    doubts = collections.Counter(record["to"] for record in world.records("duplicate"))
    assert sorted(arrived) == to
    assert {one: n for one, n in arrived.items() if n > 1 + doubts[one]} == {}


# ---- who is told ----

def test_c161_of_a_failure_of_a_null_reverse_path_the_postmaster_alone_is_told(world):
    before = len(world.mail("bob"))
    world.send(LETTER, to=address("null"), sender="")
    world.wait("fail", to=address("null"))
    until(lambda: len(world.mail("bob")) > before, "mail for the postmaster")
    told = world.mail("bob")[before:]
    assert len(told) == 1 and address("null") in told[0].as_string()
    assert [record["to"] for record in world.records("report", about=world.records("fail", to=address("null"))[0]["id"])
            ] == ["bob@example.test"]


def test_c160_c178_of_a_delay_and_then_of_its_end_the_sender_is_told(world):
    until(lambda: len(world.reports_to(LATE)) == 2, "two reports")
    told = {report.recipients[address("late")]["Action"]: report.recipients[address("late")]
            for report in world.reports_to(LATE)}
    assert told["delayed"]["Status"] == "4.2.1" and told["delayed"]["Will-Retry-Until"]
    assert told["failed"]["Status"] == "5.4.7" and not told["failed"]["Will-Retry-Until"]
    failed = world.wait("fail", to=address("late"))[0]
    assert failed["reason"] == "expired"
    assert failed["attempt"] > 1


def test_c162_every_message_has_its_end(world):
    """Delivered, or returned: nothing is dropped in silence."""
    world.wait("defer", to=address("stall-connect"))
    world.cases["stall-connect"].peers[0].open()
    for name in CASES:
        for one in world.cases[name].addresses():
            last = until(lambda one=one: world.records("deliver", to=one) or world.records("fail", to=one), one)[0]
            assert world.wait("done", id=last["id"])
