"""Says what a test had called when it stopped: the call as the learner would write it, and what went in."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import re
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import numpy as np
import torch

from grader.comparing import element, named, short
from grader.course import Exercise

MOST_INPUTS = 5
INPUT_CHARACTERS = 160


def describe_call(
    error: BaseException, suite: str, exercise: Exercise, probe: Callable[..., Any] | None
) -> tuple[str | None, dict[str, str]]:
    """The call that a test was about, and short prints of its inputs by name.

    The call is the one that the message names in backticks, else the one in the probe. Its names are looked up where
    the test stopped, so that of many cases the inputs shown are those of the one that went wrong.

    Args:
        error: what stopped the test. Its message is the test's own, so it may be parsed.
        suite: path of the suite's file, whose frames of the traceback are the test's.
        probe: what was observed last.
    """
    scopes = [*_locals_in(error.__traceback__, suite), _closure(probe)]
    written = _call_in(str(error), exercise)
    if written and (inputs := _inputs(written, scopes)):
        return ast.unparse(written), inputs
    inner = _call_in_probe(probe, exercise)
    call = written or inner
    inputs = _inputs(inner, scopes) if inner else {}
    return (ast.unparse(call) if call else None), inputs or _data_of(_closure(probe))


def _locals_in(traceback: TracebackType | None, suite: str) -> list[dict[str, Any]]:
    """The local variables of the test's frames, innermost first."""
    found = []
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == suite:
            found.append(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next
    return found[::-1]


def _closure(probe: Callable[..., Any] | None) -> dict[str, Any]:
    """What a probe closes over, and what functions that it closes over do."""
    found: dict[str, Any] = {}
    waiting: list[Any] = [probe]
    while waiting and len(found) < 50:
        function = waiting.pop()
        if not inspect.isfunction(function):
            continue
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:
                continue
            if name not in found:
                found[name] = value
                waiting.append(value)
    return found


def _call_in(message: str, exercise: Exercise) -> ast.Call | None:
    """The first call of the exercise's functions that a message has in backticks."""
    for code in re.findall(r"`([^`]+)`", message):
        try:
            tree = ast.parse(code, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in exercise.defines:
                return node
    return None


def _call_in_probe(probe: Callable[..., Any] | None, exercise: Exercise) -> ast.Call | None:
    """The first call of the exercise's functions in a probe's source, `m.` taken off."""
    for function in (probe, *_closure(probe).values()):
        if not inspect.isfunction(function):
            continue
        code = function.__code__
        for node in _functions(code.co_filename).get(code.co_firstlineno, ()):
            for inner in ast.walk(node):
                if (
                    isinstance(inner, ast.Call)
                    and isinstance(inner.func, ast.Attribute)
                    and isinstance(inner.func.value, ast.Name)
                    and inner.func.attr in exercise.defines
                ):
                    name = ast.Name(inner.func.attr, ast.Load())
                    return ast.Call(name, inner.args, inner.keywords)
    return None


@functools.cache
def _functions(filename: str) -> dict[int, list[ast.AST]]:
    """The functions and lambdas of a suite by their first line."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return {}
    found: dict[int, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            found.setdefault(node.lineno, []).append(node)
    return found


def _inputs(call: ast.Call, scopes: list[dict[str, Any]]) -> dict[str, str]:
    names = (node.id for argument in _arguments(call) for node in ast.walk(argument) if isinstance(node, ast.Name))
    values = {}
    for name in names:
        found = next((scope[name] for scope in scopes if name in scope), None)
        if found is not None:
            values[name] = found
    return _data_of(values)


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    for keyword in call.keywords:
        yield keyword.value


def _data_of(values: dict[str, Any]) -> dict[str, str]:
    shown = {name: describe_input(value) for name, value in values.items()}
    return dict([(name, text) for name, text in shown.items() if text][:MOST_INPUTS])


def describe_input(value: Any) -> str | None:
    """A short print of something that went into a call, on one line; None for what is no input (a module, a class)."""
    if (
        inspect.ismodule(value)
        or isinstance(value, type)
        or (callable(value) and not isinstance(value, torch.nn.Module))
    ):
        return None
    if isinstance(value, torch.Tensor):
        return _describe_tensor(value)
    if isinstance(value, np.ndarray):
        start = f"array {value.shape}, {value.dtype}"
        text = _cut(f"{start}: {_nested(value.tolist())}" if value.size <= 4096 else start)
        return text
    if isinstance(value, torch.nn.Module):
        return _cut(repr(value))
    if isinstance(value, dict):
        items = [f"{short(key, 30)}: {describe_input(item)}" for key, item in list(value.items())[:3]]
        return _cut("{" + ", ".join(items) + (", ..." if len(value) > 3 else "") + "}")
    if isinstance(value, (list, tuple)):
        if all(isinstance(item, (bool, int, float, str, type(None))) for item in value):
            return _cut(short(value, INPUT_CHARACTERS))
        texts = [describe_input(item) or named(item) for item in value[:3]]
        return _cut(
            f"{type(value).__name__} of {len(value)}: " + "; ".join(texts) + ("; ..." if len(value) > 3 else "")
        )
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, (bool, int, float, complex, str, torch.dtype, torch.device)):
        return _cut(repr(value))
    shape = getattr(value, "shape", None)
    return f"{named(value)} of shape {tuple(shape)}" if isinstance(shape, tuple) else named(value)


def _describe_tensor(value: torch.Tensor) -> str:
    extras = [str(value.dtype).removeprefix("torch.")]
    if value.device.type != "cpu":
        extras.append(value.device.type)
    if value.layout is torch.strided and not value.is_contiguous():
        extras.append(f"stride {tuple(value.stride())}")
    if value.requires_grad:
        extras.append("requires_grad")
    start = f"tensor {tuple(value.shape)}, {', '.join(extras)}"
    if value.device.type == "meta" or value.layout is not torch.strided or not value.numel():
        return start
    # The corner is all that is printed.
    corner = value.detach()
    for dim in range(value.ndim):
        corner = corner.narrow(dim, 0, min(4, corner.shape[dim]))
    return _cut(f"{start}: {_nested(corner.cpu().tolist(), tuple(value.shape))}")


def _nested(values: Any, shape: tuple[int, ...] = ()) -> str:
    """Numbers in brackets, three of each dimension; `shape` is the whole tensor's, of which `values` is a corner."""
    if not isinstance(values, list):
        return element(values)
    size = shape[0] if shape else len(values)
    items = [_nested(item, shape[1:]) for item in values[:3]]
    return "[" + ", ".join(items) + (", ..." if size > 3 else "") + "]"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= INPUT_CHARACTERS else text[: INPUT_CHARACTERS - 3] + "..."
