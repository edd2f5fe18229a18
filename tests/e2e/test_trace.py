"""What happened: veredus trace of messages, addresses and sessions, over restarts and deaths; dialogues as they go on."""
import json
import os
import signal
import subprocess

import pytest

from harness import PROGRAM, Failed, until
from scripted_peer import ScriptedPeer

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello, it is a secret\r\n"


def run(server, *arguments):
    return subprocess.run([PROGRAM, "trace", *arguments], capture_output=True, text=True, timeout=30, check=False,
                          env={**os.environ, "VEREDUS_CONFIG": server.path("veredus.conf"), "LC_ALL": "C.UTF-8"},
                          stdin=subprocess.DEVNULL)


def trace(server, *arguments, status=0):
    done = run(server, *arguments)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stdout + done.stderr


def events(server, what):
    """The events of a trace, once it is there: records are on their way for a moment."""
    return [event["event"] for event in json.loads(trace(server, what, "--json"))["events"]]


def until_traced(server, what, event):
    def there():
        done = run(server, what, "--json")
        return done.returncode == 0 and any(row["event"] == event for line in done.stdout.splitlines()
                                            for row in json.loads(line).get("events", []))
    until(there, f"{event} in the trace of {what}")


@pytest.fixture
def peer():
    found = ScriptedPeer()
    yield found
    found.close()


@pytest.fixture
def relay(make_server, peer):
    return make_server(top=f"relay-from 127.0.0.1; route elsewhere.test smtp://127.0.0.1:{peer.port};")


# ---- a message ----

def test_a_relayed_message_from_connect_to_done(relay):
    name = relay.send(LETTER, to="x@elsewhere.test").id
    until_traced(relay, name, "done")
    lines = trace(relay, name).splitlines()
    assert lines[0].startswith(f"{name}  carol@example.net → x@elsewhere.test, {len(LETTER)} octets, delivered in ")
    words = [line.split()[0 if line.startswith(" ") else 1:] for line in lines if not line.startswith(name)]
    text = "\n".join(lines)
    order = [text.index(f" {word} ") for word in ["connect", "MAIL", "RCPT", "accept", "lease", "deliver"]]
    assert order == sorted(order), text
    assert len(words) >= 7 and lines[-1].rstrip().endswith("done")
    assert "250 2.1.5 Ok" in text and "250 2.0.0 taken" in text and f"queued as {name}" in text
    # Gaps stand beside the times.
    assert " +" in lines[3], text


def test_a_trace_as_json_is_one_object(relay):
    name = relay.send(LETTER, to="x@elsewhere.test").id
    until_traced(relay, name, "done")
    found = json.loads(trace(relay, name, "--json"))
    assert (found["id"], found["from"], found["to"]) == (name, "carol@example.net", "x@elsewhere.test")
    assert (found["size"], found["state"], found["recipients"]) == (len(LETTER), "delivered", 1)
    assert [row["event"] for row in found["events"]] == ["accept", "deliver", "done"]
    accept = found["events"][0]
    assert accept["rcpt"] == ["x@elsewhere.test"]
    assert 0 <= accept["t_rcpt"] <= accept["t_receive"] <= accept["t_session"]
    # In any case, and with the letters that are written for digits.
    assert json.loads(trace(relay, name.lower().replace("0", "o"), "--json"))["id"] == name


def test_a_deferred_message_tells_of_each_attempt_and_of_the_next(make_server):
    peer = ScriptedPeer(always={"RCPT": "451 4.7.1 greylisted, try again later"})
    server = make_server(top=f"relay-from 127.0.0.1; route elsewhere.test smtp://127.0.0.1:{peer.port};")
    try:
        name = server.send(LETTER, to="x@elsewhere.test").id
        until_traced(server, name, "defer")
        text = trace(server, name)
        assert ", deferred, next 20" in text.splitlines()[0], text
        assert "451 4.7.1 greylisted, try again later" in text and "greylist" in text
        assert json.loads(trace(server, name, "--json"))["state"] == "deferred"
    finally:
        peer.close()


def test_what_one_recipient_has_is_not_said_of_the_others(make_server):
    peer = ScriptedPeer(always={"RCPT": "451 4.7.1 not yet"})
    other = ScriptedPeer()
    server = make_server(top=f"relay-from 127.0.0.1; route elsewhere.test smtp://127.0.0.1:{peer.port};"
                             f"route there.test smtp://127.0.0.1:{other.port};")
    try:
        name = server.send(LETTER, to=["x@elsewhere.test", "y@elsewhere.test"]).id
        until(lambda: len(server.records("defer", id=name)) == 2, "both put off")
        edit = subprocess.run([PROGRAM, "queue", "edit", name, "--recipient", "x@elsewhere.test=z@there.test", "-c",
                               server.path("veredus.conf")], check=False, capture_output=True, stdin=subprocess.DEVNULL)
        assert edit.returncode == 0, edit
        until_traced(server, name, "deliver")
        assert json.loads(trace(server, name, "--json"))["state"] == "deferred"
        assert ", deferred, next 20" in trace(server, name).splitlines()[0]
        # The former address of who has it is not what is waited for.
        edit = subprocess.run([PROGRAM, "queue", "edit", name, "--recipient", "y@elsewhere.test=w@there.test", "-c",
                               server.path("veredus.conf")], check=False, capture_output=True, stdin=subprocess.DEVNULL)
        assert edit.returncode == 0, edit
        until_traced(server, name, "done")
        assert ", delivered in " in trace(server, name).splitlines()[0]
    finally:
        peer.close()
        other.close()


def test_only_who_opened_a_connection_waited_for_it(relay):
    for _ in range(2):
        relay.wait_record("done", id=relay.send(LETTER, to="x@elsewhere.test").id)
    opened = [record.get("t_connect") is not None for record in relay.records("deliver")]
    assert opened == [True, False], relay.records("deliver")


def test_a_failed_message_names_its_report_and_the_report_is_traced_too(make_server):
    peer = ScriptedPeer(always={"RCPT": "550 5.1.1 nobody here"})
    server = make_server(top=f"relay-from 127.0.0.1; route elsewhere.test smtp://127.0.0.1:{peer.port};")
    try:
        name = server.send(LETTER, to="x@elsewhere.test", sender="ada@example.test").id
        until_traced(server, name, "done")
        text = trace(server, name)
        assert ", failed after " in text.splitlines()[0], text
        assert "550 5.1.1 nobody here" in text
        report = server.wait_record("report", about=name)["id"]
        until_traced(server, report, "done")
        assert "<> → ada@example.test" in trace(server, report)
        assert "report" in events(server, name)
    finally:
        peer.close()


def test_what_became_of_an_alias_is_told(make_server):
    server = make_server(aliases={"list": "ada, bob"})
    name = server.send(LETTER, to="list@example.test").id
    until_traced(server, name, "done")
    text = trace(server, name)
    assert "list@example.test, by alias: ada@example.test, bob@example.test" in text
    assert text.count(" deliver ") == 2 and "2 delivered, 0 failed" in text


def test_an_operator_is_part_of_the_story(server):
    os.chmod(server.path("mail"), 0o500)
    try:
        name = server.send(LETTER).id
        server.wait_record("defer", id=name)
        held = subprocess.run([PROGRAM, "queue", "hold", name, "-c", server.path("veredus.conf")], check=False,
                              capture_output=True, stdin=subprocess.DEVNULL)
        assert held.returncode == 0, held
        until_traced(server, name, "admin")
        assert "hold by root" in trace(server, name)
    finally:
        os.chmod(server.path("mail"), 0o755)


def test_what_was_done_to_many_is_part_of_the_story_of_each(server):
    os.chmod(server.path("mail"), 0o500)
    try:
        names = [server.send(LETTER).id for _ in range(3)]
        for name in names:
            server.wait_record("defer", id=name)
        for words in [["hold", "--from", "carol@example.net", "--note", "a wave"], ["release", *names[:2]],
                      ["flush", "--state", "deferred"], ["remove", "--all"]]:
            done = subprocess.run([PROGRAM, "queue", *words, "-y", "-c", server.path("veredus.conf")], check=False,
                                  capture_output=True, stdin=subprocess.DEVNULL)
            assert done.returncode == 0, done
        server.wait_record("admin", action="remove", id=names[2])
        until_traced(server, names[0], "done")
        first, last = trace(server, names[0]), trace(server, names[2])
        assert "hold by root: veredus queue hold --from carol@example.net" in first and "a wave" in first
        assert "release by root: veredus queue release (2 ids)" in first and "release by" not in last
        assert "flush by root: veredus queue flush --state deferred" in first and "flush by" not in last
        assert "remove by root: veredus queue remove --all" in first and "remove by root" in last
        # Beside those of each message there is one of the whole command.
        assert [r["count"] for r in server.records("admin", action="hold") if "id" not in r] == [3]
    finally:
        os.chmod(server.path("mail"), 0o755)


# ---- sessions ----

def test_a_refused_session(server):
    with server.wire() as wire:
        wire.ehlo()
        assert wire.transaction(LETTER, to="nobody@example.test") == 550
        wire.cmd("QUIT")
    session = server.wait_record("disconnect")["session"]
    until_traced(server, session, "disconnect")
    text = trace(server, session)
    assert text.startswith(f"{session}  127.0.0.1 on ") and ", 0 messages, 1 rejected, quit after " in text
    assert "no-user, at rcpt, from carol@example.net, to nobody@example.test" in text
    assert "550 5.1.1 nobody@example.test: no such mailbox" in text
    assert text.index(" connect ") < text.index(" reject ") < text.index(" disconnect ")
    assert events(server, session.lower()) == ["reject", "disconnect"]


def test_what_is_not_there_ends_1(server):
    for what in ["38G4CJ7F2000", "8QECQHYGJ7", "x@elsewhere.test", "postmaster"]:
        assert "knows nothing" in trace(server, what, status=1)
    assert trace(server, status=64)
    assert trace(server, "a@b.test", "c@d.test", status=64)
    assert trace(server, "--follow", status=64)
    assert "is the id of a message" in trace(server, "ZZZZZZZZZZZZ", "--live", status=64)


# ---- addresses ----

def test_the_messages_of_an_address_a_line_each_and_a_single_one_whole(server):
    names = [server.send(LETTER, to=to, sender=sender).id
             for to, sender in [("ada@example.test", "carol@example.net"), ("bob@example.test", "carol@example.net"),
                                ("ada@example.test", "dan@example.net")]]
    with server.wire() as wire:
        wire.ehlo()
        wire.transaction(LETTER, to="nobody@example.test", sender="carol@example.net")
    for name in names:
        until_traced(server, name, "done")
    lines = trace(server, "Carol@Example.NET").splitlines()
    assert [line.split()[2] for line in lines] == [names[0], names[1], "reject"]
    assert "carol@example.net → bob@example.test" in lines[1] and "delivered" in lines[1]
    assert "550 5.1.1" in lines[2]
    assert [json.loads(line).get("id") for line in trace(server, "ada@example.test", "--json").splitlines()] == \
        [names[0], names[2]]
    # Only one: the whole of it.
    assert trace(server, "<dan@example.net>").splitlines()[0].startswith(names[2] + "  dan@example.net")
    assert " accept " in trace(server, "dan@example.net")


# ---- restarts, deaths, retention ----

def test_a_restart_keeps_the_history(server):
    first = server.send(LETTER).id
    server.wait_queue_empty()
    assert server.stop() == 0
    assert sorted(name.split(".")[1] for name in os.listdir(server.path("state", "history"))) == ["events", "index"]
    server.start()
    second = server.send(LETTER).id
    server.wait_queue_empty()
    for name in [first, second]:
        until_traced(server, name, "done")
        assert events(server, name) == ["accept", "deliver", "done"]


def test_kill_9_of_control_costs_no_mail_and_little_history(server):
    server.expect("process", "warning")
    first = server.send(LETTER).id
    until_traced(server, first, "done")
    control = server.workers()["control"][0]
    os.kill(control, signal.SIGKILL)
    until(lambda: server.workers().get("control", [control])[0] != control, "another control")
    second = until(lambda: server.send(LETTER).id, "mail")
    until_traced(server, second, "done")
    # Its segment has no index, and is read all the same.
    assert events(server, first) == ["accept", "deliver", "done"]


def test_kill_9_of_all_leaves_what_was_written(server):
    name = server.send(LETTER).id
    until_traced(server, name, "done")
    server.kill()
    server.start()
    assert events(server, name) == ["accept", "deliver", "done"]


def test_the_oldest_goes_when_the_size_is_reached(make_server):
    server = make_server(top="history 7d 256k;")
    folder = server.path("state", "history")
    first = server.send(LETTER).id
    until_traced(server, first, "done")

    done = subprocess.run([PROGRAM, "bench", "load", "--to", f"127.0.0.1:{server.port}", "--messages", "1500",
                           "--sessions", "8", "--size", "400"], capture_output=True, check=False)
    assert done.returncode == 0, done
    until(lambda: run(server, first).returncode == 1, "the end of the first message")
    # Of 256 KiB in segments of 64 KiB and their indexes two at least are left, whenever one looks.
    sizes = [os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)]
    assert 96 * 1024 < sum(sizes) < 400 * 1024, sizes
    last = server.send(LETTER).id
    until_traced(server, last, "done")


def test_off_keeps_nothing_and_a_reload_changes_it(make_server):
    server = make_server(top="history off;")
    name = server.send(LETTER).id
    server.wait_queue_empty()
    assert "there is no history" in trace(server, name, status=1)
    assert os.listdir(server.path("state", "history")) == []
    server.write_config(top="history 7d 1G;")
    server.reload()
    until(lambda: "knows nothing" in run(server, name).stderr, "the history")
    other = server.send(LETTER).id
    until_traced(server, other, "done")


def test_the_history_has_what_info_says_though_the_log_wants_errors_only(make_server):
    from harness import CONFIG
    server = make_server(config=CONFIG.replace("{form} debug", "{form} debug; log file:{folder}/quiet kv error"))
    name = server.send(LETTER).id
    until_traced(server, name, "done")
    with open(server.path("quiet"), encoding="utf-8") as quiet:
        assert quiet.read() == ""


# ---- a disk that is full ----

@pytest.mark.skipif(os.getuid() != 0, reason="file systems are mounted by root only")
def test_a_full_disk_stops_the_history_and_not_the_mail(make_server):
    server = make_server(start=False, top="history 7d 64M;")
    os.mkdir(server.path("state"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0755", "veredus-test", server.path("state")], check=True)
    try:
        filler = server.path("state", "filler")
        with open(filler, "wb") as out:
            os.posix_fallocate(out.fileno(), 0, 16 << 20)
        server.start()
        first = server.send(LETTER).id
        record = server.wait_record("history", state="stopped")
        assert record["level"] == "warning" and "No space left" in record["error"]
        server.send(LETTER)
        server.wait_queue_empty()
        assert len(server.records("history")) == 1
        assert "knows nothing" in trace(server, first, status=1)
        os.unlink(filler)
        # It tries again every 30 s.
        until(lambda: server.records("history", state="ok"), "the history again", 60)
        name = server.send(LETTER).id
        until_traced(server, name, "done")
        assert server.stop() == 0
    finally:
        if server.process and server.process.poll() is None:
            server.kill()
        subprocess.run(["umount", server.path("state")], check=True)


# ---- live ----

class Live:
    """A trace --live under way; lines are asked for with stop()."""

    def __init__(self, server, what):
        self.process = subprocess.Popen([PROGRAM, "trace", what, "--live", "--json", "-c", server.path("veredus.conf")],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if "watching" not in line:
            raise Failed(line + self.process.stderr.read())
        self.rows = []

    def until_said(self, text):
        """Reads on to a line with TEXT."""
        while not self.rows or text not in self.rows[-1]["text"]:
            line = self.process.stdout.readline()
            if not line:
                raise Failed(f"no {text!r} in {self.rows}")
            self.rows.append(json.loads(line))

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def said(self, by, host=None):
        return [row["text"] for row in self.rows if row["by"] == by and row.get("peer") == host]


@pytest.fixture
def watch():
    under_way = []

    def begin(server, what):
        under_way.append(Live(server, what))
        return under_way[-1]

    yield begin
    for one in under_way:
        one.close()


def test_a_session_live_from_both_sides(relay, watch):
    live = watch(relay, "127.0.0.1")
    with relay.wire() as wire:
        wire.ehlo()
        wire.transaction(LETTER, to="x@elsewhere.test")
        wire.cmd("QUIT")
    relay.wait_queue_empty()
    live.until_said("250 2.0.0 taken")
    ours = live.said("client")
    assert ours[:4] == ["EHLO client.example.test", "MAIL FROM:<carol@example.net>", "RCPT TO:<x@elsewhere.test>", "DATA"]
    assert "octets of content" in ours[4]
    replies = live.said("server")
    assert replies[0].startswith("220 ") and "250 2.1.0 Ok" in replies and "250 2.1.5 Ok" in replies
    assert live.said("client", "127.0.0.1")[1].startswith("MAIL FROM:<carol@example.net>")
    assert "250 2.0.0 taken" in live.said("server", "127.0.0.1")
    # Never content, never in the log, never in the history.
    assert not any("secret" in row["text"] for row in live.rows)
    assert not relay.records("dialogue")


def test_each_reply_stands_behind_its_command_when_they_are_pipelined(server, watch):
    live = watch(server, "127.0.0.1")
    with server.wire() as wire:
        wire.send("EHLO a.test\r\nMAIL FROM:<c@example.net>\r\nRCPT TO:<ada@example.test>\r\nRCPT TO:<no@example.test>\r\n"
                  "RSET\r\nQUIT\r\n")
        for _ in range(6):
            wire.reply()
    live.until_said("221 ")
    lines = [row["text"] for row in live.rows]
    for command, reply in [("MAIL", "250 2.1.0"), ("RCPT TO:<ada", "250 2.1.5"), ("RCPT TO:<no", "550 5.1.1"),
                           ("RSET", "250"), ("QUIT", "221")]:
        at = next(i for i, line in enumerate(lines) if line.startswith(command))
        assert lines[at + 1].startswith(reply), lines


def test_only_what_was_asked_for_is_shown(server, watch):
    with server.wire() as one, server.wire() as other:
        one.ehlo("one.test")
        other.ehlo("other.test")
        session = server.wait_record("connect")["session"]
        sessions = [record["session"] for record in until(
            lambda: len(server.records("connect")) == 2 and server.records("connect"), "two sessions")]
        live = watch(server, session)
        by_address = watch(server, "Ada@example.test")
        other.cmd("NOOP other")
        one.cmd("NOOP one")
        other.cmd("MAIL FROM:<x@y.test>")
        other.cmd("RCPT TO:<ada@example.test>")
        one.cmd("NOOP end")
        live.until_said("NOOP end")
        by_address.until_said("250 2.1.5")
    assert {row["session"] for row in live.rows} == {session} and session in sessions
    # From the first line with the address on.
    assert [row["text"] for row in by_address.rows][0] == "RCPT TO:<ada@example.test>"


def test_no_password_is_shown(server, watch):
    live = watch(server, "127.0.0.1")
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("AUTH PLAIN AGFkYQBzZWNyZXQ=")
        wire.cmd("NOOP end")
        live.until_said("NOOP end")
    lines = live.said("client")
    assert "AUTH PLAIN …" in lines and not any("AGFk" in line for line in lines)


def test_content_that_nobody_asked_for_is_not_shown(server, watch):
    """A client that goes on with its message though DATA was refused: its lines are no commands."""
    live = watch(server, "127.0.0.1")
    with server.wire() as wire:
        wire.ehlo()
        wire.send("DATA\r\nthis is a secret of mine\r\nNOOP end\r\n")
        for _ in range(3):
            wire.reply()
        live.until_said("NOOP end")
    assert not any("secret" in line for line in live.said("client")), live.rows


def test_who_watches_may_go_and_others_may_come(server, watch):
    for _ in range(3):
        lives = [watch(server, "127.0.0.1") for _ in range(4)]
        fifth = run(server, "127.0.0.1", "--live")
        assert fifth.returncode == 75 and "others watch already" in fifth.stderr
        for live in lives:
            live.close()
        until(lambda: begins(server), "room for another")


def begins(server):
    try:
        Live(server, "127.0.0.1").close()
        return True
    except Failed:
        return False
