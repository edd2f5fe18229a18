"""Clients that others wrote, sending to us."""
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

import postfix  # noqa: E402
from conftest import *  # noqa: E402, F401, F403
from harness import below_trace, field  # noqa: E402

BODY = "It works.\n.\n..two dots\n\nGrüße\n"


def run(*arguments, **options):
    done = subprocess.run(arguments, capture_output=True, timeout=60, check=False, **options)
    assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")
    return done


def check(server, subject="hello"):
    message = server.wait_mail("ada")[0]
    assert field(message, "Subject") == [subject]
    body = below_trace(message).split(b"\r\n\r\n", 1)[1]
    assert body == BODY.replace("\n", "\r\n").encode()


def test_swaks(server, program):
    run(program("swaks"), "--server", "127.0.0.1", "--port", str(server.port), "--from", "bob@example.test", "--to",
        "ada@example.test", "--header", "Subject: hello", "--body", BODY.rstrip("\n"), "--ehlo", "client.example.test")
    message = server.wait_mail("ada")[0]
    assert field(message, "Subject") == ["hello"]
    assert BODY.replace("\n", "\r\n").encode().rstrip() in below_trace(message)


def test_curl_as_the_demonstration_prints_it(server, program):
    run(program("curl"), "-sS", "--crlf", f"smtp://127.0.0.1:{server.port}", "--mail-from", "bob@example.test",
        "--mail-rcpt", "ada@example.test", "-T", "-", input=("Subject: hello\n\n" + BODY).encode())
    check(server)


def test_curl_without_crlf_is_told_the_cure(server, program):
    done = subprocess.run([program("curl"), "-sSv", f"smtp://127.0.0.1:{server.port}", "--mail-from", "bob@example.test",
                           "--mail-rcpt", "ada@example.test", "-T", "-"], input=b"Subject: hello\n\nx\n",
                          capture_output=True, timeout=60, check=False)
    assert done.returncode != 0 and b"--crlf" in done.stderr


def test_msmtp(server, program):
    run(program("msmtp"), "--host=127.0.0.1", f"--port={server.port}", "--from=bob@example.test", "--tls=off", "--auth=off",
        "--domain=client.example.test", "-C", "/dev/null", "ada@example.test",
        input=("Subject: hello\n\n" + BODY).encode())
    check(server)


@pytest.fixture
def tools(tmp_path):
    try:
        return postfix.Tools(str(tmp_path))
    except postfix.Unavailable as why:
        pytest.skip(str(why))


def test_smtp_source_in_many_sessions(make_server, tools):
    """Postfix's own generator: 20 sessions, 200 messages, two recipients each."""
    # How it numbers them depends on its version.
    server = make_server(users=["ada", *(f"{n}ada" for n in range(401)), *(f"ada{n}" for n in range(401))])
    done = tools.run("smtp-source", "-s", "20", "-m", "200", "-l", "5000", "-r", "2", "-f", "bob@example.test", "-t",
                     "ada@example.test", f"127.0.0.1:{server.port}", stdout=subprocess.PIPE,
                     stderr=subprocess.STDOUT, timeout=120)
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, text
    server.wait_queue_empty()
    assert len(server.records("accept")) == 200


def test_a_postfix_relays_to_us(server, tmp_path):
    """A whole Postfix, with our server as the host of its domain; it uses PIPELINING, 8BITMIME, SIZE and SMTPUTF8."""
    try:
        peer = postfix.Postfix(f"relayhost = [127.0.0.1]:{server.port}\nsmtp_tls_security_level = none\n")
    except postfix.Unavailable as why:
        pytest.skip(str(why))
    try:
        peer.start()
        import harness
        with harness.Wire(peer.port) as wire:
            wire.ehlo()
            octets = b"From: bob@example.test\r\nSubject: hello\r\n\r\n" + BODY.replace("\n", "\r\n").encode()
            assert wire.transaction(octets, sender="bob@example.test") == 250
        message = server.wait_mail("ada")[0]
        assert field(message, "Subject") == ["hello"]
        assert len(field(message, "Received")) == 2
        assert message.replace(b"\r\n", b"\n").endswith(b"\n\n" + BODY.encode())
    finally:
        peer.close()
