"""Options that several commands have."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


class IsolationChoice(str, Enum):
    """Values of --isolation."""

    auto = "auto"
    sandbox = "sandbox"
    process = "process"


class GpuChoice(str, Enum):
    """Values of --gpu."""

    auto = "auto"
    require = "require"
    off = "off"


ExerciseOption = Annotated[
    list[str] | None,
    typer.Option(
        "-e", "--exercise", metavar="ID", help="Only this exercise: an id, the end of one, or a glob. Repeatable."
    ),
]
TopicOption = Annotated[
    list[str] | None, typer.Option("-t", "--topic", metavar="NAME", help="Only this topic. Repeatable.")
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", help="Seed of the random inputs; the report names the one used.")
]
IsolationOption = Annotated[
    IsolationChoice,
    typer.Option("--isolation", help="How the submission is kept apart; auto takes the strongest there is."),
]
DiagnosisOption = Annotated[
    bool, typer.Option("--diagnosis/--no-diagnosis", help="Say which known mistake a failing answer behaves like.")
]
GpuOption = Annotated[
    GpuChoice,
    typer.Option("--gpu", help="auto: GPU tests run where there is CUDA; require: fail without it; off: never."),
]


class VisibilityChoice(str, Enum):
    """Values of --visibility."""

    visible = "visible"
    after_due_date = "after_due_date"
    after_published = "after_published"
    hidden = "hidden"
