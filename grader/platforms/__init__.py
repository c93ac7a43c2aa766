"""What platforms that collect grades read: GitHub Classroom, Classroom 50, Gradescope. Written by the grader alone.

Each module turns a result into one platform's format. By then the submission's processes are gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.errors import GraderError, UnreadableSubmission
from grader.result import Result


@dataclass(frozen=True)
class Handover:
    """Where a result goes beside reports: to GitHub Classroom or not, to files for Classroom 50 and Gradescope."""

    github_classroom: bool = False
    classroom50: str | None = None
    gradescope: str | None = None
    visibility: str = "visible"


def hand_over(result: Result, submission: Path, to: Handover) -> None:
    """Write what the platforms read.

    Args:
        submission: the path that was graded, for annotations beside its lines.

    Raises:
        GraderError: a file cannot be written, or this is no run of the platform's.
    """
    if to.github_classroom:
        from grader.platforms import github_classroom

        github_classroom.hand_over(result, submission)
    if to.classroom50:
        from grader.platforms import classroom50

        classroom50.hand_over(result, Path(to.classroom50))
    if to.gradescope:
        from grader.platforms import gradescope

        gradescope.hand_over(result, Path(to.gradescope), to.visibility)


def tell_failure(error: GraderError, options: Mapping[str, object]) -> None:
    """Tell the platforms in a command's options that grading was not possible.

    GitHub Classroom gets every reason, for its reporter ends in a crash where there is no result. The others call it
    their own failure where nothing is written, and that is right unless the submission is to blame.
    """
    if options.get("github_classroom"):
        from grader.platforms import github_classroom

        github_classroom.tell_failure(error)
    if isinstance(error, UnreadableSubmission) and options.get("gradescope"):
        from grader.platforms import gradescope

        gradescope.tell_failure(error, Path(str(options["gradescope"])))
