"""What can keep the grader from grading. Each text is one line: what, where, and what to do."""

from __future__ import annotations


class GraderError(Exception):
    """Grading is not possible; the command line shows the text and exits with status 2.

    A text may quote a path or what is in a file: what is not printable in it is shown as Python writes it, `\\n`.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


class CourseError(GraderError):
    """The course's own files are wrong; the text says where and what."""


class SealError(GraderError):
    """The sealed hidden files cannot be opened; the text says whether the key or the file is to blame."""


class MissingData(GraderError):
    """A file of data/ that the lessons read is not there; the text names it and says how to get it back."""


class UnknownExercise(GraderError):
    """A name fits no exercise, or more than one; the text says so and suggests what was meant."""


class UnreadableSubmission(GraderError):
    """There is nothing here that can be graded; the text says what is wrong and what to do."""


class NoIsolation(GraderError):
    """The isolation that was asked for is not to be had here; the text says why and what to do."""


class NoGpu(GraderError):
    """A GPU was required, and there is none."""


class GraderFailed(GraderError):
    """The grader's own helper process ended: not the submission's doing, nor its score."""
