"""Ports of 127.0.0.1 for servers that are told where to listen.

A port that was merely found free may be somebody else's a moment later: of another test that looks for one, or of any
connection that begins. These lie where the system takes none from by itself, and a lock tells other tests whose they are,
while nobody listens on them, too: between two runs of a server, and as the address of a host that is down.
"""
import fcntl
import itertools
import os
import socket
import tempfile

FIRST = 10000


def span():
    """The ports below those that connections get."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as text:
            low, high = map(int, text.read().split())
    except OSError:
        low, high = 32768, 60999
    return range(FIRST, low) if low > FIRST + 5000 else range(high + 1, 65536)


def open_locks():
    """One octet for each port. A lock ends with its process, however that ends."""
    path = os.path.join(tempfile.gettempdir(), f"veredus-ports-{os.getuid()}")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def candidates():
    """All of them again and again, from a place on where other processes do not begin."""
    ports = span()
    start = os.getpid() * 97 % len(ports)
    return itertools.cycle([*ports[start:], *ports[:start]])


LOCKS = open_locks()
NEXT = candidates()
given = set()


def is_free(port):
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def claim(port):
    try:
        fcntl.lockf(LOCKS, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    if is_free(port):
        return True
    fcntl.lockf(LOCKS, fcntl.LOCK_UN, 1, port)
    return False


def free_port():
    """A port, of TCP and UDP, that is this process's until it ends."""
    port = next(port for port in NEXT if port not in given and claim(port))
    given.add(port)
    return port
