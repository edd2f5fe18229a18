"""A real server for one test: its configuration, its processes, its log, its mailboxes, and the wire to it.

The program is taken from VEREDUS_BUILD (the build folder; ../../build without it). Nothing here needs root; started
by root the workers run under the server's accounts, so the folders can be reached by others.
"""
import email
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ports import free_port  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VEREDUS_BUILD", os.path.join(ROOT, "build"))
PROGRAM = os.path.join(BUILD, "veredus")
WAIT = float(os.environ.get("VEREDUS_WAIT", "60"))

CONFIG = """\
hostname mail.example.test;
listen 127.0.0.1:{port}{listen}
spool {folder}/spool;
state {folder}/state;
control {folder}/run/control;
log stderr {form} debug;
{top}
domain example.test {{
    users file:users;
    aliases file:aliases;
    deliver maildir:{folder}/mail/{{domain}}/{{user}};
    {domain}
}}
"""


class Failed(AssertionError):
    """The server did something that no test expects."""


def until(condition, what, seconds=None):
    """What CONDITION returns, as soon as that is true; fails with the words of WHAT when it never is."""
    end = time.monotonic() + (seconds or WAIT)
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed("waited in vain for " + (what() if callable(what) else what))
        time.sleep(0.01)


def mail_account():
    """The account that mailbox deliveries run as when root starts the server."""
    for name in ["vmail", "nobody"]:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise Failed("neither vmail nor nobody exists")


class Reply:
    """One reply of the server: its code, the text of each line, and the octets."""

    def __init__(self, lines):
        self.lines = [line[4:].rstrip(b"\r\n").decode("utf-8", "replace") for line in lines]
        self.code = int(lines[-1][:3])
        self.raw = b"".join(lines)

    @property
    def text(self):
        return self.lines[-1]

    @property
    def status(self):
        """The enhanced code, RFC 2034."""
        found = re.match(r"([245]\.\d{1,3}\.\d{1,3}) ", self.text + " ")
        return found[1] if found else None

    @property
    def id(self):
        """The queue id of a 250 to the final dot."""
        return self.text.rsplit(" ", 1)[1]

    def __eq__(self, code):
        return self.code == code

    def __repr__(self):
        return self.raw.decode("utf-8", "replace").rstrip()


class Wire:
    """An SMTP connection, octet by octet. Commands are given without CRLF; send() sends as it is."""

    def __init__(self, port, host="127.0.0.1", greeting=True):
        self.socket = socket.create_connection((host, port), WAIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply() if greeting else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, octets):
        self.socket.sendall(octets.encode() if isinstance(octets, str) else octets)

    def reply(self):
        """The next reply. Fails on one that is not well formed (C019, C020)."""
        lines = []
        while True:
            line = self.file.readline(4096)
            if not line and not lines:
                raise EOFError("the server closed the connection")
            if not re.match(rb"[2-5]\d\d[ -].*\r\n\Z|[2-5]\d\d\r\n\Z", line, re.S):
                raise Failed(f"no reply line: {line!r}")
            if len(line) > 512:
                raise Failed(f"a reply line of {len(line)} octets")
            if lines and line[:3] != lines[0][:3]:
                raise Failed(f"two codes in one reply: {lines + [line]!r}")
            lines.append(line)
            if line[3:4] != b"-":
                return Reply(lines)

    def cmd(self, line):
        self.send(line if isinstance(line, bytes) else line.encode("utf-8"))
        self.send(b"\r\n")
        return self.reply()

    def ehlo(self, name="client.example.test"):
        return self.cmd("EHLO " + name)

    def content(self, octets):
        """DATA, OCTETS with dots stuffed, and the final dot; the reply to that."""
        go = self.cmd("DATA")
        if go != 354:
            return go
        self.send(stuff(octets) + b".\r\n")
        return self.reply()

    def transaction(self, octets, to="ada@example.test", sender="carol@example.net", parameters=""):
        """MAIL, RCPT and content; the first reply that refuses, or the one to the final dot."""
        reply = self.cmd(f"MAIL FROM:<{sender}>{parameters}")
        for one in [to] if isinstance(to, str) else to:
            if reply.code // 100 == 2:
                reply = self.cmd(f"RCPT TO:<{one}>")
        return self.content(octets) if reply.code // 100 == 2 else reply

    def at_end(self):
        """True when the server closes without another word."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True


def stuff(octets):
    """RFC 5321 4.5.2."""
    return re.sub(rb"(?m)^\.", b"..", octets)


def children(pid):
    """Pids of the direct children, any that runs."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as text:
                found += [int(word) for word in text.read().split()]
        except OSError:
            pass
    return found


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as text:
            return text.read().strip()
    except OSError:
        return ""


def record_of(line):
    """The JSON record of a log line; behind the front of another where a kill cut that off; None: it is none."""
    for text in [line, line[line.rfind('{"time":'):] if '{"time":' in line else ""]:
        try:
            return json.loads(text)
        except ValueError:
            pass
    return None


# AddressSanitizer does not know the stacks of OpenSSL's jobs (tls/provider.c); it says so once, and goes on.
JOB_STACKS = ("is ignoring requested __asan_handle_no_return", "False positive error reports may follow",
              "google/sanitizers/issues/189")


class Server:
    """
    A server with the domain example.test on one port of 127.0.0.1.

    USERS are names of mailboxes, ALIASES a dict or a text. TOP, LISTEN and DOMAIN are directives for those blocks;
    CONFIG replaces the whole file ({port} and {folder} are filled in). start() returns when it is ready.
    """

    def __init__(self, users=("ada", "bob"), aliases=None, top="", listen="", domain="", config=CONFIG, form="json"):
        if not os.path.exists(PROGRAM):
            raise Failed(f"{PROGRAM} is not there")
        self.folder = tempfile.mkdtemp(prefix="veredus-e2e-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        self.values = {"top": top, "listen": f" {{ {listen} }}" if listen else ";", "domain": domain}
        self.template = config
        self.form = form
        self.process = None
        self.prefix = []  # words before the program's own: another program that becomes it
        self.program = PROGRAM
        self.expected = []
        self.taken = set()
        self.log_path = os.path.join(self.folder, "log")
        self.log_seen = 0
        for name in ["mail", "run"]:
            os.mkdir(self.path(name))
            os.chmod(self.path(name), 0o755)
        if os.getuid() == 0:
            account = mail_account()
            os.chown(self.path("mail"), account.pw_uid, account.pw_gid)
        self.write_users(users)
        self.write_aliases(aliases or {})
        self.write_config()

    # ---- files ----

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return self.path(name)

    def write_config(self, **values):
        """Writes the configuration again, with other TOP, LISTEN or DOMAIN."""
        self.values.update(values)
        return self.write("veredus.conf", self.template.format(folder=self.folder, port=self.port, form=self.form,
                                                               **self.values))

    def write_users(self, users):
        self.write("users", "".join(f"{user}\n" for user in users))

    def write_aliases(self, aliases):
        text = aliases if isinstance(aliases, str) else "".join(f"{k}: {v}\n" for k, v in aliases.items())
        self.write("aliases", text)

    # ---- life ----

    def start(self, ready=True, arguments=()):
        self.log_seen = self.log_size()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, self.program, "run", "-c", self.path("veredus.conf"), *arguments],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        if ready:
            until(lambda: self.process.poll() is not None or self.is_ready(),
                  lambda: "ready; it says\n" + self.log_text())
            if self.process.poll() is not None:
                raise Failed(f"ended with {self.process.returncode}:\n{self.log_text()}")
        return self

    def is_ready(self):
        return any(record["event"] == "ready" for record in self.records(since_start=True))

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        """SIGHUP; returns the config record that answers."""
        before = len(self.records("config"))
        self.signal(signal.SIGHUP)
        return until(lambda: self.records("config")[before:], "the answer to SIGHUP")[0]

    def stop(self):
        """SIGTERM and the orderly end; the exit status."""
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        try:
            return self.process.wait(WAIT)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise Failed("does not end; it says\n" + self.log_text()) from late

    def kill(self):
        """kill -9 of every process, main first so that it starts none again."""
        pids = self.pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "the end of killed processes")

    def pids(self):
        """main and everything below it."""
        found = [self.process.pid] if self.process and self.process.poll() is None else []
        for pid in found:
            try:
                found += children(pid)
            except OSError:
                pass
        return found

    def workers(self):
        """{name: [pid, ...]} of the processes below main, without the "veredus-" before their names."""
        rows = {}
        for pid in self.pids()[1:]:
            rows.setdefault(name_of(pid).removeprefix("veredus-"), []).append(pid)
        return rows

    def close(self):
        """The end of the test: stops, looks for what nobody expected, takes the folder away."""
        try:
            if self.process:
                self.stop()
            self.check_log()
        finally:
            if self.process and self.process.poll() is None:
                self.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- log ----

    def log_size(self):
        return os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    def log_text(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as text:
                return text.read()
        except OSError:
            return ""

    def log_lines(self, since_start=False):
        """Complete lines only: the last may still be on its way."""
        with open(self.log_path, "rb") as log:
            if since_start:
                log.seek(self.log_seen)
            text = log.read()
        return [line.decode("utf-8", "replace") for line in text.split(b"\n")[:-1]]

    def records(self, event=None, since_start=False, **fields):
        """JSON records of the log, with this event and these fields."""
        found = []
        for line in self.log_lines(since_start):
            record = record_of(line)
            if record and event in (None, record.get("event")) and \
                    all(record.get(k) == v for k, v in fields.items()):
                found.append(record)
        return found

    def wait_record(self, event, **fields):
        return until(lambda: self.records(event, **fields), f"a record {event} {fields}")[0]

    def expect(self, event, level="error"):
        """Records of this kind are part of the test."""
        self.expected.append((event, level))

    def check_log(self):
        if not os.path.exists(self.log_path) or self.form != "json":
            return
        bad = []
        for line in self.log_lines():
            record = record_of(line)
            if not record:
                # A kill may cut a record off; whatever else is no record was printed by somebody in trouble.
                if not line.startswith('{"time":') and not any(words in line for words in JOB_STACKS):
                    bad.append(line)
            elif record.get("level") == "error" and (record.get("event"), "error") not in self.expected:
                bad.append(line)
        if any("Sanitizer" in line or "runtime error" in line or "bug:" in line for line in bad) or \
                (bad and ("*", "error") not in self.expected):
            raise Failed("in the log:\n" + "\n".join(bad[:40]))

    # ---- mail ----

    def wire(self, **options):
        return Wire(self.port, **options)

    def send(self, octets, **options):
        """One message in a session of its own; the reply to the final dot."""
        with self.wire() as wire:
            wire.ehlo()
            reply = wire.transaction(octets, **options)
            wire.cmd("QUIT")
        if reply == 250:
            self.taken.add(reply.id)
        return reply

    def maildir(self, user, domain="example.test"):
        return self.path("mail", domain, user)

    def mail_paths(self, user, domain="example.test"):
        folder = os.path.join(self.maildir(user, domain), "new")
        try:
            return sorted(os.path.join(folder, name) for name in os.listdir(folder))
        except FileNotFoundError:
            return []

    def mail(self, user, domain="example.test"):
        """The octets of each message in the mailbox, in the order of file names."""
        found = []
        for path in self.mail_paths(user, domain):
            with open(path, "rb") as message:
                found.append(message.read())
        return found

    def wait_mail(self, user, count=1, domain="example.test"):
        until(lambda: len(self.mail_paths(user, domain)) >= count, lambda: f"{count} messages for {user}\n" +
              "\n".join(self.log_text().splitlines()[-20:]))
        found = self.mail(user, domain)
        if len(found) != count:
            raise Failed(f"{len(found)} messages for {user}, {count} were expected")
        return found

    def wait_queue_empty(self):
        """Every accepted message is done. A 250 may be there before its record: what send() was told counts too."""
        def settled():
            accepted = self.taken | {record["id"] for record in self.records("accept")}
            return accepted and accepted <= {record["id"] for record in self.records("done")}
        until(settled, "the end of every accepted message")


def field(message, name):
    """The values of a header field, unfolded."""
    return email.message_from_bytes(message).get_all(name, [])


def below_trace(message):
    """The message below the fields that veredus puts in front of it, with CRLF as it came in."""
    octets = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    while re.match(rb"(?i)(Return-Path|Delivered-To|X-Original-To|Received|Authentication-Results):", octets):
        octets = re.sub(rb"\A[^\r]*\r\n(?:[ \t][^\r]*\r\n)*", b"", octets, count=1)
    return octets
