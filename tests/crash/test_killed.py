"""
Under load from several sessions, relaying to hosts that do badly, processes are killed and stopped, one at a time and all
at once, again and again.

Nothing acknowledged is lost (C056). A mailbox has each message once. What another host has twice is only what DESIGN 3
allows, and has its `duplicate` record. Nobody waits for ever: a session has a reply or its end in time, and all goes on
afterwards. VEREDUS_KILL_SECONDS is how long each test keeps on, VEREDUS_KILL_SEED which way it goes.
"""
import collections
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from faults import Stopped
from harness import PROGRAM, Failed, Wire, field, until
from peer import Peer
from scripted_peer import DROP, STALL, ScriptedPeer

SECONDS = float(os.environ.get("VEREDUS_KILL_SECONDS", "8"))
SEED = int(os.environ.get("VEREDUS_KILL_SEED", "1"))
SESSIONS = 6
WORKERS = ["receive", "queue", "send", "resolve", "lookup", "deliver", "submit"]
PAUSE = 0.03  # of each session: what comes in can go out again
PATIENCE = 60  # what a client waits for the reply to the final dot, at most

TOP = """\
relay-from 127.0.0.1;
postmaster bob@example.test;
retry 1s 2s;
dead-host 1s;
"""
HOST = """retry 500ms; dead-host 500ms; connections 20 start 10;
    timeout greeting 2s; timeout ehlo 2s; timeout mail 2s; timeout rcpt 2s; timeout data 2s; timeout block 2s;
    timeout final 2s;"""


def whims(seed, calm):
    """Replies by chance: mostly good ones, else not now, silence, or the end of the connection; all good when CALM."""
    chance = random.Random(seed)
    lock = threading.Lock()

    def reply(talk, line):
        with lock:
            what = 1 if calm.is_set() else chance.random()
        return "451 4.3.0 not now" if what < 0.06 else DROP if what < 0.09 else STALL if what < 0.1 else None

    return {stage: reply for stage in ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "content", "."]}


class Hosts:
    """Other hosts, by the domain that is theirs."""

    def __init__(self, seed):
        self.calm = threading.Event()
        self.of = {"well": ScriptedPeer(), "whims": ScriptedPeer(always=whims(seed, self.calm)),
                   "lmtp": ScriptedPeer(always=whims(seed + 1, self.calm), lmtp=True)}

    def routes(self):
        return "".join(f"route {name}.example {'lmtp' if peer.lmtp else 'smtp'}://127.0.0.1:{peer.port} {{ {HOST} }}\n"
                       for name, peer in self.of.items())

    def arrived(self):
        return collections.Counter(address for peer in self.of.values() for address in peer.arrived())

    def close(self):
        for peer in self.of.values():
            peer.close()
        assert not [fault for peer in self.of.values() for fault in peer.faults]


class Load:
    """Sessions that send as fast as they are let, and come again when they are cut off."""

    def __init__(self, server, seed):
        self.server = server
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.count = 0
        self.taken = {}  # Message-ID: address elsewhere
        self.refused, self.unknown = 0, 0
        self.longest = 0.0
        self.wrong = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.session) for _ in range(SESSIONS)]
        for thread in self.threads:
            thread.start()

    def next(self):
        with self.lock:
            self.count += 1
            host = self.chance.choice(["well", "whims", "lmtp"])
            size = self.chance.choice([100] * 12 + [20_000, 300_000])
            return f"n{self.count}", host, size

    def session(self):
        while not self.over.is_set():
            try:
                with Wire(self.server.port) as wire:
                    wire.socket.settimeout(PATIENCE + 10)
                    wire.ehlo()
                    while not self.over.is_set() and self.one(wire):
                        time.sleep(PAUSE)
            except TimeoutError:
                self.wrong.append(f"no reply within {PATIENCE + 10} s")
            except (OSError, EOFError):
                time.sleep(0.02)  # it is not there now

    def one(self, wire):
        name, host, size = self.next()
        there = f"{name}@{host}.example"
        octets = f"From: carol@example.net\r\nMessage-ID: <{name}@killed>\r\n\r\n".encode() + (b"x" * 76 + b"\r\n") * (size // 78)
        began = time.monotonic()
        try:
            reply = wire.transaction(octets, to=["ada@example.test", there], sender="carol@example.test")
        except (OSError, EOFError):
            with self.lock:
                self.unknown += 1
            raise
        with self.lock:
            self.longest = max(self.longest, time.monotonic() - began)
            if reply == 250:
                self.taken[f"{name}@killed"] = there
            elif reply.code // 100 == 4:
                self.refused += 1
            else:
                self.wrong.append(repr(reply))
        if reply.code // 100 == 4 and reply.code != 421:
            wire.cmd("RSET")
        return reply.code != 421

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE + 20)
            assert not thread.is_alive(), "a session waits still"
        assert not self.wrong, self.wrong[:5]
        assert self.longest < PATIENCE, f"a reply took {self.longest:.0f} s"


def pids_of(server, kind):
    return server.workers().get(kind, [])


def kill_one(server, chance, kind):
    """One process of KIND, and what comes in its place; False when there is none now."""
    pids = pids_of(server, kind)
    if not pids:
        return False
    pid = chance.choice(pids)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    until(lambda: pid not in pids_of(server, kind), f"the end of a {kind} process")
    if kind != "deliver":  # that one comes when it is needed
        until(lambda: len(pids_of(server, kind)) >= len(pids), f"another {kind} process", 30)
    return True


def stop_one(server, chance, kind):
    if not pids_of(server, kind):
        return False
    try:
        with Stopped(server, kind):
            time.sleep(chance.uniform(0.1, 1.5))
    except (ProcessLookupError, FileNotFoundError):
        return False
    return True


def kill_all(server, chance):
    server.kill()
    server.start()
    return True


def story(server, address, name):
    """What the log has about one message."""
    ids = {record["id"] for record in server.records() if name == record.get("msgid") or
           address in (record.get("to"), record.get("original"))}
    return "\n".join(line for line in server.log_lines() if any(one in line for one in ids)) or "nothing in the log"


def veredus(server, *words):
    return subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "VEREDUS_CONFIG": server.path("veredus.conf")}, timeout=30).stdout


def release_suspects(server):
    """What was in hand at two deaths is held and named (ADR 0002); somebody looks at it, and lets it go."""
    for name in {record["id"] for record in server.records("hold", reason="deaths")}:
        veredus(server, "queue", "release", name)


def doubts(server):
    """How often the log said that an address elsewhere may have it twice: each record says of which message, to whom and why."""
    records = server.records("duplicate")
    assert not [record for record in records if not (record.get("id") and record.get("to") and record.get("cause"))]
    return collections.Counter(record["to"] for record in records)


def check_end(server, hosts, load, told=True):
    """All that was acknowledged is where it should be; TOLD: the log is whole."""
    release_suspects(server)

    def missing():
        found = {field(message, "Message-ID")[0].strip("<>") for message in server.mail("ada")}
        there = hosts.arrived()
        return [name for name, address in load.taken.items() if name not in found or not there[address]]
    try:
        until(lambda: not missing(), "all that was acknowledged", 90)
    except Failed:
        lost = missing()
        raise Failed(f"{len(lost)} of {len(load.taken)} acknowledged messages did not arrive everywhere: {lost[:5]}\n" +
                     story(server, load.taken[lost[0]], lost[0]) + "\n" + veredus(server, "site")) from None
    copies = collections.Counter(field(message, "Message-ID")[0].strip("<>") for message in server.mail("ada"))
    assert not [name for name, n in copies.items() if n > 1], "twice in a Maildir"
    if told:
        said = doubts(server)
        unsaid = {address: n for address, n in hosts.arrived().items() if n > 1 + said[address]}
        assert not unsaid, "twice, without a record: " + ", ".join(
            f"{address} {n} times, {said[address]} records" for address, n in unsaid.items())


@pytest.fixture
def under_load(make_server):
    """under_load(ACTS, TOLD): does one of ACTS at a time, by chance, while mail comes in and goes out."""
    made = []

    def run(acts, told=True, seed=SEED):
        hosts = Hosts(seed)
        made.append(hosts)
        server = make_server(users=["ada", "bob"], top=TOP + hosts.routes())
        server.expect("*")
        chance = random.Random(seed)
        load = Load(server, seed)
        done = collections.Counter()
        end = time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                before = len(load.taken)
                name, act, *more = chance.choice(acts)
                done[name] += act(server, chance, *more)
                time.sleep(chance.uniform(0, 0.3))
                until(lambda before=before: len(load.taken) > before + 3 or load.wrong, f"mail to be taken after {name}", 60)
        finally:
            load.over.set()
        load.end()
        hosts.calm.set()
        check_end(server, hosts, load, told)
        print(f"seed {seed}: {dict(done)}; {len(load.taken)} taken, {load.refused} refused, {load.unknown} cut off, "
              f"{sum(n - 1 for n in hosts.arrived().values() if n > 1)} twice, longest {load.longest:.1f} s")
        return done

    yield run
    for hosts in made:
        hosts.close()


def kills(*kinds):
    return [("kill " + kind, kill_one, kind) for kind in kinds]


def stops(*kinds):
    return [("stop " + kind, stop_one, kind) for kind in kinds]


def test_c056_one_process_after_the_other_is_killed(under_load):
    assert sum(under_load(kills("receive", "queue", "send", "resolve", "lookup", "deliver", "submit")).values()) > 3


def test_c056_the_queue_and_those_who_send_are_killed(under_load):
    """The three that have to agree on what has been sent."""
    assert sum(under_load(kills("queue", "send", "deliver")).values()) > 3


def test_c056_the_whole_server_is_killed(under_load):
    assert sum(under_load([("kill all", kill_all)]).values()) > 2


def test_c056_processes_are_stopped_and_go_on(under_load):
    """Nobody is killed and no host loses what it took, so nothing is sent twice."""
    assert sum(under_load(stops(*WORKERS)).values()) > 3


def test_c056_everything_happens(under_load):
    assert sum(under_load(kills(*WORKERS) + stops(*WORKERS) + [("kill all", kill_all)] * 2).values()) > 3


def test_c056_who_writes_the_log_is_killed_and_stopped(under_load):
    """Records are lost, mail is not (ADR 0018); so the log says nothing of what came twice."""
    acts = kills("control", "queue", "send") + stops("control", "queue")
    assert sum(under_load(acts, told=False).values()) > 3


# ---- what may be there twice ----

@pytest.fixture
def in_hand(make_server):
    """A server, a host that has the content of a message and says nothing yet, what lets it speak, and the message's id."""
    speak, has_it = threading.Event(), threading.Event()

    def answer(verb, line):
        if verb == ".":
            has_it.set()
            speak.wait(60)

    peer = Peer(answer)
    server = make_server(top=f"relay-from 127.0.0.1; route there.example smtp://127.0.0.1:{peer.port};")
    server.expect("*")
    name = server.send(b"Subject: one\r\n\r\nx\r\n", sender="carol@example.test", to="kim@there.example").id
    assert has_it.wait(30)
    yield server, speak, name
    speak.set()
    peer.close()


def has_successor(server, name):
    """The queue that has it in hand is killed; the next one is told of it."""
    assert kill_one(server, random, "queue")
    until(lambda: '"state":"sending"' in veredus(server, "queue", "list", "--json", name), "its lease")


def test_who_may_have_it_twice_is_named_by_a_queue_that_never_read_it(in_hand):
    server, speak, name = in_hand
    has_successor(server, name)
    assert kill_one(server, random, "send")
    record = server.wait_record("duplicate", id=name)
    assert (record["from"], record["to"]) == ("carol@example.test", "kim@there.example")
    assert record["cause"] == "the send process ended with it in hand"
    assert "site" not in record
    record = server.wait_record("defer", id=name, reason="lost")
    assert record["to"] == "kim@there.example" and record["size"]
    speak.set()
    server.wait_record("done", id=name)


def test_an_outcome_that_was_kept_says_whose_it_is(in_hand):
    server, speak, name = in_hand
    has_successor(server, name)
    speak.set()
    record = server.wait_record("deliver", id=name)
    assert (record["from"], record["to"]) == ("carol@example.test", "kim@there.example") and record["size"]
    assert not server.records("duplicate")


def test_after_the_end_of_all_the_one_that_was_in_hand_is_named(in_hand):
    server, speak, name = in_hand
    server.kill()
    speak.set()
    server.start()
    record = server.wait_record("duplicate", id=name)
    assert record["to"] == "kim@there.example" and "ended without notice" in record["cause"]
    server.wait_record("done", id=name)
