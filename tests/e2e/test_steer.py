"""What waits, and why: explain ID and queue shape; and steering it: queue edit."""
import json
import os
import re
import subprocess

import pytest

from harness import PROGRAM, free_port, until
from names import Names
from peer import Peer

LETTER = b"From: ada@example.test\r\nSubject: out\r\n\r\nhello\r\n"


def veredus(server, *arguments, status=0):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "VEREDUS_CONFIG": server.path("veredus.conf")}, stdin=subprocess.DEVNULL)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stdout + done.stderr


def explained(server, name):
    """The first group of recipients, and the whole."""
    whole = json.loads(veredus(server, "explain", name, "--json"))
    return whole["groups"][0], whole


def section(text, name):
    """The value and the words of that line of an explanation; of one that has only a value, no words."""
    found = re.search(rf"^  {re.escape(name)} +(\S.*)$", text, re.M)
    assert found, (name, text)
    cells = re.split(r"  +", found[1].strip(), maxsplit=1)
    return cells + [""] * (2 - len(cells))


@pytest.fixture
def make_peer():
    """make_peer(...) is peer.Peer(...); every one of them ends with the test."""
    made = []

    def make(answer=None):
        made.append(Peer(answer))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


def out(server, to, sender="ada@example.test"):
    """One message for elsewhere; its id."""
    reply = server.send(LETTER, sender=sender, to=to)
    assert reply == 250
    return reply.id


def relaying(make_server, top=""):
    return make_server(top=f"relay-from 127.0.0.1; public-address 203.0.113.5; {top}")


def taken(peer):
    """(reverse-path, [forward-path, ...]) of what was taken; not the content that nobody took."""
    return [(sender, recipients) for sender, recipients, _ in peer.messages if recipients]


GREYLISTED = "451 4.7.1 greylisted, try again later"


@pytest.fixture
def greylisted(make_server, make_peer):
    """A server, the peer that puts its mail off, and the message's id."""
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" else None)
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{peer.port};")
    name = out(server, "bob@far.test")
    server.wait_record("defer", id=name)
    return server, peer, name


# ---- explain ID ----


def test_a_greylisted_message_waits_for_its_time(greylisted):
    server, peer, name = greylisted
    text = veredus(server, "explain", name.lower())
    print(text)
    assert text.startswith(f"bob@far.test has not been delivered: [127.0.0.1]:{peer.port} asks to come back later.\n")
    assert section(text, "route")[0] == f"smtp://127.0.0.1:{peer.port}"
    assert section(text, "route")[1].startswith("veredus.conf:")
    assert section(text, "tls") == ["auto", "where the host offers it, else in clear"]
    assert GREYLISTED in text
    assert section(text, "waits for")[0] == "its time"
    assert section(text, "waits for")[1].startswith("retry 1m 5m 15m 30m 1h 2h 4h (default); window 5, nobody in front")
    assert section(text, "next")[1].startswith("in ") and f"127.0.0.1:{peer.port}" in section(text, "next")[1]
    assert "the sender is told of the delay; it is returned" in section(text, "and then")[1]
    assert text.endswith(f"try now: veredus queue flush {name}\n")
    group, whole = explained(server, name)
    assert (whole["id"], whole["state"], whole["from"]) == (name, "deferred", "ada@example.test")
    assert (group["cause"], group["attempts"], group["code"], group["status"]) == ("time", 1, 451, "4.7.1")
    assert group["to"] == ["bob@far.test"] and group["hosts"]
    # What was said is what is done: at that time, not before.
    assert group["next"] == server.records("defer", id=name)[0]["next"]
    assert group["expires"] > group["warn"] > group["next"]


def test_of_the_attempts_so_far_the_times_are_told_and_where_the_last_one_ended(greylisted):
    server, _, name = greylisted
    for attempt in (2, 3):
        veredus(server, "queue", "flush", name)
        server.wait_record("defer", id=name, attempt=attempt)
    times = [record["time"][11:19] for record in server.records("defer", id=name)]
    # The history is written behind the log.
    until(lambda: "before     2 attempts" in veredus(server, "explain", name) and
          " to RCPT:" in veredus(server, "explain", name), "the third attempt")
    text = veredus(server, "explain", name)
    print(text)
    assert section(text, "last try")[1] == "[127.0.0.1] to RCPT:"
    assert section(text, "before")[0] == "2 attempts"
    assert re.findall(r"\d\d:\d\d:\d\d", section(text, "before")[1]) == times[:2]


def test_of_what_is_with_a_host_that_host_is_named_and_since_when(make_server, make_peer):
    peer = make_peer(lambda verb, line: until(lambda: peer.go, "the test", 30) and None if verb == "RCPT" else None)
    peer.go = False
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{peer.port};")
    name = out(server, "bob@far.test")
    try:
        until(lambda: "it has been with" in veredus(server, "explain", name), "the transaction")
        text = veredus(server, "explain", name)
        print(text)
        assert section(text, "waits for")[0] == "an answer"
        assert re.fullmatch(r"it has been with 127\.0\.0\.1 for \d+s", section(text, "waits for")[1])
        assert explained(server, name)[0]["cause"] == "sending"
    finally:
        peer.go = True
    server.wait_queue_empty()


def test_who_is_given_up_before_is_not_told_of_a_delay(make_server, make_peer):
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" else None)
    server = relaying(make_server, f"expire 1h; route far.test smtp://127.0.0.1:{peer.port};")
    name = out(server, "bob@far.test")
    server.wait_record("defer", id=name)
    assert section(veredus(server, "explain", name), "and then")[1] == "it is returned to its sender"
    assert "warn" not in explained(server, name)[0]


def test_a_paused_site_says_what_lets_it_go_on(make_server, make_peer):
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" else None)
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{peer.port}; site far {{ domains far.test; }}")
    veredus(server, "site", "pause", "far")
    name = out(server, "bob@far.test")
    until(lambda: explained(server, name)[0]["cause"] == "paused", "the pause")
    assert not peer.lines
    cure = re.search(r"^go on: veredus (.*)$", veredus(server, "explain", name), re.M)[1]
    veredus(server, *cure.split())
    server.wait_record("defer", id=name)


def test_what_a_site_block_says_is_what_is_told(make_server, make_peer):
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" else None)
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{peer.port};"
                      "site far { domains far.test; retry 7m; expire 2h; tls-level none; }")
    name = out(server, "bob@far.test")
    server.wait_record("defer", id=name)
    text = veredus(server, "explain", name)
    assert re.match(r"retry 7m \(veredus.conf:\d+\); ", section(text, "waits for")[1])
    assert section(text, "tls") == ["none", "in clear, whatever the host offers"]
    group, whole = explained(server, name)
    assert group["site"] == "far" and group["expires"][:14] != whole["accepted"][:14] and "warn" not in group


def test_the_cure_that_is_named_helps(greylisted):
    server, peer, name = greylisted
    peer.answer = lambda verb, line: None
    text = veredus(server, "explain", name)
    cure = re.search(r"^try now: veredus (.*)$", text, re.M)[1]
    veredus(server, *cure.split())
    server.wait_record("done", id=name)
    assert "no such message" in veredus(server, "explain", name, status=1)


def test_a_dead_host_is_what_its_mail_waits_for(make_server):
    port = free_port()
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{port};")
    first = out(server, "bob@far.test")
    server.wait_record("site", state="dead")
    second = out(server, "bob@far.test")
    group = until(lambda: [g for g in [explained(server, second)[0]] if g["cause"] == "site"], "the dead site")[0]
    assert "refused" in group["text"] and group["next"]
    text = veredus(server, "explain", second)
    print(text)
    assert f"[127.0.0.1]:{port} does not answer" in text
    assert section(text, "last try") == ["none", "it has not been tried yet"]
    assert "one message tries it again in" in section(text, "waits for")[1]
    print(veredus(server, "explain", first))


def test_a_held_message_says_by_whom_and_why(greylisted):
    server, _, name = greylisted
    veredus(server, "queue", "hold", name, "--note", "see ticket 4411")
    text = veredus(server, "explain", name)
    print(text)
    assert "bob@far.test has not been delivered: held by root: see ticket 4411." in text
    assert section(text, "waits for") == ["release", "by root: see ticket 4411"]
    assert text.endswith(f"let go: veredus queue release {name}\n")
    assert "flush" not in text
    assert "held by root" in veredus(server, "queue")
    row = json.loads(veredus(server, "queue", "--json"))
    assert (row["by"], row["note"]) == ("root", "see ticket 4411")


def test_an_outage_of_the_dns_is_what_it_waits_for(make_server):
    names = Names({})
    names.down = True
    try:
        server = relaying(make_server, f"resolver 127.0.0.1:{names.port};")
        ids = [out(server, f"bob@d{number}.test") for number in range(6)]
        server.wait_record("dns", state="failing")
        name = out(server, "bob@other.test")
        group = until(lambda: [g for g in [explained(server, name)[0]] if g["cause"] == "dns"], "the outage")[0]
        assert "no attempt is counted" in group["text"] and "attempts" not in group
        text = veredus(server, "explain", name)
        print(text)
        assert "the DNS does not answer" in text and ids
        assert section(text, "route") == ["mx", "default"]
    finally:
        names.stop()


def test_a_window_that_is_full_and_who_is_in_front(make_server, make_peer):
    peer = make_peer(lambda verb, line: until(lambda: peer.go, "the test", 30) and None if verb == "." else None)
    peer.go = False
    server = relaying(make_server, f"connections 1 start 1; route far.test smtp://127.0.0.1:{peer.port};")
    ids = [out(server, "bob@far.test") for _ in range(12)]
    try:
        group = until(lambda: [g for g in [explained(server, ids[-1])[0]] if g["cause"] == "window"],
                      "a full window")[0]
        assert group["window"] == 1 and group["waiting"] >= 1
        text = veredus(server, "explain", ids[-1])
        print(text)
        assert re.search(r"window 1, all in use, \d+ of its sender in front", section(text, "waits for")[1])
        assert "others go to" in text
        assert explained(server, ids[0])[0]["cause"] == "sending"
        print(veredus(server, "explain", ids[0]))
    finally:
        peer.go = True
    server.wait_queue_empty()


def test_recipients_that_wait_for_the_same_are_told_together(make_server, make_peer):
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" else None)
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{peer.port}; route kept.test hold;")
    name = out(server, [f"r{i}@far.test" for i in range(5)] + ["kim@kept.test"])
    until(lambda: len(server.records("defer", id=name)) == 5, "all of them")
    text = until(lambda: [t for t in [veredus(server, "explain", name)] if "held" in t], "the held one")[0]
    print(text)
    whole = json.loads(veredus(server, "explain", name, "--json"))
    assert [(g["cause"], g["recipients"]) for g in whole["groups"]] == [("held", 1), ("time", 5)]
    assert "r0@far.test, r1@far.test, r2@far.test +2 have not been delivered" in text


def test_more_groups_than_a_screen_are_counted(make_server, make_peer):
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" else None)
    server = relaying(make_server, f"route * smtp://127.0.0.1:{peer.port};")
    name = out(server, [f"bob@d{i}.test" for i in range(7)])
    until(lambda: len(server.records("defer", id=name)) == 7, "all of them")
    text = veredus(server, "explain", name)
    assert "3 more recipients wait for something else (--all)" in text
    assert text.count("waits for") == 4
    assert veredus(server, "explain", name, "--all").count("waits for") == 7
    assert len(explained(server, name)[1]["groups"]) == 7


def test_an_id_is_no_address_and_an_address_no_id(greylisted):
    server, _, name = greylisted
    assert "would get 250" in veredus(server, "explain", "ada@example.test")
    assert "neither an address nor a queue id" in veredus(server, "explain", "ada", status=64)
    assert "not understood" in veredus(server, "explain", name, "--client", "127.0.0.1", status=64)
    assert "not understood" in veredus(server, "explain", "ada@example.test", "--all", status=64)
    assert "no such message" in veredus(server, "explain", "ZZZZZZZZZZZZ", status=1)


def test_explaining_changes_nothing(greylisted):
    server, peer, name = greylisted
    before, said = json.loads(veredus(server, "queue", "show", name, "--json")), len(peer.lines)
    for _ in range(5):
        veredus(server, "explain", name)
    assert json.loads(veredus(server, "queue", "show", name, "--json")) == before
    assert len(peer.lines) == said


def test_it_is_explained_after_a_restart(greylisted):
    server, _, name = greylisted
    server.stop()
    server.start()
    group, whole = explained(server, name)
    assert (group["cause"], group["attempts"], group["code"]) == ("time", 1, 451)
    assert whole["id"] == name


# ---- queue shape ----


def test_shape_counts_by_destination_and_age(make_server, make_peer):
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" else None)
    server = relaying(make_server, f"route * smtp://127.0.0.1:{peer.port};")
    for domain, count in [("large.test", 4), ("small.test", 2)]:
        for number in range(count):
            out(server, f"bob@{domain}", sender=f"ada@s{number}.test")
    until(lambda: len(server.records("defer")) == 6, "all of them")
    text = veredus(server, "queue", "shape")
    print(text)
    lines = [line.split() for line in text.splitlines()]
    assert lines[0][:3] == ["TOTAL", "5m", "10m"]
    assert [line[:3] for line in lines[1:]] == [["all", "6", "6"], ["large.test", "4", "4"], ["small.test", "2", "2"]]
    assert [line[0] for line in lines[1:]] == ["all", "large.test", "small.test"]
    by_sender = veredus(server, "queue", "shape", "--sender")
    print(by_sender)
    first = [line.split()[:2] for line in by_sender.splitlines()[1:4]]
    assert first == [["all", "6"], ["s0.test", "2"], ["s1.test", "2"]]
    by_site = veredus(server, "queue", "shape", "--sites")
    print(by_site)
    assert f"[127.0.0.1]:{peer.port} " in by_site
    found = [json.loads(line) for line in veredus(server, "queue", "shape", "--json").splitlines()]
    assert (found[0]["kind"], found[0]["messages"], found[0]["age"]["5m"]) == ("all", 6, 6)
    assert (found[1]["name"], found[1]["messages"]) == ("large.test", 4)
    assert "1 others" in veredus(server, "queue", "shape", "--rows", "1")


def test_shape_takes_select(make_server, make_peer):
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" else None)
    server = relaying(make_server, f"route * smtp://127.0.0.1:{peer.port};")
    first = out(server, "bob@one.test", sender="ada@here.test")
    out(server, "bob@two.test", sender="eve@there.test")
    until(lambda: len(server.records("defer")) == 2, "both")

    def count(*select):
        return json.loads(veredus(server, "queue", "shape", "--json", *select).splitlines()[0])["messages"]

    assert (count(), count("--all"), count("--state", "deferred"), count("--state", "held")) == (2, 2, 2, 0)
    assert (count("--to", "one.test"), count("--to", "bob@two.test"), count("--to", ".test")) == (1, 1, 2)
    assert (count("--from", "ada@here.test"), count("--from", "there.test"), count("--from", "<>")) == (1, 1, 0)
    assert (count("--older", "1h"), count("--reason", "greylist"), count("--reason", "dns")) == (0, 2, 0)
    veredus(server, "queue", "hold", first)
    assert count("--state", "held") == 1
    assert "0 messages are like that" in veredus(server, "queue", "shape", "--older", "1h")
    assert "single messages" in veredus(server, "queue", "shape", first, status=64)


# ---- queue edit ----


def test_another_recipient_gets_the_mail_of_one_that_was_put_off(greylisted):
    server, peer, name = greylisted
    peer.answer = lambda verb, line: GREYLISTED if verb == "RCPT" and "bob@" in line else None
    text = veredus(server, "queue", "edit", name, "--recipient", "bob@far.test=eve@far.test")
    assert text == f"{name} is changed; 1 recipient is tried now\n"
    server.wait_record("done", id=name)
    assert taken(peer) == [("ada@example.test", ["eve@far.test"])]
    record = server.wait_record("admin", action="edit")
    assert (record["id"], record["count"], record["note"]) == (name, 1, "bob@far.test to eve@far.test")
    assert record["account"]


def test_an_edit_is_on_disk_before_it_is_answered(greylisted):
    server, peer, name = greylisted
    veredus(server, "queue", "hold", name)
    text = veredus(server, "queue", "edit", name, "--recipient", "bob@far.test=eve@far.test", "--sender",
                   "carol@example.test")
    assert text == f"{name} is changed and stays held: veredus queue release {name}\n"
    server.kill()
    server.start()
    shown = json.loads(veredus(server, "queue", "show", name, "--json"))
    assert shown["from"] == "carol@example.test" and shown["state"] == "held"
    assert [(r["to"], r["original"]) for r in shown["recipient_states"]] == [("eve@far.test", "bob@far.test")]
    peer.answer = lambda verb, line: None
    veredus(server, "queue", "release", name)
    server.wait_record("done", id=name)
    assert taken(peer) == [("carol@example.test", ["eve@far.test"])]
    # It was held before and is held still: that is no news.
    assert len(server.records("hold", id=name)) == 1


def test_a_route_of_its_own_leads_elsewhere_and_back(greylisted, make_peer):
    server, peer, name = greylisted
    other = make_peer(lambda verb, line: "451 4.3.2 not yet" if verb == "RCPT" else None)
    target = f"smtp://127.0.0.1:{other.port}"
    veredus(server, "queue", "edit", name, "--route", target.replace("smtp", "SMTP"), status=64)
    veredus(server, "queue", "edit", name, "--route", target)
    until(lambda: server.records("defer", id=name, status="4.3.2"), "the other host")
    assert not taken(other) and not taken(peer)
    text = veredus(server, "explain", name)
    print(text)
    assert section(text, "route") == [target, "queue edit"]
    assert f"127.0.0.1:{other.port}" in section(text, "site")[1]
    assert target in veredus(server, "queue", "show", name)
    # Over a restart, too.
    server.stop()
    server.start()
    other.answer = lambda verb, line: None
    veredus(server, "queue", "flush", name)
    server.wait_record("done", id=name)
    assert taken(other) == [("ada@example.test", ["bob@far.test"])]
    assert not taken(peer)


def test_a_route_of_its_own_can_be_taken_back(greylisted):
    server, peer, name = greylisted
    veredus(server, "queue", "hold", name)
    veredus(server, "queue", "edit", name, "--route", f"smtp://127.0.0.1:{free_port()}")
    veredus(server, "queue", "edit", name, "--route", "default")
    peer.answer = lambda verb, line: None
    veredus(server, "queue", "release", name)
    server.wait_record("done", id=name)
    assert taken(peer) == [("ada@example.test", ["bob@far.test"])]


def test_a_route_is_for_the_recipients_that_are_named_beside_it(make_server, make_peer):
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" else None)
    other = make_peer()
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{peer.port};")
    name = out(server, ["bob@far.test", "kim@far.test"])
    until(lambda: len(server.records("defer", id=name)) == 2, "both")
    veredus(server, "queue", "edit", name, "--recipient", "kim@far.test=kim@far.test", "--route",
            f"smtp://127.0.0.1:{other.port}")
    until(lambda: server.records("deliver", id=name), "the one")
    assert taken(other) == [("ada@example.test", ["kim@far.test"])]
    group, whole = explained(server, name)
    assert group["to"] == ["bob@far.test"] and group["cause"] == "time" and len(whole["groups"]) == 1


@pytest.mark.parametrize("arguments, status, words", [
    (["--recipient", "kim@far.test=eve@far.test"], 64, "kim@far.test is no recipient of this message"),
    (["--recipient", "bob@far.test=eve"], 64, "'eve' is not an address"),
    (["--recipient", "bob@far.test=eve@a b"], 64, "is not an address"),
    (["--recipient", "bob@far.test"], 64, "not OLD=NEW"),
    (["--recipient", "bob@far.test=ünna@far.test"], 64, "needs SMTPUTF8"),
    (["--recipient", "bob@far.test=eve@far.test", "--recipient", "bob@far.test=kim@far.test"], 64, "is to become two"),
    (["--sender", "ünna@example.test"], 64, "the sender needs SMTPUTF8"),
    (["--sender", "nobody"], 64, "the sender is not an address"),
    (["--route", "maildir:/var/x/"], 64, "not a host"),
    (["--route", "frog"], 64, "'frog' is not known here"),
    (["--route", "smtp:relay.test"], 64, "did you mean 'smtp://relay.test'?"),
    (["--route", "lmtp:unix:/run/x"], 64, "not a host"),
    (["--route", "smtp://a.test; route * mx"], 64, "a target is words"),
    (["--sender", "carol@example.test", "--recipient", "kim@far.test=eve@far.test"], 64, "is no recipient"),
    ([], 64, "nothing to change"),
])
def test_a_mistake_changes_nothing_and_says_what_is_wrong(greylisted, arguments, status, words):
    server, peer, name = greylisted
    before, said = veredus(server, "queue", "show", name), len(peer.lines)
    assert words in veredus(server, "queue", "edit", name, *arguments, status=status)
    assert veredus(server, "queue", "show", name) == before
    assert len(peer.lines) == said and not server.records("admin", action="edit")


def test_nobody_gets_it_twice_and_who_has_it_keeps_it(make_server, make_peer):
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" and "bob@" in line else None)
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{peer.port};")
    name = out(server, ["bob@far.test", "kim@far.test"])
    server.wait_record("defer", id=name)
    until(lambda: server.records("deliver", id=name), "the other")
    assert "kim@far.test is a recipient already" in veredus(server, "queue", "edit", name, "--recipient",
                                                            "bob@far.test=kim@far.test", status=64)
    assert "kim@far.test has been delivered already" in veredus(server, "queue", "edit", name, "--recipient",
                                                                "kim@far.test=eve@far.test", status=64)
    assert "no such message" in veredus(server, "queue", "edit", "ZZZZZZZZZZZZ", "--sender", "<>", status=1)


def test_what_is_under_way_is_not_changed(make_server, make_peer):
    peer = make_peer(lambda verb, line: until(lambda: peer.go, "the test", 30) and None if verb == "." else None)
    peer.go = False
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{peer.port};")
    name = out(server, "bob@far.test")
    try:
        until(lambda: explained(server, name)[0]["cause"] == "sending", "the attempt")
        said = veredus(server, "queue", "edit", name, "--recipient", "bob@far.test=eve@far.test", status=75)
        assert "bob@far.test is being tried just now" in said
    finally:
        peer.go = True
    server.wait_queue_empty()
    assert taken(peer) == [("ada@example.test", ["bob@far.test"])]


def test_mail_for_a_mailbox_here_is_explained_without_a_host(server):
    os.chmod(server.path("mail"), 0o500)
    try:
        name = server.send(LETTER, sender="carol@example.net").id
        server.wait_record("defer", id=name)
        text = veredus(server, "explain", name)
        print(text)
        assert section(text, "route")[0].startswith("maildir:")
        assert section(text, "waits for")[0] == "its time"
        assert not re.search("^  (site|tls) ", text, re.M)
        group, _ = explained(server, name)
        assert not group["hosts"] and group["kind"] == "local"
        # A stranger is not told of delays.
        assert "warn" not in group and group["expires"]
    finally:
        os.chmod(server.path("mail"), 0o755)


def test_the_worst_comes_first_and_a_report_is_named(make_server, make_peer):
    peer = make_peer(lambda verb, line: GREYLISTED if verb == "RCPT" and "bob@" in line else None)
    server = relaying(make_server, f"route far.test smtp://127.0.0.1:{peer.port}; route kept.test hold;")
    name = out(server, ["bob@far.test", "kim@kept.test"])
    server.wait_record("defer", id=name)
    causes = until(lambda: [g["cause"] for g in explained(server, name)[1]["groups"]] == ["held", "time"], "both")
    assert causes
    # What is held by its route waits until the others are done.
    text = veredus(server, "explain", name)
    assert text.index("kim@kept.test") < text.index("bob@far.test")
    # Nothing is to be let go yet: the message itself is not held.
    assert "by its route, together with the message" in text
    assert "queue release" not in text and f"try now: veredus queue flush {name}" in text
    peer.answer = lambda verb, line: None
    veredus(server, "queue", "flush", name)
    server.wait_record("hold", id=name)
    assert f"let go: veredus queue release {name}" in veredus(server, "explain", name)
