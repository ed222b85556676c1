"""Which contact of the book a row is, and what is to be done with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..books.view import BookView
from ..contacts.row import Row
from ..exports.service import source_of, uids_of
from .checked import Checked, identity

Decisions = Mapping[int, Mapping[str, Any]]  # what the user says of rows, by their numbers


class Plan(NamedTuple):
    """What is to be done with a row: create, update, skip or reject; why, where that is not plain;
    and which contact it is about."""

    action: str
    reason: str | None = None
    contact_id: int | None = None


class Known:
    """What an import knows of its book, and of what it has read so far."""

    def __init__(self, view: BookView[Row], newest: int | None, seen: set[str]) -> None:
        """`newest`: the highest id of a contact that is not the import's own, None where none is;
        `seen`: the UIDs of its rows so far, but for those that were rejected."""
        own = {row.id: row.uid for row in view.rows.values()}
        sources = view.column("source_uid", lambda row: source_of(row.card()))
        self._newest = newest
        self._seen = seen
        self._by_uid = {uid: id_ for id_, uid in uids_of(own, sources).items()}
        self._by_uid |= {uid: id_ for id_, uid in own.items()}
        identities = view.column("identity", lambda row: identity(row.card()))
        self._identical = {found: id_ for id_, found in identities.items()}

    def plan(
        self, row: Checked, found: bytes, on_duplicate: str, decision: Mapping[str, Any] | None
    ) -> Plan:
        """What to do with a row whose card has this identity. It counts as read from now on."""
        plan = self._plan(row, found, on_duplicate)
        if decision is not None:
            plan = _decided(plan, decision)
        if row.uid:
            self._seen.add(row.uid)
        if plan.action == "create":
            self._identical.setdefault(found, 0)
        return plan

    def refused(self, row: Checked) -> None:
        """The row is not done after all: another one with its UID may be."""
        self._seen.discard(row.uid or "")

    def _plan(self, row: Checked, found: bytes, on_duplicate: str) -> Plan:
        if row.uid in self._seen and on_duplicate != "create":
            # Or the same file again would change what its later card has made of the earlier one.
            return Plan("skip", "repeated")
        same = self._by_uid.get(row.uid or "")
        if same is not None and on_duplicate != "create":
            return Plan("skip" if on_duplicate == "skip" else "update", "same_uid", same)
        twin = self._identical.get(found)
        # Two contacts that are alike in a file, and have UIDs of their own, are two.
        if twin is None or (row.uid and not self._is_older(twin)):
            return Plan("create")
        if twin and on_duplicate == "update":
            return Plan("update", "identical", twin)
        return Plan("skip", "identical", twin or None)

    def _is_older(self, contact_id: int) -> bool:
        # Clocks may step back, numbers of a book only go up.
        return contact_id > 0 and (self._newest is None or contact_id <= self._newest)


def _decided(plan: Plan, decision: Mapping[str, Any]) -> Plan:
    action = decision["action"]
    about = decision.get("contact_id") or plan.contact_id
    return Plan(action, "decided", about if action == "update" else None)
