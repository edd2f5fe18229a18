#!/usr/bin/python3
"""veredus config check (the argument is the program) about relaying: what a route or relay-from names, and must be had.

Prints one line a case; ends 1 when one failed.
"""
import os
import socket
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
BASE = "hostname mail.example.test;\nspool spool;\ncontrol control 0660 root;\nrun-as nobody;\n"
failures = []


def write(folder, name, text, mode=0o644):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, mode)
    return path


def check(folder, text):
    """Exit code, and what is said of configuration TEXT."""
    path = write(folder, "veredus.conf", BASE + text)
    done = subprocess.run([PROGRAM, "config", "check", path], cwd=folder, text=True, capture_output=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout + done.stderr


def expect(folder, name, text, code, *words):
    seen = check(folder, text)
    good = seen[0] == code and all(word in seen[1] for word in words)
    print("ok  " if good else "FAIL", name)
    if not good:
        failures.append(name)
        print("     ", *seen)


def commands(folder):
    domain = "domain a.example {{ users any; deliver pipe:{} {{user}}; deliver-as nobody; postmaster p@b.example; }}\n"
    expect(folder, "a command that is there", domain.format("/bin/cat"), 0, "no errors.")
    expect(folder, "a command that is not there", domain.format("/bin/no-such-command"), 78,
           "veredus.conf:5:39: error: /bin/no-such-command: No such file or directory")
    plain = write(folder, "plain", "#!/bin/sh\n")
    expect(folder, "a command that cannot be run", domain.format(plain), 78, f"{plain} is not executable", "chmod +x")
    expect(folder, "a folder is no command", domain.format(folder), 78, f"{folder} is not a program")


def sockets(folder):
    route = f"route a.example lmtp:unix:{folder}/lmtp;\n"
    expect(folder, "a socket may come later", route, 0, "warning", "/lmtp: No such file", "until somebody listens")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/lmtp")
        expect(folder, "a socket that is there", route, 0, "no errors.")
    expect(folder, "a file is no socket", f"route a.example lmtp:unix:{write(folder, 'file', '')};\n", 78,
           "file is not a socket")


def files(folder):
    expect(folder, "a file of clients that is not there", "relay-from file:clients;\n", 78, "clients: No such file")
    write(folder, "clients", "192.0.2.1\n2001:db8::1 printer\n")
    expect(folder, "a file of clients", "relay-from file:clients;\n", 0, "no errors.")
    write(folder, "clients", "192.0.2.1\nmail.example.test\n")
    expect(folder, "a line of it that is no address", "listen 127.0.0.1:25250 { relay-from file:clients; }\n", 78,
           f"{folder}/clients:2: error: ")
    expect(folder, "a trust anchor that is not there", "trust-anchor root.key;\n", 78, "root.key: No such file")
    write(folder, "root.key", ". IN DS 20326 8 2 00\n")
    expect(folder, "a trust anchor", "trust-anchor root.key;\n", 0, "no errors.")


def mailboxes(folder):
    expect(folder, "a route into mailboxes", "route a.example maildir:mail/{user};\n", 78, "mail: No such file")
    os.mkdir(f"{folder}/boxes")
    os.chmod(f"{folder}/boxes", 0o777)
    os.chmod(folder, 0o755)
    expect(folder, "an mbox for each user",
           "domain a.example { users any; deliver mbox:boxes/{user}; deliver-as nobody; postmaster p@b.example; }\n", 0,
           "no errors.")
    expect(folder, "an mbox for all users is a warning",
           "domain a.example { users any; deliver mbox:boxes/all; deliver-as nobody; postmaster p@b.example; }\n", 0,
           "all users of this domain share one mailbox")
    expect(folder, "a relayed domain needs no folder and no account",
           "domain a.example { users any; deliver mx; postmaster p@b.example; }\n", 0, "no errors.")
    expect(folder, "who a next hop knows is not asked for here", "domain a.example { users ask; deliver mx; }\n", 0,
           "no errors.")
    expect(folder, "deliver-as beside a host is a warning",
           "domain a.example { users any; deliver mx; deliver-as nobody; postmaster p@b.example; }\n", 0,
           "veredus.conf:5:54: warning: 'deliver-as' changes nothing")


def main():
    for part in (commands, sockets, files, mailboxes):
        with tempfile.TemporaryDirectory() as folder:
            part(folder)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
