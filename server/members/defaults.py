"""What stands in access tokens where no setting says otherwise. Imports nothing."""

DEFAULT_ISSUER = "laurel"
DEFAULT_AUDIENCE = "laurel-app"
