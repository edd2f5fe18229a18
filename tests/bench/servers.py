"""What is measured: veredus, a Postfix from Debian, and nothing between generator and sink."""
import os
import shutil
import struct
import subprocess
import tempfile
import time

USERS = 50

VEREDUS_COMMON = """\
hostname veredus.example.test;
listen 127.0.0.1:{port} {listen_as} {{ max-sessions 20000; {listen_more} }}
relay-from 127.0.0.1;
spool {folder}/spool;
state {folder}/state;
control {folder}/run/control;
log file:{folder}/run/log kv info;
max-messages 1000000;
"""

VEREDUS_MAILDIR = VEREDUS_COMMON + """\
domain example.test {{
    users file:users;
    deliver maildir:{folder}/mail/{{domain}}/{{user}};
}}
"""

# {domain} is filled in with the port of the sink, {top} with what else a subject wants.
VEREDUS_RELAY = VEREDUS_COMMON + """\
route * smtp://127.0.0.1:{domain};
{top}
"""

POSTFIX_RELAY = """\
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink}
smtp_connection_cache_on_demand = yes
default_process_limit = 100
"""

POSTFIX_MAILDIR = """\
virtual_mailbox_domains = example.test
virtual_mailbox_base = {work}/mail
virtual_mailbox_maps = texthash:{work}/conf/boxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
"""


def files(folders):
    total = 0
    for folder in folders:
        try:
            total += len(os.listdir(os.path.join(folder, "new")))
        except OSError:
            pass
    return total


class Sink:
    """Takes mail and counts it, for all to see."""

    def __init__(self, build, *arguments):
        self.folder = tempfile.mkdtemp(prefix="veredus-bench-")
        self.counted = os.path.join(self.folder, "count")
        self.process = subprocess.Popen([os.path.join(build, "veredus"), "bench", "sink", "--listen", "127.0.0.1:0",
                                         "--print-port", "--count", self.counted, *arguments],
                                        stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.port = int(self.process.stdout.readline())

    def count(self):
        with open(self.counted, "rb") as text:
            return struct.unpack("Q", text.read(8))[0]

    def close(self):
        self.process.terminate()
        self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


class Direct:
    """The load generator and the sink with nothing between: what the machine can do at all."""
    name = "direct"

    def __init__(self, opt):
        self.sink = Sink(opt.build)
        self.pid = self.sink.pid
        self.port = self.sink.port
        self.arrived = None

    def close(self):
        self.sink.close()


class PostfixRelay:
    name = "postfix"

    def __init__(self, opt):
        import postfix
        self.sink = Sink(opt.build, *opt.sink)
        try:
            self.server = postfix.Postfix(POSTFIX_RELAY.replace("{sink}", str(self.sink.port)) + opt.postfix,
                                          master=opt.master, speaks_first=not opt.listen)
        except BaseException:
            self.sink.close()
            raise
        self.server.start()
        self.pid = self.server.process.pid
        self.port = self.server.port

    def arrived(self):
        return self.sink.count()

    def close(self):
        self.server.close()
        self.sink.close()


class PostfixMaildir:
    name = "postfix"

    def __init__(self, _):
        import postfix
        self.server = postfix.Postfix(POSTFIX_MAILDIR)
        self.mail = os.path.join(self.server.work, "mail")
        os.mkdir(self.mail)
        os.chown(self.mail, 65534, 65534)
        self.server.write("conf/boxes", "".join(f"u{n}@example.test u{n}/\n" for n in range(1, USERS + 1)))
        self.server.start()
        self.pid = self.server.process.pid
        self.port = self.server.port

    def arrived(self):
        return files(os.path.join(self.mail, f"u{n}") for n in range(1, USERS + 1))

    def close(self):
        self.server.close()


class Veredus:
    """A server of ours; what it does with mail is a matter of its configuration."""
    name = "veredus"
    speaks_first = True  # not behind implicit TLS

    def start(self, **server):
        # Known to the harness when it is imported.
        import harness
        self.server = harness.Server(**server)
        os.chmod(self.server.path("run"), 0o777)
        try:
            self.again()
        except BaseException:
            self.close()
            raise

    def again(self):
        """Started (again); how long it took until it greeted."""
        import harness
        began = time.monotonic()
        self.server.start(ready=False)
        harness.until(self.answers, lambda: "veredus to answer: " + self.server.log_text(), 120)
        self.pid = self.server.process.pid
        self.port = self.server.port
        return time.monotonic() - began

    def answers(self):
        import harness
        try:
            harness.Wire(self.server.port, greeting=self.speaks_first).close()
            return True
        except OSError:
            if self.server.process.poll() is not None:
                raise RuntimeError("veredus ended: " + self.server.log_text()) from None
            return False

    def close(self):
        self.server.stop()
        shutil.rmtree(self.server.folder, ignore_errors=True)


class VeredusRelay(Veredus):
    def __init__(self, opt):
        self.sink = Sink(opt.build, *opt.sink)
        self.speaks_first = not opt.listen
        more = "relay-from 127.0.0.1; auth none; require tls;" if opt.listen else ""
        config = VEREDUS_RELAY.replace("{listen_as}", opt.listen).replace("{listen_more}", more)
        self.start(config=config, domain=str(self.sink.port), top=opt.veredus)

    def arrived(self):
        return self.sink.count()

    def close(self):
        super().close()
        self.sink.close()


class VeredusMaildir(Veredus):
    def __init__(self, _):
        config = VEREDUS_MAILDIR.replace("{listen_as}", "").replace("{listen_more}", "")
        self.start(config=config, users=[f"u{n}" for n in range(1, USERS + 1)])

    def arrived(self):
        return files(self.server.maildir(f"u{n}") for n in range(1, USERS + 1))


RELAY = [Direct, VeredusRelay, PostfixRelay]
BESIDE = [VeredusRelay, PostfixRelay]
MAILDIR = [Direct, VeredusMaildir, PostfixMaildir]
