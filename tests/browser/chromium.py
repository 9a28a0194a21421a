"""Headless Chromium without a network, driven over the Chrome DevTools Protocol.

Only what the tests need: a page, what it loads and logs, clicks and reads.
"""

import base64
import contextlib
import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # CI runs as root, where Chromium refuses its sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--window-size=1440,900",
    "--remote-debugging-port=0",
    # The network, cut off: no name resolves, and whatever is not loopback goes to a proxy
    # on a port where nothing listens.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--proxy-server=127.0.0.1:9",
    "--proxy-bypass-list=127.0.0.1",
)
DEADLINE_S = 30.0


@dataclass
class Page:
    """One tab of the browser, with everything that it requested and complained about."""

    connection: ClientConnection
    requested: list[str] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Failed requests, refused content, exceptions, and errors and warnings that were logged."""
    _last_id: int = 0
    _loads: int = 0
    _addresses: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends one command and returns its result; notes the events that come in between."""
        self._last_id += 1
        own_id = self._last_id
        message = {"id": own_id, "method": method, "params": parameters}
        self.connection.send(json.dumps(message))
        while True:
            answer = json.loads(self.connection.recv(timeout=DEADLINE_S))
            if answer.get("id") != own_id:
                self._note(answer)
            elif "error" in answer:
                raise AssertionError(f"{method}: {answer['error']['message']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, address: str) -> str:
        """Goes to an address, waits until it is loaded, and returns the network's error, if any."""
        before = self._loads
        error = str(self.call("Page.navigate", url=address).get("errorText", ""))
        self._wait_for_load(before)
        return error

    def reload(self) -> None:
        """Loads the page again and waits until it is loaded."""
        before = self._loads
        self.call("Page.reload")
        self._wait_for_load(before)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str, *, what: str) -> None:
        """Waits until a JavaScript expression is true."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            # While the page loads, what the expression looks at may not exist.
            if self.evaluate(f"(() => {{ try {{ return Boolean({expression}) }} catch {{}} }})()"):
                return
            time.sleep(0.05)
        text = self.evaluate("document.body?.innerText")
        raise AssertionError(f"Waited in vain for {what}. Problems: {self.problems}. Page: {text}")

    def click(self, element: str) -> None:
        """Clicks the element that an expression finds, with a real mouse event in its middle."""
        self.wait_for(element, what=element)
        x, y = self.evaluate(
            f"(() => {{ const e = {element}; e.scrollIntoView({{block: 'nearest'}});"
            " const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type_text(self, text: str) -> None:
        """Types into whatever has the focus."""
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        """Writes what the page looks like as a PNG file."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _note(self, event: dict[str, Any]) -> None:
        """Keeps what an event says about loading and problems."""
        details = event.get("params", {})
        match event.get("method"):
            case str(method) if method.startswith("Network."):
                self._note_network(method, details)
            case "Page.loadEventFired":
                self._loads += 1
            case "Log.entryAdded" if details["entry"]["level"] in ("error", "warning"):
                self.problems.append(details["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(details["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if details["type"] in ("error", "warning"):
                self.problems.append(json.dumps(details["args"]))
            case "Target.attachedToTarget":
                self.workers.append(details["targetInfo"]["url"])
                for method in ("Network.enable", "Log.enable", "Runtime.enable"):
                    self._tell(method, details["sessionId"])
                self._tell("Runtime.runIfWaitingForDebugger", details["sessionId"])

    def _note_network(self, method: str, details: dict[str, Any]) -> None:
        """Keeps what was requested, and what failed."""
        match method:
            case "Network.requestWillBeSent":
                address = details["request"]["url"]
                self._addresses[details["requestId"]] = address
                self.requested.append(address)
            case "Network.webSocketCreated":
                self.requested.append(details["url"])
            case "Network.responseReceived" if details["response"]["status"] >= 400:
                response = details["response"]
                self.problems.append(f"{response['status']} {response['url']}")
            case "Network.loadingFailed":
                address = self._addresses.get(details["requestId"], "?")
                self.problems.append(f"{details['errorText']} {address}")

    def _wait_for_load(self, before: int) -> None:
        """Waits for more load events than there were before."""
        while self._loads == before:
            self._note(json.loads(self.connection.recv(timeout=DEADLINE_S)))

    def _tell(self, method: str, session: str) -> None:
        """Sends a worker a command whose answer does not matter."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": {}, "sessionId": session}
        self.connection.send(json.dumps(message))


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A browser with an empty profile and one empty page."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise AssertionError(
            f"The browser tests need Chromium, and none of {', '.join(PROGRAMS)} is on the PATH"
            " (Debian: apt-get install chromium)."
        )
    command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _debugging_port(profile, process)
        with connect(_page_address(port), max_size=None, proxy=None) as connection:
            page = Page(connection)
            for domain in ("Page", "Network", "Log", "Runtime"):
                page.call(f"{domain}.enable")
            # Workers are observed from their first instruction on.
            page.call(
                "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True
            )
            page.wait_for("document.readyState === 'complete'", what="the empty page")
            yield page
    finally:
        process.terminate()
        process.wait(timeout=DEADLINE_S)


def _debugging_port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that Chromium chose, which it writes into its profile."""
    deadline = time.monotonic() + DEADLINE_S
    note = profile / "DevToolsActivePort"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"Chromium ended at once, with code {process.returncode}.")
        if note.exists() and (lines := note.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise AssertionError("Chromium did not start in time.")


def _page_address(port: int) -> str:
    """The WebSocket address of the empty page."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        with contextlib.closing(client):
            client.request("GET", "/json/list")
            targets = json.loads(client.getresponse().read())
        for target in targets:
            if target["type"] == "page":
                address: str = target["webSocketDebuggerUrl"]
                return address
        time.sleep(0.05)
    raise AssertionError("Chromium opened no page.")
