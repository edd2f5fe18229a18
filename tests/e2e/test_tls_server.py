"""TLS on our listeners: STARTTLS and implicit (RFC 3207, 8314, 9325), certificates, and the process that signs."""
import os
import re
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from harness import WAIT, until
from secure import HYBRID, Certificate, Ports, Records, Secure, context, needs_hybrid, starttls, words

MESSAGE = b"Subject: x\r\n\r\ny\r\n"


@pytest.fixture
def certificate(tmp_path):
    return Certificate(tmp_path)


@pytest.fixture
def server(make_server, certificate):
    ports = Ports()
    made = make_server(top=f"tls {{ {certificate.directive} }} listen 127.0.0.1:{ports.tls} submission tls;")
    made.ports = ports
    return made


def worker(server, name):
    return server.workers()[name][0]


# ---- STARTTLS ----

def test_starttls_begins_a_new_session_C096_C097_C106(server, certificate):
    with Secure(server.port, context(certificate), starttls=True) as wire:
        assert "STARTTLS" in words(wire.hello)
        assert wire.cmd("MAIL FROM:<a@example.net>") == 503
        assert "STARTTLS" not in words(wire.ehlo())
        assert wire.cmd("STARTTLS") == 503
        assert wire.transaction(MESSAGE) == 250
    accept = server.wait_record("accept")
    assert accept["protocol"] == "ESMTPS" and accept["tls"] == wire_version(server)
    message = server.wait_mail("ada")[0]
    assert b" with ESMTPS id " in message
    assert server.wait_record("disconnect")["tls"].startswith("TLSv1.")


def wire_version(server):
    return server.records("tls")[0]["version"]


def test_starttls_takes_no_argument_C096(server):
    with server.wire() as wire:
        wire.ehlo()
        assert wire.cmd("STARTTLS now") == 501
        assert wire.cmd("NOOP") == 250


def test_what_follows_starttls_in_clear_is_never_said_C098(server):
    wire = server.wire()
    wire.ehlo()
    wire.send("STARTTLS\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<ada@example.test>\r\n")
    assert wire.reply() == 220
    tls = Records(wire.socket, context()).handshake()
    tls.write(b"NOOP\r\n")
    assert tls.read_until(b"\r\n").startswith(b"250 ")
    tls.write(b"RCPT TO:<ada@example.test>\r\n")
    assert tls.read_until(b"\r\n").startswith(b"503 ")
    wire.close()


def test_without_a_certificate_there_is_no_starttls(make_server):
    with make_server().wire() as wire:
        assert "STARTTLS" not in words(wire.ehlo())
        assert wire.cmd("STARTTLS") == 502


def test_tls_can_be_required_of_everyone_C099_C100(make_server, certificate):
    server = make_server(top=f"tls {{ {certificate.directive} }}", listen="require tls;")
    with server.wire() as wire:
        wire.ehlo()
        for command in ["MAIL FROM:<a@example.net>", "VRFY ada@example.test"]:
            reply = wire.cmd(command)
            assert reply == 530 and reply.status == "5.7.0"
        assert wire.cmd("NOOP") == 250
        assert wire.cmd("STARTTLS") == 220
    assert server.wait_record("reject", stage="mail")["reason"] == "tls"
    with Secure(server.port, starttls=True) as wire:
        wire.ehlo()
        assert wire.transaction(MESSAGE) == 250


# ---- what is negotiated ----

def test_only_versions_of_today_C101(server):
    with Secure(server.ports.tls) as wire:
        assert wire.socket.version() == "TLSv1.3"
    with Secure(server.ports.tls, context(maximum_version=ssl.TLSVersion.TLSv1_2)) as wire:
        assert wire.socket.version() == "TLSv1.2"
    old = context(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Secure(server.ports.tls, old)
    failed = server.wait_record("tls_fail")
    assert failed["client"] == "127.0.0.1" and failed["listener"] == f"submission-{server.ports.tls}"
    assert "protocol" in failed["error"] or "version" in failed["error"]


def test_no_ciphers_without_forward_secrecy_C102(make_server, tmp_path):
    certificate = Certificate(tmp_path, kind="rsa")
    server = make_server(top=f"tls {{ {certificate.directive} }}")
    for ciphers in ["kRSA", "DHE"]:
        ctx = context(maximum_version=ssl.TLSVersion.TLSv1_2)
        ctx.set_ciphers(ciphers)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Secure(server.port, ctx, starttls=True)
    until(lambda: len(server.records("tls_fail")) == 2, "both failures in the log")
    with Secure(server.port, context(certificate, maximum_version=ssl.TLSVersion.TLSv1_2), starttls=True) as wire:
        assert wire.ehlo() == 250


def s_client(port, *arguments, text=b"QUIT\r\n"):
    done = subprocess.run(["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{port}", *arguments],
                          input=text, capture_output=True, timeout=WAIT, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


def test_no_sha1_signatures_C103(server):
    said = s_client(server.port, "-tls1_2", "-cipher", "DEFAULT:@SECLEVEL=0", "-sigalgs", "ECDSA+SHA1:RSA+SHA1")
    assert "handshake failure" in said or "no shared" in said or "internal error" in said
    server.wait_record("tls_fail")


def test_a_client_may_know_any_one_group_of_ours(server):
    """RFC 9325 4.2.1. Below 1.3 the certificate's curve has to be among them (RFC 8422 5.1)."""
    for groups in ["X25519", "P-256", "P-384", "P-521", "X25519:P-256"]:
        for version in ["-tls1_3", "-tls1_2"] if "P-256" in groups else ["-tls1_3"]:
            said = s_client(server.port, version, "-groups", groups)
            assert "Cipher is TLS_" in said or "Cipher is ECDHE-" in said, (groups, said)
    assert not server.records("tls_fail")


def test_a_hybrid_is_agreed_with_whoever_knows_it(server):
    """docs/adr/0028: as the client's own first choice, alone, and where it is only known and has to be asked for."""
    needs_hybrid()
    for groups in [[], ["-groups", HYBRID], ["-groups", f"*X25519/{HYBRID}"], ["-groups", f"P-256:{HYBRID}:X25519"]]:
        said = s_client(server.port, *groups)
        assert f"Negotiated TLS1.3 group: {HYBRID}" in said, (groups, said)
    assert f"Negotiated TLS1.3 group: {HYBRID}" not in s_client(server.port, "-groups", "X25519:P-256")
    until(lambda: len(server.records("tls")) == 5, "a record of each")
    assert not server.records("tls_fail")


def test_renegotiation_is_refused(server):
    said = s_client(server.port, "-tls1_2", text=b"R\n")
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said or "unexpected eof" in said or "error" in said.split("RENEGOTIATING")[1]
    with server.wire() as wire:
        assert wire.ehlo() == 250


def test_alpn_smtp_or_none(server):
    ctx = context()
    ctx.set_alpn_protocols(["smtp"])
    with Secure(server.ports.tls, ctx) as wire:
        assert wire.socket.selected_alpn_protocol() == "smtp"
    ctx = context()
    ctx.set_alpn_protocols(["http/1.1", "h2"])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Secure(server.ports.tls, ctx)
    server.wait_record("tls_fail")
    with Secure(server.ports.tls) as wire:
        assert wire.socket.selected_alpn_protocol() is None


def test_tickets_on_submission_and_none_for_strangers(server):
    ctx = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with Secure(server.ports.tls, ctx) as wire:
        session = wire.socket.session
        assert not wire.socket.session_reused and session.has_ticket
    with Secure(server.ports.tls, ctx, session=session) as wire:
        assert wire.socket.session_reused
    assert server.wait_record("tls", resumed=True)
    with Secure(server.port, ctx, starttls=True) as wire:
        assert not wire.socket.session.has_ticket


# ---- certificates ----

def shown_to_new(server):
    with Secure(server.port, starttls=True) as wire:
        return wire.der()


def test_names_choose_the_certificate_and_the_first_serves_everyone_else_C104(make_server, tmp_path):
    first = Certificate(tmp_path, "first", hosts=["mail.example.test", "mx.example.test"])
    second = Certificate(tmp_path, "second", hosts=["*.other.test"])
    server = make_server(top=f"tls {{ {first.directive} {second.directive} }}")
    for name, shown in [("mail.example.test", first), ("MX.example.test", first), ("a.other.test", second),
                        ("a.b.other.test", first), ("nobody.test", first), (None, first)]:
        with Secure(server.port, name=name, starttls=True) as wire:
            assert wire.der() == shown.der(), name


def test_a_certificate_is_replaced_under_a_session(server, certificate):
    former = certificate.der()
    with Secure(server.port, starttls=True) as wire:
        assert wire.der() == former
        before = len(server.records("certificate", state="loaded"))
        certificate.make()
        until(lambda: len(server.records("certificate", state="loaded")) > before, "the new certificate")
        assert wire.ehlo() == 250
        assert wire.transaction(MESSAGE) == 250
    until(lambda: shown_to_new(server) == certificate.der(), "a handshake with the new certificate")


def test_a_pair_that_does_not_fit_changes_nothing(server, certificate, tmp_path):
    former = certificate.der()
    certificate.make(key=os.path.join(tmp_path, "elsewhere.key"))
    kept = server.wait_record("certificate", state="kept")
    assert kept["error"]
    with Secure(server.port, starttls=True) as wire:
        assert wire.der() == former
        assert wire.ehlo() == 250


def test_a_certificate_that_is_missing_closes_only_what_needs_it(make_server, tmp_path):
    ports, certificate = Ports(), Certificate(tmp_path)
    os.rename(certificate.chain, certificate.chain + ".away")
    server = make_server(top=f"tls {{ {certificate.directive} }} listen 127.0.0.1:{ports.tls} submission tls;")
    server.expect("certificate")
    assert server.send(MESSAGE) == 250
    with server.wire() as wire:
        assert "STARTTLS" not in words(wire.ehlo())
        assert wire.cmd("STARTTLS") == 454
    server.wait_record("certificate", state="missing", listener=f"submission-{ports.tls}")
    with socket.create_connection(("127.0.0.1", ports.tls), WAIT) as waiting:
        os.rename(certificate.chain + ".away", certificate.chain)
        tls = Records(waiting, context(certificate)).handshake()
        assert tls.read_until(b"\r\n").startswith(b"220 ")
    with Secure(server.port, context(certificate), starttls=True) as wire:
        assert wire.ehlo() == 250


def test_a_client_ca_that_is_missing_leaves_only_TLS_out(make_server, tmp_path, certificate):
    ports, path = Ports(), os.path.join(tmp_path, "ca.crt")
    server = make_server(top=f"tls {{ {certificate.directive} client-certificates require; client-ca {path}; }}"
                             f"listen 127.0.0.1:{ports.tls} submission tls;")
    server.expect("certificate")
    assert server.wait_record("certificate", state="missing", file=path)["level"] == "error"
    with server.wire() as wire:
        wire.ehlo()
        assert wire.cmd("STARTTLS") == 454
        assert wire.transaction(MESSAGE) == 250
    with socket.create_connection(("127.0.0.1", ports.tls), WAIT) as waiting:
        ca = Certificate(tmp_path, "made", hosts=["ca.example.test"], ca=True)
        client = Certificate(tmp_path, "client", hosts=["client.example.test"], issuer=ca)
        os.rename(ca.chain, path)
        tls = Records(waiting, context(client=client)).handshake()
        assert tls.read_until(b"\r\n").startswith(b"220 ")
    with pytest.raises((OSError, EOFError)):
        Secure(ports.tls)
    assert "certificate" in server.wait_record("tls_fail")["error"]


def test_a_client_certificate_may_relay(make_server, tmp_path, certificate):
    client = Certificate(tmp_path, "client", hosts=["relay.example.net"])
    stranger = Certificate(tmp_path, "stranger", hosts=["relay.example.net"])
    server = make_server(top=f"tls {{ {certificate.directive} client-certificates ask; }} route * hold;",
                         listen=f"relay-from certificate:{client.fingerprint()};")
    for shown, code in [(client, 250), (stranger, 550), (None, 550)]:
        with Secure(server.port, context(client=shown), starttls=True) as wire:
            wire.ehlo()
            assert wire.cmd("MAIL FROM:<a@example.net>") == 250
            assert wire.cmd("RCPT TO:<b@elsewhere.test>") == code


# ---- the process that signs ----

def begin(port, ctx):
    """A handshake in a thread of its own; join() and look at what it is."""
    result = []

    def shake():
        try:
            with Secure(port, ctx) as wire:
                result.append(wire.greeting)
        except (OSError, EOFError) as error:
            result.append(error)
    thread = threading.Thread(target=shake)
    thread.start()
    return thread, result


def test_a_key_process_that_stands_still_stops_nobody_else(server):
    with Secure(server.ports.tls) as going, server.wire() as clear:
        key = worker(server, "key")
        os.kill(key, signal.SIGSTOP)
        try:
            thread, result = begin(server.ports.tls, context())
            with socket.create_connection(("127.0.0.1", server.ports.tls), WAIT):
                assert going.ehlo() == 250
                clear.ehlo()
                assert clear.transaction(MESSAGE) == 250
            assert not result
        finally:
            os.kill(key, signal.SIGCONT)
        thread.join(WAIT)
        assert result[0] == 220


def test_a_new_receive_process_has_its_certificates(server):
    server.expect("process")
    before = worker(server, "receive")
    os.kill(before, signal.SIGKILL)
    until(lambda: server.workers().get("receive", [before]) != [before], "another receive process")
    with Secure(server.port, starttls=True) as wire:
        assert wire.ehlo() == 250


def test_a_new_key_process_signs_what_the_dead_one_was_asked(server):
    server.expect("process")
    # The listener has its certificate, or nobody is taken there.
    Secure(server.ports.tls).close()
    server.wait_record("disconnect", listener=f"submission-{server.ports.tls}")
    key = worker(server, "key")
    os.kill(key, signal.SIGSTOP)
    thread, result = begin(server.ports.tls, context())
    until(lambda: len(server.records("connect", listener=f"submission-{server.ports.tls}")) == 2, "the connection")
    os.kill(key, signal.SIGKILL)
    thread.join(WAIT)
    assert result[0] == 220
    with Secure(server.port, starttls=True) as wire:
        assert wire.ehlo() == 250


def memory_of(pid):
    """Octets of every mapping that can be read."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if not found or "[v" in line:
                continue
            start, end = (int(x, 16) for x in found.groups())
            # A sanitizer's shadow is as large as all there could be.
            if end - start > 1 << 30:
                continue
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except (OSError, ValueError):
                pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root may look into the memory of processes")
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_no_process_but_key_has_the_private_key(make_server, tmp_path, kind):
    ports, certificate = Ports(), Certificate(tmp_path, kind=kind)
    server = make_server(top=f"tls {{ {certificate.directive} }} listen 127.0.0.1:{ports.tls} submission tls;")
    for _ in range(5):
        with Secure(server.port, starttls=True) as wire:
            wire.ehlo()
        Secure(ports.tls).close()
    pieces = certificate.secrets()
    has = {name for name, pids in [("main", [server.process.pid]), *server.workers().items()] for pid in pids
           for octets in memory_of(pid) if any(piece in octets for piece in pieces)}
    assert has == {"key"}


# ---- strange clients ----

def test_one_octet_at_a_time(server):
    plain = socket.create_connection(("127.0.0.1", server.ports.tls), WAIT)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def drip(octets):
        for i in range(len(octets)):
            plain.sendall(octets[i:i + 1])
    tls = Records(plain, context(), send=drip).handshake()
    assert tls.read_until(b"\r\n").startswith(b"220 ")
    tls.write(b"NOOP\r\n")
    assert tls.read_until(b"\r\n").startswith(b"250 ")
    plain.close()


def test_one_octet_in_each_record(server):
    with Secure(server.port, starttls=True) as wire:
        for octet in b"EHLO client.example.test\r\nMAIL FROM:<a@example.net>\r\n":
            wire.send(bytes([octet]))
        assert wire.reply() == 250
        assert wire.reply() == 250


def test_many_records_in_one_segment(server):
    """Of what TLS has read ahead no descriptor tells."""
    tls = Records(starttls(server.port), context()).handshake()
    for line in [b"EHLO client.example.test\r\n"] + [b"NOOP\r\n"] * 500 + [b"QUIT\r\n"]:
        tls.tls.write(line)
    tls.flush()
    said = tls.read_until(b"221 ")
    assert said.count(b"250 2.0.0") == 500


def test_large_content_comes_whole(server):
    content = b"Subject: large\r\n\r\n" + b"".join(b"%060d\r\n" % i for i in range(40000))
    with Secure(server.port, starttls=True) as wire:
        wire.ehlo()
        assert wire.transaction(content) == 250
    assert content in server.wait_mail("ada")[0].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_commands_at_the_end_of_the_handshake_are_heard(server):
    """They come in the segment of the client's Finished."""
    plain = starttls(server.port)
    held = []
    tls = Records(plain, context(), send=held.append)
    while True:
        try:
            tls.tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            tls.flush()
            plain.sendall(b"".join(held))
            held.clear()
            tls.incoming.write(plain.recv(65536))
    tls.tls.write(b"EHLO client.example.test\r\n")
    tls.flush()
    plain.sendall(b"".join(held))
    assert tls.read_until(b"250 HELP\r\n")


def test_a_record_that_is_cut_off_ends_that_session_alone(server):
    tls = Records(starttls(server.port), context()).handshake()
    tls.tls.write(b"EHLO client.example.test\r\n")
    octets = tls.outgoing.read()
    tls.plain.sendall(octets[:-5])
    tls.plain.close()
    assert server.wait_record("disconnect")["reason"] == "lost"
    with Secure(server.port, starttls=True) as wire:
        assert wire.ehlo() == 250


def test_a_record_that_was_changed_ends_that_session(server):
    tls = Records(starttls(server.port), context()).handshake()
    tls.tls.write(b"EHLO client.example.test\r\n")
    octets = tls.outgoing.read()
    tls.plain.sendall(octets[:-1] + bytes([octets[-1] ^ 1]))
    assert server.wait_record("tls_fail")["error"]
    assert server.wait_record("disconnect")["reason"] == "lost"


def test_what_a_client_said_before_its_end_is_answered(server):
    """It says its end (close_notify) behind its commands and goes on listening (RFC 8446 6.1)."""
    tls = Records(starttls(server.port), context()).handshake()
    tls.tls.write(b"EHLO client.example.test\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<ada@example.test>\r\n")
    with pytest.raises(ssl.SSLWantReadError):
        tls.tls.unwrap()
    tls.flush()
    assert tls.read_until(b"250 2.1.5").count(b"\r\n") > 5
    assert server.wait_record("disconnect")["reason"] == "lost"


def test_no_hello_is_no_handshake(server):
    for octets in [b"EHLO client.example.test\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 100, b"\0" * 100]:
        with socket.create_connection(("127.0.0.1", server.ports.tls), WAIT) as plain:
            plain.sendall(octets)
            got = b""
            try:
                while octets:
                    octets = plain.recv(4096)
                    got += octets
            except ConnectionResetError:
                pass
            assert not got.startswith(b"220")
    until(lambda: len(server.records("tls_fail")) == 3, "three failures in the log")
    assert {r["reason"] for r in server.records("disconnect")} == {"tls"}


def test_those_who_may_not_come_hear_nothing_before_TLS(make_server, certificate):
    ports = Ports()
    server = make_server(top=f"tls {{ {certificate.directive} }}"
                             f"listen 127.0.0.1:{ports.tls} submission tls {{ allow-from 192.0.2.1; }}")
    with socket.create_connection(("127.0.0.1", ports.tls), WAIT) as plain:
        assert plain.recv(100) == b""
    assert server.wait_record("reject", stage="connect")["reason"] == "policy"


def test_a_stop_ends_handshakes_and_sessions(server):
    wire = Secure(server.ports.tls)
    with socket.create_connection(("127.0.0.1", server.ports.tls), WAIT) as shaking:
        server.signal(signal.SIGTERM)
        assert wire.reply() == 421
        assert wire.at_end()
        assert shaking.recv(10) == b""
    assert server.wait() == 0


def test_a_reload_leaves_sessions_their_TLS(server, tmp_path):
    with Secure(server.port, starttls=True) as wire:
        other = Certificate(tmp_path, "other")
        server.write_config(top=f"tls {{ {other.directive} }} listen 127.0.0.1:{server.ports.tls} submission tls;")
        assert server.reload()["level"] == "info"
        assert wire.ehlo() == 250
        assert wire.transaction(MESSAGE) == 250
    until(lambda: shown_to_new(server) == other.der(), "the new certificate")
