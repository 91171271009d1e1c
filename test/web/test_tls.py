"""HTTPS with the user's certificate or our own."""

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from picam_webrtc.errors import SettingError
from picam_webrtc.settings import WebRtcSettings
from picam_webrtc.web import tls
from picam_webrtc.web.app import make_app
from picam_webrtc.web.server import serve
from picam_webrtc_test.web.fakes import FakeSessions


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


async def served_certificate(port: int) -> bytes:
    """The DER of the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return der


async def test_auto_serves_https_with_a_certificate_of_this_machine(state: Path, sessions: FakeSessions) -> None:
    settings = WebRtcSettings(port=0, tls="auto")
    async with serve(make_app(sessions, settings), settings) as address:
        assert address.scheme == "https"
        trusted = ssl.create_default_context(cafile=state / "picam_webrtc" / "cert.pem")
        connector = aiohttp.TCPConnector(ssl=trusted)
        async with (
            aiohttp.ClientSession(address.url, connector=connector) as client,
            client.get("/streams") as response,
        ):
            assert response.status == 200


def test_our_certificate_is_kept_and_its_key_private(state: Path) -> None:
    first = tls.own_certificate("127.0.0.1").cert.read_bytes()
    second = tls.own_certificate("127.0.0.1").cert.read_bytes()

    assert first == second
    assert (state / "picam_webrtc" / "key.pem").stat().st_mode & 0o777 == 0o600


def test_a_new_name_makes_a_new_certificate(state: Path) -> None:
    tls.own_certificate("127.0.0.1")
    certificate = x509.load_pem_x509_certificate(tls.own_certificate("robot.example.com").cert.read_bytes())

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "robot.example.com" in names.get_values_for_type(x509.DNSName)


async def test_changed_files_are_served_to_new_connections(
    state: Path, sessions: FakeSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "RELOAD_INTERVAL_S", 0.01)
    files = tls.own_certificate("127.0.0.1")
    settings = WebRtcSettings(port=0, tls_cert=str(files.cert), tls_key=str(files.key))
    async with serve(make_app(sessions, settings), settings) as address:
        before = await served_certificate(address.port)
        files.cert.write_text("spoilt")
        files.cert.unlink()
        tls.own_certificate("127.0.0.1")
        async with asyncio.timeout(10):
            while await served_certificate(address.port) == before:
                pass


@pytest.mark.parametrize(
    ("cert", "key", "reason"),
    [
        ("", "key.pem", "'tls_cert' = '': is no file"),
        ("cert.pem", "", "'tls_key' = '': is no file"),
        ("key.pem", "key.pem", "is no certificate for"),
    ],
)
async def test_files_that_do_not_fit_are_named(
    state: Path, sessions: FakeSessions, cert: str, key: str, reason: str
) -> None:
    folder = tls.own_certificate("127.0.0.1").cert.parent
    settings = WebRtcSettings(
        port=0, tls_cert=str(folder / cert) if cert else "", tls_key=str(folder / key) if key else ""
    )
    with pytest.raises(SettingError, match=reason):
        async with serve(make_app(sessions, settings), settings):
            pass
