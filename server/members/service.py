"""What other domains may ask of members, accounts, sessions and API keys.

A sign-up is `hash_password`, then in one transaction `register_member`, whatever the programme
gives to new members, `create_account` and `open_session`, then `session_tokens`. A sign-in is
`check_credentials`, then in one transaction `sign_in`, then `session_tokens`.
"""

from server.members.accounts import (
    CheckedCredentials,
    check_credentials,
    create_account,
    create_staff,
    password_matches,
    sign_in,
)
from server.members.api_keys import CreatedApiKey, create_api_key, revoke_api_key
from server.members.authentication import authenticate
from server.members.errors import AuthenticationFailed, TooManySignIns
from server.members.keys import add_signing_key, jwks, retire_signing_key
from server.members.keys import prepare as prepare_keys
from server.members.passwords import hash_password
from server.members.profiles import (
    MemberPage,
    NewMember,
    Profile,
    enrolments_by_month,
    known_members,
    members_by_external_id,
    page_of_members,
    profile,
    profiles,
    register_member,
    register_members,
    survivors,
    update_profile,
)
from server.members.rules import email_key, valid_external_id
from server.members.sessions import (
    open_session,
    refresh_session,
    session_tokens,
    shown_refresh_token,
    sign_out,
)
from server.members.tokens import OpenedSession, SessionTokens, ShownRefreshToken

__all__ = [
    "AuthenticationFailed",
    "CheckedCredentials",
    "CreatedApiKey",
    "MemberPage",
    "NewMember",
    "OpenedSession",
    "Profile",
    "SessionTokens",
    "ShownRefreshToken",
    "TooManySignIns",
    "add_signing_key",
    "authenticate",
    "check_credentials",
    "create_account",
    "create_api_key",
    "create_staff",
    "email_key",
    "enrolments_by_month",
    "hash_password",
    "jwks",
    "known_members",
    "members_by_external_id",
    "open_session",
    "page_of_members",
    "password_matches",
    "prepare_keys",
    "profile",
    "profiles",
    "refresh_session",
    "register_member",
    "register_members",
    "retire_signing_key",
    "revoke_api_key",
    "session_tokens",
    "shown_refresh_token",
    "sign_in",
    "sign_out",
    "survivors",
    "update_profile",
    "valid_external_id",
]
