"""NSD, a name server: the one that is installed, else Debian's package unpacked into a folder of its own.

The package is not asked for by tools/deps: it would start a server of its own on port 53.
"""
import os
import shutil
import socket
import subprocess
import time

from postfix import Unavailable, free_port, unpack

CONFIG = """\
server:
    ip-address: {address}
    port: {port}
    username: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/pid"
    xfrdfile: "{folder}/xfrd"
    zonelistfile: "{folder}/list"
    xfrdir: "{folder}"
    server-count: 1
remote-control:
    control-enable: no
"""


def program():
    """The path of nsd; downloads it once when it is not installed."""
    installed = shutil.which("nsd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if installed:
        return installed
    path = os.path.join(unpack("nsd", ["nsd"], "usr/sbin/nsd"), "usr/sbin/nsd")
    found = subprocess.run(["ldd", path], text=True, stdout=subprocess.PIPE, check=False).stdout
    missing = [line.split()[0] for line in found.splitlines() if "not found" in line]
    if missing:
        raise Unavailable(f"nsd lacks {' '.join(missing)}")
    return path


class Nsd:
    """Serves ZONES (name: file) on a free port of loopback, or elsewhere, until stop(). FOLDER is its to write in."""

    def __init__(self, folder, zones, address="127.0.0.1", port=None):
        self.address = address
        self.port = port or free_port()
        self.log = os.path.join(folder, "nsd.log")
        config = os.path.join(folder, "nsd.conf")
        with open(config, "w", encoding="ascii") as out:
            out.write(CONFIG.format(address=address, port=self.port, folder=folder))
            for zone, path in zones.items():
                out.write(f'zone:\n    name: "{zone}"\n    zonefile: "{path}"\n')
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([program(), "-d", "-c", config], stdout=log, stderr=log)
        self.wait()

    def wait(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        with open(self.log, encoding="utf-8", errors="replace") as log:
            raise AssertionError("nsd does not come up: " + log.read())

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)
