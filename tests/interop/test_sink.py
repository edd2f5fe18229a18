"""Postfix's smtp-sink, which misbehaves as it is told: what we record, that nothing is lost, and nothing comes twice."""
import os
import socket
import tempfile

import pytest

from peer_fixtures import *  # noqa: F401,F403
from peer_fixtures import or_skip

import postfix
from harness import Server, field, until

LETTER = b"From: ada@example.test\r\nSubject: %s\r\n\r\nhello\r\n.\r\n..\r\n"
EIGHT_BIT = "Grüße\r\n".encode()

# Options, and what the first record says. A reply to the greeting or to EHLO concerns the host, not the message.
TRIED_AGAIN = {
    "q-connect": ("-q connect", {"stage": "greeting"}),
    "q-ehlo": ("-q ehlo", {"stage": "ehlo"}),
    "q-mail": ("-q mail", {}),  # commands go in a group: whose end was lost, nobody knows
    "q-rcpt": ("-q rcpt", {}),
    "q-data": ("-q data", {}),
    "q-dot": ("-q .", {"stage": "final"}),
    "q421-connect": ("-Q connect", {"stage": "greeting", "code": 421}),
    "q421-ehlo": ("-Q ehlo", {"stage": "ehlo", "code": 421}),
    "q421-mail": ("-Q mail", {"stage": "mail", "code": 421}),
    "q421-rcpt": ("-Q rcpt", {"stage": "rcpt", "code": 421}),
    "q421-data": ("-Q data", {"stage": "data", "code": 421}),
    "q421-dot": ("-Q .", {"stage": "final", "code": 421}),
    "r-connect": ("-r connect", {"stage": "greeting", "code": 450, "status": "4.3.0"}),
    "r-ehlo": ("-r ehlo", {"stage": "ehlo", "code": 450, "status": "4.3.0"}),
    "r-mail": ("-r mail", {"stage": "mail", "code": 450, "status": "4.3.0"}),
    "r-rcpt": ("-r rcpt", {"stage": "rcpt", "code": 450, "status": "4.3.0"}),
    "r-data": ("-r data", {"stage": "data", "code": 450, "status": "4.3.0"}),
    "r-dot": ("-r .", {"stage": "final", "code": 450, "status": "4.3.0"}),
    "f-connect": ("-f connect", {"stage": "greeting", "code": 500}),
    "f-ehlo-helo": ("-f ehlo,helo", {"stage": "ehlo", "code": 500}),
}
FAILED = {
    "f-mail": ("-f mail", {"stage": "mail", "code": 500, "status": "5.3.0"}),
    "f-rcpt": ("-f rcpt", {"stage": "rcpt", "code": 500, "status": "5.3.0"}),
    "f-data": ("-f data", {"stage": "data", "code": 500, "status": "5.3.0"}),
    "f-dot": ("-f .", {"stage": "final", "code": 500, "status": "5.3.0"}),
    "a-data": ("-A 0", {"code": 550}),
}
TAKEN = {
    "f-ehlo": "-f ehlo",  # HELO instead
    "e": "-e",
    "p": "-p",
    "eight": "-8",
    "status": "-E",
    "pix": "-P",
    "no-dsn": "-N -a -C -F",
    "slow": "-W .:1",
    "slow-to-read": "-H 1 -T 2000",
    "all": "-e -p -8 -E",
}


class Sink:
    """One smtp-sink; each message it took whole is a file in its folder."""

    def __init__(self, tools, folder, options, port):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o777)
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        self.process = tools.start("smtp-sink", *user, *options.split(), "-d", f"{folder}/%s.", f"127.0.0.1:{port}",
                                   "100")
        until(lambda: self.answers(port), "smtp-sink")

    @staticmethod
    def answers(port):
        try:
            return socket.create_connection(("127.0.0.1", port), 2).close() is None
        except OSError:
            return False

    def messages(self):
        """With their content, that is: it begins a file for what it refuses, too."""
        found = []
        for name in os.listdir(self.folder):
            with open(os.path.join(self.folder, name), "rb") as message:
                found.append(message.read())
        return [message for message in found if b"\nhello\n" in message]

    def close(self):
        self.process.terminate()
        self.process.wait(20)


class Sinks:
    """A server of ours with a route for each way to misbehave, NAME.test, and a sink for each."""

    def __init__(self):
        self.work = tempfile.TemporaryDirectory(prefix="veredus-sink-")
        os.chmod(self.work.name, 0o755)
        self.tools = postfix.Tools(self.work.name)
        self.sinks, self.server = {}, None

    def start(self):
        options = {name: what if isinstance(what, str) else what[0]
                   for name, what in [*TRIED_AGAIN.items(), *FAILED.items(), *TAKEN.items()]}
        self.ports = {name: postfix.free_port() for name in options}
        for name, words in options.items():
            self.sinks[name] = self.sink(name, words)
        routes = "".join(f"route {name}.test smtp://127.0.0.1:{port};\n" for name, port in self.ports.items())
        self.server = Server(top=f"relay-from 127.0.0.1; retry 1s; dead-host 1s; {routes}")
        self.server.start()

    def sink(self, name, options, folder=None):
        return Sink(self.tools, os.path.join(self.work.name, folder or name), options, self.ports[name])

    def send(self, name, more=b"", parameters=""):
        assert self.server.send(LETTER % name.encode() + more, to=f"kim@{name}.test", sender="ada@example.test",
                                parameters=parameters) == 250

    def reports(self, name):
        return [mail for mail in self.server.mail("ada") if f"kim@{name}.test".encode() in mail]

    def close(self):
        try:
            if self.server:
                self.server.close()
        finally:
            for sink in self.sinks.values():
                sink.close()
            self.work.cleanup()


@pytest.fixture(scope="module")
def sinks():
    made = or_skip(Sinks)
    try:
        made.start()
        yield made
    finally:
        made.close()


def first(sinks, event, name, expected):
    record = sinks.server.wait_record(event, to=f"kim@{name}.test")
    assert {key: record.get(key) for key in expected} == expected, record


@pytest.mark.parametrize("name", TRIED_AGAIN)
def test_c159_what_may_be_better_later_is_tried_until_it_is(sinks, name):
    options, expected = TRIED_AGAIN[name]
    sinks.send(name)
    first(sinks, "defer", name, expected)
    sinks.sinks[name].close()
    former = len(sinks.sinks[name].messages())
    sinks.sinks[name] = sinks.sink(name, "", name + "-well")
    sinks.server.wait_record("deliver", to=f"kim@{name}.test")
    assert len(sinks.sinks[name].messages()) == 1
    # Only who lost the reply to the dot may have it twice (RFC 5321 4.5.3.2.6).
    assert former == 0 or name in ("q-dot", "q421-dot", "r-dot")
    assert not sinks.reports(name)


@pytest.mark.parametrize("name", FAILED)
def test_c159_what_is_refused_for_good_is_reported_once(sinks, name):
    options, expected = FAILED[name]
    sinks.send(name, b"an octet or two more\r\n" * 20000 if name == "a-data" else b"")
    first(sinks, "fail", name, expected)
    report = until(lambda: sinks.reports(name), "the report")
    assert len(report) == 1 and field(report[0], "Auto-Submitted")
    assert not sinks.server.records("deliver", to=f"kim@{name}.test")


@pytest.mark.parametrize("name", TAKEN)
def test_c146_c150_what_a_host_does_not_offer_is_not_used(sinks, name):
    sinks.send(name)
    sinks.server.wait_record("deliver", to=f"kim@{name}.test")
    message, = sinks.sinks[name].messages()
    assert message.rstrip(b"\n").endswith((LETTER % name.encode()).replace(b"\r\n", b"\n").rstrip(b"\n"))


@pytest.mark.parametrize("name", ["e", "eight", "all", "f-ehlo", "pix"])
def test_c095_8_bit_content_for_a_host_that_does_not_take_it_is_reported(sinks, name):
    sinks.send(name, EIGHT_BIT, " BODY=8BITMIME")
    first(sinks, "fail", name, {"status": "5.6.3"})
    report = until(lambda: sinks.reports(name), "the report")
    assert len(report) == 1 and b"Status: 5.6.3" in report[0]
