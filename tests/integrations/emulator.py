"""Firebase's own Auth emulator, and its users as their apps sign them in."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integrations.firebase_google import PROJECT

Json = dict[str, Any]
COMMAND = (
    Path(__file__).parents[2] / ".tools/firebase/node_modules/firebase-tools/lib/bin/firebase.js"
)
SECONDS_TO_START = 180.0  # the machine may be busy
API = "/identitytoolkit.googleapis.com/v1/accounts"


@dataclass(frozen=True)
class Emulator:
    """The running emulator."""

    place: str
    """host:port"""

    def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        connection = http.client.HTTPConnection(self.place, timeout=30)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            answer: Json = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert "error" not in answer, answer
        return answer

    def _post(self, verb: str, **body: Any) -> Json:
        return self._ask("POST", f"{API}:{verb}?key=any", {"returnSecureToken": True, **body})

    def _sent(self, what: str) -> Json:
        """The last of the letters, or of the text messages, that it would have sent."""
        answer = self._ask("GET", f"/emulator/v1/projects/{PROJECT}/{what}")
        last: Json = answer[what][-1]
        return last

    @property
    def answers(self) -> bool:
        """Whether it is ready."""
        try:
            return bool(self._ask("GET", "/")["authEmulator"]["ready"])
        except OSError:
            return False

    # ------------------------------------------------------------ ID tokens

    def signed_up(self, email: str) -> str:
        """A new user with an address that is not verified."""
        return str(self._post("signUp", email=email, password="secret")["idToken"])

    def verified(self, email: str) -> str:
        """The same user, once they have opened the link in the letter."""
        known = self._post("signInWithPassword", email=email, password="secret")
        self._post("sendOobCode", requestType="VERIFY_EMAIL", idToken=known["idToken"])
        self._post("update", oobCode=self._sent("oobCodes")["oobCode"])
        again = self._post("signInWithPassword", email=email, password="secret")
        return str(again["idToken"])

    def by_phone(self, number: str) -> str:
        """A user who has typed the code from the text message."""
        begun = self._post("sendVerificationCode", phoneNumber=number, recaptchaToken="any")
        code = self._sent("verificationCodes")["code"]
        done = self._post("signInWithPhoneNumber", sessionInfo=begun["sessionInfo"], code=code)
        return str(done["idToken"])

    def by_google(self, email: str, *, name: str) -> str:
        """A user who has signed in at Google."""
        told = {"sub": email, "email": email, "email_verified": True, "name": name}
        done = self._post(
            "signInWithIdp",
            postBody=f"id_token={json.dumps(told)}&providerId=google.com",
            requestUri="http://localhost",
        )
        return str(done["idToken"])

    def anonymous(self) -> str:
        """An app's placeholder for a user."""
        return str(self._post("signUp")["idToken"])


def _free_ports(count: int) -> list[int]:
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in with_ports]
    for one in with_ports:
        one.close()
    return ports


def why_not() -> str | None:
    """Why there is no emulator here, in a line; None if there is one."""
    if shutil.which("node") is None:
        return "there is no Node here"
    if not COMMAND.exists():
        return "firebase-tools is not installed: scripts/test --firebase does it"
    return None


@contextmanager
def emulating(folder: Path) -> Iterator[Emulator]:
    """The emulator, with its files in the folder."""
    ports = dict(zip(("auth", "hub", "logging"), _free_ports(3), strict=True))
    places = {name: {"host": "127.0.0.1", "port": port} for name, port in ports.items()}
    settings = {"emulators": {**places, "ui": {"enabled": False}, "singleProjectMode": True}}
    (folder / "firebase.json").write_text(json.dumps(settings))
    words = ["node", str(COMMAND), "emulators:start", "--only", "auth", "--project", PROJECT]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "CI": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    emulator = Emulator(f"127.0.0.1:{ports['auth']}")
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not emulator.answers:
            said = (folder / "output").read_text(errors="replace")
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        yield emulator
    finally:
        with_children = os.getpgid(process.pid) if process.poll() is None else None
        if with_children is not None:
            os.killpg(with_children, signal.SIGKILL)
        process.wait()
