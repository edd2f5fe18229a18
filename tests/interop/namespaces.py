"""Two hosts on one cable, made of network namespaces: `here` is 10.99.0.1, all other addresses are `there`.

Mail by MX never leads to a host's own addresses, so who is to be found by MX must be another host. Needs root. The
namespaces have no names and end with the last process in them, however that ends.
"""
import contextlib
import ctypes
import os
import subprocess

from postfix import Unavailable

CLONE_NEWNET = 0x40000000
HERE = "10.99.0.1"
NAMES = "10.99.0.53"


def there(number):
    """An address of the other host."""
    return f"10.99.0.{number}"


def call(what, *arguments):
    if getattr(ctypes.CDLL(None, use_errno=True), what)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def current():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def ip(words):
    subprocess.run(["ip", *words.split()], check=True, timeout=20, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Network:
    """Its making moves the calling thread, and what it starts from then on, to `here`; close() moves it back."""

    def __init__(self, addresses=range(2, 10)):
        if os.getuid() != 0:
            raise Unavailable("needs root: network namespaces")
        self.home = current()
        try:
            self.there = self.unshare()
            with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as inside:
                self.here = self.unshare()
                ip(f"link add cable type veth peer name cable netns {inside.pid}")
            self.address(HERE)
            with self.on_the_other_side():
                for address in [NAMES, *map(there, addresses)]:
                    self.address(address)
        except (OSError, subprocess.SubprocessError) as bad:
            call("setns", self.home, CLONE_NEWNET)
            raise Unavailable("network namespaces are refused") from bad

    @staticmethod
    def unshare():
        call("unshare", CLONE_NEWNET)
        ip("link set lo up")
        return current()

    @staticmethod
    def address(address):
        ip(f"address add {address}/24 dev cable")
        ip("link set cable up")

    @contextlib.contextmanager
    def inside(self, namespace):
        call("setns", namespace, CLONE_NEWNET)
        try:
            yield
        finally:
            call("setns", self.here, CLONE_NEWNET)

    def on_the_other_side(self):
        """What is started and opened in here belongs to the other host."""
        return self.inside(self.there)

    def outside(self):
        """Where the package archive is."""
        return self.inside(self.home)

    def close(self):
        call("setns", self.home, CLONE_NEWNET)
        for opened in [self.home, self.here, self.there]:
            os.close(opened)
