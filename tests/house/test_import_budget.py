"""``import assetflow`` is nearly free, and nothing optional is needed to import the rest."""

import ast
import subprocess
import sys
import textwrap
import tomllib

HEAVY = [
    "alembic",
    "asyncio",
    "cattrs",
    "httpcore",
    "httpx",
    "importlib.metadata",
    "logging",
    "msgspec",
    "pathlib",
    "sqlalchemy",
    "sqlite3",
    "tenacity",
]

# The import names of each extra's distributions.
OPTIONAL = {
    "apple": {"cryptography", "jwt"},
    "arrow": {"nanoarrow"},
    "calendar": {"holidays", "icalendar"},
    "cli": {"click", "platformdirs", "rich", "tomlkit"},
    "dask": {"dask", "distributed"},
    "forecast": {"numpy", "scipy"},
    "google": {"google"},
    "insight": {"duckdb", "ibis"},
    "keyring": {"keyring"},
    "labels": {"reportlab", "segno"},
    "mariadb": {"pymysql"},
    "match": {"rapidfuzz"},
    "postgres": {"psycopg"},
    "privacy": {"cryptography"},
    "ray": {"ray"},
    "spark": {"pyspark"},
    "web": {"jinja2", "multipart", "standardwebhooks", "starlette", "uvicorn"},
    "xlsx": {"python_calamine", "xlsxwriter"},
}
NAMES = set().union(*OPTIONAL.values())
# Modules that are an extra's adapter as a whole; nothing may import them eagerly.
BEHIND_AN_EXTRA = {"assetflow.connectors.google.adc"}


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_nothing_heavy():
    code = """
        import sys
        before = set(sys.modules)
        import assetflow
        print(*sorted(set(sys.modules) - before))
    """
    loaded = set(python(code).split())
    assert loaded & set(HEAVY) == set()
    ours = {name for name in loaded if name.startswith("assetflow.")}
    assert ours <= {"assetflow.errors"}, "the front door opens a room that nobody asked for"


def test_the_version_is_read_only_when_asked_for():
    code = """
        import assetflow, sys
        assert "importlib.metadata" not in sys.modules
        print(assetflow.__version__)
    """
    assert python(code).strip().count(".") >= 1


def test_every_extra_is_known_here(root):
    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(told["project"]["optional-dependencies"]) - {"all"} == set(OPTIONAL)


def eager_imports(tree: ast.AST):
    """Imports that run when the module is imported: not in a function, not for typing alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        else:
            yield from eager_imports(node)


def test_optional_packages_are_imported_where_they_are_used(source, name_of):
    name = name_of(source)
    face = name.split(".")[1:2] in (["cli"], ["web"])
    if face and name.count(".") > 1:
        return  # a face's modules are imported by its front door, which checks for its extra
    eager = set(eager_imports(ast.parse(source.read_text(encoding="utf-8"))))
    assert eager & BEHIND_AN_EXTRA == set()
    if name not in BEHIND_AN_EXTRA:
        assert {module.partition(".")[0] for module in eager} & NAMES == set()


def test_the_core_imports_without_any_extra():
    code = f"""
        import importlib, pkgutil, sys

        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {sorted(NAMES | {"hypothesis", "pytest"})!r}:
                    raise ModuleNotFoundError(name, name=name)

        sys.meta_path.insert(0, Absent())
        import assetflow
        # Faces are behind their extra; conformance suites are for those who have pytest.
        apart = ("assetflow.cli", "assetflow.web", "assetflow.testing")
        skipped = []
        for module in pkgutil.walk_packages(assetflow.__path__, "assetflow.", onerror=print):
            if "migrations" in module.name or module.name.endswith("__main__"):
                continue
            if module.name in {sorted(BEHIND_AN_EXTRA)!r}:
                continue
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as missing:
                assert module.name.startswith(apart), (module.name, missing)
                skipped.append(module.name)
        print(*skipped)
    """
    python(code)
