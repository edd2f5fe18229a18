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


def reference(certificate, seconds=5):
    """Handshakes a second of `openssl s_time` against `openssl s_server`, which share the machine as we and ours do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate.chain, "-key",
                               certificate.key, "-quiet", "-no_ticket"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        done = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds)],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    finally:
        server.send_signal(signal.SIGKILL)
        server.communicate()
    found = re.search(r"(\d+) connections in (\d+) real seconds", done.stdout)
    return int(found[1]) / int(found[2]) if found and int(found[2]) else 0.0
