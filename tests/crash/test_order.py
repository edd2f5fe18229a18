"""
C056, INV-1, INV-2, INV-11: a 250 leaves after the octets are on stable storage; what became of a message is said when that is,
too.

The running server is watched by strace. For many of the moments at which a client had its 250, the disk is made again from
the synced writes alone, the server is started on that, and every message acknowledged by then must arrive. And for every
250, every outcome that a mailbox reports and every one that is called settled, the synced writes before it are looked at.
The same tests must fail where the sync is left out, and where the answer comes before it.
"""
import os
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

import disk_frames
import disk_trace
import harness
import spoken
from scripted_peer import ScriptedPeer

MESSAGES = 12
SESSIONS = 4
CUTS = 5


class TracedServer(harness.Server):
    """A server whose processes are under strace. SHUT: nothing can be delivered, so that all stays in the spool."""

    def __init__(self, program=harness.PROGRAM, inject=(), users=("ada",), top="", shut=True, calls=disk_trace.CALLS):
        # What was put off before the end is soon tried again after it.
        super().__init__(users=users, top="retry 1s;" + top)
        self.program, self.inject, self.calls = program, inject, calls
        self.trace = self.path("trace")
        os.mkdir(self.trace)
        if shut:
            os.chmod(self.path("mail"), 0)
        if shut and os.getuid() == 0:
            os.chown(self.path("mail"), 0, 0)

    def start(self, ready=True, arguments=()):
        self.log_seen = self.log_size()
        command = ["strace", "-ff", "-o", os.path.join(self.trace, "t"), "-ttt", "-T", "-y", "-xx", "-s", "300000",
                   "-e", "trace=" + self.calls, *self.inject, self.program, "run", "-c",
                   self.path("veredus.conf")]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        harness.until(lambda: self.process.poll() is not None or self.is_ready(),
                      lambda: "ready; it says\n" + self.log_text())
        return self


def body(number):
    return (f"Subject: {number}\r\nMessage-ID: <order-{number}@client.example.test>\r\n\r\n" +
            f"line of {number}\r\n" * 40).encode()


def send_all(server):
    """[(moment of the 250, Message-ID)] of messages sent by several sessions at once."""
    got, lock = [], threading.Lock()

    def one(session):
        with server.wire() as wire:
            wire.ehlo()
            for number in range(session, MESSAGES * SESSIONS, SESSIONS):
                reply = wire.transaction(body(number))
                now = time.time()
                if reply == 250:
                    with lock:
                        got.append((now, f"order-{number}@client.example.test"))

    threads = [threading.Thread(target=one, args=[n]) for n in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(got)


def record_run(make, **options):
    """What was acknowledged when, and the calls; the server is killed at the end."""
    server = make(**options)
    server.expect("*")
    server.start()
    acknowledged = send_all(server)
    server.kill()
    return server, acknowledged, traced(server)


def traced(server):
    events = disk_trace.read_events(server.trace)
    if not any(disk_trace.path_of(event.rest) for event in events if event.call == "fdatasync"):
        pytest.skip("needs root: strace may not see which files a process has open that is not dumpable")
    return events


def lost_at(server, acknowledged, events, moment, make_server):
    """Of the messages acknowledged by MOMENT, those that do not arrive from the disk as it was then."""
    disk = disk_trace.Disk(server.path("spool"))
    for event in events:
        if event.end <= moment:
            disk.apply(event)
    after = make_server(start=False, users=["ada"])
    after.expect("*")
    os.mkdir(after.path("spool"), 0o700)
    disk.write_to(after.path("spool"))
    if os.getuid() == 0:
        account = harness.pwd.getpwnam("nobody")
        for name in os.listdir(after.path("spool")):
            os.chown(after.path("spool", name), account.pw_uid, account.pw_gid)
    try:
        after.start()
    except harness.Failed:
        return None
    wanted = {name for when, name in acknowledged if when <= moment}

    def arrived():
        return {harness.field(message, "Message-ID")[0].strip("<>") for message in after.mail("ada")}
    try:
        harness.until(lambda: wanted <= arrived(), "what was acknowledged", 8)
    except harness.Failed:
        pass
    found = arrived()
    after.close()
    return wanted - found


def worst(server, acknowledged, events, make_server, cuts=CUTS):
    """How many acknowledged messages are lost, at the moment at which most are; stops at the first."""
    step = max(1, len(acknowledged) // cuts)
    for when, _ in acknowledged[::step] + acknowledged[-1:]:
        lost = lost_at(server, acknowledged, events, when, make_server)
        if lost is None or lost:
            return len(lost) if lost else len(acknowledged)
    return 0


@pytest.fixture
def make_traced(program):
    program("strace")
    made = []

    def make(**options):
        server = TracedServer(**options)
        made.append(server)
        return server

    yield make
    for server in made:
        shutil.rmtree(server.folder, ignore_errors=True)


def test_inv_1_every_250_follows_its_sync(make_traced, make_server):
    server, acknowledged, events = record_run(make_traced)
    assert len(acknowledged) == MESSAGES * SESSIONS
    assert worst(server, acknowledged, events, make_server) == 0


def test_a_build_without_the_sync_is_caught(make_traced, make_server):
    server, acknowledged, events = record_run(make_traced, inject=["-e", "inject=fdatasync,fsync:retval=0"])
    assert acknowledged
    assert worst(server, acknowledged, events, make_server, 2) > 0


@pytest.fixture
def with_queue():
    """with_queue(NAME): the program of a server whose queue is that one, with a planted fault."""
    build = os.path.dirname(harness.PROGRAM)
    made = []

    def make(name):
        folder = tempfile.mkdtemp(prefix="veredus-planted-", dir="/tmp")
        made.append(folder)
        os.chmod(folder, 0o755)
        os.makedirs(os.path.join(folder, "src", "cmd"))
        shutil.copy(harness.PROGRAM, os.path.join(folder, "veredus"))
        for program in os.listdir(os.path.join(build, "src", "cmd")):
            if program.startswith("veredus-") and os.path.isfile(os.path.join(build, "src", "cmd", program)):
                shutil.copy(os.path.join(build, "src", "cmd", program), os.path.join(folder, "src", "cmd", program))
        shutil.copy(os.path.join(build, "tests", "crash", name), os.path.join(folder, "src", "cmd", "veredus-queue"))
        return os.path.join(folder, "veredus")

    yield make
    for folder in made:
        shutil.rmtree(folder)


def test_a_build_that_answers_before_the_sync_is_caught(make_traced, make_server, with_queue):
    """Its syncs are made slow, so that the order shows."""
    server, acknowledged, events = record_run(make_traced, program=with_queue("veredus-queue-early"),
                                              inject=["-e", "inject=fdatasync:delay_enter=20000"])
    assert acknowledged
    assert worst(server, acknowledged, events, make_server, 3) > 0


# ---- all that is said, against what is on disk then ----

LARGE = 280_000  # has a file of its own: above 256 KiB
END = b"the last line of it\r\n"


class Host:
    """Another host, which takes all but what is for `none`, and the server's word for it."""

    def __init__(self):
        def reply(talk, line):
            return "550 5.1.1 nobody of that name" if "none@" in line else None
        self.peer = ScriptedPeer(always={"RCPT": reply})
        self.top = f"relay-from 127.0.0.1;\nroute host.example smtp://127.0.0.1:{self.peer.port};\nworkers receive 1;\n"


@pytest.fixture
def host():
    made = Host()
    yield made
    made.peer.close()
    assert not made.peer.faults


def send_of_all_kinds(server):
    """Short and long ones, to mailboxes and to a host, and some that are returned to ada; as many as had a 250."""
    kinds = [("ada@example.test", 100), (("ada@example.test", "bob@example.test", "ok@host.example"), 3000),
             ("none@host.example", 100), ("bob@example.test", LARGE), ("ok@host.example", LARGE),
             (("none@host.example", "bob@example.test"), 100)]
    count = []

    def one():
        with server.wire() as wire:
            wire.ehlo()
            for to, size in kinds * 2:
                octets = b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * (size // 78) + END
                reply = wire.transaction(octets, to=to, sender="ada@example.test")
                count.extend([reply.id] if reply == 250 else [])

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(count)


class Order:
    """What was said, against the synced writes before it: WRONG is what came too early, SEEN how much did not."""

    def __init__(self, server, events):
        self.frames = disk_frames.Frames()
        self.spool = disk_trace.Disk(server.path("spool"), self.frames.synced)
        self.mail = disk_trace.Disk(server.path("mail"))
        self.asked, self.leases = {}, {}
        self.wrong, self.seen = [], {"250": 0, "own file": 0, "mailbox": 0, "settled": 0, "done": 0, "report": 0}
        said = spoken.spoken(events)
        while events or said:
            if events and (not said or events[0].end <= said[0].start):
                event = events.pop(0)
                self.spool.apply(event)
                self.mail.apply(event)
            else:
                one = said.pop(0)
                getattr(self, "on_" + one.type.lower(), lambda fields: None)(one.fields)

    def must(self, what, name, good):
        self.seen[what] += bool(good)
        if not good:
            self.wrong.append(f"{what} {spoken.id_text(name)}")

    def on_commit_ask(self, fields):
        self.asked[fields["ticket"]] = fields["id"]

    def on_commit_answer(self, fields):
        """The 250 follows at once."""
        name = self.asked[fields["ticket"]]
        if fields["status"] != 0:
            return
        message = self.frames.messages.get(name)
        self.must("250", name, message)
        if message and message.file:
            self.must("own file", name, self.whole(f"{self.spool.root}/own-{message.file:016x}", message.file_octets))

    def whole(self, path, octets):
        return self.spool.has(path) and len(self.spool.durable[path].synced) == octets and \
            self.spool.durable[path].synced.endswith(END)

    def on_lease(self, fields):
        self.leases[fields["lease"]] = (fields["id"], [fields["number"]])

    def on_transfer(self, fields):
        numbers, rest = [], fields["recipients"]
        while rest:
            numbers.append(spoken.number(rest[:4]))
            rest = rest[6 + spoken.number(rest[4:6]):]
        self.leases[fields["lease"]] = (fields["id"], numbers)

    def on_outcome(self, fields):
        """A mailbox has it: the file is there, whole, and so is its name."""
        text = f".{spoken.id_text(fields['id'])}-{fields['number']}."
        found = [path for path in self.mail.durable if text in path and "/new/" in path]
        self.must("mailbox", fields["id"], fields["status"] == 0 and found and self.mail.has(found[0]) and
                  self.mail.durable[found[0]].synced.endswith(b"\n") and not self.mail.durable[found[0]].pending)

    def on_settled(self, fields):
        """Who had the lease forgets what became of it."""
        name, numbers = self.leases[fields["lease"]]
        for one in numbers:
            self.must("settled", name, self.frames.tells(name, one))

    def on_log(self, fields):
        event, of = spoken.record_of(fields["record"])
        ids = [sum(spoken.DIGITS.index(c) << 5 * i for i, c in enumerate(reversed(text)))
               for text in [of.get("id", ""), of.get("about", "")]]
        if event == "done":
            self.must("done", ids[0], ids[0] in self.frames.gone)
        elif event == "report":
            self.must("report", ids[0], self.told_of(*ids))

    def told_of(self, report, about):
        """The report, and that its message needs none any more, are one frame."""
        frames, message = self.frames.frame_of, self.frames.messages.get(report)
        here = frames.get((disk_frames.MESSAGE, report))
        return message and message.report and \
            here in [frames.get((disk_frames.GONE, about)), self.frames.first_told.get(about)]


def order_of_all(make_traced, host, **options):
    server = make_traced(users=["ada", "bob"], top=host.top, shut=False, calls=disk_trace.CALLS + ",sendmsg,sendto",
                         **options)
    server.expect("*")
    server.start()
    count = send_of_all_kinds(server)
    assert count == 36
    # A third of them is returned to ada, by a message that ends as well.
    harness.until(lambda: len(server.records("done")) >= count + count // 3, "the end of each message", 90)
    server.kill()
    return Order(server, traced(server))


def test_inv_1_inv_11_nothing_is_said_before_it_is_durable(make_traced, host):
    order = order_of_all(make_traced, host)
    assert not order.wrong
    assert order.seen["250"] == 36 and order.seen["own file"] == 12 and order.seen["report"] == 12
    assert order.seen["mailbox"] >= 30 and order.seen["settled"] >= 48 and order.seen["done"] == 48


def test_syncs_that_are_left_out_are_seen_at_all_that_is_said(make_traced, host):
    order = order_of_all(make_traced, host, inject=["-e", "inject=fdatasync,fsync:retval=0"])
    assert not any(order.seen.values())


def test_own_files_and_mailboxes_that_are_not_synced_are_seen(make_traced, host):
    """The log alone is; fsync is what names and mailboxes have."""
    order = order_of_all(make_traced, host, inject=["-e", "inject=fsync:retval=0"])
    assert order.seen["250"] == 36 and not order.seen["mailbox"]


def test_outcomes_that_are_told_before_the_sync_are_caught(make_traced, host, with_queue):
    order = order_of_all(make_traced, host, program=with_queue("veredus-queue-forgets"))
    assert [one for one in order.wrong if one.startswith("settled")]
    assert order.seen["250"] == 36
