"""The dialogue as a client sees it over TCP."""
import re
import signal

from harness import field, until

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello\r\n"


def test_c001_the_greeting_names_us(server):
    with server.wire() as wire:
        assert wire.greeting == 220 and wire.greeting.text.split()[0] == "mail.example.test"


def test_c005_c006_helo_is_one_line_and_ehlo_lists_what_works(server):
    with server.wire() as wire:
        assert len(wire.cmd("HELO a.example.test").lines) == 1
        reply = wire.ehlo()
        assert reply == 250 and reply.lines[0].split()[0] == "mail.example.test"
        words = {line.split()[0] for line in reply.lines[1:]}
        assert {"SIZE", "8BITMIME", "PIPELINING", "ENHANCEDSTATUSCODES", "SMTPUTF8"} <= words
        assert not words & {"STARTTLS", "AUTH", "CHUNKING", "BINARYMIME", "DSN", "EXPN"}


def test_c004_c017_basic_commands_are_known_and_others_do_no_harm(server):
    with server.wire() as wire:
        for verb in ["NOOP", "RSET", "VRFY ada", "MAIL FROM:<a@b.test>", "RCPT TO:<ada@example.test>", "DATA", "HELP"]:
            assert wire.cmd(verb) not in (500, 502), verb
        assert wire.cmd("XYZZY") == 500
        assert wire.ehlo() == 250
        assert wire.cmd("QUIT") == 221
        assert wire.at_end()


def test_c022_a_slow_session_stalls_nobody(server):
    with server.wire() as slow:
        slow.ehlo()
        slow.cmd("MAIL FROM:<carol@example.net>")
        slow.cmd("RCPT TO:<bob@example.test>")
        slow.cmd("DATA")
        slow.send(b"Subject: half")
        for _ in range(5):
            assert server.send(LETTER) == 250
        slow.send(b" and half\r\n\r\n.\r\n")
        assert slow.reply() == 250
    assert field(server.wait_mail("bob")[0], "Subject") == ["half and half"]
    server.wait_mail("ada", 5)


def test_c082_c083_a_pipelined_group_is_answered_in_order(server):
    with server.wire() as wire:
        wire.ehlo()
        wire.send("MAIL FROM:<carol@example.net>\r\nRCPT TO:<ada@example.test>\r\nRCPT TO:<nobody@example.test>\r\n"
                  "RCPT TO:<bob@example.test>\r\nDATA\r\n")
        assert [wire.reply().code for _ in range(5)] == [250, 250, 550, 250, 354]
        wire.send(LETTER + b".\r\nMAIL FROM:<carol@example.net>\r\nRCPT TO:<ada@example.test>\r\nDATA\r\n")
        assert [wire.reply().code for _ in range(4)] == [250, 250, 250, 354]
        wire.send(LETTER + b".\r\nQUIT\r\n")
        assert [wire.reply().code for _ in range(2)] == [250, 221]
    server.wait_mail("ada", 2)
    server.wait_mail("bob", 1)


def test_c084_c085_c086_a_group_without_recipients_sends_nothing(server):
    with server.wire() as wire:
        wire.ehlo()
        wire.send("MAIL FROM:<carol@example.net>\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\nNOOP\r\n")
        codes = [wire.reply().code for _ in range(4)]
        assert codes[:2] == [250, 550] and codes[2] in (503, 554) and codes[3] == 250


def test_c013_c016_rset_and_quit_drop_what_is_open(server):
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        wire.cmd("RCPT TO:<ada@example.test>")
        assert wire.cmd("RSET") == 250
        assert wire.cmd("DATA") == 503
        assert wire.transaction(LETTER, to="bob@example.test") == 250
        assert wire.cmd("QUIT") == 221
        assert wire.at_end()
    server.wait_mail("bob")
    assert not server.mail("ada")


def test_the_250_names_the_id_that_the_log_and_received_name(server):
    reply = server.send(LETTER)
    assert reply.status == "2.0.0"
    assert re.fullmatch(r"Ok: queued as [0-9A-HJKMNP-TV-Z]{12}", reply.text.split(" ", 1)[1])
    assert reply.id in field(server.wait_mail("ada")[0], "Received")[0]
    assert server.wait_record("accept", id=reply.id)
    assert server.wait_record("deliver", id=reply.id)
    assert server.wait_record("done", id=reply.id)


def test_ids_are_never_used_twice_over_restarts(server):
    ids = []
    for _ in range(3):
        ids += [server.send(LETTER).id for _ in range(3)]
        server.stop()
        server.start()
    assert len(set(ids)) == len(ids)
    server.wait_mail("ada", len(ids))


def test_c018_shutdown_says_421_to_open_sessions(server):
    with server.wire() as wire:
        wire.ehlo()
        server.signal(signal.SIGTERM)
        assert wire.reply() == 421
        assert wire.at_end()
    assert server.wait() == 0


def test_a_message_in_data_at_shutdown_is_acknowledged_or_not_there(server):
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        wire.cmd("RCPT TO:<ada@example.test>")
        wire.cmd("DATA")
        wire.send(LETTER)
        server.signal(signal.SIGTERM)
        server.wait_record("stop") if server.wait() == 0 else None
        try:
            wire.send(b".\r\n")
            acknowledged = wire.reply() == 250
        except (OSError, EOFError):
            acknowledged = False
    server.start()
    if acknowledged:
        server.wait_mail("ada")
    else:
        assert not server.mail("ada")


def test_c002_a_refused_client_gets_554_and_may_quit(make_server):
    server = make_server(listen="allow-from 192.0.2.1;")
    with server.wire() as wire:
        assert wire.greeting == 554
        assert wire.cmd("EHLO a.example.test") == 503
        assert wire.cmd("MAIL FROM:<a@b.test>") == 503
        assert wire.cmd("QUIT") == 221


def test_c003_a_listener_that_never_takes_mail_says_521(make_server):
    server = make_server(listen="allow-from none;")
    with server.wire() as wire:
        assert wire.greeting == 521


def test_disconnect_is_recorded_with_its_sums(server):
    server.send(LETTER)
    record = server.wait_record("disconnect")
    assert record["reason"] == "quit" and record["messages"] == 1 and record["client"] == "127.0.0.1"
    until(lambda: server.records("connect", session=record["session"]), "the connect record of the session")
