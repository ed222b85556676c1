"""Contacts in and out of files: vCard, CSV and JSON. What stands here is pure: bytes in, records
out, and the other way round."""
