"""Files of contacts that nobody would think of, by the ten thousand."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.hostile_files import (
    check_document,
    check_table,
    check_vcards,
    documents,
    tables,
    vcards,
)

KINDS = {
    "vcard": (vcards, check_vcards),
    "csv": (tables, check_table),
    "json": (documents, check_document),
}


# FI-6, FI-7
@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_no_bytes_raise_anything_but_ours(kind):
    files, check = KINDS[kind]
    health = [HealthCheck.too_slow, HealthCheck.data_too_large]
    budget = settings(max_examples=20_000, deadline=None, suppress_health_check=health)
    budget(given(files)(check))()
