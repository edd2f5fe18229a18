"""Zones that ldns-signzone signs, each by a key of its own."""
import os
import subprocess


def run(*arguments, cwd):
    done = subprocess.run(arguments, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")
    return done.stdout.decode()


def write(folder, zone, text):
    path = os.path.join(folder, zone)
    with open(path, "w", encoding="ascii") as out:
        out.write(text)
    return path


def sign(folder, zone, text, *options):
    """Writes ZONE.signed; its trust anchor, a line."""
    write(folder, zone, text)
    key = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone, cwd=folder).strip()
    run("ldns-signzone", *options, zone, key, cwd=folder)
    with open(os.path.join(folder, key + ".ds"), encoding="ascii") as anchor:
        return anchor.read()


def change(folder, zone, former, new):
    """As somebody does who has the zone and not its key."""
    path = os.path.join(folder, zone + ".signed")
    with open(path, encoding="ascii") as signed:
        text = signed.read()
    assert former in text
    with open(path, "w", encoding="ascii") as out:
        out.write(text.replace(former, new))
