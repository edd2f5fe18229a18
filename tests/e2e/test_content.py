"""What is sent arrives, octet for octet; what may not be sent is refused and leaves nothing behind."""
import re
import smtplib

import pytest

from harness import below_trace, field, stuff

HEADER = b"From: carol@example.net\r\nTo: ada@example.test\r\nSubject: test\r\nDate: Sun, 22 Nov 2026 09:41:07 +0000\r\n" \
         b"Message-ID: <1@example.net>\r\n\r\n"


def arrives(server, octets, **options):
    reply = server.send(octets, **options)
    assert reply == 250, reply
    got = below_trace(server.wait_mail("ada")[0])
    assert got == octets, (got[-80:], octets[-80:])


def shown(octets):
    return repr(octets)[2:-1]


@pytest.mark.parametrize("body", [b".\r\n", b"..\r\n", b".x\r\n..x\r\n...\r\n", b"a\r\n.\r\nb\r\n", b"\r\n.\r\n\r\n",
                                  b". \r\n"], ids=shown)
def test_c051_dots_arrive_as_they_were(server, body):
    arrives(server, HEADER + body)


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n\r\n", b"x\r\n\r\n\r\n", b" \r\n\t\r\n"], ids=shown)
def test_c052_empty_bodies_and_last_lines_are_kept(server, body):
    arrives(server, HEADER + body)


def test_c094_octets_above_127_arrive(server):
    body = bytes(range(128, 256)) * 3 + b"\r\n" + "Grüße, 漢字\r\n".encode() + b"\xff\xfe\r\n"
    arrives(server, HEADER + body, parameters=" BODY=8BITMIME")


def test_c094_octets_above_127_arrive_undeclared(server):
    arrives(server, HEADER + b"\x80\xff\r\n")


@pytest.mark.parametrize("length", [998, 999, 2048, 60000])
def test_c053_long_lines_pass_whole(server, length):
    arrives(server, HEADER + b"y" * length + b"\r\nz\r\n")


def test_c053_a_line_too_long_is_refused_not_cut(server):
    reply = server.send(HEADER + b"y" * 70000 + b"\r\nz\r\n")
    assert reply == 550 and reply.status == "5.6.0"
    assert server.send(HEADER + b"after\r\n") == 250
    assert below_trace(server.wait_mail("ada")[0]) == HEADER + b"after\r\n"


def test_control_octets_in_content_arrive(server):
    arrives(server, HEADER + bytes(c for c in range(1, 128) if c not in (10, 13)) + b"\r\n")


def test_a_message_without_any_header_arrives(server):
    reply = server.send(b"no header at all\r\n")
    assert reply == 250, reply
    assert server.wait_mail("ada")[0].replace(b"\r\n", b"\n").endswith(b"no header at all\n")


def test_a_message_of_no_octets_is_taken(server):
    assert server.send(b"") == 250
    server.wait_mail("ada")


@pytest.mark.parametrize("size", [64 * 1024, 255 * 1024, 257 * 1024, 3 * 1024 * 1024])
def test_c054_sizes_around_each_bound_arrive(server, size):
    line = bytes(range(33, 109)) + b"\r\n"
    arrives(server, HEADER + (line * (size // len(line) + 1)))


def test_fifty_megabytes_arrive(server):
    line = b"All the way from Antiochia to Aquileia, in one piece and on one horse, at that.\r\n"
    content = HEADER + line * ((50 * 1024 * 1024 - len(HEADER)) // len(line))
    arrives(server, content, parameters=f" SIZE={len(content)}")


def test_c077_a_declared_size_too_big_is_refused_at_mail(server):
    with server.wire() as wire:
        assert "SIZE 52428800" in wire.ehlo().lines
        reply = wire.cmd("MAIL FROM:<carol@example.net> SIZE=52428801")
        assert reply == 552 and reply.status == "5.3.4"
        assert wire.cmd("MAIL FROM:<carol@example.net> SIZE=52428800") == 250


def test_c078_c057_content_too_big_is_refused_after_the_dot_and_gone(make_server):
    server = make_server(top="max-message-size 100k;")
    with server.wire() as wire:
        wire.ehlo()
        reply = wire.transaction(HEADER + b"0123456789abcde\r\n" * 10000)
        assert reply == 552 and reply.status == "5.3.4"
        assert wire.transaction(HEADER + b"small\r\n") == 250
    assert below_trace(server.wait_mail("ada")[0]) == HEADER + b"small\r\n"


def test_c079_stuffed_dots_and_the_last_one_do_not_count(make_server):
    server = make_server(top="max-message-size 2000;")
    content = HEADER + b".\r\n" * ((2000 - len(HEADER)) // 3)
    content += b"x" * (2000 - len(content) - 2) + b"\r\n" if len(content) <= 1998 else b""
    arrives(server, content, parameters=f" SIZE={len(content)}")
    assert server.send(content + b"x\r\n") == 552


ENDINGS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n\n.\r\n\r\n", b"\r\n.\0\r\n"]


@pytest.mark.parametrize("ending", ENDINGS, ids=shown)
def test_c049_c050_nothing_else_ends_data_and_nothing_is_smuggled(server, ending):
    """Long known as SMTP smuggling: a second message hidden behind an end that only some see."""
    hidden = b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nevil\r\n"
    with server.wire() as wire:
        wire.ehlo()
        for line in ["MAIL FROM:<carol@example.net>", "RCPT TO:<ada@example.test>"]:
            assert wire.cmd(line) == 250
        assert wire.cmd("DATA") == 354
        wire.send(HEADER + b"x" + ending + hidden)
        wire.send(b"\r\n.\r\n")
        reply = wire.reply()
        assert reply == 550 and reply.status == "5.6.0", reply
        assert wire.cmd("NOOP") == 250
        assert wire.transaction(HEADER + b"after\r\n") == 250
    assert below_trace(server.wait_mail("ada")[0]) == HEADER + b"after\r\n"
    assert not server.mail("bob")


def test_c050_repair_makes_crlf_before_anything_else_looks(make_server):
    server = make_server(listen="bare-newlines repair;")
    assert server.send(HEADER.replace(b"\r\n", b"\n") + b"one\ntwo\rthree\r\n") == 250
    assert below_trace(server.wait_mail("ada")[0]) == HEADER + b"one\r\ntwo\r\nthree\r\n"


def test_c059_a_connection_lost_in_content_leaves_nothing(server):
    for cut in [HEADER, HEADER + b"half a line", HEADER + b"x\r\n.", HEADER + b"x\r\n.\r"]:
        wire = server.wire()
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        wire.cmd("RCPT TO:<ada@example.test>")
        assert wire.cmd("DATA") == 354
        wire.send(cut)
        wire.close()
    assert server.send(HEADER + b"whole\r\n") == 250
    assert below_trace(server.wait_mail("ada")[0]) == HEADER + b"whole\r\n"


def test_content_that_comes_octet_by_octet_is_the_same(server):
    octets = HEADER + b".\r\n..\r\nend\r\n"
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        wire.cmd("RCPT TO:<ada@example.test>")
        wire.cmd("DATA")
        for octet in stuff(octets) + b".\r\n":
            wire.send(bytes([octet]))
        assert wire.reply() == 250
    assert below_trace(server.wait_mail("ada")[0]) == octets


def test_c062_c063_c064_c065_c066_one_received_at_the_top(server):
    old = b"Received: from somewhere (odd one) by nowhere\r\n\twith NONSENSE; yesterday\r\n"
    assert server.send(old + HEADER + b"x\r\n") == 250
    message = server.wait_mail("ada")[0]
    rows = field(message, "Received")
    assert len(rows) == 2 and "odd one" in rows[1]
    own = re.sub(r"\s+", " ", rows[0])
    assert re.search(r"from client\.example\.test \((?:\S+ )?\[127\.0\.0\.1\]\)", own), own
    assert " by mail.example.test " in own and re.search(r" with ESMTP\b", own), own
    assert re.search(r"for <?ada@example\.test>?", own), own
    assert re.search(r"; (?:\w{3}, )?\d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", own), own


def test_c065_for_is_left_out_with_several_recipients(server):
    assert server.send(HEADER + b"x\r\n", to=["ada@example.test", "bob@example.test"]) == 250
    for user in ["ada", "bob"]:
        message = server.wait_mail(user)[0]
        own = re.sub(r"\s+", " ", field(message, "Received")[0])
        assert " for " not in own
        other = b"bob@" if user == "ada" else b"ada@"
        assert other not in message[:message.index(b"From: carol")]


def test_c066_with_smtp_after_helo(server):
    with server.wire() as wire:
        assert wire.cmd("HELO old.example.test") == 250
        assert wire.transaction(HEADER + b"x\r\n") == 250
    assert re.search(r"\bwith SMTP\b", field(server.wait_mail("ada")[0], "Received")[0])


@pytest.mark.parametrize("sender", ["carol@example.net", ""])
def test_c068_one_return_path_on_top(server, sender):
    assert server.send(b"Return-Path: <forged@example.net>\r\n" + HEADER + b"x\r\n", sender=sender) == 250
    message = server.wait_mail("ada")[0]
    assert message.startswith(b"Return-Path: <" + sender.encode() + b">")
    assert field(message, "Return-Path")[0].strip() == f"<{sender}>"


def test_c070_a_loop_is_refused(server):
    hop = b"Received: from a.example by b.example; Sun, 22 Nov 2026 09:41:07 +0000\r\n"
    reply = server.send(hop * 101 + HEADER + b"x\r\n")
    assert reply.code // 100 == 5 and reply.status == "5.4.6"
    assert server.send(hop * 90 + HEADER + b"x\r\n") == 250


def test_c055_odd_headers_are_no_reason_to_refuse(server):
    odd = b"Subject: one\r\nSubject: two\r\nDate: never\r\nResent-From: x@y.test\r\nContent-Type: ///\r\nX\xffY: z\r\n\r\nx\r\n"
    assert server.send(odd) == 250
    assert below_trace(server.wait_mail("ada")[0]) == odd


def test_smtplib_sends_and_reads_back(server):
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        client.sendmail("carol@example.net", ["ada@example.test"], HEADER + b"by smtplib\r\n.\r\nend\r\n")
    assert below_trace(server.wait_mail("ada")[0]) == HEADER + b"by smtplib\r\n.\r\nend\r\n"
