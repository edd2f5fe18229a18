"""Accounts: veredus user, who may log in from where, what one may send as and how much, and mail that leaves later."""
import base64
import calendar
import hashlib
import hmac
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import termios
import time

import pytest

from harness import PROGRAM, WAIT, until
from scripted_peer import ScriptedPeer
from secure import Secure, context, words
from test_submission import MESSAGE, PASSWORD, logged_in, password_hash, submission  # noqa: F401

ADA, BOB = "ada@example.test", "bob@example.test"
SHUT = 0o500  # nothing is delivered into that folder


def veredus(server, *arguments, text="", status=0, program=PROGRAM, **options):
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=WAIT, check=False,
                          env={**os.environ, "VEREDUS_CONFIG": server.path("veredus.conf")}, **options)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr


def rows(server, *arguments):
    return [json.loads(line) for line in veredus(server, *arguments, "--json").splitlines()]


def listed(server, name):
    """The row of that message in the queue."""
    return next((row for row in rows(server, "queue", "list") if row["id"] == name), None)


def users(server):
    with open(server.path("users"), encoding="utf-8") as text:
        return text.read()


def b64(octets):
    return base64.b64encode(octets if isinstance(octets, bytes) else octets.encode()).decode()


class From(Secure):
    """Inside TLS, from another of the addresses of loopback."""

    def __init__(self, port, client):
        self.ctx = context()
        plain = socket.create_connection(("127.0.0.1", port), WAIT, (client, 0))
        self.socket = self.ctx.wrap_socket(plain, server_hostname="mail.example.test")
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply()


def plain(wire, account, password):
    return wire.cmd("AUTH PLAIN " + b64(f"\0{account}\0{password}"))


def scram(wire, account, password):
    """RFC 5802, 7677; the server shows that it has the keys, too."""
    bare = f"n={account},r=client-nonce"
    challenge = wire.cmd("AUTH SCRAM-SHA-256 " + b64("n,," + bare))
    if challenge != 334:
        return challenge
    first = base64.b64decode(challenge.text).decode()
    said = dict(part.split("=", 1) for part in first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(said["s"]), int(said["i"]))
    last = f"c={b64('n,,')},r={said['r']}"
    text = f"{bare},{first},{last}".encode()
    key = hmac.digest(salted, b"Client Key", "sha256")
    mask = hmac.digest(hashlib.sha256(key).digest(), text, "sha256")
    reply = wire.cmd(b64(f"{last},p={b64(bytes(a ^ b for a, b in zip(key, mask)))}"))
    if reply != 334:
        return reply
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    assert base64.b64decode(reply.text).decode() == "v=" + b64(hmac.digest(server_key, text, "sha256"))
    return wire.cmd("")


def answer(server, account, password, how=plain):
    """The reply to a log-in in a session of its own."""
    with Secure(server.ports.tls) as wire:
        wire.ehlo()
        return how(wire, account, password).code


def wait_answer(server, account, password, code, how=plain):
    """The users file is watched; a log-in says when it was read."""
    until(lambda: answer(server, account, password, how) == code, f"{code} to {account}")


@pytest.fixture
def empty(submission):  # noqa: F811
    """A server whose users file has nobody yet."""
    server = submission()
    server.write("users", "# people\n")
    return server


# ---- veredus user ----

def test_one_that_is_added_logs_in_at_once(empty):
    said = veredus(empty, "user", "add", ADA, text="first secret\n")
    assert said.startswith(f"{ADA} is in {empty.path('users')} (yescrypt, SCRAM-SHA-256) and works at once\n")
    assert re.search(r"^  set up +mail\.example\.test, port ", said, re.M)
    wait_answer(empty, ADA, "first secret", 235)
    assert answer(empty, ADA, "first secret", scram) == 235
    assert answer(empty, ADA, "another", scram) == 535
    assert users(empty).startswith("# people\nada:{CRYPT}$y$") and "first secret" not in users(empty)
    with Secure(empty.ports.tls) as wire:
        assert "SCRAM-SHA-256" in words(wire.ehlo())["AUTH"]
        assert scram(wire, ADA, "first secret") == 235
        assert wire.transaction(MESSAGE, sender=ADA, to=ADA) == 250
    empty.wait_mail("ada")


def test_gsasl_logs_in_one_that_was_added(empty, program):
    veredus(empty, "user", "add", ADA, text="first secret\n")
    wait_answer(empty, ADA, "first secret", 235)
    for mechanism in ["PLAIN", "SCRAM-SHA-256"]:
        done = subprocess.run([program("gsasl"), "--smtp", "--client", "--mechanism", mechanism, "--connect",
                               f"127.0.0.1:{empty.ports.clear}", "--authentication-id", ADA, "--authorization-id", "",
                               "--password", "first secret", "--starttls", "--x509-ca-file=", "--no-cb",
                               "--quality-of-protection", "qop-auth"],
                              input="", capture_output=True, text=True, timeout=WAIT, check=False)
        assert "235 2.7.0" in done.stdout, (done.stdout, done.stderr)


def test_what_a_new_account_may_is_said(submission):  # noqa: F811
    server = submission(top="limit account recipients 20/h;")
    server.write("aliases", "info: ada\nboth: ada, bob\npostmaster: ada\n")
    server.write("users", "bob\n")
    said = veredus(server, "user", "add", ADA, text="first secret\n")
    assert re.search(r"^  receives +ada@example\.test, info@example\.test, both@example\.test, "
                     r"postmaster@example\.test$", said, re.M)
    assert f"  mailbox     {server.path('mail/example.test/ada')}, made with the first message\n" in said
    assert "  may send    from these, to 20 recipients an hour\n" in said
    assert said.endswith(f"  set up      mail.example.test, port {server.ports.clear} STARTTLS or "
                         f"{server.ports.tls} TLS, name {ADA}\n")


def test_another_password_takes_the_place_of_the_old(empty):
    veredus(empty, "user", "add", ADA, text="first secret\n")
    wait_answer(empty, ADA, "first secret", 235)
    veredus(empty, "user", "passwd", ADA, text="second secret\n")
    wait_answer(empty, ADA, "second secret", 235)
    assert answer(empty, ADA, "second secret", scram) == 235
    assert answer(empty, ADA, "first secret") == 535 and answer(empty, ADA, "first secret", scram) == 535
    assert users(empty).count("ada") == 1


def test_disabled_and_removed_ones_do_not_log_in(empty):
    for name in [ADA, BOB]:
        veredus(empty, "user", "add", name, text="first secret\n")
    veredus(empty, "user", "add", "carol@example.test", "--no-password")
    wait_answer(empty, BOB, "first secret", 235)
    states = {row["account"]: row["state"] for row in rows(empty, "user", "list")}
    assert states == {"ada": "password", "bob": "password", "carol": "no password"}
    veredus(empty, "user", "disable", ADA)
    wait_answer(empty, ADA, "first secret", 535)
    assert answer(empty, ADA, "first secret", scram) == 535 and answer(empty, BOB, "first secret") == 235
    assert empty.wait_record("auth_fail", account=ADA)
    said = veredus(empty, "user", "list")
    assert re.search(r"^ada +disabled$", said, re.M) and re.search(r"^bob +password, SCRAM$", said, re.M)
    assert "$y$" not in said
    assert empty.send(MESSAGE, to=ADA) == 250  # its mailbox stays
    veredus(empty, "user", "passwd", ADA, text="third secret\n")
    wait_answer(empty, ADA, "third secret", 235)
    veredus(empty, "user", "remove", ADA)
    wait_answer(empty, ADA, "third secret", 535)
    assert "ada" not in users(empty)
    # One without a password may be let in by others who know one: not any more.
    veredus(empty, "user", "disable", "carol@example.test")
    assert "carol:!\n" in users(empty)
    until(lambda: empty.send(MESSAGE, to=ADA) == 550, "550 to one that is gone")


def test_what_a_disabled_account_sent_is_held_until_it_is_released(submission):  # noqa: F811
    server = submission()
    os.chmod(server.path("mail"), SHUT)
    with logged_in(server) as wire:
        ids = [wire.transaction(MESSAGE, sender=ADA, to=BOB).id for _ in range(2)]
    with logged_in(server, BOB) as wire:
        other = wire.transaction(MESSAGE, sender=BOB, to=ADA).id
    for name in [*ids, other]:
        server.wait_record("defer", id=name)
    assert "2 messages of it are held" in veredus(server, "user", "disable", ADA, "--hold")
    wait_answer(server, ADA, PASSWORD, 535)
    for name in ids:
        record = server.wait_record("hold", id=name)
        assert record["reason"] == "admin" and "its account was disabled" in record["error"]
        assert listed(server, name)["state"] == "held"
    assert server.wait_record("admin", action="hold", count=2)["command"] == f"queue hold --account {ADA}"
    assert listed(server, other)["state"] != "held"
    os.chmod(server.path("mail"), 0o755)
    server.stop()
    server.start()
    veredus(server, "queue", "flush", "--all", "-y")
    server.wait_mail("ada")
    for name in ids:
        row = listed(server, name)
        assert row["state"] == "held" and row["reason"] == "admin" and row["note"] == "its account was disabled"
    assert server.mail("bob") == []
    veredus(server, "queue", "release", "--account", ADA, "-y")
    server.wait_mail("bob", 2)
    for name in ids:
        server.wait_record("admin", action="release", id=name)
        story = veredus(server, "trace", name)
        assert f"hold by root: veredus queue hold --account {ADA}" in story
        assert "its account was disabled" in story
        assert f"release by root: veredus queue release --account {ADA}" in story


@pytest.mark.parametrize("arguments,status,said", [
    (["add"], 64, "something is missing"),
    (["add", "ada@example.test", "--hold"], 64, "--hold"),
    (["add", "a b@example.test"], 64, "can be no account"),
    (["add", "ada@elsewhere.test"], 1, "is not served here"),
    (["add", "bob@example.test"], 1, "already"),
    (["passwd", "nobody@example.test"], 1, "does not know"),
    (["disable", "nobody@example.test"], 1, "does not know"),
    (["remove", "nobody@example.test"], 1, "does not know"),
    (["list", "ada"], 64, "ada"),
])
def test_errors_say_what_is_wrong_and_change_nothing(submission, arguments, status, said):  # noqa: F811
    server = submission()
    before = users(server)
    assert said in veredus(server, "user", *arguments, text="secret\n", status=status)
    assert users(server) == before


@pytest.mark.parametrize("text", ["", "\n", "x" * 5000 + "\n", "x" * 256 + "\n", "bell\a\n", "n\0l\n", "n\0l", "c\rr\n"])
def test_what_can_be_no_password_is_65(empty, text):
    before = users(empty)
    assert "password" in veredus(empty, "user", "add", ADA, text=text, status=65)
    assert users(empty) == before


def test_a_password_may_be_as_long_as_a_log_in_can_say(empty):
    veredus(empty, "user", "add", ADA, text="secret\n")
    for text in ["y" * 255, " a b ", "Gr\u00fc\u00dfe"]:
        veredus(empty, "user", "passwd", ADA, text=text + "\r\n")
        wait_answer(empty, ADA, text, 235)


@pytest.mark.parametrize("name", ["#ada@example.test", "a:b@example.test"])
def test_what_would_be_read_as_somebody_else_is_added_to_no_file(empty, name):
    before = users(empty)
    for more in [[], ["--no-password"]]:
        assert "cannot stand in a users file" in veredus(empty, "user", "add", name, *more, text="secret\n", status=65)
    assert users(empty) == before


def test_a_configuration_with_errors_is_78(empty):
    with open(empty.path("veredus.conf"), "a", encoding="utf-8") as out:
        out.write("hostnam x;\n")
    assert "has errors" in veredus(empty, "user", "add", ADA, text="secret\n", status=78)


@pytest.mark.parametrize("become,said", [(lambda path: os.remove(path), "No such file"),
                                         (lambda path: (os.remove(path), os.mkdir(path)), "not a regular file")])
def test_a_users_file_that_is_none_is_65(empty, become, said):
    become(empty.path("users"))
    assert said in veredus(empty, "user", "add", ADA, text="secret\n", status=65)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to be somebody else")
def test_who_may_not_write_the_file_is_told_77(empty):
    before = users(empty)
    os.chmod(empty.path("users"), 0o644)
    # A copy: somebody else may not be able to walk to the build.
    other = {"program": shutil.copy(PROGRAM, empty.path("veredus")), "user": "nobody"}
    assert "Permission denied" in veredus(empty, "user", "add", ADA, text="secret\n", status=77, **other)
    os.chmod(empty.path("users"), 0o600)
    for arguments in [["add", ADA], ["list"], ["remove", ADA]]:
        assert "Permission denied" in veredus(empty, "user", *arguments, text="secret\n", status=77, **other)
    assert users(empty) == before and not [name for name in os.listdir(empty.folder) if name.startswith("users.")]


def test_of_two_editors_the_second_is_told_to_come_later(empty):
    first = subprocess.Popen([PROGRAM, "user", "add", ADA], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "VEREDUS_CONFIG": empty.path("veredus.conf")})
    holds = f"/proc/{first.pid}/fd"
    until(lambda: empty.path("users") in [os.path.realpath(os.path.join(holds, fd)) for fd in os.listdir(holds)]
          and locked(empty.path("users")), "the first editor")
    assert "somebody else" in veredus(empty, "user", "add", BOB, text="secret\n", status=75)
    first.communicate("first secret\n", WAIT)
    assert first.returncode == 0
    veredus(empty, "user", "add", BOB, text="second secret\n")
    wait_answer(empty, BOB, "second secret", 235)
    assert answer(empty, ADA, "first secret") == 235


def locked(path):
    number = os.stat(path).st_ino
    with open("/proc/locks", encoding="ascii") as text:
        return any(line.split()[5].endswith(f":{number}") for line in text if "FLOCK" in line)


class Terminal:
    """A command on a terminal of its own, with a person before it."""

    def __init__(self, server, *arguments):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ["VEREDUS_CONFIG"] = server.path("veredus.conf")
            os.execv(PROGRAM, [PROGRAM, *arguments])
        self.text = ""

    def until(self, mark):
        while mark not in self.text:
            assert select.select([self.fd], [], [], WAIT)[0], self.text
            self.text += os.read(self.fd, 4096).decode()

    def type(self, line):
        os.write(self.fd, line.encode() + b"\n")

    def end(self):
        """What it exits with; all it said is in text."""
        try:
            while True:
                self.text += os.read(self.fd, 4096).decode()
        except OSError:
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_at_a_terminal_it_is_asked_twice_and_not_shown(empty):
    person = Terminal(empty, "user", "add", ADA)
    person.until(f"Password for {ADA}: ")
    person.type("first secret")
    person.until("Again: ")
    person.type("first secret")
    assert person.end() == 0
    assert "first secret" not in person.text and "works at once" in person.text
    wait_answer(empty, ADA, "first secret", 235)


def test_who_breaks_off_gets_a_terminal_that_shows_what_is_typed(empty):
    before = users(empty)
    person = Terminal(empty, "user", "add", ADA)
    person.until(f"Password for {ADA}: ")
    assert not termios.tcgetattr(person.fd)[3] & termios.ECHO
    os.write(person.fd, b"half\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(person.pid, 0)[1]) == -signal.SIGINT
    assert termios.tcgetattr(person.fd)[3] & termios.ECHO
    os.close(person.fd)
    assert users(empty) == before


def test_at_a_terminal_two_different_ones_change_nothing(empty):
    before = users(empty)
    person = Terminal(empty, "user", "add", ADA)
    person.until(f"Password for {ADA}: ")
    person.type("first secret")
    person.until("Again: ")
    person.type("first secrte")
    assert person.end() == 65
    assert "two different" in person.text and "secr" not in person.text.replace("two different", "")
    assert users(empty) == before


# ---- limits by account ----

def test_recipients_of_an_account_are_counted_over_sessions_and_listeners(submission):  # noqa: F811
    server = submission(top="limit account recipients 5/h;")
    replies = []
    for port in [server.ports.tls, server.ports.clear, server.ports.tls]:
        with Secure(port, starttls=port == server.ports.clear) as wire:
            wire.ehlo()
            assert plain(wire, ADA, PASSWORD) == 235
            wire.cmd(f"MAIL FROM:<{ADA}>")
            replies += [wire.cmd(f"RCPT TO:<{BOB}>") for _ in range(2)]
    assert [reply.code for reply in replies] == [250] * 5 + [450]
    assert replies[-1].status == "4.7.1"
    record = server.wait_record("limit")
    assert record["key"] == "account" and record["measure"] == "recipients" and record["account"] == ADA
    assert record["bound"] == "5/h" and record["action"] == "defer" and record["client"] == "127.0.0.1"
    with logged_in(server, BOB) as wire:
        wire.cmd(f"MAIL FROM:<{BOB}>")
        assert wire.cmd(f"RCPT TO:<{ADA}>") == 250


def test_what_exceeds_is_held_with_its_reason_also_after_restarts(submission):  # noqa: F811
    server = submission(top="limit account messages 3/d hold;")
    replies = []
    for port in [server.ports.tls, server.ports.clear]:
        with Secure(port, starttls=port == server.ports.clear) as wire:
            wire.ehlo()
            assert plain(wire, ADA, PASSWORD) == 235
            replies += [wire.transaction(MESSAGE, sender=ADA, to=BOB) for _ in range(2)]
    assert [reply.code for reply in replies] == [250] * 4
    assert ["held" in reply.text for reply in replies] == [False, False, False, True]
    name = re.search(r"[0-9A-Z]{12}", replies[-1].text)[0]
    hold = server.wait_record("hold")
    assert hold["id"] == name and hold["reason"] == "limit" and hold["error"] == "limit account messages 3/d"
    assert server.wait_record("limit")["action"] == "hold"
    server.wait_mail("bob", 3)
    for _ in range(3):
        row = listed(server, name)
        assert row["state"] == "held" and row["reason"] == "limit" and row["note"] == hold["error"]
        assert f"limit: {hold['error']}" in veredus(server, "queue", "show", name)
        assert hold["error"] in veredus(server, "explain", name)
        assert [row["id"] for row in rows(server, "queue", "list", "--reason", "limit")] == [name]
        veredus(server, "queue", "flush", name)
        server.stop()
        server.start()
    veredus(server, "queue", "release", name)
    server.wait_mail("bob", 4)


def test_held_ones_keep_their_reasons_over_a_restart(submission):  # noqa: F811
    server = submission(top="limit account messages 2/d hold; route kept.test hold;")
    with logged_in(server) as wire:
        by_route = wire.transaction(MESSAGE, sender=ADA, to="x@kept.test").id
        wire.transaction(MESSAGE, sender=ADA, to="x@kept.test")
        by_limit = re.search(r"[0-9A-Z]{12}", wire.transaction(MESSAGE, sender=ADA, to=BOB).text)[0]
    os.chmod(server.path("mail"), SHUT)
    by_root = server.send(MESSAGE, to=BOB).id
    server.wait_record("defer", id=by_root)
    veredus(server, "queue", "hold", by_root, "--note", "limit: a look at it")
    for name in [by_route, by_limit, by_root]:
        server.wait_record("hold", id=name)
    before = {row["id"]: (row["reason"], row["note"], row.get("by")) for row in rows(server, "queue", "list")}
    assert [before[name][0] for name in [by_route, by_limit, by_root]] == ["route", "limit", "admin"]
    assert before[by_root][1:] == ("limit: a look at it", "root")
    server.kill()
    server.start()
    assert {row["id"]: (row["reason"], row["note"], row.get("by")) for row in rows(server, "queue", "list")} == before
    os.chmod(server.path("mail"), 0o755)


# ---- guesses ----

def test_a_client_that_guesses_hears_454(submission):  # noqa: F811
    server = submission(listen="limit client auth-failures 3/10m;")
    with From(server.ports.tls, "127.0.0.2") as wire:
        wire.ehlo()
        replies = [plain(wire, ADA, "wrong") for _ in range(3)] + [plain(wire, ADA, PASSWORD)]
    assert [reply.code for reply in replies] == [535, 535, 535, 454] and replies[-1].status == "4.7.0"
    with From(server.ports.tls, "127.0.0.2") as wire:
        wire.ehlo()
        assert plain(wire, BOB, PASSWORD) == 454
    assert answer(server, ADA, PASSWORD) == 235
    record = server.wait_record("limit")
    assert record["key"] == "client" and record["measure"] == "auth-failures" and record["client"] == "127.0.0.2"
    assert [r["reason"] for r in server.records("auth_fail", client="127.0.0.2")][:3] == ["password"] * 3


def test_an_account_that_is_guessed_at_is_shut_but_where_it_was_seen(submission):  # noqa: F811
    server = submission(listen="limit account auth-failures 3/10m;")
    addresses = iter([f"127.1.{n // 250}.{n % 250 + 1}" for n in range(5000)])

    def hears(code, account=ADA, password=PASSWORD, client="127.0.0.9"):
        with From(server.ports.tls, client) as wire:
            wire.ehlo()
            reply = plain(wire, account, password)
            assert reply.code != 454 or reply.status == "4.7.0"
            return reply == code

    def is_shut():
        # What was guessed is forgotten by a new start.
        until(lambda: hears(454, password="wrong", client=next(addresses)) and hears(454, client=next(addresses)),
              "too many guesses")
        return hears(235, account=BOB, client=next(addresses))

    assert hears(235)
    for n in range(3):
        assert hears(535, password="wrong", client=next(addresses)), n
    assert is_shut() and hears(235)
    record = server.wait_record("limit")
    assert record["key"] == "account" and record["account"] == ADA and record["client"].startswith("127.1.")
    server.reload()
    assert hears(454, client=next(addresses)) and hears(235)
    server.stop()
    server.start()
    assert is_shut() and hears(235)
    server.kill()
    server.start()
    assert is_shut() and hears(235)


def test_the_built_in_limits_do_not_bind_this_machine(submission):  # noqa: F811
    server = submission()
    for _ in range(3):
        with Secure(server.ports.tls) as wire:
            wire.ehlo()
            assert {plain(wire, ADA, "wrong").code for _ in range(4)} == {535}
    assert answer(server, ADA, PASSWORD) == 235 and not server.records("limit")


# ---- as whom ----

def senders(server, account, *addresses):
    codes = {}
    with logged_in(server, account) as wire:
        for address in addresses:
            codes[address] = wire.cmd(f"MAIL FROM:<{address}>").code
            wire.cmd("RSET")
    return codes


def test_send_as_own_is_ones_addresses_aliases_details_and_the_null_one_C125(submission):  # noqa: F811
    server = submission()
    server.write("aliases", "info: ada\ndeep: info\nboth: ada, bob\naway: x@elsewhere.test\n")
    until(lambda: senders(server, ADA, "deep@example.test") == {"deep@example.test": 250}, "the aliases file")
    mine = [ADA, "ADA@EXAMPLE.TEST", "ada+lists@example.test", "info@example.test", "deep@example.test",
            "both@example.test", ""]
    assert senders(server, ADA, *mine) == dict.fromkeys(mine, 250)
    others = [BOB, "away@example.test", "nobody@example.test", "ada@elsewhere.test", "bob+ada@example.test"]
    assert senders(server, ADA, *others) == dict.fromkeys(others, 550)
    assert senders(server, BOB, "info@example.test", "both@example.test") == {
        "info@example.test": 550, "both@example.test": 250}
    reject = server.wait_record("reject", stage="mail", **{"from": BOB})
    assert reject["reason"] == "sender"


def test_send_as_any_is_everything(submission):  # noqa: F811
    server = submission(top="send-as any;")
    anyones = [BOB, "x@elsewhere.test", ADA, ""]
    assert senders(server, ADA, *anyones) == dict.fromkeys(anyones, 250)


def test_send_as_a_file_grants_more_and_is_read_again_C126(submission, tmp_path):  # noqa: F811
    path = tmp_path / "send-as"
    os.chmod(tmp_path, 0o755)
    path.write_text("ada@example.test office@example.test list@elsewhere.test\n", encoding="ascii")
    server = submission(top=f"send-as file:{path};")
    assert senders(server, ADA, ADA, "office@example.test", "list@elsewhere.test", BOB) == {
        ADA: 250, "office@example.test": 250, "list@elsewhere.test": 250, BOB: 550}
    assert senders(server, BOB, "office@example.test") == {"office@example.test": 550}
    path.write_text("bob@example.test office@example.test\n", encoding="ascii")
    until(lambda: senders(server, BOB, "office@example.test") == {"office@example.test": 250}, "the new file")
    assert senders(server, ADA, "office@example.test") == {"office@example.test": 550}


def test_explain_says_it_of_an_account_and_counts_nothing(submission):  # noqa: F811
    server = submission(top="limit account messages 2/h; route * hold;")
    elsewhere = "x@elsewhere.test"
    assert "550 5.7.1" in veredus(server, "explain", elsewhere, "--sender", ADA, "--client", "192.0.2.1")
    for _ in range(4):
        said = veredus(server, "explain", elsewhere, "--account", ADA, "--sender", ADA, "--client", "192.0.2.1")
        assert ADA in said and "550" not in said
    said = veredus(server, "explain", BOB, "--account", ADA, "--sender", BOB, "--client", "192.0.2.1")
    assert "550 5.7.1" in said
    with logged_in(server) as wire:
        assert [wire.transaction(MESSAGE, sender=ADA, to=BOB).code for _ in range(3)] == [250, 250, 450]
    server.wait_record("limit")
    assert len(server.records("limit")) == 1


# ---- later ----

def seconds(record):
    """The time of a record, as a number."""
    whole, part = re.fullmatch(r"(.*)\.(\d+)Z", record["time"]).groups()
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + part)


def waits(server, parameters, to=BOB):
    with logged_in(server) as wire:
        reply = wire.transaction(MESSAGE, sender=ADA, to=to, parameters=parameters)
        assert reply == 250
        return reply.id


def test_holdfor_leaves_not_before_C240(submission):  # noqa: F811
    server = submission()
    began = time.time()
    name = waits(server, " HOLDFOR=2")
    veredus(server, "queue", "flush", name)
    assert seconds(server.wait_record("deliver", id=name)) >= began + 2
    began = time.time()
    name = waits(server, " HOLDFOR=3")
    server.stop()
    server.start()
    assert seconds(server.wait_record("deliver", id=name)) >= began + 3
    server.wait_mail("bob", 2)


def test_until_when_it_waits_is_said_also_after_a_restart_C240(submission):  # noqa: F811
    server = submission()
    name = waits(server, " HOLDFOR=3600")
    release = listed(server, name)["release"]
    for _ in range(2):
        assert listed(server, name)["release"] == release
        said = veredus(server, "queue", "show", name)
        assert re.search(r"^ *leaves +not before .*, as its sender asked$", said, re.M)
        assert "its sender asked that it leaves then" in veredus(server, "explain", name)
        veredus(server, "queue", "flush", name)
        server.stop()
        server.start()
    assert server.mail("bob") == []


def test_holduntil_leaves_then_and_release_lets_it_go_now_C240(submission):  # noqa: F811
    server = submission()
    then = int(time.time()) + 3
    name = waits(server, time.strftime(" HOLDUNTIL=%Y-%m-%dT%H:%M:%SZ", time.gmtime(then)))
    late = waits(server, " HOLDFOR=86400", to="carol@example.test")
    assert seconds(server.wait_record("deliver", id=name)) >= then - 0.01
    veredus(server, "queue", "flush", late)
    assert listed(server, late)["state"] != "sending" and server.mail("carol") == []
    veredus(server, "queue", "release", late)
    server.wait_mail("carol")


def test_wishes_that_cannot_be_granted_are_501_C240(submission):  # noqa: F811
    server = submission(listen="future-release 1h;")
    beyond = time.strftime("HOLDUNTIL=%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))
    with logged_in(server) as wire:
        assert words(wire.ehlo())["FUTURERELEASE"][0] == "3600"
        for wish in ["HOLDFOR=3601", beyond, "HOLDFOR=60 HOLDUNTIL=2036-01-01T00:00:00Z", "HOLDFOR=1 HOLDFOR=1"]:
            reply = wire.cmd(f"MAIL FROM:<{ADA}> {wish}")
            assert reply == 501 and reply.status == "5.5.4", wish
        assert wire.cmd(f"MAIL FROM:<{ADA}> HOLDFOR=3600") == 250


def test_future_release_off_is_not_offered_C240(submission):  # noqa: F811
    server = submission(listen="future-release off;")
    with logged_in(server) as wire:
        assert "FUTURERELEASE" not in words(wire.ehlo())
        assert wire.cmd(f"MAIL FROM:<{ADA}> HOLDFOR=60") == 555


@pytest.fixture
def make_peer():
    made = []

    def make(**script):
        made.append(ScriptedPeer(always=script))
        return made[-1]

    yield make
    for peer in made:
        peer.close()
        assert not peer.faults


def test_its_report_says_what_was_asked_for_C240(submission, make_peer):  # noqa: F811
    peer = make_peer(RCPT="550 5.1.1 nobody of that name")
    server = submission(more=f"route elsewhere.test smtp://127.0.0.1:{peer.port};")
    waits(server, " HOLDFOR=1", to="x@elsewhere.test")
    report = server.wait_mail("ada")[0]
    assert re.search(rb"^Future-Release-Request: for;1\r?$", report, re.M), report
    assert b"Final-Recipient: rfc822; x@elsewhere.test" in report


# ---- routes of accounts ----

def test_a_route_may_be_for_accounts_alone(submission, make_peer):  # noqa: F811
    hers, everyones = make_peer(), make_peer()
    server = submission(more=f"route * smtp://127.0.0.1:{hers.port} {{ accounts {ADA}; }}"
                             f"route * smtp://127.0.0.1:{everyones.port};")
    for account in [ADA, BOB]:
        with logged_in(server, account) as wire:
            assert wire.transaction(MESSAGE, sender=account, to="x@elsewhere.test") == 250
    until(lambda: hers.messages and everyones.messages, "both messages")
    assert [hers.messages[0][0], everyones.messages[0][0]] == [ADA, BOB]
    assert len(hers.messages) == len(everyones.messages) == 1
    assert str(hers.port) in veredus(server, "explain", "x@elsewhere.test", "--account", ADA, "--sender", ADA)
    assert str(everyones.port) in veredus(server, "explain", "x@elsewhere.test", "--account", BOB, "--sender", BOB)
