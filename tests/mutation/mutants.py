"""Small faults that a programmer could make, one at a time, in the text of a module."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""A comparison, and what replaces it: the same with or without its boundary, and the opposite."""

OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
"""An operator and its opposite; ``&`` and ``|`` are the and and the or of columns."""

GUARD_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
"""How the body of a guard ends."""


@dataclass(frozen=True)
class Mutant:
    """One fault: its name, which is unique in its module, and the whole text of the module with it."""

    name: str
    text: str


def generated(source: str) -> list[Mutant]:
    """Every fault of the kinds above in the functions of a module, in the order of the text.

    A name consists of the function, its line and the code before and after, so changes elsewhere do not alter it.
    """
    mutants: list[Mutant] = []
    times: Counter[str] = Counter()
    for function, node in _code_of_functions(ast.parse(source)):
        for replacement in _faults(node):
            name = f"{function}: {_first_line(node)} -> {_first_line(replacement)}"
            if isinstance(node, ast.Constant):
                name += f" in: {source.splitlines()[node.lineno - 1].strip()}"
            times[name] += 1
            if times[name] > 1:
                name += f" #{times[name]}"
            mutants.append(Mutant(name, _with_replacement(source, node, replacement)))
    return mutants


def written(source: str, name: str, old: str, new: str) -> Mutant:
    """A fault that is given as text. Raises ValueError unless ``old`` stands in the module exactly once."""
    found = source.count(old)
    if found != 1:
        raise ValueError(f"the mutant '{name}' no longer applies: its text stands in the module {found} times")
    text = source.replace(old, new)
    ast.parse(text)
    return Mutant(name, text)


def _code_of_functions(node: ast.AST, name: str = "", inside: bool = False) -> Iterator[tuple[str, ast.AST]]:
    """The statements and expressions inside functions, each with the name of its function."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        name = f"{name}.{node.name}".removeprefix(".")
        inside = inside or isinstance(node, ast.FunctionDef)
    for field, value in ast.iter_fields(node):
        # Annotations do not run. In Python 3.11 the parts of an f-string have no true position.
        if field in ("annotation", "returns") or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            if inside:
                yield name, child
            yield from _code_of_functions(child, name, inside)


def _faults(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """What may replace a node."""
    match node:
        case ast.Compare(left, [operator], comparators):
            for other in COMPARISONS[type(operator)]:
                yield ast.Compare(left, [other()], comparators)
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(ast.And() if isinstance(operator, ast.Or) else ast.Or(), values)
        case ast.UnaryOp(ast.Not() | ast.Invert(), operand):
            yield operand
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.Constant(int(value)) if not isinstance(value, bool):
            yield ast.Constant(value + 1)
        case ast.If(body=[*_, last], orelse=[]) if isinstance(last, GUARD_ENDS):
            yield ast.Pass()


def _with_replacement(source: str, node: ast.AST, replacement: ast.expr | ast.stmt) -> str:
    """The text of the module with a node replaced. The columns of a node count bytes."""
    whole = source.encode()
    lines = whole.splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    text = ast.unparse(replacement)
    if isinstance(replacement, ast.expr):
        text = f"({text})"
    return (whole[:start] + text.encode() + whole[end:]).decode()


def _first_line(node: ast.AST) -> str:
    return ast.unparse(node).split("\n")[0]
