"""Messages of many kinds, and whether they arrived: each once, octet for octet below the trace fields."""
import os
import re

import test_mime
from harness import Wire, below_trace, until

# What hosts put in front of a message that they pass on or deliver (RFC 5321 4.4 and their own habits).
TRACE = re.compile(rb"(?:(?:Return-Path|Delivered-To|X-Original-To|Envelope-to|Delivery-date|Received): ?[^\r]*\r\n"
                   rb"(?:[ \t][^\r]*\r\n)*)+", re.I)
RECEIVED = re.compile(rb"(?mi)^Received:")

HEADER = b"From: Ada <ada@example.test>\r\nTo: kim@peer.test\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n" \
         b"Message-ID: <%d@example.test>\r\nSubject: %s\r\n"
BODIES = {
    "plain": b"\r\nhello\r\n",
    "empty-body": b"\r\n",
    "dots": b"\r\n.\r\n..\r\n...\r\n.x\r\nx.\r\n\r\n.\r\n",
    "dots-alone": b"\r\n.\r\n.\r\n",
    "blank-lines-at-the-end": b"\r\nx\r\n\r\n\r\n\r\n",
    "blanks-at-the-ends-of-lines": b"\r\nx \r\n \r\n\t\r\nx\t \r\n",
    "from-lines": b"\r\nFrom ada Mon\r\n>From bob\r\n\r\nFrom x\r\n",
    "lines-of-998": b"\r\n" + (b"x" * 998 + b"\r\n") * 20,
    "lines-of-998-dots": b"\r\n" + (b"." * 997 + b"\r\n") * 20,
    "utf-8": "\r\nGrüße, ελληνικά, 日本語, 😀\r\n".encode(),
    "every-octet-from-128": b"\r\n" + bytes(range(128, 256)) + b"\r\n",
    "every-octet-below-128": b"\r\n" + bytes(n for n in range(1, 128) if n not in (10, 13)) + b"\r\n",
    "folded": b"X-Long: a\r\n b\r\n\tc\r\n  d\r\n" + b"X-More: y\r\n" * 50 + b"\r\nx\r\n",
    "long-fields": b"".join(b"X-Field-%d: %s\r\n" % (n, b"y" * 900) for n in range(20)) + b"\r\nx\r\n",
    "much-trace": b"Received: from a.example by b.example; Sat, 21 Nov 2026 11:00:00 +0000\r\n" * 10 + b"\r\nx\r\n",
    "multipart": b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=-\r\n\r\n---\r\n\r\na\r\n---\r\n"
                 b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nLg0KLg0K\r\n-----\r\n",
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=2E=0D=0Ax=\r\n.=\r\n.\r\n",
    "many-short-lines": b"\r\n" + b".\r\n" * 20000,
    "4-MiB": b"\r\n" + b"".join(b"%07d seventy octets and a few more, so that the buffers of both hosts fill.\r\n" % n
                                for n in range(52000)),
    "1-MiB-of-8-bit-octets": b"\r\n" + (bytes(range(128, 256)) * 7 + b"\r\n") * 1168,
}


def own():
    return [(name, HEADER % (n, name.encode()) + rest) for n, (name, rest) in enumerate(BODIES.items())]


def messages():
    """(name, octets) of each: the published ones where they are at hand, and ours."""
    return own() + (test_mime.messages() if test_mime.ROOT else [])


def eight_bit(octets):
    return any(octet > 127 for octet in octets)


def send(port, sent, domain, host="127.0.0.1", sender="ada@example.test"):
    """Number N is for mN@DOMAIN."""
    with Wire(port, host) as wire:
        wire.ehlo()
        for number, (name, octets) in enumerate(sent):
            body = " BODY=8BITMIME" if eight_bit(octets) else ""
            reply = wire.transaction(octets, f"m{number}@{domain}", sender, body)
            assert reply == 250, (name, reply)
        wire.cmd("QUIT")


def maildirs(folder):
    """What check() asks, of the mailboxes in FOLDER, each with the name of its user."""
    def arrived(number):
        new, found = os.path.join(folder, f"m{number}", "new"), []
        for name in os.listdir(new) if os.path.exists(new) else []:
            with open(os.path.join(new, name), "rb") as message:
                found.append(message.read().replace(b"\n", b"\r\n"))
        return found
    return arrived


def wait_all(sent, arrived, log):
    """Until each of SENT has come; LOG() is what the peer says when one does not."""
    until(lambda: all(arrived(number) for number in range(len(sent))), lambda: "mail; it says\n" + log()[-3000:], 60)
    return arrived


def is_exact(octets, got, hops):
    head = got[:len(got) - len(octets)]
    return got.endswith(octets) and TRACE.fullmatch(head) and len(RECEIVED.findall(head)) == hops


def check(sent, arrived, hops, control=None):
    """
    ARRIVED(number) are the messages in the mailbox mNUMBER, with HOPS Received fields of our time; CONTROL(number) is
    what a peer that mends what it gets makes of that message when it has it from nobody but its author. The number
    of messages that the peer changed.
    """
    found = [until(lambda n=number: arrived(n), f"the arrival of {name}", 60) for number, (name, _) in enumerate(sent)]
    counts = {name: len(got) for (name, _), got in zip(sent, found)}
    assert set(counts.values()) == {1}, counts
    changed = []
    for number, ((name, octets), (got,)) in enumerate(zip(sent, found)):
        if not is_exact(octets, got, hops):
            changed.append(name)
            made = control and control(number)[0]
            assert made and below_trace(got) == below_trace(made), (name, got[:1000], octets[:600])
    return len(changed)
