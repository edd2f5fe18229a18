"""Submission (RFC 6409): who may send, as whom, and what becomes of what they hand in."""
import base64
import os
import re
import smtplib
import ssl
import subprocess
import time

import pytest

from harness import PROGRAM, Wire, field, until
from secure import Certificate, Ports, Secure, run, words

PASSWORD = "correct horse"
MESSAGE = b"From: ada@example.test\r\nSubject: x\r\n\r\ny\r\n"


def plain(account):
    return base64.b64encode(f"\0{account}\0{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def password_hash():
    return run("openssl", "passwd", "-6", PASSWORD).decode().strip()


@pytest.fixture
def submission(make_server, tmp_path, password_hash):
    """submission(top=…, listen=…): a server with users ada and bob, and submission on ports.clear and ports.tls."""
    def make(top="", listen="", more=""):
        ports, certificate = Ports(), Certificate(tmp_path)
        block = f"{{ {listen} }}" if listen else ";"
        server = make_server(start=False, top=f"tls {{ {certificate.directive} }} {top}"
                                              f"listen 127.0.0.1:{ports.clear} submission {block}"
                                              f"listen 127.0.0.1:{ports.tls} submission tls {block} {more}")
        server.ports = ports
        server.write("users", f"ada:{{SHA512-CRYPT}}{password_hash}\nbob:{{SHA512-CRYPT}}{password_hash}\ncarol\n")
        server.write("aliases", "info: ada\n")
        return server.start()
    return make


def logged_in(server, account="ada@example.test"):
    wire = Secure(server.ports.tls)
    wire.ehlo()
    assert wire.cmd("AUTH PLAIN " + plain(account)) == 235
    return wire


def sent(server, wire, content, to="bob", sender="ada@example.test", parameters=""):
    reply = wire.transaction(content, sender=sender, to=f"{to}@example.test", parameters=parameters)
    assert reply == 250, reply
    return server.wait_mail(to)[0]


# ---- who may ----

def test_nobody_sends_without_logging_in_C123(submission):
    server = submission()
    with Wire(server.ports.clear) as wire:
        wire.ehlo()
        reply = wire.cmd("MAIL FROM:<ada@example.test>")
        assert reply == 530 and reply.status == "5.7.0" and "TLS" in reply.text
    with Secure(server.ports.tls) as wire:
        wire.ehlo()
        reply = wire.transaction(MESSAGE, sender="ada@example.test", to="bob@example.test")
        assert reply == 530 and "AUTH" in reply.text
    reject = server.wait_record("reject", listener=f"submission-{server.ports.tls}")
    assert reject["reason"] == "auth" and reject["stage"] == "mail"


def test_clients_of_relay_from_in_the_same_block_need_not_C123(submission):
    server = submission(listen="relay-from 127.0.0.1;")
    with Secure(server.ports.tls) as wire:
        wire.ehlo()
        assert b"Subject: x" in sent(server, wire, MESSAGE)
    with Wire(server.ports.clear) as wire:
        wire.ehlo()
        assert wire.cmd("MAIL FROM:<ada@example.test>") == 530  # TLS they need


def test_relay_from_of_the_top_lets_nobody_in(submission):
    server = submission(top="relay-from 127.0.0.1;")
    with Secure(server.ports.tls) as wire:
        wire.ehlo()
        assert wire.cmd("MAIL FROM:<ada@example.test>") == 530


def test_both_ways_in_with_the_library_of_python(submission):
    server = submission(more="route * hold;")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", server.ports.clear) as client:
        client.starttls(context=context)
        client.login("ada@example.test", PASSWORD)
        client.sendmail("ada@example.test", ["bob@example.test"], MESSAGE)
    with smtplib.SMTP_SSL("127.0.0.1", server.ports.tls, context=context) as client:
        client.login("bob@example.test", PASSWORD)
        client.sendmail("bob@example.test", ["x@elsewhere.test"], MESSAGE)
    assert server.wait_mail("bob")
    assert {record["protocol"] for record in server.records("accept")} == {"ESMTPSA"}


# ---- as whom ----

def test_only_ones_own_addresses_and_the_null_one_C125_C126(submission):
    server = submission()
    with logged_in(server) as wire:
        for sender, code in [("bob@example.test", 550), ("someone@elsewhere.test", 550), ("info@example.test", 250),
                             ("ada@example.test", 250), ("", 250)]:
            reply = wire.cmd(f"MAIL FROM:<{sender}>")
            assert reply == code, sender
            assert code == 250 or reply.status == "5.7.1"
            wire.cmd("RSET")
    assert server.wait_record("reject", stage="mail")["reason"] == "sender"


def test_names_without_a_domain_are_completed_C124(submission):
    server = submission(top="origin example.test;")
    with logged_in(server) as wire:
        assert wire.cmd("MAIL FROM:<ada>") == 250
        assert wire.cmd("RCPT TO:<bob>") == 250
        assert wire.cmd("RCPT TO:<bob@mail>") == 554
        assert wire.content(MESSAGE) == 250
    assert server.wait_record("accept")["from"] == "ada@example.test"
    assert server.wait_mail("bob")


# ---- what becomes of it ----

def test_date_and_message_id_are_added_and_bcc_goes_C127(submission):
    server = submission()
    with logged_in(server) as wire:
        message = sent(server, wire, b"Subject: x\r\nBcc: secret@example.test,\r\n other@example.test\r\n"
                                     b"To: bob\r\n\r\ny\r\n")
    accept = server.wait_record("accept")
    assert field(message, "Bcc") == [] and b"secret" not in message and b"other@" not in message
    assert len(field(message, "Date")) == 1
    assert field(message, "Message-ID") == [f"<{accept['id']}@mail.example.test>"]
    assert field(message, "To") == ["bob"] and field(message, "Subject") == ["x"]
    assert accept["msgid"] == f"{accept['id']}@mail.example.test"


def test_what_is_there_stays_C127(submission):
    server = submission()
    content = (b"Date: Sun, 22 Nov 2026 09:41:07 +0100\r\nMessage-ID: <mine@client.example>\r\nSubject: x\r\n\r\n"
               b"Bcc: in the text\r\n")
    with logged_in(server) as wire:
        message = sent(server, wire, content)
    assert message.replace(b"\r\n", b"\n").endswith(content.replace(b"\r\n", b"\n"))


def test_a_header_without_text_is_completed_too(submission):
    server = submission()
    with logged_in(server) as wire:
        message = sent(server, wire, b"Subject: x\r\nBcc: secret@example.test\r\n")
    assert field(message, "Subject") == ["x"] and field(message, "Bcc") == [] and len(field(message, "Date")) == 1


def test_large_content_passes_by(submission):
    server = submission()
    body = b"".join(b"%060d\r\n" % i for i in range(30000))
    with logged_in(server) as wire:
        message = sent(server, wire, b"Subject: x\r\nBcc: secret@example.test\r\n\r\n" + body)
    assert field(message, "Bcc") == [] and len(field(message, "Message-ID")) == 1
    assert message.replace(b"\r\n", b"\n").endswith(b"\n\n" + body.replace(b"\r\n", b"\n"))
    with logged_in(server) as wire:
        reply = wire.transaction(b"".join(b"X-%d: %060d\r\n" % (i, i) for i in range(6000)), sender="ada@example.test",
                                 to="carol@example.test")
        assert reply == 552 and reply.status == "5.3.4"
        assert wire.cmd("NOOP") == 250


def test_strangers_mail_passes_as_it_is_C127(submission):
    server = submission(top="complete-headers on;")
    assert server.send(b"Subject: x\r\nBcc: shown@example.test\r\n\r\ny\r\n", to="carol@example.test") == 250
    message = server.wait_mail("carol")[0]
    assert field(message, "Bcc") == ["shown@example.test"] and field(message, "Date") == []


def test_received_hides_the_client_and_names_the_cipher_C066_C067(submission):
    server = submission()
    with logged_in(server) as wire:
        wire.ehlo("laptop.home.example")
        cipher = server.wait_record("tls")["cipher"]
        received = field(sent(server, wire, MESSAGE), "Received")[0]
    assert "laptop" not in received and "127.0.0.1" not in received and " with ESMTPSA " in received
    assert re.search(r"\stls " + cipher + r"\s*;", received)


def test_received_shows_the_client_where_it_shall(submission):
    server = submission(listen="hide-client off;")
    with logged_in(server) as wire:
        wire.ehlo("laptop.home.example")
        assert field(sent(server, wire, MESSAGE), "Received")[0].startswith("from laptop.home.example ([127.0.0.1])")


def test_etrn_is_not_offered_and_auth_is_C128(submission):
    server = submission()
    with Secure(server.ports.tls) as wire:
        offered = words(wire.ehlo())
        assert "AUTH" in offered and not {"ETRN", "ATRN"} & set(offered)
        assert wire.cmd("ETRN example.test") == 502


# ---- later ----

def test_a_message_may_wait_C240(submission):
    server = submission()
    with logged_in(server) as wire:
        longest, until_when = words(wire.ehlo())["FUTURERELEASE"]
        assert longest == "604800" and until_when.endswith("Z")
        for parameters in ["HOLDFOR=604801", "HOLDFOR=60 HOLDUNTIL=" + until_when, "HOLDUNTIL=x", "HOLDFOR=0"]:
            reply = wire.cmd("MAIL FROM:<ada@example.test> " + parameters)
            assert reply == 501 and reply.status == "5.5.4", parameters
        assert wire.transaction(MESSAGE, sender="ada@example.test", to="bob@example.test",
                                parameters=" HOLDFOR=3600") == 250
        assert wire.transaction(MESSAGE, sender="ada@example.test", to="carol@example.test") == 250
    assert server.wait_mail("carol")
    assert server.mail("bob") == []


def test_it_leaves_when_its_time_has_come_C240(submission):
    server = submission()
    with logged_in(server) as wire:
        began = time.monotonic()
        assert wire.transaction(MESSAGE, sender="ada@example.test", to="bob@example.test",
                                parameters=" HOLDFOR=2") == 250
    assert server.wait_mail("bob")
    assert time.monotonic() - began >= 2


def test_a_time_that_is_past_is_now_C240(submission):
    server = submission()
    with logged_in(server) as wire:
        assert wire.transaction(MESSAGE, sender="ada@example.test", to="bob@example.test",
                                parameters=" HOLDUNTIL=2001-01-01T00:00:00Z") == 250
    server.wait_mail("bob")


def test_strangers_are_not_offered_to_wait_C240(submission):
    server = submission()
    with server.wire() as wire:
        assert "FUTURERELEASE" not in words(wire.ehlo())
        assert wire.cmd("MAIL FROM:<a@example.net> HOLDFOR=60") == 555


# ---- limits ----

def test_a_limit_of_the_account_holds_what_exceeds_it(submission):
    server = submission(top="limit account messages 2/h hold;")
    with logged_in(server) as wire:
        for _ in range(2):
            assert wire.transaction(MESSAGE, sender="ada@example.test", to="bob@example.test") == 250
        reply = wire.transaction(MESSAGE, sender="ada@example.test", to="carol@example.test")
        assert reply == 250 and "held" in reply.text
    assert server.wait_record("hold")["reason"] == "limit"
    server.wait_mail("bob", 2)
    assert server.mail("carol") == []


def test_a_limit_of_the_account_is_met_from_everywhere(submission):
    server = submission(top="limit account recipients 2/h;")
    for i in range(3):
        with logged_in(server) as wire:
            wire.cmd("MAIL FROM:<ada@example.test>")
            reply = wire.cmd("RCPT TO:<bob@example.test>")
            assert reply == (250 if i < 2 else 450)
    with logged_in(server, "bob@example.test") as wire:
        wire.cmd("MAIL FROM:<bob@example.test>")
        assert wire.cmd("RCPT TO:<ada@example.test>") == 250
    limit = server.wait_record("limit")
    assert limit["key"] == "account" and limit["account"] == "ada@example.test"


# ---- several processes ----

def test_several_processes_take_mail_and_the_local_ways_in_work_beside_them(submission):
    server = submission(top="workers receive 3;")
    assert len(server.workers()["submit"]) == 3
    for i in range(6):
        with logged_in(server) as wire:
            assert wire.transaction(MESSAGE, sender="ada@example.test", to="bob@example.test") == 250, i
    server.wait_mail("bob", 6)
    for i in range(6):
        done = subprocess.run([PROGRAM, "sendmail", "-f", "ada@example.test", "carol@example.test"], check=False,
                              input=b"Subject: local\n\nx\n", capture_output=True, cwd="/",
                              env={"PATH": "/usr/bin:/bin", "VEREDUS_CONFIG": server.path("veredus.conf")})
        assert done.returncode == 0, (i, done.stderr)
    assert {field(message, "Subject")[0] for message in server.wait_mail("carol", 6)} == {"local"}
    server.stop()
    drop = server.path("spool", "drop")
    for i in range(3):
        with open(os.path.join(drop, f"tmp-{i}"), "wb") as out:
            out.write(b"MAIL FROM:<ada@example.test>\r\nRCPT TO:<carol@example.test>\r\nDATA\r\n"
                      b"Subject: late\r\n\r\nx\r\n.\r\n")
        os.rename(os.path.join(drop, f"tmp-{i}"), os.path.join(drop, f"msg-{i}"))
    server.start()
    server.wait_mail("carol", 9)
    until(lambda: not [name for name in os.listdir(drop) if name.startswith("msg-")], "an empty drop folder")
