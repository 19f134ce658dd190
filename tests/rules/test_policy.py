"""District policies: read strictly, written canonically, and refused with key, line and choice."""

from __future__ import annotations

import ast
import copy
import inspect
import itertools
import pickle
import textwrap
from pathlib import Path
from types import MappingProxyType

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.errors import PolicyError, Recovery
from assetflow.model import (
    Authority,
    Condition,
    CustodyPolicy,
    DistrictPolicy,
    Lifecycle,
    PullPolicy,
    RetentionPolicy,
)
from assetflow.model.devices import Device
from assetflow.model.fields import Role, role_of
from assetflow.model.policy import (
    AUTHORITY_FIELDS,
    CHECK_OUT_FROM,
    HOLD_KINDS,
    OVERRIDABLE_RULES,
    policy_keys,
)

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples" / "policies").glob("*.toml"))


def test_nothing_written_means_the_defaults():
    assert DistrictPolicy.from_toml("") == DistrictPolicy()


def test_a_key_not_written_keeps_its_default_beside_one_that_is():
    policy = DistrictPolicy.from_toml("[custody]\nmax_devices = 5\n[authority]\nserial = []\n")
    assert policy.custody == CustodyPolicy(max_devices=5)
    assert policy.authority.fields["serial"] == ()
    assert policy.authority.fields["management"] == Authority().fields["management"]


def test_what_is_written_is_read_as_values():
    policy = DistrictPolicy.from_toml(
        textwrap.dedent(
            """
            [custody]
            conditions = ["new", "good"]
            check_out_from = ["received"]
            [pull]
            create_devices = false
            [sites]
            "/Students/LHS" = "0101"
            """
        )
    )
    assert policy.custody.conditions == (Condition.NEW, Condition.GOOD)
    assert policy.custody.check_out_from == (Lifecycle.RECEIVED,)
    assert policy.pull.create_devices is False
    assert policy.sites == {"/Students/LHS": "0101"}


REFUSED = [
    # text, key, line, allowed, in the hint
    (
        "[custdy]\n",
        "custdy",
        1,
        "custody, pull, retention, authority, sites",
        "Did you mean custody?",
    ),
    (
        "[custody]\n\n# a note\nmax_device = 2\n",
        "custody.max_device",
        4,
        ", ".join(f.name for f in attrs.fields(CustodyPolicy)),
        "Did you mean max_devices?",
    ),
    ("custody = 3\n", "custody", 1, "keys under [custody]", ""),
    ("[custody]\nmax_devices = 0\n", "custody.max_devices", 2, "a whole number from 1 to 1000", ""),
    (
        "[custody]\nmax_devices = true\n",
        "custody.max_devices",
        2,
        "a whole number from 1 to 1000",
        "",
    ),
    (
        "[custody]\nmax_devices = 2.0\n",
        "custody.max_devices",
        2,
        "a whole number from 1 to 1000",
        "",
    ),
    (
        '[custody]\nmax_devices = "2"\n',
        "custody.max_devices",
        2,
        "a whole number from 1 to 1000",
        "",
    ),
    ("custody.max_devices = -1\n", "custody.max_devices", 1, "a whole number from 1 to 1000", ""),
    (
        "\ncustody = { max_devices = 0 }\n",
        "custody.max_devices",
        2,
        "a whole number from 1 to 1000",
        "",
    ),
    (
        '[custody]\nblocking_holds = [\n  "manual",\n  "agrement",\n]\n',
        "custody.blocking_holds",
        2,
        "a list of: agreement, balance, coverage, manual, overdue",
        "Did you mean agreement?",
    ),
    ("[custody]\nconditions = []\n", "custody.conditions", 2, None, "at least one"),
    ('[custody]\nconditions = ["good", "good"]\n', "custody.conditions", 2, None, ""),
    (
        '[custody]\ncheck_out_from = ["lost"]\n',
        "custody.check_out_from",
        2,
        None,
        "in_stock, received",
    ),
    (
        '[custody]\nmay_override = ["custody.one-holder"]\n',
        "custody.may_override",
        2,
        None,
        "custody.holds",
    ),
    ("[custody]\nmay_override = [1]\n", "custody.may_override", 2, None, ""),
    (
        "[pull]\nmax_change_percent = 101\n",
        "pull.max_change_percent",
        2,
        "a whole number from 0 to 100",
        "",
    ),
    ("[pull]\ncreate_devices = 1\n", "pull.create_devices", 2, "true or false", ""),
    ("[pull]\nguard_floor = 2026-01-01\n", "pull.guard_floor", 2, None, ""),
    (
        '[authority]\nlifecycle = ["google"]\n',
        "authority.lifecycle",
        2,
        ", ".join(AUTHORITY_FIELDS),
        "",
    ),
    ('[authority]\nserials = ["google"]\n', "authority.serials", 2, None, "Did you mean serial?"),
    (
        '[authority]\nserial = ["district"]\n',
        "authority.serial",
        2,
        None,
        "district always has a word",
    ),
    ('[authority]\nserial = ["Google Admin"]\n', "authority.serial", 2, None, ""),
    ('[authority]\nserial = "google"\n', "authority.serial", 2, None, ""),
    ('[sites]\n"Students" = "LHS"\n', "sites.Students", 2, None, "/Students/LHS"),
    ('[sites]\n"/A" = "A"\n"/B/" = "B"\n', 'sites."/B/"', 3, None, ""),
    ('[sites]\n"/A" = " "\n', 'sites."/A"', 2, None, ""),
    ('[sites]\n"/A" = 101\n', 'sites."/A"', 2, None, "such as LHS"),
]


@pytest.mark.parametrize(("text", "key", "line", "allowed", "hint"), REFUSED, ids=itertools.count())
def test_a_wrong_policy_names_key_line_and_what_is_allowed(text, key, line, allowed, hint):
    with pytest.raises(PolicyError) as caught:
        DistrictPolicy.from_toml(text)
    error = caught.value
    assert error.context["key"] == key
    assert error.context["line"] == line
    assert error.recovery is Recovery.FIX_CONFIG
    assert f"line {line}" in error.message
    assert key in error.message
    assert "Allowed: " in error.hint
    if allowed is not None:
        assert error.context["allowed"] == allowed
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[custody]\nmax_devices = two\n", 2),
        ("[custody\n", 1),
        ("[custody]\nmax_devices = 1\nmax_devices = 2\n", 3),
        ('[custody]\nblocking_holds = ["manual"\n', 3),
        ("a = " + "[" * 100_000, 1),
        ("\x00", 1),
    ],
)
def test_what_is_not_toml_is_refused_with_its_line(text, line):
    with pytest.raises(PolicyError) as caught:
        DistrictPolicy.from_toml(text)
    assert caught.value.context["line"] == line


@pytest.mark.parametrize("text", [None, b"[custody]", "#" * 300_000])
def test_what_cannot_be_a_policy_is_refused(text):
    with pytest.raises(PolicyError):
        DistrictPolicy.from_toml(text)


def test_the_line_is_found_past_strings_comments_and_lists():
    text = (
        textwrap.dedent(
            """
        # [pull] max_change_percent = 999
        [custody]
        blocking_holds = [  # [pull]
          "manual", # ]
        ]
        [sites]
        "/A \\"x\\" = 1" = "LINES"
        [pull]  # guard_floor = "x"
        guard_floor = -1
        """
        )
        .lstrip()
        .replace("LINES", "\u2028")
    )
    with pytest.raises(PolicyError) as caught:
        DistrictPolicy.from_toml(text)
    assert caught.value.context["line"] == 7
    with pytest.raises(PolicyError) as caught:
        DistrictPolicy.from_toml(text.replace("\u2028", "LHS").replace("\n", "\r\n"))
    assert (caught.value.context["key"], caught.value.context["line"]) == ("pull.guard_floor", 9)


def test_a_line_inside_a_long_text_is_no_key():
    with pytest.raises(PolicyError) as caught:
        DistrictPolicy.from_toml('[sites]\n"/A" = """\n"/B" = 1\n"""\n"/B" = 1\n')
    assert (caught.value.context["key"], caught.value.context["line"]) == ('sites."/A"', 2)
    with pytest.raises(PolicyError) as caught:
        DistrictPolicy.from_toml('[sites]\n"/A" = """\\\n  LHS\\\n  """\n"/B" = 1\n')
    assert (caught.value.context["key"], caught.value.context["line"]) == ('sites."/B"', 5)


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    assert DistrictPolicy.from_toml("\ufeff[custody]\nmax_devices = 9\n").custody.max_devices == 9


def subsets(words, least=0):
    return st.lists(st.sampled_from(words), unique=True, min_size=least).map(tuple)


codes = st.text(st.characters(codec="utf-8"), min_size=1, max_size=64).filter(
    lambda t: t.isprintable() and t == t.strip()
)
paths = st.lists(codes.filter(lambda t: "/" not in t), min_size=1, max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)
policies = st.builds(
    DistrictPolicy,
    custody=st.builds(
        CustodyPolicy,
        max_devices=st.integers(1, 1000),
        blocking_holds=subsets(HOLD_KINDS),
        conditions=subsets(list(Condition), 1),
        check_out_from=subsets(CHECK_OUT_FROM, 1),
        may_override=subsets(OVERRIDABLE_RULES),
        max_loan_days=st.integers(1, 3650),
    ),
    pull=st.builds(
        PullPolicy,
        max_change_percent=st.integers(0, 100),
        max_absent_percent=st.integers(0, 100),
        guard_floor=st.integers(0, 100_000),
        max_problem_percent=st.integers(0, 100),
        create_devices=st.booleans(),
    ),
    authority=st.fixed_dictionaries(
        {n: subsets(["google", "jamf", "snipe_it", "x-1"]) for n in AUTHORITY_FIELDS}
    ).map(lambda f: Authority(fields=MappingProxyType(f))),
    sites=st.dictionaries(paths, codes, max_size=4).map(MappingProxyType),
)


@given(policies, st.booleans())
def test_what_is_written_reads_back_as_the_same_policy(policy, comments):
    text = policy.to_toml(comments=comments)
    again = DistrictPolicy.from_toml(text)
    assert again == policy
    assert again.to_toml(comments=comments) == text
    assert again.digest == policy.digest


@given(policies)
def test_a_policy_can_be_copied_and_sent_to_another_process(policy):
    for again in (copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):
        assert again == policy
        with pytest.raises(TypeError):
            again.sites["/X"] = "X"


def test_two_texts_that_mean_the_same_have_one_digest():
    one = DistrictPolicy.from_toml("# a note\n[custody]\nmax_devices = 2\n")
    assert one.digest == DistrictPolicy().digest
    assert one.digest != DistrictPolicy.from_toml("[custody]\nmax_devices = 3").digest


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_a_policy_error(text):
    try:
        policy = DistrictPolicy.from_toml(text)
    except PolicyError:
        return
    assert DistrictPolicy.from_toml(policy.to_toml()) == policy


@given(policies, st.data())
def test_a_wrong_number_is_found_on_its_own_line_in_any_policy(policy, data):
    lines = policy.to_toml(comments=True).split("\n")
    at = [n for n, line in enumerate(lines) if line.startswith("max_")]
    n = data.draw(st.sampled_from(at))
    lines[n] = lines[n].partition(" = ")[0] + " = -7"
    with pytest.raises(PolicyError) as caught:
        DistrictPolicy.from_toml("\n".join(lines))
    assert caught.value.context["line"] == n + 1


def test_three_example_policies_load_and_differ():
    assert [p.stem for p in EXAMPLES] == ["large-urban", "small-rural", "suburban-one-to-one"]
    loaded = [DistrictPolicy.from_toml(p.read_text("utf-8")) for p in EXAMPLES]
    assert len({p.digest for p in loaded} | {DistrictPolicy().digest}) == 4
    large, small, suburban = loaded
    assert large.sites["/Students/Area 1/Adams HS"] == "0101"
    assert (large.pull.create_devices, suburban.pull.create_devices) == (False, True)
    assert (small.custody.max_devices, suburban.custody.max_devices) == (3, 1)


def test_an_authority_field_is_a_journalled_field_of_a_device():
    roles = {a.name: role_of(a.type) for a in attrs.fields(Device)}
    assert {roles[name] for name in AUTHORITY_FIELDS} == {Role.JOURNALLED}


SECTIONS = (("custody", CustodyPolicy), ("pull", PullPolicy), ("retention", RetentionPolicy))


def test_every_setting_has_a_key_and_its_meaning_is_the_field_s_docstring():
    keys = {k.path: k for k in policy_keys()}
    for section, cls in SECTIONS:
        body = ast.parse(inspect.getsource(cls)).body[0].body
        texts = {
            a.target.id: b.value.value
            for a, b in itertools.pairwise(body)
            if isinstance(a, ast.AnnAssign) and isinstance(b, ast.Expr)
        }
        assert set(texts) == {a.name for a in attrs.fields(cls)}
        for name, text in texts.items():
            assert keys[f"{section}.{name}"].meaning == text
    fields = sum(len(attrs.fields(cls)) for _, cls in SECTIONS)
    assert len(keys) == len(policy_keys()) == fields + len(AUTHORITY_FIELDS) + 1


def test_the_template_says_what_each_key_means_and_allows():
    text = DistrictPolicy().to_toml(comments=True)
    for key in policy_keys():
        if key.path.startswith(("custody.", "pull.", "retention.")):
            assert f"# {key.meaning}\n# Allowed: {key.allowed}.\n" in text
            assert f"{key.path.split('.')[1]} = {key.default}\n" in text
