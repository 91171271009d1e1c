"""WHIP (RFC 9725), the publishing side: one offer to a media server, its answer, and the end of the session."""

import base64
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from aiohttp import hdrs
from yarl import URL

from picam_webrtc.errors import PublishError
from picam_webrtc.streaming.ice_servers import IceServer, linked_servers

logger = logging.getLogger(__name__)

SDP = "application/sdp"
MOST_REDIRECTS = 5
MOST_ANSWER_BYTES = 64 * 1024
LONGEST_RETRY_AFTER_S = 600.0
"""A server that wants to be left alone for longer is asked again after ten minutes all the same."""
DELETE_TIMEOUT_S = 2.0
REDIRECTS = frozenset({HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT})
"""The only ones that keep method and body (RFC 9110, 15.4)."""
PASSING = frozenset({HTTPStatus.CONFLICT, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""Refusals that time puts right; a server that has not noticed the end of our last session answers 409."""
REMEDIES = {
    HTTPStatus.UNAUTHORIZED: "see the parameters publish_token and publish_token_file",
    HTTPStatus.FORBIDDEN: "see the parameters publish_token and publish_token_file",
    HTTPStatus.NOT_FOUND: "see the parameter publish_urls, and whether the server knows that stream",
    HTTPStatus.METHOD_NOT_ALLOWED: "see the parameter publish_urls; this is no WHIP endpoint",
    HTTPStatus.CONFLICT: "somebody else publishes there",
    HTTPStatus.UNPROCESSABLE_ENTITY: "see the parameter codecs",
    HTTPStatus.NOT_ACCEPTABLE: "see the parameter codecs",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a media server said to our offer. `resource` is where the session ends; None where it did not tell."""

    answer: str
    resource: URL | None
    ice_servers: tuple[IceServer, ...]


class WhipClient:
    """Offers to one endpoint. `token` is asked for each request, because tokens expire and files change."""

    def __init__(self, http: aiohttp.ClientSession, endpoint: URL, token: Callable[[], str]) -> None:
        self._http = http
        self._endpoint = endpoint.with_user(None)
        self._basic = _basic(endpoint)
        self._token = token

    async def offer(self, sdp: str) -> Accepted:
        """Raises PublishError."""
        url = self._endpoint
        try:
            for _ in range(MOST_REDIRECTS + 1):
                async with self._http.post(
                    url, data=sdp, headers={hdrs.CONTENT_TYPE: SDP, **self.credentials(url)}, allow_redirects=False
                ) as response:
                    if response.status not in REDIRECTS:
                        return await _accepted(response)
                    url = _redirected(response)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise PublishError(f"{origin(url)} cannot be reached: {_reason(error)}") from error
        raise PublishError(f"{origin(url)} redirects more than {MOST_REDIRECTS} times", lasting=True)

    async def end(self, resource: URL) -> None:
        """Tell the server that the session is over. A server that is gone has noticed already."""
        try:
            timeout = aiohttp.ClientTimeout(DELETE_TIMEOUT_S)
            async with self._http.delete(resource, headers=self.credentials(resource), timeout=timeout) as response:
                logger.debug("The media server ended the session with status %d", response.status)
        except (aiohttp.ClientError, OSError, TimeoutError, PublishError) as error:
            logger.debug("The media server was not told of the session's end: %s", _reason(error))

    def credentials(self, url: URL) -> dict[str, str]:
        """For the endpoint's own origin, and for others by https: load balancers redirect to the server at work."""
        if url.origin() != self._endpoint.origin() and url.scheme != "https":
            return {}
        if self._basic:
            return {hdrs.AUTHORIZATION: self._basic}
        token = self._token()
        return {hdrs.AUTHORIZATION: f"Bearer {token}"} if token else {}


def origin(url: URL) -> str:
    """What may be shown of an endpoint's address: the rest often holds a key."""
    return str(url.origin()) if url.absolute and url.scheme in ("http", "https") else "the media server"


def _basic(url: URL) -> str:
    """The credentials in an address, as https://user:password@host."""
    if url.user is None:
        return ""
    pair = f"{url.user}:{url.password or ''}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


async def _accepted(response: aiohttp.ClientResponse) -> Accepted:
    body = await response.content.read(MOST_ANSWER_BYTES)
    text = body.decode(errors="replace")
    if response.status != HTTPStatus.CREATED:
        raise _refusal(response, text)
    if not response.content_type.startswith(SDP):
        raise PublishError(f"{origin(response.url)} answers {response.content_type}, not {SDP}", lasting=True)
    location = response.headers.get(hdrs.LOCATION)
    resource = response.url.join(URL(location)) if location else None
    return Accepted(text, resource, linked_servers(response.headers.getall(hdrs.LINK, [])))


def _redirected(response: aiohttp.ClientResponse) -> URL:
    target = response.url.join(URL(response.headers.get(hdrs.LOCATION, "")))
    if target.scheme not in ("http", "https") or (response.url.scheme == "https" and target.scheme == "http"):
        raise PublishError(f"{origin(response.url)} redirects to {target.scheme}:, which is not followed", lasting=True)
    return target


def _refusal(response: aiohttp.ClientResponse, body: str) -> PublishError:
    status = response.status
    said = f": {_one_line(body)}" if body.strip() else ""
    remedy = f"; {REMEDIES[status]}" if status in REMEDIES else ""  # type: ignore[index]
    return PublishError(
        f"{origin(response.url)} refuses with {status} {response.reason or ''}{said}{remedy}",
        retry_after_s=retry_after(response.headers.get(hdrs.RETRY_AFTER, "")),
        lasting=status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in PASSING,
    )


def retry_after(value: str, now: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, 10.2.3); None where it is absent or unreadable."""
    if value.strip().isdigit():
        return min(float(value), LONGEST_RETRY_AFTER_S)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - now()
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def _one_line(text: str) -> str:
    """The server's own words, without markup and without being able to fill the log."""
    return " ".join(re.sub(r"<[^>]*>|[^\x20-\x7e]", " ", text).split())[:160]


def _reason(error: Exception) -> str:
    return _one_line(str(error)) or type(error).__name__
