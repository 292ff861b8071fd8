"""A headless Chromium, spoken to over a pipe in its DevTools protocol: no driver, no port."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
WITHIN_S = 60.0

needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium (on Debian: apt install chromium)")

# The browser reads commands from its descriptor 3 and writes to 4, wherever the pipes were.
_ON_3_AND_4 = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One tab: what it asked the network for, and what it said on its console."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **params: Any) -> Any:
        """A command of the DevTools protocol."""
        return self._browser.do(method, params, self._session)

    def show(self, url: str, *, width: int, scheme: str) -> None:
        """Opens an address as somebody with such a screen and such a liking would see it."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.do("Page.navigate", url=url)
        self._browser.until(lambda: self.seen("Page.loadEventFired"))

    def seen(self, method: str) -> list[Any]:
        """The params of such events so far."""
        events = self._browser.events
        return [one["params"] for one in events if one["method"] == method and one.get("sessionId") == self._session]

    def requests(self) -> list[str]:
        """What it asked for."""
        return [one["request"]["url"] for one in self.seen("Network.requestWillBeSent")]

    def complaints(self) -> list[str]:
        """What it and the browser said about it."""
        told = [one["entry"]["text"] for one in self.seen("Log.entryAdded")]
        thrown = [one["exceptionDetails"]["text"] for one in self.seen("Runtime.exceptionThrown")]
        return [*told, *thrown, *map(str, self.seen("Runtime.consoleAPICalled"))]

    def value(self, expression: str) -> Any:
        """What an expression is, on the page."""
        return self.do("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def press(self, key: str) -> None:
        """A key."""
        code, text = {"Tab": (9, ""), "Enter": (13, "\r")}[key]
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self.do("Input.dispatchKeyEvent", type="keyDown", **event)
        self.do("Input.dispatchKeyEvent", type="keyUp", **event)

    def screenshot(self, height: int | None = None) -> bytes:
        """All of the page, or so much of its top, as PNG."""
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
        return b64decode(self.do("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"])


class Browser:
    """A running Chromium."""

    def __init__(self, profile: Path) -> None:
        assert PROGRAM is not None
        flags = [
            "--headless",
            "--disable-gpu",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
        ]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # it refuses to run as root otherwise
        read, self._write = os.pipe()
        self._read, write = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_3_AND_4, str(read), str(write), PROGRAM, *flags, "about:blank"],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._number = 0
        self._rest = b""
        self._answers: dict[int, Any] = {}
        self.events: list[Any] = []

    def do(self, method: str, params: dict[str, Any], session: str | None = None) -> Any:
        """A command's result."""
        self._number = number = self._number + 1
        message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        self.until(lambda: number in self._answers)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def until(self, condition: Callable[[], object]) -> None:
        """Reads until something is true."""
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "Chromium says nothing"
            part = os.read(self._read, 1 << 20)
            assert part, "Chromium has ended"
            *messages, self._rest = (self._rest + part).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers[message["id"]] = message
                else:
                    self.events.append(message)

    def page(self) -> Page:
        """A new tab."""
        target = self.do("Target.createTarget", {"url": "about:blank"})["targetId"]
        return Page(self, self.do("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"])

    def close(self) -> None:
        """Ends it."""
        os.close(self._write)
        os.close(self._read)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser for as long as it is needed."""
    running = Browser(profile)
    try:
        yield running
    finally:
        running.close()
