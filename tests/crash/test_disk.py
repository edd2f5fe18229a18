"""
A disk that is full, read-only, slow or failing: 451 or 452 in time with a record, and recovery without a restart.

Each disk is made on purpose: by a small file system, by a mount that takes no writes, by system calls that fail or take
long. In every one a 250 is kept (C056) and a message that had its 451 never arrives (C057, RFC 5321 4.2.5).
"""
import contextlib
import os
import re
import struct
import subprocess
import threading

import pytest

from faults import (Clock, Ledger, Stopped, attach_commits, attach_contents, attach_deliver, attach_queue, settle)
from harness import Failed, until
from scripted_peer import ScriptedPeer

MIB = 1 << 20
RETRY = 45  # the spool tries again every 30 s


class Elsewhere:
    """Another host: it takes nothing before calm() and then all; its reply to the final dot waits while it is to be slow."""

    def __init__(self):
        self.willing, self.quick = threading.Event(), threading.Event()
        self.willing.set()
        self.quick.set()
        self.peer = ScriptedPeer(always={"RCPT": self.on_rcpt, ".": self.on_end})

    def on_rcpt(self, talk, line):
        return None if self.willing.is_set() else "451 4.3.0 not now"

    def on_end(self, talk, line):
        while not self.quick.wait(0.1) and not self.peer.over.is_set():
            pass

    def top(self):
        return f"""relay-from 127.0.0.1; retry 1s;
            route far.example smtp://127.0.0.1:{self.peer.port} {{ retry 1s; dead-host 1s; connections 20 start 10; }}"""

    def arrived(self):
        return [address.split("@")[0] for address in self.peer.arrived()]

    def in_hand(self):
        """Contents it has heard."""
        return sum(len(talk.contents) for talk in self.peer.conversations)

    def asked(self, name):
        return sum(name in line for line in self.peer.said("RCPT"))


@pytest.fixture
def elsewhere():
    host = Elsewhere()
    yield host
    host.quick.set()
    host.peer.close()
    assert not host.peer.faults


def send_far(server, names, octets=b"x\r\n"):
    for name in names:
        assert server.send(b"Subject: far\r\n\r\n" + octets, to=f"{name}@far.example") == 250


@pytest.fixture
def strace(program):
    return program("strace")


@pytest.fixture
def mounted(make_server):
    """mounted(SIZE): a server, not started, whose spool is a file system of its own."""
    made = []

    def mount(size):
        if os.getuid() != 0:
            pytest.skip("needs root")
        server = make_server(start=False)
        folder = server.path("spool")
        os.mkdir(folder, 0o700)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", folder],
                          stderr=subprocess.DEVNULL, check=False).returncode:
            pytest.skip("mount is refused")
        made.append(server)
        return server

    yield mount
    for server in made:
        if server.process and server.process.poll() is None:
            server.kill()
        subprocess.run(["umount", server.path("spool")], check=True)


def free_octets(folder):
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


def fill(server, leave):
    """A file that leaves so many octets."""
    path = server.path("spool", "filler")
    with open(path, "wb", buffering=0) as out:
        os.posix_fallocate(out.fileno(), 0, free_octets(server.path("spool")) - leave)
    return path


# ---- full ----

def test_full_452_until_there_is_room_and_what_was_taken_goes_on(mounted):
    server = mounted("300M").start()
    server.expect("spool")
    ledger = settle(server)
    with Stopped(server, "deliver"):
        for _ in range(5):
            assert ledger.send() == 250
        filler = fill(server, 4 * MIB)
        refused = ledger.send_until(452)
        assert refused.status == "4.3.1"
        # With SIZE the client hears it before it sends so much (RFC 1870 6.1).
        assert ledger.send(b"x\r\n", parameters=f" SIZE={10 * MIB}") == 452
    # What was taken before is delivered, and its outcome written from the reserve (INV-15).
    until(lambda: ledger.taken <= set(ledger.arrived()), "what was taken before")
    server.wait_queue_empty()
    assert ledger.send() == 452
    record = server.wait_record("spool", state="refusing")
    assert record["cause"] == "min-free: No space left on device" and "452 4.3.1" in record["error"]
    refusals = server.records("reject")
    assert len(refusals) == len(ledger.refused)
    assert all((r["code"], r["status"], r["reason"], r["stage"]) == (452, "4.3.1", "storage", "data")
               for r in refusals), refusals
    pid = server.workers()["queue"]
    os.unlink(filler)
    ledger.send_until(250, RETRY)
    assert server.workers()["queue"] == pid
    assert server.wait_record("spool", state="ok")
    ledger.check()


def test_full_in_the_middle_of_a_large_message(mounted):
    server = mounted("300M").start()
    server.expect("spool")
    ledger = settle(server)
    filler = fill(server, 25 * MIB)  # the limit is 15
    large = b"x" * 76 + b"\r\n"
    reply = ledger.send(large * (30 * MIB // len(large)))
    assert (reply.code, reply.status) == (452, "4.3.1")
    assert server.wait_record("reject", code=452)["stage"] == "data"

    def unlinked():
        return not [name for name in os.listdir(server.path("spool")) if name.startswith("own-") and
                    os.path.getsize(server.path("spool", name))]
    until(unlinked, "the unfinished file to go away")
    ledger.send_until(250, RETRY)
    os.unlink(filler)
    assert ledger.send(large * (30 * MIB // len(large))) == 250
    ledger.check()


def test_full_of_mail_space_comes_back_by_itself_when_mail_leaves(mounted, elsewhere):
    """Some of it stays: what it stands between is copied before a segment can be used again."""
    server = mounted("300M")
    server.write_config(top=elsewhere.top())
    elsewhere.willing.clear()
    server.start()
    server.expect("spool")
    ledger = settle(server)
    body = (b"x" * 76 + b"\r\n") * 3000
    stays = []
    with Stopped(server, "deliver"):
        while ledger.send(body) == 250:
            if len(ledger.taken) % 40 == 1:
                stays.append(f"stays{len(stays)}")
                if server.send(body, to=stays[-1] + "@far.example") != 250:
                    stays.pop()
        assert len(ledger.taken) > 300 and len(stays) > 5
        assert server.wait_record("spool", state="refusing")
    until(lambda: ledger.taken <= set(ledger.arrived()), "what was taken before", 60)
    ledger.send_until(250, 2 * RETRY)
    taken = 0
    while taken < 300:  # more than was free before
        taken += ledger.send_until(250, RETRY) == 250
    elsewhere.willing.set()
    until(lambda: set(stays) <= set(elsewhere.arrived()), "what stayed")
    assert sorted(elsewhere.arrived()) == sorted(stays)
    ledger.check()


# ---- failing ----

@contextlib.contextmanager
def taken_and_failing(server, ledger, fault):
    """Three messages were taken before the disk began to fail, and are delivered while it does."""
    with contextlib.ExitStack() as standing:
        standing.enter_context(Stopped(server, "deliver"))
        for _ in range(3):
            assert ledger.send() == 250
        with attach_queue(server, fault):
            standing.close()
            until(lambda: ledger.taken <= set(ledger.arrived()), "what was taken before")
            server.wait_record("spool", state="refusing")
            yield


@pytest.mark.parametrize("fault, words", [("fdatasync:error=EIO", "fdatasync: Input/output error"),
                                          ("pwritev:error=EROFS", "write: Read-only file system")])
def test_failing_451_while_it_lasts_and_250_when_it_is_over(strace, make_server, fault, words):
    server = make_server()
    server.expect("spool")
    ledger = settle(server)
    pid = server.workers()["queue"]
    with taken_and_failing(server, ledger, fault):
        for _ in range(3):
            with Clock() as clock:
                reply = ledger.send()
            assert (reply.code, reply.status) == (451, "4.3.0")
            assert clock.seconds < 10
    record = server.wait_record("spool", state="refusing")
    assert record["cause"] == words and re.fullmatch("[0-9a-f]{8}", record["segment"]) and record["records"] > 0
    assert server.wait_record("reject", code=451)["reason"] == "storage"
    ledger.send_until(250, RETRY)
    assert server.wait_record("spool", state="ok")
    assert server.workers()["queue"] == pid
    ledger.check()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_failing_until_the_end_of_the_server_loses_and_repeats_nothing(strace, make_server, end):
    """What was delivered could not be written down: the next server finds its file, and does not write another."""
    server = make_server()
    server.expect("spool")
    ledger = settle(server)
    with taken_and_failing(server, ledger, "pwritev:error=EIO"):
        assert ledger.send() == 451
        assert not server.kill() if end == "kill" else server.stop() == 0
    server.start()
    ledger.send_until(250)
    ledger.check()


@pytest.mark.parametrize("fault", ["fdatasync:error=EIO:when=1", "pwritev:error=EIO:when=1",
                                   "pwritev:error=ENOSPC:when=1", "pwritev:retval=0:when=1"])
def test_failing_once_is_made_good_in_another_segment(strace, make_server, fault):
    """After a sync that failed nothing is known of that segment: it is left (SPOOL.md 8, INV-5)."""
    server = make_server()
    server.expect("spool")
    ledger = settle(server)
    with attach_commits(server, fault) as injection:
        reply = ledger.send()
        assert (reply.code, reply.status) == (451, "4.3.0")
        for _ in range(3):
            assert ledger.send() == 250
        server.wait_queue_empty()
    calls = injection.calls()
    failed = next(n for n, line in enumerate(calls) if "INJECTED" in line)
    segment = re.search(r"log-[0-9a-f]{8}", calls[failed])[0]
    assert len(calls) > failed + 3 and not [line for line in calls[failed + 1:] if segment in line]
    record = server.wait_record("spool", state="refusing")
    assert record["segment"] == segment.removeprefix("log-") and record["records"] == 1
    assert server.wait_record("spool", state="ok")
    ledger.check()


def test_failing_sync_of_a_large_message_refuses_that_one_alone(strace, make_server):
    server = make_server()
    ledger = settle(server)
    large = (b"x" * 76 + b"\r\n") * 10000
    with attach_contents(server, "fdatasync:error=EIO:when=1"):
        reply = ledger.send(large)
        assert (reply.code, reply.status) == (451, "4.3.0")
        assert ledger.send() == 250
        # At most one of these is the first sync of the other thread.
        assert sum(ledger.send(large) == 250 for _ in range(3)) >= 2
    ledger.check()


def test_refusing_with_leases_under_way_keeps_outcomes_and_leases_nothing(strace, make_server, elsewhere):
    server = make_server(top=elsewhere.top())
    server.expect("spool")
    ledger = settle(server)
    elsewhere.willing.clear()
    send_far(server, ["waits"])
    until(lambda: elsewhere.asked("waits@"), "the first attempt")
    elsewhere.quick.clear()
    elsewhere.willing.set()
    under_way = [f"leased{n}" for n in range(4)]
    send_far(server, under_way)
    until(lambda: elsewhere.in_hand() == 1 + len(under_way), "the leases")
    elsewhere.willing.clear()
    send_far(server, ["later"])
    until(lambda: elsewhere.asked("later@"), "another first attempt")
    with attach_queue(server, "pwritev:error=EIO"):
        assert ledger.send() == 451
        server.wait_record("spool", state="refusing")
        asked = elsewhere.asked("later@")
        elsewhere.willing.set()
        elsewhere.quick.set()
        until(lambda: set(under_way) <= set(elsewhere.arrived()), "the replies")
        # Three times what is waited for between two attempts.
        with Clock() as clock, pytest.raises(Failed):
            until(lambda: elsewhere.asked("later@") > asked, "nothing", 3)
        assert clock.seconds >= 3 and "later" not in elsewhere.arrived()
        accepted = {r["id"] for r in server.records("accept") if any("leased" in to for to in r.get("rcpt", []))}
        assert not accepted & {r["id"] for r in server.records("done")}
    ledger.send_until(250, RETRY)
    until(lambda: "later" in elsewhere.arrived(), "what was not leased")
    server.wait_queue_empty()
    ledger.check()
    assert sorted(elsewhere.arrived()) == sorted(["waits", "later"] + under_way)


# ---- reading back ----

@pytest.mark.parametrize("size", [100, 400_000])
def test_content_that_cannot_be_read_now_waits_and_its_neighbours_go(strace, make_server, elsewhere, size):
    """The first read of each thread fails: that message is set aside or tried again, the others are not kept by it."""
    server = make_server(top=elsewhere.top())
    server.expect("*")
    ledger = settle(server)
    elsewhere.willing.clear()
    names = [f"read{n}" for n in range(30)]
    send_far(server, names, b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * (size // 78))
    server.kill()
    server.start()
    with attach_queue(server, "pread64:error=EIO:when=1") as injection:
        elsewhere.willing.set()
        until(lambda: len(elsewhere.arrived()) >= len(names) - 8, "the neighbours")
        until(lambda: "INJECTED" in "".join(injection.calls()), "a read that failed")
    aside = {record["id"] for record in server.records("hold")}
    until(lambda: len(elsewhere.arrived()) + len(aside) >= len(names), "what could be read again")
    server.stop()
    server.start()
    until(lambda: set(names) <= set(elsewhere.arrived()), "what was set aside")
    ledger.check()
    assert sorted(elsewhere.arrived()) == sorted(names)


# ---- read-only ----

def test_read_only_at_the_start_is_named(mounted):
    server = mounted("300M").start()
    ledger = settle(server)
    server.stop()
    subprocess.run(["mount", "-o", "remount,ro", server.path("spool")], check=True)
    server.expect("*")
    server.start(ready=False)
    assert server.wait() == 75
    assert re.search("veredus: .*spool.*: Read-only file system", server.log_text())
    subprocess.run(["mount", "-o", "remount,rw", server.path("spool")], check=True)
    server.start()
    ledger.send_until(250)
    ledger.check()


# ---- slow ----

def test_slow_syncs_are_shared(strace, make_server):
    server = make_server()
    ledger = settle(server)
    with attach_commits(server, "fdatasync:delay_enter=300000") as injection:
        replies = []
        threads = [threading.Thread(target=lambda: replies.append(ledger.send())) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.wait_queue_empty()
        syncs = len(injection.calls())
    assert len(replies) == 20 and all(reply == 250 for reply in replies)
    assert syncs < 20
    assert max(record["batch"] for record in server.records("accept")) > 1
    ledger.check()


def test_slow_syncs_and_relay_beside_them(strace, make_server, elsewhere):
    """Two seconds a sync: slower, nothing else; each message comes to the other host once."""
    server = make_server(top=elsewhere.top())
    settle(server)
    names = [f"slow{n}" for n in range(12)]
    with attach_commits(server, "fdatasync:delay_enter=2000000"):
        wrong = []

        def one(name):
            with Clock() as clock:
                send_far(server, [name])
            wrong.extend([clock.seconds] if clock.seconds > 20 else [])
        threads = [threading.Thread(target=one, args=[name]) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: len(elsewhere.arrived()) >= len(names), "relay beside slow syncs")
    server.wait_queue_empty()
    server.kill()
    server.start()
    assert not wrong and sorted(elsewhere.arrived()) == sorted(names)


def test_slow_beyond_patience_451_within_a_minute_and_never_delivered(strace, make_server, elsewhere):
    """Takes a minute. A client has ten of patience (RFC 5321 4.5.3.2.6), what stands between often one."""
    server = make_server(top=elsewhere.top())
    server.expect("spool")
    ledger = settle(server)
    elsewhere.quick.clear()
    send_far(server, ["before"])
    until(lambda: elsewhere.asked("before@"), "the lease")
    with attach_commits(server, "fdatasync:delay_enter=57000000:when=1"):
        elsewhere.quick.set()  # its outcome waits for the same disk
        wire = server.wire()
        wire.socket.settimeout(70)
        wire.ehlo()
        with Clock() as clock:
            reply = wire.transaction(b"Subject: late\r\nMessage-ID: <late@client.example.test>\r\n\r\nx\r\n",
                                     to=["ada@example.test", "late@far.example"])
        ledger.refused.add("late@client.example.test")
        assert (reply.code, reply.status) == (451, "4.3.0")
        assert 45 < clock.seconds < 60
        assert server.wait_record("reject", code=451)["reason"] == "storage"
        # The sync ends some seconds later; the session goes on.
        wire.socket.settimeout(40)
        again = wire.transaction(b"Subject: again\r\nMessage-ID: <again@client.example.test>\r\n\r\nx\r\n")
        assert again == 250
        ledger.taken.add("again@client.example.test")
        wire.close()
    assert ledger.send() == 250
    ledger.check()
    assert elsewhere.arrived() == ["before"]


# ---- the disk of the mailboxes ----

def test_failing_mailboxes_defer_and_arrive_once(strace, make_server):
    server = make_server(top="retry 2s;")
    ledger = settle(server)
    faults = [("write:error=ENOSPC:when=1", "4.3.1", "writing into tmp"),
              ("fsync:error=EIO:when=1", "4.3.0", "writing into tmp"),
              ("renameat2:error=EIO:when=1", "4.3.0", "moving from tmp to new"),
              ("fsync:error=EIO:when=2", "4.3.0", "syncing new")]
    for n, (fault, status, words) in enumerate(faults):
        with attach_deliver(server, fault):
            assert ledger.send() == 250
            until(lambda n=n: len(server.records("defer")) > n, f"a deferral after {fault}")
        record = server.records("defer")[n]
        assert record["status"] == status and words in record["error"], record
        assert "next" in record
    assert not os.listdir(os.path.join(server.maildir("ada"), "tmp"))
    ledger.send_until(250)
    until(lambda: len(server.records("done")) == len(ledger.taken), "the second attempts", 90)
    ledger.check()


# ---- a spool that is not ours to use ----

def test_a_newer_format_is_refused_with_a_clear_word(make_server):
    server = make_server()
    server.stop()
    path = server.path("spool", "format")
    with open(path, "r+b") as out:
        out.seek(16)
        out.write(struct.pack("<I", 2))
    server.start(ready=False)
    assert server.wait() == 78
    assert "the spool has format 2, this veredus knows format 1 only" in server.log_text()
    server.expect("*")
    with open(path, "r+b") as out:
        out.seek(16)
        out.write(struct.pack("<I", 1))
    server.start()
    assert Ledger(server).send() == 250
    server.wait_mail("ada")


def test_a_spool_of_another_server_is_refused_with_a_clear_word(make_server):
    server = make_server()
    other = make_server(start=False)
    with open(server.path("veredus.conf"), encoding="utf-8") as text:
        other.write("veredus.conf", text.read().replace(f":{server.port}", f":{other.port}")
                    .replace(server.path("run"), other.path("run")))
    other.expect("*")
    other.start(ready=False)
    assert other.wait() == 75
    assert re.search("veredus: queue: spool: .*another", other.log_text()), other.log_text()
    assert Ledger(server).send() == 250
    server.wait_mail("ada")
