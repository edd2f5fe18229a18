"""Exim on the other end, both ways with TLS, each verifying the other (RFC 3207, 9525)."""
import shutil

import pytest

from tls_both_ways import *  # noqa: F401,F403

import test_exim


class Exim(test_exim.Exim):
    tls = ("tls_advertise_hosts = *\ntls_certificate = {work}/peer.pem\ntls_privatekey = {work}/peer.key\n")
    # We are an address to it, which no certificate of ours names: it is sure of who signed it.
    tls_out = ("hosts_require_tls = *\n  tls_verify_certificates = {work}/ca.pem\n  tls_verify_hosts = *\n"
               "  tls_verify_cert_hostnames =")

    def __init__(self, authority):
        super().__init__()
        for name in ["peer.pem", "peer.key", "ca.pem"]:
            shutil.copy(authority.path(name), self.path(name))


@pytest.fixture(scope="module")
def peer(start_peer, serve, authority):
    serve()
    return start_peer(lambda: Exim(authority))
