"""Whose something is: the fixture's that is being made, else the running test's.

A fixture of the session that makes things for anybody, such as `new_app`, has them put away when
who asked for them ends. Hundreds of applications that are kept to the end of a run would make each
look of the garbage collector longer than the last, and hold hundreds of connections.
"""

from __future__ import annotations

import pytest

_asking = []  # fixtures that are being made for each other, the innermost last


def when_its_owner_ends(put_away):
    """Have this called when the fixture or test that is asking now ends."""
    _asking[-1].addfinalizer(put_away)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    _asking.append(request)
    try:
        return (yield)
    finally:
        _asking.pop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    _asking.append(item)
    try:
        return (yield)
    finally:
        _asking.pop()
