"""What the DNS says of a next hop, from the session to the report."""
import pytest

from harness import CONFIG, field
from names import Names

LETTER = b"From: ada@example.test\r\nSubject: out\r\n\r\nhello\r\n"
# For a name that no test asks about: to all others it says nothing.
ANCHOR = "elsewhere.test. IN DS 1 8 2 " + "00" * 32 + "\n"
OTHER = CONFIG.replace("domain example.test", "domain other.test").replace("mail.example.test", "mail.other.test")


@pytest.fixture
def names():
    server = Names({})
    yield server
    server.stop()


@pytest.fixture
def relaying(make_server, names):
    """A server that relays for us and asks NAMES; more of its configuration in MORE."""
    def make(more=""):
        server = make_server(start=False)
        anchor = server.write("anchor", ANCHOR)
        server.write_config(top=f"resolver 127.0.0.1:{names.port}; trust-anchor {anchor}; public-address 203.0.113.5;"
                                f" relay-from 127.0.0.1; {more}")
        return server.start()

    return make


def refused(server, recipient):
    """The record of the end of a message to RECIPIENT, and the report that its sender got."""
    assert server.send(LETTER, sender="ada@example.test", to=recipient) == 250
    record = server.wait_record("fail", to=recipient)
    report = server.wait_mail("ada")[0]
    assert field(report, "Auto-Submitted")
    return record, report


@pytest.mark.parametrize("rows, reason, status", [
    ({"other.test A": ["192.0.2.1"]}, "no-domain", "5.1.2"),
    ({"there.test MX": ["0 ."]}, "null-mx", "5.1.10"),
    ({"there.test TXT": []}, "no-mx", "5.1.2"),
    ({"there.test MX": ["10 gone.test"], "there.test A": ["192.0.2.1"]}, "no-mx", "5.4.4"),
    ({"there.test MX": ["10 mail.example.test"], "mail.example.test A": ["192.0.2.1"]}, "loop", "5.4.6"),
    ({"there.test MX": ["10 mx.test"], "mx.test A": ["203.0.113.5"]}, "loop", "5.4.6"),
    ({"there.test MX": ["10 mx.test"], "mx.test A": ["127.0.0.1"]}, "no-mx", "5.4.4"),
])
def test_c139_c141_c144_what_is_final_is_reported_at_once(relaying, names, rows, reason, status):
    names.rows = rows
    record, report = refused(relaying(), "bob@there.test")
    assert (record["reason"], record["status"]) == (reason, status)
    assert f"Status: {status}".encode() in report


def test_c139_a_broken_zone_is_waited_for(relaying, names):
    names.rows = {"there.test MX": "SERVFAIL"}
    server = relaying()
    assert server.send(LETTER, sender="ada@example.test", to="bob@there.test") == 250
    record = server.wait_record("defer", to="bob@there.test")
    assert (record["reason"], record["status"]) == ("dns", "4.4.3")


def test_a_next_hop_has_a_name(relaying, names, make_server):
    other = make_server(config=OTHER)
    names.rows = {"hop.test A": ["127.0.0.1"]}
    server = relaying(f"route other.test smtp://hop.test:{other.port};")
    assert server.send(LETTER, sender="ada@example.test", to="bob@other.test") == 250
    other.wait_mail("bob", domain="other.test")


def test_an_outage_is_told_once_and_costs_nobody_an_attempt(relaying, names, make_server):
    other = make_server(config=OTHER)
    names.rows = {"hop.test A": ["127.0.0.1"]}
    names.down = True
    server = relaying(f"route other.test smtp://hop.test:{other.port};")
    for number in range(6):
        assert server.send(LETTER, sender="ada@example.test", to=f"bob@d{number}.test") == 250
    record = server.wait_record("dns", state="failing")
    assert record["server"] == f"127.0.0.1@{names.port}"
    assert server.send(LETTER, sender="ada@example.test", to="bob@other.test") == 250
    names.down = False
    other.wait_mail("bob", domain="other.test")
    server.wait_record("dns", state="ok")
    assert len(server.records("dns")) == 2
    assert not server.records("defer", to="bob@other.test")


def test_a_trust_anchor_that_is_missing_takes_out_the_dns_alone(make_server):
    server = make_server(top="trust-anchor /nowhere/key; relay-from 127.0.0.1;")
    assert "/nowhere/key" in server.wait_record("dns", state="failing")["error"]
    assert server.send(LETTER) == 250
    server.wait_mail("ada")
    assert server.send(LETTER, sender="ada@example.test", to="bob@there.test") == 250
    assert server.wait_record("defer", to="bob@there.test")["reason"] == "dns"


def test_a_reload_asks_other_servers(relaying, names):
    server = relaying()
    others = Names({"there.test MX": ["0 ."]})
    server.write_config(top=server.values["top"].replace(str(names.port), str(others.port)))
    server.reload()
    record, _ = refused(server, "bob@there.test")
    assert record["reason"] == "null-mx"
    others.stop()
