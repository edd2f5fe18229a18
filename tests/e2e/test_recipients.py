"""Whose mail is taken, decided at RCPT."""
import os

import pytest

from harness import below_trace, until

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello\r\n"


@pytest.fixture
def wire(server):
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        yield wire


@pytest.mark.parametrize("path, code, status", [
    ("nobody@example.test", 550, "5.1.1"),
    ("ada@elsewhere.test", 550, "5.7.1"),
    ("ada@sub.example.test", 550, "5.7.1"),
    ("ada%elsewhere.test@example.test", 550, "5.1.1"),
    ("ada", 501, "5.1.3"),
    ("@example.test", 501, "5.1.3"),
    ("ada@", 501, "5.1.3"),
    ("ada..b@example.test", 501, "5.1.3"),
    (".ada@example.test", 501, "5.1.3"),
    ("x/bob@example.test", 550, "5.1.1"),
    ('"../bob"@example.test', 550, "5.1.1"),
])
def test_c039_c040_c076_refused_at_rcpt(wire, path, code, status):
    reply = wire.cmd(f"RCPT TO:<{path}>")
    assert (reply.code, reply.status) == (code, status), reply
    assert wire.cmd("RCPT TO:<ada@example.test>") == 250


@pytest.mark.parametrize("path", ["ada@example.test", "ADA@EXAMPLE.TEST", "ada@Example.Test", "ada+detail@example.test",
                                  '"ada"@example.test', "@a.test,@b.test:ada@example.test"])
def test_c023_c030_c032_the_same_mailbox(server, path):
    assert server.send(LETTER, to=path) == 250
    assert below_trace(server.wait_mail("ada")[0]) == LETTER


@pytest.mark.parametrize("path", ["Postmaster", "POSTMASTER", "postmaster@example.test", "PostMaster@EXAMPLE.test"])
def test_c037_postmaster_is_always_taken(make_server, path):
    server = make_server(users=["ada", "postmaster"])
    assert server.send(LETTER, to=path) == 250
    server.wait_mail("postmaster")


@pytest.mark.parametrize("name", ["abuse", "postmaster"])
def test_c037_abuse_and_postmaster_have_mailboxes_of_their_own_if_nobody_takes_them(server, name):
    assert server.send(LETTER, to=f"{name}@example.test") == 250
    server.wait_mail(name)


def test_c037_postmaster_of_a_directive(make_server):
    server = make_server(top="postmaster ada@example.test;")
    assert server.send(LETTER, to="postmaster@example.test") == 250
    assert server.send(LETTER, to="Postmaster") == 250
    server.wait_mail("ada", 2)


def test_c038_the_null_sender_is_taken_with_several_recipients(server):
    assert server.send(LETTER, sender="", to=["ada@example.test", "bob@example.test"]) == 250
    server.wait_mail("ada")
    server.wait_mail("bob")


def test_c041_a_hundred_recipients_and_more(make_server):
    users = [f"u{n}" for n in range(250)]
    server = make_server(users=users)
    assert server.send(LETTER, to=[f"{u}@example.test" for u in users]) == 250
    for user in users:
        server.wait_mail(user)


def test_c042_beyond_max_recipients_452_and_the_others_get_it(make_server):
    users = [f"u{n}" for n in range(101)]
    server = make_server(users=users, top="max-recipients 100;")
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        replies = [wire.cmd(f"RCPT TO:<{user}@example.test>") for user in users]
        assert all(reply == 250 for reply in replies[:100])
        assert replies[100] == 452 and replies[100].status == "4.5.3"
        assert wire.content(LETTER) == 250
    for user in users[:100]:
        server.wait_mail(user)
    assert not server.mail("u100")


def test_c246_an_alias_keeps_the_sender(make_server):
    server = make_server(aliases={"info": "ada", "both": "ada, bob", "deep": "info"})
    assert server.send(LETTER, to="info@example.test") == 250
    message = server.wait_mail("ada")[0]
    assert message.startswith(b"Return-Path: <carol@example.net>")
    assert below_trace(message) == LETTER
    assert server.send(LETTER, to="both@example.test") == 250
    assert server.send(LETTER, to="deep@example.test") == 250
    server.wait_mail("ada", 3)
    server.wait_mail("bob", 1)


@pytest.fixture
def team(make_server):
    """A server whose alias team@ is a file of :include:, with ada in it; and that file."""
    server = make_server(start=False)
    path = server.write("team", "# who reads it\nada\n")
    server.write_aliases({"team": ":include:" + path})
    return server.start(), path


def rcpt(server, path):
    with server.wire() as wire:
        wire.ehlo()
        wire.cmd("MAIL FROM:<carol@example.net>")
        return wire.cmd(f"RCPT TO:<{path}>")


def test_members_of_an_included_file_get_the_message(team):
    server, _ = team
    assert server.send(LETTER, to="team@example.test") == 250
    message = server.wait_mail("ada")[0]
    assert message.startswith(b"Return-Path: <carol@example.net>") and below_trace(message) == LETTER
    assert not server.mail("bob")


def test_an_included_file_that_changes_has_other_members_without_reload(team):
    server, path = team
    assert server.send(LETTER, to="team@example.test") == 250
    server.wait_mail("ada")
    os.rename(server.write("team.new", "bob\n"), path)
    server.wait_record("table", table=path, state="answering")
    assert server.send(LETTER, to="team@example.test") == 250
    server.wait_mail("bob")
    server.wait_queue_empty()
    assert len(server.mail("ada")) == 1
    os.rename(server.write("team.new", "bob,\nada\n"), path)
    until(lambda: len(server.records("table", table=path, state="answering")) == 2, "the file of two lines")
    assert server.send(LETTER, to="team@example.test") == 250
    server.wait_mail("ada", 2)
    server.wait_mail("bob", 2)


@pytest.mark.skipif(os.getuid() != 0, reason="whoever is not root opens with no other rights anyway")
def test_a_path_that_lookup_names_is_not_opened_by_root_s_rights(make_server):
    """A lookup that was taken over could name any path: folders that it cannot enter, what /proc shows to root."""
    server = make_server(start=False)
    folder = server.path("closed")
    os.mkdir(folder, 0o700)
    path = server.write("closed/team", "ada\n")
    os.chmod(path, 0o644)
    maps = f"/proc/{os.getpid()}/maps"
    server.write_aliases({"team": ":include:" + path, "maps": ":include:" + maps})
    server.expect("table")
    server.start()
    for name in [path, maps]:
        record = server.wait_record("table", table=name, level="error")
        assert "readable by everyone" in record["error"]
    assert rcpt(server, "team@example.test") == 451
    os.chmod(folder, 0o755)
    os.utime(path)
    until(lambda: rcpt(server, "team@example.test") == 250, "the file in an open folder")


def test_an_included_file_that_is_not_for_everyone_is_451_and_named(make_server):
    server = make_server(start=False)
    path = server.write("team", "ada\n")
    os.chmod(path, 0)
    server.write_aliases({"team": ":include:" + path, "info": "bob"})
    server.expect("table")
    server.start()
    assert server.wait_record("table", table=path, level="error")["state"] == "failing"
    assert rcpt(server, "team@example.test") == 451
    reject = server.wait_record("reject", to="team@example.test")
    assert reject["code"] == 451
    assert rcpt(server, "info@example.test") == 250
    os.chmod(path, 0o644)
    until(lambda: rcpt(server, "team@example.test") == 250, "the file that everyone may read")


def test_a_recipient_reached_twice_gets_one_copy(make_server):
    server = make_server(aliases={"info": "ada"})
    assert server.send(LETTER, to=["ada@example.test", "info@example.test", "ada@example.test"]) == 250
    server.wait_queue_empty()
    server.wait_mail("ada", 1)


def test_an_alias_that_leads_in_a_circle_harms_nobody(make_server):
    server = make_server(aliases={"a": "b", "b": "a"})
    reply = server.send(LETTER, to="a@example.test")
    assert reply.code // 100 in (4, 5), reply
    assert server.send(LETTER) == 250
    server.wait_mail("ada")


def test_catch_all_takes_what_nobody_knows(make_server):
    server = make_server(domain="catch-all bob@example.test;")
    assert server.send(LETTER, to="anything@example.test") == 250
    assert server.send(LETTER, to="ada@example.test") == 250
    server.wait_mail("bob")
    server.wait_mail("ada")


def test_c044_c045_vrfy_says_what_it_knows(server):
    with server.wire() as wire:
        wire.ehlo()
        reply = wire.cmd("VRFY ada@example.test")
        assert reply == 250 and "<ada@example.test>" in reply.text
        assert wire.cmd("VRFY nobody@example.test").code in (550, 551, 553)
        assert wire.cmd("VRFY someone@elsewhere.test") == 252


def test_c044_vrfy_off_answers_252(make_server):
    server = make_server(listen="vrfy off;")
    with server.wire() as wire:
        wire.ehlo()
        assert wire.cmd("VRFY ada@example.test") == 252
        assert wire.cmd("VRFY nobody@example.test") == 252


def test_a_refusal_is_recorded_with_its_reason(server):
    server.send(LETTER, to="nobody@example.test")
    record = server.wait_record("reject")
    assert record["reason"] == "no-user" and record["code"] == 550 and record["status"] == "5.1.1"
    assert record["to"] == "nobody@example.test" and record["from"] == "carol@example.net"
    server.send(LETTER, to="x@elsewhere.test")
    assert server.wait_record("reject", reason="relay")


def test_c182_c183_c185_smtputf8_addresses(make_server):
    server = make_server(users=["ada", "jürgen"])
    with server.wire() as wire:
        assert "SMTPUTF8" in wire.ehlo().lines
        wire.cmd("MAIL FROM:<carol@example.net> SMTPUTF8")
        assert wire.cmd("RCPT TO:<jürgen@example.test>") == 250
        assert wire.content(LETTER) == 250
        wire.cmd("MAIL FROM:<carol@example.net>")
        reply = wire.cmd("RCPT TO:<jürgen@example.test>")
        assert reply == 553 and reply.status == "5.6.7" and reply.raw.isascii()
    server.wait_mail("jürgen")


# As long as a path may be (RFC 5321 4.5.3.1.3); what takes them keeps them.
FAR = f"{63 * 'a'}.{63 * 'b'}.{56 * 'c'}.test"
CROWD = "relay-from 127.0.0.1; route * hold; max-recipients 100000; max-expansion 100000;"


def far(i):
    return f"{i:05d}." + 58 * "l" + "@" + FAR


def many(wire, n):
    """RCPT for each, and the replies."""
    replies = []
    for first in range(0, n, 200):
        group = range(first, min(first + 200, n))
        wire.send("".join(f"RCPT TO:<{far(i)}>\r\n" for i in group))
        replies += [wire.reply() for _ in group]
    return replies


def all_of(records, n):
    assert len(records) <= n
    return records if len(records) == n else None


def test_c042_c152_what_no_envelope_holds_is_452_at_rcpt(make_server):
    server = make_server(top=CROWD)
    with server.wire() as wire:
        wire.ehlo()
        assert wire.cmd("MAIL FROM:<carol@example.net>") == 250
        replies = many(wire, 5400)
        taken = [reply.code for reply in replies].index(452)
        assert taken > 100
        assert {reply.code for reply in replies[:taken]} == {250}
        assert {(reply.code, reply.status) for reply in replies[taken:]} == {(452, "4.5.3")}
        # Content that stays in memory up to its last octet, beside the largest envelope.
        assert wire.content(LETTER + 3000 * (b"x" * 70 + b"\r\n")) == 250
        assert wire.cmd("MAIL FROM:<carol@example.net>") == 250
        assert wire.cmd(f"RCPT TO:<{far(taken)}>") == 250
    assert server.wait_record("accept")["recipients"] == taken
    refused = until(lambda: all_of(server.records("reject"), len(replies) - taken), "a record of each refusal")
    assert refused[0]["reason"] == "limit" and refused[0]["stage"] == "rcpt" and refused[0]["to"] == far(taken)


def test_an_alias_that_becomes_more_than_an_envelope_holds_is_452_at_once(make_server):
    server = make_server(top=CROWD, aliases={"some": ", ".join(far(i) for i in range(5500)), "rest": ", ".join(
        far(i) for i in range(5500, 11000)), "all": "some, rest"})
    with server.wire() as wire:
        wire.ehlo()
        assert wire.transaction(LETTER, to="some@example.test") == 250
        reply = wire.transaction(LETTER, to="all@example.test")
        assert (reply.code, reply.status) == (452, "4.5.3"), reply
        assert wire.transaction(LETTER, to="rest@example.test") == 250
    accepted = until(lambda: all_of(server.records("accept"), 2), "records of both")
    assert [record["recipients"] for record in accepted] == [5500, 5500]
    refused, = server.records("reject")
    assert refused["stage"] == "data" and refused["reason"] == "limit" and refused["code"] == 452
