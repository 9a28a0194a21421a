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
from server.members.api_keys import (
    ApiKeyView,
    CreatedApiKey,
    api_keys,
    create_api_key,
    replace_api_key,
    revoke_api_key,
)
from server.members.authentication import authenticate
from server.members.errors import AuthenticationFailed, TooManySignIns
from server.members.identities import (
    AddressHolder,
    Identity,
    account_of_identity,
    address_holder,
)
from server.members.identities import add_account as add_account_of_identity
from server.members.identities import link as link_identity
from server.members.key_uses import noting_key_uses
from server.members.keys import SigningKey, jwks, signing_keys
from server.members.keys import prepare as prepare_keys
from server.members.keys import rotate as rotate_signing_key
from server.members.lifetimes import PUBLISHED_KEYS_MAXIMUM_AGE_SECONDS
from server.members.passwords import hash_password
from server.members.profiles import (
    PROFILE,
    MemberPage,
    NewMember,
    Profile,
    enrolments_by_month,
    known_members,
    members_by_external_id,
    page_of_members,
    profile,
    profile_of,
    profiles,
    register_member,
    register_members,
    survivors,
    update_profile,
)
from server.members.rules import (
    email_key,
    valid_email,
    valid_external_id,
    valid_locale,
    valid_name,
    valid_time_zone,
)
from server.members.sessions import (
    SessionPage,
    SessionView,
    account_of_refresh_token,
    end_sessions_of_member,
    open_session,
    page_of_sessions,
    refresh_session,
    revoke_session,
    session_of,
    session_stands,
    session_tokens,
    shown_refresh_token,
    sign_out,
    sign_out_everywhere,
)
from server.members.tokens import OpenedSession, SessionTokens, ShownRefreshToken

__all__ = [
    "PROFILE",
    "PUBLISHED_KEYS_MAXIMUM_AGE_SECONDS",
    "AddressHolder",
    "ApiKeyView",
    "AuthenticationFailed",
    "CheckedCredentials",
    "CreatedApiKey",
    "Identity",
    "MemberPage",
    "NewMember",
    "OpenedSession",
    "Profile",
    "SessionPage",
    "SessionTokens",
    "SessionView",
    "ShownRefreshToken",
    "SigningKey",
    "TooManySignIns",
    "account_of_identity",
    "account_of_refresh_token",
    "add_account_of_identity",
    "address_holder",
    "api_keys",
    "authenticate",
    "check_credentials",
    "create_account",
    "create_api_key",
    "create_staff",
    "email_key",
    "end_sessions_of_member",
    "enrolments_by_month",
    "hash_password",
    "jwks",
    "known_members",
    "link_identity",
    "members_by_external_id",
    "noting_key_uses",
    "open_session",
    "page_of_members",
    "page_of_sessions",
    "password_matches",
    "prepare_keys",
    "profile",
    "profile_of",
    "profiles",
    "refresh_session",
    "register_member",
    "register_members",
    "replace_api_key",
    "revoke_api_key",
    "revoke_session",
    "rotate_signing_key",
    "session_of",
    "session_stands",
    "session_tokens",
    "shown_refresh_token",
    "sign_in",
    "sign_out",
    "sign_out_everywhere",
    "signing_keys",
    "survivors",
    "update_profile",
    "valid_email",
    "valid_external_id",
    "valid_locale",
    "valid_name",
    "valid_time_zone",
]
