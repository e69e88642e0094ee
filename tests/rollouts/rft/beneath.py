"""Processes beneath this one, by what /proc says of them."""

import os
from pathlib import Path


def processes(name=""):
    """Return {pid: title} of living processes beneath this one whose title begins so."""
    parents, titles = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue
        if state not in "ZX":
            parents[int(folder.name)], titles[int(folder.name)] = int(parent), title
    return {p: t for p, t in titles.items() if t.startswith(name) and _is_ours(p, parents)}


def session(folder):
    """Return {pid: title} of living processes whose environment names a folder."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().decode()
        except OSError:
            continue
    return found


def _is_ours(pid, parents):
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False
