"""Sendmail on the other end, both ways: every message arrives once; it writes header fields anew (C052)."""
import socket

import pytest

from both_ways import *  # noqa: F401,F403

import root
from corpus import maildirs
from namespaces import HERE, there

# Fields that the mailer does not ask for are not added; others it reads and writes again.
CONFIG = """\
include(`/usr/share/sendmail/cf/m4/cf.m4')
OSTYPE(`linux')
define(`confDOMAIN_NAME', `sendmail.example.test')
define(`confDONT_PROBE_INTERFACES', `True')
define(`confTO_IDENT', `0')
define(`confMAX_HOP', `1000')
define(`confMAX_HEADERS_LENGTH', `1000000')
define(`confDELIVERY_MODE', `background')
define(`confMIME_FORMAT_ERRORS', `False')
define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch')
define(`confREFUSE_LA', `1000')
define(`confQUEUE_LA', `1000')
define(`confBAD_RCPT_THROTTLE', `0')
FEATURE(`promiscuous_relay')
FEATURE(`accept_unresolvable_domains')
FEATURE(`nocanonify')
FEATURE(`no_default_msa')
DAEMON_OPTIONS(`Port=25, Addr={address}, Name=MTA')
MAILER(`smtp')
MAILER(`local')
MAILER_DEFINITIONS
Mkept, P=/bin/sh, F=lsmn8, S=0, R=0, U=nobody:nogroup, M=100000000, L=0, A=sh {work}/keep $h $u
Mours, P=[IPC], F=muXa8, S=0, R=0, E=\\r\\n, L=0, M=100000000, T=DNS/RFC822/SMTP, A=TCP $h
LOCAL_RULE_0
R$+ < @ example.test . >\t$#ours $@ [{here}] $: $1 < @ example.test . >
R$+ < @ example.test >\t$#ours $@ [{here}] $: $1 < @ example.test . >
R$+ < @ $+ .test . >\t$#kept $@ $2.test $: $1
R$+ < @ $+ .test >\t$#kept $@ $2.test $: $1
"""

KEEP = """\
umask 022
mkdir -p {work}/mail/$1/$2/new
cat >{work}/mail/$1/$2/$$ && mv {work}/mail/$1/$2/$$ {work}/mail/$1/$2/new/
"""


class Sendmail(root.Peer):
    """Keeps mail for *.test in Maildirs, and gives that for example.test to us."""

    name = "sendmail"
    packages = ["sendmail-bin", "sendmail-base", "sendmail-cf", "m4", "libsigsegv2", "libwrap0", "liblockfile1"]
    program = "usr/libexec/sendmail/sendmail"
    accounts = ["smmta", "smmsp"]
    mends = 0.4
    folders = ["etc/mail", "var/spool/mqueue", "var/run"]
    mounts = "mount --bind {work}/var /var"

    def start(self):
        self.folder("var/spool/mqueue", mode=0o700)
        self.write("keep", KEEP.format(work=self.work))
        self.write("etc/mail/service.switch", "hosts files\n")
        self.write("etc/hosts", f"127.0.0.1 localhost\n{there(2)} sendmail.example.test {socket.gethostname()}\n")
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
        self.write("etc/mail/sendmail.mc", CONFIG.format(work=self.work, address=there(2), here=HERE))
        done = self.run("m4", "/etc/mail/sendmail.mc")
        assert done.returncode == 0, done.stderr
        self.write("etc/mail/sendmail.cf", done.stdout)
        return self.launch(there(2), 25, "/" + self.program, "-bD", "-q1m", "-C/etc/mail/sendmail.cf")

    def arrived(self, domain):
        return maildirs(self.path("mail", domain))


@pytest.fixture(scope="module")
def peer(start_peer, serve):
    serve()
    return start_peer(Sendmail)
