"""What happens after the 250: mailboxes, failures of delivery, and mail that waits."""
import os
import re

import pytest

from harness import below_trace, field

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello\r\n"


@pytest.fixture
def server(make_server):
    """What is put off is tried again soon."""
    return make_server(top="retry 1s;")


def shut(server):
    """The mail root, closed to the account that delivers."""
    os.chmod(server.path("mail"), 0o500)


def open_again(server):
    os.chmod(server.path("mail"), 0o755)


def test_a_mailbox_is_a_maildir_made_when_needed(server):
    server.send(LETTER)
    server.wait_mail("ada")
    assert sorted(os.listdir(server.maildir("ada"))) == ["cur", "new", "tmp"]
    assert os.listdir(os.path.join(server.maildir("ada"), "tmp")) == []


def test_the_file_is_named_after_the_message(server):
    reply = server.send(LETTER)
    server.wait_mail("ada")
    assert reply.id in os.path.basename(server.mail_paths("ada")[0])


def test_detail_and_case_lead_to_the_same_folder(server):
    server.send(LETTER, to="ADA+lists@example.test")
    server.wait_mail("ada")
    assert os.listdir(server.path("mail", "example.test")) == ["ada"]


def test_c060_the_250_does_not_wait_for_a_mail_root_that_is_shut_and_a_restart_finds_it_open(server):
    shut(server)
    reply = server.send(LETTER)
    assert reply == 250
    record = server.wait_record("defer", id=reply.id)
    assert record["to"] == "ada@example.test" and record["attempt"] == 1 and re.match(r"\d{4}-", record["next"])
    open_again(server)
    server.stop()
    server.start()
    assert below_trace(server.wait_mail("ada")[0]) == LETTER
    server.wait_record("done", id=reply.id)


def test_one_recipient_of_two_waits_and_the_other_has_it_once(server):
    os.makedirs(server.path("mail", "example.test"), 0o755)
    if os.getuid() == 0:
        owner = os.stat(server.path("mail"))
        os.chown(server.path("mail", "example.test"), owner.st_uid, owner.st_gid)
    with open(server.path("mail", "example.test", "bob"), "w", encoding="ascii") as file:
        file.write("a file where a folder should be\n")
    reply = server.send(LETTER, to=["ada@example.test", "bob@example.test"])
    assert reply == 250
    server.wait_mail("ada", 1)
    server.wait_record("defer", id=reply.id, to="bob@example.test")
    os.unlink(server.path("mail", "example.test", "bob"))
    server.stop()
    server.start()
    server.wait_mail("bob", 1)
    server.wait_record("done", id=reply.id)
    assert len(server.mail("ada")) == 1


def test_what_waits_is_there_after_a_restart(server):
    shut(server)
    ids = [server.send(LETTER).id for _ in range(5)]
    for one in ids:
        server.wait_record("defer", id=one)
    server.stop()
    open_again(server)
    server.start()
    assert server.records("ready", since_start=True)[0]["queued"] == 5
    server.wait_mail("ada", 5)


def test_what_waits_is_there_after_kill_9(server):
    shut(server)
    ids = [server.send(LETTER).id for _ in range(5)]
    for one in ids:
        server.wait_record("defer", id=one)
    server.kill()
    open_again(server)
    server.start()
    server.wait_mail("ada", 5)


def test_many_messages_in_one_session_arrive_in_full(server):
    with server.wire() as wire:
        wire.ehlo()
        for n in range(100):
            assert wire.transaction(b"Subject: %d\r\n\r\n%s\r\n" % (n, b"x" * n)) == 250
    subjects = {int(field(message, "Subject")[0]) for message in server.wait_mail("ada", 100)}
    assert subjects == set(range(100))
