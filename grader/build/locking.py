"""Cuts requirements.lock down to what some packages need, so that a class installs no more than it uses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Torch itself pins these, for its own build: naming them would bring CUDA to a build without it.
_TORCHS_OWN = re.compile(r"(nvidia|cuda|triton)(-|$)")


def needed(roots: Iterable[str]) -> set[str]:
    """The canonical names of these requirements and of all that they need, as far as it is installed here."""
    found: set[str] = set()
    waiting = [Requirement(root) for root in roots]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        key = f"{name}[{','.join(sorted(requirement.extras))}]" if requirement.extras else str(name)
        if key in found:
            continue
        found |= {key, str(name)}
        try:
            declared = requires(requirement.name) or []
        except PackageNotFoundError:
            continue
        for entry in map(Requirement, declared):
            extras = requirement.extras or {""}
            if entry.marker is None or any(entry.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(entry)
    return found


def cut_lock(lock: str, roots: Iterable[str]) -> str:
    """The lines of a lock that these requirements need, and its comments."""
    names = needed(roots)
    kept = []
    for line in lock.splitlines():
        name = canonicalize_name(re.split(r"[=;\[ ]", line, maxsplit=1)[0])
        if not line.strip() or line.startswith("#") or (name in names and not _TORCHS_OWN.match(name)):
            kept.append(line)
    return "\n".join(kept) + "\n"
