"""veredus demo: what it shows is true, and it cannot be made to show something else."""
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from harness import BUILD, PROGRAM, Wire, children, until

LETTER = b"From: bob@example.test\r\nSubject: hello\r\n  there\r\n\r\nIt works.\r\n"


class Demo:
    """A demonstration in a folder of its own; its lines as they come."""

    def __init__(self, folder, *arguments, **environment):
        self.out = os.path.join(folder, "screen")
        self.folder = os.path.join(folder, "demo")
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen([PROGRAM, "demo", *arguments, "--dir", self.folder], stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL, env={**os.environ, **environment})

    def text(self):
        with open(self.out, encoding="utf-8") as text:
            return text.read()

    def wait_line(self, pattern):
        return until(lambda: re.search(pattern, self.text()), lambda: f"{pattern!r} in\n{self.text()}")

    def wait_ready(self):
        until(lambda: "Waiting for your mail" in self.text() or self.process.poll() is not None,
              lambda: "the demonstration; it shows\n" + self.text())
        assert self.process.poll() is None, self.text()
        return self

    def wire(self):
        return Wire(int(re.search(r"send to\s+127\.0\.0\.1:(\d+)", self.text())[1]))

    def end(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def folder():
    path = tempfile.mkdtemp(prefix="veredus-demo-", dir="/tmp")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def demo(folder):
    started = Demo(folder, LC_ALL="C.UTF-8").wait_ready()
    yield started
    started.end()


def run(*arguments, status=0, cwd=None, **environment):
    done = subprocess.run([PROGRAM, "demo", *arguments], capture_output=True, text=True, timeout=300, check=False,
                          stdin=subprocess.DEVNULL, cwd=cwd, env={**os.environ, **environment})
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_once_proves_one_message_and_ends(folder):
    text = run("once", "--dir", folder + "/demo", LC_ALL="C.UTF-8")
    assert re.search(r"ms   250 2\.0\.0 Ok: queued as [0-9A-Z]{12}     on disk: one sync of [\d.]+ ms", text)
    path = re.search(r"in the mailbox: (\S+)", text)[1]
    sent, found = re.search(r"same octets, ([\d,]+) sent and ([\d,]+) found", text).groups()
    assert sent == found
    with open(path, "rb") as mail:
        content = mail.read()
    # Counted here once more: Maildir has LF, the three fields of the way here stand on top (RFC 5321 4.4).
    head = re.match(rb"Return-Path: .*\nDelivered-To: .*\nReceived: .*\n(?:[ \t].*\n)*", content)
    assert len(content[head.end():].replace(b"\n", b"\r\n")) == int(sent.replace(",", ""))


def test_root_starts_it_from_a_clone_that_others_cannot_reach(folder):
    """A clone below /root, which is closed; the workers have another account."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    build = folder + "/closed/build"
    os.makedirs(build)
    os.chmod(folder + "/closed", 0o700)
    for program in [PROGRAM, *glob.glob(BUILD + "/src/cmd/veredus-*")]:
        if os.path.isfile(program):
            shutil.copy(program, build)
    done = subprocess.run([build + "/veredus", "demo", "once", "--dir", folder + "/demo"], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0 and "same octets" in done.stdout, done


def test_without_a_terminal_there_are_no_colours_and_without_utf8_no_marks(folder):
    assert "\x1b" not in run("once", "--dir", folder + "/demo", LC_ALL="C.UTF-8", TERM="xterm")
    assert run("once", "--dir", folder + "/demo", LC_ALL="C").isascii()


def test_a_second_start_goes_on_and_fresh_begins_anew(folder):
    run("once", "--dir", folder + "/demo")
    with open(folder + "/demo/users", "a", encoding="utf-8") as users:
        users.write("kim\n")
    run("once", "--dir", folder + "/demo")
    assert len(os.listdir(folder + "/demo/mail/example.test/ada/new")) == 2
    with open(folder + "/demo/users", encoding="utf-8") as users:
        assert "kim" in users.read()
    run("once", "--fresh", "--dir", folder + "/demo")
    assert len(os.listdir(folder + "/demo/mail/example.test/ada/new")) == 1
    with open(folder + "/demo/users", encoding="utf-8") as users:
        assert "kim" not in users.read()


def test_its_configuration_is_whole_and_each_directive_explained(folder):
    run("once", "--dir", folder + "/demo")
    path = folder + "/demo/veredus.conf"
    done = subprocess.run([PROGRAM, "config", "check", path], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode in (0, 1) and " error: " not in done.stdout + done.stderr, done
    with open(path, encoding="utf-8") as text:
        lines = [line for line in text if line.strip() not in ("", "}")]
    assert all("#" in line for line in lines)


@pytest.mark.parametrize("arguments", [["once"], ["once", "--fresh"], ["crash"], []])
def test_a_folder_with_something_else_is_left_alone(folder, arguments):
    other = folder + "/demo" + ("/crash" if "crash" in arguments else "")
    os.makedirs(other)
    with open(other + "/mail", "w", encoding="utf-8") as mine:
        mine.write("mine")
    assert "something else" in run(*arguments, "--dir", folder + "/demo", status=1)
    assert os.listdir(other) == ["mail"]


def test_two_do_not_share_a_folder_but_the_machine(demo, folder):
    assert "running" in run("once", "--dir", demo.folder, status=1)
    text = run("once", "--dir", folder + "/other")
    assert "same octets" in text
    assert not re.search(f"127.0.0.1:{demo.wire().socket.getpeername()[1]} ", text)


def test_a_taken_port_becomes_the_next_free_one(folder):
    first = run("once", "--dir", folder + "/demo")
    port = int(re.search(r"127\.0\.0\.1:(\d+)", first)[1])
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert int(re.search(r"127\.0\.0\.1:(\d+)", run("once", "--dir", folder + "/demo"))[1]) > port


def test_each_message_is_a_line(demo):
    with demo.wire() as wire:
        wire.ehlo()
        assert wire.transaction(LETTER, to=["ada@example.test", "bob+x@example.test"], sender="kim@example.net") == 250
        assert wire.transaction(LETTER, sender="") == 250
    line = demo.wait_line(r"  \d\d:\d\d:\d\d  kim@example\.net → ada@example\.test +(.*\S) +in the mailbox +([\d.]+)\n")
    assert line[1] == "hello there"
    assert float(line[2]) > 0
    demo.wait_line(r"kim@example\.net → bob\+x@example\.test +hello there")
    demo.wait_line(r"report → ada@example\.test +hello there +in the mailbox")
    assert demo.end() == 0
    assert "2 messages in, 2 delivered." in demo.text()


def test_what_is_refused_is_a_line(demo):
    with demo.wire() as wire:
        wire.ehlo()
        assert wire.transaction(LETTER, to="nobody@example.test") == 550
        wire.cmd("RSET")
        assert wire.transaction(LETTER.replace(b"\r\n\r\n", b"\n\r\n")) == 550
    demo.wait_line(r"\d  refused 127\.0\.0\.1: 550 5\.1\.1 nobody@example\.test: no such mailbox\n")
    demo.wait_line(r"\d  refused 127\.0\.0\.1: 550 5\.6\.0 line \d of the message ends in a bare LF")
    assert demo.end() == 0
    assert "No message came." in demo.text()


def test_what_waits_is_counted_and_there_next_time(demo, folder):
    new = demo.folder + "/mail/example.test/ada/new"
    shutil.rmtree(demo.folder + "/mail/example.test/ada")
    with open(demo.folder + "/mail/example.test/ada", "w", encoding="utf-8") as in_the_way:
        in_the_way.write("no folder")
    with demo.wire() as wire:
        wire.ehlo()
        assert wire.transaction(LETTER) == 250
    demo.wait_line(r"carol@example\.net → ada@example\.test +deferred: 4\.")
    assert demo.end() == 0
    assert "1 message in, 0 delivered, 1 waits in" in demo.text()
    os.remove(demo.folder + "/mail/example.test/ada")
    again = Demo(folder).wait_ready()
    assert "1 message waits from an earlier demonstration." in again.text()
    assert again.end() == 0
    assert re.search("0 messages in, 0 delivered, 1 waits in|0 messages in, 1 delivered", again.text())
    assert os.listdir(new)


def test_commands_on_the_screen_work_as_printed(demo):
    done = subprocess.run(re.search(r"^ +(\S.* status .*?)  ", demo.text(), re.M)[1], shell=True, capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 0 and "is well" in done.stdout, done
    shown = re.search(r"^ +(printf.*\|\n.*-T -)$", demo.text(), re.M)[1]
    if shutil.which("curl"):
        subprocess.run(shown, shell=True, check=True, timeout=30)
        demo.wait_line(r"bob@example\.test → ada@example\.test +hello +in the mailbox")


def test_no_server_outlives_it(demo):
    server = children(demo.process.pid)
    assert len(server) == 1
    everyone = server + children(server[0])
    assert len(everyone) > 3
    demo.end(signal.SIGKILL)
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in everyone), "the end of the server")


def test_a_server_that_ends_is_said(demo):
    os.kill(children(demo.process.pid)[0], signal.SIGKILL)
    assert demo.process.wait(60) == 1
    assert "signal 9" in demo.text()


def test_a_server_that_does_not_start_is_said(folder):
    os.mkdir(folder + "/demo")
    run("once", "--dir", folder + "/demo")
    shutil.rmtree(folder + "/demo/spool")
    with open(folder + "/demo/spool", "w", encoding="utf-8") as in_the_way:
        in_the_way.write("no folder")
    assert "spool" in run("once", "--dir", folder + "/demo", status=1)


def test_crash_loses_nothing_beside_a_running_demonstration(demo):
    text = run("crash", "--dir", demo.folder)
    assert len(re.findall(r"round +\d+ +[1-9][\d,]* acknowledged    ready again in", text)) == 10
    assert re.search(r"result      [\d,]+ acknowledged, all delivered, 0 lost, 0 twice", text)
    assert demo.process.poll() is None
    assert len(os.listdir(demo.folder + "/mail/example.test/ada/new")) == 1


def test_usage_is_64(folder):
    run("twice", status=64)
    run("once", "--json", "--dir", folder, status=64)
