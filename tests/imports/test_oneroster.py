"""OneRoster archives: what the standard says, and what exporters do."""

import csv
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.connectors.oneroster import read_roster
from assetflow.connectors.oneroster.headers import find_columns
from assetflow.errors import (
    AssetflowError,
    FileRefused,
    FileUnreadable,
    InvalidValue,
    UnknownColumns,
)
from assetflow.files import FileLimits, Table
from assetflow.model import PersonKind, PersonStatus, PlaceKind

ORG = ["sourcedId", "status", "dateLastModified", "name", "type", "identifier", "parentSourcedId"]
USER = [
    "sourcedId", "status", "dateLastModified", "enabledUser", "orgSourcedIds", "role", "username", "userIds",
    "givenName", "familyName", "middleName", "identifier", "email", "sms", "phone", "agentSourcedIds", "grades", "password",
]  # fmt: skip
USER_12 = [
    "sourcedId", "status", "dateLastModified", "enabledUser", "username", "userIds", "givenName", "familyName",
    "middleName", "identifier", "email", "sms", "phone", "agentSourcedIds", "grades", "password",
    "userMasterIdentifier", "preferredGivenName", "preferredMiddleName", "preferredFamilyName",
    "primaryOrgSourcedId", "pronouns",
]  # fmt: skip
ROLE = [
    "sourcedId",
    "status",
    "dateLastModified",
    "userSourcedId",
    "roleType",
    "role",
    "beginDate",
    "endDate",
    "orgSourcedId",
    "userProfileSourcedId",
]


def row(headings, **cells):
    assert set(cells) <= set(headings)
    return [cells.get(h, "") for h in headings]


def org(source_id, name="Lincoln High", sort="school", **cells):
    return row(ORG, sourcedId=source_id, name=name, type=sort, **cells)


def user(source_id, role="student", given="Ann", family="Lee", **cells):
    cells = {"enabledUser": "true", "orgSourcedIds": "s1", **cells}
    return row(USER, sourcedId=source_id, role=role, givenName=given, familyName=family, **cells)


def manifest(version="1.1", **files):
    files = {"orgs": "bulk", "users": "bulk", **files}
    rows = [
        ["propertyName", "value"],
        ["manifest.version", "1.0"],
        ["oneroster.version", version],
        ["source.systemName", "Test SIS"],
        ["source.systemCode", ""],
    ]
    return rows + [[f"file.{name}", mode] for name, mode in files.items()]


@pytest.fixture
def pack(csv_of):
    """Makes an archive of tables."""

    def make(**tables):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, rows in tables.items():
                if rows is not None:
                    data = rows if isinstance(rows, bytes) else csv_of(*rows)
                    archive.writestr(name if name.endswith(".csv") else f"{name}.csv", data)
        return out.getvalue()

    return make


@pytest.fixture
def roster(pack):
    """Makes and reads a roster of version 1.1."""

    def make(*users, orgs=None, modes=None, **options):
        orgs = [org("s1", identifier="LHS")] if orgs is None else orgs
        files = {
            "manifest": manifest(**(modes or {})),
            "orgs": [ORG, *orgs],
            "users": [USER, *users],
        }
        return read_roster(pack(**files), **options)

    return make


def people(found):
    return {r.observed.source_id: r.observed for r in found.people}


def problems(found):
    return [(p.file, p.line, p.code, p.column) for p in found.problems]


# --- version 1.1 ---------------------------------------------------------------------------


def test_organisations_and_users(roster):
    found = roster(
        user("u1", identifier="0042", email="Ann@x.example", grades="07,08", agentSourcedIds="p1"),
        user("t1", role="teacher", orgSourcedIds="d0,s1", identifier="7"),
        user("p1", role="parent", enabledUser="false"),
        orgs=[
            org("d0", "Lincoln ISD", "district"),
            org("s1", identifier="LHS", parentSourcedId="d0"),
        ],
    )
    assert (found.version, found.system, dict(found.modes)) == (
        "1.1",
        "Test SIS",
        {"orgs": "bulk", "users": "bulk"},
    )
    district, school = (r.observed for r in found.places)
    assert (district.kind, school.kind, school.code, school.parent_source_id) == (
        PlaceKind.DISTRICT,
        PlaceKind.SITE,
        "LHS",
        "d0",
    )
    ann, teacher, parent = (r.observed for r in found.people)
    assert (ann.kind, ann.status, ann.local_id, ann.grade) == (
        PersonKind.STUDENT,
        PersonStatus.ACTIVE,
        "0042",
        "07",
    )
    assert (ann.email, ann.guardian_source_ids, ann.place_source_id) == (
        "Ann@x.example",
        ("p1",),
        "s1",
    )
    assert (teacher.kind, teacher.place_source_id) == (PersonKind.STAFF, "s1")
    # a parent's account is often switched off; it does not say that the parent is gone
    assert (parent.kind, parent.status) == (PersonKind.GUARDIAN, PersonStatus.ACTIVE)
    assert found.people[2].word == "parent"
    assert found.problems == ()
    assert found.complete


@pytest.mark.parametrize("off", ["false", "False", "0"])
def test_a_student_whose_account_is_off_has_left(roster, off):
    assert people(roster(user("u1", enabledUser=off)))["u1"].status is PersonStatus.LEFT


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        ("student", PersonKind.STUDENT),
        ("Administrator", PersonKind.STAFF),
        ("aide", PersonKind.STAFF),
        ("proctor", PersonKind.STAFF),
        ("guardian", PersonKind.GUARDIAN),
        ("relative", PersonKind.GUARDIAN),
        ("siteAdministrator", PersonKind.STAFF),
        ("ext:janitor", None),
        ("", None),
    ],
)
def test_roles(roster, role, kind):
    found = roster(user("u1", role=role))
    if kind is None:
        assert problems(found) == [("users.csv", 2, "unknown-word", "role")]
        assert found.seen == {"u1"}
        assert found.complete
    else:
        assert people(found)["u1"].kind is kind


@pytest.mark.parametrize(
    ("sort", "parent", "kind"),
    [
        ("school", "", PlaceKind.SITE),
        ("department", "", PlaceKind.DEPARTMENT),
        ("District", "", PlaceKind.DISTRICT),
        ("local", "", PlaceKind.DISTRICT),
        ("local", "d0", PlaceKind.SITE),
        ("ext:campus", "", PlaceKind.SITE),
        ("state", "", None),
        ("galaxy", "", "unknown-word"),
    ],
)
def test_types_of_organisation(roster, sort, parent, kind):
    found = roster(orgs=[org("o", sort=sort, parentSourcedId=parent)])
    if isinstance(kind, PlaceKind):
        assert found.places[0].observed.kind is kind
    else:
        assert found.places == ()
        assert [p.code for p in found.problems] == ([kind] if kind else [])


def test_what_lies_below_a_state_lies_at_the_top(roster):
    found = roster(
        orgs=[org("tx", "Texas", "state"), org("d", "Lincoln", "district", parentSourcedId="tx")]
    )
    assert [r.observed.parent_source_id for r in found.places] == [None]


def test_guardians_are_named_from_either_side(roster):
    found = roster(
        user("u1", agentSourcedIds="p1, p2"),
        user("u2"),
        user("p1", role="parent"),
        user("p3", role="guardian", agentSourcedIds="u2,u1"),
    )
    assert people(found)["u1"].guardian_source_ids == ("p1", "p2", "p3")
    assert people(found)["u2"].guardian_source_ids == ("p3",)


# --- version 1.2 ---------------------------------------------------------------------------


def test_version_1_2_has_roles_in_a_file_of_their_own(pack):
    users = [
        row(
            USER_12,
            sourcedId="u1",
            enabledUser="true",
            givenName="Ann",
            familyName="Lee",
            preferredGivenName="Annie",
            primaryOrgSourcedId="s1",
        ),
        row(USER_12, sourcedId="t1", enabledUser="true", givenName="Tea", familyName="Cher"),
        row(USER_12, sourcedId="x1", enabledUser="true", givenName="No", familyName="Role"),
    ]
    roles = [
        row(
            ROLE,
            sourcedId="r1",
            userSourcedId="u1",
            roleType="primary",
            role="student",
            orgSourcedId="s1",
        ),
        row(
            ROLE,
            sourcedId="r2",
            userSourcedId="t1",
            roleType="secondary",
            role="parent",
            orgSourcedId="s2",
        ),
        row(
            ROLE,
            sourcedId="r3",
            userSourcedId="t1",
            roleType="primary",
            role="teacher",
            orgSourcedId="s1",
        ),
        row(
            ROLE,
            sourcedId="r4",
            status="tobedeleted",
            userSourcedId="x1",
            roleType="primary",
            role="student",
        ),
        row(
            ROLE,
            sourcedId="r5",
            userSourcedId="x1",
            roleType="primary",
            role="ext:ghost",
            orgSourcedId="s1",
        ),
    ]
    found = read_roster(
        pack(
            manifest=manifest("1.2", roles="bulk"),
            orgs=[ORG, org("s1")],
            users=[USER_12, *users],
            roles=[ROLE, *roles],
        )
    )
    assert found.version == "1.2"
    ann, teacher = people(found)["u1"], people(found)["t1"]
    assert (ann.preferred_name, ann.place_source_id) == ("Annie", "s1")
    assert (teacher.kind, teacher.place_source_id) == (PersonKind.STAFF, "s1")
    assert problems(found) == [
        ("roles.csv", 6, "unknown-word", "role"),
        ("users.csv", 4, "unknown-word", "role"),
    ]


# --- what exporters do ---------------------------------------------------------------------


def test_headings_survive_case_order_spelling_and_empty_ones_at_the_end(pack, csv_of):
    users = [
        [
            "ROLE",
            "FamilyName",
            "prefferedGivenName",
            "sourceId",
            "given_name",
            "dataLastModified",
            "",
            "",
        ],
        ["student", "Lee", "Annie", "u1", "Ann", "", "", ""],
    ]
    found = read_roster(
        pack(
            manifest=manifest(),
            ORGS=[["SourcedID", "Name", "Type"], ["s1", "LHS", "school"]],
            Users=b"\xef\xbb\xbf" + csv_of(*users),
        )
    )
    ann = people(found)["u1"]
    assert (ann.given_name, ann.preferred_name, ann.kind) == ("Ann", "Annie", PersonKind.STUDENT)
    assert sorted(n.column for n in found.notices if n.code == "misspelt-heading") == [
        "prefferedGivenName",
        "sourceId",
    ]


def test_a_heading_is_guessed_only_when_one_comes_close():
    columns = find_columns(
        "users.csv", ["sourcedId", "givenName", "familyName", "middleName", "preferredFamilyName"]
    )
    assert set(columns.at) == {"sourcedId", "givenName", "familyName"}
    columns = find_columns(
        "users.csv", ["sourcedId", "givenName", "familyName", "agentSourcedId", "agentsSourcedIds"]
    )
    assert "agentSourcedIds" not in columns.at


def test_a_file_without_its_ids_is_an_error(pack):
    with pytest.raises(UnknownColumns, match="no column sourcedId"):
        read_roster(
            pack(
                manifest=manifest(),
                orgs=[["name", "type"], ["a", "school"]],
                users=[USER, user("u1")],
            )
        )


def test_files_may_lie_in_a_folder_and_in_cp1252(pack, csv_of):
    users = csv_of(USER, user("u1", given="Zoë")).decode().encode("cp1252")
    found = read_roster(
        pack(
            **{
                "export/manifest.csv": manifest(),
                "export/orgs.csv": [ORG, org("s1")],
                "export/users.csv": users,
            }
        )
    )
    assert people(found)["u1"].given_name == "Zoë"
    assert [n.code for n in found.notices] == ["encoding-guessed"]


def test_a_user_with_a_row_for_each_school_is_one(roster):
    found = roster(
        user("u1", orgSourcedIds="s1"),
        user("u1", orgSourcedIds="s2"),
        orgs=[org("s1"), org("s2", "Two")],
    )
    assert [r.line for r in found.people] == [2]
    assert found.problems == ()


def test_an_id_that_says_two_things_says_nothing(roster):
    found = roster(user("u1"), user("u1", given="Bo"), user("u2"))
    assert list(people(found)) == ["u2"]
    assert problems(found) == [
        ("users.csv", 2, "duplicate", "sourcedId"),
        ("users.csv", 3, "duplicate", "sourcedId"),
    ]
    assert found.seen == {"u1", "u2"}
    found = roster(orgs=[org("s1"), org("s1", "Two")])
    assert problems(found) == [("orgs.csv", 3, "duplicate", "sourcedId")]


@pytest.mark.parametrize(
    ("cells", "code", "column", "complete"),
    [
        ({"source_id": ""}, "empty", "sourcedId", False),
        ({"source_id": "1E+21"}, "shortened-number", "sourcedId", False),
        ({"source_id": "x" * 201}, "too-long", "sourcedId", False),
        ({"identifier": "5.1E+10"}, "shortened-number", "identifier", True),
        ({"identifier": "=A1"}, "formula", "identifier", True),
        ({"email": "#REF!"}, "spreadsheet-error", "email", True),
        ({"given": "a\0b"}, "control-character", "givenName", True),
    ],
)
def test_cells_that_a_spreadsheet_spoilt(roster, cells, code, column, complete):
    found = roster(user(cells.pop("source_id", "u1"), **cells))
    assert problems(found) == [("users.csv", 2, code, column)]
    assert found.complete is complete


@pytest.mark.parametrize("nothing", ["NULL", "None", "N/A", "-", " "])
def test_a_word_for_nothing_is_no_number(roster, nothing):
    ann = people(roster(user("u1", identifier=nothing, email=nothing)))["u1"]
    assert (ann.local_id, ann.email) == (None, None)


def test_a_broken_row_costs_itself_and_the_certainty_of_who_is_gone(pack, csv_of):
    users = csv_of(USER, user("u1"), user("u2")) + b'"u3,active\n'
    found = read_roster(pack(manifest=manifest(), orgs=[ORG, org("s1")], users=users))
    assert list(people(found)) == ["u1", "u2"]
    assert problems(found) == [("users.csv", 4, "quote", None)]
    assert not found.complete


def test_ids_are_kept_byte_for_byte(roster):
    ids = ["7_1553", "FY|2", "00012", "a:b/c", "Ünï"]
    assert list(people(roster(*(user(i) for i in ids)))) == ids


# --- modes ---------------------------------------------------------------------------------


def test_a_manifest_decides_what_is_read(roster, pack):
    found = roster(user("u1"), modes={"users": "absent"})
    assert found.people == ()
    assert "absent-file" in [n.code for n in found.notices]
    assert roster(user("u1"), modes={"users": "delta"}).modes["users"] == "delta"
    assert roster(user("u1"), modes={"users": "BULK"}).modes["users"] == "bulk"
    with pytest.raises(FileUnreadable, match=r"users\.csv is not in the archive"):
        read_roster(pack(manifest=manifest(), orgs=[ORG]))
    with pytest.raises(FileUnreadable, match="neither organisations nor users"):
        read_roster(pack(manifest=manifest(orgs="absent", users="absent")))


def test_without_a_manifest_nothing_says_that_it_is_everything(pack):
    data = pack(orgs=[ORG, org("s1")], users=[USER, user("u1")])
    found = read_roster(data)
    assert dict(found.modes) == {"orgs": None, "users": None}
    assert "no-manifest" in [n.code for n in found.notices]
    assert read_roster(data, mode="bulk").modes["users"] == "bulk"
    with pytest.raises(InvalidValue):
        read_roster(data, mode="everything")


def test_a_row_may_say_that_it_is_to_be_deleted(roster):
    found = roster(
        user("u1", status="tobedeleted"),
        user("u2", status="active"),
        orgs=[org("s1", status="tobedeleted")],
        modes={"users": "delta"},
    )
    assert [r.removed for r in found.people] == [True, False]
    assert people(found)["u1"].status is PersonStatus.LEFT
    assert found.places[0].removed


def test_the_digest_follows_the_files(roster):
    one, same, other = roster(user("u1")), roster(user("u1")), roster(user("u2"))
    assert one.digest == same.digest != other.digest
    assert len(one.digest) == 64


# --- what is never kept, and what is refused -----------------------------------------------


def test_the_password_is_never_read(roster, tmp_path):
    found = roster(user("u1", password="hunter2"), user("", password="hunter3"))
    assert "hunter" not in repr([r.observed for r in found.people]) + str(found) + repr(
        found.problems
    )
    assert "password" not in find_columns("users.csv", USER).at


def test_the_password_is_dropped_as_the_row_is_split(roster, monkeypatch):
    kept = []
    rows = Table.rows

    def watched(self, *, keep=None):
        for found in rows(self, keep=keep):
            kept.append(found.cells)
            yield found

    monkeypatch.setattr(Table, "rows", watched)
    roster(user("u1", password="hunter2"))
    assert "u1" in str(kept)
    assert "hunter2" not in str(kept)


def test_what_a_roster_shows_of_itself_names_nobody(roster):
    found = roster(user("u1", given="Zsófia", identifier="990071"), user("", given="Ágnes"))
    for shown in (repr(found), repr(found.problems), repr(found.people)):
        for name in ("Zsófia", "990071", "Ágnes", "u1"):
            assert name not in shown


def test_limits_hold_inside_the_archive(pack):
    data = pack(
        manifest=manifest(),
        orgs=[ORG, org("s1")],
        users=[USER, *(user(f"u{n}") for n in range(50))],
    )
    with pytest.raises(FileRefused, match="more than 10 rows"):
        read_roster(data, limits=FileLimits(max_rows=10))


CELL = st.text(st.characters(codec="utf-8"), max_size=8)


@given(
    users=st.lists(st.lists(CELL, min_size=len(USER), max_size=len(USER)), max_size=4),
    orgs=st.lists(st.lists(CELL, min_size=len(ORG), max_size=len(ORG)), max_size=3),
)
def test_no_rows_make_the_reader_fail_in_another_way(users, orgs):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, rows in (("orgs.csv", [ORG, *orgs]), ("users.csv", [USER, *users])):
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            archive.writestr(name, text.getvalue().encode())
    try:
        found = read_roster(out.getvalue())
    except AssetflowError:
        return
    assert len({r.line for r in found.people}) + len(
        {p.line for p in found.problems if p.file == "users.csv"}
    ) <= len(users)
