"""What runs, as whom, with what; what it costs while idle."""
import glob
import os
import shutil
import signal

import pytest

from harness import BUILD, PROGRAM, children, until

LETTER = b"From: carol@example.net\r\nSubject: x\r\n\r\nhello\r\n"


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as text:
        return dict(line.rstrip("\n").split(":\t", 1) for line in text if ":\t" in line)


def test_the_kinds_of_processes_run(server):
    names = set(server.workers())
    assert {"receive", "queue", "lookup", "control"} <= names, names


def test_no_worker_is_root_or_can_become_it(server):
    if os.getuid() != 0:
        pytest.skip("needs root")
    for name, pids in server.workers().items():
        for pid in pids:
            rows = status_of(pid)
            assert "0" not in rows["Uid"].split(), name
            assert rows["NoNewPrivs"] == "1", name
            assert int(rows["CapEff"], 16) == 0 and int(rows["CapPrm"], 16) == 0, name


def test_workers_are_under_seccomp(server):
    for name, pids in server.workers().items():
        for pid in pids:
            assert status_of(pid)["Seccomp"] == "2", name


def descriptors(pid):
    """What the process has open; one that it closes meanwhile is none."""
    held = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            held.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return held


def test_receive_holds_nothing_of_the_spool_and_queue_no_socket_of_the_network(server):
    if os.getuid() != 0:
        pytest.skip("needs root")
    server.send(LETTER)
    workers = server.workers()
    for pid in workers["receive"]:
        held = descriptors(pid)
        assert not [path for path in held if path.startswith(server.path("spool"))], held
    with open(f"/proc/{workers['queue'][0]}/net/tcp", encoding="ascii") as text:
        sockets = {line.split()[9] for line in text.readlines()[1:]}
    held = descriptors(workers["queue"][0])
    assert not [path for path in held if path.startswith("socket:[") and path[8:-1] in sockets], held


def test_the_mailbox_is_private_and_owned_by_its_account(server):
    assert server.send(LETTER) == 250
    server.wait_mail("ada")
    assert os.stat(server.maildir("ada")).st_mode & 0o777 == 0o700
    file = os.stat(server.mail_paths("ada")[0])
    assert file.st_mode & 0o077 == 0
    assert file.st_uid == os.stat(server.path("mail")).st_uid


def test_after_the_end_nothing_is_left(server):
    server.send(LETTER)
    server.wait_mail("ada")
    pids = server.pids()
    assert server.stop() == 0
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "the end of every process")


def test_without_main_nothing_goes_on(server):
    pids = server.pids()
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "workers to end after main")
    assert children(os.getpid()) is not None


def test_an_upgrade_under_a_running_server_changes_nothing_until_it_is_restarted(make_server):
    """Workers of another build would not understand main: those that it starts are of its own."""
    server = make_server(start=False)
    programs = server.path("programs")
    os.mkdir(programs, 0o755)
    for program in [PROGRAM, *(path for path in glob.glob(BUILD + "/src/cmd/veredus-*") if os.path.isfile(path))]:
        shutil.copy(program, programs)
    server.program = os.path.join(programs, os.path.basename(PROGRAM))
    server.start()
    server.expect("process")
    for program in os.listdir(programs):
        with open(server.path("other"), "w", encoding="ascii") as other:
            other.write("#!/bin/false\n")
        os.chmod(server.path("other"), 0o755)
        os.replace(server.path("other"), os.path.join(programs, program))
    for kind in ["queue", "receive"]:
        pid = server.workers()[kind][0]
        os.kill(pid, signal.SIGKILL)
        until(lambda: server.workers().get(kind, [pid])[0] != pid, "a successor of " + kind)
    assert server.reload()["level"] == "info"
    assert server.send(LETTER) == 250
    server.wait_mail("ada")


def test_an_idle_server_is_small(server):
    if any("asan" in word for word in os.environ.get("VEREDUS_BUILD", "").split("/")) or os.getuid() != 0:
        pytest.skip("needs root and a build without sanitizers")
    total = 0
    for pid in server.pids():
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as text:
            total += sum(int(line.split()[1]) for line in text if line.startswith("Pss:"))
    assert total < 40 * 1024, f"{total} KiB"
