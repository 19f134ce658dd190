"""A list of people: matching within a kind, leaving, and nothing personal outside their own row."""

import logging
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import AssetflowError, InvalidValue
from assetflow.exchange.imports import Outcome
from assetflow.model import Person, PersonKind, PersonStatus, Place
from assetflow.workflows.people import MARK_KEY_BYTES, leave_person

HEADINGS = [
    "Student ID",
    "First Name",
    "Last Name",
    "Email",
    "Grade",
    "School",
    "Role",
    "Status",
    "Homeroom",
]
ANN = ["0042", "Ann", "Lee", "Ann.Lee@lincoln.example", "7", "LHS", "student", "active", "Ms. Ray"]
BO = ["0043", "Bo", "Null", "bo@lincoln.example", "K", "CMS", "student", "active", ""]


def findings(plan):
    return {r.line: [(f.code, f.column) for f in r.findings] for r in plan.rejects}


def take(office, file, **options):
    plan = office.people(file, **options)
    return plan, office.apply(plan)


def person(office, number):
    (found,) = [p for p in office.all(Person) if p.local_id == number]
    return found


def test_people_are_taken_in(office, csv_of):
    plan, report = take(office, csv_of(HEADINGS, ANN, BO))
    assert (report.created, report.rejected) == (2, 0)
    ann = person(office, "0042")
    assert (ann.given_name, ann.family_name, ann.grade, ann.kind) == (
        "Ann",
        "Lee",
        "07",
        PersonKind.STUDENT,
    )
    assert (ann.email, ann.email_key) == ("Ann.Lee@lincoln.example", "ann.lee@lincoln.example")
    assert len(ann.mark_key) == MARK_KEY_BYTES
    assert ann.mark_key != person(office, "0043").mark_key
    # a family is called Null
    assert person(office, "0043").family_name == "Null"
    assert [(c.heading, c.personal) for c in plan.columns if not c.personal] == [
        ("Grade", False),
        ("School", False),
        ("Role", False),
        ("Status", False),
    ]


def test_only_what_differs_is_written(office, csv_of):
    take(office, csv_of(HEADINGS, ANN, BO))
    start = office.seq()
    after = [*ANN[:3], "ann.lee@LINCOLN.example", "8", "", "", "", ""]
    plan, report = take(office, csv_of(HEADINGS, after, BO))
    assert (report.changed, report.unchanged) == (1, 1)
    (row,) = plan.changes
    assert [(c.field, c.before, c.after) for c in row.changes] == [("grade", "07", "08")]
    (event,) = office.events(after=start)
    assert '"fields":["grade"]' in event.body
    assert person(office, "0042").homeroom == "Ms. Ray"


def test_the_kind_comes_from_the_row_or_a_default(office, csv_of):
    file = csv_of(["ID", "Email"], ["1", "a@x.example"])
    assert findings(office.people(file)) == {2: [("no-kind", None)]}
    take(office, file, defaults={"kind": "teacher"})
    assert person(office, "1").kind is PersonKind.STAFF
    with pytest.raises(InvalidValue):
        office.people(file, match_on="serial")


def test_a_number_belongs_to_a_kind(office, csv_of):
    take(
        office, csv_of(["ID", "Role", "First"], ["1001", "Student", "A"], ["1001", "Teacher", "B"])
    )
    assert len(office.all(Person)) == 2
    plan, _ = take(office, csv_of(["ID", "Role", "First"], ["1001", "Teacher", "C"]))
    assert plan.count(Outcome.CHANGE) == 1
    names = {p.kind: p.given_name for p in office.all(Person)}
    assert names == {PersonKind.STUDENT: "A", PersonKind.STAFF: "C"}
    plan = office.people(csv_of(["ID", "First"], ["1001", "D"]))
    assert findings(plan) == {2: [("ambiguous", "ID")]}
    assert len(plan.rejects[0].findings[0].candidates) == 2


def test_a_person_is_found_by_number_then_by_address(office, csv_of):
    take(
        office,
        csv_of(
            HEADINGS, ANN, ["", "Cy", "Orr", "cy@lincoln.example", "9", "LHS", "student", "", ""]
        ),
    )
    rows = (
        ["0099", "Cy", "Orr", "CY@lincoln.example", "", "", "student", "", ""],
        ["0042", "Ann", "Lee", "other@lincoln.example", "", "", "student", "", ""],
    )
    plan, _ = take(office, csv_of(HEADINGS, *rows))
    assert [r.matched_by for r in plan.rows] == ["email", "local_id"]
    assert person(office, "0099").given_name == "Cy"
    assert person(office, "0042").email == "other@lincoln.example"


def test_number_and_address_of_two_people_contradict(office, csv_of):
    take(office, csv_of(HEADINGS, ANN, BO))
    plan = office.people(
        csv_of(
            ["ID", "Email", "Role"],
            ["0042", "bo@lincoln.example", "student"],
            ["0050", "ann.lee@lincoln.example", "student"],
        )
    )
    assert findings(plan) == {2: [("contradicts", "Email")], 3: [("contradicts", "ID")]}


def test_a_file_does_not_make_a_student_staff(office, csv_of):
    take(office, csv_of(HEADINGS, ANN))
    plan = office.people(csv_of(["Email", "Role"], ["ann.lee@lincoln.example", "Teacher"]))
    assert findings(plan) == {2: [("contradicts", "Email")]}
    plan = office.people(csv_of(["Email", "Role"], ["ann.lee@lincoln.example", "Parent"]))
    assert plan.count(Outcome.ADD) == 1  # a parent may share an address


def test_leaving_and_coming_back(office, csv_of):
    take(office, csv_of(HEADINGS, ANN, BO))
    start = office.seq()
    take(
        office,
        csv_of(
            ["ID", "Status", "Exit Date"],
            ["0042", "Withdrawn", "5/29/2026"],
            ["0043", "", "2026-05-30"],
        ),
    )
    ann, bo = person(office, "0042"), person(office, "0043")
    assert (ann.status, ann.left_on) == (PersonStatus.LEFT, date(2026, 5, 29))
    assert (bo.status, bo.left_on) == (PersonStatus.LEFT, date(2026, 5, 30))
    assert [e.type for e in office.events(after=start)] == ["person.left@1"] * 2
    take(office, csv_of(["ID", "Status"], ["0042", "Enrolled"]))
    ann = person(office, "0042")
    assert (ann.status, ann.left_on) == (PersonStatus.ACTIVE, None)
    plan = office.people(csv_of(["ID", "Status", "Exit Date"], ["0042", "Active", "2026-05-29"]))
    assert findings(plan) == {2: [("contradicts", "Exit Date")]}


def test_a_person_who_left_by_hand_is_left_alone_by_a_silent_file(office, csv_of):
    take(office, csv_of(HEADINGS, ANN))
    office.do(leave_person, person(office, "0042").id, left_on=date(2026, 6, 1))
    plan = office.people(csv_of(["ID", "Grade"], ["0042", "7"]))
    assert plan.count(Outcome.UNCHANGED) == 1


def test_duplicates_in_the_file(office, csv_of):
    rows = [
        ANN,
        [*ANN[:1], "Anna", *ANN[2:]],
        BO,
        BO,
        ["0044", "", "", "BO@lincoln.example", "", "", "student", "", ""],
    ]
    plan = office.people(csv_of(HEADINGS, *rows))
    assert set(findings(plan)) == {2, 3, 4, 5, 6}
    parents = csv_of(
        ["Email", "Role", "First"], ["p@x.example", "parent", "A"], ["p@x.example", "parent", "B"]
    )
    assert office.people(parents).rejects == ()


def test_sites_are_found_or_added(office, csv_of):
    plan = office.people(csv_of(HEADINGS, [*ANN[:5], "NHS", *ANN[6:]]))
    assert findings(plan) == {2: [("unknown-site", "School")]}
    take(office, csv_of(HEADINGS, [*ANN[:5], "NHS", *ANN[6:]]), create_sites=True)
    assert "NHS" in {p.code for p in office.all(Place)}


@pytest.mark.parametrize("heading", ["Password", "SSN", "Social Security #", "passwd"])
def test_a_secret_column_is_dropped_as_it_is_read(office, csv_of, tmp_path, heading):
    plan = office.people(
        csv_of(["ID", heading, "Role"], ["1", "hunter2", "ghost"], ["2", "hunter3", "student"])
    )
    assert plan.rejects
    plan.write_rejects(tmp_path / "r.csv")
    assert "hunter" not in (tmp_path / "r.csv").read_text(encoding="utf-8-sig")
    assert "hunter" not in repr(plan.sheet.originals) + repr(plan.sheet.drafts)


# --- privacy -------------------------------------------------------------------------------

CANARIES = ["Zsófia", "O'Canary", "990071", "canary@lincoln.example", "Room-Of-Canary"]


def canary_rows(status="active"):
    zsofia, family, number, email, homeroom = CANARIES
    return [number, zsofia, family, email, "7", "LHS", "student", status, homeroom]


def test_nothing_personal_leaves_the_persons_own_row(office, csv_of, caplog):
    caplog.set_level(logging.DEBUG)
    shown = []
    plan, report = take(office, csv_of(HEADINGS, canary_rows()))
    shown += [
        plan.summary(),
        str(plan.as_dict()),
        repr(plan),
        report.summary(),
        str(report.as_dict()),
        repr(report),
    ]
    changed = canary_rows()
    changed[1] = "Canary-Too"
    plan, report = take(office, csv_of(HEADINGS, changed))
    shown += [plan.summary(), str(plan.as_dict()), repr(plan), repr(plan.rows), report.summary()]
    bad = canary_rows("asleep")
    plan, report = take(office, csv_of(HEADINGS, bad, [*bad[:5], "Canary School", *bad[6:]]))
    shown += [plan.summary(), str(plan.as_dict()), repr(plan), repr(plan.rejects), report.summary()]
    shown += [e.body for e in office.events()] + [caplog.text]
    for text in shown:
        for canary in [*CANARIES, "Canary-Too", "Canary School"]:
            assert canary not in text
    events = [e for e in office.events() if e.type == "person.changed@1"]
    assert '"given_name":"' in events[0].body  # the mark, not the name


CELLS = st.text(st.characters(codec="utf-8"), max_size=12)


@given(st.lists(st.tuples(*[CELLS] * 9), max_size=4))
def test_no_cell_of_a_list_of_people_stands_in_an_error_or_a_plan(make_office, csv_of, rows):
    rows = [
        ["Ω" + c if c and n in (0, 1, 2, 3, 8) else c for n, c in enumerate(row)] for row in rows
    ]
    office = make_office()
    told = []
    try:
        plan = office.people(csv_of(HEADINGS, *rows))
        told += [plan.summary(), str(plan.as_dict()), repr(plan)]
        told += [office.apply(plan).summary(), *(e.body for e in office.events())]
    except AssetflowError as error:
        told += [str(error.as_dict()), repr(error)]
    assert not any("Ω" in text for text in told)
