"""Reads the organisations and users of a OneRoster CSV archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import define, evolve, field, frozen

from assetflow.connectors.oneroster.headers import Columns, find_columns, is_known
from assetflow.connectors.oneroster.mapping import (
    BadValue,
    Role,
    is_removed,
    listed,
    observe_org,
    observe_user,
    role_of,
    text,
)
from assetflow.errors import FileUnreadable, InvalidValue
from assetflow.files import (
    DEFAULT_LIMITS,
    Notice,
    bare,
    open_archive,
    read_table,
    spoilt_identifier,
)
from assetflow.model import ObservedPerson, ObservedPlace, PersonKind, PlaceKind

if TYPE_CHECKING:
    from assetflow.files import Archive, FileLimits, Readable, Source

__all__ = ["MODES", "Roster", "RosterProblem", "RosterRow", "read_roster"]

T_co = TypeVar("T_co", covariant=True)

MODES = ("bulk", "delta", "absent")
"""How a file of the archive is meant: all there is, only what changed, or not there."""

_VERSIONS = ("1.1", "1.2")


@frozen
class RosterRow(Generic[T_co]):
    """A row that could be read."""

    line: int
    """The line of its file at which it begins."""
    observed: T_co
    """What it says."""
    removed: bool = False
    """Whether it says that the record is gone."""
    word: str = ""
    """OneRoster's own word for the role: ``parent``."""


@frozen(kw_only=True)
class RosterProblem:
    """A row that could not be read. Holds none of its cells."""

    file: str
    """The file of the archive."""
    line: int
    """The line at which the row begins."""
    code: str
    """A stable code."""
    message: str
    """What is wrong."""
    column: str | None = None
    """The column at fault."""


@frozen(kw_only=True)
class Roster:
    """The organisations and users of an archive."""

    name: str
    """The archive's name."""
    version: str | None
    """The standard's version: ``1.1`` or ``1.2``; ``None`` when it does not say."""
    system: str | None
    """The system that wrote it, as it names itself."""
    modes: Mapping[str, str | None]
    """``orgs`` and ``users`` to how the file is meant; ``None`` when nothing says."""
    places: tuple[RosterRow[ObservedPlace], ...] = field(repr=False)
    """Organisations, in the order of the file."""
    people: tuple[RosterRow[ObservedPerson], ...] = field(repr=False)
    """Users, in the order of the file."""
    seen: frozenset[str] = field(repr=False)
    """Ids of all users of which the file has a row, readable or not."""
    complete: bool
    """Whether every row of the users told its id, so that who is not there can be told."""
    problems: tuple[RosterProblem, ...] = field(repr=False)
    """Rows that could not be read."""
    notices: tuple[Notice, ...] = ()
    """What was decided about the files."""
    digest: str
    """SHA-256 over the digests of the files that were read, hexadecimal."""


def read_roster(
    file: Readable | Source,
    *,
    mode: str | None = None,
    encoding: str | None = None,
    limits: FileLimits = DEFAULT_LIMITS,
) -> Roster:
    """Read the organisations and users of a OneRoster 1.1 or 1.2 CSV archive.

    Survives what exporters do: headings in another order, case or spelling, marks, empty columns
    at the end, a folder around the files. The column ``password`` is never read.

    Args:
        file: The zip archive.
        mode: ``bulk`` or ``delta`` for an archive whose manifest does not say.
        encoding: The encoding of its files, when the caller knows it better than they say.
        limits: How large the archive and its parts may be.

    Raises:
        FileError: the archive or a file in it cannot be read or is refused; or it holds neither
            organisations nor users.
        InvalidValue: a mode that there is not.
    """
    if mode not in (None, "bulk", "delta"):
        raise InvalidValue("a roster is bulk or delta")
    with open_archive(file, limits=limits) as archive:
        return _Reader(archive, mode, encoding, limits).read()


@define
class _Reader:
    archive: Archive
    mode: str | None
    encoding: str | None
    limits: FileLimits
    problems: list[RosterProblem] = field(factory=list, init=False)
    notices: list[Notice] = field(factory=list, init=False)
    digests: list[str] = field(factory=list, init=False)
    seen: set[str] = field(factory=set, init=False)
    complete: bool = field(default=True, init=False)

    def read(self) -> Roster:
        manifest = self._manifest()
        version = manifest.get("oneroster.version")
        if version is not None and version not in _VERSIONS:
            self._notice(
                "version",
                "the archive is of a version that is not known; it is read as the nearest",
            )
        modes = {name: self._mode(manifest, name) for name in ("orgs", "users")}
        places = self._orgs() if modes["orgs"] != "absent" else []
        schools = {r.observed.source_id for r in places if r.observed.kind is PlaceKind.SITE}
        people = self._users(schools) if modes["users"] != "absent" else []
        if all(mode == "absent" for mode in modes.values()):
            raise FileUnreadable(
                f"{self.archive.source.name} holds neither organisations nor users",
                hint="Export orgs and users too.",
            )
        return Roster(
            name=self.archive.source.name,
            version=version,
            system=manifest.get("source.systemName"),
            modes=modes,
            places=tuple(places),
            people=tuple(people),
            seen=frozenset(self.seen),
            complete=self.complete,
            problems=tuple(self.problems),
            notices=tuple(self.notices),
            digest=sha256("+".join(self.digests).encode()).hexdigest(),
        )

    # --- the manifest -----------------------------------------------------------------------

    def _manifest(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for _, get in self._rows("manifest.csv", optional=True):
            key, value = bare(get("propertyName")), bare(get("value"))
            if key:
                found[key] = value
        if not found:
            self._notice(
                "no-manifest", "the archive has no manifest; say mode= if it is not what it seems"
            )
        return {k: v for k, v in found.items() if v}

    def _mode(self, manifest: Mapping[str, str], name: str) -> str | None:
        said = manifest.get(f"file.{name}", "").casefold()
        there = self.archive.find(f"{name}.csv") is not None
        if said in ("bulk", "delta"):
            if not there:
                raise FileUnreadable(
                    f"{name}.csv is not in the archive, though its manifest names it"
                )
            return said if self.mode is None else self.mode
        if said == "absent" and there:
            self._notice(
                "absent-file",
                f"{name}.csv is in the archive, but the manifest calls it absent; it is left out",
            )
        if said == "absent" or not there:
            return "absent"
        return self.mode

    # --- the files --------------------------------------------------------------------------

    def _rows(self, name: str, *, optional: bool = False) -> Iterator[tuple[int, _Get]]:
        """The rows of a file, with what gives the cell of a column. Other columns are never kept."""
        source = self.archive.find(name)
        if source is None:
            if optional:
                return
            raise FileUnreadable(f"{name} is not in the archive")
        table = read_table(
            source, known=lambda h: is_known(name, h), encoding=self.encoding, limits=self.limits
        )
        self.digests.append(table.digest)
        self.notices += [evolve(n, column=n.column or name) for n in table.notices]
        columns = find_columns(name, table.headers)
        for heading, column in columns.guessed.items():
            self._notice(
                "misspelt-heading", f"{name}: a heading is taken for {column}", column=heading
            )
        for row in table.rows(keep=set(columns.at.values())):
            if row.problem is not None:
                self.complete = self.complete and name != "users.csv"
                self._problem(name, row.line, row.problem, "cannot be read as a row", None)
                continue
            yield row.line, _Get(columns, row.cells)

    def _orgs(self) -> list[RosterRow[ObservedPlace]]:
        found: dict[str, RosterRow[ObservedPlace]] = {}
        above: set[str] = set()
        for line, get in self._rows("orgs.csv"):
            try:
                key = self._key(get, "sourcedId")
                place = observe_org(
                    key,
                    text(get("name"), "name"),
                    get("type"),
                    text(get("identifier"), "identifier"),
                    text(get("parentSourcedId"), "parentSourcedId"),
                )
            except BadValue as bad:
                self._problem("orgs.csv", line, bad.code, bad.message, bad.column)
                continue
            if place is None:
                above.add(key)
            elif key in found:
                self._problem(
                    "orgs.csv",
                    line,
                    "duplicate",
                    f"has the id of line {found[key].line}",
                    "sourcedId",
                )
            else:
                found[key] = RosterRow(line, place, is_removed(get("status")))
        return [_below(row, above) for row in found.values()]

    def _users(self, schools: set[str]) -> list[RosterRow[ObservedPerson]]:
        roles = self._roles()
        found: dict[str, RosterRow[ObservedPerson]] = {}
        twice: dict[str, int] = {}
        wards: dict[str, list[str]] = {}
        for line, get in self._rows("users.csv"):
            try:
                key = self._key(get, "sourcedId")
                self.seen.add(key)
                role = self._role(get, roles.get(key, ()), schools)
                row = RosterRow(
                    line,
                    observe_user(get.all(), role, removed=is_removed(get("status"))),
                    is_removed(get("status")),
                    role.word,
                )
            except BadValue as bad:
                if bad.column == "sourcedId":
                    self.complete = False
                self._problem("users.csv", line, bad.code, bad.message, bad.column)
                continue
            if role.kind is PersonKind.GUARDIAN:
                wards.setdefault(key, []).extend(listed(get("agentSourcedIds")))
            if key not in found:
                found[key] = row
            elif _but_for_site(row) != _but_for_site(found[key]):
                twice[key] = line
            else:
                # A row for each school: the home is the same whatever the order of the rows.
                first = found[key]
                homes = (first.observed.place_source_id, row.observed.place_source_id)
                home = min((h for h in homes if h is not None), default=None)
                found[key] = evolve(first, observed=evolve(first.observed, place_source_id=home))
        for key, line in twice.items():
            first = found.pop(key)
            for number, other in ((first.line, line), (line, first.line)):
                message = f"has the id of line {other}, and says something else"
                self._problem("users.csv", number, "duplicate", message, "sourcedId")
        return _with_guardians(found, wards)

    def _role(self, get: _Get, roles: Sequence[Role], schools: set[str]) -> Role:
        """The role that counts, at the user's home: the first school among the organisations."""
        orgs = listed(get("orgSourcedIds"))
        school = next((o for o in orgs if o in schools), orgs[0] if orgs else None)
        home = bare(get("primaryOrgSourcedId")) or school
        if roles:
            best = next((r for r in roles if r.primary), roles[0])
            return evolve(best, org=home or best.org)
        role = role_of(get("role"), org=home)
        if role is None:
            raise BadValue("role", "unknown-word", "is no role that is known")
        return role

    def _roles(self) -> dict[str, list[Role]]:
        """The roles of each user: version 1.2 has them in a file of their own."""
        found: dict[str, list[Role]] = {}
        for line, get in self._rows("roles.csv", optional=True):
            if is_removed(get("status")):
                continue
            primary = bare(get("roleType")).casefold() == "primary"
            role = role_of(get("role"), org=bare(get("orgSourcedId")) or None, primary=primary)
            if role is None:
                self._problem("roles.csv", line, "unknown-word", "is no role that is known", "role")
            else:
                found.setdefault(bare(get("userSourcedId")), []).append(role)
        return found

    # --- telling ----------------------------------------------------------------------------

    def _key(self, get: _Get, column: str) -> str:
        """A record's id: an arbitrary text, kept byte for byte."""
        key = text(get(column), column)
        if key is None:
            raise BadValue(column, "empty", "is empty")
        if code := spoilt_identifier(key):
            raise BadValue(column, code, "holds an identifier that a spreadsheet spoilt")
        if len(key) > 200:
            raise BadValue(column, "too-long", "is longer than 200 characters")
        return key

    def _problem(self, file: str, line: int, code: str, message: str, column: str | None) -> None:
        self.problems.append(
            RosterProblem(file=file, line=line, code=code, message=message, column=column)
        )

    def _notice(self, code: str, message: str, *, column: str | None = None) -> None:
        self.notices.append(Notice(code=code, message=message, column=column))


@frozen
class _Get:
    """The cells of a row by their column."""

    columns: Columns
    cells: tuple[str, ...] = field(repr=False)

    def __call__(self, name: str) -> str:
        return self.columns.cell(self.cells, name)

    def all(self) -> dict[str, str]:
        return {name: self.cells[number] for name, number in self.columns.at.items()}


def _but_for_site(row: RosterRow[ObservedPerson]) -> tuple[ObservedPerson, bool, str]:
    return evolve(row.observed, place_source_id=None), row.removed, row.word


def _below(row: RosterRow[ObservedPlace], above: set[str]) -> RosterRow[ObservedPlace]:
    """A place whose parent is no place here lies at the top."""
    if row.observed.parent_source_id in above:
        return evolve(row, observed=evolve(row.observed, parent_source_id=None))
    return row


def _with_guardians(
    people: Mapping[str, RosterRow[ObservedPerson]], wards: Mapping[str, list[str]]
) -> list[RosterRow[ObservedPerson]]:
    """People, each student with the guardians that the student's row or the guardian's names."""
    named: dict[str, list[str]] = {}
    for guardian, students in wards.items():
        for student in students:
            named.setdefault(student, []).append(guardian)
    rows = []
    for key, row in people.items():
        person = row.observed
        if person.kind is PersonKind.STUDENT:
            ids = tuple(dict.fromkeys((*person.guardian_source_ids, *sorted(named.get(key, ())))))
            person = evolve(person, guardian_source_ids=ids)
        rows.append(evolve(row, observed=person))
    return rows
