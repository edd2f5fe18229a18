"""Log-ins by tokens (RFC 7628): a real issuer on loopback, whose keys and word are fetched by the sandboxed resolve."""
import base64
import http.server
import json
import threading
import time
import urllib.parse

import pytest

from harness import free_port, until
from secure import Certificate, Ports, Secure, words

pytest.importorskip("cryptography", reason="python3-cryptography is not installed")
from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils  # noqa: E402

ACCOUNT = "ada@example.test"
OPAQUE = "opaque-0123456789"


def url64(octets):
    octets = octets if isinstance(octets, bytes) else json.dumps(octets).encode()
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def number64(number, octets):
    return url64(number.to_bytes(octets, "big"))


class Key:
    def __init__(self, kid, alg):
        self.kid, self.alg = kid, alg
        self.key = ec.generate_private_key(ec.SECP256R1()) if alg == "ES256" else rsa.generate_private_key(65537, 2048)

    def jwk(self):
        numbers = self.key.public_key().public_numbers()
        if self.alg == "ES256":
            return {"kty": "EC", "crv": "P-256", "kid": self.kid, "x": number64(numbers.x, 32),
                    "y": number64(numbers.y, 32)}
        return {"kty": "RSA", "kid": self.kid, "alg": self.alg, "n": number64(numbers.n, 256), "e": "AQAB"}

    def sign(self, octets):
        if self.alg == "RS256":
            return self.key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
        pair = utils.decode_dss_signature(self.key.sign(octets, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(32, "big") for number in pair)


class Issuer:
    """Keys at /jwks, introspection at /ask. WORD: what it says of opaque tokens. It may go away, and come again."""

    def __init__(self):
        self.keys = [Key("r", "RS256"), Key("e", "ES256")]
        self.word = {}
        self.asked = []
        self.port = free_port()
        self.server = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, code, body):
                octets = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            def do_GET(self):
                issuer.asked.append(self.path)
                self.answer(200, {"keys": [key.jwk() for key in issuer.keys]})

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                issuer.asked.append((self.path, self.headers.get("Authorization"), form))
                expected = "Basic " + base64.b64encode(b"veredus:s+%2F").decode()
                if self.headers.get("Authorization") != expected:
                    self.answer(401, {"error": "invalid_client"})
                else:
                    self.answer(200, issuer.word.get(form["token"][0], {"active": False}))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    def token(self, key=0, **claims):
        key = self.keys[key] if isinstance(key, int) else key
        claims = {"iss": self.url, "aud": "mail", "exp": int(time.time()) + 300, "email": ACCOUNT, **claims}
        said = url64({"alg": key.alg, "kid": key.kid}) + "." + url64(claims)
        return said + "." + url64(key.sign(said.encode()))


@pytest.fixture
def issuer():
    made = Issuer()
    yield made
    made.stop()


@pytest.fixture
def serve(make_server, tmp_path, issuer):
    def make(what):
        ports, certificate = Ports(), Certificate(tmp_path)
        what = what.replace("SECRET", f"file:{tmp_path}/secret")
        (tmp_path / "secret").write_text("s /\n", encoding="ascii")
        server = make_server(start=False, top=f"tls {{ {certificate.directive} }}"
                                              f"oauth company {{ issuer {issuer.url}; audience mail; {what} }}"
                                              f"listen 127.0.0.1:{ports.tls} submission tls {{ auth oauth:company; }}")
        server.ports = ports
        return server.start()
    return make


@pytest.fixture
def server(serve, issuer):
    return serve(f"keys {issuer.url}/jwks;")


def opened(server):
    wire = Secure(server.ports.tls)
    wire.hello = wire.ehlo()
    return wire


def bearer(wire, token, user="", mechanism="OAUTHBEARER"):
    if mechanism == "XOAUTH2":
        text = f"user={user or ACCOUNT}\1auth=Bearer {token}\1\1"
    else:
        text = f"n,{'a=' + user if user else ''},\1auth=Bearer {token}\1\1"
    return wire.cmd(f"AUTH {mechanism} " + base64.b64encode(text.encode()).decode())


def refusal(wire, reply):
    """What a refused token is told: a challenge first, 535 after whatever is said to it."""
    assert reply == 334
    said = json.loads(base64.b64decode(reply.text))
    reply = wire.cmd(base64.b64encode(b"\1").decode())
    assert reply == 535 and reply.status == "5.7.8"
    return said


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize("key", [0, 1])
def test_a_token_logs_in(server, issuer, mechanism, key):
    with opened(server) as wire:
        assert words(wire.hello)["AUTH"] == ["OAUTHBEARER", "XOAUTH2"]
        token = issuer.token(key)
        assert bearer(wire, token, ACCOUNT, mechanism) == 235
        record = server.wait_record("auth")
        assert record["account"] == ACCOUNT and record["mechanism"] == mechanism
        assert wire.transaction(b"Subject: x\r\n\r\ny\r\n", sender=ACCOUNT, to="bob@example.test") == 250
    assert token not in server.log_text() and token[-40:] not in server.log_text()


def test_keys_are_fetched_once(server, issuer):
    for _ in range(6):
        with opened(server) as wire:
            assert bearer(wire, issuer.token()) == 235
    assert 1 <= issuer.asked.count("/jwks") <= len(server.workers()["auth"])


def test_a_refused_token_is_a_challenge_and_535_C122(server, issuer):
    with opened(server) as wire:
        for mechanism, said in [("OAUTHBEARER", "invalid_token"), ("XOAUTH2", "401")]:
            for claims in [{"aud": "web"}, {"exp": int(time.time()) - 3600}, {"iss": "http://127.0.0.1:1"},
                           {"email": None},
                           {"email": "eve@example.net"}]:
                reply = bearer(wire, issuer.token(**claims), mechanism=mechanism)
                assert refusal(wire, reply)["status"] == said, claims
        assert refusal(wire, bearer(wire, issuer.token(), "bob@example.test"))
        assert refusal(wire, bearer(wire, issuer.token(Key("r", "RS256"))))
        assert bearer(wire, issuer.token()) == 235


def test_keys_that_were_rotated_are_fetched(server, issuer):
    new = Key("new", "ES256")
    with opened(server) as wire:
        assert bearer(wire, issuer.token()) == 235
    issuer.keys.append(new)
    with opened(server) as wire:
        assert bearer(wire, issuer.token(new)) == 235


def test_an_issuer_that_is_down_is_454_and_comes_again(server, issuer):
    server.expect("table")
    issuer.stop()
    with opened(server) as wire:
        reply = bearer(wire, issuer.token())
        assert reply == 454 and reply.status == "4.7.0"
        issuer.start()
        until(lambda: bearer(wire, issuer.token()) == 235, "an issuer that answers")
    failing = [r for r in server.records("table") if r.get("table") == issuer.url + "/jwks"]
    assert failing and failing[0]["state"] == "failing"


def test_keys_outlive_their_issuer(server, issuer):
    for _ in range(2 * len(server.workers()["auth"])):
        with opened(server) as wire:
            assert bearer(wire, issuer.token()) == 235
    token, unknown = issuer.token(), issuer.token(Key("new", "ES256"))
    issuer.stop()
    with opened(server) as wire:
        assert bearer(wire, unknown) == 454
        assert bearer(wire, token) == 235


def test_the_issuer_is_asked_of_a_token_that_has_no_signature(serve, issuer):
    server = serve(f"introspection {issuer.url}/ask veredus SECRET;")
    issuer.word = {OPAQUE: {"active": True, "aud": "mail", "email": ACCOUNT},
                   OPAQUE + "-web": {"active": True, "aud": "web", "email": ACCOUNT},
                   OPAQUE + "-old": {"active": True, "aud": "mail", "email": ACCOUNT, "exp": 1}}
    for _ in range(3):
        with opened(server) as wire:
            assert bearer(wire, OPAQUE) == 235
    assert 1 <= len(issuer.asked) <= len(server.workers()["auth"])
    assert issuer.asked[0][2] == {"token": [OPAQUE], "token_type_hint": ["access_token"]}
    with opened(server) as wire:
        for token in [OPAQUE + "-web", OPAQUE + "-old", "unheard-of"]:
            assert refusal(wire, bearer(wire, token))
        server.expect("table")
        issuer.stop()
        assert bearer(wire, "something-new") == 454
    assert OPAQUE not in server.log_text()


def test_with_keys_and_introspection_each_has_its_tokens(serve, issuer):
    server = serve(f"keys {issuer.url}/jwks; introspection {issuer.url}/ask veredus SECRET;")
    issuer.word = {OPAQUE: {"active": True, "aud": ["mail"], "email": ACCOUNT}}
    with opened(server) as wire:
        assert bearer(wire, issuer.token()) == 235
    assert issuer.asked == ["/jwks"]
    with opened(server) as wire:
        assert bearer(wire, OPAQUE) == 235
