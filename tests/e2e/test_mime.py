"""Published test messages, well-formed and broken, arrive octet for octet below our trace fields (C052, C055, C071)."""
import os
import re

import pytest

ROOT = os.environ.get("VEREDUS_TESTDATA")
OURS = re.compile(rb"Return-Path: [^\r]*\r\nDelivered-To: [^\r]*\r\nReceived: [^\r]*\r\n(?:[ \t][^\r]*\r\n)*\Z")


def messages():
    """(name, octets) with the line ends of SMTP; what holds a bare CR or a NUL even then is refused by default."""
    found = []
    for folder, _, names in os.walk(os.path.join(ROOT, "mime")):
        for name in sorted(names):
            if not name.endswith(".eml"):
                continue
            with open(os.path.join(folder, name), "rb") as text:
                octets = re.sub(rb"\r?\n", b"\r\n", text.read())
            if octets and not octets.endswith(b"\r\n"):
                octets += b"\r\n"
            if b"\0" in octets or b"\r" in octets.replace(b"\r\n", b""):
                continue
            found.append((os.path.relpath(os.path.join(folder, name), ROOT), octets))
    return found


@pytest.mark.skipif(not ROOT, reason="VEREDUS_TESTDATA is not set: no test messages")
def test_c052_published_messages_arrive_octet_for_octet(make_server):
    sent = messages()
    server = make_server(users=[f"m{n}" for n in range(len(sent))])
    assert len(sent) > 50
    with server.wire() as wire:
        wire.ehlo()
        for number, (name, octets) in enumerate(sent):
            reply = wire.transaction(octets, to=f"m{number}@example.test", parameters=" BODY=8BITMIME")
            assert reply == 250, (name, reply)
    for number, (name, octets) in enumerate(sent):
        got = server.wait_mail(f"m{number}")[0].replace(b"\n", b"\r\n")
        assert got.endswith(octets), name
        assert OURS.match(got[:len(got) - len(octets)]), (name, got[:300])
