"""One misbehaviour each: the client that drips, floods, holds, or errs; and what is left for everybody else."""
import time

import pytest

from harness import until

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello\r\n"


def drips(wire, octets, pause):
    """Sends OCTETS one by one until the server says something or closes."""
    wire.socket.settimeout(pause)
    for octet in octets:
        try:
            wire.send(bytes([octet]))
            got = wire.socket.recv(512)
            return got
        except TimeoutError:
            continue
        except OSError:
            return b""
    return None


def test_single_octets_do_not_extend_the_wait_for_a_command(make_server):
    server = make_server(top="timeout command 1s;")
    with server.wire() as wire:
        began = time.monotonic()
        got = drips(wire, b"NOOP " + b"x" * 400, 0.1)
        assert got is not None and (got.startswith(b"421") or got == b"")
        assert time.monotonic() - began < 10
    assert server.send(LETTER) == 250


def test_a_transaction_has_an_end_even_for_one_that_drips_content(make_server):
    server = make_server(top="timeout transaction 1s;")
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        wire.cmd("RCPT TO:<ada@example.test>")
        wire.cmd("DATA")
        got = drips(wire, b"x" * 600, 0.1)
        assert got is not None and (got.startswith(b"421") or got == b"")
    assert server.send(LETTER) == 250
    server.wait_mail("ada", 1)


def test_c021_an_idle_client_keeps_its_session(server):
    with server.wire() as wire:
        wire.ehlo()
        time.sleep(2)
        assert wire.cmd("NOOP") == 250


def test_c027_a_command_line_too_long_gets_500_and_the_session_survives(server):
    with server.wire() as wire:
        wire.ehlo()
        assert wire.cmd("NOOP " + "x" * 505) == 250
        reply = wire.cmd("NOOP " + "x" * 3000)
        assert reply == 500 and reply.status == "5.5.2"
        assert wire.cmd("NOOP") == 250


def test_a_line_without_end_is_cut_off(server):
    with server.wire() as wire:
        sent = 0
        try:
            for _ in range(2000):
                wire.send(b"x" * 65536)
                sent += 65536
        except OSError:
            pass
        assert sent < 2000 * 65536, "131 MB of a command were taken"
    assert server.send(LETTER) == 250


def test_all_sessions_taken_says_421_and_frees_again(make_server):
    server = make_server(top="max-sessions 5;")
    held = [server.wire() for _ in range(5)]
    assert all(wire.greeting == 220 for wire in held)
    with server.wire() as more:
        assert more.greeting == 421 and more.greeting.status == "4.3.2"
    held[0].cmd("QUIT")
    held[0].close()

    def takes():
        with server.wire() as wire:
            return wire.greeting == 220
    until(takes, "a free session")
    for wire in held[1:]:
        assert wire.cmd("NOOP") == 250
        wire.close()


def test_a_written_limit_binds_loopback_too(make_server):
    server = make_server(top="limit client connections 3;")
    held = [server.wire() for _ in range(3)]
    with server.wire() as more:
        assert more.greeting == 421, more.greeting
    record = server.wait_record("limit")
    assert record["key"] == "client" and record["measure"] == "connections" and record["client"] == "127.0.0.1"
    for wire in held:
        wire.close()


def test_a_rate_of_messages_defers_what_exceeds(make_server):
    server = make_server(top="limit client messages 3/h;")
    replies = [server.send(LETTER) for _ in range(5)]
    assert [reply.code for reply in replies[:3]] == [250] * 3
    assert replies[4].code in (421, 450), replies
    server.wait_mail("ada", 3)


def test_unknown_recipients_are_counted_for_a_client(make_server):
    server = make_server(top="limit client unknown-recipients 3/h; error-delay 0s;")
    codes = []
    for n in range(6):
        with server.wire() as wire:
            if wire.greeting != 220 or wire.ehlo() != 250 or wire.cmd("MAIL FROM:<carol@example.net>") != 250:
                codes.append(421)
                continue
            codes.append(wire.cmd(f"RCPT TO:<nobody{n}@example.test>").code)
    assert codes[:3] == [550] * 3 and codes[-1] in (421, 450), codes


def test_too_many_errors_end_the_session(make_server):
    server = make_server(top="max-errors 5; error-delay 0s;")
    with server.wire() as wire:
        wire.ehlo()
        codes = []
        while not codes or codes[-1] != 421:
            codes.append(wire.cmd("XYZZY").code)
        assert codes == [500] * 5 + [421]
        assert wire.at_end()


def test_error_delay_slows_the_one_who_errs(make_server):
    server = make_server(top="max-errors 8; error-delay 200ms;")
    with server.wire() as wire:
        wire.ehlo()
        began = time.monotonic()
        for _ in range(7):
            wire.cmd("XYZZY")
        assert time.monotonic() - began > 0.5
        assert server.send(LETTER) == 250


def test_max_messages_then_421(make_server):
    server = make_server(top="max-messages 2;")
    with server.wire() as wire:
        wire.ehlo()
        assert wire.transaction(LETTER) == 250
        assert wire.transaction(LETTER) == 250
        assert wire.transaction(LETTER) == 421
    server.wait_mail("ada", 2)


def test_a_header_too_large_is_refused(make_server):
    server = make_server(top="max-header-size 10k;")
    reply = server.send(b"X-Long: y\r\n" * 2000 + b"\r\nbody\r\n")
    assert reply == 552 and reply.status == "5.3.4"
    assert server.send(LETTER + b"z\r\n" * 10000) == 250


NOISE = {"tls-hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 40, "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
         "nul": b"\0" * 5000, "every-octet": bytes(range(256)) * 20, "line-ends": b"\r\n" * 500,
         "ehlo": b"EHLO a\r\n" * 500}


@pytest.mark.parametrize("kind", NOISE)
def test_noise_harms_nobody(make_server, kind):
    server = make_server(top="error-delay 0s;")
    with server.wire() as wire:
        wire.send(NOISE[kind])
        wire.socket.settimeout(1)
        try:
            while wire.socket.recv(65536):
                pass
        except OSError:
            pass
    assert server.send(LETTER) == 250
    server.wait_mail("ada")


def test_a_client_that_never_reads_is_dropped(make_server):
    """Its replies fill the socket; the server keeps a bounded number of octets for it."""
    server = make_server(top="timeout command 2s; max-errors 1000000; error-delay 0s;")
    with server.wire() as wire:
        wire.ehlo()
        wire.socket.settimeout(1)
        try:
            for _ in range(3000):
                wire.send(b"HELP\r\n" * 1000)
        except OSError:
            pass
        assert server.send(LETTER) == 250
    server.wait_mail("ada")


def test_the_last_reply_arrives_though_input_is_unread(make_server):
    """A close with input unread would reset the connection, and take the 421 with it."""
    server = make_server(listen="max-errors 3; error-delay 0s;")
    with server.wire() as wire:
        wire.send(b"NONSENSE\r\n" * 5000)
        codes = []
        while not codes or codes[-1] != 421:
            codes.append(wire.reply().code)
        assert codes == [500] * 3 + [421]
        assert wire.at_end()
