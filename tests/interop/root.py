"""Programs of Debian packages that are not installed, run as if they were.

The packages are unpacked into a folder; a private mount namespace shows it over /usr, and another over /etc, with
accounts that only this program sees.
Nothing of the system is touched, and nothing is left when the program ends. Needs root.
"""
import os
import shutil
import socket
import subprocess
import tempfile
import time

from postfix import Unavailable, unpack

MOUNTS = """\
mount -t overlay overlay -o lowerdir={package}/usr:/usr /usr
mount -t overlay overlay -o lowerdir={work}/etc:/etc /etc
{more}
exec "$@"
"""


class Peer:
    """
    A server in a root of its own; WORK is its folder, what is in WORK/etc is seen in /etc. A subclass gives the
    commands. ACCOUNTS: names to make; MOUNTS: more lines of shell, before the program.
    """

    name = program = mounts = ""
    packages = accounts = folders = ()

    def __init__(self):
        if os.getuid() != 0:
            raise Unavailable(f"{self.name} needs root")
        self.package = unpack(self.name, self.packages, self.program)
        self.work = tempfile.mkdtemp(prefix=f"veredus-{self.name}-")
        os.chmod(self.work, 0o755)
        self.process = None
        for name in ["etc", *self.folders]:
            self.folder(name)
        self.write_accounts()
        self.mailboxes = self.folder("mail", 65534)
        self.script = MOUNTS.format(package=self.package, work=self.work, more=self.mounts.format(work=self.work))
        try:
            self.check_root()
        except Unavailable:
            self.close()
            raise

    def check_root(self):
        done = self.run("ldd", "/" + self.program)
        missing = [line.split()[0] for line in done.stdout.splitlines() if "not found" in line]
        if done.returncode:
            raise Unavailable(f"mounts are refused: {done.stderr.strip()}")
        if missing:
            raise Unavailable(f"{self.name} lacks {' '.join(missing)}")

    def write_accounts(self):
        with open("/etc/passwd", encoding="utf-8") as passwd, open("/etc/group", encoding="utf-8") as group:
            users, groups = passwd.read(), group.read()
        for number, account in enumerate(self.accounts):
            users += f"{account}:x:{64000 + number}:{64000 + number}::/nonexistent:/usr/sbin/nologin\n"
            groups += f"{account}:x:{64000 + number}:\n"
        self.write("etc/passwd", users)
        self.write("etc/group", groups)

    def path(self, *names):
        return os.path.join(self.work, *names)

    def folder(self, name, owner=0, mode=0o755):
        os.makedirs(self.path(name), exist_ok=True)
        os.chown(self.path(name), owner, owner if owner else 0)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return self.path(name)

    def command(self, *words):
        return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", self.script, "sh", *words]

    def run(self, *words):
        return subprocess.run(self.command(*words), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=120, check=False)

    def launch(self, address, port, *words):
        """Starts the server; back when somebody answers there."""
        with open(self.path("output"), "ab") as output:
            self.process = subprocess.Popen(self.command(*words), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection((address, port), 2).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"{self.name} does not come up: {self.log()[-2000:]}")

    def log(self):
        text = ""
        for name in ["output", "log"]:
            if os.path.exists(self.path(name)):
                with open(self.path(name), encoding="utf-8", errors="replace") as log:
                    text += log.read()
        return text

    def close(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        # Children that are still at it may put a file into a folder that was empty a moment ago.
        end = time.monotonic() + 10
        while os.path.exists(self.work) and time.monotonic() < end:
            shutil.rmtree(self.work, ignore_errors=True)


