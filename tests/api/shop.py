"""A shop whose members have something of everything, and what its queries cost."""

from dataclasses import dataclass

from graphql import get_named_type, parse

from server.clock import Instant
from server.edge.context import Context
from server.edge.executing import schema_of
from server.edge.limits import DocumentLimits
from server.edge.planning import Planner
from server.edge.sizing import sizes_of
from server.notifications.shapes import Wire
from server.principal import Principal, PrincipalKind, Scope, StaffRole
from server.schema import schema
from server.storage import sql
from tests.api import notifications_cases as notifications
from tests.api.actions_cases import SURVEY, publish_action
from tests.api.baskets_cases import basket_input
from tests.api.calling import NOBODY, NOW, SECOND, Api, Caller, Json, enrolled, line, return_input
from tests.api.calling import purchase_input as purchase
from tests.api.campaigns_cases import campaigns_published
from tests.api.campaigns_cases import planned as campaigns_planned
from tests.api.catalogue_cases import stocked
from tests.api.contract import contract, selection
from tests.api.definitions_cases import new_poster
from tests.api.offers_cases import published
from tests.api.plans_cases import plans_published
from tests.api.prepared_documents import executed
from tests.api.redeeming import give_points
from tests.api.referrals_cases import brought, open_programme
from tests.api.segments_cases import SEGMENT
from tests.api.webhooks_cases import dead_letter, order_secret, webhook

AT = Instant(NOW + SECOND)
UNLIMITED = DocumentLimits(fields=100_000, depth=100, nesting=200)

QUERIES = {
    "me": "me {everything}",
    "member": 'member(by: {{externalId: "m0"}}) {everything}',
    "members": "members(first: 100) {everything}",
    "pointBalances": "pointBalances(externalIds: $ids) {everything}",
    "node": "node(id: $member) {{ id ... on Member {member} }}",
    "sessions": "sessions(first: 100) {everything}",
    "apiKeys": "apiKeys(first: 100) {everything}",
    "purchase": "purchase(by: {{id: $purchase}}) {everything}",
    "programme": "programme {everything}",
    "programmeVersions": "programmeVersions {everything}",
    "payouts": "payouts(first: 100) {everything}",
    "rewards": "rewards(first: 100) {everything}",
    "drops": "drops {everything}",
    "rewardOrders": "rewardOrders(first: 100) {everything}",
    "plans": "plans {everything}",
    "planSubscriptions": "planSubscriptions(first: 100) {everything}",
    "adjustments": "adjustments(first: 100) {everything}",
    "merges": "merges(first: 100) {everything}",
    "offers": "offers(first: 100) {everything}",
    "offerResults": "offerResults(offerId: $offer) {everything}",
    "insights": "insights {everything}",
    "auditStatus": "auditStatus {everything}",
    "segmentFacts": "segmentFacts {everything}",
    "referrals": "referrals(first: 100) {everything}",
    "surveyResults": 'surveyResults(key: "survey") {everything}',
    "segments": "segments(first: 100) {everything}",
    "segment": 'segment(key: "shop") {everything}',
    "previewSegment": 'previewSegment(condition: "visits >= 0") {everything}',
    "campaign": 'campaign(key: "spring") {everything}',
    "campaignRuns": "campaignRuns(first: 100) {everything}",
    "campaignResults": 'campaignResults(key: "spring") {everything}',
    "dryRunCampaign": 'dryRunCampaign(key: "spring") {everything}',
    "notificationsOf": 'notificationsOf(member: {{externalId: "m0"}}) {everything}',
    "definitionKinds": "definitionKinds {everything}",
    "definitions": "definitions(first: 100) {everything}",
    "definition": 'definition(kind: "poster", key: "shop") {everything}',
    "exportDefinitions": "exportDefinitions {everything}",
    "partners": "partners {everything}",
    "quoteBasket": 'quoteBasket(basket: {{storeId: "7", currencyCode: USD, lines: ['
    '{{productId: "1", quantity: 1, salesMinor: 100}}]}}) {everything}',
    "basket": "basket(id: $basket) {everything}",
    "checkCoupon": 'checkCoupon(code: "MAY", member: {{externalId: "m0"}}) {everything}',
    "couponBatches": "couponBatches(first: 100) {everything}",
    "settlement": "settlement(year: 2026, month: 3) {everything}",
    "webhooks": "webhooks(first: 100) {everything}",
    "webhookDeliveries": "webhookDeliveries(first: 100) {everything}",
    "webhookEventTypes": "webhookEventTypes {everything}",
    "orderWebhookSecrets": "orderWebhookSecrets(first: 100) {everything}",
    "messageTriggers": "messageTriggers {everything}",
    "previewMessage": 'previewMessage(locale: "lt-LT", document: "{{category: service, '
    'default_language: en, texts: {{en: {{title: Hello, body: Welcome}}}}}}") {everything}',
}
OF_MEMBERS = {"me", "sessions", "quoteBasket"}


def document_of(name: str) -> str:
    """The query with everything that it can answer."""
    query = contract().query_type
    assert query is not None
    everything = selection(get_named_type(query.fields[name].type))
    member = selection(get_named_type(query.fields["me"].type))
    ids = ("$member", "$purchase", "$offer", "$basket")
    variables = {"$ids": "[String!]!"} | dict.fromkeys(ids, "ID!")
    root = QUERIES[name].format(everything=everything, member=member)
    declared = ", ".join(f"{one}: {type_}" for one, type_ in variables.items() if one in root)
    return f"query {f'({declared})' if declared else ''} {{ {root} }}"


@dataclass
class Shop:
    """Members with something of everything."""

    api: Api
    till: Caller
    manager: Caller
    size: int = 0
    first: Caller = NOBODY
    purchase_id: str = ""
    basket_id: str = ""
    offer_id: str = ""

    async def grow(self, size: int) -> None:
        """Let there be so many members, each with one of everything; the first has so many."""
        for number in range(self.size, size):
            caller = await self.api.member(f"m{number}", name=f"Member {number}")
            if not number:
                self.first = caller
            await self._furnish(caller, number)
            if number:
                await self._furnish(self.first, number)
        self.size = size

    async def _furnish(self, caller: Caller, number: int) -> None:
        whom: Json = {"member": {"id": caller.id}}
        await give_points(caller.member_id, 5000)
        await give_points(caller.member_id, 900, asset="USD")
        wish = purchase(**whom, lines=[line(salesMinor=9_000), line(department="MEAT")])
        told = await self.api.mutate("recordPurchase", {"purchase": wish}, self.till)
        self.purchase_id = told["purchaseId"]
        wish = {"basket": basket_input(**whom)}
        held = await self.api.mutate("reserveBasket", wish, self.till)
        self.basket_id = held["basket"]["id"]
        back = return_input(
            purchase={"id": told["purchaseId"]}, lines=[{"number": 0, "amountMinor": 5}]
        )
        for name, given in (
            ("returnPurchase", {"return": back}),
            ("redeemPoints", {**whom, "points": 1000}),
            ("hold", {**whom, "asset": "POINTS", "points": 100, "ttlSeconds": 600}),
            (
                "payWithPoints",
                {**whom, "points": 100, "basket": {"netMinor": 5000, "currencyCode": "USD"}},
            ),
        ):
            assert "code" not in await self.api.mutate(name, given, self.till), name
        reason = {**whom, "asset": "POINTS", "points": 5, "reason": "goodwill"}
        await self.api.mutate("adjustBalance", reason, self.manager)
        payout = {"amountMinor": 100, "destination": "LT12"}
        assert "code" not in await self.api.mutate("requestPayout", payout, caller)
        for written in ({**new_poster(tags=[f"m{number}"]), "key": "shop"}, SEGMENT):
            told = (await self.api.mutate("saveDefinition", written, self.manager))["definition"]
            wish = {name: told[name] for name in ("kind", "key", "version")}
            assert "code" not in await self.api.mutate("publishDefinition", wish, self.manager)
        consent = {"purpose": "EMAIL", "isGiven": True}
        assert "code" not in await self.api.mutate("setConsent", consent, caller)
        await self._notify(caller, number)
        self.offer_id = await published(f"offer-{caller.member_id}-{number}")
        wish = {**whom, "offerId": self.offer_id}
        assert "code" not in await self.api.mutate("activateOffer", wish, self.till)
        await self._bring(caller, number)
        await self._order(caller, number)
        await self._join(number)
        if caller is not self.first:
            gift = {"from": whom["member"], "to": {"id": self.first.id}, "points": 10}
            assert "code" not in await self.api.mutate("givePoints", gift, self.manager)

    async def _notify(self, caller: Caller, number: int) -> None:
        for name, given in (
            (
                "registerDevice",
                {**notifications.DEVICE, "fcmToken": f"token-{caller.member_id}-{number}"},
            ),
            ("setMessageChoices", notifications.CHOICES),
            ("setQuietHours", {"from": "22:00", "until": "07:00"}),
        ):
            assert "code" not in await self.api.mutate(name, given, caller), name
        await notifications.written(caller.member_id, wire=Wire(data={"key": "value"}))
        await campaigns_published("spring", name=f"Spring {caller.member_id} {number}")
        await campaigns_planned()

    async def _bring(self, caller: Caller, number: int) -> None:
        if not number:
            await open_programme()
            await publish_action("survey", SURVEY, caps={"per_member": 1_000, "total": 1_000_000})
        await brought(caller.member_id, await enrolled(), device="phone")
        answers = [{"questionId": "recommend", "number": 9}, {"questionId": "why", "text": "kind"}]
        wish = {"actionKey": "survey", "answers": answers}
        assert "code" not in await self.api.mutate("completeAction", wish, caller)

    async def _order(self, caller: Caller, number: int) -> None:
        if not number:
            await stocked()
            await plans_published()
        for name, given in (
            ("orderReward", {"rewardKey": "voucher"}),
            ("favouriteReward", {"rewardKey": "mug"}),
            ("joinDrop", {"dropKey": "mugs"}),
            ("subscribePlan", {"planKey": "plus"}),
        ):
            assert "code" not in await self.api.mutate(name, given, caller), name

    async def _join(self, number: int) -> None:
        survivor, duplicate = [{"id": Caller(member_id=await enrolled()).id} for _ in range(2)]
        pair = {"duplicate": duplicate, "survivor": survivor, "reason": "same person"}
        assert "code" not in await self.api.mutate("mergeMembers", pair, self.manager), number
        await self.api.key(Scope.MEMBERS_READ)
        await dead_letter(await webhook())
        await order_secret(f"partner{number}")

    async def counted(self, name: str) -> list[str]:
        """The statements of the query."""
        document = document_of(name)
        principal = Principal(PrincipalKind.STAFF, id=1, staff_role=StaffRole.MANAGER)
        if name in OF_MEMBERS:
            principal = Principal(
                PrincipalKind.MEMBER, id=self.first.account_id, member_id=self.first.member_id
            )
        planner = Planner(schema_of(schema), sizes_of(schema_of(schema)))
        [plan] = planner.planned(parse(document), UNLIMITED)
        variables = {
            "ids": [f"m{number}" for number in range(self.size)],
            "member": self.first.id,
            "purchase": self.purchase_id,
            "offer": self.offer_id,
            "basket": self.basket_id,
        }
        asked = {one: value for one, value in variables.items() if f"${one}" in document}
        counts: list[list[str]] = []
        for _ in range(2):  # once for what stays in memory
            context = Context(principal=principal, at=AT, asked=plan.asked, variables=asked)
            with sql.counted_statements() as statements:
                result = await executed(document, context, asked)
            assert result.errors is None, result.errors
            assert result.data is not None
            counts.append(statements)
        return counts[-1]


async def opened(api: Api) -> Shop:
    """A shop without members."""
    return Shop(api, await api.key(*Scope), await api.staff(StaffRole.MANAGER))
