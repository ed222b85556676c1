"""The first application of a process, made for the processes that are forked from it."""

import base64
import secrets
import tempfile

from contactapp import create_app
from contactapp.config import load


def make():
    """Make one and put it away: the OpenAPI document, most of what the first one costs, is kept
    for the next ones, as gunicorn's workers keep their master's."""
    names = ("MASTER_KEYS", "JWT_SECRETS", "PASSWORD_PEPPERS")
    keys = {name: f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}" for name in names}
    with tempfile.TemporaryDirectory() as folder:
        place = {"DATABASE_URL": f"sqlite:///{folder}/none.sqlite3", "INSTANCE_PATH": folder}
        app = create_app(load({**place, **keys}, environ={}))
        app.extensions["contactapp.quota"].store.close()
