"""ID tokens that are believed as they stand, where it does not matter who signs them."""

from server.integrations.firebase import IdTokenRejected, VerifiedIdentity


class Believing:
    """The token "uid" stands for the user with that id and nothing else; "" for nobody."""

    async def identity(self, id_token: str) -> VerifiedIdentity:
        """Whom the token stands for."""
        if not id_token:
            raise IdTokenRejected
        return VerifiedIdentity("firebase/believed", id_token, "phone")
