"""The log as programs read it: names, order and quoting of FACE's section on records, in both forms."""
import json
import re

import pytest

from harness import until

LETTER = b"From: carol@example.net\r\nMessage-ID: <9f1c@example.net>\r\nSubject: x\r\n\r\nhello\r\n"
PAIR = re.compile(r'([a-z][a-z0-9_]*)=("(?:[^"\\]|\\.)*"|[^ "=\\]*)(?: |$)')


def pairs(line):
    """[(name, value)] of a kv line; fails when it is none."""
    found = []
    at = 0
    while at < len(line):
        match = PAIR.match(line, at)
        assert match, f"no pair at {line[at:at + 40]!r} in {line!r}"
        found.append((match[1], match[2]))
        at = match.end()
    return found


def test_kv_lines_are_pairs_in_their_order(make_server):
    server = make_server(start=False, form="kv")
    server.start(ready=False)
    until(lambda: "event=ready" in server.log_text(), lambda: server.log_text())
    server.send(LETTER)
    server.send(LETTER, to='"a b=\\"c"@example.test')
    until(lambda: "event=done" in server.log_text(), "a done record")
    server.stop()
    for line in server.log_lines():
        names = [name for name, _ in pairs(line)]
        assert names[:3] == ["time", "level", "event"], line
        assert len(set(names)) == len(names), line
        assert re.match(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=(error|warning|info|debug) event=\w+", line)


def test_json_lines_are_objects_in_their_order(server):
    server.send(LETTER)
    server.wait_record("done")
    server.stop()
    for line in server.log_lines():
        record = json.loads(line)
        assert list(record)[:3] == ["time", "level", "event"], line


def test_the_story_of_a_message(server):
    reply = server.send(LETTER)
    done = server.wait_record("done", id=reply.id)
    accept = server.wait_record("accept", id=reply.id)
    deliver = server.wait_record("deliver", id=reply.id)
    assert accept["client"] == "127.0.0.1" and accept["protocol"] == "ESMTP" and accept["recipients"] == 1
    assert accept["from"] == "carol@example.net" and accept["msgid"] == "9f1c@example.net"
    assert accept["size"] >= len(LETTER) and accept["t_sync"] >= 0 and accept["batch"] >= 1
    assert deliver["to"] == "ada@example.test" and deliver["attempt"] == 1 and deliver["site"] == "local"
    assert re.match(r".*veredus\.conf:\d+$", deliver["route"])
    assert done["recipients"] == 1 and done["delivered"] == 1 and done["failed"] == 0


def test_what_a_peer_sends_cannot_look_like_another_field(make_server):
    server = make_server(start=False, form="kv")
    server.start(ready=False)
    until(lambda: "event=ready" in server.log_text(), lambda: server.log_text())
    with server.wire() as wire:
        wire.cmd("EHLO x.example.test")
        wire.cmd('MAIL FROM:<"a event=fail id=0"@example.net>')
        wire.cmd("RCPT TO:<nobody@example.test>")
    until(lambda: "event=reject" in server.log_text(), "a reject record")
    line = next(line for line in server.log_lines() if "event=reject" in line)
    rows = dict(pairs(line))
    assert rows["event"] == "reject" and "id" not in rows


def test_start_ready_and_stop(server):
    start = server.records("start")[0]
    assert start["pid"] == server.process.pid and start["config"] == server.path("veredus.conf")
    assert server.records("ready")[0]["listeners"]
    server.stop()
    stop = server.records("stop")[0]
    assert stop["cause"] == "SIGTERM" and stop["seconds"] >= 0


@pytest.mark.parametrize("form", ["kv", "json"])
def test_a_log_file_in_each_form(make_server, form):
    server = make_server(start=False)
    server.write_config(top=f"log file:{server.path('run', 'veredus.log')} {form} info;")
    with open(server.path("veredus.conf"), encoding="utf-8") as text:
        kept = [line for line in text.read().splitlines() if not line.startswith("log stderr")]
    server.write("veredus.conf", "\n".join(kept) + "\n")
    import os
    os.chmod(server.path("run"), 0o777)
    server.start(ready=False)

    def text():
        try:
            with open(server.path("run", "veredus.log"), encoding="utf-8") as log:
                return log.read()
        except FileNotFoundError:
            return ""
    mark = "event=ready" if form == "kv" else '"event":"ready"'
    until(lambda: mark in text(), lambda: "the log file\n" + server.log_text())
    server.send(LETTER)
    server.wait_mail("ada")
    until(lambda: (mark.replace("ready", "done")) in text(), "a done record in the file")
