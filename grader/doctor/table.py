"""Shows what an examination found."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from grader.doctor.examination import Examination
from grader.reports.terminal import console
from grader.reports.wording import plain


def show(found: Examination) -> None:
    """Print versions, protections and what is to be done."""
    screen = console()
    screen.print(Text(", ".join(f"{name} {version}" for name, version in found.versions.items()), style="dim"))
    screen.print()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Protection", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("Tried to")
    for protection in found.protections:
        state = Text("holds", "green") if protection.holds else Text("FAILS", "bold red")
        tried = f"{protection.tried}: {protection.note}" if protection.note else protection.tried
        table.add_row(protection.name, state, plain(tried))
    screen.print(table)
    screen.print()
    failed = [protection.name for protection in found.protections if not protection.holds]
    verdict = f"{len(failed)} of {len(found.protections)} protections do not hold."
    if found.all_hold:
        verdict = f"all {len(found.protections)} protections hold. Any submission may be graded here."
    screen.print(Text(f"Isolation {found.level}: {verdict}", "bold green" if found.all_hold else "bold red"))
    for line in found.advice:
        screen.print(Text(f"  {plain(line)}"))
