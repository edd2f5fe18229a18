"""
C056, INV-1, INV-2: a 250 leaves after the octets are on stable storage.

The running server is watched by strace. For many of the moments at which a client had its 250, the disk is made again from
the synced writes alone, the server is started on that, and every message acknowledged by then must arrive. The same test
must fail where the sync is left out, and where the answer comes before it.
"""
import os
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

import disk_trace
import harness

MESSAGES = 12
SESSIONS = 4
CUTS = 5


class TracedServer(harness.Server):
    """A server whose queue is under strace; nothing can be delivered, so that all stays in the spool."""

    def __init__(self, program=harness.PROGRAM, inject=()):
        # What was put off before the end is soon tried again after it.
        super().__init__(users=["ada"], top="retry 1s;")
        self.program, self.inject = program, inject
        self.trace = self.path("trace")
        os.mkdir(self.trace)
        os.chmod(self.path("mail"), 0)
        if os.getuid() == 0:
            os.chown(self.path("mail"), 0, 0)

    def start(self, ready=True, arguments=()):
        self.log_seen = self.log_size()
        command = ["strace", "-ff", "-o", os.path.join(self.trace, "t"), "-ttt", "-T", "-y", "-xx", "-s", "300000",
                   "-e", "trace=" + disk_trace.CALLS, *self.inject, self.program, "run", "-c",
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
    events = disk_trace.read_events(server.trace)
    if not any(disk_trace.path_of(event.rest) for event in events if event.call == "fdatasync"):
        pytest.skip("needs root: strace may not see which files a process has open that is not dumpable")
    return server, acknowledged, events


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


def test_a_build_that_answers_before_the_sync_is_caught(make_traced, make_server):
    """The queue with the planted fault beside the other programs; its syncs are made slow, so that the order shows."""
    build = os.path.dirname(harness.PROGRAM)
    folder = tempfile.mkdtemp(prefix="veredus-early-", dir="/tmp")
    os.chmod(folder, 0o755)
    os.makedirs(os.path.join(folder, "src", "cmd"))
    shutil.copy(harness.PROGRAM, os.path.join(folder, "veredus"))
    for name in os.listdir(os.path.join(build, "src", "cmd")):
        if name.startswith("veredus-") and os.path.isfile(os.path.join(build, "src", "cmd", name)):
            shutil.copy(os.path.join(build, "src", "cmd", name), os.path.join(folder, "src", "cmd", name))
    shutil.copy(os.path.join(build, "tests", "crash", "veredus-queue-early"),
                os.path.join(folder, "src", "cmd", "veredus-queue"))
    server, acknowledged, events = record_run(make_traced, program=os.path.join(folder, "veredus"),
                                              inject=["-e", "inject=fdatasync:delay_enter=20000"])
    shutil.rmtree(folder)
    assert acknowledged
    assert worst(server, acknowledged, events, make_server, 3) > 0
