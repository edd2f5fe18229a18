"""DNSSEC: zones signed by ldns-signzone, served by nsd, validated by us."""
import glob
import os
import shutil

import pytest

import nsd
import zones

ASK = os.path.join(os.environ["VEREDUS_BUILD"], "tests", "interop", "ask-dns")

ZONE = """$ORIGIN {zone}.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
@ IN MX 10 mx
ns IN A 127.0.0.1
mx IN A 192.0.2.1
mx IN AAAA 2001:db8::1
alias IN CNAME mx
"""


def sign(folder, zone, *options):
    return zones.sign(folder, zone, ZONE.format(zone=zone), *options)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Port, and file of anchors, of a server of a plain, a well signed, an expired and a changed zone."""
    if not shutil.which("ldns-signzone") or not shutil.which("ldns-keygen"):
        pytest.skip("ldns-signzone is not installed")
    try:
        nsd.program()
    except nsd.Unavailable as why:
        pytest.skip(str(why))
    folder = str(tmp_path_factory.mktemp("zones"))
    anchors = sign(folder, "good.example") + sign(folder, "changed.example")
    anchors += sign(folder, "expired.example", "-i", "20200101", "-e", "20200201")
    zones.change(folder, "changed.example", "192.0.2.1", "192.0.2.66")
    zones.write(folder, "plain.example", ZONE.format(zone="plain.example"))
    zones.write(folder, "anchors", anchors)
    served_zones = {os.path.basename(p)[:-len(".signed")]: p for p in glob.glob(os.path.join(folder, "*.signed"))}
    server = nsd.Nsd(folder, {**served_zones, "plain.example": os.path.join(folder, "plain.example")})
    yield server.port, os.path.join(folder, "anchors")
    server.stop()


def ask(served, *questions):
    port, anchors = served
    words = [word for question in questions for word in question.split()]
    return zones.run(ASK, str(port), anchors, *words, cwd="/").splitlines()


def test_a_signed_zone_is_secure(served):
    assert ask(served, "good.example MX", "mx.good.example A", "mx.good.example AAAA", "alias.good.example A") == [
        "found secure 1 ", "found secure 1 ", "found secure 1 ", "found secure 1 "]


def test_that_there_is_nothing_is_proved_too(served):
    assert ask(served, "ns.good.example AAAA", "gone.good.example MX") == [
        "no-data secure 0 ", "no-name secure 0 "]


def test_a_plain_zone_is_insecure_and_good(served):
    assert ask(served, "plain.example MX", "mx.plain.example A", "gone.plain.example A") == [
        "found insecure 1 ", "found insecure 1 ", "no-name insecure 0 "]


def test_a_changed_record_is_bogus_and_the_others_are_not(served):
    changed, other = ask(served, "mx.changed.example A", "mx.changed.example AAAA")
    assert changed.startswith("bogus insecure 0 ")
    # Later versions of libunbound have other words for it.
    assert "signature verification failed" in changed or "signature crypto failed" in changed
    assert other == "found secure 1 "


def test_signatures_that_are_over_make_bogus(served):
    line = ask(served, "expired.example MX")[0]
    assert line.startswith("bogus insecure 0 ")
    assert "signature expired" in line


def test_without_an_anchor_nothing_is_said_to_be_secure(served, tmp_path):
    elsewhere = tmp_path / "anchors"
    elsewhere.write_text("elsewhere.example. IN DS 1 8 2 " + "00" * 32 + "\n")
    assert ask((served[0], str(elsewhere)), "good.example MX", "mx.changed.example A") == [
        "found insecure 1 ", "found insecure 1 "]
