"""Programs that people send with: each over STARTTLS and over TLS at once, with each mechanism it knows, and refused without."""
import json
import os
import shutil
import smtplib
import ssl
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

import accounts  # noqa: E402
from conftest import *  # noqa: E402, F401, F403
from harness import field, free_port, until  # noqa: E402

USER, PASSWORD = "ada@example.test", "tea for two"
SERVER = """\
hostname mail.example.test;
listen 127.0.0.1:{{port}} {{{{ auth none; }}}}
listen 127.0.0.1:{starttls} submission;
listen 127.0.0.1:{implicit} submission tls;
tls {{{{ certificate {chain} {key}; }}}}
spool {{folder}}/spool;
state {{folder}}/state;
control {{folder}}/run/control;
log stderr {{form}} debug;
log file:{{folder}}/run/log kv info;
oauth tokens {{{{ issuer https://issuer.example.test; keys {keys}; audience mail; }}}}
auth users oauth:tokens;
{{top}}
domain example.test {{{{
    users file:users;
    aliases file:aliases;
    deliver maildir:{{folder}}/mail/{{{{domain}}}}/{{{{user}}}};
    {{domain}}
}}}}
"""
TEXT = "It works.\n.\nGrüße\n"
LETTER = f"From: {USER}\nTo: bob@example.test\nSubject: hello\nContent-Type: text/plain; charset=utf-8\n\n{TEXT}"


class Place:
    """The server, its ports, and what its certificate was signed by."""

    def __init__(self, server, authority, issuer, starttls, implicit):
        self.server, self.ca, self.starttls, self.implicit = server, authority.ca, starttls, implicit
        self.token = issuer.token(USER)

    def arrived(self, mechanism=None):
        """Exactly one message, from Ada, sent as somebody who logged in inside TLS."""
        message = self.server.wait_mail("bob")[0]
        assert field(message, "Subject") == ["hello"]
        trace = field(message, "Received")[0]
        assert "ESMTPSA" in trace or "UTF8SMTPSA" in trace, trace
        assert "127.0.0.1" not in trace.split("by ")[0], trace
        record = self.server.wait_record("auth")
        assert record["account"] == USER
        if mechanism:
            assert record["mechanism"].removesuffix("-PLUS") == mechanism, record
        return message

    def refused(self):
        assert not self.server.records("auth") and not self.server.records("accept")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ca")
    os.chmod(folder, 0o755)
    return accounts.Authority(folder)


@pytest.fixture(scope="module")
def issuer(authority):
    return accounts.Issuer(authority.folder)


@pytest.fixture
def place(make_server, authority, issuer):
    starttls, implicit = free_port(), free_port()
    chain, key = authority.certificate("localhost", "localhost", "IP:127.0.0.1")
    server = make_server(start=False, config=SERVER.format(starttls=starttls, implicit=implicit, chain=chain, key=key,
                                                          keys=issuer.keys))
    server.write("users", accounts.line("ada", PASSWORD) + accounts.line("bob", "other"))
    server.start()
    return Place(server, authority, issuer, starttls, implicit)


def run(*arguments, ok=True, **options):
    done = subprocess.run(arguments, capture_output=True, timeout=120, check=False, **options)
    assert (done.returncode == 0) == ok, (done.stdout + done.stderr).decode("utf-8", "replace")
    return (done.stdout + done.stderr).decode("utf-8", "replace")


# ---- swaks ----

def swaks(place, program, port, *more, ok=True):
    return run(program("swaks"), "--server", "127.0.0.1", "--port", str(port), "--from", USER, "--to", "bob@example.test",
               "--ehlo", "client.example.test", "--data", LETTER.replace("\n", "\\n"), *more, ok=ok)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_swaks(place, program, mechanism, how):
    tls = ["--tls"] if how == "starttls" else ["--tlsc"]
    swaks(place, program, getattr(place, how), *tls, "--auth", mechanism, "--auth-user", USER, "--auth-password", PASSWORD)
    place.arrived(mechanism)


def test_swaks_in_clear_is_refused(place, program):
    text = swaks(place, program, place.starttls, "--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD,
                 ok=False)
    assert "AUTH PLAIN" not in text.upper().replace("--AUTH PLAIN", "") or "538" in text or "530" in text
    place.refused()


def test_swaks_with_a_wrong_password_is_told_so(place, program):
    text = swaks(place, program, place.starttls, "--tls", "--auth", "PLAIN", "--auth-user", USER, "--auth-password", "no",
                 ok=False)
    assert "535 5.7.8" in text
    place.refused()
    record = place.server.wait_record("auth_fail")
    assert record["reason"] == "password" and record["account"] == USER and record["mechanism"] == "PLAIN"
    assert "no" not in [str(value) for value in record.values()]


# ---- curl ----

@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_curl(place, program, mechanism, how):
    scheme = "smtp" if how == "starttls" else "smtps"
    run(program("curl"), "-sS", "--crlf", "--ssl-reqd", "--cacert", place.ca,
        f"{scheme}://localhost:{getattr(place, how)}", "--user", f"{USER}:{PASSWORD}", "--login-options",
        f"AUTH={mechanism}", "--mail-from", USER, "--mail-rcpt", "bob@example.test", "-T", "-", input=LETTER.encode())
    place.arrived(mechanism)


def test_curl_in_clear_is_refused(place, program):
    run(program("curl"), "-sS", "--crlf", f"smtp://localhost:{place.starttls}", "--user", f"{USER}:{PASSWORD}",
        "--mail-from", USER, "--mail-rcpt", "bob@example.test", "-T", "-", input=LETTER.encode(), ok=False)
    place.refused()


@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_curl_with_a_token(place, program, how):
    scheme = "smtp" if how == "starttls" else "smtps"
    run(program("curl"), "-sS", "--crlf", "--ssl-reqd", "--cacert", place.ca,
        f"{scheme}://localhost:{getattr(place, how)}", "--user", USER, "--oauth2-bearer", place.token, "--mail-from", USER,
        "--mail-rcpt", "bob@example.test", "-T", "-", input=LETTER.encode())
    place.arrived("OAUTHBEARER")


# ---- msmtp ----

def msmtp(place, program, port, mechanism, *tls, secret=PASSWORD, ok=True):
    run(program("msmtp"), "-C", "/dev/null", "--host=localhost", f"--port={port}", f"--from={USER}", *tls,
        f"--auth={mechanism}", f"--user={USER}", f"--passwordeval=echo {secret}", "bob@example.test",
        input=LETTER.encode(), ok=ok)


@pytest.mark.parametrize("mechanism", ["plain", "login", "scram-sha-256", "oauthbearer", "xoauth2"])
@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_msmtp(place, program, mechanism, how):
    secret = place.token if "oauth" in mechanism else PASSWORD
    tls = ["--tls=on", f"--tls-starttls={'on' if how == 'starttls' else 'off'}", f"--tls-trust-file={place.ca}"]
    if mechanism == "scram-sha-256" and "scram-sha-256-plus" in run(program("msmtp"), "--version"):
        # It could bind the channel, so could we, and it says so: somebody must have taken that out of EHLO (RFC 5802 6).
        msmtp(place, program, getattr(place, how), mechanism, *tls, ok=False)
        mechanism = "scram-sha-256-plus"
    msmtp(place, program, getattr(place, how), mechanism, *tls, secret=secret)
    place.arrived(mechanism.upper().removesuffix("-PLUS"))


def test_msmtp_in_clear_is_refused(place, program):
    msmtp(place, program, place.starttls, "plain", "--tls=off", ok=False)
    place.refused()


# ---- mail readers ----

def s_nail(place, program, how, mechanism, secret=PASSWORD, ok=True):
    """It reads the password from the URL."""
    scheme = "smtps" if how == "implicit" else "smtp"
    port = place.implicit if how == "implicit" else place.starttls
    run(program("s-nail"), "-:/", "-S", "v15-compat", "-S", f"from={USER}", "-S", f"tls-ca-file={place.ca}", "-S",
        "tls-ca-no-defaults", *(["-S", "smtp-use-starttls"] if how == "starttls" else []), "-S",
        f"smtp-auth={mechanism}", "-S", "mime-encoding=8b", "-S",
        f"mta={scheme}://{USER.replace('@', '%40')}:{secret.replace(' ', '%20')}@localhost:{port}", "-s", "hello",
        "bob@example.test", input=TEXT.encode(), env={**os.environ, "HOME": place.server.folder, "TERM": "dumb"}, ok=ok)


@pytest.mark.parametrize("mechanism", ["plain", "login", "oauthbearer"])
@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_s_nail(place, program, mechanism, how):
    s_nail(place, program, how, mechanism, place.token if "oauth" in mechanism else PASSWORD)
    # In its version 14.9.24 XOAUTH2 has the name of the other.
    place.arrived(None if "oauth" in mechanism else mechanism.upper())


def test_s_nail_in_clear_is_refused(place, program):
    s_nail(place, program, "clear", "plain", ok=False)
    place.refused()


def mutt(place, program, how, mechanism, ok=True):
    scheme = "smtps" if how == "implicit" else "smtp"
    port = place.implicit if how == "implicit" else place.starttls
    settings = place.server.write("muttrc", f"""\
set smtp_url = "{scheme}://{USER}@localhost:{port}"
set smtp_pass = "{PASSWORD}"
set smtp_oauth_refresh_command = "echo {place.token}"
set smtp_authenticators = "{mechanism}"
set from = "{USER}"
set ssl_starttls = {"no" if how == "clear" else "yes"}
set ssl_force_tls = {"no" if how == "clear" else "yes"}
set certificate_file = "{place.ca}"
set copy = no
set use_envelope_from = yes
""")
    run(program("mutt"), "-n", "-F", settings, "-s", "hello", "--", "bob@example.test", input=TEXT.encode(),
        env={**os.environ, "HOME": place.server.folder, "TERM": "dumb"}, ok=ok)


@pytest.mark.parametrize("mechanism", ["plain", "oauthbearer", "xoauth2"])
@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_mutt(place, program, mechanism, how):
    mutt(place, program, how, mechanism)
    place.arrived(mechanism.upper())


def test_mutt_in_clear_is_refused(place, program):
    mutt(place, program, "clear", "plain", ok=False)
    place.refused()


# ---- libraries ----

@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_python(place, mechanism, how):
    context = ssl.create_default_context(cafile=place.ca)
    if how == "starttls":
        client = smtplib.SMTP("localhost", place.starttls)
        with pytest.raises((smtplib.SMTPException, ConnectionError)):
            client.login(USER, PASSWORD)
        client.starttls(context=context)
        client.ehlo()
    else:
        client = smtplib.SMTP_SSL("localhost", place.implicit, context=context)
        client.ehlo()
    client.user, client.password = USER, PASSWORD
    code, _ = client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
    assert code == 235
    client.sendmail(USER, ["bob@example.test"], LETTER.replace("\n", "\r\n").encode())
    client.quit()
    place.arrived(mechanism)


NODEMAILER = """
const mailer = require('nodemailer');
const o = JSON.parse(process.argv[2]);
const auth = o.method == 'XOAUTH2' ? {type: 'OAuth2', user: o.user, accessToken: o.password}
    : {user: o.user, pass: o.password};
const way = mailer.createTransport({host: 'localhost', port: o.port, secure: o.how == 'implicit',
    requireTLS: o.how == 'starttls', ignoreTLS: o.how == 'clear', authMethod: o.method, auth,
    tls: {ca: require('fs').readFileSync(o.ca)}});
way.sendMail({from: o.user, to: 'bob@example.test', subject: 'hello', text: o.text},
    (bad, done) => { console.log(bad || done.response); process.exit(bad ? 1 : 0); });
"""


def nodemailer(place, program, how, mechanism, ok=True):
    node = program("node")
    path = "/usr/share/nodejs"
    if not os.path.isdir(path + "/nodemailer"):
        pytest.skip("nodemailer is not installed")
    script = place.server.write("send.js", NODEMAILER)
    secret = place.token if mechanism == "XOAUTH2" else PASSWORD
    run(node, script, json.dumps({"port": place.implicit if how == "implicit" else place.starttls, "how": how,
                                  "method": mechanism, "user": USER, "password": secret, "ca": place.ca, "text": TEXT}),
        env={**os.environ, "NODE_PATH": path}, ok=ok)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "XOAUTH2"])
@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_nodemailer(place, program, mechanism, how):
    nodemailer(place, program, how, mechanism)
    place.arrived(mechanism)


def test_nodemailer_in_clear_is_refused(place, program):
    nodemailer(place, program, "clear", "PLAIN", ok=False)
    place.refused()


NET_SMTP = """
use Net::SMTP;
my ($port, $how, $ca, $user, $password, $mechanism) = @ARGV;
my %tls = (SSL_ca_file => $ca);
my $smtp = Net::SMTP->new('localhost', Port => $port, Timeout => 30, $how eq 'implicit' ? (SSL => 1, %tls) : ())
    or die "no connection: $@";
$how ne 'starttls' or $smtp->starttls(%tls) or die 'no TLS: ', $smtp->message;
require Authen::SASL;
my $sasl = Authen::SASL->new(mechanism => $mechanism, callback => {user => $user, pass => $password});
$smtp->auth($sasl) or die 'no log-in: ', $smtp->message;
$smtp->mail($user) && $smtp->to('bob@example.test') && $smtp->data or die $smtp->message;
my $text = do { local $/; <STDIN> };
$smtp->datasend($text); $smtp->dataend or die $smtp->message;
$smtp->quit;
"""


def net_smtp(place, program, how, mechanism, ok=True):
    perl = program("perl")
    if subprocess.run([perl, "-MNet::SMTP", "-MIO::Socket::SSL", "-MAuthen::SASL", "-e", "1"], capture_output=True,
                      check=False).returncode:
        pytest.skip("Net::SMTP has neither TLS nor SASL here")
    script = place.server.write("send.pl", NET_SMTP)
    port = place.implicit if how == "implicit" else place.starttls
    run(perl, script, str(port), how, place.ca, USER, PASSWORD, mechanism, input=LETTER.encode(), ok=ok)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_perl(place, program, mechanism, how):
    net_smtp(place, program, how, mechanism)
    place.arrived(mechanism)


def test_perl_in_clear_is_refused(place, program):
    net_smtp(place, program, "clear", "PLAIN", ok=False)
    place.refused()


# ---- openssl, and those who look at us from outside ----

def s_client(place, *more, text="EHLO client.example.test\nQUIT\n", ok=True):
    return run("openssl", "s_client", "-CAfile", place.ca, "-verify_return_error", "-servername", "localhost",
               "-crlf", "-ign_eof", *more, input=text.encode(), ok=ok)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_openssl(place, version, how):
    tls = ["-starttls", "smtp"] if how == "starttls" else []
    text = s_client(place, "-connect", f"127.0.0.1:{getattr(place, how)}", version, *tls)
    assert "Verify return code: 0 (ok)" in text and "AUTH " in text
    assert "STARTTLS" not in text.split("EHLO")[-1].split("250 ")[-1]


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_openssl_does_not_get_old_versions(place, version):
    """C101."""
    s_client(place, "-connect", f"127.0.0.1:{place.implicit}", version, "-cipher", "ALL:@SECLEVEL=0", ok=False)


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "NULL",
                                    "ADH-AES128-GCM-SHA256"])
def test_openssl_does_not_get_what_is_no_more(place, cipher):
    """C102, RFC 10015: neither static RSA nor finite fields; no CBC, nothing without a secret or a name."""
    s_client(place, "-connect", f"127.0.0.1:{place.implicit}", "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0", ok=False)


def test_sslscan_finds_nothing_old(place, program):
    text = run(program("sslscan"), "--no-colour", "--no-heartbleed", f"localhost:{place.implicit}")
    for name in ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"]:
        assert f"{name}     disabled" in text or f"{name}   disabled" in text, text
    assert "TLSv1.2   enabled" in text and "TLSv1.3   enabled" in text
    accepted = [line for line in text.splitlines() if line.startswith(("Accepted", "Preferred"))]
    assert accepted and all("TLS_" in line or "ECDHE" in line for line in accepted), text


def without_idling(place):
    """
    testssl looks every second whether a reply is there, and gives it ten such looks: here it looks more often, and
    waits longer in all.
    """
    folder = place.server.path("quick")
    os.mkdir(folder)
    place.server.write("quick/sleep", f"#!/bin/sh\nexec {shutil.which('sleep')} 0.05\n")
    os.chmod(os.path.join(folder, "sleep"), 0o755)
    return {**os.environ, "TERM": "dumb", "PATH": f"{folder}:{os.environ['PATH']}", "MAX_WAITSOCK": "1200"}


def test_testssl_has_no_complaint(place, program):
    """Its own words for what is wrong are LOW and worse; a chain of our own CA is no fault."""
    out = place.server.path("testssl.json")
    subprocess.run([program("testssl"), "--quiet", "--warnings=off", "--color=0", "--add-ca", place.ca, "-p", "-s", "-f",
                    "--fast", "--jsonfile", out, f"localhost:{place.implicit}"], capture_output=True, timeout=1200,
                   check=False, env=without_idling(place))
    with open(out, encoding="utf-8") as text:
        rows = json.load(text)
    excused = {"cert_chain_of_trust", "cert_revocation", "OCSP_stapling", "cert_ocspURL", "cert_caIssuers", "DNS_CAArecord",
               "certificate_transparency", "cert_trust", "cert_validityPeriod", "cert_extlifeSpan", "BREACH",
               "cert_crlDistributionPoints", "cert_expirationStatus", "cert_commonName_wo_SNI", "scanProblem"}
    wrong = [row for row in rows if row["severity"] in {"LOW", "MEDIUM", "HIGH", "CRITICAL"} and
             row["id"].split(" ")[0] not in excused]
    assert rows and not wrong, wrong


# ---- fail2ban ----

def test_fail2ban_counts_who_guesses(place, program):
    """FACE 3.3: the filter that we ship, read by the program it is for; a name that a client made up bans nobody else."""
    tool = program("fail2ban-regex")
    names = [USER, "x event=auth_fail session=1 client=203.0.113.9 reason=password"]
    for name in names:
        with smtplib.SMTP_SSL("localhost", place.implicit, context=ssl.create_default_context(cafile=place.ca)) as client:
            client.ehlo()
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login(name, "guess", initial_response_ok=True)
    log = place.server.path("run", "log")
    # Each name is tried with each mechanism that the client knows.
    until(lambda: len(place.server.records("disconnect")) == len(names), "the end of the sessions, and all records before it")
    count = len(place.server.records("auth_fail"))

    def whole():
        with open(log, encoding="utf-8") as lines:
            return len([line for line in lines if " event=auth_fail " in line]) == count
    assert count >= len(names)
    until(whole, "the same records in the log file")
    # It includes its neighbour in filter.d.
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for path in [os.path.join(root, "packaging", "fail2ban", "veredus.conf"), "/etc/fail2ban/filter.d/common.conf"]:
        shutil.copy(path, place.server.folder)
    text = run(tool, "-v", log, place.server.path("veredus.conf"))
    assert f" {count} matched" in text and "203.0.113.9" not in text.split("Failregex")[1].split("Ignoreregex")[0], text

