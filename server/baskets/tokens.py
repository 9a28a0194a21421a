"""What was quoted, handed to the caller and signed, so that nothing has to be kept of a quote."""

import base64
import binascii
import hmac
import zlib

import msgspec

from server.baskets.comparing import Quoted
from server.errors import InvalidInput, phrase
from server.storage.secrets import shared_secret

MAXIMUM_LENGTH = 128 * 1024
"""No token is longer: of a basket of 500 lines with 500 offers it is shorter."""
_MAXIMUM_UNPACKED = 1024 * 1024
_SECRET = "basket quotes"  # noqa: S105 - the name of a secret
_CONTEXT = b"laurel basket quote 1:"
_SIGNATURE_BYTES = 32
_DECODER = msgspec.msgpack.Decoder(Quoted)


async def token_of(quoted: Quoted) -> str:
    """The token that says what was quoted."""
    packed = zlib.compress(msgspec.msgpack.encode(quoted), 1)
    signed = await _signature(packed) + packed
    return base64.urlsafe_b64encode(signed).decode().rstrip("=")


async def quoted_in(token: str) -> Quoted:
    """What the token says was quoted. Raises InvalidInput for what `token_of` has not made."""
    if len(token) > MAXIMUM_LENGTH or not token.isascii():
        raise _refusal()
    try:
        signed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        raise _refusal() from None
    signature, packed = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, await _signature(packed)):
        raise _refusal()
    unpacked = zlib.decompressobj().decompress(packed, _MAXIMUM_UNPACKED)
    return _DECODER.decode(unpacked)


async def _signature(packed: bytes) -> bytes:
    return hmac.digest(await shared_secret(_SECRET), _CONTEXT + packed, "sha256")


def _refusal() -> InvalidInput:
    return InvalidInput(
        "basket.token", path=("quoteToken",), accepted=phrase("accepted.quote_token")
    )
