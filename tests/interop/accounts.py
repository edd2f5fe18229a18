"""Accounts and certificates for tests in which other people's programs log in to us."""
import base64
import hashlib
import hmac
import json
import os
import subprocess
import time

ITERATIONS = 4096


def crypted(password):
    """A hash of crypt(3), by a program that every machine with OpenSSL has."""
    done = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password.encode() + b"\n", capture_output=True,
                          check=True)
    return "{SHA512-CRYPT}" + done.stdout.decode().strip()


def scram(password):
    """ITERATIONS,SALT,STORED,SERVER of SCRAM-SHA-256 (RFC 5802 3)."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    keys = [salt, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")]
    return ",".join([str(ITERATIONS), *(base64.b64encode(key).decode() for key in keys)])


def line(name, password):
    """A line of a users file with both."""
    return f"{name}:{crypted(password)}::::::scram_sha256={scram(password)}\n"


class Authority:
    """A CA of our own, and certificates that it signed, in FOLDER."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.ca = self.path("ca.pem")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     self.path("ca.key"), "-out", self.ca, "-days", "30", "-subj", "/CN=authority of a test",
                     # Python's ssl wants to be told what a CA is for from 3.13 on (RFC 5280 4.2.1.3).
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.folder)

    def certificate(self, name, *alternatives, rsa=False):
        """(chain, key) for the DNS names or IP: addresses ALTERNATIVES."""
        kind = ["-newkey", "rsa:2048"] if rsa else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        chain, key, request, extra = (self.path(f"{name}.{end}") for end in ["pem", "key", "csr", "ext"])
        names = ",".join(a if a.startswith("IP:") else "DNS:" + a for a in alternatives)
        with open(extra, "w", encoding="ascii") as out:
            out.write(f"subjectAltName={names}\nauthorityKeyIdentifier=keyid\n")
        self.openssl("req", "-new", *kind, "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.path("ca.key"), "-CAcreateserial",
                     "-days", "30", "-extfile", extra, "-out", chain)
        return chain, key


def url64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class Issuer:
    """Signs tokens with an RSA key in FOLDER, and has written the other half to a JWKS file."""

    name, audience = "https://issuer.example.test", "mail"

    def __init__(self, folder):
        self.key, self.keys = os.path.join(folder, "issuer.key"), os.path.join(folder, "jwks.json")
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.key, "-noout", "-modulus"], check=True,
                                 capture_output=True).stdout.decode().strip().partition("=")[2]
        with open(self.keys, "w", encoding="ascii") as out:
            json.dump({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one",
                                 "n": url64(bytes.fromhex(modulus)), "e": "AQAB"}]}, out)
        os.chmod(self.keys, 0o644)

    def token(self, email, seconds=3600):
        """A JWT (RFC 7519) for EMAIL, good for so long."""
        claims = {"iss": self.name, "aud": self.audience, "email": email, "exp": int(time.time()) + seconds}
        parts = [url64(json.dumps(part).encode()) for part in [{"alg": "RS256", "kid": "one", "typ": "JWT"}, claims]]
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=".".join(parts).encode(),
                                check=True, capture_output=True).stdout
        return ".".join([*parts, url64(signed)])
