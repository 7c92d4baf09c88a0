"""The sources that a page with the Messenger must allow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from fin_messenger_auth._settings import API_BASES
from fin_messenger_auth.errors import ConfigurationError
from fin_messenger_auth.page import csp_sources, strict_policy

if TYPE_CHECKING:
    from fin_messenger_auth._settings import Region

NONCE = "bm9uY2Utb2YtMTYtYnl0ZXM"
REGIONS: list[Region] = ["us", "eu", "ap", "au"]
ARTICLE: dict[str, str] = json.loads((Path(__file__).with_name("data") / "csp_articles.json").read_text("ascii"))[
    "sources"
]


def test_all_regions_together_are_what_the_articles_list() -> None:
    ours = csp_sources()
    assert ours.keys() == ARTICLE.keys()
    for directive, sources in ours.items():
        assert sorted(sources) == sorted(ARTICLE[directive].split()), directive


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_has_its_own_hosts_and_none_of_the_others(region: Region) -> None:
    allowed = csp_sources(region)["connect-src"]
    assert API_BASES[region] in allowed
    assert not {base for base in API_BASES.values() if base != API_BASES[region]} & set(allowed)


def test_au_is_another_name_for_ap() -> None:
    assert csp_sources("au") == csp_sources("ap")


def test_the_sandbox_is_a_source_while_the_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    vendors = csp_sources("eu")
    monkeypatch.setenv("FIN_MESSENGER_WIDGET_BASE", "http://127.0.0.1:8765/widget/")

    sandbox = ("http://127.0.0.1:8765",)
    both = {each: vendors[each] + sandbox for each in ("script-src", "connect-src")}
    assert csp_sources("eu") == {**vendors, **both}
    assert strict_policy(NONCE).count(*sandbox) == 1  # scripts need the nonce alone


@pytest.mark.parametrize("region", ["mars", "", 1, ["eu"]])
def test_there_is_no_other_region(region: object) -> None:
    with pytest.raises(ConfigurationError, match="region") as caught:
        csp_sources(cast("Any", region))
    assert caught.value.code == "region-unknown"


def test_the_strict_policy_allows_scripts_by_nonce_only() -> None:
    policy = dict(each.split(" ", 1) for each in strict_policy(NONCE, region="eu").split("; "))
    assert policy["script-src"] == f"'nonce-{NONCE}' 'strict-dynamic'"
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"].split()[0] == "'self'"
    assert "https://api-iam.eu.intercom.io" in policy["connect-src"].split()


def test_a_pages_own_sources_come_on_top() -> None:
    policy = strict_policy(NONCE, also={"connect-src": ["http://127.0.0.1:8765"], "manifest-src": ["'self'"]})
    assert " http://127.0.0.1:8765;" in policy
    assert policy.endswith("; manifest-src 'self'")


def test_a_hostile_nonce_adds_no_directive() -> None:
    with pytest.raises(ConfigurationError, match="nonce"):
        strict_policy(f"{NONCE}'; script-src *")


@pytest.mark.parametrize("nonce", [None, True, 123, NONCE.encode()])
def test_a_nonce_that_is_not_a_string_is_refused(nonce: object) -> None:
    with pytest.raises(ConfigurationError, match="nonce"):
        strict_policy(nonce)


@pytest.mark.parametrize(
    "also",
    [
        {"img-src": "https://cdn.example"},
        {"img-src": ["https://cdn.example; script-src *"]},
        {"img-src": ["https://cdn.example, script-src *"]},
        {"img-src": ["https://cdn.example\r\nSet-Cookie: a"]},
        {"imgsrc": ["https://cdn.example"]},
        {"img-src; script-src": ["*"]},
        {"img-src": None},
        {"img-src": [1]},
        {1: ["https://cdn.example"]},
        ["img-src"],
    ],
)
def test_further_sources_cannot_break_out_of_their_directive(also: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"expected a") as caught:
        strict_policy(NONCE, also=also)
    assert caught.value.code == "argument-invalid"


def test_further_sources_take_the_place_of_none() -> None:
    policy = strict_policy(NONCE, also={"frame-ancestors": ["https://partner.example"], "base-uri": []})

    assert "; frame-ancestors https://partner.example; " in policy
    assert "base-uri 'none'" in policy


def test_trusted_types_allow_the_policy_of_the_scripts_by_its_name() -> None:
    policy = strict_policy(NONCE, also={"require-trusted-types-for": ["'script'"]}).split("; ")

    assert "require-trusted-types-for 'script'" in policy
    assert "trusted-types fin-messenger-auth 'allow-duplicates'" in policy
    assert "trusted-types" not in strict_policy(NONCE)
