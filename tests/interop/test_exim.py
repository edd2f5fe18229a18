"""Exim on the other end, both ways: every message arrives once, octet for octet below the trace fields (C052)."""
import pytest

from both_ways import *  # noqa: F401,F403

import corpus
import root
from namespaces import HERE, there

# It would leave fields out, and keep the eleventh message of a session for later.
CONFIG = """\
exim_path = /usr/sbin/exim4
primary_hostname = exim.example.test
spool_directory = {work}/spool
log_file_path = {work}/spool/%slog
pid_file_path = {work}/spool/pid
daemon_smtp_ports = 25
local_interfaces = {address}
{tls}
keep_environment =
acl_smtp_rcpt = all
acl_smtp_data = all
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 0
smtp_accept_queue_per_connection = 0
received_headers_max = 1000
return_path_remove = false
delivery_date_remove = false
envelope_to_remove = false

begin acl
all:
  accept

begin routers
to_us:
  driver = manualroute
  domains = example.test
  route_list = * {here}
  transport = smtp
kept:
  driver = accept
  domains = peer.test : smart.test : direct.test
  local_parts = dsearch,filter=dir;{work}/users
  transport = mailbox

begin transports
smtp:
  driver = smtp
  {tls_out}
  message_linelength_limit = 1000000
mailbox:
  driver = appendfile
  user = nobody
  group = nogroup
  maildir_format
  create_directory
  directory = {work}/mail/$domain_data/$local_part_data

begin retry
* * F,1h,5s
"""


class Exim(root.Peer):
    """Keeps mail for peer.test, smart.test and direct.test in Maildirs, and gives all other to us."""

    name = "exim"
    packages = ["exim4-base", "exim4-daemon-light"]
    program = "usr/sbin/exim4"
    accounts = ["Debian-exim"]
    tls = "tls_advertise_hosts ="
    tls_out = "hosts_avoid_tls = *"

    def start(self):
        for number in range(200):
            self.folder(f"users/m{number}")
        self.folder("etc/exim4")
        self.write("etc/exim4/exim4.conf", CONFIG.format(work=self.work, address=there(2), here=HERE,
                                                             tls=self.tls.format(work=self.work),
                                                             tls_out=self.tls_out.format(work=self.work)))
        self.folder("spool", 64000)
        return self.launch(there(2), 25, "/usr/sbin/exim4", "-bdf")

    def log(self):
        return super().log() + "".join(open(self.path("spool", name), encoding="utf-8", errors="replace").read()
                                       for name in ["mainlog", "paniclog"])

    def arrived(self, domain):
        return corpus.maildirs(self.path("mail", domain))


@pytest.fixture(scope="module")
def peer(start_peer, serve):
    serve()
    return start_peer(Exim)
