"""The WSGI application, for `gunicorn wsgi:app`."""

from contactapp import create_app

app = create_app()
