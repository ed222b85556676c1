"""Labels of entries, and how files name the usual ones. Pure."""

from __future__ import annotations

from ..contacts.folding import fold

# Labels as the API's users see them, and Apple's names for them in X-ABLabel.
APPLE = {
    "home": "Home",
    "work": "Work",
    "other": "Other",
    "mobile": "Mobile",
    "main": "Main",
    "home fax": "HomeFAX",
    "work fax": "WorkFAX",
    "other fax": "OtherFAX",
    "pager": "Pager",
    "school": "School",
    "homepage": "HomePage",
    "anniversary": "Anniversary",
}
_FROM_APPLE = {name.lower(): label for label, name in APPLE.items()}
_MAX_FOLDED = 200  # characters
USUAL = {*APPLE, "fax", "iphone", "business", "car", "personal", "profile", "blog"}


def apple_label(text: str) -> str:
    """The label that an X-ABLabel tells: `_$!<HomePage>!$_` is Apple's for `homepage`."""
    if text.startswith("_$!<") and text.endswith(">!$_"):
        name = text[4:-4].lower()
        return _FROM_APPLE.get(name, name)
    return text.strip()


def usual(label: str) -> str:
    """A usual label in the spelling that all formats share; others as they are."""
    lower = label.lower()
    return lower if lower in USUAL else label


def without_repetition(labels: list[str]) -> list[str]:
    """The labels without empty ones and those that fold alike, the first spelling stays."""
    seen: dict[str, str] = {}
    for label in labels:
        if text := " ".join(label.split()):
            # No label may be that long, and folding long runs of marks takes quadratic time.
            seen.setdefault(fold(text) if len(text) <= _MAX_FOLDED else text, text)
    return list(seen.values())
