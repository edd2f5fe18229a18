"""Certificates made for one test, and the wire inside TLS."""
import os
import re
import socket
import ssl
import subprocess

import pytest

from harness import WAIT, Wire, free_port


def run(*command, text=None):
    done = subprocess.run(command, input=text, stdin=None if text else subprocess.DEVNULL, capture_output=True,
                          timeout=WAIT, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


HYBRID = "X25519MLKEM768"


def needs_hybrid():
    """Skips where OpenSSL is older than key exchange with ML-KEM (3.5)."""
    listed = subprocess.run(["openssl", "list", "-tls-groups"], capture_output=True, timeout=WAIT, check=False)
    if HYBRID.encode() not in listed.stdout:
        pytest.skip(f"this OpenSSL knows no {HYBRID}")


class Certificate:
    """A certificate and its key, PEM, below FOLDER; signed by ISSUER (another one), or by itself."""

    def __init__(self, folder, name="mail", **options):
        self.chain = os.path.join(folder, name + ".crt")
        self.key = os.path.join(folder, name + ".key")
        self.make(**options)

    def make(self, hosts=("mail.example.test",), issuer=None, kind="ec", ca=False, addresses=(), key=None):
        """Makes it (again), in one step for those who look; KEY: where its key goes instead."""
        algorithm = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
                     "rsa": ["-newkey", "rsa:2048"]}[kind]
        names = ",".join([f"DNS:{host}" for host in hosts] + [f"email:{address}" for address in addresses])
        options = ["-addext", "subjectAltName=" + names] if names else []
        options += ["-addext", "basicConstraints=critical,CA:" + ("TRUE" if ca else "FALSE")]
        if issuer:
            options += ["-CA", issuer.chain, "-CAkey", issuer.key]
        subject = (list(hosts) + [address.split("@")[0] for address in addresses] + ["nobody"])[0]
        run("openssl", "req", "-x509", "-nodes", *algorithm, "-keyout", self.key + ".new", "-out", self.chain + ".new",
            "-days", "60", "-subj", "/CN=" + subject, *options)
        os.replace(self.key + ".new", key or self.key)
        os.replace(self.chain + ".new", self.chain)
        return self

    @property
    def directive(self):
        return f"certificate {self.chain} {self.key};"

    def der(self):
        return run("openssl", "x509", "-in", self.chain, "-outform", "DER")

    def fingerprint(self):
        text = run("openssl", "x509", "-in", self.chain, "-noout", "-fingerprint", "-sha256").decode()
        return "sha256:" + text.strip().split("=")[1].replace(":", "").lower()

    def secrets(self):
        """What nobody but key may have in its memory: the private number, in both orders of octets, and the file."""
        text = run("openssl", "pkey", "-in", self.key, "-text", "-noout").decode()
        number = re.search(r"(?:priv|prime1):\n((?:\s+[0-9a-f:]+\n)+)", text)[1]
        octets = bytes.fromhex(re.sub(r"[\s:]", "", number))[-32:]
        with open(self.key, "rb") as pem:
            return [octets, octets[::-1], pem.read().split(b"\n")[1]]


def context(trust=None, client=None, **options):
    """What a client's handshake is made with: TRUST, a certificate, verifies; without it anything goes."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = trust is not None
    made.verify_mode = ssl.CERT_REQUIRED if trust else ssl.CERT_NONE
    if trust:
        made.load_verify_locations(trust.chain)
    if client:
        made.load_cert_chain(client.chain, client.key)
    for name, value in options.items():
        setattr(made, name, value)
    return made


class Secure(Wire):
    """A Wire inside TLS: from the first octet on, or (starttls) behind STARTTLS."""

    def __init__(self, port, ctx=None, name="mail.example.test", starttls=False, session=None):
        self.ctx = ctx or context()
        if starttls:
            super().__init__(port)
            self.hello = self.ehlo()
            assert self.cmd("STARTTLS") == 220
            self.file.close()
            plain = self.socket
        else:
            plain = socket.create_connection(("127.0.0.1", port), WAIT)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = self.ctx.wrap_socket(plain, server_hostname=name, session=session)
        self.file = self.socket.makefile("rb")
        if not starttls:
            self.greeting = self.reply()

    def der(self):
        return self.socket.getpeercert(binary_form=True)

    def at_end(self):
        try:
            return super().at_end()
        except (ssl.SSLError, ConnectionError):
            return True


class Records:
    """TLS whose octets pass through the test's hands: SEND(octets) gives them to the socket, in pieces it likes."""

    def __init__(self, plain, ctx, send=None, name="mail.example.test"):
        self.plain = plain
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = ctx.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
        self.give = send or plain.sendall
        self.text = b""

    def flush(self):
        octets = self.outgoing.read()
        if octets:
            self.give(octets)

    def _go(self, call, *arguments):
        while True:
            try:
                got = call(*arguments)
                self.flush()
                return got
            except ssl.SSLWantReadError:
                self.flush()
                octets = self.plain.recv(65536)
                if not octets:
                    raise EOFError("the server closed the connection") from None
                self.incoming.write(octets)

    def handshake(self):
        self._go(self.tls.do_handshake)
        return self

    def write(self, octets):
        self._go(self.tls.write, octets)

    def read_until(self, mark):
        while mark not in self.text:
            self.text += self._go(self.tls.read, 65536)
        got, self.text = self.text.split(mark, 1)
        return got + mark


def starttls(port):
    """A plain socket that has been told 220 to STARTTLS."""
    wire = Wire(port)
    wire.ehlo()
    assert wire.cmd("STARTTLS") == 220
    return wire.socket


def words(reply):
    """Keywords of an EHLO reply, each with its arguments."""
    return {line.split(" ")[0]: line.split(" ")[1:] for line in reply.lines}


class Ports:
    """Ports of listeners, made as they are named: ports.submission."""

    def __getattr__(self, name):
        setattr(self, name, free_port())
        return getattr(self, name)
