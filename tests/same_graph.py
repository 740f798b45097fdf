"""Compare graphs in sonoc's text form up to names: python tests/same_graph.py A.txt B.txt ...

Two graphs are the same if their outputs are, in order: computed by the same operators with the same attributes and
types from the same things. Inputs are told by position, constants by type and, if they are integers and not many, by
value: weights that two exporters fold differ in the last bit. Exit status 1, with the first difference, if not.
"""

import re
import sys
from pathlib import Path

NAME = r'(?:"(?:[^"\\]|\\.)*"|[\w.]+)'
VALUE = rf"%{NAME}"
COMMUTES = {"Add", "Mul"}


class Text:
    """A graph: what each value is computed by, and the numbers that values get by what they are."""

    def __init__(self, text, numbers):
        self.nodes, self.numbers, self.memo = {}, numbers, {}
        head = re.search(r"graph .*?\((.*?)\) -> \((.*?)\) \{", text)
        self.inputs = re.findall(rf"({VALUE}): (\S+)", head[1])
        self.outputs = re.findall(VALUE, head[2])
        for line in text.splitlines()[1:]:
            line = re.sub(rf" @{NAME}$", "", line.strip())
            if constant := re.fullmatch(rf"({VALUE}) = constant (\w+\[.*?\]|\w+) ?(.*)", line):
                exact = constant[2].startswith("i") and "hash" not in constant[3]
                self.nodes[constant[1]] = ("constant", constant[2], constant[3] if exact else "", [])
            elif node := re.fullmatch(rf"((?:{VALUE}|_)(?:, (?:{VALUE}|_))*) = (\S+?)\((.*?)\)(?: \{{(.*)\}})? : (.*)", line):
                operands = re.findall(rf"{VALUE}|_(?=[,)]|$)", node[3])
                for k, name in enumerate(re.findall(rf"{VALUE}|_", node[1])):
                    self.nodes[name] = (f"{node[2]}.{k}", node[5], node[4] or "", operands)

    def number(self, name):
        """Return the number of what a value is: the same in all graphs."""
        if name not in self.memo:
            position = [given for given, _ in self.inputs].index(name) if name not in self.nodes and name != "_" else -1
            op, dtype, setting, operands = self.nodes.get(name, ("input", "", str(position), []))
            below = [self.number(operand) for operand in operands]
            below = sorted(below) if op.split(".")[0] in COMMUTES else below
            self.memo[name] = self.numbers.setdefault((op, dtype, setting, tuple(below)), len(self.numbers))
        return self.memo[name]


def main():
    """Compare all graphs with the first."""
    sys.setrecursionlimit(100000)
    numbers, want = {}, None
    for path in sys.argv[1:]:
        graph = Text(Path(path).read_text(), numbers)
        known = len(numbers)
        got = [graph.number(name) for name in graph.outputs]
        if want is None:
            want = got
        elif got != want:
            new = next((key for key, number in numbers.items() if number >= known), None)
            sys.exit(f"{path} differs; the first thing that is not in the first graph: {new}")
    print(f"{len(sys.argv) - 1} graphs are the same")


if __name__ == "__main__":
    main()
