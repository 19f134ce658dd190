"""Device models and custom fields: what is true of all devices of a model, and what a district adds."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from attrs import evolve

from assetflow.errors import InvalidValue
from assetflow.model import (
    CustomField,
    CustomType,
    CustomValue,
    Device,
    DeviceModel,
    F,
    Money,
    Query,
)
from assetflow.model.events import CustomFieldDeclared, DeviceModelChanged
from assetflow.model.ids import ModelId
from assetflow.rules.derived import fold_name, with_model
from assetflow.store.ports import Entry, Put
from assetflow.workflows.edits import changed_fields, next_version, with_changes
from assetflow.workflows.given import line, word
from assetflow.workflows.naming import lock_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from assetflow.store.ports import ReadTransaction, Transaction
    from assetflow.workflows.acting import Act

__all__ = [
    "MODEL_FIELDS",
    "custom_value",
    "declare_field",
    "field_entry",
    "find_model",
    "model_entry",
    "new_model",
    "upsert_model",
    "with_custom",
]

MODEL_FIELDS = frozenset(
    {
        "manufacturer",
        "category",
        "auto_update_ends",
        "auto_update_ends_extended",
        "replacement_cost",
        "life_months",
    }
)
"""Fields of a model that may be set; its name is what it is found by."""

_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


# --- models --------------------------------------------------------------------------------


def new_model(
    act: Act, name: str, *, manufacturer: str | None = None, category: str | None = None
) -> DeviceModel:
    """A model that is not stored yet.

    Raises:
        InvalidValue: a name without a letter or digit.
    """
    shown = " ".join(name.split())
    if not shown:
        raise InvalidValue("a device model needs a name")
    return DeviceModel(
        id=ModelId(act.new_id()),
        name=shown,
        name_key=fold_name(shown),
        manufacturer=manufacturer,
        category=category,
    )


def model_entry(
    act: Act,
    after: DeviceModel,
    *,
    before: DeviceModel | None = None,
    devices: Iterable[Device] = (),
    source: str | None = None,
) -> Entry | None:
    """The entry that adds or changes a model; ``None`` when nothing differs.

    Args:
        act: Who, when and why.
        after: The model as it is to be.
        before: The model as it was read; ``None`` adds it.
        devices: Its devices, when its name or maker changes: they show both.
        source: The source or file that says so.
    """
    if before is not None:
        if not changed_fields(before, after):
            return None
        after = next_version(before, after)
    puts = [Put(after, before)]
    for device in devices:
        shown = with_model(device, after)
        if shown != device:
            puts.append(Put(next_version(device, shown), device))
    event = DeviceModelChanged(source=source)
    return Entry(event=event, subject_id=after.id, stamp=act.stamp(), puts=tuple(puts))


def find_model(tx: ReadTransaction, name: str) -> DeviceModel | None:
    """The model of that name, letter case and spaces aside."""
    query = Query(kind=DeviceModel, where=F.name_key == fold_name(name), limit=1)
    return next(iter(tx.find(query)), None)


def upsert_model(
    tx: Transaction, act: Act, name: str, *, changes: Mapping[str, Any] | None = None
) -> DeviceModel:
    """Add a model, or set fields of the one that has this name.

    Args:
        tx: Where to write.
        act: Who, when and why.
        name: The model's name.
        changes: Fields to set, of [`MODEL_FIELDS`][assetflow.workflows.models.MODEL_FIELDS];
            ``None`` empties one.

    Returns:
        The model as it is now.

    Raises:
        InvalidValue: no name, or a field that may not be set.
    """
    name = line(name, "a model's name", longest=200)
    lock_names(tx)
    before = find_model(tx, name)
    base = before or new_model(act, name)
    after = with_changes(base, changes or {}, MODEL_FIELDS)
    shows: Iterable[Device] = ()
    if before is not None and after.manufacturer != before.manufacturer:
        shows = tx.find(Query(kind=Device, where=F.model_id == before.id))
    entry = model_entry(act, after, before=before, devices=shows)
    if entry is None:
        return after
    tx.record([entry])
    return entry.puts[0].after  # type: ignore[return-value]  # the model


# --- custom fields -------------------------------------------------------------------------


def field_entry(act: Act, after: CustomField, *, before: CustomField | None = None) -> Entry | None:
    """The entry that declares or changes a custom field; ``None`` when nothing differs.

    Raises:
        InvalidValue: a name that is no name, choices for what is not text, or another type than
            the field has: values of the old type would no longer fit.
    """
    if not _FIELD_NAME.fullmatch(after.name):
        raise InvalidValue(
            "a custom field's name is 1 to 63 lower-case letters, digits and underscores",
            hint="Such as charger_type; the label may read as it likes.",
        )
    if after.choices and after.type is not CustomType.TEXT:
        raise InvalidValue("only a text field has choices")
    if before is not None:
        if before.type is not after.type:
            raise InvalidValue(
                f"the custom field {after.name} holds {before.type.value}, which cannot be changed",
                hint="Declare another field.",
            )
        if not changed_fields(before, after):
            return None
        after = next_version(before, after)
    event = CustomFieldDeclared()
    return Entry(event=event, subject_id=after.name, stamp=act.stamp(), puts=(Put(after, before),))


def declare_field(
    tx: Transaction,
    act: Act,
    name: str,
    holds: CustomType | str,
    *,
    label: str | None = None,
    choices: tuple[str, ...] = (),
) -> CustomField:
    """Declare a custom field for devices, or change its label and choices.

    Raises:
        InvalidValue: as [`field_entry`][assetflow.workflows.models.field_entry].
    """
    kind = word(CustomType, holds, "what a custom field holds") or CustomType.TEXT
    before = tx.get(CustomField, name)
    after = CustomField(name=name, type=kind, label=label, choices=choices)
    entry = field_entry(act, after, before=before)
    if entry is None:
        return before or after
    tx.record([entry])
    return entry.puts[0].after  # type: ignore[return-value]  # the field


def custom_value(declared: CustomField, value: object, *, currency: str = "USD") -> CustomValue:
    """A value of a declared field in its canonical text form.

    Args:
        declared: The field.
        value: Text, a whole number, a day, a flag or money, as the field holds; or any of them
            in canonical text already.
        currency: The district's currency.

    Raises:
        InvalidValue: a value that the field does not hold.
    """
    text = _canonical(declared.type, value, currency)
    if text is None:
        raise InvalidValue(f"the custom field {declared.name} holds {declared.type.value}")
    if declared.choices and text not in declared.choices:
        raise InvalidValue(
            f"the custom field {declared.name} has no such choice",
            hint=f"Choices: {', '.join(declared.choices)}.",
        )
    return CustomValue(declared.name, text)


def _canonical(holds: CustomType, value: object, currency: str) -> str | None:
    match holds, value:
        case CustomType.TEXT, str() if value.strip():
            return value.strip()
        case CustomType.FLAG, bool():
            return "true" if value else "false"
        case CustomType.FLAG, "true" | "false":
            return str(value)
        case CustomType.INTEGER, int() if not isinstance(value, bool):
            return str(value)
        case CustomType.INTEGER, str() if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", value):
            return value
        case CustomType.DATE, date() if not isinstance(value, datetime):
            return value.isoformat()
        case CustomType.DATE, str() if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            return _day(value)
        case CustomType.MONEY, Money(currency=have) if have == currency:
            return str(value.amount)
        case CustomType.MONEY, str():
            return str(Money.parse(value, currency).amount)
        case _:
            return None


def _day(text: str) -> str | None:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def with_custom(device: Device, values: Mapping[str, CustomValue | None]) -> Device:
    """The device with some custom values set; ``None`` empties one."""
    kept = {v.name: v for v in device.custom}
    for name, value in values.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    return evolve(device, custom=tuple(kept[name] for name in sorted(kept)))
