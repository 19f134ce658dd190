"""A district's settings as values: what contradicts from district to district is data here.

A policy is written as TOML and read strictly: an unknown key, a wrong type and a value outside
what is allowed are refused with the key, its line and what is allowed there.
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, ClassVar, Self

from attrs import field, frozen

from assetflow.model.devices import Condition, Lifecycle
from assetflow.model.fields import Journalled, Record, quiet
from assetflow.model.strict_toml import (
    Flag,
    Kind,
    Spots,
    Whole,
    Words,
    kind_of,
    parse,
    quoted,
    written,
)

__all__ = [
    "AUTHORITY_FIELDS",
    "HOLD_KINDS",
    "OVERRIDABLE_RULES",
    "AdoptedPolicy",
    "Authority",
    "CustodyPolicy",
    "DistrictPolicy",
    "PolicyKey",
    "PullPolicy",
    "RetentionPolicy",
    "policy_keys",
]

HOLD_KINDS: tuple[str, ...] = ("agreement", "balance", "coverage", "manual", "overdue")
"""Kinds of hold that a policy may block on."""

OVERRIDABLE_RULES: tuple[str, ...] = (
    "custody.condition",
    "custody.holds",
    "custody.loan-days",
    "custody.max-devices",
)
"""Rules that a policy may let people override. The rest protect the record itself."""

CHECK_OUT_FROM: tuple[Lifecycle, ...] = (Lifecycle.IN_STOCK, Lifecycle.RECEIVED)
"""Lifecycles from which a policy may let a device go out."""

_AUTHORITY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "serial": ("google", "jamf", "apple", "intune"),
        "model_id": ("google", "jamf", "apple", "intune"),
        "management": ("google", "jamf", "intune", "mosyle"),
        "auto_update_ends": ("google",),
        "auto_update_ends_extended": ("google",),
        "extended_updates": ("google",),
        "asset_tag": (),
        "site_id": (),
    }
)

AUTHORITY_FIELDS: tuple[str, ...] = tuple(_AUTHORITY)
"""Fields of a device that a source may claim something about."""


@frozen(kw_only=True)
class CustodyPolicy:
    """Who may be handed what. Section ``[custody]``."""

    max_devices: int = 2
    """How many devices a person may have at once."""
    blocking_holds: tuple[str, ...] = ("agreement", "manual")
    """Kinds of hold that stop a check-out."""
    conditions: tuple[Condition, ...] = (
        Condition.NEW,
        Condition.GOOD,
        Condition.FAIR,
        Condition.UNKNOWN,
    )
    """Conditions in which a device may go out."""
    check_out_from: tuple[Lifecycle, ...] = (Lifecycle.IN_STOCK,)
    """Lifecycles from which a device may go out."""
    may_override: tuple[str, ...] = ("custody.holds", "custody.max-devices", "custody.condition")
    """Rules that may be overridden with a reason."""
    max_loan_days: int = 365
    """Longest loan, in calendar days."""


@frozen(kw_only=True)
class PullPolicy:
    """How far a pull may go on its own. Section ``[pull]``."""

    max_change_percent: int = 10
    """A run that would change more of the known records than this stops."""
    max_absent_percent: int = 3
    """A run that would mark more of the known records absent than this stops."""
    max_new_percent: int = 50
    """A run that would bring more new records than this, against the known ones, stops."""
    guard_floor: int = 25
    """Up to so many changes pass whatever the percentage."""
    max_problem_percent: int = 5
    """A run in which more of the records cannot be read than this stops."""
    create_devices: bool = True
    """Whether a record that matches nothing becomes a device; else it waits for a person."""
    kept_runs: int = 30
    """Of how many runs of a source it is kept what each did with each record; what still waits for a person stays."""


@frozen(kw_only=True)
class RetentionPolicy:
    """How long what names a person is kept. Section ``[retention]``.

    A district that collects data of children under 13 online needs a written retention policy
    and may not keep it for ever (16 CFR 312.10). 0 sets no limit.
    """

    people_years: int = 0
    """Years after leaving at which a person falls due for erasure; 0 for no limit (16 CFR 312.10)."""
    notes_years: int = 0
    """Years after which a note is removed; 0 for no limit."""
    runs_days: int = 0
    """Days after its end at which the record of a pull or an import is removed; 0 for no limit."""
    keys_days: int = 0
    """Days after which an idempotency key and its answer are removed; 0 for no limit."""
    ecf_years: int = 10
    """Years for which ECF wants to know who had a device (47 CFR 54.1715)."""
    e_rate_years: int = 10
    """Years for which E-Rate wants the record of a device (47 CFR 54.516)."""
    seal_ecf_names: bool = True
    """Whether the name that ECF demands is kept, sealed, when a person is erased."""
    erase_while_holding: bool = False
    """Whether a person may be erased while they answer for a device."""


@frozen(kw_only=True)
class Authority:
    """Whose word counts for a field of a device. Section ``[authority]``.

    A source not named for a field does not change it: when it differs, that is a disagreement.
    ``district`` is the people and files of the district itself, and always has a word.
    """

    fields: Mapping[str, tuple[str, ...]] = _AUTHORITY
    """For each field, the sources that may overwrite what the district holds. A source may always
    fill in a field that is empty."""

    def __reduce__(self) -> tuple[object, ...]:  # a read-only mapping cannot be pickled
        return (_authority, (dict(self.fields),))


@frozen(kw_only=True)
class DistrictPolicy:
    """All settings of a district."""

    custody: CustodyPolicy = CustodyPolicy()
    """Section ``[custody]``."""
    pull: PullPolicy = PullPolicy()
    """Section ``[pull]``."""
    retention: RetentionPolicy = RetentionPolicy()
    """Section ``[retention]``."""
    authority: Authority = Authority()
    """Section ``[authority]``."""
    sites: Mapping[str, str] = field(factory=lambda: MappingProxyType({}))
    """Section ``[sites]``: org unit path to the code of the site that it stands for; the longest path wins."""

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a policy. A key that is not there has its default.

        Args:
            text: The file's text.

        Raises:
            PolicyError: not TOML, an unknown key, a wrong type or a value that is not allowed.
                The context has ``key`` and ``line``; the hint says what is allowed.
        """
        tables = parse(text)
        at = Spots.of(text)
        at.known((), tables, (*_SECTIONS, "authority", "sites"))
        read: dict[str, Any] = {}
        for name, table in tables.items():
            if not isinstance(table, dict):
                at.refuse((name,), "is a section, not a value", f"keys under [{name}]")
            if name in _SECTIONS:
                read[name] = _section(at, name, table)
            elif name == "authority":
                at.known((name,), table, AUTHORITY_FIELDS)
                given = {k: _SOURCES.read(at, (name, k), v) for k, v in table.items()}
                read[name] = Authority(fields=MappingProxyType({**_AUTHORITY, **given}))
            else:
                read[name] = MappingProxyType(dict(_sites(at, table)))
        return cls(**read)

    def to_toml(self, *, comments: bool = False) -> str:
        """The policy in its canonical form: every key, sections and keys in the order of this page.

        Args:
            comments: Say above each key what it means and what is allowed; a start for people.
        """
        lines: list[str] = []
        section = ""
        for key in policy_keys():
            name, _, last = key.path.partition(".")
            if name != section:
                lines += ["", f"[{name}]"] if lines else [f"[{name}]"]
                section = name
                if comments and name in _HEADS:
                    lines += [f"# {line}" for line in _HEADS[name]]
            if name == "sites":
                lines += [f"{quoted(p)} = {quoted(self.sites[p])}" for p in sorted(self.sites)]
                continue
            if comments and name in _SECTIONS:
                lines += [f"# {key.meaning}", f"# Allowed: {key.allowed}."]
            holder = self.authority.fields if name == "authority" else getattr(self, name)
            value = holder.get(last, ()) if name == "authority" else getattr(holder, last)
            lines.append(f"{last} = {written(value)}")
        return "\n".join(lines) + "\n"

    def __reduce__(self) -> tuple[object, ...]:  # a read-only mapping cannot be pickled
        return (
            _policy,
            (self.custody, self.pull, self.retention, self.authority, dict(self.sites)),
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form, hexadecimal: equal for two texts that mean the same."""
        return sha256(self.to_toml().encode()).hexdigest()


def _authority(fields: dict[str, tuple[str, ...]]) -> Authority:
    return Authority(fields=MappingProxyType(fields))


def _policy(
    custody: CustodyPolicy,
    pull: PullPolicy,
    retention: RetentionPolicy,
    authority: Authority,
    sites: dict[str, str],
) -> DistrictPolicy:
    return DistrictPolicy(
        custody=custody,
        pull=pull,
        retention=retention,
        authority=authority,
        sites=MappingProxyType(sites),
    )


@frozen(kw_only=True, field_transformer=quiet)
class AdoptedPolicy(Record):
    """The policy that holds in the district, as its people wrote it."""

    KIND: ClassVar[str] = "policy"

    id: Journalled[str] = "policy"
    """Always ``policy``: there is one."""
    text: Journalled[str]
    """The TOML text."""
    digest: Journalled[str]
    """SHA-256 of the canonical form, hexadecimal, as the event has it."""
    version: Journalled[int] = 1
    """Grows by one with each change."""


@frozen(kw_only=True)
class PolicyKey:
    """One key of a policy file, for the reference and for templates."""

    path: str
    """Section and key; ``sites."..."`` for any key."""
    meaning: str
    """What it decides."""
    allowed: str
    """What may be written."""
    default: str
    """What holds when it is not written, as TOML."""


# --- what each key may be --------------------------------------------------------------------

_SOURCES = Words(
    (),
    pattern=r"(?!district$)[a-z][a-z0-9_-]{0,31}",
    what="a list of source names, such as google; district always has a word and is not listed",
)
_CUSTODY: Mapping[str, tuple[Kind, str]] = {
    "max_devices": (Whole(1, 1000), "How many devices a person may have at once."),
    "blocking_holds": (Words(HOLD_KINDS), "Kinds of hold that stop a check-out."),
    "conditions": (
        Words(tuple(c.value for c in Condition), Condition, least=1),
        "Conditions in which a device may go out.",
    ),
    "check_out_from": (
        Words(tuple(c.value for c in CHECK_OUT_FROM), Lifecycle, least=1),
        "Lifecycles from which a device may go out.",
    ),
    "may_override": (Words(OVERRIDABLE_RULES), "Rules that may be overridden with a reason."),
    "max_loan_days": (Whole(1, 3650), "Longest loan, in calendar days."),
}
_PULL: Mapping[str, tuple[Kind, str]] = {
    "max_change_percent": (
        Whole(0, 100),
        "A run that would change more of the known records than this stops.",
    ),
    "max_absent_percent": (
        Whole(0, 100),
        "A run that would mark more of the known records absent than this stops.",
    ),
    "max_new_percent": (
        Whole(0, 100_000),
        "A run that would bring more new records than this, against the known ones, stops.",
    ),
    "guard_floor": (Whole(0, 100_000), "Up to so many changes pass whatever the percentage."),
    "max_problem_percent": (
        Whole(0, 100),
        "A run in which more of the records cannot be read than this stops.",
    ),
    "create_devices": (
        Flag(),
        "Whether a record that matches nothing becomes a device; else it waits for a person.",
    ),
    "kept_runs": (
        Whole(1, 10_000),
        "Of how many runs of a source it is kept what each did with each record; what still waits for a person stays.",
    ),
}
_RETENTION: Mapping[str, tuple[Kind, str]] = {
    "people_years": (
        Whole(0, 100),
        "Years after leaving at which a person falls due for erasure; 0 for no limit (16 CFR 312.10).",
    ),
    "notes_years": (Whole(0, 100), "Years after which a note is removed; 0 for no limit."),
    "runs_days": (
        Whole(0, 36_500),
        "Days after its end at which the record of a pull or an import is removed; 0 for no limit.",
    ),
    "keys_days": (
        Whole(0, 36_500),
        "Days after which an idempotency key and its answer are removed; 0 for no limit.",
    ),
    "ecf_years": (
        Whole(10, 100),
        "Years for which ECF wants to know who had a device (47 CFR 54.1715).",
    ),
    "e_rate_years": (
        Whole(10, 100),
        "Years for which E-Rate wants the record of a device (47 CFR 54.516).",
    ),
    "seal_ecf_names": (
        Flag(),
        "Whether the name that ECF demands is kept, sealed, when a person is erased.",
    ),
    "erase_while_holding": (
        Flag(),
        "Whether a person may be erased while they answer for a device.",
    ),
}
_SECTIONS: Mapping[str, tuple[type, Mapping[str, tuple[Kind, str]]]] = {
    "custody": (CustodyPolicy, _CUSTODY),
    "pull": (PullPolicy, _PULL),
    "retention": (RetentionPolicy, _RETENTION),
}
_HEADS = {
    "authority": (
        "Sources that may overwrite a field of a device; a source may always fill in an empty one.",
    ),
    "sites": (
        "Org unit path = code of the site that it stands for; the longest path wins.",
        '"/Students/LHS" = "LHS"',
    ),
}


def policy_keys() -> tuple[PolicyKey, ...]:
    """Every key that a policy file may have, in canonical order."""
    found = []
    for section, (cls, keys) in _SECTIONS.items():
        unset = cls()
        for name, (kind, meaning) in keys.items():
            default = written(getattr(unset, name))
            found.append(
                PolicyKey(
                    path=f"{section}.{name}", meaning=meaning, allowed=kind.allowed, default=default
                )
            )
    for name, sources in _AUTHORITY.items():
        meaning = f"Sources that may overwrite a device's {name} when it differs."
        found.append(
            PolicyKey(
                path=f"authority.{name}",
                meaning=meaning,
                allowed=_SOURCES.allowed,
                default=written(sources),
            )
        )
    meaning = "Org unit path to the code of the site that it stands for; the longest path wins."
    allowed = "a path that begins with / and a site's code of at most 64 characters"
    found.append(PolicyKey(path='sites."..."', meaning=meaning, allowed=allowed, default="none"))
    return tuple(found)


def _section(at: Spots, name: str, table: Mapping[str, object]) -> object:
    cls, keys = _SECTIONS[name]
    at.known((name,), table, keys)
    return cls(**{k: keys[k][0].read(at, (name, k), v) for k, v in table.items()})


def _sites(at: Spots, table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for path, code in table.items():
        here = ("sites", path)
        if not re.fullmatch(r"/|(/[^/]+)+", path) or not path.isprintable() or len(path) > 500:
            at.refuse(here, "not an org unit path", "a path such as /Students/LHS, no / at its end")
        if not isinstance(code, str) or not code.strip() or not code.isprintable():
            at.refuse(here, f"a {kind_of(code)} is not a site's code", "a site's code, such as LHS")
        if code != code.strip() or len(code) > 64:
            at.refuse(here, "not a site's code", "at most 64 characters, no space around")
        yield path, code
