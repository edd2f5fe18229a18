"""Log-ins at next hops: with which mechanism, inside verified TLS alone, and never a password where it does not belong."""
import base64
import hashlib
import hmac
import os
import ssl

import pytest

from harness import until
from scripted_peer import OFFERS
from test_tls_client import HOST, LETTER, folder, world  # noqa: F401  (fixtures)
from tls_peer import TlsPeer, context_of

SECRET = "tea, and bis=cuits"


def plain(conversation, mechanism, initial):
    right = mechanism == "PLAIN" and initial == b"\0anna\0" + SECRET.encode()
    return "235 2.7.0 welcome" if right else "535 5.7.8 user name or password is wrong"


def two_questions(conversation, mechanism, initial):
    assert mechanism == "LOGIN" and initial is None
    name, password = conversation.challenge(b"Username:"), conversation.challenge(b"Password:")
    return "235 2.7.0 welcome" if (name, password) == (b"anna", SECRET.encode()) else "535 5.7.8 no"


def bearer(conversation, mechanism, initial):
    want = b"n,a=anna,\1host=" + HOST.encode() + b"\1port=%d\1auth=Bearer ey.J-0~x\1\1" % conversation.peer.port
    if mechanism == "OAUTHBEARER" and initial == want:
        return "235 2.7.0 welcome"
    assert conversation.challenge(b'{"status":"invalid_token"}') == b"\1"
    return "535 5.7.8 not with that"


def scram(iterations=4096, proves=True, flag=None, early=False):
    """The host's side of SCRAM-SHA-256 (RFC 5802 3, 7677)."""
    def login(conversation, mechanism, initial):
        header, first = initial.split(b",,", 1)
        conversation.flag = header
        if flag and header != flag:
            return "535 5.7.8 the binding was expected to be " + flag.decode()
        binding = b""
        if mechanism.endswith("-PLUS"):
            assert header == b"p=tls-unique", header
            binding = conversation.client.get_channel_binding("tls-unique")
        nonce = dict(part.split(b"=", 1) for part in first.split(b","))[b"r"] + b"host"
        salt = os.urandom(16)
        second = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt), iterations)
        if early:
            return "235 2.7.0 welcome, whoever you are"
        final = conversation.challenge(second)
        if final is None:
            return None
        without, _, proof = final.rpartition(b",p=")
        if without != b"c=" + base64.b64encode(header + b",," + binding) + b",r=" + nonce:
            return "535 5.7.8 another binding or nonce"
        salted = hashlib.pbkdf2_hmac("sha256", SECRET.encode(), salt, iterations)
        client = hmac.digest(salted, b"Client Key", "sha256")
        stored = hashlib.sha256(client).digest()
        text = first + b"," + second + b"," + without
        signature = hmac.digest(stored, text, "sha256")
        if bytes(a ^ b for a, b in zip(client, signature)) != base64.b64decode(proof):
            return "535 5.7.8 no"
        server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), text, "sha256")
        if not proves:
            server = bytes(32)
        answer = conversation.challenge(b"v=" + base64.b64encode(server))
        return None if answer is None else "235 2.7.0 welcome"
    return login


class Smart:
    """A smart host, and a route to it with a log-in."""

    def __init__(self, world):
        self.world = world
        self.n = 0

    def peer(self, mechanisms, login, options="", secret=SECRET, pair=None, context=None, name="anna", peers=1, **kinds):
        """Returns its domain, and the peer or the peers."""
        self.n += 1
        domain = f"smart{self.n}.test"
        path = self.path(domain)
        if secret is not None:
            path.write_text(secret + "\nand a second line\n")
            path.chmod(0o644)
        made = []
        for _ in range(peers):
            peer = TlsPeer(context or context_of(pair or self.world.ca.issue(HOST)), login=login,
                           secure_offers=(f"AUTH {mechanisms}", *OFFERS) if mechanisms else OFFERS, **kinds)
            self.world.peers.append(peer)
            made.append(peer)
        self.world.route(domain, f"login {name} file:{path}; tls-ca {self.world.ca.path}; {options}", *made)
        return domain, made[0] if peers == 1 else made

    def path(self, domain):
        return self.world.anchor.parent / f"secret-{domain}"

    def refused(self, domain, words, status="4.7.0", reason="auth", stage="auth"):
        record = self.world.outcome(domain)
        assert (record["event"], record["reason"], record["stage"], record["status"]) == ("defer", reason, stage, status), record
        assert words in record.get("error", record.get("reply", "")), record
        return record


@pytest.fixture
def smart(world):  # noqa: F811
    return Smart(world)


def assert_no_secret(world):  # noqa: F811
    text = world.server.log_text()
    for form in (SECRET, base64.b64encode(SECRET.encode()).decode(), base64.b64encode(b"\0anna\0" + SECRET.encode()).decode()):
        assert form not in text


def test_the_strongest_mechanism_that_is_offered_is_used(smart):
    hosts = [smart.peer("PLAIN", plain), smart.peer("LOGIN", two_questions), smart.peer("LOGIN PLAIN", plain),
             smart.peer("plain login scram-sha-256", scram()), smart.peer("OAUTHBEARER PLAIN", plain),
             smart.peer("OAUTHBEARER PLAIN XOAUTH2", bearer, secret="Bearer ey.J-0~x"),
             smart.peer("OAUTHBEARER", bearer, secret="ey.J-0~x")]
    smart.world.start()
    for domain, peer in hosts:
        assert smart.world.delivered(domain)["tls"] == "TLSv1.3"
        # C118: nobody vouches for the sender.
        assert peer.said("MAIL")[0].endswith(" AUTH=<>")
    assert_no_secret(smart.world)


def test_C121_SCRAM_is_bound_to_the_channel_where_it_can_be(smart):
    old = ssl.TLSVersion.TLSv1_2
    context = context_of(smart.world.ca.issue(HOST), maximum=old)
    bound = smart.peer("SCRAM-SHA-256 SCRAM-SHA-256-PLUS PLAIN", scram(flag=b"p=tls-unique"), context=context)
    # RFC 5802 6: who does offer it, and sees that somebody took it out of EHLO, refuses.
    bare = smart.peer("SCRAM-SHA-256 PLAIN", scram(flag=b"y"), context=context)
    smart.world.start()
    assert smart.world.delivered(bound[0])["tls"] == "TLSv1.2"
    assert smart.world.delivered(bare[0])["tls"] == "TLSv1.2"


def test_C114_a_wrong_password_puts_mail_off_and_is_said_once(smart):
    domain, (first, second) = smart.peer("PLAIN", plain, secret="cofee", peers=2)
    smart.world.start()
    smart.refused(domain, "user name or password is wrong", "4.7.8")
    # It would be as wrong elsewhere, and perhaps lock the account.
    assert len(first.said("AUTH")) == 1 and not second.conversations
    assert "cofee" not in smart.world.server.log_text()


def test_no_password_without_verified_TLS(smart):
    stripped, a = smart.peer("PLAIN", plain, offers=(f"AUTH PLAIN", *OFFERS))
    untrusted, b = smart.peer("PLAIN", plain, pair=smart.world.other_ca.issue(HOST))
    named, c = smart.peer("PLAIN", plain, pair=smart.world.ca.issue("elsewhere.test"))
    pair = smart.world.ca.issue("x.test", days=-1)
    known, d = smart.peer("PLAIN", plain, options=f"tls-level fingerprint sha256:{pair.fingerprint()};", pair=pair)
    smart.world.start()
    smart.refused(stripped, "does not offer TLS", "4.7.4", "tls", "tls")
    smart.refused(untrusted, "no CA that is trusted", "4.7.5", "tls", "tls")
    smart.refused(named, "not for mx.peer.test", "4.7.5", "tls", "tls")
    assert smart.world.delivered(known)["tls"] == "TLSv1.3"
    assert not (a.said("AUTH") or b.said("AUTH") or c.said("AUTH"))


def test_hosts_that_do_not_keep_to_the_exchange(smart):
    cases = [
        (smart.peer("SCRAM-SHA-256", scram(proves=False)), "the host does not know the password", "4.7.0"),
        (smart.peer("SCRAM-SHA-256", scram(early=True)), "has not proven", "4.7.0"),
        (smart.peer("SCRAM-SHA-256", scram(iterations=10 ** 9)), "iterations", "4.7.0"),
        (smart.peer("CRAM-MD5 GSSAPI", plain), "none of the mechanisms", "4.7.0"),
        (smart.peer("", plain), "does not offer to log in", "4.7.4"),
        (smart.peer("PLAIN", lambda *_: "334 !!!"), "not one line of base64", "4.5.0"),
        (smart.peer("PLAIN", lambda *_: "454 4.7.0 not now"), "not now", "4.7.0"),
        (smart.peer("PLAIN", lambda c, m, i: "535 5.7.8 no: " + i.decode().split("\0")[2]), "repeats the secret", "4.7.8"),
        (smart.peer("PLAIN", lambda c, m, i: "535 5.7.8 no: " + base64.b64encode(i).decode()), "repeats the secret", "4.7.8"),
    ]
    smart.world.start()
    for (domain, peer), words, status in cases:
        smart.refused(domain, words, status)
        assert not peer.said("MAIL")
    assert_no_secret(smart.world)


def test_hosts_that_have_us_reckon_for_long_are_logged_in_to_beside_others(smart):
    """Each with another salt; that they are reckoned in turn, step by step, tests/unit/send/salting_test.c counts."""
    slow = [smart.peer("SCRAM-SHA-256", scram(iterations=200000)) for _ in range(3)]
    quick, plainly = smart.peer("SCRAM-SHA-256", scram()), smart.peer("PLAIN", plain)
    server = smart.world.start()
    for domain, _ in (*slow, quick, plainly):
        assert server.send(LETTER, to=f"kim@{domain}") == 250
    for domain, peer in (*slow, quick, plainly):
        until(lambda domain=domain: server.records("deliver", to=f"kim@{domain}"), f"the delivery to {domain}")
        assert len(peer.said("AUTH")) == 1
    assert_no_secret(smart.world)


def test_a_secret_is_its_files_first_line_and_counts_from_the_next_connection_on(smart):
    domain, peer = smart.peer("PLAIN", plain, options="retry 1s; dead-host 1s;", secret=None)
    server = smart.world.start()
    server.expect("config")
    smart.refused(domain, "No such file")
    path = smart.path(domain)
    path.write_text(SECRET + "\r\nmore\n")
    path.chmod(0o644)
    until(lambda: server.records("deliver", to=f"kim@{domain}"), "the delivery")
    assert_no_secret(smart.world)


def test_a_secret_may_be_a_variable_and_an_empty_name_is_no_login(smart, monkeypatch):
    monkeypatch.setenv("RELAY_SECRET", SECRET)
    domain, peer = smart.peer("PLAIN", plain)
    smart.world.routes[-1] = smart.world.routes[-1].replace(f"file:{smart.path(domain)}", "env:RELAY_SECRET")
    nobody, other = smart.peer("PLAIN", plain, name='""')
    smart.world.start()
    smart.world.delivered(domain)
    smart.world.delivered(nobody)
    assert peer.said("AUTH") and not other.said("AUTH")
    assert LETTER in other.messages[0][2]


def test_dialogues_are_shown_without_what_the_log_in_says(smart):
    import subprocess
    from harness import PROGRAM
    domain, peer = smart.peer("LOGIN PLAIN", plain)
    server = smart.world.start()
    live = subprocess.Popen([PROGRAM, "-c", server.path("veredus.conf"), "trace", "--live", f"kim@{domain}"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    with live:
        smart.world.delivered(domain)
        live.terminate()
        shown = live.communicate(timeout=20)[0].decode()
    assert SECRET not in shown and base64.b64encode(b"\0anna\0" + SECRET.encode()).decode() not in shown


def test_no_connection_is_shared_by_those_who_log_in_otherwise_or_demand_otherwise(smart):
    """The same host for all: each route has its own credentials, each site its own demands, and each its own connections."""
    world = smart.world  # noqa: F811
    said = []

    def login(conversation, mechanism, initial):
        conversation.who = initial.split(b"\0")[1:]
        said.append(conversation.who)
        return "235 2.7.0 welcome"

    peer = TlsPeer(context_of(world.ca.issue(HOST)), login=login, secure_offers=("AUTH PLAIN", *OFFERS))
    world.peers.append(peer)
    for name in ("anna", "ben"):
        path = smart.path(name)
        path.write_text(f"of {name}\n")
        path.chmod(0o644)
        world.route(f"{name}.test", f"login {name} file:{path}; tls-ca {world.ca.path}; connections 1;", peer)
    world.route("may.test sure.test", f"tls-ca {world.ca.path}; connections 1;", peer)
    server = world.start("site sure { domains sure.test; tls-level verify; }")
    first = {}
    for domain in ("may.test", "anna.test", "sure.test", "ben.test", "may.test", "anna.test", "sure.test", "ben.test"):
        # Each goes to somebody else, so that no outcome is another's.
        to = f"kim{len(first)}@{domain}" if domain not in first else f"again@{domain}"
        assert server.send(LETTER, to=to) == 250
        until(lambda to=to: server.records("deliver", to=to), f"the delivery to {to}")
        first.setdefault(domain, to)
    by = {}
    for conversation in peer.conversations:
        for line in conversation.lines:
            if line.startswith("RCPT"):
                domain = line[line.index("@") + 1:line.index(">")]
                by.setdefault(domain, set()).add(id(conversation))
                assert getattr(conversation, "who", None) == {"anna.test": [b"anna", b"of anna"],
                                                             "ben.test": [b"ben", b"of ben"]}.get(domain), line
    # Each was kept for its second message, and was for nobody else.
    assert all(len(connections) == 1 for connections in by.values()), by
    assert len(set().union(*by.values())) == 4
