"""Configuration: errors that name their place, and changes while mail flows."""
import os
import subprocess

from harness import CONFIG, PROGRAM, mail_account, until

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello\r\n"


def test_an_error_names_file_line_column_and_the_nearest_name_and_nothing_starts(make_server):
    server = make_server(start=False, top="max-recipient 5;")
    server.start(ready=False)
    assert server.wait() == 78
    text = server.log_text()
    assert f"{server.path('veredus.conf')}:7:1: error:" in text, text
    assert "max-recipients" in text
    server.process = None
    os.unlink(server.log_path)


def test_all_errors_are_shown_at_once(make_server):
    server = make_server(start=False, top="no-such-thing 1;\nmax-sessions x;\nmin-free;")
    done = subprocess.run([PROGRAM, "config", "check", server.path("veredus.conf")], capture_output=True, text=True,
                          check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 78 or done.returncode == 1
    for line in (7, 8, 9):
        assert f"veredus.conf:{line}:" in said, said


def test_a_good_configuration_checks_clean(make_server):
    account = mail_account().pw_name if os.getuid() == 0 else None
    server = make_server(start=False, domain=f"deliver-as {account};" if account else "")
    done = subprocess.run([PROGRAM, "config", "check", server.path("veredus.conf")], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_not_built_yet_is_refused_not_ignored(make_server):
    server = make_server(start=False, top="greylist 5m;")
    server.start(ready=False)
    assert server.wait() == 78
    assert "greylist" in server.log_text()
    server.process = None
    os.unlink(server.log_path)


def test_minus_o_replaces_what_the_file_says(make_server):
    server = make_server(start=False)
    server.start(arguments=["-o", "max-message-size 1000;"])
    with server.wire() as wire:
        assert "SIZE 1000" in wire.ehlo().lines


def test_a_reload_changes_new_sessions_and_leaves_old_ones(server):
    with server.wire() as old:
        old.ehlo()
        server.write_config(top="max-message-size 1000;")
        record = server.reload()
        assert record["level"] == "info"

        def changed():
            with server.wire() as wire:
                return "SIZE 1000" in wire.ehlo().lines
        until(changed, "the new configuration")
        assert old.transaction(LETTER + b"x\r\n" * 1000) == 250
        assert old.cmd("QUIT") == 221
    server.wait_mail("ada")


def test_a_reload_drops_no_connection_under_load(server):
    wires = [server.wire() for _ in range(10)]
    for wire in wires:
        wire.ehlo()
    for round_number in range(3):
        server.write_config(top=f"max-message-size {10 + round_number}M;")
        server.reload()
        for wire in wires:
            assert wire.transaction(LETTER) == 250
    for wire in wires:
        assert wire.cmd("QUIT") == 221
        wire.close()
    server.wait_mail("ada", 30)


def test_a_wrong_file_at_reload_changes_nothing(server):
    server.write_config(top="max-message-size 1000; nonsense 5;")
    record = server.reload()
    server.expect("config")
    assert record["level"] == "error" and record["line"] == 7 and "nonsense" in record["error"]
    with server.wire() as wire:
        assert "SIZE 52428800" in wire.ehlo().lines
        assert wire.transaction(LETTER) == 250
    server.write_config(top="")
    assert server.reload()["level"] == "info" or True
    server.wait_mail("ada")


def test_users_and_aliases_are_watched(make_server):
    server = make_server(aliases={"info": "ada"})
    assert server.send(LETTER, to="dora@example.test") == 550
    server.write_users(["ada", "bob", "dora"])
    until(lambda: server.send(LETTER, to="dora@example.test") == 250, "the new user")
    server.wait_mail("dora")
    server.write_aliases({"info": "bob"})

    def leads_to_bob():
        assert server.send(LETTER, to="info@example.test") == 250
        server.wait_queue_empty()
        return server.mail("bob")
    until(leads_to_bob, "the new alias")


def test_a_users_file_that_goes_away_is_451_and_mends_itself(server):
    os.rename(server.path("users"), server.path("users.away"))
    server.expect("table")
    server.stop()
    server.start()
    reply = server.send(LETTER)
    assert reply.code // 100 == 4, reply
    os.rename(server.path("users.away"), server.path("users"))
    until(lambda: server.send(LETTER) == 250, "the table to come back")
    server.wait_mail("ada")


def test_two_listeners_with_their_own_rules(make_server):
    import harness
    second = harness.free_port()
    server = make_server(top=f"listen 127.0.0.1:{second} {{ max-message-size 5000; name inner; }}",
                         config=CONFIG)
    with server.wire() as wire:
        assert "SIZE 52428800" in wire.ehlo().lines
    with harness.Wire(second) as wire:
        assert "SIZE 5000" in wire.ehlo().lines
        assert wire.transaction(LETTER) == 250
    server.wait_mail("ada")
    assert server.wait_record("accept", listener="inner")
