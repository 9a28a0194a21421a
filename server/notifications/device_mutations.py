"""Devices in the schema: registering the app that push messages reach, and letting go of it."""

from collections.abc import Sequence
from typing import Annotated, cast

import msgspec
import strawberry

from server import clock
from server.clock import Instant
from server.edge import nodes
from server.edge.context import Info
from server.edge.enums import described
from server.edge.mutation import KEY_DESCRIPTION, write_once
from server.edge.nodes import Node
from server.edge.permissions import MEMBER, STAFF, mutation, shown_to
from server.edge.problems import IdempotencyConflict, InvalidInput
from server.errors import DomainError, phrase
from server.errors import InvalidInput as InvalidInputError
from server.notifications import devices
from server.notifications.devices import DeviceView, Platform, Registration
from server.principal import PrincipalKind

_READERS = MEMBER | STAFF
_ACCEPTED = (
    "1 to 4,096 of the letters and digits of ASCII and `:_-.%+/=~`. It is shown to nobody again."
)

described(
    Platform,
    name="DevicePlatform",
    description="What an app runs on.",
    IOS="An iPhone or iPad.",
    ANDROID="Android.",
    WEB="A browser.",
)


@shown_to(_READERS)
@strawberry.type(
    description="An app that push messages reach. It does so until its session is ended, by "
    "signing out, signing out everywhere or a new password; until it has not been registered again "
    "for 270 days; or until Firebase says that its token is dead."
)
class Device(Node):
    """A device."""

    platform: Platform = strawberry.field(description="What the app runs on.")
    app_version: str | None = strawberry.field(
        description="The app's version as it names it; null if it did not say."
    )
    locale: str = strawberry.field(description="The device's language, as a BCP 47 tag.")
    time_zone: str = strawberry.field(description="The device's time zone, as an IANA name.")
    registered_at: Instant = strawberry.field(description="When the member registered it first.")
    seen_at: Instant = strawberry.field(description="When it was registered last.")


@strawberry.input(description="The app that asks, as push messages reach it.")
class RegisterDeviceInput:
    """Input of registerDevice."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    fcm_token: str = strawberry.field(
        description="The registration token that Firebase Cloud Messaging gave the app: "
        + _ACCEPTED
    )
    platform: Platform = strawberry.field(description="What the app runs on.")
    locale: str = strawberry.field(
        description="The device's language, as a BCP 47 tag of at most 16 characters, such as "
        "en-GB."
    )
    time_zone: str = strawberry.field(
        description="The device's time zone, as an IANA name, such as Europe/London."
    )
    app_version: str | None = strawberry.field(
        default=None, description="The app's version: at most 40 printable characters."
    )
    replaces_token: str | None = strawberry.field(
        default=None,
        description="The token that this device had before, when Firebase has given it a new one: "
        "the device stays the same one. A token of somebody else's is passed over.",
    )


@shown_to(MEMBER)
@strawberry.type(description="The app is registered: push messages reach it.")
class DeviceRegistered:
    """Success of registerDevice."""

    device: Device = strawberry.field(description="The device as it stands now.")


RegisterDeviceResult = Annotated[
    DeviceRegistered | InvalidInput | IdempotencyConflict,
    strawberry.union("RegisterDeviceResult", description="The device, or why there is none."),
]


@strawberry.input(description="Which of one's own devices; exactly one of the two says so.")
class UnregisterDeviceInput:
    """Input of unregisterDevice."""

    idempotency_key: str = strawberry.field(description=KEY_DESCRIPTION)
    device_id: strawberry.ID | None = strawberry.field(
        default=None, description="The device's id in this API."
    )
    fcm_token: str | None = strawberry.field(
        default=None, description="Its registration token: " + _ACCEPTED
    )


@shown_to(MEMBER)
@strawberry.type(description="Push messages don't reach the device any more.")
class DeviceUnregistered:
    """Success of unregisterDevice."""

    was_registered: bool = strawberry.field(
        description="Whether it was a device of the member's until now; false is also said of what "
        "is another's."
    )


UnregisterDeviceResult = Annotated[
    DeviceUnregistered | InvalidInput | IdempotencyConflict,
    strawberry.union("UnregisterDeviceResult", description="That it is gone, or what is unclear."),
]


class _Gone(msgspec.Struct, frozen=True):
    """What unregisterDevice answers."""

    was_registered: bool


def _shown(view: DeviceView) -> Device:
    return Device(
        id=nodes.global_id("Device", view.id),
        platform=view.platform,
        app_version=view.app_version,
        locale=view.locale,
        time_zone=view.time_zone,
        registered_at=view.registered_at,
        seen_at=view.seen_at,
    )


async def _devices(member_ids: list[int], at: Instant) -> Sequence[Sequence[DeviceView]]:
    found = await devices.of_members(member_ids, now=at)
    return [found[member_id] for member_id in member_ids]


async def devices_of_member(info: Info, member_id: int) -> list[Device]:
    """The member's live devices, looked up together with other members'."""
    found = await info.context.loader(_devices, info.context.at).load(member_id)
    return [_shown(one) for one in found]


@nodes.fetches("Device")
async def _device(info: Info, device_id: int) -> Device | None:
    principal = info.context.principal
    if principal.kind is not PrincipalKind.MEMBER:
        return None
    view = await devices.device_of(principal.member_id or 0, device_id, now=info.context.at)
    return None if view is None else _shown(view)


def _token_or_id(input: UnregisterDeviceInput) -> tuple[int | None, str | None]:
    if (input.device_id is None) == (input.fcm_token is None):
        raise InvalidInputError(
            "device.reference", path=(), accepted=phrase("accepted.device_reference")
        )
    if input.fcm_token is not None:
        return None, devices.valid_token(input.fcm_token, path=("fcmToken",))
    return nodes.number_of(input.device_id or "", "Device"), None


@strawberry.type
class DeviceMutations:
    """The mutations of devices, for the schema's root."""

    @mutation(
        MEMBER,
        description="Register the app that asks, so that push messages reach it; called at each "
        "start of the app it says that the token is good, and tells a new version, language or "
        "time zone. The token belongs to this member and this session from now on, and to nobody "
        "else. A member has at most 20 devices: of more, the one that was seen longest ago goes.",
    )
    async def register_device(
        self,
        info: Info,
        input: Annotated[RegisterDeviceInput, strawberry.argument(description="The app.")],
    ) -> RegisterDeviceResult:
        """Register a device."""
        principal = info.context.principal
        given = Registration(
            token=input.fcm_token,
            platform=input.platform,
            locale=input.locale,
            time_zone=input.time_zone,
            app_version=input.app_version,
            replaces_token=input.replaces_token,
        )

        async def work() -> DeviceView:
            try:
                return await devices.register(
                    principal.member_id or 0, principal.session_id or 0, given, now=clock.now()
                )
            except DomainError as error:
                raise error.below("input") from None

        answer = await write_once(
            info,
            input,
            work=work,
            result=DeviceView,
            present=lambda view: DeviceRegistered(device=_shown(view)),
        )
        return cast(RegisterDeviceResult, answer)

    @mutation(
        MEMBER,
        description="Let push messages reach one of one's own devices no more. Who signs out needs "
        "not call it: the device goes with the session.",
    )
    async def unregister_device(
        self,
        info: Info,
        input: Annotated[UnregisterDeviceInput, strawberry.argument(description="Which device.")],
    ) -> UnregisterDeviceResult:
        """Let go of a device."""
        principal = info.context.principal

        async def work() -> _Gone:
            try:
                device_id, token = _token_or_id(input)
                was_registered = await devices.unregister(
                    principal.member_id or 0, device_id=device_id, token=token
                )
            except DomainError as error:
                raise error.below("input") from None
            return _Gone(was_registered)

        answer = await write_once(
            info,
            input,
            work=work,
            result=_Gone,
            present=lambda gone: DeviceUnregistered(was_registered=gone.was_registered),
        )
        return cast(UnregisterDeviceResult, answer)
