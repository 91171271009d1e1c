"""Real browsers for tests: Chromium through Playwright, Firefox through WebDriver BiDi, one small interface.

Playwright drives only its own patched Firefox; the system's speaks the W3C protocol by itself.
"""

import asyncio
import base64
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import Page as PlaywrightPage
from playwright.async_api import async_playwright

WIDTH, HEIGHT = 1280, 900
POLL_S = 0.05
START_TIMEOUT_S = 60.0

CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)

FIREFOX_PREFERENCES: dict[str, bool | int | str] = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "media.peerconnection.ice.loopback": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


class Page(Protocol):
    """One tab. `errors` collects what the page wrote to the console as an error, and uncaught exceptions."""

    errors: list[str]

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited, the result must fit JSON."""

    async def click(self, selector: str) -> None:
        """As a person would: counts as a user's gesture."""

    async def press(self, key: str) -> None:
        """One character, or a name as in KeyboardEvent.key: Tab, Enter, Escape, ArrowLeft."""

    async def screenshot(self, path: Path) -> None: ...

    async def close(self) -> None: ...


class Browser(Protocol):
    async def open(self, url: str, *, width: int = WIDTH, height: int = HEIGHT) -> Page: ...


OpenBrowser = Callable[[], AbstractAsyncContextManager[Browser]]


async def wait_until(page: Page, expression: str, timeout_s: float = 20.0) -> Any:
    """The first truthy value of `expression`. Fails naming the last value and the console's errors."""
    value: Any = None
    try:
        async with asyncio.timeout(timeout_s):
            while not (value := await page.evaluate(expression)):  # noqa: ASYNC110 -- another process's condition
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"{expression} is {value!r} after {timeout_s:g} s; console: {page.errors}") from None
    return value


@asynccontextmanager
async def open_chromium() -> AsyncIterator["Chromium"]:
    program = _find("chromium", "chromium-browser", "google-chrome")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_ARGS))
        try:
            yield Chromium(browser)
        finally:
            await browser.close()


class Chromium:
    def __init__(self, browser: PlaywrightBrowser) -> None:
        self.playwright = browser

    async def open(self, url: str, *, width: int = WIDTH, height: int = HEIGHT, dark: bool = False) -> "ChromiumPage":
        tab = await self.playwright.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            ignore_https_errors=True,
        )
        page = ChromiumPage(tab)
        await tab.goto(url)
        return page


class ChromiumPage:
    def __init__(self, page: PlaywrightPage) -> None:
        self.playwright = page
        self.errors: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def evaluate(self, expression: str) -> Any:
        return await self.playwright.evaluate(f"async () => ({expression})")

    async def click(self, selector: str) -> None:
        await self.playwright.click(selector)

    async def press(self, key: str) -> None:
        await self.playwright.keyboard.press(key)

    async def screenshot(self, path: Path) -> None:
        await self.playwright.screenshot(path=path)

    async def close(self) -> None:
        # As a person closes a tab: the page is told, and its last requests are sent.
        await self.playwright.close(run_before_unload=True)


@asynccontextmanager
async def open_firefox(**preferences: bool | int | str) -> AsyncIterator["Firefox"]:
    """A fresh profile; `preferences` are about:config names with `__` for each dot."""
    program = _find("firefox-esr", "firefox")
    with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as profile:
        extra = {name.replace("__", "."): value for name, value in preferences.items()}
        _write_preferences(Path(profile), FIREFOX_PREFERENCES | extra)
        process = await asyncio.create_subprocess_exec(
            program,
            "--headless",
            "--no-remote",
            "--profile",
            profile,
            "--remote-debugging-port=0",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        drain: asyncio.Task[None] | None = None
        try:
            assert process.stderr is not None
            endpoint = await asyncio.wait_for(_bidi_endpoint(process.stderr), START_TIMEOUT_S)
            drain = asyncio.create_task(_drain(process.stderr))
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(f"{endpoint}/session", max_msg_size=0) as ws,
                BiDi(ws) as bidi,
            ):
                yield Firefox(bidi)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            if drain is not None:
                await drain


def _write_preferences(profile: Path, preferences: dict[str, bool | int | str]) -> None:
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items())
    (profile / "user.js").write_text("\n".join(lines))


async def _bidi_endpoint(stderr: asyncio.StreamReader) -> str:
    heard = []
    while line := (await stderr.readline()).decode(errors="replace").strip():
        heard.append(line)
        if line.startswith("WebDriver BiDi listening on "):
            return line.removeprefix("WebDriver BiDi listening on ")
    raise AssertionError(f"Firefox ended before it listened: {heard}")


async def _drain(stderr: asyncio.StreamReader) -> None:
    while await stderr.read(65536):
        pass


class BiDi:
    """WebDriver BiDi (W3C): commands and their results by number, events to one listener."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, FirefoxPage] = {}

    async def __aenter__(self) -> "BiDi":
        self._reader = asyncio.create_task(self._read())
        await self.command("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        await self.command("session.subscribe", events=["log.entryAdded"])
        return self

    async def __aexit__(self, *_exc: object) -> None:
        with suppress(AssertionError, ConnectionError):
            await self.command("browser.close")
        self._reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._reader

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._ws.send_json({"id": number, "method": method, "params": params})
        reply = await self._waiting[number]
        assert reply["type"] == "success", f"{method}: {reply.get('error')}: {reply.get('message')}"
        result: dict[str, Any] = reply["result"]
        return result

    def add_page(self, page: "FirefoxPage") -> None:
        self._pages[page.context] = page

    async def _read(self) -> None:
        async for message in self._ws:
            reply = json.loads(message.data)
            if reply["type"] == "event":
                self._note(reply["params"])
            else:
                self._waiting.pop(reply["id"]).set_result(reply)
        for future in self._waiting.values():
            future.set_exception(ConnectionError("Firefox has closed the connection"))

    def _note(self, entry: dict[str, Any]) -> None:
        page = self._pages.get(entry["source"].get("context", ""))
        if page is not None and entry["level"] == "error":
            page.errors.append(entry["text"] or "")


class Firefox:
    def __init__(self, bidi: BiDi) -> None:
        self._bidi = bidi

    async def open(self, url: str, *, width: int = WIDTH, height: int = HEIGHT) -> "FirefoxPage":
        # A window of its own: the tabs behind the front one are throttled and paint nothing.
        context = (await self._bidi.command("browsingContext.create", type="window"))["context"]
        page = FirefoxPage(self._bidi, context)
        self._bidi.add_page(page)
        viewport = {"width": width, "height": height}
        await self._bidi.command("browsingContext.setViewport", context=context, viewport=viewport)
        await self._bidi.command("browsingContext.navigate", context=context, url=url, wait="complete")
        return page


class FirefoxPage:
    def __init__(self, bidi: BiDi, context: str) -> None:
        self._bidi = bidi
        self.context = context
        self.errors: list[str] = []

    async def evaluate(self, expression: str) -> Any:
        # JSON, because BiDi's own form of a value names the type of every member.
        result = await self._bidi.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify({{value: await ({expression})}}))()",
            target={"context": self.context},
            awaitPromise=True,
            userActivation=True,
        )
        assert result["type"] == "success", f"{expression}: {result['exceptionDetails']['text']}"
        return json.loads(result["result"]["value"]).get("value")

    async def click(self, selector: str) -> None:
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = await self.evaluate(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box})")
        steps = [{"type": "pointerMove", "x": int(x), "y": int(y)}]
        steps += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        await self._perform({"type": "pointer", "id": "mouse", "actions": steps})

    async def press(self, key: str) -> None:
        value = WEBDRIVER_KEYS.get(key, key)
        steps = [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        await self._perform({"type": "key", "id": "keyboard", "actions": steps})

    async def screenshot(self, path: Path) -> None:
        picture = await self._bidi.command("browsingContext.captureScreenshot", context=self.context)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(picture["data"]))

    async def close(self) -> None:
        await self._bidi.command("browsingContext.close", context=self.context)

    async def _perform(self, source: dict[str, Any]) -> None:
        await self._bidi.command("input.performActions", context=self.context, actions=[source])


WEBDRIVER_KEYS = {
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
}
"""Key names of the WebDriver specification, keyboard actions table."""


def _find(*names: str) -> str:
    for name in names:
        if program := shutil.which(name):
            return program
    raise AssertionError(f"none of {', '.join(names)} is installed; `make test` installs them where it may")
