"""Foreign libraries' private members: those in the table, all of them as expected, and no others."""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from picam_webrtc.private_members import PRIVATE_MEMBERS, PrivateMember
from picam_webrtc_test.imports import MODULES, PACKAGE

NAMES = {member.name for member in PRIVATE_MEMBERS}
OURS = ("self", "cls", "super()")
DOCUMENTED = {"_exit"}
"""Of Python's own library: os._exit."""
BY_NAME = ("getattr", "hasattr", "setattr", "delattr")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("_")


def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


def own_names(tree: ast.AST) -> set[str]:
    """What is defined in there: functions, classes, and what is assigned to self."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) in OURS:
            names.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if is_private(name)}


def foreign_names(tree: ast.Module) -> Iterator[str]:
    """Private names that are used on anything but `self`, or on `self` without being defined there."""
    ours = own_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=owner, attr=name) if ast.unparse(owner) not in OURS or name not in ours:
                yield name
            case ast.Call(func=ast.Name(id=function), args=[_, ast.Constant(value=str(name)), *_]):
                if function in BY_NAME:
                    yield name
            case ast.ImportFrom(module=str(module), names=names) if not module.startswith("picam_webrtc"):
                yield from (*module.split("."), *(alias.name for alias in names))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_a_module_uses_no_private_member_but_those_in_the_table(module: Path) -> None:
    used = {name for name in foreign_names(parsed(module)) if is_private(name)}

    assert used - NAMES - DOCUMENTED == set()


def test_the_table_has_nothing_that_is_not_used() -> None:
    used = {name for module in MODULES for name in foreign_names(parsed(module))}
    replaced = {name for module in MODULES for name in own_names(parsed(module))}

    assert NAMES - used - replaced == set()


def own_classes() -> Iterator[type]:
    for path in MODULES:
        if path.name != "__main__.py":
            name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
            module = importlib.import_module(name)
            yield from (one for one in vars(module).values() if isinstance(one, type) and one.__module__ == name)


def source_names(owner: type) -> set[str]:
    """The private names in a class' source, as they are outside of it; none where it is not in Python."""
    try:
        source = inspect.getsource(owner)
    except (OSError, TypeError):
        return set()
    names = own_names(ast.parse(textwrap.dedent(source)))
    return {f"_{owner.__name__.lstrip('_')}{name}" if name.startswith("__") else name for name in names}


def test_a_class_of_ours_takes_no_private_name_of_its_foreign_base_but_those_in_the_table() -> None:
    taken = set()
    for own in own_classes():
        foreign = [
            base for base in own.__mro__ if base is not object and not base.__module__.startswith("picam_webrtc")
        ]
        theirs = {name for base in foreign for name in source_names(base) | set(vars(base))}
        taken |= {f"{own.__name__}.{name}" for name in source_names(own) & theirs if name not in NAMES}

    assert taken == set()


def resolved(owner: str) -> Any:
    """The module or the class of that name."""
    module, _, name = owner.rpartition(".")
    return getattr(importlib.import_module(module), name) if name[:1].isupper() else importlib.import_module(owner)


@pytest.mark.parametrize("member", PRIVATE_MEMBERS, ids=lambda member: f"{member.library} {member.short_name}")
def test_a_member_is_what_it_is_taken_for_in_the_installed_library(member: PrivateMember) -> None:
    if find_spec(member.library) is None:
        pytest.skip(f"{member.library} is not installed: {member.short_name} is not checked")
    owner = resolved(member.owner)
    bases = owner.__mro__ if isinstance(owner, type) else ()

    assert hasattr(owner, member.name) or any(member.name in source_names(base) for base in bases)
    if member.parameters:
        assert tuple(inspect.signature(getattr(owner, member.name)).parameters) == member.parameters
