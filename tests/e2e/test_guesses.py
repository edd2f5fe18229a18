"""Guesses at passwords: many at once, and limits that a reload or a death gives nobody anew (FACE 1.8)."""
import os
import signal
import socket
import threading

import pytest

from harness import until
from test_accounts import ADA, BOB, From, answer, b64, plain
from test_submission import MESSAGE, PASSWORD, logged_in, password_hash, submission  # noqa: F401

MANY, LIMIT = 40, 10
US, THEM = "127.0.0.2", "127.0.0.3"


class Dovecot:
    """An auth client socket that says what a test wants it to, when it wants it."""

    def __init__(self, path):
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(path)
        os.chmod(path, 0o666)
        self.listening.listen(8)
        self.lock = threading.Lock()
        self.asked = []   # (connection, number), not answered yet
        self.heard = 0    # questions so far
        self.most = 0     # of them at once without an answer
        self.says = None  # "OK" or "FAIL" at once
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=[connection], daemon=True).start()

    def talk(self, connection):
        connection.sendall(b"VERSION\t1\t1\nMECH\tPLAIN\nDONE\n")
        for line in connection.makefile("rb"):
            words = line.decode().rstrip("\n").split("\t")
            if words[0] != "AUTH":
                continue
            with self.lock:
                self.heard += 1
                self.asked.append((connection, words[1]))
                self.most = max(self.most, len(self.asked))
            if self.says:
                self.say(self.says, 1)

    def say(self, verdict, count=None):
        """To the first COUNT that wait, or to all."""
        with self.lock:
            now = self.asked[:count]
            self.asked = self.asked[len(now):]
        for connection, number in now:
            user = f"user={ADA}"
            connection.sendall(f"{verdict}\t{number}\t{user}\n".encode())

    def wait_heard(self, count):
        until(lambda: self.heard >= count, lambda: f"{count} questions; {self.heard} came")
        assert self.heard == count

    def close(self):
        self.listening.close()


@pytest.fixture
def dovecot(tmp_path):
    for folder in [tmp_path, *tmp_path.parents[:-2]]:
        os.chmod(folder, 0o755)
    made = Dovecot(str(tmp_path / "auth"))
    made.path = tmp_path / "auth"
    yield made
    made.close()


def begun(server, client=US, password="secret"):
    """A session that has sent its AUTH, and not heard yet."""
    wire = From(server.ports.tls, client)
    wire.ehlo()
    wire.send("AUTH PLAIN " + b64(f"\0{ADA}\0{password}") + "\r\n")
    return wire


def close(wires):
    for wire in wires:
        wire.close()


def counted(wires):
    """{code: how many} of the next replies."""
    codes = [wire.reply().code for wire in wires]
    close(wires)
    return {code: codes.count(code) for code in codes}


# ---- many at once ----

def test_of_many_wrong_ones_at_once_as_many_are_looked_at_as_the_limit_says(submission):  # noqa: F811
    server = submission(listen=f"limit client auth-failures {LIMIT}/10m;")
    wires = [From(server.ports.tls, US) for _ in range(MANY)]
    for wire in wires:
        wire.ehlo()
    for wire in wires:
        wire.send("AUTH PLAIN " + b64(f"\0{ADA}\0wrong") + "\r\n")
    assert counted(wires) == {535: LIMIT, 454: MANY - LIMIT}
    until(lambda: len(server.records("auth_fail", reason="password")) == LIMIT, "the records")
    assert answer(server, ADA, PASSWORD) == 235


def test_many_right_ones_at_once_all_get_in(submission):  # noqa: F811
    server = submission(listen=f"limit client auth-failures {LIMIT}/10m;")
    wires = [From(server.ports.tls, US) for _ in range(MANY)]
    for wire in wires:
        wire.ehlo()
    for wire in wires:
        wire.send("AUTH PLAIN " + b64(f"\0{ADA}\0{PASSWORD}") + "\r\n")
    assert counted(wires) == {235: MANY}
    assert not server.records("limit")


def test_who_is_asked_elsewhere_is_never_asked_more_than_the_limit_at_once(submission, dovecot):  # noqa: F811
    server = submission(listen=f"auth dovecot:{dovecot.path}; limit client auth-failures {LIMIT}/10m;")
    wires = [begun(server) for _ in range(MANY)]
    dovecot.wait_heard(LIMIT)
    # Another client does not wait for them; it also shows that those who wait were looked at.
    other = begun(server, THEM)
    dovecot.wait_heard(LIMIT + 1)
    dovecot.says = "OK"
    dovecot.say("OK")
    assert counted([other, *wires]) == {235: MANY + 1}
    assert dovecot.heard == MANY + 1 and dovecot.most == LIMIT + 1
    # Now they are wrong.
    dovecot.says = None
    wires = [begun(server) for _ in range(MANY)]
    dovecot.wait_heard(MANY + 1 + LIMIT)
    dovecot.say("FAIL")
    assert counted(wires) == {535: LIMIT, 454: MANY - LIMIT}
    assert dovecot.heard == MANY + 1 + LIMIT


def test_who_leaves_before_the_answer_wins_nothing_and_blocks_nobody(submission, dovecot):  # noqa: F811
    server = submission(listen=f"auth dovecot:{dovecot.path}; limit client auth-failures 3/10m;")
    for verdict, codes in [("OK", {235: 2}), ("FAIL", {535: 1, 454: 1})]:
        heard = dovecot.heard
        leave = [begun(server) for _ in range(3)]
        dovecot.wait_heard(heard + 3)
        wait = [begun(server), begun(server)]
        # Another client's shows that those two were asked about, and wait.
        other = begun(server, THEM)
        dovecot.wait_heard(heard + 4)
        close(leave)
        # What they have begun is answered all the same, and is right or wrong.
        dovecot.say(verdict, 2)
        dovecot.say("OK")
        if verdict == "OK":
            dovecot.wait_heard(heard + 6)
        else:
            dovecot.wait_heard(heard + 5)
        dovecot.say(verdict)
        assert counted([other]) == {235: 1}
        assert counted(wait) == codes


def test_an_auth_process_that_dies_gives_back_what_it_had_begun(submission, dovecot):  # noqa: F811
    server = submission(listen=f"auth dovecot:{dovecot.path}; limit client auth-failures 4/10m;")
    server.expect("process")
    wires = [begun(server) for _ in range(4)]
    dovecot.wait_heard(4)
    for pid in server.workers()["auth"]:
        os.kill(pid, signal.SIGKILL)
    assert counted(wires) == {454: 4}
    dovecot.asked.clear()
    dovecot.says = "OK"

    def again():
        """Four at once, as before; until both processes are back some hear that nobody can be asked."""
        codes = counted([begun(server) for _ in range(4)])
        assert set(codes) <= {235, 454}
        return codes == {235: 4}
    until(again, "four at once")
    assert not server.records("limit")


# ---- what a reload and a death leave as it is ----

def lookup_dies(server):
    server.expect("process")
    gone = server.workers()["lookup"]
    for pid in gone:
        os.kill(pid, signal.SIGKILL)
    until(lambda: set(server.workers().get("lookup", [])) - set(gone), "another lookup process")


def wait_code(ask, code, never):
    """Until lookup answers again it is put off otherwise (451); what must not happen must not happen meanwhile either."""
    def asked():
        got = ask()
        assert got not in never, got
        return got == code
    until(asked, str(code))


def test_an_account_gets_no_new_hour_by_a_reload_or_a_death(submission):  # noqa: F811
    server = submission(top="limit account recipients 3/h;")

    def recipient(account=ADA):
        with logged_in(server, account) as wire:
            wire.cmd(f"MAIL FROM:<{account}>")
            reply = wire.cmd(f"RCPT TO:<{BOB}>")
            return reply.code, reply.status

    over = (450, "4.7.1")
    assert [recipient() for _ in range(4)] == [(250, "2.1.5")] * 3 + [over]
    top = server.values["top"]
    for size in ["10M", "11M", "12M"]:
        server.write_config(top=f"{top} max-message-size {size};")
        assert server.reload()["level"] == "info"
        for _ in range(3):
            assert recipient() == over
    lookup_dies(server)
    wait_code(recipient, over, never=[(250, "2.1.5")])
    assert recipient(BOB) == (250, "2.1.5")
    # A restart begins anew; the manual says so.
    server.stop()
    server.start()
    assert recipient() == (250, "2.1.5")


def test_a_client_gets_no_new_hour_either(make_server):
    server = make_server(top="limit client messages 2/h;", listen="limit client unknown-recipients 2/h; error-delay 0s;")

    def unknown():
        with server.wire() as wire:
            wire.ehlo()
            reply = wire.cmd("MAIL FROM:<carol@example.net>")
            return wire.cmd("RCPT TO:<nobody@example.test>").code if reply == 250 else reply.code

    def message():
        with server.wire() as wire:
            wire.ehlo()
            return wire.cmd("MAIL FROM:<carol@example.net>").code

    assert [unknown(), unknown()] == [550, 550]
    assert message() == 450 and unknown() == 450
    server.write_config(top="limit client messages 20/h;")
    server.reload()
    # What is used of the hour is, whatever the number is now.
    assert message() == 450
    lookup_dies(server)
    wait_code(message, 450, never=[250])


def test_guesses_are_counted_over_reloads_and_deaths(submission):  # noqa: F811
    server = submission(listen="limit client auth-failures 3/10m;")

    def guess(password="wrong"):
        with From(server.ports.tls, US) as wire:
            wire.ehlo()
            return plain(wire, ADA, password).code

    assert [guess(), guess(), guess()] == [535, 535, 535]
    assert guess(PASSWORD) == 454
    server.write_config(top=server.values["top"] + " max-message-size 10M;")
    assert server.reload()["level"] == "info"
    assert guess(PASSWORD) == 454
    lookup_dies(server)
    before = len(server.records("limit", client=US))

    def shut():
        """454 is also the answer while nobody can be asked: the record tells them apart."""
        assert guess(PASSWORD) == 454
        return len(server.records("limit", client=US)) > before
    until(shut, "the limit to be in the way")


def test_an_owner_who_has_mail_is_served_all_the_while(submission):  # noqa: F811
    server = submission(listen="limit account messages 2/h;")
    with logged_in(server, BOB) as wire:
        for _ in range(2):
            assert wire.transaction(MESSAGE, sender=BOB, to=ADA) == 250
            server.reload()
        assert wire.transaction(MESSAGE, sender=BOB, to=ADA) == 450
    with logged_in(server) as wire:
        assert wire.transaction(MESSAGE, sender=ADA, to=BOB) == 250
    server.wait_mail("ada", 2)
