"""
What a disk holds for sure, from a record of system calls: the writes that a later sync covers, nothing else.

The record is strace's, one file a thread, with the start and the length of each call. A call's end is noted before its
process goes on, so whatever a process says after a sync is said after the end noted here.
"""
import os
import re

LINE = re.compile(r"^(?P<start>\d+\.\d+) (?P<call>\w+)\((?P<rest>.*)\)\s+= (?P<result>-?\d+|\?)(?P<tail>.*)$")
DURATION = re.compile(r"<(\d+\.\d+)>$")
DESCRIPTOR = re.compile(r"^(-?\d+|AT_FDCWD)<(?P<path>(?:\\x[0-9a-f]{2})*)>")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')

CALLS = ("openat,openat2,pwritev,pwritev2,pwrite64,write,fdatasync,fsync,unlinkat,unlink,rename,renameat,renameat2,"
         "ftruncate,fallocate,mkdirat")


def octets(text):
    return bytes.fromhex(text.replace("\\x", ""))


class Event:
    def __init__(self, start, end, call, rest, result, injected):
        self.start, self.end, self.call, self.rest = start, end, call, rest
        self.result, self.injected = result, injected


def read_events(folder):
    """All calls that succeeded, in the order in which they ended."""
    events = []
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="ascii", errors="replace") as text:
            for line in text:
                match = LINE.match(line.rstrip("\n"))
                if not match or match["result"].startswith("-") or match["result"] == "?":
                    continue
                took = DURATION.search(match["tail"])
                start = float(match["start"])
                events.append(Event(start, start + float(took[1]) if took else start, match["call"], match["rest"],
                                    int(match["result"]), "INJECTED" in match["tail"]))
    return sorted(events, key=lambda event: event.end)


def path_of(rest):
    match = DESCRIPTOR.match(rest)
    return octets(match["path"]).decode() if match else None


def named(rest):
    """The path of an *at call: its folder and its name."""
    folder, name = path_of(rest), STRING.search(rest)
    if not name:
        return None
    name = octets(name[1]).decode()
    return name if name.startswith("/") else os.path.join(folder or "", name)


class File:
    def __init__(self):
        self.synced = bytearray()
        self.pending = []  # (end, offset, octets)

    def write(self, end, offset, data):
        self.pending.append((end, offset, data))

    def sync(self, start):
        """Covers what had been written before it began."""
        later = []
        for end, offset, data in self.pending:
            if end > start:
                later.append((end, offset, data))
                continue
            if len(self.synced) < offset + len(data):
                self.synced.extend(bytes(offset + len(data) - len(self.synced)))
            self.synced[offset:offset + len(data)] = data
        self.pending = later


class Disk:
    """
    The folder ROOT, and what is below it, as a power cut leaves it: synced octets, synced names; what was unlinked is gone.
    SYNCED(path, file) is called after each sync of a file.
    """

    def __init__(self, root, synced=None):
        self.root = os.path.realpath(root)
        self.files = {}      # path now -> File
        self.new_names = {}  # path -> end of the call that made it
        self.new_folders = {}
        self.durable = {}    # path -> File
        self.places = {}     # path -> where a write without an offset goes
        self.synced = synced or (lambda path, file: None)

    def apply(self, event):
        if event.injected:
            return
        handler = getattr(self, "on_" + event.call, None)
        if handler:
            handler(event)

    def inside(self, path):
        return path is not None and path.startswith(self.root + "/")

    def on_openat(self, event):
        path = named(event.rest)
        if not self.inside(path):
            return
        if path not in self.files and "O_CREAT" in event.rest:
            self.files[path] = File()
            self.new_names[path] = event.end
        if "O_TRUNC" in event.rest and path in self.files:
            self.files[path] = File()
        self.places[path] = 0

    on_openat2 = on_openat

    def written(self, event, offset):
        path = path_of(event.rest)
        if not self.inside(path):
            return
        data = b""
        cut = False
        for match in STRING.finditer(event.rest):
            data += octets(match[1])
            cut = cut or bool(match[2])
        if len(data) < event.result or cut:
            # strace shows only so much of a large write; those are zeros that fill a segment ahead of need.
            assert not data.strip(b"\0"), f"a large write of something else to {path}"
            data = bytes(event.result)
        self.files.setdefault(path, File()).write(event.end, offset, data[:event.result])

    def on_pwrite64(self, event):
        self.written(event, int(event.rest.rsplit(", ", 1)[1]))

    def on_pwritev(self, event):
        self.written(event, int(event.rest.rsplit(", ", 1)[1]))

    def on_pwritev2(self, event):
        self.written(event, int(event.rest.rsplit(", ", 2)[1]))

    def on_write(self, event):
        path = path_of(event.rest)
        if self.inside(path):
            self.written(event, self.places.get(path, 0))
            self.places[path] = self.places.get(path, 0) + event.result

    def on_fdatasync(self, event):
        path = path_of(event.rest)
        if self.inside(path) and path in self.files:
            self.files[path].sync(event.start)
            self.synced(path, self.files[path])
            return
        for name, end in list(self.new_names.items()):
            if os.path.dirname(name) == path and end <= event.start and name in self.files:
                self.durable[name] = self.files[name]
                del self.new_names[name]
        for name, end in list(self.new_folders.items()):
            if os.path.dirname(name) == path and end <= event.start:
                del self.new_folders[name]

    on_fsync = on_fdatasync

    def on_mkdirat(self, event):
        path = named(event.rest)
        if self.inside(path):
            self.new_folders[path] = event.end

    def has(self, path):
        """Its name and those of its folders are durable."""
        return path in self.durable and not any(path.startswith(folder + "/") for folder in self.new_folders)

    def on_unlinkat(self, event):
        path = named(event.rest)
        for names in [self.files, self.durable, self.new_names]:
            names.pop(path, None)

    def on_renameat2(self, event):
        halves = re.findall(r'(?:\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>, "((?:\\x[0-9a-f]{2})*)"', event.rest)
        if len(halves) != 2:
            return
        old, new = [os.path.join(octets(folder).decode(), octets(name).decode()) for folder, name in halves]
        if self.inside(old) and old in self.files:
            self.files[new] = self.files.pop(old)
            self.durable.pop(old, None)
            self.new_names[new] = event.end

    on_renameat = on_renameat2
    on_rename = on_renameat2

    def write_to(self, folder):
        for path, file in self.durable.items():
            with open(os.path.join(folder, os.path.relpath(path, self.root)), "wb") as out:
                out.write(file.synced)
