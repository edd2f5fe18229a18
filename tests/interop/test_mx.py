"""Mail by MX (RFC 5321 5.1): who gets it, who never does, and what is told the sender."""
import collections
import os
import shutil
import socket
import threading

import pytest

from peer_fixtures import *  # noqa: F401,F403

import zones
from harness import field, until
from namespaces import HERE, there
from peer import Peer

LETTER = b"From: ada@example.test\r\nSubject: out\r\n\r\nhello\r\n"
A, B, C, DOWN = (there(number) for number in (2, 3, 4, 9))

RECORDS = f"""
a IN A {A}
b IN A {B}
c IN A {C}
down IN A {DOWN}
two IN A {DOWN}
two IN A {B}
mail.example IN A {HERE}
us.by.another.name IN A {HERE}
local IN A 127.0.0.1

first IN MX 10 a
first IN MX 20 b
second IN MX 10 down
second IN MX 20 b
second IN MX 30 c
busy IN MX 10 busy-host
busy IN MX 20 b
busy-host IN A {there(5)}
*.spread IN MX 10 a
*.spread IN MX 10 b
*.spread IN MX 10 c
addresses IN MX 10 two
alias IN CNAME first
bare IN A {A}
null IN MX 0 .
dangling IN MX 10 gone.test.
dangling IN A {A}
ours IN MX 10 mail.example
ours-by-address IN MX 10 us.by.another.name
loopback IN MX 10 local
backup IN MX 10 a
backup IN MX 20 mail.example
backup IN MX 30 c
late IN MX 10 down
late IN MX 20 mail.example
late IN MX 30 c
worst IN MX 10 mail.example
worst IN MX 20 c
"""

SIGNED = """$ORIGIN {zone}.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
@ IN MX 10 mx
ns IN A 10.99.0.53
mx IN A 10.99.0.2
"""


class Host(Peer):
    """A host that can be found by MX: at an ADDRESS, on port 25."""

    def __init__(self, address, answer=None):
        super().__init__(answer)
        super().close()
        self.lines.clear()
        self.listener = socket.create_server((address, 25))
        threading.Thread(target=self.run, daemon=True).start()

    def senders(self):
        return sorted(sender for sender, _, _ in self.messages)

    def recipients(self):
        return sorted(recipient for _, recipients, _ in self.messages for recipient in recipients)


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """Anchors and files of a signed zone, and of one that was changed afterwards."""
    if not shutil.which("ldns-signzone") or not shutil.which("ldns-keygen"):
        pytest.skip("ldns-signzone is not installed")
    folder = str(tmp_path_factory.mktemp("zones"))
    anchors = "".join(zones.sign(folder, zone, SIGNED.format(zone=zone)) for zone in ["good.test", "changed.test"])
    zones.change(folder, "changed.test", A, C)
    return anchors, {zone: os.path.join(folder, zone + ".signed") for zone in ["good.test", "changed.test"]}


@pytest.fixture(scope="module")
def names(network, serve, signed):
    serve(RECORDS, **signed[1])


@pytest.fixture
def hosts(network, names):
    """{address: Host} of A, B and C."""
    with network.on_the_other_side():
        made = {address: Host(address) for address in (A, B, C)}
    yield made
    for host in made.values():
        host.close()


def send(server, recipient):
    assert server.send(LETTER, sender="ada@example.test", to=recipient) == 250


@pytest.mark.parametrize("domain, address", [
    ("first", A), ("second", B), ("addresses", B), ("alias", A), ("bare", A)])
def test_c137_c140_the_best_host_that_is_there_gets_it_once(make_host, hosts, domain, address):
    server = make_host()
    send(server, f"kim@{domain}.test")
    record = server.wait_record("deliver", to=f"kim@{domain}.test")
    assert record["peer"].startswith(address)
    assert {at: host.recipients() for at, host in hosts.items() if host.messages} == {address: [f"kim@{domain}.test"]}


def test_c140_a_host_that_takes_nobody_is_passed_over(make_host, network, hosts):
    with network.on_the_other_side():
        busy = Host(there(5), lambda verb, line: "421 4.3.2 too much to do" if not verb else None)
    server = make_host()
    send(server, "kim@busy.test")
    until(lambda: hosts[B].messages, "the message at the second host")
    assert not busy.messages and not hosts[A].messages and not hosts[C].messages
    busy.close()


def test_c140_hosts_of_equal_preference_share_the_mail(make_host, hosts):
    """Their order is drawn for each plan: for each domain, that is."""
    server = make_host("reuse 1;")
    for number in range(60):
        send(server, f"kim@d{number}.spread.test")
    until(lambda: sum(len(host.messages) for host in hosts.values()) >= 60, "60 messages")
    server.wait_queue_empty()
    shares = {address: len(host.messages) for address, host in hosts.items()}
    assert sum(shares.values()) == 60 and min(shares.values()) > 0, shares
    got = collections.Counter(recipient for host in hosts.values() for recipient in host.recipients())
    assert set(got.values()) == {1} and len(got) == 60


@pytest.mark.parametrize("domain, reason, status", [
    ("null", "null-mx", "5.1.10"), ("gone", "no-domain", "5.1.2"), ("dangling", "no-mx", "5.4.4"),
    ("ours", "loop", "5.4.6"), ("ours-by-address", "loop", "5.4.6"), ("worst", "loop", "5.4.6"),
    ("loopback", "no-mx", "5.4.4")])
def test_c138_c139_c141_c144_what_leads_nowhere_is_reported(make_host, hosts, domain, reason, status):
    server = make_host()
    send(server, f"kim@{domain}.test")
    record = server.wait_record("fail", to=f"kim@{domain}.test")
    assert (record["reason"], record["status"]) == (reason, status)
    report = server.wait_mail("ada")[0]
    assert field(report, "Auto-Submitted") and f"Status: {status}".encode() in report
    assert not any(host.messages or host.lines for host in hosts.values())


BACKUP = "domain backup.test late.test {{ users any; deliver mx; }} {}"


def test_c141_as_backup_we_pass_mail_to_the_better_host(make_host, hosts):
    server = make_host(BACKUP.format(""))
    for number in range(30):
        send(server, f"m{number}@backup.test")
    server.wait_queue_empty()
    assert len(hosts[A].messages) == 30 and len(set(hosts[A].recipients())) == 30
    assert not hosts[C].messages


def test_c141_as_backup_we_wait_for_the_better_host_and_never_ask_a_worse_one(make_host, network, hosts):
    server = make_host(BACKUP.format("retry 1s; dead-host 1s;"))
    send(server, "kim@late.test")
    assert server.wait_record("defer", to="kim@late.test")["status"].startswith("4.4.")
    with network.on_the_other_side():
        back = Host(DOWN)
    until(lambda: back.messages, "the message at the host that is back")
    assert back.recipients() == ["kim@late.test"] and not hosts[C].lines
    back.close()


def test_c139_a_signed_zone_is_believed_and_a_changed_one_is_waited_for(make_host, hosts, signed):
    server = make_host(anchor=signed[0])
    send(server, "kim@good.test")
    until(lambda: hosts[A].messages, "the message")
    send(server, "kim@changed.test")
    record = server.wait_record("defer", to="kim@changed.test")
    assert (record["reason"], record["status"][0]) == ("dns", "4")
    assert not hosts[C].lines
