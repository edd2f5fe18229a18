"""
One process stands still (SIGSTOP) while mail comes in: the others go on as far as they can, nobody waits for a log, and
when it runs again all goes on. Nothing acknowledged is lost (C056) or arrives twice, nothing refused arrives (C057).
"""
import threading

import pytest

from faults import Clock, Ledger, Stopped
from harness import WAIT, until


@pytest.fixture
def running(make_server):
    """A server whose processes have all had something to do, and its ledger."""
    server = make_server(top="timeout lookup 1s;")
    ledger = Ledger(server)
    assert ledger.send() == 250
    server.wait_mail("ada")
    server.wait_queue_empty()
    return server, ledger


def in_threads(count, call):
    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads):
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive(), "a client waits still"


def all_arrived(ledger):
    return ledger.taken <= set(ledger.arrived())


def test_control_stands_still_and_mail_flows(running):
    """Records are lost rather than waited for: here are more of them than what lies between two processes holds."""
    server, ledger = running
    wrong = []

    def many(session):
        with server.wire() as wire:
            wire.ehlo()
            for n in range(500):
                name = f"{session}-{n}-{'x' * 900}@client.example.test"
                reply = wire.transaction(f"Message-ID: <{name}>\r\n\r\nx\r\n".encode())
                wrong.extend([] if reply == 250 else [reply])
                ledger.taken.add(name)

    with Stopped(server, "control"):
        threads = [threading.Thread(target=many, args=[session]) for session in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not wrong and len(ledger.taken) == 2001
        until(lambda: len(server.mail_paths("ada")) == 2001, "mail while nobody writes the log", 60)
    assert len(server.records("accept")) < 2001
    before = len(server.records("connect"))
    assert ledger.send() == 250
    until(lambda: len(server.records("connect")) > before, "records again")
    ledger.check(settled=False)


def test_resolve_stands_still_and_mail_flows(running):
    server, ledger = running
    with Stopped(server, "resolve"):
        for _ in range(10):
            assert ledger.send() == 250
        until(lambda: all_arrived(ledger), "mail without the resolver")
    ledger.check()


def test_deliver_stands_still_and_mail_is_taken(running):
    server, ledger = running
    with Stopped(server, "deliver"):
        for _ in range(20):
            assert ledger.send() == 250
        assert len(server.mail_paths("ada")) == 1
    until(lambda: all_arrived(ledger), "mail after it")
    ledger.check()


def test_lookup_stands_still_and_says_451_in_time(running):
    server, ledger = running
    with server.wire() as wire:
        wire.ehlo()
        assert wire.cmd("MAIL FROM:<carol@example.net>") == 250
        with Stopped(server, "lookup"):
            with Clock() as clock:
                refused = wire.cmd("RCPT TO:<ada@example.test>")
            assert (refused.code, refused.status) == (451, "4.3.0")
            assert clock.seconds < 5
            assert refused.text == "4.3.0 ada@example.test: cannot be looked up now; try again later"
            assert wire.cmd("NOOP") == 250
            with Clock() as clock:
                assert server.wire().greeting == 421
            assert clock.seconds < 5
        until(lambda: wire.cmd("RCPT TO:<ada@example.test>") == 250, "the recipient")
        assert server.wait_record("reject", stage="rcpt")["to"] == "ada@example.test"
        assert server.wait_record("reject", stage="connect")["code"] == 421
        ledger.taken.add("kept@client.example.test")
        assert wire.content(b"Message-ID: <kept@client.example.test>\r\n\r\nx\r\n") == 250
    ledger.send_until(250)
    ledger.check()


def test_queue_stands_still_and_clients_wait_for_their_250(running):
    server, ledger = running
    replies = []
    with Stopped(server, "queue"):
        threads = in_threads(10, lambda: replies.append(ledger.send()))
        with server.wire() as wire:
            assert wire.ehlo() == 250
            assert wire.cmd("MAIL FROM:<carol@example.net>") == 250
            assert wire.cmd("RCPT TO:<ada@example.test>") == 250
            assert wire.cmd("RCPT TO:<nobody@example.test>") == 550
            assert wire.cmd("RSET") == 250
            # As long as a question may take; that of the commit has a minute.
            assert wire.transaction(b"x" * 76 + b"\r\n", parameters=f" SIZE={10 << 20}") == 451
        assert not replies
    join(threads)
    assert len(replies) == 10 and all(reply == 250 for reply in replies)
    ledger.check()


def test_queue_stands_still_for_a_minute_451_and_never_delivered(running):
    """Takes a minute. What was handed to it is refused by whoever took it, and void when the queue goes on (ADR 0006)."""
    server, ledger = running
    late = b"Message-ID: <late@client.example.test>\r\n\r\nx\r\n"
    ledger.refused.add("late@client.example.test")
    with server.wire() as wire:
        wire.socket.settimeout(70)
        wire.ehlo()
        assert wire.cmd("MAIL FROM:<carol@example.net>") == 250
        assert wire.cmd("RCPT TO:<ada@example.test>") == 250
        with Stopped(server, "queue"):
            with Clock() as clock:
                reply = wire.content(late)
            assert (reply.code, reply.status) == (451, "4.3.0")
            assert clock.seconds < 60
            assert server.wait_record("reject", code=451)["reason"] == "storage"
        ledger.taken.add("after@client.example.test")
        assert wire.transaction(b"Message-ID: <after@client.example.test>\r\n\r\nx\r\n") == 250
    assert ledger.send() == 250
    ledger.check()


def test_queue_stands_still_before_a_large_message(running):
    """Its file cannot be had in time: 451 at the end of the data, and the session goes on."""
    server, ledger = running
    large = b"Message-ID: <large@client.example.test>\r\n\r\n" + (b"x" * 76 + b"\r\n") * 10000
    ledger.refused.add("large@client.example.test")
    with server.wire() as wire:
        wire.ehlo()
        with Stopped(server, "queue"):
            with Clock() as clock:
                reply = wire.transaction(large)
            assert (reply.code, reply.status) == (451, "4.3.0")
            assert clock.seconds < 10
            assert wire.cmd("NOOP") == 250
        assert server.wait_record("reject", code=451)["stage"] == "data"
        ledger.taken.add("after@client.example.test")
        assert wire.transaction(b"Message-ID: <after@client.example.test>\r\n\r\nx\r\n") == 250
    assert ledger.send((b"x" * 76 + b"\r\n") * 10000) == 250
    ledger.check()


def test_queue_stands_still_and_there_are_no_ids(make_server):
    server = make_server(top="timeout lookup 1s;")
    ledger = Ledger(server)
    with Stopped(server, "queue"):
        with Clock() as clock:
            reply = ledger.send()
        assert (reply.code, reply.status) == (451, "4.3.0")
        assert clock.seconds < 5
    record = server.wait_record("reject", code=451)
    assert (record["reason"], record["stage"], record["from"]) == ("storage", "mail", "carol@example.net")
    assert ledger.send() == 250
    ledger.check()


def test_receive_stands_still_and_deliveries_go_on(running):
    server, ledger = running
    with Stopped(server, "deliver"):
        for _ in range(20):
            assert ledger.send() == 250
        stopped = Stopped(server, "receive").__enter__()
    until(lambda: all_arrived(ledger), "mail that was taken before")
    replies = []
    threads = in_threads(5, lambda: replies.append(ledger.send()))
    stopped.__exit__()
    join(threads)
    assert len(replies) == 5 and all(reply == 250 for reply in replies)
    ledger.check()


def test_who_does_not_end_when_told_is_named_and_the_others_end_in_order(running):
    """A stop waits 20 s for it, not for ever, and says whom it waited for; who comes after it is not killed with it."""
    server, ledger = running
    stopped = Stopped(server, "lookup").__enter__()
    assert server.stop() == 0
    ended = server.records("process")
    assert [(record["process"], record["pid"], record["restarts"]) for record in ended] == [("lookup", stopped.pids[0], 0)]
    assert ended[0]["cause"] == "did not end when it was told to, and is killed"
    assert server.records("stop", cause="SIGTERM")
    server.start()
    ledger.check()
