"""The rules of the endpoint for fresh settings."""

from __future__ import annotations

import pytest

from fin_messenger_auth.page import NO_STORE, is_same_origin


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": ""}, False),
        ({"Origin": "https://shop.example"}, True),
        ({"Origin": "https://shop.example:444"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "https://shop.example.evil.example"}, False),
        ({"Origin": "null"}, False),
    ],
)
def test_only_the_sites_own_pages_may_ask(headers: dict[str, str], answer: bool) -> None:
    assert is_same_origin(headers, "shop.example") is answer


def test_no_cache_keeps_the_answer() -> None:
    assert dict(NO_STORE) == {"Cache-Control": "no-store", "Vary": "Cookie"}


def test_no_framework_can_write_into_the_headers() -> None:
    with pytest.raises(TypeError):
        NO_STORE["Content-Length"] = "5"  # type: ignore[index]  # that is what is tried


def test_the_case_of_a_header_does_not_matter() -> None:
    assert not is_same_origin({"sec-fetch-site": "cross-site"}, "site.example")
    assert not is_same_origin({"ORIGIN": "https://evil.example"}, "site.example")
    assert is_same_origin({"origin": "https://site.example"}, "site.example")
