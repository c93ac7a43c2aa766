"""Grader of the PyTorch exercises: judges submissions from outside the process they run in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grader.notebook import check

__all__ = ["check"]
__version__ = "1.0.0"


def __getattr__(name: str) -> Any:
    """`from grader import check` for learners; nothing of it is imported before somebody asks for it."""
    if name == "check":
        try:
            from grader.notebook import check
        except ModuleNotFoundError:
            # In the sandbox, which holds next to nothing of this package: a lesson that checks itself is being graded.
            return lambda exercise: None
        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
