"""What tills send is hashed for ever as it was hashed at first."""

from typing import Any, cast

import pytest
from graphql import GraphQLInputObjectType
from graphql.utilities.coerce_input_value import coerce_input_value
from strawberry.types.arguments import convert_argument

from server.edge import idempotency
from server.purchases.inputs import RecordPurchaseInput, RecordPurchasesInput
from server.schema import schema

LEAST = {
    "externalId": "p-1",
    "member": {"externalId": "m-1"},
    "occurredAt": "2026-01-31T12:00:00Z",
    "storeId": "s",
    "currencyCode": "USD",
    "lines": [{"productId": "a", "quantity": "2", "salesMinor": 100}],
}
MOST = {
    **LEAST,
    "member": {"cardNumber": "1234"},
    "lines": [
        {
            "productId": "b",
            "quantity": 1,
            "salesMinor": 5,
            "couponMinor": 1,
            "department": "D",
            "productCategory": None,
            "productType": 'T","x":null',
        }
    ],
    "paymentIds": ["x", "y"],
    "enrolIfUnknown": True,
}
LEAST_FORM = (
    b'{"currency_code":"USD","enrol_if_unknown":false,"external_id":"p-1","lines":['
    b'{"coupon_minor":0,"product_id":"a","quantity":2,"sales_minor":100}],'
    b'"member":{"external_id":"m-1"},"occurred_at":1769860800000000,"store_id":"s"}'
)
MOST_FORM = (
    b'{"currency_code":"USD","enrol_if_unknown":true,"external_id":"p-1","lines":['
    b'{"coupon_minor":1,"department":"D","product_id":"b","product_type":"T\\",\\"x\\":null",'
    b'"quantity":1,"sales_minor":5}],"member":{"card_number":"1234"},'
    b'"occurred_at":1769860800000000,"payment_ids":["x","y"],"store_id":"s"}'
)


def built(cls: type, value: object) -> Any:
    """What a resolver gets."""
    type_ = cast(GraphQLInputObjectType, schema._schema.type_map[cls.__name__])
    converter = schema.schema_converter
    return convert_argument(
        coerce_input_value(value, type_), cls, converter.scalar_registry, schema.config
    )


@pytest.mark.parametrize(("sent", "form"), [(LEAST, LEAST_FORM), (MOST, MOST_FORM)])
def test_the_content_of_one_purchase_has_its_form(sent: dict[str, Any], form: bytes) -> None:
    given = built(RecordPurchaseInput, {"idempotencyKey": "k", "purchase": sent})
    assert idempotency._canonical(given) == b'{"idempotency_key":"k","purchase":%b}' % form


def test_the_content_of_a_batch_has_its_form() -> None:
    given = built(RecordPurchasesInput, {"idempotencyKey": "k", "purchases": [LEAST, MOST]})
    assert idempotency._canonical(given) == (
        b'{"idempotency_key":"k","purchases":[%b,%b]}' % (LEAST_FORM, MOST_FORM)
    )
