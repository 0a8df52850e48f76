"""An archive's address may hold keys; a report tells the address alone."""

from dataclasses import replace

import pytest

from kanfunc.domain.hazards import archives
from tests.builders import cluster

PLACES = {
    "s3://AKIA:canary@bucket/path": "s3://bucket/path",
    "s3://AKIA:can@ary@bucket/path": "s3://bucket/path",
    "s3://AKIA:canary/more@bucket/path": "s3://bucket/path",
    "https://account.blob.core.windows.net/box?sv=1&sig=canary": "https://account.blob.core.windows.net/box",
    "https://me@host/box#canary": "https://host/box",
    "s3://bucket/path": "s3://bucket/path",
    "/canary:x@": "an object store",
}


@pytest.mark.parametrize(("address", "told"), PLACES.items())
def test_no_key_of_an_address_is_told(address: str, told: str) -> None:
    found = archives(replace(cluster(), spec={"backup": {"barmanObjectStore": {"destinationPath": address}}}))
    assert [each.found for each in found] == [f"WAL is written to {told} as pg"]


def test_nor_what_stands_in_other_shapes() -> None:
    odd = {"destinationPath": {"key": "canary"}, "serverName": ["canary"]}
    found = archives(replace(cluster(), spec={"backup": {"barmanObjectStore": odd}}))
    assert "canary" not in str(found)
