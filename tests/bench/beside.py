"""Whether some suffer for others: what a load feels of a site that hangs, a slow table, clients that drip, and the history."""
import os
import re
import selectors
import socket
import statistics
import threading
import time

import measure
import servers
import subjects

SESSIONS = 4  # of the load that is measured: far from what the machine can do, or it would measure the load itself
MOST = 1.10   # of the p99 without it
HISTORY_MOST = 1.03
CONTENT = b"Subject: x\r\n\r\nx\r\n"


class Listener:
    """A host that takes connections; of those that it serves each is a thread."""

    def __init__(self):
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]

    def close(self):
        self.over.set()
        self.listener.close()


class SlowPeer(Listener):
    """Thinks about each RCPT for half a second."""

    def __init__(self):
        super().__init__()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=[client], daemon=True).start()

    def talk(self, client):
        with client, client.makefile("rwb") as wire:
            try:
                wire.write(b"220 slow.test ESMTP\r\n")
                wire.flush()
                for line in wire:
                    if line.upper().startswith(b"RCPT") and self.over.wait(0.5):
                        return
                    wire.write(b"221 2.0.0 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 2.0.0 ok\r\n")
                    wire.flush()
            except OSError:
                pass


class Trouble:
    """What goes on beside a load, from enter to exit; TOP is what the server's configuration has for it."""
    top = ""

    def __init__(self):
        self.over = threading.Event()
        self.threads = []

    def prepare(self, server):
        pass

    def begin(self, server):
        self.over.clear()
        self.threads = [threading.Thread(target=self.guarded, args=[server, n]) for n in range(self.count)]
        for thread in self.threads:
            thread.start()

    count = 1

    def guarded(self, server, n):
        while not self.over.is_set():
            try:
                self.go_on(server, n)
            except (OSError, EOFError):
                self.over.wait(0.1)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def close(self):
        pass


class Hangs(Trouble):
    """A site takes connections and says nothing. A thousand messages wait for it, and twenty more come each second."""
    name = "a site that hangs"

    def __init__(self):
        super().__init__()
        self.peer = Listener()
        self.top = f"route hangs.test smtp://127.0.0.1:{self.peer.port};\n"

    def prepare(self, server):
        self.send(server, 1000, 0)

    def go_on(self, server, n):
        self.send(server, 1000, 0.05)

    def send(self, server, count, pause):
        with server.server.wire() as wire:
            wire.ehlo()
            for _ in range(count):
                if self.over.wait(pause) and pause:
                    return
                wire.transaction(CONTENT, to="u1@hangs.test", sender="bench@hanging.test")

    def close(self):
        self.peer.close()


class SlowTable(Trouble):
    """Whether an address exists is asked of a host that thinks about it; four clients ask for others all the time."""
    name = "a table that is slow"
    count = 4

    def __init__(self):
        super().__init__()
        self.peer = SlowPeer()
        self.top = f"domain slow.test {{ users ask; deliver smtp://127.0.0.1:{self.peer.port}; }}\n"

    def go_on(self, server, n):
        with server.server.wire() as wire:
            wire.ehlo()
            wire.cmd("MAIL FROM:<bench@asking.test>")
            for _ in range(90):
                if self.over.is_set():
                    return
                wire.cmd(f"RCPT TO:<u{n}x{time.monotonic_ns()}@slow.test>")

    def close(self):
        self.peer.close()


class Drips(Trouble):
    """A hundred clients send one octet of a command every fifth of a second."""
    name = "clients that drip octets"

    def go_on(self, server, n):
        clients = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(100)]
        with selectors.DefaultSelector() as events:
            for one in clients:
                events.register(one, selectors.EVENT_READ)
            try:
                for octet in b"NOOP a word that nobody waits for\r\n" * 100:
                    for one in clients:
                        one.send(bytes([octet]))
                        if self.over.wait(0.002):
                            return
                    for key, _ in events.select(0):
                        key.fileobj.recv(4096)
            finally:
                for one in clients:
                    one.close()


def delays(server, since):
    """Seconds from the 250 of each message of the load to its delivery, as the log has them."""
    found = []
    with open(server.server.path("run", "log"), encoding="utf-8", errors="replace") as log:
        log.seek(since)
        for line in log:
            if " event=deliver " in line and "@example.test" in line:
                found.append(float(re.search(r" delay=([\d.]+)", line)[1]))
    return found


def p99(values):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * 99 // 100)] if values else None


def run_one(server, opt):
    log = server.server.path("run", "log")
    since, before = os.path.getsize(log), server.arrived()
    load = subjects.generate(opt, server.port, opt.messages)
    subjects.wait_arrived(server, before + load["acknowledged"])
    end = time.monotonic() + 10
    while len(delays(server, since)) < load["acknowledged"] and time.monotonic() < end:
        time.sleep(0.1)
    return {"rate": load["rate"], "p50_ms": load["p50_ms"], "p99_ms": load["p99_ms"], "codes": load["codes"],
            "delivery_p99_ms": 1000 * (p99(delays(server, since)) or 0)}


def beside(opt, kind):
    """The same load to a server that has nothing else to do, and to one with that trouble, in turn."""
    trouble = kind()
    pair = {}
    rows = {"alone": [], "beside": []}
    try:
        opt.veredus = ""
        pair["alone"] = servers.VeredusRelay(opt)
        opt.veredus = trouble.top
        pair["beside"] = servers.VeredusRelay(opt)
        trouble.prepare(pair["beside"])
        for server in pair.values():
            run_one(server, opt)
        for run in range(opt.runs):
            for name, server in pair.items():
                measure.settle(server.pid)
                if name == "beside":
                    trouble.begin(server)
                try:
                    rows[name].append(run_one(server, opt))
                finally:
                    trouble.end()
                row = rows[name][-1]
                print(f"run {run + 1}  {kind.name:26} {name:7} {row['rate']:8,.0f}/s  p99 of the 250 {row['p99_ms']:.2f} ms, "
                      f"of delivery {row['delivery_p99_ms']:.0f} ms" + (f"  codes {row['codes']}" if row["codes"] else ""),
                      flush=True)
    finally:
        trouble.end()
        for server in pair.values():
            server.close()
        trouble.close()
    return rows


def others(opt):
    opt.sessions, opt.no_pipelining = SESSIONS, True
    return {kind.name: beside(opt, kind) for kind in [Hangs, SlowTable, Drips]}


def show_others(result):
    for name, rows in result.items():
        for key, words in [("p99_ms", "p99 of the 250"), ("delivery_p99_ms", "p99 of delivery")]:
            alone = [row[key] for row in rows["alone"]]
            if not statistics.median(alone):
                continue
            print(subjects.goal(f"{name}: {words}, beside it by without it", subjects.ratio(rows["beside"], rows["alone"], key),
                                MOST, ".2f") + f"; without it {min(alone):.2f} to {max(alone):.2f} ms")


def history(opt):
    """The same load with the event history kept, and without."""
    rows, pair = {"off": [], "on": []}, {}
    try:
        for name, top in [("off", "history off;\n"), ("on", "")]:
            opt.veredus = top
            pair[name] = servers.VeredusRelay(opt)
            subjects.run_load(pair[name], opt, min(opt.messages, 500))
        for run in range(opt.runs):
            for name, server in pair.items():
                measure.settle(server.pid)
                rows[name].append(subjects.run_load(server, opt, opt.messages))
                row = rows[name][-1]
                print(f"run {run + 1}  history {name:3}  {row['rate']:10,.0f}/s  {row['cpu_total_us']:.0f} µs", flush=True)
    finally:
        for server in pair.values():
            server.close()
    return rows


def show_history(rows):
    print(subjects.goal("CPU a message, history on by off", subjects.ratio(rows["on"], rows["off"], "cpu_total_us"),
                        HISTORY_MOST, ".3f"))
    print(f"messages a second, on by off: {subjects.ratio(rows['on'], rows['off'], 'rate'):.3f}")
    for name in rows:
        values = [row["cpu_total_us"] for row in rows[name]]
        control = statistics.median(row["cpu_us"].get("control", 0) for row in rows[name])
        print(f"history {name}: {min(values):.0f} to {max(values):.0f} µs a message, of which control {control:.0f}")


SUBJECTS = {"others": (others, show_others, "what others feel of a site that hangs, a slow table, clients that drip"),
            "history": (history, show_history, "the event history, on and off")}
