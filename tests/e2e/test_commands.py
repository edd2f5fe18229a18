"""The subcommands, as people and programs call them."""
import json
import os
import pty
import signal
import socket
import subprocess
import threading

import pytest

from harness import PROGRAM, until
from ports import free_port

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello\r\n"


def veredus(server, *arguments, status=0):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30, check=False,
                          env={**os.environ, "VEREDUS_CONFIG": server.path("veredus.conf")}, stdin=subprocess.DEVNULL)
    assert status is None or done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stdout + done.stderr


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def waiting(server):
    """A server with one deferred message, and its id."""
    os.chmod(server.path("mail"), 0o500)
    reply = server.send(LETTER)
    server.wait_record("defer", id=reply.id)
    yield server, reply.id
    os.chmod(server.path("mail"), 0o755)


def test_version_and_help_need_no_server(make_server):
    server = make_server(start=False)
    assert veredus(server, "version").startswith("veredus 0.")
    assert "config check" in veredus(server, "help")


def test_an_unknown_subcommand_is_a_usage_error(make_server):
    server = make_server(start=False)
    assert "qeue" in veredus(server, "qeue", status=64)


def test_a_later_subcommand_is_refused(make_server):
    server = make_server(start=False)
    done = veredus(server, "dkim", "new", "example.test", status=None)
    assert done and "dkim" in done


def test_without_a_server_69(make_server):
    server = make_server(start=False)
    assert veredus(server, "status", status=69)
    assert veredus(server, "queue", status=69)


@pytest.mark.skipif(os.path.exists("/etc/veredus/veredus.conf"), reason="this machine has a configuration")
def test_a_demonstration_that_does_not_run_is_started_as_one(make_server):
    server = make_server(start=False)
    os.mkdir(server.path("veredus-demo"))
    os.rename(server.path("veredus.conf"), server.path("veredus-demo/veredus.conf"))
    done = subprocess.run([PROGRAM, "queue"], cwd=server.path("."), capture_output=True, text=True, check=False,
                          env={name: value for name, value in os.environ.items() if name != "VEREDUS_CONFIG"})
    assert done.returncode == 69 and "start it with: veredus demo" in done.stderr, done


def test_queue_lists_what_waits(waiting):
    server, name = waiting
    text = veredus(server, "queue")
    assert name in text and "carol@example.net" in text and "ada@example.test" in text and "deferred" in text
    listed = rows(veredus(server, "queue", "--json"))
    assert any(row.get("id") == name for row in listed)


def test_queue_show_tells_of_one_message(waiting):
    server, name = waiting
    text = veredus(server, "queue", "show", name)
    assert name in text and "ada@example.test" in text and "deferred" in text
    assert veredus(server, "queue", "show", name.lower()) == text
    veredus(server, "queue", "show", "ZZZZZZZZZZZZ", status=None)
    assert f"veredus explain {name}" in text


def test_queue_show_has_the_attempts_the_first_and_the_last_or_all(waiting):
    server, name = waiting
    for number in range(2, 9):
        veredus(server, "queue", "flush", name)
        server.wait_record("defer", id=name, attempt=number)

    def lines(*more):
        said = veredus(server, "queue", "show", name, *more).splitlines()
        first = next(i for i, line in enumerate(said) if line.startswith("attempts"))
        return said[first:-1]

    until(lambda: len(lines("--all")) == 8, "8 attempts in the history")
    words = next(record for record in server.records("defer") if record["id"] == name)["error"]
    assert all(words in line for line in lines("--all")), lines("--all")
    assert lines()[:3] == lines("--all")[:3] and lines()[-3:] == lines("--all")[-3:]
    assert len(lines()) == 7 and "2 more (--all)" in lines()[3]
    shown = json.loads(veredus(server, "queue", "show", name, "--json"))
    assert [one["attempt"] for one in shown["attempts"]] == list(range(1, 9))


@pytest.fixture
def several(server):
    """A server with three deferred messages, and their ids."""
    os.chmod(server.path("mail"), 0o500)
    ids = [server.send(LETTER, sender=f"carol{i}@example.net").id for i in range(3)]
    for name in ids:
        server.wait_record("defer", id=name)
    yield server, ids
    os.chmod(server.path("mail"), 0o755)


def listed(server, *select):
    return [row["id"] for row in rows(veredus(server, "queue", "--json", *select))]


def test_select_chooses_what_is_listed(several):
    server, ids = several
    assert listed(server) == ids
    assert listed(server, ids[1], ids[2].lower()) == ids[1:]
    assert listed(server, "--from", "carol1@example.net") == ids[1:2]
    assert listed(server, "--from", "example.net") == ids
    assert not listed(server, "--from", "<>")
    assert listed(server, "--to", "ada@example.test") == ids
    assert listed(server, "--state", "deferred") == ids
    assert not listed(server, "--state", "held")
    assert not listed(server, "--older", "1h")
    assert listed(server, "--reason", "no right to it") == ids
    assert listed(server, "--all") == ids
    assert "carol1" in veredus(server, "queue", ids[1])
    assert "0 messages are like that" in veredus(server, "queue", "--state", "held")


def test_hold_and_release_and_what_the_log_says_of_it(several):
    server, ids = several
    assert veredus(server, "queue", "hold", ids[0], "--note", "see ticket 4411") == "1 message is held\n"
    text = veredus(server, "queue", "--state", "held")
    assert ids[0] in text and "see ticket 4411" in text and "1 held" in text
    assert "see ticket 4411" in veredus(server, "queue", "show", ids[0])
    record = server.wait_record("admin", action="hold")
    assert (record["id"], record["count"], record["note"]) == (ids[0], 1, "see ticket 4411") and record["account"]
    assert "1 was held already" in veredus(server, "queue", "hold", ids[0])
    veredus(server, "queue", "release", ids[0])
    assert not listed(server, "--state", "held")
    server.wait_record("admin", action="release")


def test_what_is_held_stays_over_a_restart(several):
    server, ids = several
    veredus(server, "queue", "hold", ids[1], "--note", "not now")
    server.stop()
    server.start()
    assert listed(server, "--state", "held") == ids[1:2]
    os.chmod(server.path("mail"), 0o755)
    veredus(server, "queue", "flush", "--state", "deferred", "-y")
    assert len(server.wait_mail("ada", 2)) == 2
    veredus(server, "queue", "release", ids[1])
    assert len(server.wait_mail("ada", 3)) == 3
    server.wait_queue_empty()


def test_flush_tries_now(several):
    server, ids = several
    os.chmod(server.path("mail"), 0o755)
    assert "3 messages are due now" in veredus(server, "queue", "flush", "--from", "example.net", "-y")
    assert len(server.wait_mail("ada", 3)) == 3
    server.wait_queue_empty()
    assert server.wait_record("admin", action="flush", count=3)["command"].startswith("queue flush ")


def test_more_than_one_message_is_asked_about(several):
    server, ids = several
    text = veredus(server, "queue", "remove", "--all", status=64)
    assert "3 messages" in text and "-y" in text
    assert listed(server) == ids
    assert not server.records("admin")


def on_a_terminal(server, answer, *arguments):
    """(exit code, what was shown) of a subcommand that is asked on a terminal."""
    control, terminal = pty.openpty()
    with subprocess.Popen([PROGRAM, *arguments], stdin=terminal, stdout=terminal, stderr=terminal, close_fds=True,
                          env={**os.environ, "VEREDUS_CONFIG": server.path("veredus.conf"), "TERM": "dumb"}) as child:
        os.close(terminal)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(control, 1024)
        os.write(control, answer)
        try:
            while octets := os.read(control, 1024):
                shown += octets
        except OSError:
            pass  # the terminal is closed
        code = child.wait(timeout=30)
    os.close(control)
    return code, shown.decode()


def test_a_terminal_is_asked_and_may_say_no(several):
    server, ids = several
    code, shown = on_a_terminal(server, b"n\n", "queue", "remove", "--all")
    assert code == 1 and "remove 3 messages? [y/N]" in shown and "nothing was done" in shown
    assert listed(server) == ids
    code, shown = on_a_terminal(server, b"y\n", "queue", "remove", "--all")
    assert code == 0 and "3 messages are removed" in shown
    until(lambda: not listed(server), "the end of three messages")


def test_remove_deletes_and_says_nothing_to_the_sender(several):
    server, ids = several
    veredus(server, "queue", "remove", ids[0])
    until(lambda: listed(server) == ids[1:], "the end of a message")
    assert not server.records("report")
    assert "no such message" in veredus(server, "queue", "remove", ids[0], status=1)
    assert json.loads(veredus(server, "queue", "remove", "-y", "--json", *ids[1:])) == {"count": 2, "done": 2}
    until(lambda: not listed(server), "the end of the others")


def test_bounce_tells_the_sender(waiting):
    server, _ = waiting
    name = server.send(LETTER, sender="bob@example.test").id
    server.wait_record("defer", id=name)
    veredus(server, "queue", "hold", name)
    os.chmod(server.path("mail"), 0o755)
    assert "1 message is returned to its sender" in veredus(server, "queue", "remove", "--bounce", name)
    report = server.wait_mail("bob")[0]
    assert b"Subject: Not delivered: x\n" in report and b"Action: failed" in report and b"ada@example.test" in report
    until(lambda: name not in listed(server), "the end of the message")
    assert server.wait_record("admin", action="bounce")["id"] == name


def explained(server, *arguments):
    return json.loads(veredus(server, "explain", "--json", *arguments))


def decisions(explanation):
    return {row["name"]: (row["value"], row["text"]) for row in explanation["decisions"]}


def test_explain_tells_of_a_mailbox(server):
    text = veredus(server, "explain", "ada@example.test", "--client", "203.0.113.7", "--sender", "carol@example.net")
    assert text.startswith("RCPT TO:<ada@example.test> on ") and "would get 250 2.1.5\n" in text
    assert "a stranger: not in relay-from" in text and "maildir:" in text
    found = explained(server, "nobody@example.test")
    assert (found["verdict"]["code"], found["verdict"]["status"]) == (550, "5.1.1")
    assert decisions(found)["user"][1] == "does not exist"
    assert found["hosts"] == []
    assert "550 5.1.1 nobody@example.test: no such mailbox" in veredus(server, "explain", "nobody@example.test")


def test_explain_tells_where_mail_would_go(make_server):
    server = make_server(top="relay-from 127.0.0.1;\nroute elsewhere.example smtp://127.0.0.1:2525;")
    found = explained(server, "x@elsewhere.example", "--client", "127.0.0.1")
    assert found["verdict"]["code"] == 250 and decisions(found)["relay"][0] == "allowed"
    assert [(row["site"], row["peer"]) for row in found["hosts"]] == [("elsewhere.example", ["127.0.0.1:2525"])]
    text = veredus(server, "explain", "x@elsewhere.example", "--client", "127.0.0.1")
    assert "smtp://127.0.0.1:2525" in text and "127.0.0.1:2525\n" in text
    refused = explained(server, "x@elsewhere.example", "--client", "203.0.113.7")
    assert refused["verdict"]["status"] == "5.7.1" and refused["hosts"] == []


def test_explain_is_what_a_session_says(make_server):
    server = make_server(aliases={"info": "ada", "all": "ada, bob", "loop": "loop2", "loop2": "loop"})
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        for name in ["ada", "bob", "info", "all", "nobody", "loop", "postmaster", "ADA"]:
            reply = wire.cmd(f"RCPT TO:<{name}@example.test>")
            found = explained(server, f"{name}@example.test", "--client", "127.0.0.1", "--sender", "carol@example.net")
            assert (reply == found["verdict"]["code"]) and found["verdict"]["reply"] in reply.text, (name, reply, found)


def test_explain_looks_at_a_message(server):
    with open(server.path("letter"), "wb") as out:
        out.write(LETTER + b".dot\r\n")
    found = explained(server, "ada@example.test", "--message", server.path("letter"))
    assert found["message"] == "taken" and decisions(found)["size"][0] == f"{len(LETTER) + 6} octets"
    with open(server.path("letter"), "wb") as out:
        out.write(LETTER + b"bare\nline\r\n")
    text = veredus(server, "explain", "ada@example.test", "--message", server.path("letter"))
    assert "but the message would be refused" in text and "line 5 ends in a bare LF" in text
    veredus(server, "explain", "ada@example.test", "--message", server.path("missing"), status=65)


def test_an_empty_queue_says_so(server):
    server.send(LETTER)
    server.wait_queue_empty()
    assert "0 messages" in veredus(server, "queue") or "empty" in veredus(server, "queue")
    assert not [row for row in rows(veredus(server, "queue", "--json")) if "id" in row]


def test_status_names_every_process(server):
    text = veredus(server, "status")
    for name in ["receive", "queue", "lookup", "control"]:
        assert name in text, text
    assert rows(veredus(server, "status", "--json"))


def test_status_is_not_well_while_a_port_cannot_be_had(make_server):
    with socket.socket() as other:
        taken = f"127.0.0.1:{free_port()}"
        other.bind(("127.0.0.1", int(taken.split(":")[1])))
        other.listen()
        server = make_server(start=False, top=f"listen {taken};")
        server.expect("config")
        server.start()
        text = veredus(server, "status", status=1)
    assert f"main (pid {server.process.pid}) cannot listen on {taken}; it is tried again every 5 s" in text, text
    until(lambda: "is well" in veredus(server, "status", status=None), "the port to be had")


def test_status_has_each_process_once(make_server):
    server = make_server(top="workers receive 2;")
    server.send(LETTER)
    found = json.loads(veredus(server, "status", "--json"))["processes"]
    pids = [row["pid"] for row in found]
    assert len(set(pids)) == len(pids) and set(pids) <= set(server.pids()), found
    receive = [row for row in found if row["process"] == "receive"]
    assert len(receive) == 2 and all("sessions" in row and row["state"] == "ready" for row in receive), found
    assert sum(line.startswith("receive ") for line in veredus(server, "status").splitlines()) == 2


def test_config_show_and_help(server):
    assert "mail.example.test" in veredus(server, "config", "show", "hostname")
    assert "max-recipients" in veredus(server, "config", "show")
    assert "domain" in veredus(server, "config", "help", "users")


def test_reload_and_stop(server):
    server.write_config(top="max-message-size 1000;")
    veredus(server, "reload")

    def changed():
        with server.wire() as wire:
            return "SIZE 1000" in wire.ehlo().lines
    until(changed, "the new configuration")
    server.write_config(top="nonsense;")
    server.expect("config")
    assert "nonsense" in veredus(server, "reload", status=None)
    veredus(server, "stop")
    assert server.wait() == 0


def test_demo_once_proves_itself(tmp_path):
    folder = tmp_path / "demo"
    where = ["--dir", str(folder)] if os.getuid() != 0 else []
    done = subprocess.run([PROGRAM, "demo", "once", "--fresh", *where], capture_output=True, text=True, timeout=60,
                          check=False, cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "same octets" in done.stdout and "250 2.0.0 Ok: queued as" in done.stdout


def test_demo_ends_with_ctrl_c(tmp_path):
    where = ["--dir", str(tmp_path / "demo")] if os.getuid() != 0 else []
    demo = subprocess.Popen([PROGRAM, "demo", "--fresh", *where], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, cwd=tmp_path, stdin=subprocess.DEVNULL)
    seen = []
    try:
        until(lambda: seen.append(demo.stdout.readline()) or "Waiting" in seen[-1] or not seen[-1], "the demonstration")
        assert "Waiting" in seen[-1], "".join(seen)
        demo.send_signal(signal.SIGINT)
        rest = demo.communicate(timeout=20)[0]
        assert demo.returncode == 0, "".join(seen) + rest
    finally:
        if demo.poll() is None:
            demo.kill()


def asked(path, request):
    """What the control socket answers, without its last line."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(json.dumps(request).encode() + b"\n")
        with sock.makefile() as lines:
            told = []
            for line in lines:
                told.append(json.loads(line))
                if told[-1].get("end"):
                    return told[:-1]
    raise AssertionError(told)


def test_a_list_may_begin_behind_a_row(waiting):
    server, first = waiting
    second = server.send(LETTER).id
    server.wait_record("defer", id=second)
    path = server.path("run/control")
    ids = sorted([first, second])
    assert [row["id"] for row in asked(path, {"command": "queue list"})] == ids
    assert [row["id"] for row in asked(path, {"command": "queue list", "after": ids[0]})] == ids[1:]
    assert not asked(path, {"command": "queue list", "after": ids[1]})
    assert asked(path, {"command": "queue list", "after": "x"})[0]["error"] == "not a queue id"


def hangs_up(path, answers, requests):
    """A server that says one of ANSWERS to each connection, and hangs up."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()

    def serve():
        with listening:
            for answer in answers:
                sock = listening.accept()[0]
                with sock, sock.makefile() as lines:
                    requests.append(json.loads(lines.readline()))
                    sock.sendall(answer)
    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_list_whose_connection_ends_goes_on_behind_its_last_row(make_server):
    server = make_server(start=False)
    os.makedirs(server.path("run"), exist_ok=True)
    ids = ["3591TJHR6EY3", "3591TJHR6EY4", "3591TJHR6EY5"]
    lines = [b'{"event":"message","id":"%s","state":"deferred"}\n' % one.encode() for one in ids]
    end, requests = b'{"end":true,"exit":0}\n', []
    thread = hangs_up(server.path("run/control"), [lines[0] + lines[1][:9], lines[1], lines[2] + end], requests)
    told = veredus(server, "queue", "list", "--json", "--state", "deferred")
    thread.join()
    assert [row["id"] for row in rows(told)] == ids
    assert [one.get("after") for one in requests] == [None, *ids[:2]]
    assert {one["state"] for one in requests} == {"deferred"}


def test_a_list_that_does_not_come_on_ends(make_server):
    server = make_server(start=False)
    os.makedirs(server.path("run"), exist_ok=True)
    line, requests = b'{"event":"message","id":"3591TJHR6EY3"}\n', []
    thread = hangs_up(server.path("run/control"), [line, b""], requests)
    assert "in the middle of the answer" in veredus(server, "queue", "list", "--json", status=69)
    thread.join()
    assert [one.get("after") for one in requests] == [None, "3591TJHR6EY3"]
