"""The page about the earlier systems; what its commands print, test_readme sees."""

import re
from pathlib import Path

from contactapp.compat import SYSTEMS, contacts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compat.md"
OWN = {*SYSTEMS, contacts.name}


def test_the_page_about_them_names_every_route(app):
    named = {path.rstrip("/") for path in re.findall(r"`(/[^`?]*)[^`]*`", PAGE.read_text())}
    rules = {re.sub("<(id|key):.*>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()
             if rule.endpoint.split(".")[0] in OWN}  # fmt: skip
    assert len(rules) > 20
    assert rules <= named
