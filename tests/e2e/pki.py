"""Certificates for tests: authorities, and what they sign, made when they are asked for."""
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def pem_of(thing):
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(serialization.Encoding.PEM)
    return thing.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                               serialization.NoEncryption())


def subject(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Pair:
    """A certificate and its key, with files of both in one: PATH."""

    def __init__(self, folder, name, certificate, key):
        self.certificate = certificate
        self.key = key
        self.path = str(folder / (name + ".pem"))
        with open(self.path, "wb") as out:
            out.write(pem_of(certificate) + pem_of(key))

    def fingerprint(self):
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def key_fingerprint(self):
        digest = hashes.Hash(hashes.SHA256())
        digest.update(self.key.public_key().public_bytes(serialization.Encoding.DER,
                                                         serialization.PublicFormat.SubjectPublicKeyInfo))
        return digest.finalize().hex()


class Authority:
    """A CA. issue() makes what it signs; PATH has its certificate."""

    def __init__(self, folder, name="Test CA"):
        self.folder = folder
        self.made = 0
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = subject(name)
        self.certificate = self.build(self.name, self.key, [], 1).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(self.key, hashes.SHA256())
        self.path = str(folder / (name.replace(" ", "-") + ".pem"))
        with open(self.path, "wb") as out:
            out.write(pem_of(self.certificate))

    def build(self, name, key, names, days, issuer=None, begins=-10):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer or self.name).public_key(
            key.public_key()).serial_number(x509.random_serial_number()).not_valid_before(
                now + begins * DAY).not_valid_after(now + days * DAY)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder

    def issue(self, *names, days=30, self_signed=False, begins=-10, must_staple=False, bits=None):
        """For these DNS names; with negative DAYS it has ended, from BEGINS on it counts; BITS: of an RSA key."""
        key = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
        kinds = [x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
                 for name in names]
        name = subject(names[0].replace("\0", "?") if names else "nobody")
        builder = self.build(name, key, kinds, days, name if self_signed else None, begins)
        if must_staple:
            builder = builder.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), critical=False)
        certificate = builder.sign(key if self_signed else self.key, hashes.SHA256())
        self.made += 1
        return Pair(self.folder, f"pair-{self.made}", certificate, key)
