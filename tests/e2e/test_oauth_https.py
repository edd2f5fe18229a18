"""Issuers of tokens over HTTPS: whose CA counts, and what goes wrong there at night (FACE 1.9 oauth; RFC 7628, 7662).

The CAs of the system are those that count. A private mount namespace shows the server another file in their place.
"""
import base64
import http.server
import json
import os
import re
import ssl
import subprocess
import threading
import time

import pytest

from harness import until
from secure import Certificate, Ports, Secure
from test_auth import MESSAGE, PASSWORD, plain
from test_oauth import ACCOUNT, OPAQUE, Issuer, bearer, opened  # noqa: F401

pytest.importorskip("cryptography", reason="python3-cryptography is not installed")
from pki import Authority  # noqa: E402

SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
PRIVATE = ["unshare", "--mount", "--propagation", "private", "sh", "-ec",
           f'mount --bind "$0" {SYSTEM}; exec "$@"']


def mounts():
    if os.getuid() != 0 or not os.path.exists(SYSTEM):
        return False
    return subprocess.run([*PRIVATE, SYSTEM, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not mounts(), reason="CAs are shown in a mount namespace: root alone can make one")


class Secured(Issuer):
    """An issuer behind TLS with PAIR. ANSWER(handler, usual) says something else than it usually would."""

    def __init__(self, pair):
        self.pair, self.answer = pair, None
        super().__init__()

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def usual(self, handler):
        if handler.command == "GET":
            return {"keys": [key.jwk() for key in self.keys]}
        return {"active": True, "aud": "mail", "email": ACCOUNT}

    def start(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    pass  # the client does not like what it hears

            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                issuer.asked.append(self.path)
                octets = json.dumps(issuer.usual(self)).encode()
                (issuer.answer or usual)(self, octets)

            do_POST = do_GET

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pair.path)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.handle_error = lambda *_: None
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def usual(handler, octets, code=200, length=None, **fields):
    handler.send_response(code)
    handler.send_header("Content-Length", str(len(octets) if length is None else length))
    for name, value in fields.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(octets)


def redirect(handler, _):
    usual(handler, b"", code=302, Location="https://elsewhere.example.test/")


def endless(handler, _):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(160):
        handler.wfile.write(b"x" * 65536)


def stall(handler, _):
    time.sleep(60)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def make(make_server, tmp_path, authority):
    """make(issuer, what): a server that believes AUTHORITY alone; beside tokens there are passwords."""
    issuers = []

    def build(pair, what, cas=None):
        issuer = Secured(pair)
        issuers.append(issuer)
        ports, certificate = Ports(), Certificate(tmp_path)
        what = {"keys": f"keys {issuer.url}/jwks;", "word": f"introspection {issuer.url}/ask;"}[what]
        server = make_server(start=False, top=f"tls {{ {certificate.directive} }}"
                                              f"oauth company {{ issuer {issuer.url}; audience mail; {what} }}"
                                              f"listen 127.0.0.1:{ports.tls} submission tls "
                                              "{ auth users oauth:company; }")
        password = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, check=True).stdout.decode()
        server.write("users", f"ada\nbob:{{SHA512-CRYPT}}{password}")
        server.ports = ports
        server.prefix = [*PRIVATE, cas or authority.path]
        return server.start(), issuer

    yield build
    for issuer in issuers:
        issuer.stop()


def token_of(issuer, what):
    return issuer.token() if what == "keys" else OPAQUE


@pytest.mark.parametrize("what", ["keys", "word"])
def test_an_issuer_whose_ca_the_system_believes_is_believed(make, authority, what):
    server, issuer = make(authority.issue("localhost"), what)
    with opened(server) as wire:
        assert bearer(wire, token_of(issuer, what)) == 235
    assert issuer.asked and not [r for r in server.records("table") if r.get("table", "").startswith("https")]


WRONG = {
    "another-name": ({"names": ["id.example.test"]}, None, r"subject name.*does not match|no alternative.*'localhost'"),
    "expired": ({"days": -1}, None, r"certificate has expired"),
    "self-signed": ({"self_signed": True}, None, r"self.signed certificate"),
    "redirect": ({}, redirect, r"it answers 302: a redirect, which is not followed"),
    "error": ({}, lambda handler, octets: usual(handler, octets, code=500), r"it answers 500"),
    "long": ({}, lambda handler, octets: usual(handler, octets + b" " * 10_000_000), r"longer than 262144 octets"),
    "endless": ({}, endless, r"longer than 262144 octets"),
    "cut-off": ({}, lambda handler, octets: usual(handler, octets, length=len(octets) + 9), r"9 bytes remaining|unexpected eof"),
    "no-json": ({}, lambda handler, octets: usual(handler, b"<html>Sorry</html>"), r"not a set of keys|no JSON that"),
}


@pytest.mark.parametrize("what", ["keys", "word"])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_an_issuer_is_454_and_told(make, authority, wrong, what):
    options, answer, words = WRONG[wrong]
    options = dict(options)
    server, issuer = make(authority.issue(*options.pop("names", ["localhost"]), **options), what)
    server.expect("table")
    issuer.answer = answer
    with opened(server) as wire:
        reply = bearer(wire, token_of(issuer, what))
        assert reply == 454 and reply.status == "4.7.0"
    url = f"{issuer.url}/{'jwks' if what == 'keys' else 'ask'}"
    record = server.wait_record("table", table=url)
    assert record["state"] == "failing" and re.search(words, record["error"])
    assert token_of(issuer, what) not in server.log_text()


def test_a_slow_issuer_keeps_nobody_else_waiting(make, authority):
    server, issuer = make(authority.issue("localhost"), "word")
    server.expect("table")
    issuer.answer = stall
    wires = [opened(server) for _ in range(8)]
    for number, wire in enumerate(wires):
        wire.send("AUTH XOAUTH2 " + plain_token(f"{OPAQUE}-{number}") + "\r\n")
    until(lambda: len(issuer.asked) == 8, "all of them asked")
    with Secure(server.ports.tls) as quick:
        quick.ehlo()
        assert quick.cmd("AUTH PLAIN " + plain("bob@example.test")) == 235
        assert quick.transaction(MESSAGE, sender="bob@example.test", to="bob@example.test") == 250
    assert not server.records("table")
    for wire in wires:
        assert wire.reply() == 454
        wire.close()
    record = server.wait_record("table", table=issuer.url + "/ask")
    assert "timed out" in record["error"].lower()
    issuer.answer = None
    with opened(server) as wire:
        assert bearer(wire, OPAQUE) == 235


def plain_token(token):
    return base64.b64encode(f"user={ACCOUNT}\1auth=Bearer {token}\1\1".encode()).decode()


def test_without_the_cas_of_the_system_nobody_is_believed(make, authority, tmp_path):
    (tmp_path / "empty").write_text("", encoding="ascii")
    server, issuer = make(authority.issue("localhost"), "keys", cas=str(tmp_path / "empty"))
    server.expect("table")
    with opened(server) as wire:
        assert bearer(wire, issuer.token()) == 454
    assert SYSTEM in server.wait_record("table", table=issuer.url + "/jwks")["error"]


def test_a_locked_account_is_out_whoever_vouches_for_it(make, authority):
    server, issuer = make(authority.issue("localhost"), "keys")
    with opened(server) as wire:
        assert bearer(wire, issuer.token()) == 235
        server.write("users", "ada:!\nbob\n")
        assert wire.reply() == 421
    until(lambda: not taken(server, issuer), "a token that is refused")
    assert server.wait_record("auth_end")["reason"] == "locked"
    # One that has no line is the issuer's to vouch for: only the mailbox is gone.
    server.write("users", "bob\n")
    until(lambda: taken(server, issuer), "a token that is taken")


def taken(server, issuer):
    with opened(server) as wire:
        reply = bearer(wire, issuer.token())
        assert reply == 235 or wire.cmd("AQ==") == 535
        return reply == 235
