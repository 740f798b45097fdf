"""Demands that every pass and every rule has cases: a match, a near miss, and a refusal.

    python tests/pass_cases.py --sonoc build/release/sonoc

Cases are the text cases of tests/cases/pass. A match is what the remarks tell to be done; comments name near misses and
refusals (tests/run.py checks that they are left alone). For rules, instances made of their own text count as well: those
that a condition refuses, and those with one thing unlike the pattern. A rule without conditions has nothing to refuse.
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

import run

RULES = Path(__file__).parent.parent / "passes" / "rules"
AGAIN = {"tidy_fused", "share_fused"}  # the same function under a second name
RULE_PASSES = {"rules", "rules_real", "rules_fast"}  # what they do is told by rule
ELSEWHERE = {"raise_deform", "raise_dsa"}  # large patterns: tests/deform_soup.py and custom_ops/dsa/test.py write them


def pass_names(sonoc):
    """Passes that rewrite: those of level 0 are what is needed to lower anything."""
    table = json.loads(run.run(sonoc, ".", "passes", "--json")[0])["passes"]
    return [row["name"] for row in table if row["level"] > 0 and row["name"] not in {*AGAIN, *RULE_PASSES, *ELSEWHERE}]


def conditional_rules():
    """Names of rules that have conditions."""
    texts = [text for path in RULES.glob("*.rules") for text in re.split(r"^(?=rule )", path.read_text(), flags=re.M)]
    return {text.split()[1].rstrip(":") for text in texts if text.startswith("rule ") and "\n    where " in text}


def collect(sonoc):
    """What the text cases have: names by kind."""
    found = {"match": set(), "near miss": set(), "refusal": set()}
    for path in sorted((run.CASES / "pass").glob("*.t")):
        for text in path.read_text().split("===\n"):
            words, given, _ = run.split_case(text)
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "case.sonoc").write_text(given)
                _, said = run.run(sonoc, folder, "opt", "case.sonoc", "--quiet", "--remarks", *run.pass_options(words))
            missed = [line for line in said.splitlines() if ": missed: " in line]
            wanted = [line for line in missed if any(want in line for want in re.findall(r"# missed: (.*)", given))]
            found["match"] |= run.rewriters(said)
            found["near miss"] |= run.names_in(given, "near miss of")
            found["refusal"] |= run.names_in(given, "refused by") | {line.split(":")[0] for line in wanted}
            found["refusal"] |= {name for line in wanted for name in re.findall(r": rule (\w+): not", line)}
    return found


def add_instances(sonoc, found):
    """What the check of the rules finds by itself."""
    rules = json.loads(run.run(sonoc, ".", "rules", "--check=5", "--json")[0])
    for rule in rules:
        for kind, count in (("match", "instances"), ("near miss", "near_misses"), ("refusal", "refusals")):
            if rule[count]:
                found[kind].add(rule["name"])
    return [rule["name"] for rule in rules]


def main():
    """Print what has no case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sonoc", required=True, type=Path)
    sonoc = parser.parse_args().sonoc.resolve()
    found = collect(sonoc)
    passes, rules, conditional = pass_names(sonoc), add_instances(sonoc, found), conditional_rules()
    missing = [f"pass {name} has no {kind}" for name in passes for kind in found if name not in found[kind]]
    missing += [f"rule {name} has no {kind}" for name in rules for kind in found
                if name not in found[kind] and (kind != "refusal" or name in conditional)]
    print("\n".join(missing + [f"{len(passes)} passes and {len(rules)} rules, {len(missing)} cases are missing"]))
    sys.exit(bool(missing))


if __name__ == "__main__":
    main()
