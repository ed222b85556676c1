"""Imports go one way: commands and the factory, then slices, then HTTP, then storage."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "contactapp"

# From the bottom up. A module may import from its own level and from those below it.
LEVELS = (
    {
        "actor",
        "beside",
        "bounded",
        "clock",
        "closing",
        "config",
        "connection",
        "crypto",
        "database",
        "engine",
        "exposition",
        "extensions",
        "held",
        "instance_lock",
        "key_rotation",
        "keyring",
        "lane",
        "libpq",
        "limits",
        "logs",
        "mail",
        "metrics",
        "postgres_writer",
        "progress",
        "secrets_file",
        "serving",
        "session",
        "setting_sources",
        "setting_table",
        "setting_values",
        "sql",
        "tally",
        "triggers",
        "writer",
    },
    {
        "answers",
        "bodies",
        "envelope",
        "errors",
        "http",
        "idempotency",
        "incoming",
        "multipart",
        "openapi",
        "paging",
        "problems",
        "request_log",
        "shapes",
        "strict_json",
    },
    {
        "audit",
        "auth",
        "books",
        "changes",
        "contacts",
        "custom_fields",
        "data",
        "exchange",
        "exports",
        "feeds",
        "imports",
        "jobs",
        "labels",
        "notes",
        "operations",
        "pages",
        "pictures",
        "users",
        "webhooks",
    },
    {"compat"},
    {
        "",
        "account_commands",
        "audit_commands",
        "backup",
        "backup_commands",
        "cli",
        "key_commands",
        "exchange_commands",
        "probes",
        "startup",
        "worker",
    },  # "" is the package itself, with the factory
)
SLICES = LEVELS[2]

# Slices meet in service.py. What else one takes from another, and why:
MEETINGS = {
    ("auth.routes", "users.routes"): "/auth/me answers exactly as /users/me does",
    ("auth.routes", "users.schemas"): "and is documented with the same schema",
    ("pages.account", "auth.recovery"): "a page's button does what the API's route does",
    ("pages.account", "auth.allowances"): "as often as that may",
    ("pages.account", "auth.guard"): "and knows who asks as that does",
    ("auth.schemas", "users.schemas"): "a registration is a profile with a password",
    ("auth.attempts", "users.identity"): "an address means the same account for the counts",
    ("auth.api_token_schemas", "contacts.schemas"): "a token's name is a line as theirs are",
    ("auth.admin_schemas", "users.schemas"): "and is checked alike",
    ("audit.service", "changes.chain"): "both chains begin at the same head",
    ("audit.verification", "changes.chain"): "and are followed over the same columns",
    ("changes.routes", "auth.guard"): "who waited for changes is let in anew before they are told",
    ("changes.routes", "auth.tickets"): "and a ticket is made where it is used",
    ("contacts.stored", "changes.conflicts"): "who is refused with 412 is told what was changed",
    ("notes.writing", "changes.conflicts"): "of a note too",
    ("data.wanted", "changes.conflicts"): "and of an entry of data",
    ("contacts.routes", "changes.schemas"): "the history of anything has one shape",
    ("notes.routes", "changes.schemas"): "that of a note too",
    ("data.routes", "changes.schemas"): "and of an entry of data",
    ("auth.erasure", "audit.retention"): "erasing lets a stream go as a purge does",
    ("auth.erasure", "audit.checkpoints"): "and takes its checkpoints away with it",
    ("auth.export", "audit.trail"): "an export shows events as the trail does",
    ("auth.refusals", "audit.kinds"): "one kind is counted and not recorded",
    ("pages.media", "users.avatars"): "initials have the colours that it gives them",
    ("books.service", "contacts.row"): "a view keeps contacts as the rows that row makes",
    ("books.service", "custom_fields.definition"): "and what custom fields may hold",
    ("contacts.service", "custom_fields.values"): "as the book defines them",
    ("imports.foreground", "jobs.worker"): "a command does its import's job as a worker would",
    ("contacts.whole", "custom_fields.values"): "which a contact's values are held against",
    ("contacts.bulk", "custom_fields.values"): "many's too",
    ("contacts.listing", "custom_fields.values"): "a list is in their order",
    ("contacts.custom", "custom_fields.values"): "and compared by in lists",
    ("contacts.custom", "custom_fields.definition"): "as the book defines them",
    ("contacts.query_fields", "custom_fields.definition"): "a key in a query is as long as any",
    ("custom_fields.values", "contacts.card"): "a date or an address is one as a contact's own is",
    ("custom_fields.values", "contacts.folding"): "two ways to write a choice are one",
    ("custom_fields.values", "contacts.search"): "a value's text is what search finds it by",
    ("custom_fields.schemas", "contacts.folding"): "so no two choices are the same when folded",
    ("custom_fields.schemas", "contacts.lines"): "a choice is a line as theirs are",
    ("custom_fields.routes", "operations.schemas"): "what was done across contacts is told alike",
    ("custom_fields.schemas", "operations.schemas"): "also beside the definition",
    ("labels.routes", "operations.schemas"): "of labels too",
    ("labels.schemas", "contacts.entry_schemas"): "a label is as long as a contact's",
    ("labels.schemas", "contacts.lines"): "and a line as that is",
    ("labels.service", "contacts.folding"): "two ways to write a label are one",
    ("contacts.listing", "books.view"): "a list is made from a view, which is pure",
    ("books.service", "contacts.card"): "and reads the columns that they have",
    ("books.service", "notes.row"): "as it keeps notes",
    ("contacts.reading", "notes.finding"): "a contact is found by the words of its notes",
    ("notes.finding", "books.view"): "which are in a view of their own",
    ("notes.finding", "contacts.search"): "words are looked for alike",
    ("notes.row", "contacts.digits"): "in texts that are folded alike",
    ("notes.row", "contacts.folding"): "by the same folding",
    ("notes.routes", "contacts.merged"): "a contact's notes are where the contact is",
    ("contacts.duplicates_page", "books.view"): "and a list of duplicates",
    ("notes.schemas", "contacts.query_fields"): "and are asked for alike",
    ("notes.suggestions", "contacts.digits"): "two ways to write a number are one number",
    ("notes.suggestions", "contacts.entries"): "and a contact has several",
    ("notes.routes", "contacts.schemas"): "a suggestion that is accepted answers the contact",
    ("feeds.service", "books.view"): "and so is a calendar",
    ("feeds.service", "contacts.row"): "from the rows that it keeps",
    (
        "feeds.service",
        "contacts.birthdays",
    ): "whose birthdays are days as a list of them reads them",
    ("contacts.birthdays", "books.view"): "a list of birthdays is made from a view too",
    ("feeds.schemas", "contacts.schemas"): "a label is a line as theirs are",
    ("exchange.entries", "contacts.card"): "a file shows a contact's name as the API does",
    ("exchange.entries", "contacts.entries"): "and tells what is twice in a list as it does",
    ("exchange.dates", "contacts.card"): "takes the days that it takes",
    ("exchange.csv.target", "contacts.card"): "has columns for the lines that it has",
    ("exchange.words", "contacts.folding"): "and compares labels alike",
    ("exchange.vcard.draft", "contacts.folding"): "and names",
    ("exports.schemas", "contacts.queries"): "an export has the filters of the list",
    ("exports.schemas", "contacts.filters"): "made of what was asked as there",
    ("changes.log", "webhooks.outbox"): "what a write changes is to be told in its transaction",
    ("webhooks.message", "changes.part"): "and is told as the feed tells it",
    ("webhooks.schemas", "changes.feed"): "by the same words",
    ("webhooks.schemas", "changes.schemas"): "in the same shape",
    ("webhooks.schemas", "contacts.schemas"): "a description is a line as theirs are",
    ("imports.checked", "contacts.schemas"): "a row is held against what a body is",
    ("imports.checked", "notes.note"): "and its notes against what a note is",
    ("imports.matching", "books.view"): "it is looked for in the book in memory",
    ("imports.matching", "contacts.row"): "among the rows of that",
    ("imports.batch", "contacts.likely"): "a preview tells who is like it, as duplicates are",
    ("imports.batch", "custom_fields.values"): "it has what the book's custom fields may hold",
    ("imports.planned", "custom_fields.values"): "whichever contact it becomes",
}

# What a kind of file has no business with (design: a file's name says what it may do).
FOREIGN = {
    "routes": {"sqlalchemy", "contactapp.database", "contactapp.extensions.db"},
    "schemas": {"flask", "sqlalchemy", "contactapp.database", "contactapp.extensions"},
    "models": {"flask", "marshmallow", "contactapp.http", "contactapp.errors"},
    "service": {"flask.request", "flask.g", "flask.jsonify", "marshmallow"},
}


def modules():
    """{dotted name within the package: path}."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name, path):
    """Every imported name in full, as `contactapp.users.models.User` or `flask.request`."""
    package = ["contactapp", *name.split(".")] if name else ["contactapp"]
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


MODULES = modules()


@cache  # and not at import: every process of a run imports all tests
def all_imports():
    """{name of a module: every name that it imports}."""
    return {name: set(imports(name, path)) for name, path in MODULES.items()}


def own_module(imported):
    """The module of ours that an imported name belongs to, or None."""
    if not imported.startswith("contactapp"):
        return None
    parts = imported.split(".")[1:]
    while ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts)


@cache
def edges():
    """{name of a module: those of ours that it imports}."""
    return {
        name: {own_module(i) for i in found if own_module(i) is not None} - {name}
        for name, found in all_imports().items()
    }


def level(name):
    top = name.partition(".")[0]
    return next(number for number, names in enumerate(LEVELS) if top in names)


def test_every_module_has_a_level():
    tops = {name.partition(".")[0] for name in MODULES}
    assert tops == set().union(*LEVELS)


def test_a_module_imports_nothing_from_above():
    upwards = {
        (name, target)
        for name, targets in edges().items()
        for target in targets
        if level(target) > level(name)
    }
    assert upwards == set()


def test_slices_meet_in_service_only():
    found = {
        (name, target)
        for name, targets in edges().items()
        for target in targets
        if {name.partition(".")[0], target.partition(".")[0]} <= SLICES
        and name.partition(".")[0] != target.partition(".")[0]
        and not target.endswith(".service")
    }
    assert found == set(MEETINGS)


def test_no_import_goes_in_a_circle():
    # An import of the package itself only runs its __init__, which is everybody's parent.
    graph = {name: targets - {""} for name, targets in edges().items()}
    list(TopologicalSorter(graph).static_order())


def test_a_file_keeps_to_what_its_name_says():
    wrong = {
        (name, imported)
        for name, found in all_imports().items()
        if name.partition(".")[0] in SLICES
        for foreign in FOREIGN.get(name.rpartition(".")[2], ())
        for imported in found
        if imported == foreign or imported.startswith(f"{foreign}.")
    }
    assert wrong == set()
