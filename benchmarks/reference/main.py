"""The application."""

from fastapi import FastAPI

from .routes import router

app = FastAPI(title="Reference contacts API")
app.include_router(router)
