"""A name server of a few lines, in a thread of the test, on a free port of loopback."""
import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "MX": 15, "AAAA": 28}


def name(text):
    labels = [label.encode() for label in text.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def data(kind, text):
    if kind == "MX":
        preference, host = text.split()
        return struct.pack(">H", int(preference)) + name(host)
    return ipaddress.ip_address(text).packed


class Names:
    """
    ROWS: {"host.test A": ["192.0.2.1"], "broken.test MX": "SERVFAIL"}. A name with no row at all does not exist.
    While it is `down` it answers nothing but SERVFAIL.
    """

    def __init__(self, rows):
        self.rows = rows
        self.down = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            question, peer = self.socket.recvfrom(4096)
            if not question:
                return
            self.socket.sendto(self.answer(question), peer)

    def answer(self, packet):
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
            at += 1 + packet[at]
        asked, kind = ".".join(labels), struct.unpack(">H", packet[at + 1:at + 3])[0]
        question = packet[12:at + 5]
        word = next((word for word, number in TYPES.items() if number == kind), "?")
        found = self.rows.get(f"{asked} {word}", [])
        if self.down or found == "SERVFAIL":
            return packet[:2] + b"\x81\x82" + struct.pack(">HHHH", 1, 0, 0, 0) + question
        known = any(row.split()[0] == asked for row in self.rows)
        records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 300, len(octets)) + octets
                           for octets in (data(word, text) for text in found))
        return (packet[:2] + (b"\x81\x80" if known else b"\x81\x83") +
                struct.pack(">HHHH", 1, len(found), 0, 0) + question + records)

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(timeout=20)
        self.socket.close()
