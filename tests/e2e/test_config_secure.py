"""`config check` and `config show` of certificates, keys and secrets: what does not fit is said where it is written."""
import json
import os
import subprocess

import pytest

from harness import PROGRAM


class Place:
    """A folder with a configuration and what it names."""

    def __init__(self, folder):
        self.folder = folder
        os.chmod(folder, 0o755)

    def path(self, name):
        return str(self.folder / name)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as source:
            return source.read()

    def certificate(self, name, days=90, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), dns="mail.example.org"):
        """NAME.crt and NAME.key, for DNS; that many days from now, negative ones ago."""
        subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-keyout", self.path(name + ".key"), "-out",
                        self.path(name + ".crt"), "-subj", f"/CN={dns}", "-addext", f"subjectAltName=DNS:{dns}",
                        "-days", str(days)], check=True, capture_output=True)
        os.chmod(self.path(name + ".key"), 0o600)

    def check(self, text, *options, env=None):
        """The lines of `config check` about this text: (level, line, column, error), and the status."""
        self.write("veredus.conf", "hostname mail.example.org;\nspool %s;\nstate %s;\ncontrol %s;\n%s" % (
            self.path("spool"), self.path("state"), self.path("control"), text))
        done = subprocess.run([PROGRAM, "--json", "config", "check", self.path("veredus.conf"), *options],
                              capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        said = [(row["level"], row.get("line"), row.get("column"), row["error"].replace(str(self.folder) + "/", ""))
                for row in rows if "account" not in row["error"] and "group" not in row["error"]]
        return sorted(said, key=lambda row: (row[0], row[1:])), done.returncode


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def tls(*words):
    return "tls {\n    certificate " + " ".join(words) + ";\n}\n"


def test_a_pair_that_fits_is_right(place):
    place.certificate("a")
    said, status = place.check(tls("a.crt", "a.key"))
    assert said == [] and status == 0
    assert place.check(tls("a.crt", "a.key") + "listen 127.0.0.1:1587 submission;\n") == ([], 0)
    place.write("both.pem", place.read("a.key") + place.read("a.crt"))
    assert place.check(tls("both.pem") + "listen 127.0.0.1:1465 submission tls;\n") == ([], 0)


LISTEN = "listen 127.0.0.1:1025;\n"


def test_a_key_of_another_certificate_is_an_error(place):
    place.certificate("a")
    place.certificate("b", kind=("rsa:2048",))
    said, status = place.check(tls("a.crt", "b.key") + LISTEN)
    assert said == [("error", 6, 5, "the key in b.key is not that of the certificate in a.crt")]
    assert status == 78


def test_missing_and_empty_files_are_errors(place):
    place.certificate("a")
    place.write("empty", "")
    said, status = place.check("tls {\n certificate none.crt a.key;\n certificate a.crt none.key;\n"
                               " certificate empty a.key;\n certificate a.crt empty;\n}\n" + LISTEN)
    assert said == [("error", 6, 2, "none.crt: No such file or directory"),
                    ("error", 7, 2, "none.key: No such file or directory"),
                    ("error", 8, 2, "empty holds no certificate"),
                    ("error", 9, 2, "empty holds no private key")]
    assert status == 78


def test_a_chain_without_its_key_is_an_error(place):
    place.certificate("a")
    assert place.check(tls("a.crt") + LISTEN) == ([("error", 6, 5, "a.crt holds no private key")], 78)


def test_a_key_with_a_pass_phrase_is_an_error(place):
    place.certificate("a")
    subprocess.run(["openssl", "pkey", "-in", place.path("a.key"), "-aes128", "-passout", "pass:x", "-out",
                    place.path("locked.key")], check=True, capture_output=True)
    said, status = place.check(tls("a.crt", "locked.key") + LISTEN)
    assert said == [("error", 6, 5, "the key in locked.key has a pass phrase, and nobody is there to say it")]
    assert status == 78


@pytest.mark.parametrize("kind, said", [
    (("ec", "-pkeyopt", "ec_paramgen_curve:P-521"), "a.key: keys are RSA, EC P-256, EC P-384 or Ed25519, not this one"),
    (("rsa:1024",), "a.crt: certificate 1 is too weak: an RSA key of less than 2048 bits, or signed with SHA-1"),
])
def test_a_key_that_the_server_does_not_use_is_an_error(place, kind, said):
    place.certificate("a", kind=kind)
    assert place.check(tls("a.crt", "a.key") + LISTEN) == ([("error", 6, 5, said)], 78)


def test_a_chain_in_another_order_is_an_error(place):
    place.certificate("a")
    place.certificate("b")
    place.write("chain", place.read("a.crt") + place.read("b.crt"))
    assert place.check(tls("chain", "a.key") + LISTEN) == (
        [("error", 6, 5, "chain: the chain is not in order: certificate 1 is not signed by certificate 2")], 78)


@pytest.mark.parametrize("days", [1, 6, 13])
def test_a_certificate_that_soon_ends_is_a_warning(place, days):
    place.certificate("a", days=days)
    said, status = place.check(tls("a.crt", "a.key") + LISTEN)
    assert status == 0 and len(said) == 1, said
    assert said[0][:3] == ("warning", 6, 5)
    # A second later it is a day less.
    assert said[0][3] in [f"certificate of mail.example.org ends in {n} day{'' if n == 1 else 's'}" for n in (days, days - 1)]


def test_a_certificate_that_ended_is_a_warning(place):
    make_ended(place)
    said, status = place.check(tls("a.crt", "a.key") + LISTEN)
    assert status == 0 and len(said) == 1, said
    assert said[0][:3] == ("warning", 6, 5)
    assert said[0][3].startswith("certificate of mail.example.org ended "), said


def make_ended(place):
    """openssl req makes none that ended: by its small certificate authority."""
    place.certificate("ca")
    place.certificate("a")
    place.write("index", "")
    place.write("serial", "01\n")
    place.write("ca.conf", "[ca]\ndefault_ca=c\n[c]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
                           "policy=p\ncopy_extensions=copy\n[p]\ncommonName=supplied\n")
    subprocess.run(["openssl", "req", "-new", "-key", "a.key", "-out", "a.csr", "-subj", "/CN=mail.example.org"],
                   check=True, capture_output=True, cwd=place.folder)
    subprocess.run(["openssl", "ca", "-batch", "-config", "ca.conf", "-cert", "ca.crt", "-keyfile", "ca.key", "-in", "a.csr",
                    "-out", "a.crt", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-notext"],
                   check=True, capture_output=True, cwd=place.folder)


def test_what_everyone_may_read_is_a_warning(place):
    place.certificate("a")
    os.chmod(place.path("a.key"), 0o644)
    place.write("secret", "x\n", 0o644)
    said, status = place.check(tls("a.crt", "a.key") + LISTEN +
                               "route * smtp://a.example { login me file:secret; }\n")
    assert said == [("warning", 6, 5, "everyone may read a.key, which holds a private key"),
                    ("warning", 9, 37, "everyone may read secret, which holds a secret")]
    assert status == 0


def test_secrets_that_are_not_there(place):
    place.write("empty", "")
    text = ("route a.example smtp://a.example { login me file:none; }\n"
            "route b.example smtp://a.example { login me file:empty; }\n"
            "route c.example smtp://a.example { login me env:VEREDUS_NONE; }\n"
            "route d.example smtp://a.example { login me credential:none; }\n"
            "route e.example smtp://a.example { login \"\" file:none; }\n")
    said, status = place.check(text, env={"CREDENTIALS_DIRECTORY": str(place.folder)})
    assert said == [("error", 5, 45, "none: No such file or directory"),
                    ("error", 6, 45, "empty is empty: its first line is the secret"),
                    ("error", 8, 45, "there is no credential 'none'"),
                    ("warning", 7, 45, "the environment has no 'VEREDUS_NONE'")]
    assert status == 78


def test_a_password_that_is_written_itself_is_not_shown(place):
    place.write("veredus.conf", "route * smtp://a.example { login me hunter2; }\n")
    done = subprocess.run([PROGRAM, "config", "check", place.path("veredus.conf")], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 78
    assert "1:37: error: a secret is not written here" in done.stdout
    assert "file:PATH" in done.stdout and "hunter2" not in done.stdout + done.stderr


def test_where_passwords_are_checked_must_be_there(place):
    place.certificate("a")
    said, status = place.check(tls("a.crt", "a.key") + "auth pam:veredus-none dovecot:none/auth file:users;\n"
                               "listen 127.0.0.1:1587 submission;\n")
    errors = {row[3] for row in said if row[0] == "error"}
    assert "there is no PAM service 'veredus-none' in /etc/pam.d" in errors
    assert ("warning", 8, 23, "none/auth: No such file or directory") in said
    assert any("users" in words for words in errors), said
    assert status == 78


def test_authorities_must_be_certificates(place):
    place.certificate("a")
    place.write("junk", "junk")
    said, status = place.check("tls { certificate a.crt a.key; client-ca junk; }\n" + LISTEN +
                               "tls-ca none;\n")
    assert ("error", 5, 42, "junk holds no certificate") in said
    assert ("error", 7, 8, "none: No such file or directory") in said
    assert status == 78


def test_submission_without_a_certificate_does_not_start(place):
    said, status = place.check("listen 127.0.0.1:1587 submission;\n")
    assert said == [("error", 5, 8, "this listener requires TLS and has no certificate")]
    assert status == 78


def test_show_says_what_holds_and_no_secret(place):
    place.certificate("a")
    place.write("secret", "hunter2\n")
    place.check(tls("a.crt", "a.key") + "listen 127.0.0.1:1587 submission;\n"
                "route * smtp://a.example { login me file:secret; }\n")
    done = subprocess.run([PROGRAM, "-c", place.path("veredus.conf"), "config", "show"], capture_output=True, text=True,
                          check=True)
    assert "    require tls auth; " in done.stdout and "    login me file:secret; " in done.stdout
    assert "    tls-level verify; " in done.stdout
    assert "hunter2" not in done.stdout
