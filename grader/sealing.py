"""Seals the hidden files into one encrypted file, and opens it into memory; knows where its key comes from.

A sealed file is a line that names the format, a line of JSON, and the files as an encrypted zip (AES-GCM). The two
lines are authenticated with it: they name the key, without telling it, and the catalogue that belongs to the files.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import os
import secrets
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from grader.errors import SealError

KEY_VARIABLE = "GRADER_KEY"
KEY_BYTES, NONCE_BYTES = 32, 12
FORMAT = b"grader/sealed/v1"
EPOCH = (1980, 1, 1, 0, 0, 0)  # as far back as a zip can tell: equal files give equal archives
_PR_SET_DUMPABLE = 4


def new_key() -> str:
    """A key as people pass it on: 43 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")


def key_bytes(key: str) -> bytes:
    """The 32 bytes of a key.

    Raises:
        SealError: the text is no key.
    """
    text = key.strip()
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != KEY_BYTES:
        raise SealError(
            f"{KEY_VARIABLE} is no key: a key is 43 letters, digits, - and _, as `build student` printed it; "
            f"this one has {len(text)} characters"
        )
    return found


def take_key() -> str | None:
    """The key in this process's environment, which then holds it no longer; None if there is none.

    What the kernel shows of the environment to others (/proc/PID/environ) is blanked too. The environment of the
    processes that started this one is theirs: there the key stays.
    """
    if sys.platform == "linux" and os.environ.get(KEY_VARIABLE):
        import ctypes

        libc = ctypes.CDLL(None)
        libc.getenv.restype = ctypes.c_void_p
        place = libc.getenv(KEY_VARIABLE.encode())
        if place:
            ctypes.memset(place, ord("x"), len(ctypes.string_at(place)))
    return _popped(os.environ.pop(KEY_VARIABLE, None))


def _popped(key: str | None) -> str | None:
    # Continuous integration sets a secret that is not there as the empty text.
    return key.strip() or None if key else None


def keep_memory_private() -> None:
    """Keep other processes of this user from reading this one's memory, and a crash from writing it to disk."""
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def seal(files: Mapping[str, bytes], catalogue: bytes, key: str) -> bytes:
    """Encrypt `files` (path: content) so that only `key` opens them, and only beside this catalogue.

    Raises:
        SealError: `key` is no key.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    secret = key_bytes(key)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name in sorted(files):
            packed.writestr(zipfile.ZipInfo(name, EPOCH), files[name], zipfile.ZIP_DEFLATED)
    described = {"key": _key_id(secret), "catalogue": _digest(catalogue)}
    head = FORMAT + b"\n" + json.dumps(described).encode() + b"\n"
    nonce = secrets.token_bytes(NONCE_BYTES)
    return head + nonce + AESGCM(secret).encrypt(nonce, archive.getvalue(), head)


def unseal(path: Path, catalogue: Path, key: str) -> dict[str, bytes]:
    """The files that `seal` put into the file at `path`: path and content of each. Nothing is written anywhere.

    Args:
        catalogue: the course's catalogue.json, which has to be the one of the same build.

    Raises:
        SealError: the key is no key or another one, the file is damaged or of another version or build.
    """
    secret = key_bytes(key)
    name = f"{path.parent.name}/{path.name}"
    try:
        first, second, rest = path.read_bytes().split(b"\n", 2)
        described = json.loads(second)
        named, belongs_to = described["key"], described["catalogue"]
    except (ValueError, KeyError, TypeError):
        raise SealError(f"{name} is damaged: restore it (`git checkout -- {name}`)") from None
    if first != FORMAT:
        raise SealError(f"{name} is of another version of the grader: take grader/ and {name} from the same build")
    if named != _key_id(secret):
        raise SealError(f"{KEY_VARIABLE} does not open {name}: it is the key of another build")
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise SealError("cryptography is not installed, and the hidden tests are sealed: run `make setup`") from None
    head = first + b"\n" + second + b"\n"
    try:
        opened = AESGCM(secret).decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], head)
    except (InvalidTag, ValueError):
        raise SealError(f"{name} is damaged: restore it (`git checkout -- {name}`)") from None
    if belongs_to != _digest(catalogue.read_bytes()):
        raise SealError(
            f"exercises/catalogue.json and {name} are of different builds: take both from the same student version"
        )
    with zipfile.ZipFile(io.BytesIO(opened)) as packed:
        return {entry: packed.read(entry) for entry in packed.namelist()}


def _key_id(secret: bytes) -> str:
    return hashlib.sha256(b"grader key\n" + secret).hexdigest()[:16]


def _digest(catalogue: bytes) -> str:
    """Of what the catalogue says, however its lines end."""
    try:
        text = json.dumps(json.loads(catalogue), sort_keys=True)
    except ValueError:
        return ""
    return hashlib.sha256(text.encode()).hexdigest()
