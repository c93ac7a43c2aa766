"""`python -m grader`."""

import sys

try:
    from grader.cli import main
except ModuleNotFoundError as error:
    # The usual first mistake: another Python than the one that set-up installed into.
    if (error.name or "grader").split(".")[0] == "grader":
        raise
    print(
        f"grader: this Python ({sys.executable}) lacks {error.name}: run `make setup` once, then use "
        "`.venv/bin/python -m grader`",
        file=sys.stderr,
    )
    sys.exit(2)

main()
