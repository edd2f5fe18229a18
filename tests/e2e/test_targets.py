"""Where mail goes other than into Maildirs: mbox files, commands, and what aliases name."""
import fcntl
import grp
import json
import mailbox
import os
import pwd
import re
import stat
import sys
import textwrap

import pytest

from harness import CONFIG, Failed, below_trace, field, mail_account, until

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello\r\n"

MBOX = CONFIG.replace("deliver maildir:{folder}/mail/{{domain}}/{{user}};",
                      "deliver mbox:{folder}/mail/{{domain}}/{{user}};")

# What a command sees, as JSON; then it ends as its first argument says, in words.
TAKE = """\
    #!%s
    import json, os, sys
    status = 0
    for arg in sys.argv[1:]:
        if arg.isdigit():
            status = int(arg)
    groups = sorted(set(os.getgroups()))
    seen = {"argv": sys.argv[1:], "env": dict(os.environ), "uid": os.getuid(), "gid": os.getgid(), "groups": groups,
            "cwd": os.getcwd(), "fds": sorted(int(n) for n in os.listdir("/proc/self/fd"))[:-1],
            "message": sys.stdin.buffer.read().decode("latin-1"), "pgrp": os.getpgrp() == os.getpid()}
    path = os.path.join("{folder}", "mail", "taken")
    with open(path + ".%%d" %% os.getpid(), "w") as out:
        json.dump(seen, out)
    os.rename(path + ".%%d" %% os.getpid(), path + "-%%d" %% os.getpid())
    if status:
        print("first line", flush=True)
        print("words of", status, file=sys.stderr)
    sys.exit(status)
""" % sys.executable


def pipe(arguments):
    return CONFIG.replace("deliver maildir:{folder}/mail/{{domain}}/{{user}};",
                          "deliver pipe:{folder}/take " + arguments.replace("{", "{{").replace("}", "}}") + ";")


def script(server, name, text):
    """An executable file of the server's folder."""
    path = server.write(name, textwrap.dedent(text).replace("{folder}", server.folder))
    os.chmod(path, 0o755)
    return path


def messages(server, user="ada"):
    """What Python's reader of mboxes finds, each as (the From line, octets with CRLF)."""
    box = mailbox.mbox(server.path("mail", "example.test", user), create=False)
    found = []
    for key in box.keys():
        # mboxrd: one ">" is taken away again.
        octets = re.sub(rb"(?m)^>(>*From )", rb"\1", box.get_bytes(key, from_=True))
        line, _, octets = octets.partition(b"\n")
        found.append((line.decode(), octets.replace(b"\n", b"\r\n")))
    box.close()
    return found


def takings(server):
    folder = server.path("mail")
    found = []
    for name in sorted(os.listdir(folder)):
        if re.match(r"taken-\d+$", name):
            with open(os.path.join(folder, name), encoding="utf-8") as text:
                found.append(json.load(text))
    return found


def taken(server):
    """The only one."""
    found = until(lambda: takings(server), "a command")
    assert len(found) == 1
    return found[0]


@pytest.fixture
def mbox_server(make_server):
    return make_server(config=MBOX)


@pytest.fixture
def pipe_server(make_server):
    def make(arguments, **options):
        server = make_server(start=False, config=pipe(arguments), **options)
        script(server, "take", TAKE)
        return server.start()
    return make


# ---- mbox ----

def test_c136_each_message_of_an_mbox_reads_back_as_delivered(mbox_server):
    letters = [
        b"Subject: 1\r\n\r\nFrom here on\r\n>From there\r\n>>From\r\n\r\nFrom \r\n",
        b"Subject: 2\r\n\r\n",
        b"Subject: 3\r\n\r\n\r\n\r\nFrom x@example.net Sun Nov 22 09:41:07 2026\r\nSubject: not a message\r\n\r\nx\r\n",
        b"Subject: 4\r\n\r\n\xe4\xff\x01\x7f " + b"x" * 900 + b"\r\n" + b"line\r\n" * 70000,
    ]
    for one in letters:
        mbox_server.send(one)
    mbox_server.wait_queue_empty()
    found = sorted(messages(mbox_server), key=lambda pair: field(pair[1], "Subject"))
    assert [below_trace(octets) for _, octets in found] == letters
    for line, octets in found:
        assert re.match(r"From carol@example\.net (Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z][a-z] [ \d]\d "
                        r"\d\d:\d\d:\d\d \d{4}$", line)
        assert field(octets, "Return-Path") == ["<carol@example.net>"]
        assert field(octets, "Delivered-To") == ["ada@example.test"]
    path = mbox_server.path("mail", "example.test", "ada")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(mbox_server.path("mail", "example.test")) == ["ada"]
    if os.getuid() == 0:
        assert os.stat(path).st_uid == mail_account().pw_uid


def test_a_report_in_an_mbox_is_from_the_mailer_daemon(mbox_server):
    mbox_server.send(LETTER, sender="")
    mbox_server.wait_queue_empty()
    assert messages(mbox_server)[0][0].startswith("From MAILER-DAEMON ")


def test_another_program_that_locks_and_the_server_never_write_at_once(mbox_server):
    """A reader as Debian's policy has it: fcntl, then the lock file, again and again, rewriting the whole file."""
    mbox_server.send(LETTER)
    mbox_server.wait_queue_empty()
    path = mbox_server.path("mail", "example.test", "ada")
    owner = os.stat(path)
    for n in range(20):
        mbox_server.send(b"Subject: %d\r\n\r\nx\r\n" % n)
        with open(path, "r+b") as box:
            while True:
                try:
                    fcntl.lockf(box, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    lock = os.open(path + ".lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                    break
                except FileExistsError:
                    fcntl.lockf(box, fcntl.LOCK_UN)
                except BlockingIOError:
                    pass
            os.fchown(lock, owner.st_uid, owner.st_gid)
            octets = box.read()
            assert octets.startswith(b"From ") and octets.endswith(b"\n\n")
            box.seek(0)
            box.write(octets)
            os.unlink(path + ".lock")
            os.close(lock)
    mbox_server.wait_queue_empty()
    subjects = [field(octets, "Subject")[0] for _, octets in messages(mbox_server)]
    assert sorted(subjects) == sorted(["x"] + [str(n) for n in range(20)])


def test_a_torn_end_never_becomes_one_message_with_the_next(make_server):
    server = make_server(start=False, config=MBOX)
    os.makedirs(server.path("mail", "example.test"))
    path = server.path("mail", "example.test", "ada")
    with open(path, "wb") as box:
        box.write(b"From a@example.net Sun Nov 22 09:41:07 2026\nSubject: torn\n\nhal")
    if os.getuid() == 0:
        for name in [os.path.dirname(path), path]:
            os.chown(name, mail_account().pw_uid, mail_account().pw_gid)
    server.start()
    server.send(LETTER)
    server.wait_queue_empty()
    found = [octets for _, octets in messages(server)]
    assert found[0].startswith(b"Subject: torn\r\n\r\nhal")
    assert below_trace(found[1]) == LETTER
    assert len(found) == 2


def test_c136_kill_9_in_mid_load_leaves_no_part_of_a_message(make_server):
    server = make_server(config=MBOX)
    sent = set()
    for turn in range(3):
        with server.wire() as wire:
            wire.ehlo()
            for n in range(15):
                name = f"{turn}-{n}"
                assert wire.transaction(b"Subject: %s\r\n\r\n%s" % (name.encode(), b"From line\r\n" * 3000)) == 250
                sent.add(name)
        server.kill()
        server.start()
    server.wait_queue_empty()
    subjects = []
    for _, octets in messages(server):
        assert octets.endswith(b"\r\n\r\n" + b"From line\r\n" * 3000)
        subjects.append(field(octets, "Subject")[0])
    # Twice is allowed for what was under way at a kill, and only that.
    assert set(subjects) == sent
    assert os.listdir(server.path("mail", "example.test")) == ["ada"]


def test_a_link_in_place_of_a_mailbox_is_not_followed(make_server):
    server = make_server(start=False, config=MBOX)
    os.makedirs(server.path("mail", "example.test"))
    victim = server.write("victim", "")
    os.chmod(victim, 0o666)
    os.symlink(victim, server.path("mail", "example.test", "ada"))
    server.start()
    reply = server.send(LETTER)
    record = server.wait_record("defer", id=reply.id)
    assert record["status"] == "4.3.5" and "symbolic links" in json.dumps(record)
    assert os.path.getsize(victim) == 0


# ---- commands ----

def test_a_command_has_the_message_and_the_rights_of_its_account_and_little_else(pipe_server):
    server = pipe_server("{user} {detail} {domain} {sender} --to={address} {recipients} {client}")
    server.send(LETTER, to="ada+x@example.test")
    got = taken(server)
    assert got["argv"] == ["ada", "x", "example.test", "carol@example.net", "--to=ada+x@example.test",
                           "ada+x@example.test", "127.0.0.1"]
    message = got["message"].encode("latin-1")
    assert b"\r" not in message and below_trace(message) == LETTER
    assert field(message, "Return-Path") == ["<carol@example.net>"]
    assert field(message, "Delivered-To") == ["ada+x@example.test"]
    account = mail_account() if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    home = account.pw_dir
    env = {name: value for name, value in got["env"].items() if name not in ["LC_CTYPE"]}
    assert env == {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "USER": account.pw_name,
                   "LOGNAME": account.pw_name, "SHELL": "/bin/sh", "SENDER": "carol@example.net",
                   "RECIPIENT": "ada+x@example.test", "ORIGINAL_RECIPIENT": "ada+x@example.test", "LOCAL": "ada",
                   "EXTENSION": "x", "DOMAIN": "example.test"}
    assert got["uid"] == account.pw_uid and got["fds"] == [0, 1, 2] and got["pgrp"]
    assert got["cwd"] == (home if os.path.isdir(home) and os.access(home, os.X_OK) else "/")
    if os.getuid() == 0:
        assert got["gid"] == account.pw_gid and 0 not in got["groups"]
    server.wait_queue_empty()
    assert server.records("deliver", to="ada+x@example.test")


@pytest.mark.parametrize("sender", ['"a b"@example.net', '"a$(touch x)`x`"@example.net', '"a\\"b;c|d"@example.net',
                                    "{user}@example.net", "&a'b*@example.net"])
def test_a_hostile_sender_is_one_argument(pipe_server, sender):
    server = pipe_server("-f {sender} --from={sender} end")
    assert server.send(LETTER, sender=sender) == 250
    got = taken(server)
    assert len(got["argv"]) == 4 and got["argv"][0] == "-f" and got["argv"][3] == "end"
    assert got["argv"][2] == "--from=" + got["argv"][1] and got["env"]["SENDER"] == got["argv"][1]
    assert got["argv"][1].replace("\\", "").replace('"', "") == sender.replace("\\", "").replace('"', "")


def test_a_sender_is_never_an_option(pipe_server):
    server = pipe_server("{sender}")
    reply = server.send(LETTER, sender="-rf@example.net")
    assert server.wait_record("fail", id=reply.id)["status"] == "5.1.3"
    assert not takings(server)


@pytest.mark.parametrize("status, event, code", [
    (64, "fail", "5.3.5"), (65, "fail", "5.6.0"), (67, "fail", "5.1.1"), (68, "fail", "5.1.2"), (69, "fail", "5.3.0"),
    (70, "fail", "5.3.0"), (73, "fail", "5.2.0"), (76, "fail", "5.5.0"), (77, "fail", "5.7.1"), (78, "fail", "5.3.5"),
    (71, "defer", "4.3.0"), (74, "defer", "4.3.0"), (75, "defer", "4.3.0"), (1, "defer", "4.3.0"),
    (127, "defer", "4.3.5")])
def test_exit_statuses_decide_and_the_last_line_says_why(pipe_server, status, event, code):
    server = pipe_server(f"{status}")
    reply = server.send(LETTER, sender="")
    record = server.wait_record(event, id=reply.id)
    assert record["status"] == code
    assert f"the command ended with {status}: words of {status}" in json.dumps(record)
    assert len(takings(server)) == 1


def test_a_command_that_is_not_there_is_tried_again(make_server):
    server = make_server(config=pipe("x"), top="retry 100ms;")
    reply = server.send(LETTER)
    record = server.wait_record("defer", id=reply.id)
    assert record["status"] == "4.3.5" and "No such file" in json.dumps(record)
    script(server, "take", TAKE)
    taken(server)
    server.wait_record("done", id=reply.id)


def test_a_command_that_reads_nothing_has_taken_a_large_message(make_server):
    server = make_server(start=False, config=pipe("x"))
    script(server, "take", "#!/bin/sh\nexec <&-\nexit 0\n")
    server.start()
    reply = server.send(b"Subject: x\r\n\r\n" + b"line of text\r\n" * 100000)
    server.wait_record("deliver", id=reply.id)
    server.wait_queue_empty()


def test_a_command_that_is_killed_is_tried_again(make_server):
    server = make_server(start=False, config=pipe("x"))
    script(server, "take", "#!/bin/sh\nkill -9 $$\n")
    server.start()
    record = server.wait_record("defer", id=server.send(LETTER).id)
    assert "signal 9" in json.dumps(record)


def test_a_command_that_runs_is_let_finish_when_the_server_stops(make_server):
    server = make_server(start=False, config=pipe("x"))
    script(server, "take", """\
        #!/bin/sh
        touch {folder}/mail/begun
        until test -e {folder}/mail/go; do :; done
        touch {folder}/mail/ended
        """)
    server.start()
    reply = server.send(LETTER)
    until(lambda: os.path.exists(server.path("mail", "begun")), "the command")
    server.signal(15)
    server.write("mail/go", "")
    assert server.wait() == 0
    assert os.path.exists(server.path("mail", "ended"))
    assert server.records("deliver", id=reply.id)


def test_the_process_for_commands_has_no_mail_root_and_others_keep_their_sandbox(make_server):
    config = pipe("x") + "domain other.test {{ users any; deliver maildir:{folder}/mail/other/{{user}}; }}\n"
    server = make_server(start=False, config=config)
    script(server, "take", TAKE)
    os.mkdir(server.path("mail", "other"))
    if os.getuid() == 0:
        os.chown(server.path("mail", "other"), mail_account().pw_uid, mail_account().pw_gid)
    server.start()
    server.send(LETTER)
    server.send(LETTER, to="u@other.test")
    server.wait_queue_empty()
    pids = server.workers()["deliver"]
    assert len(pids) == 2
    modes = []
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as text:
            modes.append(re.search(r"Seccomp:\s+(\d)", text.read())[1])
    # Where the kernel has no seccomp nobody has it.
    assert sorted(modes) in [["0", "2"], ["0", "0"]]


# ---- accounts ----

def as_root():
    if os.getuid() != 0:
        pytest.skip("only root delivers as others")


def some_user():
    """An ordinary account of this machine."""
    for account in pwd.getpwall():
        if 1000 <= account.pw_uid < 60000 and os.path.isdir(account.pw_dir):
            return account
    pytest.skip("there is no ordinary account here")


def test_a_command_runs_as_the_account_of_deliver_as(pipe_server):
    as_root()
    account = some_user()
    server = pipe_server("x", domain=f"deliver-as {account.pw_name};")
    os.chmod(server.path("mail"), 0o777)
    server.send(LETTER)
    got = taken(server)
    assert got["uid"] == account.pw_uid and got["gid"] == account.pw_gid and got["env"]["HOME"] == account.pw_dir
    assert got["cwd"] == account.pw_dir
    assert sorted(got["groups"]) == sorted(os.getgrouplist(account.pw_name, account.pw_gid))


def test_no_command_runs_as_root(make_server):
    server = make_server(start=False, config=pipe("x"), domain="deliver-as root;")
    server.expect("*")
    with pytest.raises(Failed, match="nothing is done as root"):
        server.start()


def test_users_of_this_machine_have_their_mail_in_their_own_files(make_server):
    as_root()
    account = some_user()
    config = MBOX.replace("users file:users;", "users system;").replace("{folder}/mail/{{domain}}/{{user}}",
                                                                        "{{home}}/veredus-test-mbox")
    server = make_server(config=config)
    path = os.path.join(account.pw_dir, "veredus-test-mbox")
    try:
        server.send(LETTER, to=f"{account.pw_name}@example.test")
        server.wait_queue_empty()
        st = os.stat(path)
        assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (account.pw_uid, account.pw_gid, 0o600)
    finally:
        if os.path.exists(path):
            os.unlink(path)


def test_a_mail_folder_of_the_group_mail_is_shared_by_all_users(make_server):
    as_root()
    account = some_user()
    try:
        mail = grp.getgrnam("mail").gr_gid
    except KeyError:
        pytest.skip("there is no group mail here")
    config = MBOX.replace("users file:users;", "users system;").replace("mail/{{domain}}/{{user}}", "mail/{{user}}")
    server = make_server(start=False, config=config)
    os.chown(server.path("mail"), 0, mail)
    os.chmod(server.path("mail"), 0o2775)
    server.start()
    server.send(LETTER, to=f"{account.pw_name}@example.test")
    server.wait_queue_empty()
    st = os.stat(server.path("mail", account.pw_name))
    assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (account.pw_uid, mail, 0o600)
    assert os.listdir(server.path("mail")) == [account.pw_name]


# ---- aliases ----

def test_an_alias_leads_to_a_command_and_a_file_where_that_is_allowed(make_server):
    server = make_server(start=False, domain="alias-commands on;")
    script(server, "take", TAKE)
    server.write_aliases({"cmd": f'"|{server.folder}/take \\"a b\\" c"', "file": f"{server.folder}/mail/archive",
                          "null": "/dev/null"})
    server.start()
    server.send(LETTER, to=["cmd@example.test", "file@example.test", "null@example.test"])
    got = taken(server)
    assert got["argv"] == ["a b", "c"]
    assert below_trace(got["message"].encode("latin-1")) == LETTER
    server.wait_queue_empty()
    box = mailbox.mbox(server.path("mail", "archive"), create=False)
    assert len(box) == 1
    box.close()


def test_an_alias_leads_to_no_command_where_that_is_not_allowed(make_server):
    server = make_server(start=False)
    script(server, "take", TAKE)
    server.write_aliases({"cmd": f'"|{server.folder}/take x"', "file": f"{server.folder}/mail/archive"})
    server.start()
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        for to in ["cmd", "file"]:
            assert wire.cmd(f"RCPT TO:<{to}@example.test>").code // 100 != 2
    assert not takings(server) and not os.path.exists(server.path("mail", "archive"))
