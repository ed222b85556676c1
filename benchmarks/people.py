"""The contacts and accounts that every measured server holds: the same cards in the same order."""

from __future__ import annotations

from typing import Any

PASSWORD = "measure me twice"
TEXT = "Call +49 151 1234567 or write to anna@example.org before 2026-12-24."  # of a note
_GIVEN = (
    "Anna", "José", "Zoë", "Łukasz", "Maria", "Søren", "Иван", "Chloé", "Noah", "Ayşe", "Björn",
    "Grace", "Nguyễn", "Olivia", "Renée", "Tomáš", "Ewa", "Daniel", "Ελένη", "Yuki", "Fatima",
)  # fmt: skip
_FAMILY = (
    "Müller", "García", "O'Neill", "Nowak", "Петров", "Dubois", "Jönsson", "Yılmaz", "Schmidt",
    "van den Berg", "Novák", "Hopper", "Papadopoulos", "Sato", "Ferreira", "Kowalczyk", "Smith",
    "Åkerlund", "Lefèvre", "Rossi", "Trần", "Brown", "Haddad",
)  # fmt: skip
_COMPANIES = ("Example Ltd", "Café Größe", "Nordwind AG", "Łódź Works", "Blue Harbour")
_TITLES = ("Engineer", "Nurse", "Teacher", "Head of sales", "Élève")


def card(number: int) -> dict[str, Any]:
    """The contact with this number. The lists' lengths share no factor, so that names vary."""
    given = _GIVEN[number % len(_GIVEN)]
    family = _FAMILY[number % len(_FAMILY)]
    return {
        "first_name": given,
        "last_name": family,
        "nickname": f"{given[:3]}{number % 89}",
        "email": f"person{number}@example.com",
        "phone": f"+49 151 {number:07}",
        "company": _COMPANIES[number % len(_COMPANIES)],
        "title": _TITLES[number // 7 % len(_TITLES)],
        "birthday": f"{1940 + number % 70}-{1 + number % 12:02}-{1 + number % 28:02}",
        "custom_fields": {"floor": str(number % 9)},
    }


def account(name: str) -> dict[str, str]:
    """What registers this account."""
    return {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
