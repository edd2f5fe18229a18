"""TLS under load: certificates, what servers and generator are told, and the measure that stands beside handshakes."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

KEYS = {"p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}


class Certificate:
    """A key of KIND with a certificate that it signed itself, in one file and in two."""

    def __init__(self, kind):
        self.folder = tempfile.mkdtemp(prefix="veredus-bench-")
        os.chmod(self.folder, 0o755)
        self.chain, self.key, self.both = (os.path.join(self.folder, name) for name in ["chain", "key", "both"])
        subprocess.run(["openssl", "req", "-x509", *KEYS[kind], "-nodes", "-keyout", self.key, "-out", self.chain,
                        "-days", "30", "-subj", "/CN=bench", "-addext", "subjectAltName=DNS:localhost"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(self.both, "w", encoding="ascii") as out:
            for name in [self.chain, self.key]:
                with open(name, encoding="ascii") as text:
                    out.write(text.read())

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def veredus_top(tls, certificate):
    """What VEREDUS_RELAY says beside the rest. TLS: a dict of Load."""
    top = f"tls {{ certificate {certificate.chain} {certificate.key}; }}\n"
    return top + ("tls-level encrypt;\n" if tls.get("sink") else "")


def veredus_listen(tls):
    """Behind the endpoint: what a client of port 465 is served by needs no log-in here, for it is in relay-from."""
    return "submission tls" if tls["client"] == "implicit" else ""


def postfix_more(tls, certificate):
    rows = [f"smtpd_tls_cert_file = {certificate.chain}", f"smtpd_tls_key_file = {certificate.key}",
            "smtpd_tls_security_level = may", "tls_random_source = dev:/dev/urandom"]
    if tls["client"] == "implicit":
        rows.append("smtpd_tls_wrappermode = yes")
    if tls.get("sink"):
        rows += ["smtp_tls_security_level = encrypt", "smtp_tls_connection_reuse = yes"]
    return "\n".join(rows) + "\n"


POSTFIX_MASTER = "tlsproxy  unix - - n - 0 tlsproxy\n"


class Pair:
    """`openssl s_time` against `openssl s_server`: one handshake after the other."""

    def __init__(self, certificate):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.server = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", certificate.chain, "-key",
             certificate.key, "-quiet", "-no_ticket"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)

    def begin(self, seconds):
        self.began = time.monotonic()
        self.client = subprocess.Popen(
            ["openssl", "s_time", "-connect", f"127.0.0.1:{self.port}", "-new", "-time", str(seconds)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def rate(self):
        said, _ = self.client.communicate()
        found = re.search(r"(\d+) connections in \d+ real seconds", said)
        # Its own count of seconds is a whole number.
        return int(found[1]) / (time.monotonic() - self.began) if found else 0.0

    def close(self):
        self.server.send_signal(signal.SIGKILL)
        self.server.communicate()


def reference(certificate, seconds=5):
    """Handshakes a second of as many pairs as there are cores, which share the machine as we and our generator do."""
    pairs = [Pair(certificate) for _ in range(len(os.sched_getaffinity(0)))]
    try:
        for pair in pairs:
            pair.wait()
        for pair in pairs:
            pair.begin(seconds)
        return sum(pair.rate() for pair in pairs)
    finally:
        for pair in pairs:
            pair.close()
