"""The sandbox's own authority: a root, and a certificate under it that webhooks are signed with."""

import base64
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dev.sandbox.paypal.accounts import ROOT_FILE

#: The name that PayPal's own sandbox signs under.
SIGNING_NAME = "messageverificationcerts.sandbox.paypal.com"
LIFETIME = timedelta(days=3650)


class Authority:
    """Signs webhooks with a certificate that chains up to `root_pem`."""

    def __init__(self, data_dir: Path) -> None:
        """Read root, certificate and key, or make them the first time."""
        paths = [data_dir / name for name in (ROOT_FILE, "signing.pem", "signing.key")]
        if not all(path.exists() for path in paths):
            for path, pem in zip(paths, make_chain(SIGNING_NAME), strict=True):
                path.write_bytes(pem)
        self.root_pem, self.certificate_pem, key_pem = (path.read_bytes() for path in paths)
        key = serialization.load_pem_private_key(key_pem, password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the signing key is not an RSA key")
        self._key = key
        serial = x509.load_pem_x509_certificate(self.certificate_pem).serial_number
        self.certificate_id = f"CERT-{serial:040x}"

    def sign(self, body: bytes, *, transmission_id: str, transmission_time: str, webhook_id: str) -> str:
        """Return PayPal's signature of a transmission."""
        message = f"{transmission_id}|{transmission_time}|{webhook_id}|{zlib.crc32(body)}"
        return base64.b64encode(self._key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


def make_chain(
    name: str, *, not_before: datetime | None = None, lifetime: timedelta = LIFETIME
) -> tuple[bytes, bytes, bytes]:
    """Make a root, a certificate for a name under it and that one's key, as PEM."""
    start = not_before or datetime.now(UTC) - timedelta(days=1)
    root_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sandbox root")])
    root_ski = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())

    def builder(subject: x509.Name, public_key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + lifetime)
        )

    root = (
        builder(root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(root_ski, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_ski), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_pem = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return root.public_bytes(pem), leaf.public_bytes(pem), key_pem


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
