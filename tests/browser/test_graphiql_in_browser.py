"""GraphiQL, used as a developer uses it: in a browser that can reach this machine only."""

import contextlib
import http.client
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from server.examples import EXAMPLES
from tests.browser.chromium import Page

pytestmark = pytest.mark.browser

EDITOR = "document.querySelector('.graphiql-query-editor .view-line')"
RESPONSE = "document.querySelector('.result-window')"
EXECUTE = "document.querySelector('.graphiql-execute-button')"
SIGN_IN = "document.querySelector('#sign-in button[type=submit]')"
SIGN_OUT = "document.querySelector('#signed-in button')"
MESSAGE = "document.getElementById('message')"
SETTINGS = "JSON.parse(document.getElementById('settings').textContent)"


def rendered(element: str) -> str:
    """An expression for an editor's text as it stands on the page, line by line."""
    return (
        f"[...{element}.querySelectorAll('.view-line')]"
        ".sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))"
        ".map((line) => line.textContent.replaceAll('\\u00a0', ' ')).join('\\n')"
    )


def visible_tool(name: str) -> str:
    """An expression for the text of the editor below the operation: Variables or Headers."""
    return rendered(f"document.querySelector('section[aria-label=\"{name}\"]')")


def open_page(page: Page, address: str, query: str = "") -> Any:
    """Opens GraphiQL and returns the settings that the server gave it."""
    assert page.open(f"{address}/graphql{query}") == ""
    page.wait_for(EDITOR, what="the operation editor")
    return page.evaluate(SETTINGS)


def sign_in(page: Page) -> None:
    """Signs in with what is prefilled."""
    page.click(SIGN_IN)
    page.wait_for(f"{SIGN_OUT}.checkVisibility()", what="being signed in")


def assert_clean(page: Page, address: str) -> None:
    """Nothing was refused, failed, logged or asked of another machine."""
    page.evaluate("new Promise((resolve) => setTimeout(resolve, 250))")
    assert page.problems == []
    here = urlsplit(address).netloc
    others = [url for url in page.requested if urlsplit(url).scheme not in {"data", "blob"}]
    assert {urlsplit(url).netloc for url in others} == {here}


def description_of(address: str, field: str) -> str:
    """What the schema says about a query field."""
    body = json.dumps({"query": '{ __type(name: "Query") { fields { name description } } }'})
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", "/graphql", body, {"content-type": "application/json"})
        fields = json.load(connection.getresponse())["data"]["__type"]["fields"]
    return str({entry["name"]: entry["description"] for entry in fields}[field])


def test_the_browser_reaches_this_machine_only(page: Page) -> None:
    assert page.open("http://192.0.2.1/") == "net::ERR_PROXY_CONNECTION_FAILED"


def test_a_member_signs_in_and_runs_an_example(page: Page, address: str) -> None:
    settings = open_page(page, address)
    member = settings["identities"][0]["slug"]
    example = next(entry for entry in settings["examples"] if entry["audience"] == member)
    assert (
        page.evaluate(rendered(EDITOR + ".closest('.monaco-editor')"))
        .strip()
        .startswith(example["query"].splitlines()[0])
    )
    sign_in(page)
    page.click("document.querySelector('[data-name=headers]')")
    page.wait_for(f"{visible_tool('Headers')}.includes('Bearer ')", what="the header")

    page.click(EXECUTE)
    page.wait_for(f"{rendered(RESPONSE)}.includes('\"data\"')", what="the response")
    response = page.evaluate(rendered(RESPONSE))
    assert '"errors"' not in response
    assert re.search(r'"(displayName|firstName|name)": "\w+', response), response
    assert len([url for url in page.workers if "worker" in url]) >= 2
    assert_clean(page, address)


def test_the_documentation_shows_the_schema(page: Page, address: str) -> None:
    open_page(page, address)
    page.click("document.querySelector('[aria-label=\"Show Documentation Explorer\"]')")
    page.click(
        "[...document.querySelectorAll('.graphiql-doc-explorer a')]"
        ".find((link) => link.textContent === 'Query')"
    )
    description = description_of(address, "me").strip().splitlines()[0]
    shown = "document.querySelector('.graphiql-doc-explorer').textContent"
    page.wait_for(f"{shown}.includes({json.dumps(description)})", what="what `me` is")
    assert_clean(page, address)


def test_a_link_opens_an_example_for_its_audience(page: Page, address: str) -> None:
    settings = open_page(page, address)
    example = settings["examples"][-1]
    open_page(page, address, f"?example={example['slug']}&as={example['audience']}")
    tab = "document.querySelector('.graphiql-tab-active .graphiql-tab-button').textContent"
    page.wait_for(f"{tab} === {json.dumps(example['operationName'])}", what="the example's tab")
    chosen = page.evaluate("document.querySelector('#sign-in input:checked').value")
    assert chosen == example["audience"]
    assert '"$' not in page.evaluate(visible_tool("Variables"))
    assert_clean(page, address)


@pytest.mark.parametrize("slug", ["home", "redeem", "card", "purchase", "months", "members"])
def test_a_link_leads_to_an_answer(page: Page, address: str, slug: str, tmp_path: Path) -> None:
    audience = next(example.audience for example in EXAMPLES if example.slug == slug)
    open_page(page, address, f"?example={slug}&as={audience}")
    sign_in(page)
    page.click(EXECUTE)
    page.wait_for(f"{rendered(RESPONSE)}.includes('\"data\"')", what="the response")
    page.screenshot(tmp_path / f"{slug}.png")
    response = page.evaluate(rendered(RESPONSE))
    assert '"errors"' not in response
    assert '"code"' not in response or slug == "redeem"  # a voucher has one, and so has a problem
    assert '"message"' not in response
    assert_clean(page, address)


def test_a_purchase_happens_now(page: Page, address: str) -> None:
    open_page(page, address, "?example=purchase")
    variables = page.evaluate("sessionStorage.getItem('graphiql:variables')")
    assert '"$' not in variables
    purchase = json.loads(variables)["input"]["purchase"]
    age = datetime.now(UTC) - datetime.fromisoformat(purchase["occurredAt"])
    assert timedelta(0) <= age < timedelta(minutes=2)


def test_signing_out_takes_the_token_away(page: Page, address: str) -> None:
    open_page(page, address)
    sign_in(page)
    page.click("document.querySelector('[data-name=headers]')")
    page.wait_for(f"{visible_tool('Headers')}.includes('Bearer ')", what="the header")
    page.click(SIGN_OUT)
    page.wait_for(f"!{visible_tool('Headers')}.includes('Bearer ')", what="no header")
    assert "Bearer" not in page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")
    page.click(EXECUTE)
    page.wait_for(f"{MESSAGE}.textContent.includes('sign in')", what="the advice to sign in")


def test_an_expired_sign_in_is_pointed_out(page: Page, address: str) -> None:
    open_page(page, address)
    sign_in(page)
    page.evaluate(
        "(() => { const key = 'graphiql-session';"
        " const session = JSON.parse(sessionStorage.getItem(key));"
        " session.expiresAt = new Date(Date.now() - 1000).toISOString();"
        " sessionStorage.setItem(key, JSON.stringify(session)); })()"
    )
    page.reload()
    page.wait_for(f"{MESSAGE}.textContent.includes('expired')", what="the word that it expired")


def test_the_page_refuses_what_it_did_not_bring(page: Page, address: str) -> None:
    open_page(page, address)
    page.evaluate(
        "(() => { const script = document.createElement('script');"
        " script.textContent = 'globalThis.injected = true'; document.body.append(script);"
        " new Image().src = 'http://127.0.0.1:9/pixel.png'; })()"
    )
    page.evaluate("new Promise((resolve) => setTimeout(resolve, 250))")
    assert page.evaluate("globalThis.injected") is None
    # The same lists that the other tests find empty.
    assert any("script-src" in problem for problem in page.problems)
    assert any("img-src" in problem for problem in page.problems)
