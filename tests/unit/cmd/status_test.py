#!/usr/bin/python3
"""veredus status (the program is the argument) of a server that answers what each case says; no server runs.

Prints one line a case; ends 1 when one failed.
"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading

PROGRAM = os.path.abspath(sys.argv[1])
failures = []


def process(name, instance=0, state="ready", **figures):
    return {"event": "process_status", "process": name, "pid": 100 + instance, "instance": instance, "state": state,
            **figures}


def main_row():
    row = process("main", version="0.1.0", config="/etc/veredus/veredus.conf", listeners=["mx-25"])
    return {name: value for name, value in row.items() if name not in ("instance", "state")}


def spool(**changes):
    return {"event": "spool_status", "state": "ok", "messages": 3, "held": 0, **changes}


def answer(listener, rows):
    peer, _ = listener.accept()
    with peer, peer.makefile("rb") as lines:
        lines.readline()
        for row in [*rows, {"end": True, "exit": 0}]:
            peer.sendall(json.dumps(row).encode() + b"\n")


def status(folder, rows, *arguments):
    path = os.path.join(folder, "control")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        server = threading.Thread(target=answer, args=(listener, rows))
        server.start()
        done = subprocess.run([PROGRAM, "status", "-c", os.path.join(folder, "veredus.conf"), *arguments], text=True,
                              capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
        server.join()
    os.unlink(path)
    return done.returncode, done.stdout, done.stderr


def expect(name, good, seen):
    print("ok  " if good else "FAIL", name)
    if not good:
        failures.append(name)
        print("     ", seen)


def health(folder):
    well = [main_row(), process("queue", 1), process("receive", 2), spool()]
    seen = status(folder, well)
    expect("all is well", seen[0] == 0 and "is well" in seen[1] and "held  " not in seen[1], seen)
    seen = status(folder, well + [process("deliver", 3, "starting")])
    expect("a starting deliver process is normal", seen[0] == 0 and "is well" in seen[1] and "starting" in seen[1],
           seen)
    seen = status(folder, well + [process("lookup", 3, "starting")])
    expect("any other is not", seen[0] == 1 and "lookup is not ready" in seen[1], seen)
    seen = status(folder, [main_row(), process("receive", 2)])
    expect("a queue that is away", seen[0] == 1 and "the queue process is away" in seen[1], seen)
    seen = status(folder, well[:3] + [spool(state="refusing", cause="fdatasync: Input/output error")])
    expect("a spool that refuses", seen[0] == 1 and "the spool is refusing: fdatasync: Input/output error" in seen[1],
           seen)
    seen = status(folder, well + [{"event": "table", "table": "/etc/veredus/users", "state": "faulty"}])
    expect("a table with bad lines", seen[0] == 1 and "/etc/veredus/users is faulty: see veredus config check" in
           seen[1], seen)
    seen = status(folder, well[:3] + [spool(held=1)])
    expect("one held message, and where to see it", seen[0] == 0 and "\nheld           1 message: see veredus queue\n" in
           seen[1], seen)
    seen = status(folder, well[:3] + [spool(held=1234)])
    expect("held messages", "\nheld           1,234 messages: see veredus queue\n" in seen[1], seen)


def joined(folder):
    own = [{"event": "process_status", "process": "receive", "instance": n, "sessions": n} for n in (3, 2)]
    known = [main_row(), process("queue", 1), process("receive", 2), process("receive", 3), spool()]
    for name, rows in (("own rows first", own + known), ("own rows last", known + own)):
        seen = status(folder, rows)
        lines = [line.split() for line in seen[1].splitlines() if line.startswith("receive")]
        expect("each process once: " + name, [line[1:] for line in lines] ==
               [["102", "sessions", "2"], ["103", "sessions", "3"]], seen)
        seen = status(folder, rows, "--json")
        rows = [row for row in json.loads(seen[1])["processes"] if row["process"] == "receive"]
        expect("as JSON: " + name, [(row["instance"], row["pid"], row["sessions"]) for row in rows] ==
               [(2, 102, 2), (3, 103, 3)], seen)


def main():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "veredus.conf"), "w", encoding="utf-8") as out:
            out.write("hostname mail.example.test;\ncontrol control;\n")
        health(folder)
        joined(folder)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
