"""Faults made on purpose under a running server, and a ledger of what it said about each message."""
import os
import signal
import subprocess
import threading
import time

import pytest

from harness import field, until


class Ledger:
    """What was answered 250 and what was refused, by Message-ID. Several threads may send."""

    def __init__(self, server):
        self.server = server
        self.taken, self.refused = set(), set()
        self.lock = threading.Lock()
        self.count = 0

    def send(self, octets=b"hello\r\n", parameters="", to="ada"):
        """One message in a session of its own; the first reply that refuses, or the one to the final dot."""
        with self.lock:
            self.count += 1
            name = f"ledger-{self.count}@client.example.test"
        head = f"From: carol@example.net\r\nSubject: {self.count}\r\nMessage-ID: <{name}>\r\n\r\n".encode()
        reply = self.server.send(head + octets, to=f"{to}@example.test", parameters=parameters)
        with self.lock:
            (self.taken if reply == 250 else self.refused).add(name)
        return reply

    def send_until(self, code, seconds=None):
        """Sends until one message is answered so; that reply."""
        def answered():
            reply = self.send()
            return reply if reply == code else None
        return until(answered, f"a {code}", seconds)

    def arrived(self):
        """The Message-IDs of all mailboxes, with copies."""
        return [field(message, "Message-ID")[0].strip("<>") for user in ["ada", "bob"]
                for message in self.server.mail(user)]

    def check(self, settled=True):
        """Every 250 is there once and no refused one at all (C056, C057), before and after a kill -9."""
        self.check_once(settled)
        self.server.kill()
        self.server.start()
        self.send_until(250)
        self.check_once(settled)

    def check_once(self, settled=True):
        """SETTLED: the log is whole and says of each that it is done."""
        until(lambda: self.taken <= set(self.arrived()), lambda: f"{self.taken - set(self.arrived())}")
        if settled:
            self.server.wait_queue_empty()
        found = self.arrived()
        assert len(found) == len(set(found)), "twice in a Maildir"
        assert not self.refused & set(found), "refused, and delivered all the same"


def threads_of(pid):
    """Its threads in the order in which they were started."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="utf-8", errors="replace") as text:
            found.append((int(text.read().rsplit(") ", 1)[1].split()[19]), int(thread)))
    return [thread for _, thread in sorted(found)]


class Injection:
    """
    While it lasts, strace makes system calls of these threads fail or slow: with Injection(server, [tid], "CALL:HOW").

    HOW is strace's, and its `when=` counts in each thread by itself, from now on. FOLLOW: with the other threads too.
    """
    serial = 0

    def __init__(self, server, threads, fault, follow=False):
        Injection.serial += 1
        self.path = server.path(f"injected-{Injection.serial}")
        self.threads = threads
        calls = fault.split(":")[0]
        self.command = ["strace", "-y", "-o", self.path, "-e", f"trace={calls}", "-e", f"inject={fault}"] + \
            (["-f"] if follow else []) + [word for tid in threads for word in ["-p", str(tid)]]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in self.threads:
            line = self.process.stderr.readline()
            if "attached" not in line:
                self.process.wait()
                pytest.skip("strace may not attach")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()

    def calls(self):
        with open(self.path, encoding="utf-8", errors="replace") as text:
            return text.read().splitlines()


def attach_queue(server, fault):
    """The whole queue process: all it asks of the disk."""
    return Injection(server, server.workers()["queue"], fault, follow=True)


def attach_commits(server, fault):
    """The one thread of the queue that writes and syncs the log; it is the first that the spool starts."""
    return Injection(server, threads_of(server.workers()["queue"][0])[1:2], fault)


def attach_contents(server, fault):
    """The two threads that sync large messages; the last that the spool starts."""
    return Injection(server, threads_of(server.workers()["queue"][0])[-2:], fault)


def attach_deliver(server, fault):
    return Injection(server, server.workers()["deliver"], fault, follow=True)


class Stopped:
    """While it lasts, the processes of one kind stand still: with Stopped(server, "queue")."""

    def __init__(self, server, kind):
        self.pids = server.workers()[kind]

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in self.pids:
            until(lambda pid=pid: self.state(pid) == "T", f"{pid} to stand still")
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)

    @staticmethod
    def state(pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as text:
            return text.read().rsplit(") ", 1)[1][0]


def settle(server):
    """One message went all the way, and the log has its free segments: nothing is on its way to the disk by itself."""
    ledger = Ledger(server)
    assert ledger.send() == 250
    server.wait_mail("ada")
    server.wait_queue_empty()
    wait_segments(server)
    return ledger


def segment_octets(folder):
    """Of one file of the log: on a small disk less, so that several fit (ADR 0029)."""
    disk = os.statvfs(folder)
    size = 64 << 20
    while size > 16 << 20 and size * 16 > disk.f_blocks * disk.f_frsize:
        size //= 2
    return size


def wait_segments(server):
    size_of_one = segment_octets(server.path("spool"))

    def whole():
        names = [name for name in os.listdir(server.path("spool")) if name.startswith("log-")]
        sizes = [os.path.getsize(server.path("spool", name)) for name in names]
        return sizes.count(size_of_one) >= 2
    until(whole, "free segments", 60)


class Clock:
    """How long something took."""

    def __enter__(self):
        self.began = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.began
