"""Writes what is derived from the registry and committed: ``python -m waferscope_schemas.generate``."""

from collections.abc import Mapping
from pathlib import Path

from waferscope_schemas import compatibility, semconv
from waferscope_schemas.render_markdown import render_compatibility, render_registry
from waferscope_schemas.render_python import render_constants


def outputs() -> Mapping[Path, str]:
    """Render everything.

    Returns:
        Text by path below the root of the repository.
    """
    registry = semconv.load()
    return {
        Path("instrumentation/src/waferscope/semconv.py"): render_constants(registry),
        Path("docs/registry.md"): render_registry(registry),
        Path("docs/compatibility.md"): render_compatibility(compatibility.matrix()),
    }


def main() -> None:
    """Write what has changed into the repository that this package is installed from."""
    root = Path(__file__).resolve().parents[3]
    for path, text in outputs().items():
        target = root / path
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
