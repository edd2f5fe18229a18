"""The accounts that a package makes: each process under its own, and what that means for sockets, files and commands.

A private mount namespace shows the server /etc/passwd, group and shadow of its own, made by packaging/veredus.sysusers.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import PROGRAM, ROOT, WAIT, until
from secure import Certificate, Ports, Secure, run, words
from test_auth import MESSAGE, PASSWORD, plain

SYSUSERS = os.path.join(ROOT, "packaging", "veredus.sysusers")
FILES = ["passwd", "group", "shadow", "gshadow"]
PRIVATE = "for n in passwd group shadow gshadow pam.d; do mount --bind \"$0/$n\" /etc/$n; done; exec \"$@\""
DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/bin")

OWN = {"receive": "_veredus_in", "submit": "_veredus_sub", "auth": "_veredus_au", "key": "_veredus_key",
       "queue": "_veredus_q", "send": "_veredus_out", "resolve": "_veredus_dns", "lookup": "_veredus_lk",
       "control": "_veredus_ct", "pam": "root"}


def can():
    """Why not; empty: it can be done."""
    if os.getuid() != 0:
        return "accounts of our own need root"
    if not shutil.which("systemd-sysusers"):
        return "systemd-sysusers is not installed"
    if not all(os.path.exists("/etc/" + name) for name in [*FILES, "pam.d"]):
        return "this machine keeps its accounts elsewhere"
    if subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", "mount --bind /etc/group /etc/group"],
                      capture_output=True, check=False).returncode != 0:
        return "mount namespaces are refused"
    return ""


pytestmark = pytest.mark.skipif(can() != "", reason=can())


class Accounts:
    """What is shown in place of the files of /etc."""

    def __init__(self, root):
        self.root = root
        self.etc = os.path.join(root, "etc")
        os.makedirs(os.path.join(root, "usr/lib/sysusers.d"))
        os.mkdir(self.etc)
        for name in FILES:
            shutil.copy2("/etc/" + name, self.etc)
        shutil.copytree("/etc/pam.d", os.path.join(self.etc, "pam.d"), symlinks=True)
        pathlib.Path(self.etc, "pam.d", "veredus").write_text("@include common-auth\n@include common-account\n",
                                                              encoding="ascii")
        shutil.copy(SYSUSERS, os.path.join(root, "usr/lib/sysusers.d/veredus.conf"))
        run("systemd-sysusers", "--root=" + root, "veredus.conf")
        self.person("carol", 42001, run("openssl", "passwd", "-6", PASSWORD).decode().strip())
        self.person("dave", 42002, "!")
        self.edit("group", lambda line: line + "carol" if line.startswith("veredus:") else line)

    def edit(self, name, change):
        path = pathlib.Path(self.etc, name)
        path.write_text("".join(change(line) + "\n" for line in path.read_text(encoding="utf-8").splitlines()),
                        encoding="utf-8")

    def person(self, name, uid, password):
        with open(os.path.join(self.etc, "passwd"), "a", encoding="ascii") as out:
            out.write(f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n")
        with open(os.path.join(self.etc, "group"), "a", encoding="ascii") as out:
            out.write(f"{name}:x:{uid}:\n")
        with open(os.path.join(self.etc, "shadow"), "a", encoding="ascii") as out:
            out.write(f"{name}:{password}:20000:0:99999:7:::\n")

    def uid(self, name):
        with open(os.path.join(self.etc, "passwd"), encoding="utf-8") as passwd:
            return next(int(line.split(":")[2]) for line in passwd if line.startswith(name + ":"))

    def gid(self, name):
        with open(os.path.join(self.etc, "group"), encoding="utf-8") as group:
            return next(int(line.split(":")[2]) for line in group if line.startswith(name + ":"))

    def inside(self):
        return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", PRIVATE, self.etc]


@pytest.fixture
def accounts():
    # Not below pytest's folder, which is for one user's eyes.
    with tempfile.TemporaryDirectory(prefix="veredus-accounts-") as root:
        os.chmod(root, 0o755)
        yield Accounts(root)


@pytest.fixture
def prepare(make_server, accounts, tmp_path):
    def make(auth="users", users=None):
        ports, certificate = Ports(), Certificate(tmp_path)
        os.chmod(certificate.chain, 0o600)
        os.chmod(certificate.key, 0o600)
        server = make_server(start=False, top=f"tls {{ {certificate.directive} }}"
                                              f"listen 127.0.0.1:{ports.tls} submission tls {{ auth {auth}; }}")
        password = run("openssl", "passwd", "-6", PASSWORD).decode().strip()
        server.write("users", users or f"ada:{{SHA512-CRYPT}}{password}\nbob\n")
        os.chmod(server.path("users"), 0o640)
        os.chown(server.path("mail"), accounts.uid("vmail"), accounts.gid("vmail"))
        server.ports, server.prefix = ports, accounts.inside()
        return server
    return make


def command(server, *arguments, who=None):
    """Run there, by root or by somebody else."""
    become = ["setpriv", "--reuid", who, "--regid", who, "--init-groups"] if who else []
    return subprocess.run(["nsenter", "-t", str(server.process.pid), "-m", *become, PROGRAM, "-c",
                           server.path("veredus.conf"), *arguments], capture_output=True, text=True, timeout=WAIT, check=False)


def uids_of(server):
    """{name: the uids of its processes}"""
    found = {}
    for name, pids in server.workers().items():
        for pid in pids:
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                line = next(line for line in status if line.startswith("Uid:"))
            found.setdefault(name, set()).update(int(uid) for uid in line.split()[1:])
    return found


def owner(path):
    st = os.lstat(path)
    return st.st_uid, st.st_mode & 0o7777


def log_in(server, who="ada", password=PASSWORD):
    with Secure(server.ports.tls) as wire:
        wire.ehlo()
        return wire.cmd("AUTH PLAIN " + plain(f"{who}@example.test", password))


def test_each_process_has_its_account_and_its_files(prepare, accounts):
    server = prepare("users pam:veredus").start()
    expected = {name: {accounts.uid(account)} for name, account in OWN.items()}
    assert {name: uids for name, uids in uids_of(server).items() if name in expected} == expected
    assert not server.records("sandbox") and not server.records("process")
    assert owner(server.path("spool")) == (accounts.uid("_veredus_q"), 0o711)
    assert owner(server.path("state", "history")) == (accounts.uid("_veredus_ct"), 0o700)
    assert log_in(server) == 235
    assert owner(server.path("state", "logins")) == (0, 0o600)
    assert server.send(MESSAGE, to="bob@example.test") == 250
    server.wait_mail("bob")
    [path] = server.mail_paths("bob")
    assert owner(path)[0] == accounts.uid("vmail")


def test_a_reload_and_a_restart_change_nothing_of_it(prepare, accounts):
    server = prepare().start()
    before = uids_of(server)
    assert server.send(MESSAGE, to="bob@example.test") == 250
    server.write_config(domain="max-message-size 1M;")
    assert server.reload()["changed"]
    until(lambda: len(server.workers().get("lookup", [])) == 1 and log_in(server) == 235, "the new processes")
    server.wait_mail("bob")
    assert command(server, "stop").returncode == 0
    server.wait()
    server.start()
    assert {name: uids_of(server)[name] for name in ["queue", "control", "auth"]} == \
        {name: before[name] for name in ["queue", "control", "auth"]}
    assert log_in(server) == 235
    assert server.send(MESSAGE, to="bob@example.test") == 250
    server.wait_mail("bob", 2)
    server.signal(signal.SIGHUP)
    until(lambda: len(server.records("config")) >= 2, "the answer to SIGHUP")


def test_commands_are_for_root_and_the_group(prepare, accounts):
    server = prepare().start()
    socket = os.lstat(server.path("run", "control"))
    assert (socket.st_gid, socket.st_mode & 0o777) == (accounts.gid("veredus"), 0o660)
    for who in [None, "carol"]:
        for words_of in [["status"], ["queue"], ["queue", "shape"], ["reload"]]:
            done = command(server, *words_of, who=who)
            assert done.returncode == 0, done.stderr
    done = command(server, "status", who="dave")
    assert done.returncode == 77
    assert server.path("run", "control") in done.stderr and "group veredus" in done.stderr, done.stderr


def test_pam_unix_reads_shadow(prepare):
    server = prepare("pam:veredus", users="carol\n").start()
    with Secure(server.ports.tls) as wire:
        assert words(wire.ehlo())["AUTH"] == ["PLAIN", "LOGIN"]
    assert log_in(server, "carol", "wrong") == 535
    assert log_in(server, "carol") == 235


CONFIG = """\
base_dir = {work}/run
state_dir = {work}/state
log_path = {work}/log
protocols =
ssl = no
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = {work}/passwd
}}
service auth {{
  unix_listener {work}/auth-veredus {{
    {access}
  }}
}}
"""


class Dovecot:
    def __init__(self, work, server):
        self.work, self.server, self.process = work, server, None
        self.socket = os.path.join(work, "auth-veredus")
        pathlib.Path(work, "passwd").write_text(f"ada@example.test:{{PLAIN}}{PASSWORD}\n", encoding="ascii")
        for name in ["run", "state"]:
            os.mkdir(os.path.join(work, name))

    def start(self, access):
        pathlib.Path(self.work, "dovecot.conf").write_text(CONFIG.format(work=self.work, access=access), encoding="ascii")
        self.process = subprocess.Popen(["nsenter", "-t", str(self.server.process.pid), "-m", DOVECOT, "-F", "-c",
                                         f"{self.work}/dovecot.conf"])
        until(lambda: os.path.exists(self.socket), "Dovecot's socket")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(WAIT)
        if os.path.exists(self.socket):
            os.unlink(self.socket)


@pytest.mark.skipif(not DOVECOT, reason="dovecot is not installed (dovecot-core)")
def test_dovecots_socket_is_for_the_account_of_auth(prepare):
    with tempfile.TemporaryDirectory(prefix="veredus-dovecot-") as work:
        os.chmod(work, 0o755)
        server = prepare(f"dovecot:{work}/auth-veredus", users="ada\nbob\n").start()
        server.expect("table")
        dovecot = Dovecot(work, server)
        try:
            dovecot.start("mode = 0600")
            assert log_in(server) == 454
            record = server.wait_record("table", table=dovecot.socket)
            assert record["state"] == "failing" and "_veredus_au" in record["error"], record
            assert "unix_listener" in record["error"]
            dovecot.stop()
            # What docs/SUBMISSION.md says.
            dovecot.start("mode = 0600\n    user = _veredus_au")
            assert log_in(server) == 235
            assert log_in(server, password="wrong") == 535
            assert server.wait_record("table", table=dovecot.socket, state="answering")
        finally:
            dovecot.stop()


def test_a_folder_of_somebody_else_puts_mail_off_and_is_told(prepare, accounts):
    server = prepare().start()
    os.chown(server.path("mail"), 0, 0)
    assert server.send(MESSAGE, to="bob@example.test") == 250
    record = server.wait_record("defer")
    assert record["status"] == "4.3.5" and "the delivering account has no right to it" in record["error"]
    assert server.path("mail") not in record["error"]  # which may come to stand in a report
    told = server.wait_record("table", table=server.path("mail"))
    assert "run as vmail" in told["error"] and "chown" in told["error"] and "deliver-as" in told["error"]
    os.chown(server.path("mail"), accounts.uid("vmail"), accounts.gid("vmail"))
    assert command(server, "queue", "flush", "--all", who="carol").returncode == 0
    server.wait_mail("bob")
