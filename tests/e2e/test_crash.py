"""C056: what was acknowledged is delivered, whatever is killed and whenever. The ledger of the load generator is the witness."""
import os
import random
import signal
import subprocess
import time

import pytest

from harness import PROGRAM, Failed, field, until

USERS = [f"u{n}" for n in range(1, 9)]


class Load:
    """The load generator, and the ids of what was acknowledged to it."""

    def __init__(self, server, seconds, *more):
        self.ledger = server.path(f"ledger-{random.getrandbits(32):08x}")
        self.process = subprocess.Popen(
            [PROGRAM, "bench", "load", "--to", f"127.0.0.1:{server.port}", "--sessions", "20", "--rcpt",
             "u{n}@example.test", "--users", str(len(USERS)), "--from", "carol@example.net", "--duration",
             str(seconds), "--ledger", self.ledger, "--json", *more],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def acknowledged(self):
        try:
            with open(self.ledger, encoding="ascii") as lines:
                return [line.strip() for line in lines]
        except FileNotFoundError:
            return []

    def wait_some(self, count=50):
        until(lambda: len(self.acknowledged()) >= count, "acknowledged messages")

    def end(self):
        self.process.communicate(timeout=60)
        return self.acknowledged()


def arrived(server):
    """{Message-ID: how many copies} over all mailboxes."""
    found = {}
    for user in USERS:
        for message in server.mail(user):
            name = field(message, "Message-ID")[0].strip("<>")
            found[name] = found.get(name, 0) + 1
    return found


def check_all_arrived(server, acknowledged):
    wanted = set(acknowledged)
    assert len(wanted) == len(acknowledged)
    try:
        until(lambda: wanted <= set(arrived(server)), "every acknowledged message", 60)
    except Failed:
        lost = sorted(wanted - set(arrived(server)))
        raise Failed(f"{len(lost)} of {len(wanted)} acknowledged messages are lost: {lost[:5]}") from None
    twice = [name for name, copies in arrived(server).items() if copies > 1]
    assert not twice, f"{len(twice)} arrived twice in a Maildir: {twice[:5]}"


def test_c056_kill_9_of_all_under_load(make_server):
    server = make_server(users=USERS)
    rng = random.Random(4711)
    acknowledged = []
    for _ in range(5):
        load = Load(server, 30, "--size", rng.choice(["1k", "4k", "20k"]))
        load.wait_some()
        time.sleep(rng.uniform(0, 0.5))
        server.kill()
        acknowledged += load.end()
        server.start()
    check_all_arrived(server, acknowledged)


def test_c056_kill_9_with_large_messages(make_server):
    server = make_server(users=USERS)
    acknowledged = []
    for _ in range(3):
        load = Load(server, 30, "--size", "600k")
        load.wait_some(5)
        server.kill()
        acknowledged += load.end()
        server.start()
    check_all_arrived(server, acknowledged)


@pytest.mark.parametrize("kind", ["receive", "queue", "deliver", "lookup", "control", "resolve"])
def test_a_worker_that_dies_comes_back_and_loses_nothing(make_server, kind):
    server = make_server(users=USERS)
    server.expect("process")
    load = Load(server, 2.5)
    load.wait_some(20)
    pids = server.workers().get(kind)
    if not pids and kind in ("deliver", "resolve"):
        until(lambda: load.process.poll() is not None or server.workers().get(kind), f"a {kind} process")
        pids = server.workers().get(kind)
        if not pids:
            load.end()
            pytest.skip(f"no {kind} process runs by itself")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: server.records("process"), "the record of its end")
    acknowledged = load.end()

    def takes():
        try:
            return server.send(b"Subject: after\r\nMessage-ID: <after@x>\r\n\r\nx\r\n", to="u1@example.test") == 250
        except (OSError, EOFError):
            return False
    until(takes, f"mail to be taken after the death of {kind}")
    check_all_arrived(server, acknowledged)


def test_an_orderly_stop_under_load_loses_nothing(make_server):
    server = make_server(users=USERS)
    acknowledged = []
    for _ in range(2):
        load = Load(server, 30)
        load.wait_some()
        assert server.stop() == 0
        acknowledged += load.end()
        server.start()
    check_all_arrived(server, acknowledged)


def test_one_spool_has_one_owner(make_server):
    server = make_server()
    other = make_server(start=False)
    with open(server.path("veredus.conf"), encoding="utf-8") as text:
        same_spool = text.read().replace(f":{server.port}", f":{other.port}").replace(
            server.path("run"), other.path("run"))
    other.write("veredus.conf", same_spool)
    for name in ["users", "aliases"]:
        other.write(name, "ada\n" if name == "users" else "")
    other.expect("*")
    other.start(ready=False)
    until(lambda: [record for record in other.records("process") if "spool" in record.get("cause", "")],
          "a record of why the second one has no queue")
    assert not other.is_ready()
    other.kill()
    other.process = None
    os.unlink(other.log_path)
    assert server.send(b"Subject: x\r\n\r\nstill here\r\n") == 250
    server.wait_mail("ada")
