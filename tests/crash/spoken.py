"""
What processes said to one another, from a record of their sendmsg and sendto calls: the frames of src/ipc/messages.def,
and the log records (src/log/record.h) in those that carry one.
"""
import collections
import os
import re

import disk_trace
from harness import ROOT

SENT = re.compile(r'^\d+<(?P<socket>(?:\\x[0-9a-f]{2})*)>'
                  r'(?:, |.*?msg_iov=\[\{iov_base=)"(?P<octets>(?:\\x[0-9a-f]{2})*)"(?P<cut>\.\.\.)?')
WIDTHS = {"U8": 1, "U16": 2, "U32": 4, "U64": 8, "I64": 8}
HEAD = 8
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Said = collections.namedtuple("Said", "start socket type fields")


def source(name):
    with open(os.path.join(ROOT, "src", name), encoding="utf-8") as text:
        return text.read()


def read_types():
    """[(TYPE, [(field, KIND)])] in the order of their numbers."""
    types = []
    for word, first, second, third in re.findall(r"^IPC_(MESSAGE|FIELD)\((\w+), (\w+), (\w+)",
                                                 source("ipc/messages.def"), re.M):
        if word == "MESSAGE":
            types.append((first, []))
        else:
            types[-1][1].append((third, second))
    return types


TYPES = read_types()
EVENTS = re.findall(r"^LOG_EVENT\(\w+, (\w+)", source("log/events.def"), re.M)
FIELDS = re.findall(r"^LOG_FIELD\(\w+, (\w+)", source("log/fields.def"), re.M)


def number(octets):
    return int.from_bytes(octets, "little")


def id_text(value):
    """As queue ids are printed (src/core/id.h)."""
    return "".join(DIGITS[value >> shift & 31] for shift in range(55, -1, -5))


def fields_of(kinds, octets):
    found = {}
    for name, kind in kinds:
        n = WIDTHS.get(kind) or 4 + number(octets[:4])
        found[name] = octets[4:n] if kind == "STR" else number(octets[:n])
        octets = octets[n:]
    assert not octets, "a frame that is not as messages.def says"
    return found


def record_of(octets):
    """(event, {field: octets}) of a log record."""
    fields, at = {}, 10
    while at < len(octets):
        n = number(octets[at + 2:at + 4])
        fields[FIELDS[octets[at]]] = octets[at + 4:at + 4 + n].decode("utf-8", "replace")
        at += 4 + n
    return EVENTS[octets[0]], fields


class Stream:
    """
    What one process wrote to one socket; a frame is said when its last octet is. A line of SMTP is the beginning of a frame
    that would be longer than all that is ever said.
    """

    def __init__(self, socket):
        self.socket = socket
        self.octets = b""

    def add(self, start, octets):
        self.octets += octets
        while len(self.octets) >= HEAD and len(self.octets) >= 4 + number(self.octets[:4]):
            end = 4 + number(self.octets[:4])
            name, kinds = TYPES[number(self.octets[4:6])]
            frame, self.octets = self.octets[HEAD:end], self.octets[end:]
            yield Said(start, self.socket, name, fields_of(kinds, frame))


def spoken(events):
    """All that was said, in the order in which its writing began."""
    streams, found = {}, []
    for event in sorted(events, key=lambda event: event.start):
        match = SENT.match(event.rest) if event.call in ("sendmsg", "sendto") else None
        if not match:
            continue
        octets = disk_trace.octets(match["octets"])
        if match["cut"]:
            # Only so much of a long write is shown; what is not is the content of messages.
            octets += bytes(max(0, event.result - len(octets)))
        stream = streams.setdefault(match["socket"], Stream(match["socket"]))
        found += stream.add(event.start, octets[:event.result])
    return found
