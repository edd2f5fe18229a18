"""
What the log of a spool says for sure: the frames whose every octet is synced (docs/SPOOL.md 5). Sums are not looked at; whether
they are right is what recovery shows, this is about when.
"""
import collections
import os
import re

BLOCK = 4096
MESSAGE, OUTCOME, GONE = 1, 2, 6
TOLD = 4  # failed, and its sender knows (docs/SPOOL.md 5)
RECIPIENT, NUMBER, STATE, ATTEMPTS, REPORT = 0x8001, 0x8001, 0x8002, 3, 0x8014

Message = collections.namedtuple("Message", "file file_octets report")


def number(octets):
    return int.from_bytes(octets, "little")


def tags(octets):
    """[(tag, octets)] of an envelope or a state."""
    found, at = [], 0
    while at + 6 <= len(octets):
        n = number(octets[at + 2:at + 6])
        found.append((number(octets[at:at + 2]), octets[at + 6:at + 6 + n]))
        at += 6 + n
    return found


def states(octets):
    """{number of a recipient: attempts and state} of those that were tried."""
    found = {}
    for tag, inner in tags(octets):
        if tag == RECIPIENT:
            of = {inner_tag: number(value) for inner_tag, value in tags(inner)}
            found[of[NUMBER]] = (of.get(ATTEMPTS, 0), of.get(STATE, 0))
    return found


class Frames:
    """Fed with the files that were synced; knows the frames that count since."""

    def __init__(self):
        self.next = {}      # path -> block of its next frame
        self.messages = {}  # id -> Message
        self.states = {}    # id -> {number: (attempts, state)}
        self.gone = set()
        self.frame_of = {}  # (kind, id) -> number of the frame that said it last
        self.first_told = {}  # id -> number of the first frame that said of a recipient that its sender was told

    def synced(self, path, file):
        if not re.fullmatch(r"log-[0-9a-f]{8}", os.path.basename(path)):
            return
        at = self.next.setdefault(path, 1)
        while file.synced[at * BLOCK:at * BLOCK + 4] == b"VSfr":
            blocks = number(file.synced[at * BLOCK + 32:at * BLOCK + 36])
            frame = bytes(file.synced[at * BLOCK:(at + blocks) * BLOCK])
            if len(frame) < blocks * BLOCK:
                break
            self.take(frame)
            at += blocks
        self.next[path] = at

    def take(self, frame):
        records, here = number(frame[4:8]), number(frame[16:24])
        meta = 64 + 32 * records
        for row in range(64, meta, 32):
            kind, n, name = number(frame[row:row + 2]), number(frame[row + 4:row + 8]), number(frame[row + 8:row + 16])
            self.record(kind, name, frame[meta:meta + n])
            self.frame_of[kind, name] = here
            if TOLD in [state for _, state in self.states.get(name, {}).values()]:
                self.first_told.setdefault(name, here)
            meta += n

    def record(self, kind, name, meta):
        if kind == MESSAGE:
            envelope = dict(tags(meta[64:]))
            self.messages[name] = Message(number(meta[24:32]), number(meta[32:40]), REPORT in envelope)
        elif kind == OUTCOME:
            self.states[name] = states(meta[8:])
        elif kind == GONE:
            self.gone.add(name)

    def tells(self, name, recipient):
        """An outcome of this recipient, or the end of its message, is durable."""
        return name in self.gone or recipient in self.states.get(name, {})
