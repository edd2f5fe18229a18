"""Destinations: rates, what replies make of them, veredus site list, show, pause and resume."""
import json
import os
import re
import subprocess
import time

import pytest

from harness import PROGRAM, until
from peer import Peer

LETTER = b"From: ada@example.test\r\nSubject: out\r\n\r\nhello\r\n"


@pytest.fixture
def make_peer():
    made = []

    def make(answer=None):
        made.append(Peer(answer))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


def veredus(server, *arguments, status=0):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "VEREDUS_CONFIG": server.path("veredus.conf")}, stdin=subprocess.DEVNULL)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stdout + done.stderr


def sites(server):
    return {row["site"]: row for row in map(json.loads, veredus(server, "site", "list", "--json").splitlines())}


def out(server, to, sender="ada@example.test"):
    reply = server.send(LETTER, sender=sender, to=to)
    assert reply == 250
    return reply.id


def relaying(make_server, top=""):
    return make_server(top=f"relay-from 127.0.0.1; {top}")


def test_a_rate_holds(make_server, make_peer):
    times = []
    peer = make_peer(lambda verb, line: times.append(time.monotonic()) if verb == "." else None)
    server = relaying(make_server, f"rate 3/2s; route far.test smtp://127.0.0.1:{peer.port};")
    for _ in range(9):
        out(server, "bob@far.test")
    until(lambda: len(peer.messages) == 9, "all nine", 30)
    # Three at once, then one in each two thirds of a second.
    assert times[8] - times[0] >= 3.9
    assert times[5] - times[0] >= 1.9


def test_a_rate_says_what_holds_the_site(make_server, make_peer):
    peer = make_peer()
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{peer.port} {{ rate 1/h; }}")
    for _ in range(3):
        out(server, "bob@far.test")
    until(lambda: len(peer.messages) == 1, "the first")
    row = until(lambda: next((r for r in sites(server).values() if r["waiting"] == 2), None), "two that wait")
    assert re.fullmatch(r"rate 1 in 3600s, veredus.conf:\d+", row["cause"])
    assert row["ok"] == 100 and row["put_off"] == 0
    assert len(peer.messages) == 1


def test_on_reply_defers_fails_and_holds(make_server, make_peer):
    replies = {"bob": "550 5.7.1 come back later", "carol": "450 4.2.0 gone for good", "dora": "554 5.7.9 Suspicious"}
    peer = make_peer(lambda verb, line: next((r for n, r in replies.items() if n in line), None) if verb == "RCPT" else None)
    server = relaying(make_server, 'on-reply 5.7.* "come back" defer; on-reply 450 "GONE" fail; '
                      f'on-reply 554 "suspicious" hold; route far.test smtp://127.0.0.1:{peer.port};')
    bob, carol, dora = (out(server, f"{name}@far.test") for name in replies)
    record = server.wait_record("defer", id=bob)
    assert (record["code"], record["status"], record["reply"]) == (550, "5.7.1", "5.7.1 come back later")
    assert record["on_reply"] == "defer" and re.fullmatch(r"veredus.conf:\d+", record["on_reply_rule"])
    record = server.wait_record("fail", id=carol)
    assert (record["code"], record["status"], record["on_reply"]) == (450, "4.2.0", "fail")
    record = server.wait_record("hold", id=dora)
    assert record["reason"] == "policy" and re.search(r"Suspicious \(on-reply of veredus.conf:\d+\)", record["error"])
    assert "held" in veredus(server, "queue", "list", dora)


def test_what_a_host_says_stands_beside_what_is_done_about_it(make_server, make_peer):
    """RFC 3464 2.3.4: Status is of the class of the action; Diagnostic-Code is what the host said."""
    peer = make_peer(lambda verb, line: "550 5.7.1 not from you, mail.test" if verb == "RCPT" else None)
    server = relaying(make_server, 'on-reply 5.7.1 "not from you" defer; retry 1s; delay-warning 2s; expire 5s; '
                      f"route far.test smtp://127.0.0.1:{peer.port};")
    name = out(server, "bob@far.test")
    record = server.wait_record("defer", id=name)
    rule = record["on_reply_rule"]
    said = "550 5.7.1 not from you, mail.test"
    text = veredus(server, "explain", name)
    assert f"refuses it for good, and on-reply of {rule} says to try again" in text and said in text
    assert re.search(rf"^  on-reply +defer +{rule}: a 550 like this is tried again$", text, re.M)
    row = json.loads(veredus(server, "explain", name, "--json"))["groups"][0]
    assert (row["code"], row["status"], row["on_reply"], row["on_reply_rule"]) == (550, "5.7.1", "defer", rule)
    assert re.search(rf"{said} \(\d+ attempts?; on-reply defer, {rule}\)", veredus(server, "queue"))
    assert said in veredus(server, "queue", "show", name) and f"on-reply defer: {rule}" in veredus(server, "queue", "show", name)
    server.stop()
    server.start()
    row = json.loads(veredus(server, "queue", "list", "--json"))
    assert (row["code"], row["status"], row["on_reply_rule"]) == (550, "5.7.1", rule)
    delayed, failed = server.wait_mail("ada", 2)
    assert delayed.index(b"Action: delayed") < delayed.index(b"Status: 4.7.1")
    assert failed.index(b"Action: failed") < failed.index(b"Status: 5.4.7")
    for report in [delayed, failed]:
        assert f"Diagnostic-Code: smtp; {said}".encode() in report
    record = server.wait_record("fail", id=name)
    assert record["reason"] == "expired" and record["status"] == "5.4.7" and "code" not in record
    assert record["error"].endswith(f"; last: {said}")
    assert f"on-reply defer of {rule}" in veredus(server, "trace", name)


def test_on_reply_pauses_and_nobody_else_is_charged(make_server, make_peer):
    peer = make_peer(lambda verb, line: "451 4.7.0 too much from you" if verb == "MAIL" and not peer.kind else None)
    peer.kind = False
    server = relaying(make_server, f'connections 1 start 1; on-reply 451 "too much" pause 1h; '
                      f"route far.test smtp://127.0.0.1:{peer.port};")
    first = out(server, "bob@far.test")
    record = server.wait_record("site", state="paused")
    assert re.match(r"on-reply of veredus.conf:\d+$", record["cause"]) and record["reply"] == "too much from you"
    assert "next" in record
    server.wait_record("defer", id=first)
    peer.kind = True
    later = [out(server, "bob@far.test") for _ in range(5)]
    (name, row), = sites(server).items()
    assert row["state"] == "paused" and row["sending"] == 0
    until(lambda: sites(server)[name]["waiting"] >= 5, "what waits")
    assert "paused" in veredus(server, "explain", later[0])
    # What has a time of its own before the pause is over waits for that as well.
    text = veredus(server, "explain", first)
    row = json.loads(veredus(server, "queue", "list", "--json", first))
    assert row["next"] > server.wait_record("defer", id=first)["next"]
    assert f"go on: veredus site resume {name}" in text and "on-reply of veredus.conf" in text
    # What was pipelined behind a refused MAIL has no content.
    assert not [content for _, _, content in peer.messages if content]
    veredus(server, "site", "resume", name)
    until(lambda: len([content for _, _, content in peer.messages if content]) >= 5, "the others")
    assert "paused" not in sites(server)[name].get("cause", "") and sites(server)[name]["state"] == "open"
    assert all(r.get("attempt") == 1 for r in server.records("deliver") if r["id"] in later)


def test_on_reply_slows_at_once(make_server, make_peer):
    peer = make_peer(lambda verb, line: "421 4.7.28 slow down" if verb == "MAIL" else None)
    server = relaying(make_server, f'connections 16 start 16; on-reply 421 "slow" slow; '
                      f"route far.test smtp://127.0.0.1:{peer.port};")
    out(server, "bob@far.test")
    record = server.wait_record("site", window=8)
    assert record["was"] == 16 and record["cause"].startswith("on-reply of veredus.conf:")


def test_site_pause_and_resume(make_server, make_peer):
    peer = make_peer()
    server = relaying(make_server, f"site partner {{ domains far.test near.test; connections 4 start 2; }} "
                      f"route far.test smtp://127.0.0.1:{peer.port};")
    assert "no mail has gone to other hosts lately" in veredus(server, "site")
    # It need not have any mail yet to be paused.
    assert "partner is paused until it is resumed" in veredus(server, "site", "pause", "partner")
    record = server.wait_record("admin", action="pause")
    assert record["site"] == "partner"
    assert sites(server)["partner"]["state"] == "paused" and "waiting" not in sites(server)["partner"]
    assert "paused by" in veredus(server, "site") and "paused by" in veredus(server, "site", "show", "Partner")
    name = out(server, "bob@far.test")
    row = until(lambda: next((r for r in sites(server).values() if r.get("waiting") == 1), None), "what waits")
    assert row["state"] == "paused" and row["cause"].startswith("paused by ") and row["window"] == 2 and row["most"] == 4
    assert "paused" in veredus(server, "site") and "paused" in veredus(server, "explain", name)
    # Another configuration changes nothing about that.
    server.reload()
    assert sites(server)["partner"]["state"] == "paused" and "paused by" in veredus(server, "site", "show", "partner")
    until(lambda: sites(server).get("partner", {}).get("waiting") == 1, "the site of the new configuration")
    assert sites(server)["partner"]["state"] == "paused" and not peer.messages
    assert "PARTNER goes on" in veredus(server, "site", "resume", "PARTNER")
    until(lambda: peer.messages, "the message")
    assert server.wait_record("admin", action="resume")["site"] == "PARTNER"
    assert sites(server)["partner"]["state"] == "open"
    assert "was not paused" in veredus(server, "site", "resume", "partner")


def test_a_pause_ends_by_itself(make_server, make_peer):
    peer = make_peer()
    server = relaying(make_server, f"site partner {{ domains far.test; }} route far.test smtp://127.0.0.1:{peer.port};")
    veredus(server, "site", "pause", "partner", "1s")
    out(server, "bob@far.test")
    until(lambda: peer.messages, "the message")
    assert server.wait_record("site", state="open")["cause"] == "the pause is over"


def test_one_site_of_two_routes_shares_its_window(make_server, make_peer):
    peers = make_peer(), make_peer()
    server = relaying(make_server, "site both { domains a.test b.test; connections 1 start 1; reuse 1; }" +
                      "".join(f"route {name}.test smtp://127.0.0.1:{peer.port};" for name, peer in zip("ab", peers)))
    for _ in range(4):
        out(server, "bob@a.test")
        out(server, "bob@b.test")
    until(lambda: all(len(peer.messages) == 4 for peer in peers), "all of both")
    rows = [json.loads(line) for line in veredus(server, "site", "show", "both", "--json").splitlines()]
    assert rows[0]["site"] == "both" and rows[0]["most"] == 1
    assert sorted(row["hosts"] for row in rows[1:]) == sorted(f"[127.0.0.1]:{peer.port}" for peer in peers)
    text = veredus(server, "site", "show", "both")
    assert all(f"[127.0.0.1]:{peer.port}" in text for peer in peers)


def test_what_is_said_wrong(make_server):
    server = relaying(make_server)
    assert "no such site" in veredus(server, "site", "show", "nobody", status=1)
    assert "no such site" in veredus(server, "site", "pause", "nobody", status=1)
    assert "no such site" in veredus(server, "site", "resume", "nobody", status=1)
    assert "not a time" in veredus(server, "site", "pause", "nobody", "soon", status=64)
    veredus(server, "site", "show", status=64)
    veredus(server, "site", "pause", status=64)
    veredus(server, "site", "list", "more", status=64)


def test_sites_of_one_name_are_told_apart(make_server, make_peer):
    """A domain that is reached by two routes is two sites; each can be named alone."""
    peer = make_peer()
    server = relaying(make_server, f"\nroute far.test smtp://127.0.0.1:{peer.port} {{ senders .example.test; }}\n"
                      f"route far.test smtp://127.0.0.1:{peer.port};\n")
    out(server, "bob@far.test")
    (name,) = sites(server)
    assert name == f"[127.0.0.1]:{peer.port}"
    out(server, "bob@far.test", sender="ada@sub.example.test")
    until(lambda: len(peer.messages) == 2, "both")
    first, second = sorted(sites(server))
    assert all(re.fullmatch(re.escape(name) + r"@veredus.conf:\d+", one) for one in [first, second])
    assert len(json.loads("[" + ",".join(veredus(server, "site", "show", name, "--json").splitlines()) + "]")) == 4
    assert name in veredus(server, "site", "show", second) and first not in veredus(server, "site", "show", second)
    # The common name means all, which is said; and what is made under it later.
    text = veredus(server, "site", "pause", name)
    assert f"2 sites are called {name}: " in text and "all of them are paused until they are resumed" in text
    assert {row["state"] for row in sites(server).values()} == {"paused"}
    alone = re.search(r"^one alone: veredus (site pause .*)$", text, re.M)[1].split()
    assert alone[-1] in [first, second]
    assert "goes on" in veredus(server, "site", "resume", second)
    assert {n: row["state"] for n, row in sites(server).items()} == {first: "paused", second: "open"}
    server.reload()
    held = [out(server, "bob@far.test", sender=sender) for sender in ["ada@sub.example.test", "ada@example.test"]]
    until(lambda: len(peer.messages) == 3, "the one that goes on")
    until(lambda: sorted(n for n, row in sites(server).items() if row["state"] == "paused") == [first] or
          sorted(sites(server)) == [name], "the other")
    waiting = [one for one in held if "paused" in veredus(server, "queue", "--json", one)]
    assert len(waiting) == 1
    cure = re.search(r"^go on: veredus (.*)$", veredus(server, "explain", waiting[0]), re.M)[1]
    veredus(server, *cure.split())
    until(lambda: len(peer.messages) == 4, "all")
