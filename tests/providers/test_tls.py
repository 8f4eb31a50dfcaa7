"""Trusted certificates of servers."""

import ssl
from pathlib import Path

import certifi

from providers.tls import trusted


def test_roots_are_certifis_on_every_machine():
    bundle = Path(certifi.where()).read_bytes()
    assert len(trusted().get_ca_certs()) == bundle.count(b"BEGIN CERTIFICATE") > 50


def test_servers_have_to_prove_their_name():
    context = trusted()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
