"""The bench of outages: each way to sign that it compares signs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("boto3")

from bench.outage import contestants, kms


def test_every_contestant_signs() -> None:
    async def signed(sign: Any) -> Any:
        return await sign()

    with kms() as (address, _):
        signatures = [asyncio.run(signed(sign)) for sign in contestants(address).values()]
    assert {len(each) for each in signatures} == {256}
