"""Reads every #include and fails where a layer knows one that it should not.

    python tests/layers.py

The table says which folders' headers a folder may include, and which headers of ir/ only some of
its files may: the two IRs meet in the lowering alone, and backends see loops alone.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

MAY_INCLUDE = {  # folder: folders whose headers it may include
    "ir": {"ir"},
    "frontend": {"ir", "frontend"},
    "passes": {"ir", "passes"},
    "backends": {"ir", "backends"},
    "runtime": {"runtime"},
    "tools/library": {"ir", "frontend", "passes", "backends", "runtime", "tools/library"},
    "tools": {"ir", "frontend", "passes", "backends", "runtime", "tools/library", "tools"},
    "custom_ops": set(),
}
PUBLIC_HEADER = "sonoc_op.h"  # what custom operators, and the library's own header, may include

GRAPH_SIDE = {"graph.h", "graph_text.h", "op.h", "infer.h"}
LOOP_SIDE = {"loop.h", "loop_build.h", "interp.h", "target.h"}
BOTH = {"lower.h", "lower_plan.h", "lower_variant.h", "lower_choices.h", "maths.h"}  # known to the lowering and to operators
KNOWS_BOTH = ("ir/lower", "ir/infer.c", "ir/probe.c", "ir/ops/", "ir/maths", "tools/")
EXPANDS = {"passes/pass.c": "lower.h"}  # graph_expand is declared beside the lowering

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def folder_of(where):
    """Find the row of the table for a file: the longest."""
    return max((folder for folder in MAY_INCLUDE if where.startswith(folder + "/")), key=len)


def find_files(suffixes):
    """List the files of all folders as paths from the root."""
    tops = {folder.split("/")[0] for folder in MAY_INCLUDE}
    paths = [path for top in sorted(tops) for path in sorted((ROOT / top).rglob("*"))]
    return [path.relative_to(ROOT).as_posix() for path in paths if path.suffix in suffixes]


def find_headers():
    """Map a header's name to its folder; a name that two folders have is an error of the layout."""
    headers = {}
    for where in find_files((".h", ".def")):
        name = Path(where).name
        assert name not in headers, f"two headers are called {name}"
        headers[name] = folder_of(where)
    return headers


def check_file(where, headers):
    """Yield what is wrong with a file's includes."""
    folder = folder_of(where)
    names = {Path(name).name for name in INCLUDE.findall((ROOT / where).read_text())}
    for name in sorted(names & headers.keys()):
        if headers[name] not in MAY_INCLUDE[folder] and name != PUBLIC_HEADER:
            yield f"{where} includes {name} of {headers[name]}/"
    if where.startswith(KNOWS_BOTH):
        return
    if names & BOTH - {EXPANDS.get(where)}:
        yield f"{where} includes {', '.join(sorted(names & BOTH))}: only the lowering may"
    if names & GRAPH_SIDE and names & LOOP_SIDE:
        yield f"{where} knows both IRs: {', '.join(sorted(names & (GRAPH_SIDE | LOOP_SIDE)))}"
    if folder == "backends" and names & GRAPH_SIDE:
        yield f"{where} includes {', '.join(sorted(names & GRAPH_SIDE))}: backends see loops alone"


def main():
    """Check all files; print what is wrong."""
    headers = find_headers()
    paths = find_files((".c", ".h"))
    wrong = [message for where in paths for message in check_file(where, headers)]
    print("\n".join(wrong) or f"{len(paths)} files, every include looks down")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
