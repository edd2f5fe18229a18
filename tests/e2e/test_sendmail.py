"""The local way in: sendmail, mailq and newaliases as other programs call them, and the drop folder behind them."""
import os
import pwd
import re
import shutil
import socket
import stat
import subprocess

import pytest

from e2e_fixtures import *  # noqa: F401,F403
from harness import PROGRAM, field, until

NOBODY = pwd.getpwnam("nobody")
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may call it as somebody else")


@pytest.fixture
def tools(make_server):
    """make(...) is a server whose folder has the three names in it."""
    def make(**options):
        start = options.pop("start", True)
        server = make_server(start=False, **options)
        # A copy: a plain user may not be able to walk to the build.
        shutil.copy(PROGRAM, server.path("sendmail"))
        for name in ["mailq", "newaliases"]:
            os.symlink("sendmail", server.path(name))
        return server.start() if start else server
    return make


def call(server, *arguments, name="sendmail", text="", user=None, **options):
    """The finished process; TEXT is what it reads."""
    octets = text if isinstance(text, bytes) else text.encode()
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    return subprocess.run([server.path(name), *arguments], input=octets, stdout=subprocess.PIPE, cwd="/",
                          stderr=subprocess.PIPE, timeout=60, check=False,
                          env={"PATH": "/usr/bin:/bin", "VEREDUS_CONFIG": server.path("veredus.conf"),
                               **options.get("env", {})}, **who)


def drops(server, folder="drop"):
    return sorted(os.listdir(server.path("spool", folder)))


def leave(server, name, octets, folder="drop"):
    """A file in the drop folder, as sendmail finishes one."""
    whole = octets if isinstance(octets, bytes) else octets.encode()
    with open(server.path("spool", folder, "tmp-" + name), "wb") as out:
        out.write(whole)
    os.rename(server.path("spool", folder, "tmp-" + name), server.path("spool", folder, "msg-" + name))


def dropped(subject, to="ada"):
    return (f"MAIL FROM:<bob@example.test>\r\nRCPT TO:<{to}@example.test>\r\nDATA\r\n"
            f"Subject: {subject}\r\n\r\ntext\r\n.\r\n")


# ---- a message goes in ----

def test_cron_hands_over_with_bare_names_and_all_get_the_origin(tools):
    server = tools(users=["root", "ada"], top="origin example.test;")
    done = call(server, "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "root",
                text="From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> job\n\nit said this\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    mail = server.wait_mail("root")[0]
    assert field(mail, "From") == ["root@example.test (Cron Daemon)"]
    assert field(mail, "To") == ["root@example.test"]
    assert field(mail, "Subject") == ["Cron <root@host> job"]
    assert len(field(mail, "Date")) == 1 and len(field(mail, "Message-ID")) == 1
    record = server.records("accept")[0]
    assert record["listener"] == "sendmail" and record["uid"] == os.getuid() and "client" not in record
    assert record["from"].endswith("@example.test")


@as_root
def test_php_as_a_plain_user_hands_over_by_the_header(tools):
    """C130 and RFC 5322 3.6.3: the recipients are those of To, Cc and Bcc, and Bcc stays behind."""
    server = tools(users=["ada", "bob", "kim", "lee"])
    done = call(server, "-t", "-i", "-f", "www@example.test", user=NOBODY,
                text='To: "Lovelace, A." <ada@example.test>,\n team: bob, kim@example.test (Kim);\n'
                     'Bcc: lee@example.test\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nFrom: me@example.test\n\nhello\n')
    assert (done.returncode, done.stderr) == (0, b"")
    for user in ["ada", "bob", "kim", "lee"]:
        mail = server.wait_mail(user)[0]
        assert not field(mail, "Bcc")
        assert field(mail, "Return-Path") == ["<www@example.test>"]
        assert field(mail, "From") == ["me@example.test"]
        assert b"team: bob@example.test, kim@example.test (Kim);" in mail
        # No network was used: there is no FROM (RFC 5321 4.4).
        assert re.match(rf"by mail\.example\.test \(userid {NOBODY.pw_uid}\)", field(mail, "Received")[0])
    assert server.records("accept")[0]["uid"] == NOBODY.pw_uid


def test_a_message_without_a_header_is_all_body(tools):
    server = tools()
    assert call(server, "-F", 'A "quoted" name', "-f", "bob", "ada", text="X-hello: no\n").returncode == 0
    assert call(server, "ada", text="just a line").returncode == 0
    mail = server.wait_mail("ada", 2)
    just = [one for one in mail if b"just a line" in one][0].replace(b"\r\n", b"\n")
    assert just.endswith(b"\n\njust a line\n")
    other = [one for one in mail if b"just a line" not in one][0]
    assert field(other, "From") == ['"A \\"quoted\\" name" <bob@example.test>']


def test_a_dot_alone_ends_the_message_unless_it_is_told_not_to(tools):
    server = tools()
    text = "Subject: dots\n\none\n.\n..two\n.\nthree\n"
    assert call(server, "ada", text=text).returncode == 0
    for option in ["-i", "-oi", "-OIgnoreDots=true"]:
        assert call(server, option, "bob", text=text).returncode == 0
    assert server.wait_mail("ada")[0].replace(b"\r\n", b"\n").endswith(b"\n\none\n")
    for mail in server.wait_mail("bob", 3):
        assert mail.replace(b"\r\n", b"\n").endswith(b"\n\none\n.\n..two\n.\nthree\n")


def test_every_kind_of_line_end_arrives_as_one(tools):
    """C001: nothing but CRLF is sent, whatever was written."""
    server = tools()
    assert call(server, "ada", text=b"Subject: ends\r\nX-One: 1\nX-Two: 2\r\n\r\na\nb\r\nc\rd").returncode == 0
    mail = server.wait_mail("ada")[0].replace(b"\r\n", b"\n")
    assert b"\r" not in mail and mail.endswith(b"\n\na\nb\nc\nd\n")
    assert field(mail, "X-Two") == ["2"]


def test_the_sender_may_be_null_or_given(tools):
    server = tools()
    for given in ["", "<>"]:
        assert call(server, "-f", given, "ada", text="Subject: x\n\nx\n").returncode == 0
    assert call(server, "-r", "Bob B <bob@example.test>", "ada", text="Subject: x\n\nx\n").returncode == 0
    server.wait_mail("ada", 3)
    assert sorted(record["from"] for record in server.records("accept")) == ["", "", "bob@example.test"]


def test_resent_fields_count_where_there_are_some(tools):
    """RFC 5322 3.6.6."""
    server = tools(users=["ada", "bob", "kim"])
    done = call(server, "-t", text="Resent-To: bob\nResent-Bcc: kim\nFrom: x@example.net\nTo: ada\n"
                                   "Date: Sun, 22 Nov 2026 09:41:07 +0000\nMessage-ID: <a@b>\nSubject: x\n\nx\n")
    assert done.returncode == 0
    mail = server.wait_mail("bob")[0]
    assert len(field(mail, "Resent-From")) == 1 and not field(mail, "Resent-Bcc")
    assert field(mail, "Message-ID") == ["<a@b>"] and len(field(mail, "Resent-Message-ID")) == 1
    server.wait_mail("kim")
    assert not server.mail("ada")


def test_a_gateway_message_is_passed_on_as_it_is(tools):
    server = tools()
    assert call(server, "-G", "-i", "ada", text="To: bob\nX-Only: this\n\nx\n").returncode == 0
    mail = server.wait_mail("ada")[0]
    assert field(mail, "To") == ["bob"] and not field(mail, "Date") and not field(mail, "Message-ID")


def test_many_recipients_go_in_several_transactions(tools):
    users = [f"user{n}" for n in range(250)]
    server = tools(users=users, top="max-recipients 100;")
    assert call(server, "-t", text="To: " + ",\n ".join(users) + "\nSubject: all\n\nx\n").returncode == 0
    server.wait_queue_empty()
    assert sum(record["recipients"] for record in server.records("accept")) == 250
    assert all(len(server.mail_paths(user)) == 1 for user in users)


def test_a_program_of_this_machine_may_send_anywhere(tools):
    server = tools(top="route far.example discard;")
    assert call(server, "-f", "ada", "kim@far.example", text="Subject: x\n\nx\n").returncode == 0
    assert server.wait_record("discard")["to"] == "kim@far.example"
    assert server.send(b"Subject: x\r\n\r\nx\r\n", to="kim@far.example") == 550


def test_exit_codes_are_those_of_sysexits(tools):
    server = tools()
    message = "Subject: x\n\nx\n"
    partly = call(server, "nosuch", "ada", text=message)
    assert partly.returncode == 67 and b"nosuch@example.test: 550 5.1.1" in partly.stderr
    server.wait_mail("ada")
    assert call(server, "a b <", text=message).returncode == 65
    assert call(server, text=message).returncode == 64
    assert call(server, "-t", text=message).returncode == 64
    assert call(server, "-t", text="To: ada@@example.test\n\nx\n").returncode == 65
    assert call(server, "-bd").returncode == 64 and b"systemctl" in call(server, "-bD").stderr
    assert call(server, "-bq").returncode == 64
    assert call(server, "-Z", "ada").returncode == 64
    assert call(server, "ada", text=b"Subject: x\n\na\0b\n").returncode == 65
    warned = call(server, "-N", "never", "-V", "id", "bob", text=message)
    assert warned.returncode == 0 and b"does not offer" in warned.stderr
    assert not drops(server)


def test_the_subcommand_is_the_program(tools):
    server = tools()
    done = subprocess.run([PROGRAM, "sendmail", "-i", "ada"], input=b"Subject: x\n\nx\n", check=False,
                          env={"VEREDUS_CONFIG": server.path("veredus.conf")})
    assert done.returncode == 0
    server.wait_mail("ada")


def test_a_reload_gives_the_next_message_the_new_origin(tools):
    server = tools(users=["ada"])
    server.write_config(top="origin other.example.test;")
    server.reload()
    until(lambda: b"XORIGIN other" in call(server, "-v", "ada@example.test", text="Subject: x\n\nx\n").stderr,
          "the new origin")


# ---- the drop folder ----

def test_what_is_left_while_the_server_is_down_arrives_once(tools):
    server = tools()
    server.stop()
    done = call(server, "-i", "ada", "bob@example.test", text="Subject: dropped\n\n.\n..x\n")
    assert (done.returncode, done.stderr) == (0, b"")
    name, = drops(server)
    what = os.lstat(server.path("spool", "drop", name))
    assert stat.S_IMODE(what.st_mode) == 0o600 and what.st_uid == os.getuid()
    server.start()
    for user in ["ada", "bob"]:
        mail = server.wait_mail(user)[0].replace(b"\r\n", b"\n")
        assert field(mail, "Subject") == ["dropped"] and mail.endswith(b"\n\n.\n..x\n")
    until(lambda: not drops(server), "an empty drop folder")
    assert server.records("accept")[-1]["uid"] == os.getuid()


@as_root
def test_the_folder_keeps_users_apart(tools):
    server = tools()
    server.stop()
    folder = server.path("spool", "drop")
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o1733
    assert stat.S_IMODE(os.stat(server.path("spool")).st_mode) == 0o711
    assert call(server, "ada", text="Subject: of root\n\nx\n").returncode == 0
    mine, = drops(server)
    assert call(server, "-f", "bob", "ada", text="Subject: of nobody\n\nx\n", user=NOBODY).returncode == 0
    other = [name for name in drops(server) if name != mine][0]
    who = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
    for command in [["ls", folder], ["cat", f"{folder}/{mine}"], ["rm", "-f", f"{folder}/{mine}"],
                    ["mv", f"{folder}/{mine}", f"{folder}/x"]]:
        assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False, **who).returncode != 0
    # One that is being written is not touched.
    subprocess.run(["sh", "-c", f"echo unfinished > {folder}/tmp-1"], check=True, **who)
    server.start()
    server.wait_mail("ada", 2)
    until(lambda: drops(server) == ["tmp-1"], "all but the unfinished one to be taken")
    assert os.stat(f"{folder}/tmp-1").st_uid == NOBODY.pw_uid
    uids = {record["uid"] for record in server.records("accept")}
    assert uids == {0, NOBODY.pw_uid} and other != mine


def test_a_drop_is_taken_while_the_server_runs(tools):
    server = tools()
    leave(server, "now", dropped("now"))
    server.wait_mail("ada")
    until(lambda: not drops(server), "an empty drop folder")


@pytest.mark.parametrize("accepted", [1, 5, 12])
def test_kill_9_while_drops_are_taken_loses_and_doubles_none(tools, accepted):
    """The token of a drop is made of the file: a death between its commit and its removal is no second message."""
    server = tools()
    for n in range(24):
        leave(server, f"{n:02}", dropped(f"number {n:02}"))
        if n == 3:
            server.kill()
    server.start()
    until(lambda: len(server.records("accept")) >= accepted, "some to be taken")
    server.kill()
    server.start()
    until(lambda: not drops(server), "an empty drop folder")
    server.wait_queue_empty()
    subjects = [field(mail, "Subject")[0] for mail in server.mail("ada")]
    assert sorted(subjects) == [f"number {n:02}" for n in range(24)]


def test_a_refused_recipient_of_a_drop_is_kept_for_somebody_to_see(tools):
    server = tools()
    server.expect("drop")
    leave(server, "1", "MAIL FROM:<bob@example.test>\r\nRCPT TO:<nosuch@example.test>\r\n"
                       "RCPT TO:<ada@example.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
    record = server.wait_record("drop")
    assert record["file"] == "msg-1" and "nosuch@example.test" in record["error"] and record["uid"] == os.getuid()
    server.wait_mail("ada")
    assert drops(server) == [] and drops(server, "drop-failed") == ["msg-1"]


def test_nothing_but_a_plain_file_with_one_name_is_taken(tools):
    server = tools(top="max-message-size 100k;")
    server.expect("drop")
    server.stop()
    folder = server.path("spool", "drop")
    secret = server.write("secret", dropped("secret"))
    os.symlink(secret, f"{folder}/msg-symlink")
    os.link(secret, f"{folder}/msg-hardlink")
    os.mkfifo(f"{folder}/msg-fifo")
    os.mkdir(f"{folder}/msg-folder")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{folder}/msg-socket")
    with open(f"{folder}/msg-huge", "wb") as huge:
        huge.truncate(1 << 33)
    leave(server, "empty", "")
    leave(server, "unfinished", dropped("x")[:-3])
    leave(server, "command", dropped("x").replace("DATA", "VRFY ada"))
    leave(server, "nonsense", b"\0\xff" * 600 + b"\r\n.\r\n")
    leave(server, "norcpt", "MAIL FROM:<bob@example.test>\r\nDATA\r\nx\r\n.\r\n")
    leave(server, "x" * 120, dropped("x"))
    leave(server, "good", dropped("good"))
    server.start()
    names = ["symlink", "hardlink", "fifo", "folder", "socket", "huge", "empty", "unfinished", "command", "nonsense",
             "norcpt"]
    until(lambda: len(drops(server, "drop-failed")) == len(names), "all to be set aside")
    assert drops(server, "drop-failed") == sorted("msg-" + name for name in names)
    assert {record["file"] for record in server.records("drop")} == {"msg-" + name for name in names}
    assert field(server.wait_mail("ada")[0], "Subject") == ["good"]


def test_what_cannot_be_taken_now_stays(tools):
    """A temporary refusal: the file is neither removed nor set aside, and others pass it by."""
    server = tools(aliases={"later": ":include:/nonexistent/list"})
    server.expect("table")
    leave(server, "1-later", dropped("later", to="later"))
    leave(server, "2", dropped("now"))
    server.wait_mail("ada")
    until(lambda: drops(server) == ["msg-1-later"], "the other to stay")
    assert not drops(server, "drop-failed")


@as_root
def test_without_server_and_folder_it_says_try_later(tools):
    server = tools()
    server.stop()
    os.chmod(server.path("spool", "drop"), 0o700)
    done = call(server, "ada", text="Subject: x\n\nx\n", user=NOBODY)
    assert done.returncode == 75 and b"cannot be left" in done.stderr


def test_what_the_server_cannot_take_now_waits_in_the_folder(tools):
    """4yz after DATA: exit 0, for the message is durable; it is taken when there is room again."""
    server = tools(top="min-free 100%;")
    server.expect("spool")
    # The first one makes the queue look at the disk.
    assert call(server, "bob", text="Subject: x\n\nx\n").returncode == 0
    server.wait_record("spool", state="refusing")
    assert call(server, "ada", text="Subject: x\n\nx\n").returncode == 0
    assert server.wait_record("reject")["code"] in (451, 452)
    until(lambda: len(server.records("reject")) > 1, "the drop to be tried, too")
    assert drops(server) and not drops(server, "drop-failed")
    server.stop()
    server.write_config(top="")
    server.start()
    server.wait_mail("ada")


# ---- the other names and modes ----

def test_bs_speaks_smtp_on_standard_input(tools):
    server = tools()
    done = call(server, "-bs", text="EHLO x\nMAIL FROM:<bob>\nRCPT TO:<ada>\nDATA\nSubject: bs\n\nbs\n.\nQUIT\n")
    assert done.returncode == 0
    codes = [line[:3] for line in done.stdout.decode().splitlines() if line[3] == " "]
    assert codes == ["220", "250", "250", "250", "354", "250", "221"]
    server.wait_mail("ada")
    server.stop()
    done = call(server, "-bs", text="QUIT\n")
    assert done.returncode == 75 and done.stdout.startswith(b"421 ")


def test_bv_says_what_rcpt_would(tools):
    server = tools()
    done = call(server, "-bv", "ada", "nosuch@example.test")
    assert done.returncode == 67
    assert re.match(rb"ada: 250 .*\nnosuch@example.test: 550 5\.1\.1", done.stdout)
    assert not server.records("accept")


def test_mailq_prints_what_monitoring_reads(tools):
    server = tools()
    empty = call(server, name="mailq")
    assert (empty.returncode, empty.stdout) == (0, b"Mail queue is empty\n")
    server.expect("defer")
    # A folder where no mailbox can be made.
    for user in ["ada", "bob"]:
        os.makedirs(os.path.dirname(server.maildir(user)), exist_ok=True)
        with open(server.maildir(user), "wb"):
            pass
    assert call(server, "ada", "bob", text="Subject: x\n\n" + "x" * 3000 + "\n").returncode == 0
    server.wait_record("defer")
    text = call(server, name="mailq").stdout.decode()
    assert call(server, "-bp").stdout.decode() == text
    lines = text.splitlines()
    ident = server.records("accept")[0]["id"]
    assert re.match(r"-Queue ID- +--Size-- +--Arrival Time-- +-Sender/Recipient-$", lines[0])
    assert re.match(rf"{ident}[*! ] +\d+ \w{{3}} \w{{3}} [ \d]\d \d\d:\d\d:\d\d  \S+@example.test$", lines[1])
    assert {line.strip() for line in lines[2:]} >= {"ada@example.test", "bob@example.test"}
    assert lines[-1] == "-- 4 Kbytes in 1 Request."


@as_root
def test_a_plain_user_sees_what_is_his_and_tries_nothing_again(tools):
    server = tools()
    server.expect("defer")
    os.makedirs(os.path.dirname(server.maildir("ada")), exist_ok=True)
    with open(server.maildir("ada"), "wb"):
        pass
    for user in [None, NOBODY]:
        assert call(server, "-f", "bob", "ada", text="Subject: x\n\nx\n", user=user).returncode == 0
    until(lambda: len(server.records("defer")) == 2, "both to wait")
    mine = [record["id"] for record in server.records("accept") if record["uid"] == NOBODY.pw_uid]
    seen = call(server, name="mailq", user=NOBODY)
    assert seen.returncode == 0 and re.findall(rb"^(\w{12})", seen.stdout, re.M) == [mine[0].encode()]
    assert seen.stdout.endswith(b"in 1 Request.\n")
    assert call(server, name="mailq").stdout.endswith(b"in 2 Requests.\n")
    assert call(server, "-q", user=NOBODY).returncode == 77
    assert call(server, "-q").returncode == 0
    until(lambda: len(server.records("defer")) == 4, "both to be tried again")


def test_newaliases_checks_and_says_what_is_wrong(tools):
    server = tools(aliases={"team": "ada, bob", "postmaster": "ada"})
    done = call(server, name="newaliases")
    assert (done.returncode, done.stdout) == (0, b"")
    assert call(server, "-bi").returncode == 0
    server.write_aliases("team: ada\nno colon here\n")
    done = call(server, name="newaliases")
    assert done.returncode == 65 and re.search(rb"aliases:2", done.stderr)


def test_a_user_agent_sends_by_it(tools, program):
    """s-nail with its mta set to it."""
    mail = program("s-nail")
    server = tools()
    done = subprocess.run([mail, "-:/", "-Smta=" + server.path("sendmail"), "-s", "by s-nail", "-r",
                           "bob@example.test", "ada@example.test"], input=b"text\n", check=False,
                          env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent",
                               "VEREDUS_CONFIG": server.path("veredus.conf")})
    assert done.returncode == 0
    assert field(server.wait_mail("ada")[0], "Subject") == ["by s-nail"]
