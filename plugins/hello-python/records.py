"""hello-crm's records as rows, its JSON as values, and back."""

from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from wit_world.imports import data

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def micros(text: Optional[str]) -> Optional[int]:
    """A moment. Never through a float, which would round it."""
    return None if text is None else (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def moment(micros: int) -> str:
    return (EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def value_of(field: str, stored: Any) -> data.Value:
    if stored is None:
        return data.Value_Null()
    # The only reference there is, and in JSON a mere id.
    if field == "organisation":
        return data.Value_Reference(data.Reference("organisation", stored))
    if isinstance(stored, int):
        return data.Value_Integer(stored)
    if isinstance(stored, str):
        return data.Value_Text(stored)
    if isinstance(stored, list) and all(isinstance(text, str) for text in stored):
        return data.Value_Texts(stored)
    # Never null: that would clear the field on the other side.
    return data.Value_Unreadable(f"{stored!r} is neither a number, a text nor a list of texts")


def json_of(value: data.Value) -> Any:
    match value:
        case data.Value_Null():
            return None
        case data.Value_Reference(reference):
            return reference.id
        case data.Value_Date(day):
            return f"{day.year:04}-{day.month:02}-{day.day:02}"
        case data.Value_Timestamp(at):
            return moment(at)
        case data.Value_References(references):
            return [reference.id for reference in references]
        case data.Value_Other(other):
            return other.text
        case _:
            return value.value


def row_of(record: dict, fields: list[str]) -> data.Row:
    stored, changed = record["fields"], record["changed"]
    return data.Row(
        record["id"],
        micros(record["updated_at"]),
        str(record["version"]),
        # What is not told differs from what is empty.
        [value_of(name, stored[name]) if name in stored else data.Value_Unset() for name in fields],
        [micros(changed.get(name)) for name in fields],
        [],
    )
