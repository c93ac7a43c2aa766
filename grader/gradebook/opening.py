"""Opens nbgrader's gradebook by its URL, and says in one line what keeps it from opening."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from grader.errors import GraderError
from grader.gradebook.naming import COURSE

if TYPE_CHECKING:
    from nbgrader.api import Gradebook
    from sqlalchemy.engine import URL

FORMS = "write sqlite:///gradebook.db or postgresql://USER@HOST/DATABASE"
CONNECT_SECONDS = 10
_PACKAGES = {"psycopg": "'psycopg[binary]'", "psycopg2": "psycopg2-binary"}


@contextmanager
def open_gradebook(url: str) -> Iterator[Gradebook]:
    """nbgrader's gradebook at a database URL, made if there is none; a plain path is an SQLite file.

    Raises:
        GraderError: it cannot be opened, or fails while it is in use; the text never holds the password.
    """
    from sqlalchemy.exc import DBAPIError, NoSuchModuleError

    address = _parse(url)
    shown = without_password(_shown(address))
    if address.get_backend_name() == "postgresql" and "connect_timeout" not in address.query:
        address = address.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    if address.drivername == "postgresql" and not find_spec("psycopg") and find_spec("psycopg2"):
        address = address.set(drivername="postgresql+psycopg2")
    try:
        with _scripts_on_path():
            from nbgrader.api import Gradebook

            gradebook = Gradebook(address.render_as_string(hide_password=False), COURSE)
    except ModuleNotFoundError as error:
        package = _PACKAGES.get(error.name or "", error.name)
        raise GraderError(
            f"{shown} needs the package {package}, which is not installed: `{sys.executable} -m pip install {package}`"
        ) from None
    except NoSuchModuleError:
        raise GraderError(
            f"{shown} names a kind of database that is not known ({address.drivername}): {FORMS}"
        ) from None
    except (DBAPIError, ValueError, OSError) as error:
        raise GraderError(_reason(error, address, shown, "cannot be opened")) from None
    try:
        yield gradebook
    except DBAPIError as error:
        raise GraderError(_reason(error, address, shown, "failed")) from None
    finally:
        gradebook.close()


def _parse(url: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if "://" not in url and url:
        url = f"sqlite:///{url}"
    try:
        address = make_url(re.sub("^postgres://", "postgresql://", url))
        _ = address.port
    except (ArgumentError, ValueError):
        raise GraderError(f"{without_password(url)} is no address of a gradebook: {FORMS}") from None
    if "@" in (address.host or ""):
        raise GraderError(f"{without_password(url)}: in a password, write @ as %40, : as %3A and / as %2F")
    if address.get_backend_name() == "sqlite":
        folder = Path(address.database or "").absolute().parent
        if not address.database or address.database == ":memory:":
            raise GraderError(f"{url} names no file, so the grades would be kept nowhere: {FORMS}")
        if not folder.is_dir():
            raise GraderError(f"{url} cannot be opened: there is no folder {folder}")
    return address


def _shown(address: URL) -> str:
    if "password" in address.query:
        address = address.update_query_dict({"password": "hidden"})
    return address.render_as_string(hide_password=True)


def without_password(url: str) -> str:
    """A URL, however broken, as it may be shown."""
    return re.sub(r"(?<=://)([^/@:]*):.*@", r"\1:***@", url)


def _reason(error: Exception, address: URL, shown: str, what: str) -> str:
    said = " ".join(str(getattr(error, "orig", None) or error).split())
    for secret in (address.password, address.query.get("password")):
        if secret:
            said = said.replace(str(secret), "***")
    advice = "is the server running, and does the address name it?" if address.host else "may this file be written?"
    if re.search(r"no such (table|column)|(relation|column) .* does not exist", said):
        advice = "make a copy, and run `nbgrader db upgrade`"
    elif re.search("password|authentication|role .* does not exist", said):
        advice = "check user and password"
    elif re.search("database .* does not exist", said):
        advice = f"make it with `createdb {address.database}`"
    return f"the gradebook {shown} {what} ({said[:300]}): {advice}"


@contextmanager
def _scripts_on_path() -> Iterator[None]:
    """nbgrader calls `alembic` by its name, which a Python that was not activated does not find."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([before, str(Path(sys.executable).parent)])
    try:
        yield
    finally:
        os.environ["PATH"] = before
