"""Every public field of an attrs class, and every member of an enumeration, says what it is."""

import ast

DECORATORS = {"define", "frozen", "mutable"}
ENUMS = {"Enum", "StrEnum", "IntEnum", "Flag"}


def last_name(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def undocumented(tree: ast.Module):
    for cls in [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]:
        if cls.name.startswith("_"):
            continue
        is_attrs = any(last_name(d) in DECORATORS for d in cls.decorator_list)
        is_enum = any(last_name(b) in ENUMS for b in cls.bases)
        for node, after in zip(cls.body, [*cls.body[1:], None], strict=True):
            if is_attrs and isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                name = node.target.id
                if "ClassVar" in ast.unparse(node.annotation):
                    continue
            elif is_enum and isinstance(node, ast.Assign):
                name = ast.unparse(node.targets[0])
            else:
                continue
            text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if not name.startswith("_") and not text:
                yield f"{cls.name}.{name}, line {node.lineno}"


def test_every_public_field_has_a_docstring(public):
    tree = ast.parse(public.read_text(encoding="utf-8"))
    assert list(undocumented(tree)) == []
