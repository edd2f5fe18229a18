"""Postfix from Debian's package, unpacked into a folder of its own and run from there, beside whatever is installed.

Needs dpkg and, the first time, a package archive. The tools (smtp-source, smtp-sink) run as anybody; the server needs
root, and the accounts postfix and postdrop, which are made without log-in and taken away again.
"""
import contextlib
import fcntl
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

from ports import free_port  # noqa: E402

FOLDERS = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "saved", "trace"]

MASTER = """\
{address}:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
local     unix - n n - - local
virtual   unix - n n - - virtual
lmtp      unix - - n - - lmtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

MAIN = """\
compatibility_level = 3.6
queue_directory = {work}/spool
data_directory = {work}/data
daemon_directory = {package}/usr/lib/postfix/sbin
command_directory = {package}/usr/sbin
shlib_directory = {package}/usr/lib/postfix
meta_directory = {package}/etc/postfix
mail_owner = postfix
setgid_group = postdrop
virtual_mailbox_limit = 0
import_environment = LD_LIBRARY_PATH={package}/usr/lib/postfix MAIL_CONFIG TZ
export_environment = LD_LIBRARY_PATH={package}/usr/lib/postfix MAIL_CONFIG TZ
maillog_file = {work}/log/postfix.log
maillog_file_prefixes = {work}
inet_interfaces = {address}
inet_protocols = ipv4
myhostname = postfix.example.test
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
mynetworks = 127.0.0.0/8 10.99.0.0/24
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
message_size_limit = 52428800
{more}
"""


class Unavailable(Exception):
    """Why there is no Postfix here; the words of a skip."""


def cache_folder():
    folder = os.path.join(tempfile.gettempdir(), f"veredus-peers-{os.getuid()}")
    os.makedirs(folder, mode=0o755, exist_ok=True)
    if os.stat(folder).st_uid != os.getuid():
        raise Unavailable(f"{folder} belongs to somebody else")
    return folder


@contextlib.contextmanager
def one_at_a_time(name):
    """Other tests that come to this, in other processes, wait until it is over."""
    with open(os.path.join(cache_folder(), name + ".lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def download(packages, folder):
    """The archive may be slow to answer, or have a bad moment."""
    for last in [False, False, True]:
        done = subprocess.run(["apt-get", "download", *packages], cwd=folder, check=last, timeout=120,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode == 0:
            return


def unpack(name, packages, program):
    """The folder NAME with PROGRAM in it, of Debian's PACKAGES; downloads them once."""
    try:
        folder = os.path.join(cache_folder(), name)
        with one_at_a_time(name):
            if os.path.exists(os.path.join(folder, program)):
                return folder
            with tempfile.TemporaryDirectory() as load:
                download(packages, load)
                unpacked = os.path.join(load, "unpacked")
                os.mkdir(unpacked)
                for archive in sorted(os.listdir(load)):
                    if archive.endswith(".deb"):
                        subprocess.run(["dpkg", "-x", archive, unpacked], cwd=load, check=True, timeout=60)
                shutil.rmtree(folder, ignore_errors=True)
                shutil.move(unpacked, folder)
    except (OSError, subprocess.SubprocessError) as bad:
        raise Unavailable(f"the {name} package cannot be had") from bad
    if not os.path.exists(os.path.join(folder, program)):
        raise Unavailable(f"there is no {program} in {' '.join(packages)}")
    return folder


def fetch():
    """The folder of the unpacked package; downloads it once."""
    folder = unpack("postfix", ["postfix"], "usr/sbin/smtp-source")
    check_libraries(folder)
    return folder


def check_libraries(folder):
    for name in ["usr/sbin/smtp-source", "usr/lib/postfix/sbin/smtpd", "usr/lib/postfix/sbin/cleanup"]:
        found = subprocess.run(["ldd", os.path.join(folder, name)], env=environment(folder), text=True,
                               stdout=subprocess.PIPE, check=False).stdout
        missing = [line.split()[0] for line in found.splitlines() if "not found" in line]
        if missing:
            raise Unavailable(f"postfix lacks {' '.join(missing)}")


def environment(folder, config=None):
    more = {"MAIL_CONFIG": config} if config else {}
    return {**os.environ, "LD_LIBRARY_PATH": os.path.join(folder, "usr/lib/postfix"), **more}


class Tools:
    """smtp-source and smtp-sink with a configuration that lets them start."""

    def __init__(self, work):
        self.package = fetch()
        self.config = os.path.join(work, "postfix-tools")
        os.makedirs(self.config, exist_ok=True)
        with open(os.path.join(self.config, "main.cf"), "w", encoding="ascii") as out:
            out.write(f"compatibility_level = 3.6\nmyhostname = tools.example.test\ninet_protocols = ipv4\n"
                      f"shlib_directory = {self.package}/usr/lib/postfix\n")

    def run(self, name, *arguments, **options):
        return subprocess.run([os.path.join(self.package, "usr/sbin", name), *arguments],
                              env=environment(self.package, self.config), check=False, **options)

    def start(self, name, *arguments, **options):
        return subprocess.Popen([os.path.join(self.package, "usr/sbin", name), *arguments],
                                env=environment(self.package, self.config), **options)


class Accounts:
    """
    The accounts Postfix looks up. Those that were missing are made, and taken away by the last who closes: other tests
    that run at the same time use them, too. What was made is in a file; who uses it has a lock on another.
    """

    def __init__(self):
        self.record = os.path.join(cache_folder(), "accounts.made")
        self.users = open(os.path.join(cache_folder(), "accounts.users"), "ab")
        with one_at_a_time("accounts"):
            fcntl.flock(self.users, fcntl.LOCK_SH)
            for command, name, look in [("group", "postfix", grp.getgrnam), ("group", "postdrop", grp.getgrnam),
                                        ("user", "postfix", pwd.getpwnam)]:
                try:
                    look(name)
                except KeyError:
                    self.make(command, name)

    def make(self, command, name):
        more = ["-g", "postfix", "-M", "-d", "/nonexistent", "-s", "/usr/sbin/nologin"]
        subprocess.run([command + "add", "--system", *(more if command == "user" else []), name],
                       check=True, stdout=subprocess.DEVNULL)
        with open(self.record, "a", encoding="ascii") as out:
            out.write(f"{command} {name}\n")

    def close(self):
        with one_at_a_time("accounts"), self.users:
            try:
                fcntl.flock(self.users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self.take_away()

    def take_away(self):
        if not os.path.exists(self.record):
            return
        with open(self.record, encoding="ascii") as lines:
            made = lines.read().split("\n")[:-1]
        for command, name in map(str.split, reversed(made)):
            subprocess.run([command + "del", name], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.unlink(self.record)


class Postfix:
    """
    A running Postfix on a free port of 127.0.0.1, or at another ADDRESS and PORT. MORE is added to main.cf; {work} in
    it is its folder. MASTER is added to master.cf.
    """

    def __init__(self, more="", address="127.0.0.1", port=None, master="", speaks_first=True):
        self.speaks_first = speaks_first  # not behind implicit TLS
        if os.getuid() != 0:
            raise Unavailable("a Postfix server needs root")
        self.package = fetch()
        self.accounts = Accounts()
        self.work = tempfile.mkdtemp(prefix="veredus-postfix-")
        os.chmod(self.work, 0o755)
        self.address = address
        self.port = port or free_port()
        self.process = None
        self.make_folders()
        self.write_config(more, master)

    def make_folders(self):
        user = pwd.getpwnam("postfix").pw_uid
        group = grp.getgrnam("postdrop").gr_gid
        rows = [("conf", 0, 0, 0o755), ("log", 0, 0, 0o755), ("spool", 0, 0, 0o755), ("data", user, 0, 0o700),
                ("spool/pid", 0, 0, 0o755), ("spool/private", user, 0, 0o700),
                ("spool/public", user, group, 0o710), ("spool/maildrop", user, group, 0o730)]
        rows += [("spool/" + name, user, 0, 0o700) for name in FOLDERS]
        for name, owner, owners, mode in rows:
            path = os.path.join(self.work, name)
            os.mkdir(path)
            os.chown(path, owner, owners)
            os.chmod(path, mode)

    def write_config(self, more, master):
        values = {"work": self.work, "package": self.package, "address": self.address,
                  "port": self.port}
        self.write("conf/master.cf", MASTER.format(**values) + master)
        self.write("conf/main.cf", MAIN.format(more=more.format(**values), **values))

    def write(self, name, text):
        with open(os.path.join(self.work, name), "w", encoding="ascii") as out:
            out.write(text)

    def start(self):
        master = os.path.join(self.package, "usr/lib/postfix/sbin/master")
        config = os.path.join(self.work, "conf")
        self.process = subprocess.Popen([master, "-c", config, "-d"], env=environment(self.package, config),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                with socket.create_connection((self.address, self.port), 2) as probe:
                    if not self.speaks_first or probe.recv(3) == b"220":
                        return self
            except OSError:
                time.sleep(0.05)
        raise Unavailable("postfix does not answer: " + self.log()[-300:])

    def log(self):
        try:
            with open(os.path.join(self.work, "log/postfix.log"), encoding="utf-8", errors="replace") as text:
                return text.read()
        except OSError:
            return ""

    def processes(self):
        """Pids that run programs of our copy of the package; others may run another Postfix."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/exe").startswith(self.package):
                    with open(f"/proc/{pid}/environ", "rb") as text:
                        if f"MAIL_CONFIG={self.work}".encode() in text.read():
                            found.append(int(pid))
            except OSError:
                pass
        return found

    def end(self, number):
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def close(self):
        """master first; its children end by themselves when it is gone, or are told to."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        end = time.monotonic() + 5
        while self.processes():
            self.end(signal.SIGTERM if time.monotonic() < end else signal.SIGKILL)
            time.sleep(0.02)
        shutil.rmtree(self.work, ignore_errors=True)
        self.accounts.close()
