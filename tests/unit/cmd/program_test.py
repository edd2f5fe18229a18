#!/usr/bin/python3
"""The command line program (the argument) without a server: options, exit codes, which configuration, config check.

Prints one line a case; ends 1 when one failed.
"""
import json
import os
import pwd
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
GOOD = """hostname mail.example.test;
listen 127.0.0.1:25250;
spool spool;
state state;
control control 0660 root;
log file:log;
run-as nobody;
domain example.test {
    users file:users;
    aliases file:aliases;
    deliver maildir:mail/{domain}/{user};
    deliver-as nobody;
}
"""
failures = []


def run(*arguments, cwd, **env):
    clean = {name: value for name, value in os.environ.items() if name not in ("VEREDUS_CONFIG", "XDG_STATE_HOME")}
    done = subprocess.run([PROGRAM, *arguments], cwd=cwd, env={**clean, "HOME": cwd, **env}, text=True,
                          capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout, done.stderr


def expect(name, good, seen):
    print("ok  " if good else "FAIL", name)
    if not good:
        failures.append(name)
        print("     ", seen)


def write(folder, name, text, mode=0o644):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, mode)
    return path


def usage(folder):
    seen = run(cwd=folder)
    expect("nothing said is a usage error, and help", seen[0] == 64 and "config check" in seen[1], seen)
    for words in (["version"], ["-q", "version"], ["version", "-q"]):
        seen = run(*words, cwd=folder)
        expect(" ".join(words), seen[0] == 0 and seen[1].startswith("veredus "), seen)
    seen = run("version", "--json", cwd=folder)
    expect("--json is JSON", seen[0] == 0 and "version" in json.loads(seen[1]), seen)
    for words in (["qeue"], ["queue", "frob"], ["config"], ["version", "x"], ["status", "--wat"], ["queue", "show"],
                  ["queue", "list", "x"], ["status", "-c"], ["help", "qeue"]):
        seen = run(*words, cwd=folder)
        expect("64: " + " ".join(words), seen[0] == 64 and not seen[1] and seen[2], seen)
    for words in (["queue", "flush"], ["queue", "flush", "--all", "--state", "held"], ["queue", "flush", "x"],
                  ["queue", "--state", "x"], ["queue", "--older", "x"], ["queue", "--older", "0s"], ["queue", "-y"],
                  ["queue", "--tenant", "x"], ["queue", "flush", "--all", "--note", "x"], ["queue", "hold", "--note", "x"],
                  ["queue", "remove", "-y"], ["queue", "remove", "--from"], ["queue", "remove", "--from", ""],
                  ["queue", "flush", "--all", "--bounce"], ["explain"], ["explain", "ada"], ["explain", "a@b", "c@d"],
                  ["explain", "a@b", "--account"], ["explain", "a@b", "--client"]):
        seen = run(*words, cwd=folder, VEREDUS_CONFIG="veredus.conf")
        expect("64: " + " ".join(words), seen[0] == 64 and not seen[1] and seen[2], seen)
    for words in (["dkim", "new", "x"], ["top"]):
        seen = run(*words, cwd=folder)
        expect("not built yet: " + " ".join(words), seen[0] == 64 and "not built yet" in seen[2], seen)
    for words in (["queue", "-h"], ["-h"], ["config", "check", "--help"], ["help", "queue", "show"], ["dkim", "-h"]):
        seen = run(*words, cwd=folder)
        expect("help: " + " ".join(words), seen[0] == 0 and "veredus" in seen[1], seen)


def which_configuration(folder):
    if not os.path.exists("/etc/veredus/veredus.conf") and not os.path.exists("/var/lib/veredus-demo"):
        seen = run("config", "show", cwd=folder)
        expect("no configuration anywhere is 78", seen[0] == 78 and "-c FILE" in seen[2], seen)
        demo = os.path.join(folder, "veredus-demo")
        os.mkdir(demo)
        write(demo, "veredus.conf", "hostname demo.example.test;\n")
        seen = run("config", "show", "hostname", cwd=folder)
        expect("a demonstration is found, and that is said",
               seen[0] == 0 and "demo.example.test" in seen[1] and "veredus-demo" in seen[2], seen)
        seen = run("config", "show", "hostname", "-q", cwd=folder)
        expect("-q says nothing of it", seen[0] == 0 and not seen[2], seen)
    seen = run("config", "show", "hostname", cwd=folder, VEREDUS_CONFIG="veredus.conf")
    expect("VEREDUS_CONFIG", seen[0] == 0 and "mail.example.test" in seen[1], seen)
    other = write(folder, "other.conf", "hostname other.example.test;\n")
    seen = run("-c", other, "config", "show", "hostname", cwd=folder, VEREDUS_CONFIG="veredus.conf")
    expect("-c goes first", "other.example.test" in seen[1], seen)
    seen = run("config", "show", "nonsense", "-c", "veredus.conf", cwd=folder)
    expect("config show of no directive", seen[0] == 64, seen)
    seen = run("config", "help", "user", cwd=folder)
    expect("config help names the nearest", seen[0] == 64 and "users" in seen[2], seen)


def includes(folder):
    team = write(folder, "team", "ada, nobody-here\n:include:" + folder + "/deeper\n")
    write(folder, "deeper", "bob\n:include:x\n")
    write(folder, "aliases", f"postmaster: ada\nteam: :include:{team}\nlost: :include:{folder}/lost\n")
    seen = run("config", "check", "veredus.conf", cwd=folder)
    expect("included files are read", seen[0] == 78 and f"{folder}/deeper:2: error: " in seen[1]
           and f"{folder}/aliases:3: error: {folder}/lost: No such file" in seen[1], seen)
    write(folder, "deeper", "bob\n")
    seen = run("config", "check", "veredus.conf", cwd=folder)
    expect("and their targets are looked for", seen[0] == 78
           and f"{folder}/aliases:2: error: leads to nobody-here@example.test" in seen[1], seen)
    write(folder, "team", "ada\n", mode=0o600)
    write(folder, "aliases", f"postmaster: ada\nteam: :include:{team}\n")
    seen = run("config", "check", "veredus.conf", cwd=folder)
    if os.geteuid() == 0:
        expect("an included file is for everyone", seen[0] == 78 and
               f"{folder}/aliases:2: error: {team} is not readable by everyone" in seen[1], seen)
    os.chmod(team, 0o644)
    seen = run("config", "check", "veredus.conf", cwd=folder)
    expect("then all is well", seen[0] == 0 and seen[1] == "no errors.\n", seen)


def check(folder):
    seen = run("config", "check", "veredus.conf", cwd=folder)
    expect("all is well", seen[0] == 0 and seen[1] == "no errors.\n", seen)
    if os.geteuid() == 0:
        apart = write(folder, "apart.conf", GOOD.replace("run-as nobody;\n", ""))
        seen = run("config", "check", apart, cwd=folder)
        try:
            pwd.getpwnam("_veredus_in")
            warned = False
        except KeyError:
            warned = True
        expect("missing accounts of processes are a warning", seen[0] == 0 and ("run as nobody" in seen[1]) == warned,
               seen)
    shared = write(folder, "shared.conf", GOOD.replace("{user}", "%u"))
    seen = run("config", "check", shared, cwd=folder)
    expect("a mailbox that all share is a warning", seen[0] == 0 and "all users of this domain share one mailbox" in
           seen[1] and "{user}" in seen[1], seen)
    bad = write(folder, "bad.conf", GOOD.replace("hostname", "hostnam").replace("maildir:", "mailbox:"))
    seen = run("config", "check", bad, cwd=folder)
    expect("all errors at once, with place and mark",
           seen[0] == 78 and f"{bad}:1:1: error: unknown directive 'hostnam'" in seen[1] and "^^^^^^^ did you mean" in
           seen[1] and f"{bad}:11:13: error" in seen[1] and seen[1].endswith("2 errors.\n"), seen)
    seen = run("config", "check", "--json", bad, cwd=folder)
    rows = [json.loads(line) for line in seen[1].splitlines()]
    expect("as JSON, one a line", [row["line"] for row in rows] == [1, 11] and rows[0]["level"] == "error", seen)
    seen = run("status", "-c", bad, cwd=folder)
    expect("the socket is found in a file with errors", seen[0] == 69 and os.path.join(folder, "control") in seen[2],
           seen)

    lost = write(folder, "lost.conf", GOOD.replace("file:users", "file:nowhere").replace("nobody", "no-such-account")
                 .replace("maildir:mail", "maildir:nofolder/mail").replace("file:log", "file:nofolder/log"))
    seen = run("config", "check", lost, cwd=folder)
    expect("what cannot be had is found", seen[0] == 78 and "nowhere" in seen[1] and "no-such-account" in seen[1]
           and "nofolder" in seen[1], seen)
    write(folder, "users", "ada\n:x\nbob\n")
    write(folder, "aliases", "postmaster: ada\nnonsense\n")
    seen = run("config", "check", "veredus.conf", cwd=folder)
    expect("lines of users and aliases", seen[0] == 78 and f"{folder}/users:2: error:" in seen[1]
           and f"{folder}/aliases:2: error:" in seen[1] and "2 errors." in seen[1], seen)
    write(folder, "users", "ada\nbob\n")
    write(folder, "aliases", "one: two\ntwo: one\nteam: ada, nobody-here\ngone: nobody-here\nfar: x@far.example\n"
          "cmd: |/bin/true\nfile: /var/tmp/x\nbroken: :include:x\n")
    seen = run("config", "check", "veredus.conf", cwd=folder)
    lines = [line for line in seen[1].splitlines() if line.startswith(folder + "/aliases:")]
    expect("aliases that lead nowhere, each line once", seen[0] == 78
           and [line.split(":")[1] for line in lines] == ["8", "1", "2", "3", "4", "6", "7"], seen)
    for number, words in ((0, "wants an absolute path"), (1, "in a circle"),
                          (4, "nobody-here@example.test, which does not exist"),
                          (5, "names a command or file; until the domain says alias-commands on")):
        expect("aliases: " + words, words in lines[number], lines)
    expect("a domain without a postmaster is a warning", "warning: postmaster@example.test is no user" in seen[1], seen)
    includes(folder)
    write(folder, "aliases", "")
    seen = run("config", "check", "veredus.conf", cwd=folder)
    expect("warnings alone are no failure", seen[0] == 0 and "1 warning" in seen[1], seen)
    seen = run("config", "check", "missing.conf", cwd=folder)
    expect("a missing file", seen[0] == 78 and "missing.conf" in seen[1] + seen[2], seen)


def no_server(folder):
    for words in (["status"], ["queue"], ["queue", "show", "3591TJHR6EY3"], ["reload"], ["stop"],
                  ["queue", "3591TJHR6EY3"], ["queue", "--from", "<>", "--older", "2h"], ["queue", "flush", "--all"],
                  ["queue", "hold", "3591tjhr6ey3", "--note", "x", "-y"], ["queue", "remove", "--bounce", "--all", "-y"],
                  ["explain", "a@example.test"], ["explain", "a@example.test", "--message", "veredus.conf"]):
        seen = run(*words, cwd=folder, VEREDUS_CONFIG="veredus.conf")
        expect("69 without a server: " + " ".join(words), seen[0] == 69 and not seen[1] and "veredus run" in seen[2],
               seen)


def messages_to_explain(folder):
    seen = run("explain", "a@example.test", "--message", "nowhere", cwd=folder, VEREDUS_CONFIG="veredus.conf")
    expect("65 for a message that cannot be read", seen[0] == 65 and "nowhere" in seen[2], seen)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = os.path.realpath(name)
        os.chmod(folder, 0o755)
        write(folder, "veredus.conf", GOOD)
        write(folder, "users", "ada\nbob\n")
        write(folder, "aliases", "postmaster: ada\n")
        os.mkdir(os.path.join(folder, "mail"))
        os.chmod(os.path.join(folder, "mail"), 0o777)
        usage(folder)
        which_configuration(folder)
        no_server(folder)
        messages_to_explain(folder)
        check(folder)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
