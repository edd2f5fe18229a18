"""veredus spool check, export, import, and a start with all held: with the server running, and without."""
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile

import pytest

from harness import PROGRAM, below_trace, until

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\n%s\r\n.a line with a dot\r\n"
LARGE = 700_000


def veredus(server, *arguments, status=0):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "VEREDUS_CONFIG": server.path("veredus.conf")}, stdin=subprocess.DEVNULL)
    assert status is None or done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stdout + done.stderr


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def listed(server, *select):
    return [row["id"] for row in rows(veredus(server, "queue", "--json", *select))]


def files(folder):
    return sorted(os.listdir(folder))


def load(folder, name):
    with open(os.path.join(folder, name + ".json"), encoding="utf-8") as text:
        return json.load(text)


def settled(server, ids):
    """The outcome of each first attempt is on the disk: the log speaks of it a moment earlier."""
    def attempted():
        with tempfile.TemporaryDirectory() as folder:
            veredus(server, "spool", "export", folder, *[word for name in ids for word in ["--id", name]])
            return all(one.get("attempts") for name in ids for one in load(folder, name)["recipients"])
    until(attempted, "outcomes on the disk")


@pytest.fixture
def waiting(server):
    """A server whose mailboxes cannot be written, with three messages that wait, and their ids."""
    os.chmod(server.path("mail"), 0o500)
    ids = [server.send(LETTER % b"secret-%d" % i, to=["ada@example.test", "bob@example.test"][:i + 1],
                       sender="bob@example.test").id for i in range(3)]
    for name in ids:
        server.wait_record("defer", id=name)
    settled(server, ids)
    yield server, ids
    if os.path.exists(server.path("mail")):
        os.chmod(server.path("mail"), 0o755)


def flip(server, octets):
    """One bit of the place in the log where OCTETS stand, while the server is stopped."""
    for path in glob.glob(server.path("spool", "log-*")):
        with open(path, "r+b") as log:
            at = log.read().find(octets)
            if at >= 0:
                log.seek(at)
                log.write(bytes([octets[0] ^ 1]))
                return os.path.basename(path), at
    raise AssertionError("it is not there")


def snapshot(server):
    """Everything in the spool's folder that a look may not change."""
    found = {}
    for path in glob.glob(server.path("spool", "*")):
        if os.path.isfile(path):
            with open(path, "rb") as octets:
                found[path] = (octets.read(), os.stat(path).st_mtime_ns)
    return found


# ---- check ----


def test_a_sound_spool_is_called_sound_with_and_without_the_server(waiting):
    server, _ = waiting
    text = veredus(server, "spool", "check")
    assert "the server is running and goes on" in text and "3 of 3 sums match" in text
    assert "INV-7" in text and "the others cannot be seen on a disk" in text
    assert text.endswith("all is as it was written\n")
    server.stop()
    before = snapshot(server)
    text = veredus(server, "spool", "check")
    assert "no server runs; nothing is changed" in text and "3 of 3 sums match" in text
    row = rows(veredus(server, "spool", "check", "--json"))[-1]
    assert (row["event"], row["contents"], row["contents_good"], row["damaged"], row["others"]) == ("check", 3, 3, 0, 0)
    assert snapshot(server) == before


def test_a_killed_servers_spool_is_checked_without_recovering_it(waiting):
    server, _ = waiting
    server.kill()
    before = snapshot(server)
    assert "3 of 3 sums match" in veredus(server, "spool", "check")
    assert snapshot(server) == before


def test_damage_is_named_its_neighbours_are_delivered_and_its_sender_can_be_told(waiting):
    server, ids = waiting
    server.expect("spool")
    server.expect("hold", "error")
    server.stop()
    name, at = flip(server, b"secret-1")
    os.chmod(server.path("mail"), 0o755)
    text = veredus(server, "spool", "check", status=1)
    assert f"damaged      {ids[1]}  its content: {name} at 0x" in text and "2 of 3 sums match" in text
    assert "bob@example.test to 2 recipients" in text and f"veredus queue remove --bounce {ids[1]}" in text
    assert "1 message is damaged, nothing else is" in text
    found = [row for row in rows(veredus(server, "spool", "check", "--json", status=1)) if row["event"] == "finding"]
    assert len(found) == 1 and found[0]["id"] == ids[1] and found[0]["kind"] == "message"
    assert found[0]["offset"] <= at < found[0]["offset"] + found[0]["octets"] and found[0]["sum"] != found[0]["wanted"]

    server.start()
    veredus(server, "queue", "flush", "--all", "-y")
    until(lambda: listed(server) == [ids[1]], "the others' delivery")
    until(lambda: listed(server, "--state", "held") == [ids[1]], "the damaged one set aside")
    assert server.records("hold", id=ids[1])
    text = veredus(server, "spool", "check", status=1)
    assert "the server is running" in text and ids[1] in text and "0 of 1 sums match" in text

    folder = server.path("out")
    assert "damaged" in veredus(server, "spool", "export", "--id", ids[1], folder, status=1)
    assert files(folder) == [f"{ids[1]}.damaged.eml", f"{ids[1]}.damaged.json"]
    with open(os.path.join(folder, f"{ids[1]}.damaged.eml"), "rb") as left:
        assert b"ecret-1\r\n.a line with a dot\r\n" in left.read()
    assert "not taken: it is what was left of a damaged message" in veredus(server, "spool", "import", folder, status=1)

    veredus(server, "queue", "remove", "--bounce", ids[1])
    until(lambda: any(ids[1].encode() in mail or b"Not delivered" in mail for mail in server.mail("bob")), "the report")
    until(lambda: not listed(server), "an empty queue")
    assert "all is as it was written" in veredus(server, "spool", "check")


def test_a_message_whose_record_is_damaged_can_be_looked_at_and_taken_away(waiting):
    server, ids = waiting
    server.expect("hold", "error")
    server.stop()
    flip(server, b"bob@example.test")
    server.start()
    until(lambda: listed(server, "--state", "held") == ids[:1], "the damaged one set aside")
    row = rows(veredus(server, "queue", "--json", ids[0]))[0]
    assert row["error"] == "its envelope cannot be read" and "accepted" not in row and "from" not in row
    assert re.search(rf"(?m)^{ids[0]}  \? +0  \? ", veredus(server, "queue"))
    for command in [["queue", "show", ids[0]], ["explain", ids[0]]]:
        text = veredus(server, *command)
        assert "its envelope cannot be read" in text and "1970" not in text and "<>" not in text
    assert f"take it away:   veredus queue remove {ids[0]}\n" in text
    text = veredus(server, "spool", "check", status=1)
    assert "its envelope cannot be read; nobody is told yet" in text
    assert f"veredus queue remove {ids[0]}  " in text and "--bounce" not in text
    assert "cannot be read from the disk" in veredus(server, "queue", "edit", ids[0], "--sender", "x@example.test", status=75)
    assert "0 messages are returned to their senders; 1 was done already, or cannot be read" in \
        veredus(server, "queue", "remove", "--bounce", ids[0])
    assert "0 messages are released" in veredus(server, "queue", "release", ids[0])
    assert listed(server, "--state", "held") == ids[:1]
    assert veredus(server, "queue", "remove", ids[0]) == "1 message is removed\n"
    assert listed(server) == ids[1:]
    assert "2 of 2 sums match" in veredus(server, "spool", "check", status=1)  # its octets stay until that segment is used again
    server.kill()
    server.start()
    assert listed(server) == ids[1:]


def test_of_a_damaged_content_the_envelope_is_shown_and_what_helps(server):
    os.chmod(server.path("mail"), 0o500)
    server.expect("hold", "error")
    name = server.send(LETTER % (b"\r\n".join([b"x" * 70] * (LARGE // 72))), sender="bob@example.test").id
    server.wait_record("defer", id=name)
    own = [path for path in glob.glob(server.path("spool", "own-*")) if os.path.getsize(path)]
    os.truncate(own[0], LARGE // 2)
    assert "octets, it ends too soon" in veredus(server, "spool", "check", status=1)
    text = veredus(server, "queue", "show", "--content", name, status=1)
    assert "bob@example.test, " in text and "recipient     ada@example.test" in text
    assert "its content cannot be read" in text and "spool export --id" in text
    veredus(server, "queue", "flush", name)
    until(lambda: listed(server, "--state", "held") == [name], "the damaged one set aside")
    text = veredus(server, "explain", name)
    assert "queue release" not in text and f"veredus queue remove --bounce {name}" in text
    assert veredus(server, "queue", "remove", "--bounce", name) == "1 message is returned to its sender\n"


def test_a_spool_of_a_later_form_is_refused_by_all(waiting):
    server, _ = waiting
    server.stop()
    with open(server.path("spool", "format"), "r+b") as out:
        out.seek(16)
        out.write(struct.pack("<I", 2))
    before = snapshot(server)
    for command in [["check"], ["export", server.path("out")], ["export", "--salvage", server.path("out")]]:
        assert "the spool has format 2, this veredus knows format 1 only" in \
            veredus(server, "spool", *command, status=None)
    server.start(ready=False)
    assert server.wait() == 78
    assert "the spool has format 2" in server.log_text()
    server.expect("*")
    assert snapshot(server) == before


# ---- export and import ----


def test_what_is_exported_is_what_would_be_sent_and_the_queue_keeps_it(waiting):
    server, ids = waiting
    folder = server.path("out")
    assert veredus(server, "spool", "export", folder) == f"3 messages in {folder}\n"
    assert files(folder) == sorted(f"{name}.{end}" for name in ids for end in ["eml", "json"])
    assert os.stat(folder).st_mode & 0o777 == 0o700
    for i, name in enumerate(ids):
        with open(os.path.join(folder, name + ".eml"), "rb") as octets:
            content = octets.read()
        assert content.startswith(b"Received: ") and content.endswith(LETTER % b"secret-%d" % i)
        assert os.stat(os.path.join(folder, name + ".eml")).st_mode & 0o777 == 0o600
        row = load(folder, name)
        assert row["id"] == name and row["from"] == "bob@example.test" and row["accepted"].endswith("Z")
        assert [one["to"] for one in row["recipients"]] == ["ada@example.test", "bob@example.test"][:i + 1]
        assert all(one["state"] == "waiting" and one["attempts"] for one in row["recipients"])
    assert listed(server) == ids
    again = veredus(server, "spool", "export", folder, status=1)
    assert again.count("not written again") == 3


def test_a_stopped_servers_messages_are_exported_without_a_change(waiting):
    server, ids = waiting
    live, still = server.path("live"), server.path("still")
    veredus(server, "spool", "export", live)
    server.stop()
    before = snapshot(server)
    veredus(server, "spool", "export", still)
    assert snapshot(server) == before and files(live) == files(still)
    for name in ids:
        with open(os.path.join(live, name + ".eml"), "rb") as a, open(os.path.join(still, name + ".eml"), "rb") as b:
            assert a.read() == b.read()
        assert {**load(live, name), "token": ""} == {**load(still, name), "token": ""}


def test_select_and_ids_choose_what_is_exported(waiting):
    server, ids = waiting
    veredus(server, "spool", "export", server.path("one"), "--id", ids[1], "--id", ids[2].lower())
    assert files(server.path("one")) == sorted(f"{name}.{end}" for name in ids[1:] for end in ["eml", "json"])
    veredus(server, "queue", "hold", ids[0])
    veredus(server, "spool", "export", server.path("two"), "--state", "held")
    assert files(server.path("two")) == [f"{ids[0]}.eml", f"{ids[0]}.json"]
    assert load(server.path("two"), ids[0])["held"] is True
    assert "no such message" in veredus(server, "spool", "export", server.path("three"), "--id", "ZZZZZZZZZZZZ", status=1)


def test_an_export_is_taken_in_again_once_under_new_ids(waiting):
    server, ids = waiting
    folder = server.path("out")
    veredus(server, "spool", "export", folder)
    before = {name: load(folder, name) for name in ids}
    veredus(server, "queue", "remove", "--all", "-y")
    until(lambda: not listed(server), "an empty queue")
    kept = {name: open(os.path.join(folder, name), "rb").read() for name in files(folder)}
    taken = rows(veredus(server, "spool", "import", folder, "--json"))
    assert [row["file"] for row in taken] == ids and all(row["taken"] and not row["already"] for row in taken)
    new = [row["id"] for row in taken]
    assert not set(new) & set(ids) and listed(server) == new
    assert files(folder) == ["done"] and len(files(os.path.join(folder, "done"))) == 6

    veredus(server, "spool", "export", server.path("again"))
    for old, name in zip(ids, new):
        row = load(server.path("again"), name)
        assert row["accepted"] == before[old]["accepted"] and row["from"] == before[old]["from"]
        assert [one["attempts"] for one in row["recipients"]] >= [one["attempts"] for one in before[old]["recipients"]]
        assert [one["to"] for one in row["recipients"]] == [one["to"] for one in before[old]["recipients"]]

    # As after an end between the answer and the move: the same files are asked about again.
    for name, octets in kept.items():
        with open(os.path.join(folder, name), "wb") as out:
            out.write(octets)
    os.rename(os.path.join(folder, "done"), server.path("done"))
    taken = rows(veredus(server, "spool", "import", folder, "--json"))
    assert [row["id"] for row in taken] == new and all(row["already"] for row in taken)

    os.chmod(server.path("mail"), 0o755)
    veredus(server, "queue", "flush", "--all", "-y")
    mail = server.wait_mail("ada", 3)
    assert sorted(below_trace(one) for one in mail) == sorted(LETTER % b"secret-%d" % i for i in range(3))
    server.wait_mail("bob", 2)
    until(lambda: not listed(server), "an empty queue")


def test_an_import_is_there_after_a_kill(waiting):
    server, ids = waiting
    folder = server.path("out")
    veredus(server, "spool", "export", folder)
    veredus(server, "queue", "remove", "--all", "-y")
    until(lambda: not listed(server), "an empty queue")
    new = [row["id"] for row in rows(veredus(server, "spool", "import", folder, "--json"))]
    server.kill()
    os.chmod(server.path("mail"), 0o755)
    server.start()
    veredus(server, "queue", "flush", "--all", "-y", status=None)
    server.wait_mail("ada", 3)
    assert len(new) == len(ids)


def test_a_large_message_goes_both_ways(server):
    os.chmod(server.path("mail"), 0o500)
    letter = LETTER % (b"\r\n".join([b"x" * 70] * (LARGE // 72)))
    name = server.send(letter).id
    server.wait_record("defer", id=name)
    assert glob.glob(server.path("spool", "own-*"))
    folder = server.path("out")
    veredus(server, "spool", "export", folder)
    veredus(server, "queue", "remove", name)
    until(lambda: not listed(server), "an empty queue")
    assert "1 message taken in" in veredus(server, "spool", "import", folder)
    assert "1 of 1 sums match" in veredus(server, "spool", "check")
    os.chmod(server.path("mail"), 0o755)
    veredus(server, "queue", "flush", "--all")
    assert below_trace(server.wait_mail("ada")[0]) == letter


def test_recipients_that_are_done_are_not_taken_in_again(make_server):
    server = make_server(top="relay-from 127.0.0.1;\nroute elsewhere.example smtp://127.0.0.1:1;")
    name = server.send(LETTER % b"x", to=["ada@example.test", "kim@elsewhere.example"]).id
    server.wait_mail("ada")
    server.wait_record("defer", id=name)
    settled(server, [name])
    folder = server.path("out")
    veredus(server, "spool", "export", folder)
    assert [one["state"] for one in load(folder, name)["recipients"]] == ["delivered", "waiting"]
    veredus(server, "queue", "remove", name)
    until(lambda: not listed(server), "an empty queue")
    new = rows(veredus(server, "spool", "import", folder, "--json"))[0]["id"]
    shown = veredus(server, "queue", "show", new)
    assert "kim@elsewhere.example" in shown and "ada@example.test" not in shown
    server.wait_mail("ada")


def test_what_is_held_is_held_again(waiting):
    server, ids = waiting
    veredus(server, "queue", "hold", ids[0], "--note", "see ticket 4411")
    veredus(server, "spool", "export", server.path("out"), "--id", ids[0])
    veredus(server, "queue", "remove", "--all", "-y")
    until(lambda: not listed(server), "an empty queue")
    veredus(server, "spool", "import", server.path("out"))
    until(lambda: len(listed(server, "--state", "held")) == 1, "one that is held")
    assert "see ticket 4411" in veredus(server, "queue", "show", listed(server)[0])


@pytest.mark.parametrize("change, words", [
    (lambda row: row.update(recipients=[]), "all of its recipients are done"),
    (lambda row: row.update(format="something"), "no file of veredus spool export"),
    (lambda row: row.pop("token"), "not understood"),
    (lambda row: row.update(accepted="yesterday"), "not understood"),
    (lambda row: row["recipients"][0].update(to="no address"), "its recipient 1 is not understood"),
    (lambda row: row["recipients"][0].update(state="lost"), "its recipient 1 is not understood"),
])
def test_a_file_that_is_not_understood_is_named_and_stays(waiting, change, words):
    server, ids = waiting
    folder = server.path("out")
    veredus(server, "spool", "export", folder, "--id", ids[0])
    row = load(folder, ids[0])
    change(row)
    with open(os.path.join(folder, ids[0] + ".json"), "w", encoding="utf-8") as out:
        json.dump(row, out)
    text = veredus(server, "spool", "import", folder, status=1)
    assert f"{ids[0]}: not taken:" in text and words in text
    assert files(folder) == [f"{ids[0]}.eml", f"{ids[0]}.json"] and listed(server) == ids


@pytest.mark.parametrize("content, words", [
    (b"Subject: x\n\nbody\n", "line 1 of its content does not end in CRLF"),
    (b"Subject: x\r\n\r\nbody", "its last line does not end in CRLF"),
    (b"Subject: x\r\n\r\nbo\rdy\r\n", "line 3 of its content does not end in CRLF"),
    (b"", "its content is empty"),
])
def test_content_that_smtp_cannot_carry_is_not_taken(waiting, content, words):
    server, ids = waiting
    folder = server.path("out")
    veredus(server, "spool", "export", folder, "--id", ids[0])
    with open(os.path.join(folder, ids[0] + ".eml"), "wb") as out:
        out.write(content)
    assert words in veredus(server, "spool", "import", folder, status=1)


def test_content_that_was_cut_off_or_changed_on_its_way_is_not_taken(waiting):
    server, ids = waiting
    folder = server.path("out")
    veredus(server, "spool", "export", folder)
    for name, change in zip(ids, [lambda octets: octets[:octets.index(b"secret")],
                                  lambda octets: octets.replace(b"secret", b"Secret"), lambda octets: octets]):
        with open(os.path.join(folder, name + ".eml"), "r+b") as content:
            octets = change(content.read())
            content.seek(0)
            content.truncate()
            content.write(octets)
    row = load(folder, ids[2])
    with open(os.path.join(folder, ids[2] + ".eml"), "rb") as content:
        assert row["sha256"] == hashlib.sha256(content.read()).hexdigest()
    veredus(server, "queue", "remove", "--all", "-y")
    until(lambda: not listed(server), "an empty queue")
    text = veredus(server, "spool", "import", folder, status=1)
    assert f"{ids[0]}: not taken: its content has" in text and "that were exported" in text
    assert f"{ids[1]}: not taken: its content is not what was exported" in text and "1 message taken in, 2 not" in text
    row = load(folder, ids[1])
    del row["size"], row["sha256"]
    with open(os.path.join(folder, ids[1] + ".json"), "w", encoding="utf-8") as out:
        json.dump(row, out)
    assert "1 message taken in, 1 not" in veredus(server, "spool", "import", folder, status=1)


def test_an_export_that_was_cut_off_is_finished_by_another(waiting):
    server, ids = waiting
    folder = server.path("out")
    os.mkdir(folder)
    for name in [f"{ids[0]}.eml", f"{ids[1]}.eml", f"{ids[1]}.json.new"]:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            out.write("Received: by")
    text = veredus(server, "spool", "import", folder, status=1)
    assert f"{ids[0]}: not taken: it has no .json: its export was not finished" in text and "2 not" in text
    assert "3 messages in" in veredus(server, "spool", "export", folder)
    assert files(folder) == sorted(f"{name}.{end}" for name in ids for end in ["eml", "json"])
    veredus(server, "queue", "remove", "--all", "-y")
    until(lambda: not listed(server), "an empty queue")
    assert "3 messages taken in" in veredus(server, "spool", "import", folder)


def test_an_import_that_ended_between_two_moves_is_over(waiting):
    server, ids = waiting
    folder = server.path("out")
    veredus(server, "spool", "export", folder, "--id", ids[0])
    veredus(server, "spool", "import", folder)
    os.rename(os.path.join(folder, "done", ids[0] + ".json"), os.path.join(folder, ids[0] + ".json"))
    before = listed(server)
    assert f"{ids[0]}  was taken in before\n1 message taken in" in veredus(server, "spool", "import", folder)
    assert files(folder) == ["done"] and len(files(os.path.join(folder, "done"))) == 2 and listed(server) == before


def test_a_folder_is_one_exports_or_imports_alone(waiting):
    server, _ = waiting
    folder = os.open(os.path.dirname(server.write("other", "")), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        for command in ["export", "import"]:
            assert "another export or import works in that folder" in \
                veredus(server, "spool", command, server.path(), status=75)
    finally:
        os.close(folder)


def test_without_a_server_nothing_is_taken_in(waiting):
    server, _ = waiting
    veredus(server, "spool", "export", server.path("out"))
    server.stop()
    text = veredus(server, "spool", "import", server.path("out"), status=69)
    assert "veredus run --hold" in text


def test_a_salvage_finds_messages_when_the_tables_are_lost(waiting):
    server, ids = waiting
    server.stop()
    veredus(server, "spool", "export", server.path("whole"))
    for name in ["checkpoint-a", "checkpoint-b", "start"]:
        if os.path.exists(server.path("spool", name)):
            os.unlink(server.path("spool", name))
    flip(server, b"secret-2")
    before = snapshot(server)
    text = veredus(server, "spool", "export", "--salvage", server.path("out"), status=1)
    assert "look before they are taken in again" in text and snapshot(server) == before
    assert files(server.path("out")) == sorted(f"{name}.{end}" for name in ids[:2] for end in ["eml", "json"]) + \
        [f"{ids[2]}.damaged.{end}" for end in ["eml", "json"]]
    for name in ids[:2]:
        assert load(server.path("out"), name)["recipients"] == load(server.path("whole"), name)["recipients"]


# ---- a start with all held ----


def test_a_start_with_all_held_lets_nothing_go_but_what_comes_now(waiting):
    server, ids = waiting
    server.stop()
    os.chmod(server.path("mail"), 0o755)
    server.start(arguments=["--hold"])
    assert server.wait_record("spool", state="held")["held"] == 3
    new = server.send(LETTER % b"new").id
    assert server.wait_mail("ada") and server.wait_record("done", id=new)
    assert listed(server, "--state", "held") == ids == listed(server)
    assert "the server was started with --hold" in veredus(server, "queue", "show", ids[0])
    veredus(server, "queue", "flush", "--all", "-y")
    assert listed(server, "--state", "held") == ids

    # A queue process that dies forgets nothing of it; what has come since goes on.
    os.chmod(server.path("mail", "example.test"), 0o500)
    late = server.send(LETTER % b"late", to="bob@example.test").id
    server.wait_record("defer", id=late)
    settled(server, [late])
    before = server.workers()["queue"]
    os.kill(before[0], signal.SIGKILL)
    server.expect("process")
    until(lambda: server.workers().get("queue", before) != before and
          len(server.records("spool", state="held")) == 2, "another queue process")
    until(lambda: veredus(server, "queue", "--json", status=None).count(chr(10)) == 4, "its answer")
    assert listed(server, "--state", "held") == ids and listed(server, "--state", "deferred") == [late]

    os.chmod(server.path("mail", "example.test"), 0o755)
    veredus(server, "queue", "release", "--all", "-y")
    veredus(server, "queue", "flush", "--all", "-y", status=None)
    until(lambda: not listed(server), "an empty queue")
    server.wait_mail("ada", 4)
    server.wait_mail("bob", 3)


def test_a_start_without_it_lets_go_what_was_held_so(waiting):
    server, ids = waiting
    server.stop()
    server.start(arguments=["--hold"])
    until(lambda: listed(server, "--state", "held") == ids, "all held")
    server.stop()
    os.chmod(server.path("mail"), 0o755)
    server.start()
    veredus(server, "queue", "flush", "--all", "-y", status=None)
    server.wait_mail("ada", 3)


def test_only_administrators_may(waiting):
    server, _ = waiting
    if os.getuid() != 0:
        pytest.skip("needs root to be somebody else")
    # Where it was built nobody else may have to walk.
    program = shutil.copy(PROGRAM, server.path("veredus"))
    for command in [["check"], ["export", "/tmp/veredus-nowhere"]]:
        done = subprocess.run([program, "spool", *command], capture_output=True, text=True, timeout=30, check=False,
                              env={**os.environ, "VEREDUS_CONFIG": server.path("veredus.conf")}, user=12345, group=12345)
        assert done.returncode == 77, (command, done)
