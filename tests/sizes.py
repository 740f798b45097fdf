"""Counts lines: fails where a function has more than 60 or a file more than 800, and is not excused.

    python tests/sizes.py
"""

import ast
import re
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ["ir", "frontend", "passes", "backends", "runtime", "custom_ops", "tools", "python", "tests", "examples", "bench"]
FUNCTION_LINES, FILE_LINES = 60, 800
EXCUSED = {  # "file" or "file:function": why
}

BEGIN = re.compile(r"^[A-Za-z_][^;={}]*?(\w+)\s*\([^;{}]*\)[^;{}=]*\{\s*$", re.M)


def functions_of_c(text):
    """Yield the name and the number of lines of each function."""
    for match in BEGIN.finditer(text):
        end = text.find("\n}", match.end() - 1)
        if end >= 0:
            yield match[1], text.count("\n", match.start(), end) + 2


def functions_of_python(text):
    """Yield the name and the number of lines of each function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.end_lineno - node.lineno + 1


def main():
    """Measure all files and tell what is too long."""
    lengths, wrong = [], []
    for path in sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*")):
        if path.suffix not in (".c", ".h", ".py"):
            continue
        where, text = path.relative_to(ROOT).as_posix(), path.read_text()
        n_lines = text.count("\n")
        if n_lines > FILE_LINES and where not in EXCUSED:
            wrong.append(f"{where} has {n_lines} lines")
        find = functions_of_python if path.suffix == ".py" else functions_of_c
        for name, n in find(text):
            lengths.append(n)
            if n > FUNCTION_LINES and f"{where}:{name}" not in EXCUSED:
                wrong.append(f"{where}: {name} has {n} lines")
    lengths.sort()
    print(f"{len(lengths)} functions, median {statistics.median(lengths)} lines, "
          f"nine of ten at most {lengths[len(lengths) * 9 // 10]}")
    print("\n".join(wrong))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
