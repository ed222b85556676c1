"""Ninety people as an address book holds them: several scripts, cases, gaps and namesakes."""

_FIRST = ["Ada", "Grace", "Émile", "emma", "Østen", "Zoë", "José", "Jürgen", "Łukasz", "Nguyễn"]
_FIRST += ["Анна", "明", "Fatima", "élodie", "Åsa", "Brian", "Siobhán", "D'Arcy"]
_LAST = ["Lovelace", "hopper", "Zola", "Müller", "muller", "Öztürk", "García", "Gärtner"]
_LAST += ["O'Brien", "van-Dyk", "Иванова"]
_COMPANIES = [None, "Acme", "acme", "Ämter GmbH", "Zeta & Söhne", "Éclair SARL"]
_BIRTHDAYS = [None, "1985", "1985-06", "--02-29", "1906-12-09", "2001-01-31", "--12-24"]


def people():
    """Ninety contacts, always the same."""
    return [_person(n) for n in range(90)]


def _person(n):
    first, last = _FIRST[n % len(_FIRST)], _LAST[n % len(_LAST)]
    card = {
        "first_name": first if n % 10 else None,
        "last_name": last if n % 7 else None,
        "nickname": f"nick {n}",
        "middle_name": "Q." if n % 4 == 0 else None,
        "prefix": "Dr" if n % 5 == 0 else None,
        "suffix": "Jr." if n % 9 == 0 else None,
        "email": f"{'A' if n % 2 else 'a'}{n % 30}@example.com" if n % 3 else None,
        "phone": f"+49 151 {n * 7919:07}" if n % 4 else None,
        "company": _COMPANIES[n % len(_COMPANIES)],
        "department": "Küche" if n % 8 == 0 else "kueche" if n % 8 == 1 else None,
        "title": ["Engineer", "engineer", "Ärztin", None][n % 4],
        "birthday": _BIRTHDAYS[n % len(_BIRTHDAYS)],
        "anniversary": f"20{n % 20:02}-06-15" if n % 6 else None,
        "starred": n % 5 == 0,
        "custom_fields": {"number": n},
    }
    return {key: value for key, value in card.items() if value is not None}
