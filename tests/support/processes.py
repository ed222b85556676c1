"""Processes of their own that have the program at once.

They are forked from a server that has imported it and runs nothing else; started from nothing, each
would take a second of a processor to begin.
"""

import multiprocessing

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["contactapp"])
