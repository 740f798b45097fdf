"""Tests of what drives the passes: levels, pipelines, remarks, pictures, traces, bisection, reduction, certificates.

    python tests/pass_manager.py --sonoc build/release/sonoc
"""

import argparse
import json
import sys
import tempfile
import traceback
from pathlib import Path

import certificate
from command_line import run

GRAPH = """graph g(%x: f32[1,2,4,4]) -> (%y) {
    %a = Concat(%x, %x) {axis = 1} : ?
    %b = Sigmoid(%a) : ?
    %c = Concat(%b, %b) {axis = 2} : ?
    %y = Neg(%c) : ?
}
"""


def write(folder):
    """Write the graph that the tests share."""
    (folder / "m.sonoc").write_text(GRAPH)


def test_levels(sonoc, folder):
    """A pass runs from its level on, and its text says what it did."""
    for level, tiles in ((0, 0), (1, 2), (3, 2)):
        printed, _ = run(sonoc, folder, "opt", "m.sonoc", f"-O{level}")
        assert printed.count("Tile") == tiles, printed
    run(sonoc, folder, "opt", "m.sonoc", "-O4", status=2)


def test_table(sonoc, folder):
    """The listing is the table: in order, with reasons; as JSON too."""
    text, _ = run(sonoc, folder, "passes")
    table = json.loads(run(sonoc, folder, "passes", "--json")[0])
    names = [row["name"] for row in table["passes"]]
    assert names == [line.split()[0] for line in text.splitlines() if line and not line.startswith((" ", "pipeline"))]
    pipeline = [name for name in table["pipeline"].split(",") if name]
    assert pipeline == names[:len(pipeline)] and "raise_dsa" in names[len(pipeline):]    # of custom_ops/
    for row in table["passes"]:
        assert row["class"] in ("BIT", "REAL", "FAST") and (row["bound"] > 0) == (row["class"] != "BIT")
        for order in row["after"]:
            assert names.index(order["pass"]) < names.index(row["name"]) and order["why"]


def test_files(sonoc, folder):
    """What is for files is not done for anything else, unless it is named."""
    (folder / "s.sonoc").write_text("graph s(%x: f32[4]) -> (%a, %b) {\n%z = constant i64[1] {0}\n%t = constant i64[1] {2}\n"
                                    "%f = constant i64[1] {4}\n%a = Slice(%x, %z, %t)\n%b = Slice(%x, %t, %f)\n}\n")
    run(sonoc, folder, "opt", "s.sonoc", "-o", "s.onnx")
    seen = [run(sonoc, folder, "opt", model, *more)[0].count("Split")
            for model, *more in (("s.onnx", "--passes="), ("s.sonoc",), ("s.sonoc", "--passes=infer,split"))]
    assert seen == [1, 0, 1], seen


def test_pipelines(sonoc, folder):
    """Groups run until nothing changes; what is wrong with a text is told."""
    for text in ("(infer,simplify)*,dead", "repeat(infer, simplify), dead", "infer,simplify,dead,"):
        printed, _ = run(sonoc, folder, "opt", "m.sonoc", f"--passes={text}")
        assert printed.count("Tile") == 2, text
    wrong = {"fly": "there is no pass 'fly'", "infer(x=1)": "has no setting 'x'", "(infer": "')' is missing",
             "(infer)": "'*' is missing", "infer)": "more than a pipeline", "infer,,dead": "a pass is missing",
             "(" * 20: "too many groups"}
    wrong["infer,quantize(bits=20)"] = "rounds to 4 to 12 bits, not to 20"
    for text, message in wrong.items():
        _, said = run(sonoc, folder, "opt", "m.sonoc", f"--passes={text}", "--exactness=fast", status=2)
        assert message in said, said
    _, said = run(sonoc, folder, "opt", "m.sonoc", "--passes=infer,raise_norm", "--exactness=bit", status=2)
    assert "'raise_norm' is REAL" in said


def test_watching(sonoc, folder):
    """The graph before and after a pass, the difference, pictures and times."""
    _, said = run(sonoc, folder, "opt", "m.sonoc", "--print-before=simplify", "--print-after=simplify", "-q")
    assert said.count("# before pass simplify\n") == said.count("# after pass simplify\n") == 1 and said.count("Tile") == 2
    _, said = run(sonoc, folder, "opt", "m.sonoc", "--print-changed", "-q", "--stop-after=simplify")
    assert "# pass simplify changed\n@@ -1," in said and "\n-    %a = Concat(%x, %x)" in said and "\n+    %a = Tile(" in said
    run(sonoc, folder, "opt", "m.sonoc", "--dot=.", "--passes=infer,simplify")
    dot = (folder / "01_simplify.dot").read_text()
    assert dot.startswith('digraph "g" {') and dot.count('label="Tile') == 2 and dot.endswith("}\n")
    _, said = run(sonoc, folder, "opt", "m.sonoc", "--time-passes", "--trace=t.json", "-q", "--passes=(infer,simplify)*")
    assert "simplify (2 rewrites)" in said and "repeat" in said
    events = {event["name"]: event for event in json.loads((folder / "t.json").read_text())["traceEvents"]}
    outer, inner = events["repeat"], events["infer"]
    assert outer["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"] + 1


def test_remarks(sonoc, folder):
    """Every rewrite is told with what it saved, as text and as JSON."""
    _, said = run(sonoc, folder, "opt", "m.sonoc", "--remarks", "-q")
    assert said.count("simplify: done: Concat ") == 2 and "(rewrite 2)" in said
    _, said = run(sonoc, folder, "opt", "m.sonoc", "--remarks=json", "-q")
    rows = json.loads(said)
    assert [row["rewrite"] for row in rows if row["pass"] == "simplify"] == [1, 2]
    (folder / "n.sonoc").write_text("graph g(%x: f32[1,2,4,4]) -> (%y) {\n    %a = Neg(%x) : ?\n    %b = Neg(%x) : ?\n"
                                    "    %y = Add(%a, %b) : ?\n}\n")
    shared = [row for row in json.loads(run(sonoc, folder, "opt", "n.sonoc", "--remarks=json", "-q")[1]) if row["pass"] == "share"]
    assert [row["saved_nodes"] for row in shared] == [1] and shared[0]["saved_bytes"] == 128


def test_bisect(sonoc, folder):
    """The rewrite that makes a command fail is found; what is not to blame is not blamed."""
    command = ["sh", "-c", "! grep -q 'c = Tile' {}"]
    printed, _ = run(sonoc, folder, "bisect", "m.sonoc", "--", *command)
    assert printed.startswith("pass simplify, rewrite 2 of 2, at Concat 'c': exit status 1"), printed
    found = json.loads(run(sonoc, folder, "bisect", "m.sonoc", "--json", "--", *command)[0])
    assert (found["pass"], found["rewrite"], found["node"]) == ("simplify", 2, "c")
    assert "does not fail" in run(sonoc, folder, "bisect", "m.sonoc", status=1)[0]
    assert "without any rewrite" in run(sonoc, folder, "bisect", "m.sonoc", "--", "false", status=1)[0]
    assert "No such file" in run(sonoc, folder, "bisect", "m.sonoc", "--", "./absent", status=3)[1]
    printed, _ = run(sonoc, folder, "opt", "m.sonoc", "--bisect-limit=1", "--passes=infer,simplify")
    assert printed.count("Tile") == 1 and "%a = Tile" in printed


CHAIN = """graph g(%x: f32[1,4,40,40]) -> (%y) {{
    %w = constant f32[4,4,3,3] {{{weights}}}
    %s = {source}(%x) : ?
    %a = Abs(%s) : ?
    %c0 = Add(%a, %s) : ?
{links}
    %y = Relu(%c{n}) : ?
}}
"""
WRONG_RULE = "rule no_abs: BIT level 1\n    match y = Abs(x)\n    make  y = x\n"


def write_chain(folder, source, n):
    """A rewrite in front of n convolutions: right if what `source` gives is not negative."""
    links = "\n".join(f"    %c{i + 1} = Conv(%c{i}, %w) {{pads = [1, 1, 1, 1]}} : ?" for i in range(n))
    weights = ", ".join(f"{(i % 7 - 3) / 8}" for i in range(144))
    (folder / "chain.sonoc").write_text(CHAIN.format(source=source, weights=weights, links=links, n=n))
    (folder / "wrong.rules").write_text(WRONG_RULE)


def test_check(sonoc, folder):
    """What a pass changed is judged by itself; knowing where its input comes from is no fault; a fault is named and cut out."""
    options = ("-q", "--check-passes", "--passes=infer,rules", "--rules=wrong.rules", "--reduced=small.sonoc")
    write_chain(folder, "Sigmoid", 12)
    _, said = run(sonoc, folder, "opt", "chain.sonoc", *options[1:])
    assert "2 passes changed the graph and kept their promise" in said and "whole graph" not in said, said
    write_chain(folder, "Sin", 12)
    _, said = run(sonoc, folder, "opt", "chain.sonoc", *options, status=1)
    assert "pass 'rules' is not BIT: rewrite 1 of it, at Abs 'a'" in said, said
    small = (folder / "small.sonoc").read_text()
    assert "Abs" in small and "Conv" not in small, small


def test_reduce(sonoc, folder):
    """What does not matter for a failure goes; the exit status stays the same."""
    command = ["sh", "-c", "grep -q Sigmoid {} && exit 7; exit 0"]
    printed, _ = run(sonoc, folder, "reduce", "m.sonoc", "-o", "small.sonoc", "--", *command)
    assert printed == "small.sonoc: 1 of 4 nodes, exit status 7\n", printed
    small = (folder / "small.sonoc").read_text()
    assert "%b = Sigmoid(%a) : f32[1,4,4,4]" in small and small.count("=") == 1
    assert "does not fail" in run(sonoc, folder, "reduce", "m.sonoc", "-o", "s.sonoc", "--", "true", status=3)[1]
    run(sonoc, folder, "reduce", "m.sonoc", "--", "true", status=2)


def tampered(text, change):
    """Give what the checker finds in a changed certificate."""
    data = json.loads(text)
    change(data)
    return list(certificate.check(data))


def first_access(data, write):
    """Find the first access that reads or writes an arena buffer with a sum for its index."""
    arena = {b["id"] for b in data["buffers"] if b["kind"] == "arena"}
    return next(a for k in data["kernels"] for a in k["accesses"] if a["write"] == write and a["buffer"] in arena and "terms" in a)


def test_certificate(sonoc, folder):
    """A true certificate passes, and no false one does."""
    (folder / "c.sonoc").write_text(
        "graph g(%x: f32[1,2,8,8]) -> (%y) {\n    %w = constant f32[2,2,1,1] {1.0, 2.0, 3.0, 4.0}\n    %a = Conv(%x, %w) : ?\n"
        "    %b = MaxPool(%a) {kernel_shape = [2, 2]} : ?\n    %c = Conv(%b, %w) : ?\n"
        "    %d = MaxPool(%c) {kernel_shape = [2, 2]} : ?\n    %y = Conv(%d, %w) : ?\n}\n")
    run(sonoc, folder, "compile", "c.sonoc", "-o", "c.c", "--memory-certificate=c.json")
    text = (folder / "c.json").read_text()
    assert not tampered(text, lambda data: None)
    live = [b for b in json.loads(text)["buffers"] if b["kind"] == "arena" and b["first_kernel"] >= 0]
    assert len(live) >= 2, "the example has too few buffers"

    def buffer(data, i):
        return next(b for b in data["buffers"] if b["id"] == live[i]["id"])

    changes = [
        lambda data: buffer(data, 0).update(offset=buffer(data, 1)["offset"]),
        lambda data: buffer(data, 0).update(offset=data["arena_bytes"]),
        lambda data: buffer(data, 0).update(offset=buffer(data, 0)["offset"] + 4),
        lambda data: buffer(data, 0).update(last_kernel=buffer(data, 0)["first_kernel"]),
        lambda data: first_access(data, False).update(hi=1 << 30),
        lambda data: first_access(data, False).update(proven=False),
        lambda data: first_access(data, True).update(base=-1, lo=-1),
        lambda data: first_access(data, True).update(write=False),
    ]
    for i, change in enumerate(changes):
        assert tampered(text, change), f"change {i} is not noticed"


def test_overwriting(sonoc, folder):
    """A buffer lies where one lay that dies; the checker believes it for the accesses alone."""
    (folder / "c.sonoc").write_text(
        "graph g(%x: f32[1,4,16,40]) -> (%y) {\n    %a = MaxPool(%x) {kernel_shape = [1, 1]} : ?\n"
        "    %m = GlobalMaxPool(%a) : ?\n    %d = Sub(%a, %m) : ?\n    %e = Exp(%d) : ?\n"
        "    %y = MaxPool(%e) {kernel_shape = [2, 2]} : ?\n}\n")
    run(sonoc, folder, "compile", "c.sonoc", "-o", "c.c", "--memory-certificate=c.json")
    text = (folder / "c.json").read_text()
    assert not tampered(text, lambda data: None)
    over = next(b for b in json.loads(text)["buffers"] if "overwrites" in b)

    def accesses(data, i):
        return [a for a in data["kernels"][over["first_kernel"]]["accesses"] if a["buffer"] == over[["overwrites", "id"][i]]]

    def swap_turns(data):
        terms = accesses(data, 0)[-1]["terms"]
        terms[0][2], terms[1][2] = terms[1][2], terms[0][2]

    changes = [
        lambda data: next(b for b in data["buffers"] if b["id"] == over["id"]).pop("overwrites"),
        lambda data: next(b for b in data["buffers"] if b["id"] == over["overwrites"]).update(count=1 << 20),
        lambda data: accesses(data, 0)[-1].update(statement=1 << 20),
        lambda data: accesses(data, 1)[0].update(base=1, lo=accesses(data, 1)[0]["lo"] + 1),
        lambda data: accesses(data, 0)[-1].update(write=True),
        lambda data: accesses(data, 0)[-1].pop("terms"),
        lambda data: accesses(data, 1)[0]["terms"][0].__setitem__(0, 7),
        swap_turns,
    ]
    for i, change in enumerate(changes):
        assert tampered(text, change), f"change {i} is not noticed"


def main():
    """Run all tests; print what fails."""
    parser = argparse.ArgumentParser(description="Test what drives the passes.")
    parser.add_argument("--sonoc", required=True, type=Path)
    sonoc, failed = str(parser.parse_args().sonoc.resolve()), 0
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    for name, test in tests:
        with tempfile.TemporaryDirectory() as folder:
            try:
                write(Path(folder))
                test(sonoc, Path(folder))
            except Exception:
                failed += 1
                print(f"{name}:\n{traceback.format_exc()}")
    print(f"{len(tests)} tests, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
