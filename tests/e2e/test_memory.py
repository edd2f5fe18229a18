"""max-memory: above it new mail gets 452, what is there goes on, and mail is taken again when there is room."""
from harness import until

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello\r\n"


def test_above_max_memory_new_mail_gets_452_until_there_is_room(make_server):
    server = make_server(top="max-memory 1M;")
    server.expect("spool", level="warning")
    # The first message asks how much is taken; those that follow know.
    until(lambda: server.send(LETTER) != 250, "a refusal")
    reply = server.send(LETTER)
    assert reply in (451, 452) and reply.status in ("4.3.1", "4.3.0")
    refused = server.wait_record("spool", state="refusing")
    assert "max-memory" in refused["cause"]
    server.write_config(top="max-memory 4G;")
    server.reload()
    until(lambda: server.send(LETTER) == 250, "mail is taken again")
    server.wait_record("spool", state="ok")


def test_by_itself_there_is_room_on_this_machine(server):
    for _ in range(3):
        assert server.send(LETTER) == 250
    server.wait_mail("ada", 3)
    assert not server.records("spool", state="refusing")
