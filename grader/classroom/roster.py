"""The list of who is in the class: a CSV file with the columns id, name, email and extension_days."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.errors import GraderError


@dataclass(frozen=True)
class Member:
    """One student. `extension_days` moves the deadline for this one."""

    student: str
    name: str = ""
    email: str = ""
    extension_days: float = 0.0


def read_roster(path: Path) -> dict[str, Member]:
    """Read a roster; only the column id is required. Columns may be in any order, with commas or semicolons between.

    Raises:
        GraderError: it cannot be read, lacks ids, or names a student twice; the text says in which line.
    """
    members: dict[str, Member] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            # Spreadsheets in many countries write semicolons.
            rows = csv.DictReader(file, delimiter=";" if ";" in first and "," not in first else ",")
            rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or []]
            if "id" not in rows.fieldnames:
                raise GraderError(f"the roster {path} needs a first line that names its columns: id,name,email")
            for row in rows:
                student = (row["id"] or "").strip()
                place = f"the roster {path}, line {rows.line_num}"
                if not student:
                    raise GraderError(f"{place}: no id")
                if student in members:
                    raise GraderError(f"{place}: {student!r} for the second time")
                days = _days(row.get("extension_days") or "", place)
                name, email = ((row.get(column) or "").strip() for column in ("name", "email"))
                members[student] = Member(student, name, email, days)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise GraderError(f"the roster {path} cannot be read: {reason}") from None
    return members


def _days(text: str, place: str) -> float:
    try:
        days = float(text.strip() or 0)
    except ValueError:
        days = math.nan
    if not 0 <= days <= 10_000:
        raise GraderError(f"{place}: extension_days should be a number of days")
    return days


def member_of(roster: Mapping[str, Member], student: str, name: str, email: str) -> Member | None:
    """Whose submission this is: by id, else by e-mail, else by a name that only one student has."""
    if student in roster:
        return roster[student]
    ways = ((email.casefold(), "email"), (student.casefold(), "email"), (name.casefold(), "name"))
    for wanted, column in ways:
        found = [member for member in roster.values() if wanted and getattr(member, column).casefold() == wanted]
        if len(found) == 1:
            return found[0]
    return None
