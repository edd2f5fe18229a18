"""The subcommands, as people and programs call them."""
import json
import os
import signal
import subprocess

import pytest

from harness import PROGRAM, until

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
