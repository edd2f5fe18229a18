"""The subjects of make bench: one table each, with the goals of DESIGN 10 beside it."""
import json
import os
import resource
import shutil
import socket
import ssl
import statistics
import struct
import subprocess
import tempfile
import time

import measure
import servers
import tls

# Entries of the backlog; a site of its own for each of so many domains.
BACKLOG, DOMAINS = 1_000_000, 10_000
IDLE_SESSIONS = 10_000
# Seconds after which a process that has had much to do gives back what it kept for more.
QUIET = 30


class Load:
    """
    The same load to each server in turn. GOALS: {"direct": at least this part of direct, "postfix": so many times it,
    "p99_ms": at most, "cpu_us": at most, "syncs": at most, "reference": at least this part of s_time}.
    TLS: {"key": a kind of tls.KEYS, "client": starttls or implicit, "resume": bool, "sink": bool}.
    """

    def __init__(self, title, goals=None, local=False, **values):
        self.title = title
        self.goals = goals or {}
        self.kinds = servers.MAILDIR if local else servers.RELAY
        if values.get("tls"):
            # Between generator and sink there would be one handshake, and not that of a server.
            self.kinds = servers.BESIDE
        self.values = {"size": "4k", "sessions": 50, "per_connection": 25, "no_pipelining": False, "apart": False,
                       "messages": 20000, "postfix_messages": 3000, "sink": [], "veredus": "", "postfix": "", "tls": None,
                       "listen": "", "master": "", **values}


# The name is what --only takes.
SUBJECTS = {
    "4k": Load("4 KiB, 25 messages a connection", {"direct": 0.40, "postfix": 25, "p99_ms": 20, "cpu_us": 105,
                                                   "syncs": 0.15}),
    "4k-new": Load("4 KiB, a new connection for each message", {"direct": 0.40, "postfix": 12, "p99_ms": 20},
                   per_connection=1, messages=15000, postfix_messages=2500),
    "4k-lockstep": Load("4 KiB, the generator waits for each reply", {"direct": 0.40, "p99_ms": 20},
                        no_pipelining=True),
    "4k-apart": Load("4 KiB, clients that leave Nagle's algorithm on and write the final dot apart", {"postfix": 10},
                     apart=True, messages=10000, postfix_messages=2000),
    "4k-one": Load("4 KiB, one session", sessions=1, messages=3000, postfix_messages=500),
    "4k-many": Load("4 KiB, 500 sessions", {"p99_ms": 100}, sessions=500, messages=40000,
                    postfix="default_process_limit = 600\n"),
    "100k": Load("100 KiB, 25 messages a connection", {"direct": 1 / 3}, size="100k", messages=8000,
                 postfix_messages=1500),
    "100k-new": Load("100 KiB, a new connection for each message", size="100k", per_connection=1, messages=8000,
                     postfix_messages=1500),
    "tempfail": Load("4 KiB, 25 messages a connection; the sink puts 5 % of them off", sink=["--tempfail", "5"],
                     veredus="retry 2s 5s;",
                     postfix="minimal_backoff_time = 2s\nmaximal_backoff_time = 5s\nqueue_run_delay = 2s\n"),
    "maildir": Load("4 KiB into 50 Maildirs", {"postfix": 5}, local=True, messages=10000),
    "tls-new": Load("4 KiB, STARTTLS with P-256 and a new connection for each message",
                    {"postfix": 5, "reference": 0.6}, per_connection=1, messages=6000, postfix_messages=1500,
                    tls={"key": "p256", "client": "starttls"}),
    "tls-new-rsa": Load("4 KiB, STARTTLS with RSA-2048 and a new connection for each message", {"reference": 0.6},
                        per_connection=1, messages=4000, postfix_messages=1500,
                        tls={"key": "rsa", "client": "starttls"}),
    "tls-resumed": Load("4 KiB, implicit TLS with P-256, each connection resumed", per_connection=1, messages=6000,
                        postfix_messages=1500, tls={"key": "p256", "client": "implicit", "resume": True}),
    "tls-relay": Load("4 KiB, 25 messages a connection, TLS with P-256 on both sides", {"postfix": 10},
                      tls={"key": "p256", "client": "starttls", "sink": True}),
    "backlog": None,
    "sessions": None,
    "tls-sessions": None,
    "idle": None,
    "others": None,
    "history": None,
}


# ---- a run of load ----

def generator_tls(opt):
    if not opt.tls:
        return []
    return ["--tls", opt.tls["client"], *(["--resume"] if opt.tls.get("resume") else [])]


def generate(opt, port, messages, rcpt="u{n}@example.test", users=servers.USERS):
    done = subprocess.run([os.path.join(opt.build, "veredus"), "bench", "load", "--to", f"127.0.0.1:{port}",
                           "--messages", str(messages), "--sessions", str(opt.sessions), "--size", opt.size,
                           "--per-connection", str(opt.per_connection), "--rcpt", rcpt, "--users", str(users),
                           "--from", "bench@example.net", "--json",
                           *(["--no-pipelining"] if opt.no_pipelining else []),
                           *(["--apart"] if opt.apart else []), *generator_tls(opt)],
                          stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout)


def wait_arrived(server, count, seconds=120):
    """Until COUNT messages are there; the time of that, or None."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.arrived() >= count:
            return time.monotonic()
        time.sleep(0.02)
    return None


def run_load(server, opt, messages):
    before = server.arrived() if server.arrived else 0
    syncs = measure.Syncs(server.pid)
    cpu = measure.Cpu(server.pid)
    began = time.monotonic()
    load = generate(opt, server.port, messages)
    row = {"rate": load["rate"], "p50_ms": load["p50_ms"], "p99_ms": load["p99_ms"], "codes": load["codes"],
           "acknowledged": load["acknowledged"], "handshakes": load["handshakes"], "resumed": load["resumed"],
           "generator_us": 1e6 * load["cpu_seconds"] / messages}
    if server.arrived:
        end = wait_arrived(server, before + load["acknowledged"])
        row["delivered"] = load["acknowledged"] / (end - began) if end else 0.0
    row["cpu_us"] = {name: 1e6 * seconds / messages for name, seconds in cpu.used().items()}
    row["cpu_total_us"] = sum(row["cpu_us"].values())
    counted, calls = syncs.both()
    row["syncs_by"] = {name: n / messages for name, n in (counted or {}).items()}
    row["calls_by"] = {name: n / messages for name, n in (calls or {}).items()}
    row["syncs"] = None if counted is None else sum(row["syncs_by"].values())
    row["calls"] = None if calls is None else sum(row["calls_by"].values())
    return row


def with_tls(opt, certificate):
    """OPT with what the servers need for it."""
    opt.veredus += tls.veredus_top(opt.tls, certificate)
    opt.listen = tls.veredus_listen(opt.tls)
    opt.postfix += tls.postfix_more(opt.tls, certificate)
    opt.master = tls.POSTFIX_MASTER
    if opt.tls.get("sink"):
        opt.sink = [*opt.sink, "--certificate", certificate.both]


def fresh_run(kind, opt):
    messages = opt.messages if kind.name != "postfix" else min(opt.messages, opt.postfix_messages)
    server = kind(opt)
    try:
        run_load(server, opt, min(messages, 500))
        measure.settle(server.pid)
        return run_load(server, opt, messages)
    finally:
        server.close()


# ---- domains that cannot be reached ----

def broken_names():
    """A name server that fails for everything below deferred.test, and knows of nothing else."""
    import names

    class Broken(names.Names):
        def answer(self, packet):
            code = b"\x81\x82" if b"\x08deferred\x04test" in packet.lower() else b"\x81\x83"
            return packet[:2] + code + struct.pack(">HHHH", 1, 0, 0, 0) + packet[12:packet.index(b"\0", 12) + 5]

    broken = Broken({})
    # Of a name that nobody asks about: the answers above are not signed.
    broken.anchor = os.path.join(tempfile.mkdtemp(prefix="veredus-bench-"), "anchor")
    os.chmod(os.path.dirname(broken.anchor), 0o755)
    with open(broken.anchor, "w", encoding="ascii") as out:
        out.write("elsewhere.test. IN DS 1 8 2 " + "00" * 32 + "\n")
    return broken


def backlog_server(opt, names):
    """One that asks NAMES about .deferred.test, and relays all else to its sink."""
    opt.veredus = (f"resolver 127.0.0.1:{names.port};\ntrust-anchor {names.anchor};\nroute .deferred.test mx;\n"
                   "retry 1d;\nexpire 7d;\ndelay-warning off;\n")
    return servers.VeredusRelay(opt)


def queue_pid(server):
    return next(pid for pid in measure.tree(server.pid) if measure.name_of(pid) == "queue")


def first_through(server):
    """Seconds until a message that comes now is at the sink."""
    import harness
    before = server.arrived()
    began = time.monotonic()
    server.server.send(b"Subject: first\r\n\r\nx\r\n", to="u1@example.test", sender="bench@example.net")
    harness.until(lambda: server.arrived() > before, "the first message through", 60)
    return time.monotonic() - began


def cold_start(server):
    """kill -9 of all, nothing in the cache; seconds to the greeting, and until new mail is through."""
    server.server.kill()
    measure.drop_caches()
    greeted = server.again()
    return {"greeted_s": greeted, "first_lease_s": greeted + first_through(server)}


def defer_many(server, opt, entries, domains):
    """ENTRIES messages, each to one of DOMAINS that cannot be reached; how many a second."""
    before = server.arrived()
    load = generate(opt, server.port, entries, "u@d{n}.deferred.test", domains)
    if load["acknowledged"] < entries:
        print(f"  {entries - load['acknowledged']} of {entries} were not taken: {load['codes']}", flush=True)
    measure.settle(server.pid, seconds=120)
    if server.arrived() > before:
        print(f"  {server.arrived() - before} reports: not all of them wait", flush=True)
    return load


def alternate(empty, full, opt, runs):
    """The same load to a server with an empty queue and to the one with the backlog, in turn."""
    rows = {"empty": [], "backlog": []}
    for run in range(runs):
        for name, server in [("empty", empty), ("backlog", full)]:
            rows[name].append(run_load(server, opt, opt.messages))
            print(f"run {run + 1}  {name:8}  {rows[name][-1]['rate']:10,.0f}/s", flush=True)
    return rows


def backlog(opt):
    """A million messages that wait: memory, cold start, and whether new mail feels them."""
    entries, domains = (BACKLOG // 20, DOMAINS // 20) if opt.quick else (BACKLOG, DOMAINS)
    entries = opt.entries or entries
    names = broken_names()
    empty = backlog_server(opt, names)
    full = backlog_server(opt, names)
    result = {"entries": entries, "domains": domains}
    try:
        run_load(empty, opt, 2000)
        run_load(full, opt, 2000)
        small = measure.resident(queue_pid(full))
        load = defer_many(full, opt, entries, domains)
        large = measure.resident(queue_pid(full))
        time.sleep(QUIET)
        quiet = measure.resident(queue_pid(full))
        result.update({"taken_a_second": load["rate"], "queue_mib": large[0] / 2**20, "queue_mib_quiet": quiet[0] / 2**20,
                       "an_entry": (large[0] - small[0]) / entries,
                       "an_entry_quiet": (quiet[0] - small[0]) / entries})
        print(f"  {entries:,} entries: queue {large[0] / 2**20:,.0f} MiB ({result['an_entry']:.0f} octets an entry), "
              f"once it was quiet {quiet[0] / 2**20:,.0f} MiB ({result['an_entry_quiet']:.0f}), "
              f"taken at {load['rate']:,.0f}/s", flush=True)
        rows = alternate(empty, full, opt, opt.runs)
        result["rows"] = rows
        result["rate_ratio"] = ratio(rows["backlog"], rows["empty"], "rate")
        result["cpu_ratio"] = ratio(rows["backlog"], rows["empty"], "cpu_total_us")
        if os.getuid() == 0:
            result["starts"] = [cold_start(full) for _ in range(1 if opt.quick else 3)]
            result["queue_mib_after"] = measure.resident(queue_pid(full))[0] / 2**20
    finally:
        empty.close()
        full.close()
        names.stop()
        shutil.rmtree(os.path.dirname(names.anchor), ignore_errors=True)
    return result


def ratio(ours, theirs, key):
    return statistics.median(row[key] for row in ours) / statistics.median(row[key] for row in theirs)


def goal(words, value, most, form=".1f"):
    return f"{words}: {value:{form}} (goal: at most {most:g}) {'' if value <= most else '– missed'}".rstrip()


def show_backlog(result):
    if result["entries"] == BACKLOG:
        print(goal("queue, MiB of anonymous memory", result["queue_mib"], 256, ".0f"))
    print(f"octets an entry: {result['an_entry']:.0f}, once it was quiet {result['an_entry_quiet']:.0f}, those of "
          f"{result['domains']:,} domains among them")
    print(f"new mail beside an empty queue: {result['rate_ratio']:.2f} of its rate, "
          f"{result['cpu_ratio']:.2f} of its CPU (goal: within 10 %)")
    for start in result.get("starts", []):
        print(goal("cold start to 220, s", start["greeted_s"], 3, ".2f"))
        print(goal("cold start until new mail is through, s", start["first_lease_s"], 3, ".2f"))
    if "queue_mib_after" in result:
        print(f"queue after the start, MiB: {result['queue_mib_after']:.0f}")


# ---- many sessions, and none ----

def open_session(port):
    one = socket.create_connection(("127.0.0.1", port), 20)
    one.recv(512)
    one.sendall(b"EHLO idle.example.test\r\n")
    one.recv(4096)
    return one


def open_tls_session(port, context):
    one = open_session(port)
    one.sendall(b"STARTTLS\r\n")
    one.recv(512)
    one = context.wrap_socket(one)
    one.sendall(b"EHLO idle.example.test\r\n")
    one.recv(4096)
    return one


def tls_sessions(opt):
    certificate = tls.Certificate("p256")
    opt.veredus += tls.veredus_top({}, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return sessions(opt, lambda port: open_tls_session(port, context))
    finally:
        certificate.close()


def sessions(opt, opened=open_session):
    """Sessions that said EHLO and nothing more: what they hold."""
    count = IDLE_SESSIONS // 5 if opt.quick else IDLE_SESSIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 1000)), hard))
    server = servers.VeredusRelay(opt)
    held = []
    try:
        before = measure.memory(server.pid)
        for _ in range(count):
            held.append(opened(server.port))
        after = measure.memory(server.pid)
    finally:
        for one in held:
            one.close()
        server.close()
    return {"sessions": count, "before": before, "after": after}


def mib(rows):
    return ", ".join(f"{name} {octets / 2**20:.1f}" for name, octets in
                     sorted(rows.items(), key=lambda row: -row[1]) if octets > 50000)


def show_tls_sessions(result):
    show_sessions(result, 500)


def show_sessions(result, most=200):
    total, empty = sum(result["after"].values()), sum(result["before"].values())
    print(goal(f"{result['sessions']:,} idle sessions, MiB of PSS", total / 2**20, most))
    print(f"without them {empty / 2**20:.1f}; {(total - empty) / result['sessions']:.0f} octets a session")
    print(f"by process: {mib(result['after'])}")


def idle(opt):
    """A server with one domain and nothing to do."""
    seconds = 15 if opt.quick else 60
    server = servers.VeredusMaildir(opt)
    try:
        measure.settle(server.pid)
        time.sleep(2)
        held = measure.memory(server.pid)
        before = measure.switches(server.pid)
        time.sleep(seconds)
        after = measure.switches(server.pid)
    finally:
        server.close()
    return {"memory": held, "wakes_a_minute": {name: (n - before.get(name, 0)) * 60 / seconds
                                               for name, n in after.items()}}


def show_idle(result):
    print(goal("idle, MiB of PSS", sum(result["memory"].values()) / 2**20, 40))
    print(f"by process: {mib(result['memory'])}")
    print(goal("wake-ups a minute", sum(result["wakes_a_minute"].values()), 1))
    awake = [f"{name} {n:.1f}" for name, n in result["wakes_a_minute"].items() if n]
    if awake:
        print(f"by process: {', '.join(awake)}")


OTHERS = {"backlog": (backlog, show_backlog, "messages that wait, over many domains that cannot be reached"),
          "sessions": (sessions, show_sessions, "idle sessions"),
          "tls-sessions": (tls_sessions, show_tls_sessions, "idle sessions with TLS"), "idle": (idle, show_idle, "nothing to do")}
