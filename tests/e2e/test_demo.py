"""veredus demo: what it shows is true, and it cannot be made to show something else."""
import glob
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
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

    def send(self, to, subject="hello", sender="bob@example.test", body=b"It works.\r\n"):
        """One message to TO; the content as it was sent."""
        content = b"From: bob@example.test\r\nSubject: " + subject.encode() + b"\r\n\r\n" + body
        with self.wire() as wire:
            wire.ehlo()
            assert wire.transaction(content, to=to, sender=sender) == 250
        return content

    def kept(self, domain, user):
        """The files of elsewhere for USER, oldest first."""
        return [open(path, "rb").read() for path in sorted(glob.glob(f"{self.folder}/elsewhere/{domain}/{user}/*.eml"))]

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


def test_ada_logs_in_by_both_ways_that_the_screen_shows(demo):
    """With the password on the screen, and the certificate that the demonstration made: once, and not anew."""
    starttls, name, password, implicit = re.search(r"log in\s+127\.0\.0\.1:(\d+)\s+STARTTLS; (\S+), password (\S+); "
                                                   r"port (\d+): TLS at once", demo.text()).groups()
    context = ssl.create_default_context(cafile=demo.folder + "/tls.pem")
    for number, port in enumerate([starttls, implicit]):
        if port == starttls:
            client = smtplib.SMTP("localhost", int(port))
            client.starttls(context=context)
        else:
            client = smtplib.SMTP_SSL("localhost", int(port), context=context)
        with client:
            client.login(name, password)
            client.sendmail(name, ["bob@example.test"], b"From: ada\r\nSubject: number %d\r\n\r\nx\r\n" % number)
        demo.wait_line(rf"number {number} .*in the mailbox")
    assert os.stat(demo.folder + "/tls.pem").st_mode & 0o777 == 0o600


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
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def take():
            """The port of a first run; another demonstration on this machine may be there before us."""
            port = int(re.search(r"127\.0\.0\.1:(\d+)", run("once", "--dir", folder + "/demo"))[1])
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                return None
            return port
        port = until(take, "a port to take")
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


def test_other_domains_are_elsewhere_octet_by_octet(demo):
    body = b".\r\n..two\r\nGr\xc3\xbc\xc3\x9fe  \r\n" + b"x" * 998 + b"\r\n\r\n"
    sent = demo.send("kim@Customer.example", "Your invoice 4411", body=body)
    line = demo.wait_line(r"  bob@example\.test → kim@customer\.example +Your invoice 4411 +elsewhere +([\d.]+)\n")
    assert float(line[1]) > 0
    kept, = demo.kept("customer.example", "kim")
    # Received on top (RFC 5321 4.4), below it what was sent.
    assert re.fullmatch(rb"Received: [^\n]*\r\n(?:[ \t][^\n]*\r\n)+", kept[:-len(sent)])
    assert kept.endswith(sent)
    with demo.wire() as wire:
        wire.ehlo()
        assert wire.transaction(LETTER, to=["a@one.example", "b@one.example", "ada@example.test"]) == 250
    for to, where in [("a@one", "elsewhere"), ("b@one", "elsewhere"), ("ada@example", "in the mailbox")]:
        demo.wait_line(re.escape(to) + rf"\S+ +hello there +{where} ")
    assert len(demo.kept("one.example", "a")) == len(demo.kept("one.example", "b")) == 1
    assert demo.end() == 0
    assert "2 messages in, 2 delivered." in demo.text()


def test_no_name_leads_out_of_elsewhere(demo):
    names = ['"../../../../x"', '".."', '"."', '"a/b"', '""', '"%2F"', '".hidden"', '"a\\\\b c"', "x" * 200]
    for name in names:
        demo.send(name + "@hostile.example", "named")
    until(lambda: demo.text().count("elsewhere  ") + demo.text().count("named") >= 2 * len(names) and
          len(glob.glob(demo.folder + "/elsewhere/hostile.example/*/*.eml")) == len(names), demo.text)
    users = os.listdir(demo.folder + "/elsewhere/hostile.example")
    assert len(users) == len(names)
    assert all(re.fullmatch(r"[\w%=+@:\[\]-][\w.%=+@:\[\]-]*", user) for user in users), users
    assert os.listdir(demo.folder + "/elsewhere") == ["hostile.example"]
    assert "no folder there has it" not in demo.text()


def test_codes_are_answered_and_the_report_is_in_the_mailbox(demo):
    demo.send("550@elsewhere.test", "never")
    demo.wait_line(r"bob@example\.test → 550@elsewhere\.test +never +failed: 550 5\.1\.1 unknown\n")
    demo.wait_line(r"report → bob@example\.test +Not delivered: never +in the mailbox +[\d.]+\n")
    demo.send("data-552+x@elsewhere.test", "large", sender="carol@sender.example")
    demo.wait_line(r"carol@sender\.example → data-552\+x@elsewhere\.test +large +failed: 552 5\.2\.2 mailbox is full\n")
    demo.wait_line(r"report → carol@sender\.example +Not delivered: large +elsewhere +[\d.]+\n")
    demo.send("5501@elsewhere.test", "no code")
    demo.wait_line(r"→ 5501@elsewhere\.test +no code +elsewhere ")
    demo.send("rcpt-554@elsewhere.test", "unwanted", sender="")
    demo.wait_line(r"report → rcpt-554@elsewhere\.test +unwanted +failed: 554 5\.7\.1 not wanted here\n")
    # A report that cannot be returned to anyone is the postmaster's, who is ada here.
    demo.wait_line(r"report → ada@example\.test +Could not be returned: unwanted +in the mailbox ")
    assert demo.end() == 0
    assert "7 messages in, 4 delivered, 3 failed." in demo.text()


def test_what_is_deferred_is_tried_again(demo, folder):
    sent = [("451@elsewhere.test", "later", "451 4.7.1 busy"),
            ("full@elsewhere.test", "no room", "452 4.2.2 mailbox is full"),
            ("421@elsewhere.test", "down", "421 4.3.2 going down"),
            ("drop@elsewhere.test", "cut", "4.4.2 the connection was lost")]
    for to, subject, _ in sent:
        demo.send(to, subject)
    for to, subject, words in sent:
        demo.wait_line(rf"bob@example\.test → {to} +{subject} +deferred: {re.escape(words)}; again in \d+ s\n")
    demo.send("greylist@elsewhere.test", "grey")
    demo.wait_line(r"greylist@elsewhere\.test +grey +deferred: 451 4\.7\.1 greylisted")
    demo.wait_line(r"greylist@elsewhere\.test +grey +elsewhere +[\d.]+\n")
    until(lambda: demo.text().count("451@elsewhere.test  ") >= 3, demo.text)  # and the line that says how
    queue = subprocess.run([PROGRAM, "queue", "-c", demo.folder + "/veredus.conf"], capture_output=True, text=True,
                           timeout=30, check=False)
    assert "451@elsewhere.test" in queue.stdout and re.search("^[45] messages", queue.stdout, re.M), queue.stdout
    assert demo.end() == 0
    assert "5 messages in, 1 delivered, 4 wait in" in demo.text()
    again = Demo(folder, LC_ALL="C.UTF-8").wait_ready()
    assert "4 messages wait from an earlier demonstration." in again.text()
    again.wait_line(r"451@elsewhere\.test +later +deferred: 451")
    assert again.end() == 0


def test_a_slow_host_slows_nobody_else(demo):
    demo.send("slow@elsewhere.test", "slowly")
    for n in range(8):
        demo.send(f"kim{n}@customer.example", "fast")
    until(lambda: demo.text().count(" fast ") == 8, demo.text)
    assert "slowly" not in demo.text()
    line = demo.wait_line(r"slow@elsewhere\.test +slowly +elsewhere +([\d.]+)\n")
    assert float(line[1]) >= 15000


def test_a_report_that_comes_later_is_mail_like_any(demo):
    demo.send("bounce@elsewhere.test", "there and back")
    demo.wait_line(r"bounce@elsewhere\.test +there and back +elsewhere ")
    demo.wait_line(r"report → bob@example\.test +Returned by the other side +in the mailbox ")
    mail, = [open(path, "rb").read() for path in glob.glob(demo.folder + "/mail/example.test/bob/new/*")]
    assert b"Final-Recipient: rfc822; bounce@elsewhere.test" in mail and b"Subject: there and back" in mail


def test_a_folder_of_the_former_version_is_continued(folder):
    """0.1 had no elsewhere and no routes: what it wrote, word by word where it matters."""
    os.makedirs(folder + "/demo/mail")
    with open(folder + "/demo/veredus.conf", "w", encoding="utf-8") as config:
        config.write("# Written by veredus demo, and written again each time it starts. Copy it to begin one of your own.\n"
                     "hostname mail.example.test;\n")
    with open(folder + "/demo/users", "w", encoding="utf-8") as users:
        users.write("ada\nbob\nkim\n")
    assert "same octets" in run("once", "--dir", folder + "/demo")
    with open(folder + "/demo/veredus.conf", encoding="utf-8") as config:
        assert "relay-from 127.0.0.1 ::1;" in config.read()
    with open(folder + "/demo/users", encoding="utf-8") as users:
        assert "kim" in users.read()
    assert os.path.isdir(folder + "/demo/elsewhere")


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
    demo.wait_line(r"carol@example\.net → ada@example\.test +hello there +deferred: 4\.")
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
    assert len(server) == 2  # and elsewhere
    everyone = server + [pid for main in server for pid in children(main)]
    assert len(everyone) > 4
    demo.end(signal.SIGKILL)
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in everyone), "the end of the server")


def child(demo, name):
    for pid in children(demo.process.pid):
        with open(f"/proc/{pid}/comm", encoding="utf-8") as comm:
            if comm.read().strip() == name:
                return pid
    raise AssertionError(name)


def test_a_server_that_ends_is_said(demo):
    os.kill(child(demo, "veredus"), signal.SIGKILL)
    assert demo.process.wait(60) == 1
    assert "signal 9" in demo.text()


def test_elsewhere_that_ends_is_said(demo):
    os.kill(child(demo, "elsewhere"), signal.SIGKILL)
    assert demo.process.wait(60) == 1
    assert "every other domain has ended" in demo.text()


def test_started_by_root_elsewhere_has_no_rights_of_root(demo):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with open(f"/proc/{child(demo, 'elsewhere')}/status", encoding="utf-8") as status:
        ids = re.search(r"^Uid:\s+(.*)$", status.read(), re.M)[1].split()
    assert "0" not in ids


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
