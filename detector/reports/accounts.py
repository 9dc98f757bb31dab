"""The accounting of a day in words: what became of the records that a source holds of it."""

from __future__ import annotations

from collections.abc import Iterator

from detector.boundary.words import counted
from detector.model.usage import MISSING_FILE, Accounting, Fault

_BECAME = {
    "unusable": "Left out",
    "keyless": "Left out, without a key",
    "repeated": "Left out, counted already",
    "note": "With a defect",
}


def sentence(accounting: Accounting) -> str:
    """The whole accounting on one line: ``12 records read: 10 counted, 2 unusable``."""
    read = f"{counted(accounting.read, 'record')} read"
    if accounting.counted == accounting.read:
        return f"{read}, all counted" if accounting.read else "no record read"
    amounts = {
        "without a key": accounting.keyless,
        "repeated": accounting.repeated,
        "unusable": accounting.unusable_records,
    }
    left_out = [f"{records:,} {words}" for words, records in amounts.items() if records]
    return f"{read}: {', '.join([f'{accounting.counted:,} counted', *left_out])}"


def rows(accounting: Accounting) -> Iterator[tuple[str, str]]:
    """The accounting as a table: what became of the records with their size, and their number."""
    yield "counted", f"{accounting.counted:,}"
    if accounting.keyless:
        yield "without a key", f"{accounting.keyless:,}"
    if accounting.repeated:
        yield "repeated", f"{accounting.repeated:,}"
    most_first = sorted(accounting.unusable.items(), key=lambda item: (-item[1].records, item[0]))
    for reason, amount in most_first:
        size = f", {counted(amount.bytes, 'byte')}" if amount.bytes else ""
        yield f"unusable: {reason}{size}", f"{amount.records:,}"


def became(fault: Fault) -> str:
    """What became of the records that a fault is about."""
    return "Not found" if fault.reason.startswith(MISSING_FILE) else _BECAME[fault.kind]
