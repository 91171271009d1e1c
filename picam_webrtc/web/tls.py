"""HTTPS: certificates from files, read again when they change, or one made for this machine."""

import asyncio
import hashlib
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from picam_webrtc.background import background
from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings

logger = logging.getLogger(__name__)

RELOAD_INTERVAL_S = 2.0
VALID_FOR = timedelta(days=397)
"""Browsers refuse certificates that are valid for longer."""
RENEWED_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    cert: Path
    key: Path

    def changed_at(self) -> tuple[int, int]:
        return self.cert.stat().st_mtime_ns, self.key.stat().st_mtime_ns


def certificate_files(settings: WebRtcSettings) -> CertificateFiles | None:
    """Where the certificate is; None for plain HTTP. Makes one for `tls` = auto. Raises SettingError."""
    if settings.tls_cert or settings.tls_key:
        for name in ("tls_cert", "tls_key"):
            path = getattr(settings, name)
            if not Path(path).is_file():
                raise SettingError(name, path, "is no file; tls_cert and tls_key must both name PEM files")
        return CertificateFiles(Path(settings.tls_cert), Path(settings.tls_key))
    return own_certificate(settings.host) if settings.tls == "auto" else None


def make_context(files: CertificateFiles) -> ssl.SSLContext:
    """Raises SettingError where the files are no certificate and its key."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        _load(context, files)
    except (OSError, ssl.SSLError) as error:
        raise SettingError("tls_cert", str(files.cert), f"is no certificate for {files.key}: {error}") from error
    return context


def _load(context: ssl.SSLContext, files: CertificateFiles) -> None:
    # Without a password function OpenSSL would ask at the terminal for the one of an encrypted key.
    context.load_cert_chain(files.cert, files.key, password=lambda: b"")


@asynccontextmanager
async def reloading(context: ssl.SSLContext, files: CertificateFiles) -> AsyncIterator[None]:
    """Use a new certificate for new connections soon after the files have changed."""
    loaded = await asyncio.to_thread(files.changed_at)
    async with background(_watch(context, files, loaded)):
        yield


async def _watch(context: ssl.SSLContext, files: CertificateFiles, loaded: tuple[int, int]) -> None:
    while True:
        await asyncio.sleep(RELOAD_INTERVAL_S)
        try:
            found = await asyncio.to_thread(files.changed_at)
            if found == loaded:
                continue
            # Into a context of its own first: a key without its certificate yet must not spoil the one in use.
            make_context(files)
            _load(context, files)
        except (OSError, SettingError) as error:
            logger.warning("Keeping the certificate in use: %s", error)
            continue
        loaded = found
        logger.info("Certificate read again from %s", files.cert)


def own_certificate(host: str) -> CertificateFiles:
    """The certificate of this machine for itself, kept in the user's state directory while it fits."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    files = CertificateFiles(state / "picam_webrtc" / "cert.pem", state / "picam_webrtc" / "key.pem")
    names = _own_names(host)
    try:
        if not _still_fits(files, names):
            files.cert.parent.mkdir(parents=True, exist_ok=True)
            _write_certificate(files, names)
        der = x509.load_pem_x509_certificate(files.cert.read_bytes()).public_bytes(serialization.Encoding.DER)
    except OSError as error:
        raise SettingError("tls", "auto", f"the certificate cannot be kept: {error}") from error
    logger.info("Self-made certificate %s, SHA-256 %s", files.cert, hashlib.sha256(der).digest().hex(":"))
    return files


def _own_names(host: str) -> set[str]:
    hostname = socket.gethostname()
    addresses = {str(ip.ip[0] if ip.is_IPv6 else ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips}
    named = set() if host in ("", "0.0.0.0", "::") else {host}
    return {"localhost", hostname, f"{hostname}.local", "127.0.0.1", "::1"} | addresses | named


def _still_fits(files: CertificateFiles, names: set[str]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(files.cert.read_bytes())
        serialization.load_pem_private_key(files.key.read_bytes(), password=None)
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    covered = {str(name.value) for name in alternatives}
    # Only the older spelling exists in the cryptography of Ubuntu 24.04 (41), and is deprecated in later ones.
    has_utc = hasattr(certificate, "not_valid_after_utc")
    ends = certificate.not_valid_after_utc if has_utc else certificate.not_valid_after.replace(tzinfo=UTC)
    return names <= covered and ends - datetime.now(UTC) > RENEWED_BEFORE


def _write_certificate(files: CertificateFiles, names: set[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "picam_webrtc")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    _write_private(files.key, key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    files.cert.write_bytes(certificate.public_bytes(encoding))


def _write_private(path: Path, data: bytes) -> None:
    """Readable by this user alone, from the first byte on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name.partition("%")[0]))
    except ValueError:
        return x509.DNSName(name)
