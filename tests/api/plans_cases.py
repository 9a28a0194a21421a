"""How the mutations of membership plans are called."""

from server.definitions import service as definitions
from server.integrations import billing
from server.plans.hooks import Taken, take
from server.principal import StaffRole
from server.storage import sql
from tests.api.calling import NOW, Api, Caller, Json
from tests.api.cases import Case, case
from tests.integrations.billing_server import Obliging
from tests.plans.shop import PLUS, YEARLY, message


async def plans_published() -> None:
    """Two plans, and a provider who takes the money in this process."""
    billing.use(Obliging())
    for key, document in (("plus", PLUS), ("yearly", YEARLY)):
        async with sql.transaction():
            await definitions.publish_document(
                "plan", key, document, by=definitions.COMMAND_LINE, now=NOW
            )


async def subscription(api: Api, caller: Caller) -> Json:
    """The input that names the plan that a member has got, and paid for."""
    told = await api.mutate("subscribePlan", {"planKey": "plus"}, caller)
    number = int(told["checkoutUrl"].rpartition("/")[2])
    body = message("payment.succeeded", number, NOW)
    assert await take(f"evt-{number}", body, now=NOW) is Taken.DONE
    return {"planSubscriptionId": told["planSubscription"]["id"]}


async def _members(api: Api) -> list[Caller]:
    await plans_published()
    return [await api.member() for _ in range(3)]


@case("subscribePlan", "PlanChanged")
async def _subscribe(api: Api) -> Case:
    anna, bert, _carl = await _members(api)
    wish = {"planKey": "plus"}
    return Case(anna, wish, {"planKey": "yearly"}, bert, wish)


@case("cancelPlan", "PlanChanged")
async def _cancel(api: Api) -> Case:
    named = [await subscription(api, one) for one in await _members(api)]
    staff = [await api.staff(StaffRole.SUPPORT) for _ in range(2)]
    return Case(staff[0], named[0], named[1], staff[1], named[2])


def _of_own(name: str, **more: str) -> None:
    async def prepare(api: Api) -> Case:
        anna, bert, carl = await _members(api)
        one, other, third = [await subscription(api, caller) for caller in (anna, bert, carl)]
        if name == "resumePlan":
            for caller, named in ((anna, one), (bert, other)):
                await api.mutate("cancelPlan", named, caller)
        return Case(anna, {**one, **more}, {**third, **more}, bert, {**other, **more})

    case(name, "PlanChanged")(prepare)


_of_own("resumePlan")
_of_own("changePlan", planKey="yearly")


@case("grantPlan", "PlanChanged")
async def _grant(api: Api) -> Case:
    wishes: list[Json] = [
        {"member": {"id": one.id}, "planKey": "plus", "reason": "goodwill"}
        for one in await _members(api)
    ]
    staff = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    return Case(staff[0], wishes[0], wishes[1], staff[1], wishes[2])


@case("endPlan", "PlanChanged")
async def _end(api: Api) -> Case:
    given = [{**await subscription(api, one), "reason": "fraud"} for one in await _members(api)]
    staff = [await api.staff(StaffRole.MANAGER) for _ in range(2)]
    return Case(staff[0], given[0], given[1], staff[1], given[2])
