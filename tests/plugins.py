"""Runs docs/custom-operators.md: its commands in order, as a reader would, in an empty folder.

    python tests/plugins.py --sonoc build/release/sonoc

The C code that it quotes stands so in the examples. Then, what the commands do not show: the bits of the interpreter are those
of C under two compilers, the generated C stands alone, and a plugin that is none is refused.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs/custom-operators.md"
EXAMPLES = [*ROOT.glob("examples/custom_op/*.c"), *ROOT.glob("examples/plugin_pass/*.c")]


def run(folder, command, status=0):
    """Run a shell command; return what it prints."""
    done = subprocess.run(["sh", "-ec", command], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, f"{command}: status {done.returncode}: {done.stderr or done.stdout}"
    return done.stdout + done.stderr


def check_quotes(text):
    """Every quoted piece of C is in an example."""
    sources = [path.read_text() for path in EXAMPLES]
    for quote in re.findall(r"```c\n(.*?)```", text, re.S):
        assert any(quote in source for source in sources), f"no example holds\n{quote}"


def check_after(folder):
    """What the commands left can be used further."""
    for plugin in ("soft_threshold", "capped_distance"):
        model = {"soft_threshold": "soft", "capped_distance": "distance"}[plugin]
        for cc in ("gcc -O0", "clang-19 -O2"):
            said = run(folder, f"prefix/bin/sonoc verify {model}.sonoc --plugin {plugin}.so --backend=c --cc='{cc}'")
            assert "the same bits" in said, said
    run(folder, "echo '#include <sonoc_op.h>' | c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -I prefix/include -xc++ -fsyntax-only -")
    run(folder, "cc -std=c11 -Wall -Wextra -Werror -c soft.c && ! nm -u soft.o | grep -v mem")
    optimised = run(folder, "prefix/bin/sonoc opt root.sonoc --plugin root_of_square.so --passes=infer,root_of_square,dead")
    assert "Abs" in optimised and "Sqrt" not in optimised, optimised
    said = run(folder, "prefix/bin/sonoc run soft.sonoc --plugin soft.c", status=3)
    assert "soft.c" in said, said
    said = run(folder, "prefix/bin/sonoc run soft.sonoc", status=3)
    assert "SoftThreshold" in said, said


def main():
    """Run the document."""
    parser = argparse.ArgumentParser(description="Run docs/custom-operators.md.")
    parser.add_argument("--sonoc", required=True, type=Path)
    sonoc, text = parser.parse_args().sonoc.resolve(), DOCUMENT.read_text()
    check_quotes(text)
    commands = re.findall(r"```sh\n(.*?)```", text, re.S)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "examples").symlink_to(ROOT / "examples")
        (folder / "build").mkdir()
        (folder / "build/release").symlink_to(sonoc.parent)
        for command in commands:
            run(folder, command)
        check_after(folder)
    print(f"{len(commands)} passed, 0 failed")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as wrong:
        print(wrong)
        sys.exit(1)
