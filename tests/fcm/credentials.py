"""The key of a service account, as Firebase's console gives it; made for the tests."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PROJECT = "laurel-test"


@dataclass(frozen=True)
class ServiceAccount:
    """An account of the project, with its key."""

    project: str
    key: RSAPrivateKey
    token_url: str

    @property
    def email(self) -> str:
        return f"firebase-adminsdk@{self.project}.iam.gserviceaccount.com"

    @property
    def public_key(self) -> RSAPublicKey:
        return self.key.public_key()

    def content(self) -> dict[str, str]:
        """What is in the file."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": "0123456789abcdef0123456789abcdef01234567",
            "private_key": pem.decode(),
            "client_email": self.email,
            "client_id": "123456789012345678901",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": self.token_url,
            "universe_domain": "googleapis.com",
        }

    def write(self, folder: Path) -> Path:
        """The file in the folder."""
        path = folder / "service-account.json"
        path.write_text(json.dumps(self.content()))
        path.chmod(0o600)
        return path


def service_account(token_url: str, *, project: str = PROJECT) -> ServiceAccount:
    """An account of the project; in one process all have one key, since making one takes time."""
    return ServiceAccount(project, _key(), token_url)


@lru_cache
def _key() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
