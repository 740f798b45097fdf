"""Checks the rewrite rules: those built in on instances, wrong and broken ones that have to be found, the example.

    python tests/rules.py --sonoc build/release/sonoc [--instances N]
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from textwrap import indent

TESTS = Path(__file__).parent
RULES = TESTS / "rules"
EXAMPLE = TESTS.parent / "examples" / "rule"
FEWEST_RULES = 50


def run(sonoc, *arguments):
    """Run sonoc; return its exit status, what it prints and what it says."""
    done = subprocess.run([sonoc, *map(str, arguments)], capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout, done.stderr


def split_rules(path):
    """Part a file into its rules."""
    return re.findall(r"^rule .*?(?=^rule |\Z)", path.read_text(), flags=re.M | re.S)


def check_built_in(sonoc, instances):
    """Every rule that is built in holds on instances, and there are enough of both."""
    status, printed, said = run(sonoc, "rules", f"--check={instances}", "--json")
    rules = json.loads(printed)
    few = [rule["name"] for rule in rules if rule["instances"] < min(instances, 5)]
    assert status == 0 and all(rule["ok"] for rule in rules), said
    assert not few, f"rules with hardly any instance: {few}"
    assert len(rules) >= FEWEST_RULES, f"only {len(rules)} rules"
    return len(rules), sum(rule["instances"] for rule in rules)


def check_wrong(sonoc, folder):
    """Each wrong rule is found, alone in its file."""
    rules = split_rules(RULES / "wrong.rules")
    for text in rules:
        name = re.match(r"rule (\w+)", text)[1]
        (folder / "wrong.rules").write_text(text)
        status, _, said = run(sonoc, "rules", f"--rules={folder / 'wrong.rules'}", "--check=200")
        assert status == 1 and f"rule '{name}' is not" in said, f"{name} is not found: status {status}, {said}"
    return len(rules)


def check_broken(sonoc):
    """What is wrong in a file of rules is told with line and column, all of it."""
    status, _, said = run(sonoc, "rules", f"--rules={RULES / 'broken.rules'}")
    lines = (RULES / "broken.rules").read_text().splitlines()
    wanted = [match.groups() for line in lines if (match := re.search(r"# error (\d+): (.*)", line))]
    told = said.splitlines()
    assert status == 3, f"status {status}"
    assert len(told) == len(wanted), f"{len(told)} errors are told, {len(wanted)} are there:\n{said}"
    for line, (column, text) in zip(told, wanted):
        assert text in line and f"column {column}:" in line, f"{line}\nis not: column {column}: {text}"
    return len(wanted)


def check_restless(sonoc, folder):
    """Rules that would go on for ever are refused."""
    (folder / "rules").write_text(next(text for text in split_rules(RULES / "wrong.rules") if "restless" in text))
    (folder / "case.sonoc").write_text("graph g(%x: f32[2]) -> (%y) {\n    %y = Neg(%x)\n}\n")
    status, _, said = run(sonoc, "opt", folder / "case.sonoc", f"--rules={folder / 'rules'}", "--passes=infer,rules")
    assert status == 3 and "do not come to rest: 'restless'" in said, said


def check_example(sonoc):
    """The walk-through of docs/rules.md does what it says."""
    shown = (TESTS.parent / "docs" / "rules.md").read_text()
    for file in ("triple.rules", "model.sonoc"):
        assert indent((EXAMPLE / file).read_text(), "    ") in shown, f"docs/rules.md shows another {file}"
    functions = re.findall(r'FUNCTION\( "([a-z]\w*)"', (TESTS.parent / "passes" / "rule_functions.def").read_text())
    missing = [name for name in functions if f"`{name}(" not in shown and name not in ("or", "and", "not")]
    assert not missing, f"docs/rules.md does not tell of {missing}"
    rules = f"--rules={EXAMPLE / 'triple.rules'}"
    status, printed, said = run(sonoc, "opt", EXAMPLE / "model.sonoc", rules, "--passes=infer,rules_real", "--quiet")
    assert status == 0, said
    assert indent(printed, "    ") in shown, f"docs/rules.md shows another graph than\n{printed}"
    status, printed, said = run(sonoc, "rules", rules, "--check=20")
    assert status == 0 and "20 instances" in printed, said
    status, _, said = run(sonoc, "verify", EXAMPLE / "model.sonoc", rules, "--quiet")
    assert status == 0, said


def main():
    """Run all checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sonoc", default="build/release/sonoc")
    parser.add_argument("--instances", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        n_rules, n_instances = check_built_in(options.sonoc, options.instances)
        n_wrong = check_wrong(options.sonoc, Path(name))
        n_broken = check_broken(options.sonoc)
        check_restless(options.sonoc, Path(name))
        check_example(options.sonoc)
    print(f"{n_rules} rules hold on {n_instances} instances; {n_wrong} wrong ones and {n_broken} errors are found")


if __name__ == "__main__":
    sys.exit(main())
