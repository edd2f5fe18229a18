"""
A host that takes connections and no mail, while clients send on and on (DESIGN 6, back-pressure): memory stays within
max-memory, clients hear 4yz, nobody waits for ever. When the host goes on all arrives, and new mail is taken again.
"""
import os
import threading
import time

import pytest

from harness import until
from scripted_peer import ScriptedPeer

SESSIONS = 6
SIZE = 60_000
ROOM = 24 << 20  # above what the idle server takes
ENOUGH = 300     # refusals
PATIENCE = 30    # for a reply
PAGE = os.sysconf("SC_PAGE_SIZE")


def memory(server):
    """Octets that are the processes' alone, as max-memory counts them."""
    taken = 0
    for pid in server.pids():
        try:
            with open(f"/proc/{pid}/statm", encoding="ascii") as text:
                words = text.read().split()
            taken += (int(words[1]) - int(words[2])) * PAGE
        except OSError:
            pass
    return taken


class Clients:
    """Sessions that send without an end, and note what they are told."""

    def __init__(self, server):
        self.server = server
        self.lock = threading.Lock()
        self.taken, self.refused, self.wrong = [], [], []
        self.longest = 0.0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.session, args=[n]) for n in range(SESSIONS)]
        for thread in self.threads:
            thread.start()

    def session(self, number):
        try:
            with self.server.wire() as wire:
                wire.socket.settimeout(PATIENCE)
                wire.ehlo()
                n = 0
                while not self.over.is_set():
                    n += 1
                    self.one(wire, f"s{number}-{n}@sink.example")
        except (OSError, EOFError) as end:
            self.wrong.append(repr(end))

    def one(self, wire, to):
        began = time.monotonic()
        reply = wire.transaction(b"Subject: x\r\n\r\n" + (b"x" * 76 + b"\r\n") * (SIZE // 78), to=to)
        with self.lock:
            self.longest = max(self.longest, time.monotonic() - began)
            if reply == 250:
                self.taken.append(to)
            elif reply.code // 100 == 4:
                self.refused.append(reply)
            else:
                self.wrong.append(repr(reply))
        if reply != 250:
            wire.cmd("RSET")
            time.sleep(0.01)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE + 10)
            assert not thread.is_alive(), "a client waits still"
        assert not self.wrong, self.wrong[:5]


@pytest.mark.parametrize("stage", ["greeting", "DATA", "."])
def test_a_sink_that_stops_costs_bounded_memory_and_4yz(make_server, stage):
    goes_on = threading.Event()

    def waits(talk, line):
        goes_on.wait()

    peer = ScriptedPeer(always={stage: waits})
    top = f"relay-from 127.0.0.1; route sink.example smtp://127.0.0.1:{peer.port} {{ dead-host 1s; retry 1s; }}"
    server = make_server(top=top)
    bound = memory(server) + ROOM
    server.write_config(top=f"{top} max-memory {bound};")
    server.expect("spool", level="warning")
    server.reload()
    clients = Clients(server)
    most = 0

    def pressed():
        nonlocal most
        most = max(most, memory(server))
        return len(clients.refused) >= ENOUGH or clients.wrong
    until(pressed, lambda: f"4yz: {len(clients.taken)} taken, {len(clients.refused)} refused, {most} of {bound}", 120)
    clients.end()
    print(f"{stage}: {len(clients.taken)} taken, {len(clients.refused)} refused, at most {most >> 10} of {bound >> 10} KiB, "
          f"longest {clients.longest:.1f} s")
    assert {(reply.code, reply.status) for reply in clients.refused} == {(452, "4.3.1")}
    assert most < bound
    goes_on.set()
    until(lambda: set(clients.taken) <= set(peer.arrived()), lambda: f"{len(clients.taken)} of {len(peer.arrived())}", 120)
    server.wait_queue_empty()
    until(lambda: server.send(b"Subject: x\r\n\r\nx\r\n", to="last@sink.example") == 250, "mail is taken again")
    until(lambda: "last@sink.example" in peer.arrived(), "the last one")
    assert sorted(peer.arrived()) == sorted(clients.taken + ["last@sink.example"]), "something came twice"
    peer.close()
