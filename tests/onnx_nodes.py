"""Runs ONNX's own node test cases through the interpreter, through C and through machine code.

    python tests/onnx_nodes.py --sonoc build/release/sonoc [--only SUBSTRING] [--alternate] [--verbose]

A case passes when the interpreter gives the expected outputs within the case's tolerance, and the C,
built without optimisation, and the JIT give the interpreter's bits. A case may be refused, with a reason; a
case that is wrong, or too few that pass, is a failure. Prints a table, an operator a line.
"""

import argparse
import collections
import os
import signal
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
from onnx.backend.test.case.node import collect_testcases

from readers import available

MINIMUM = 450  # cases that pass at least
WORKERS = 2
SECONDS = 60  # for a case through one reader
ULP_OF_NARROW = 2  # allowed for 16-bit floats beside the case's tolerance, as ONNX's runner does for bfloat16
ROOT = Path(__file__).parent.parent
COMPILED = {"C": ["--backend=c", "--cc=gcc -O0"], "JIT": ["--backend=jit"]}

Result = collections.namedtuple("Result", "name operator outcome reason")


def load_cases():
    """Return ONNX's node test cases."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return collect_testcases(None)


def find_operators(cases):
    """Map a case's name to its operator; an expansion into other operators counts for the original."""
    single = {c.name: c.model.graph.node[0].op_type for c in cases if len(c.model.graph.node) == 1}
    operators = {}
    for case in cases:
        base = case.name.split("_expanded")[0]
        nodes = "+".join(dict.fromkeys(node.op_type for node in case.model.graph.node))
        operators[case.name] = single.get(base, nodes[:24])
    return operators


def write_tensor(value, name, path):
    """Write a tensor as ONNX's test data is written; what is no tensor has no file."""
    if value is None or isinstance(value, (list, dict)):
        return
    tensor = value if isinstance(value, onnx.TensorProto) else onnx.numpy_helper.from_array(np.asarray(value), name)
    path.write_bytes(tensor.SerializeToString())


def write_case(case, folder):
    """Write a case's model and tensors."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    for role, values in zip(("input", "output"), case.data_sets[0]):
        for i, value in enumerate(values):
            write_tensor(value, f"{role}_{i}", folder / f"{role}_{i}.pb")


def is_narrow(case):
    """Tell whether an output is a 16-bit float."""
    narrow = onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16
    return any(value.type.tensor_type.elem_type in narrow for value in case.model.graph.output)


def run_sonoc(sonoc, folder, *options):
    """Compare a case's outputs; return the exit status and what was said."""
    command = [sonoc, "verify", folder / "model.onnx", "--inputs", folder, *options]
    # A session of its own, so that a C compiler that sonoc started ends with it.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as process:
        try:
            printed, said = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return -1, f"{SECONDS} s were not enough"
    return process.returncode, (printed if process.returncode == 1 else said).strip()



def shorten(text, folder):
    """The first thing that was said, without the path."""
    lines = [line for line in text.replace(f"{folder}/model.onnx: ", "").splitlines() if "note: " not in line]
    if lines and lines[0].endswith(":"):  # a table follows
        lines = [lines[0] + " " + ", ".join(line.split()[1].rstrip(",") for line in lines[1:] if line.split()[1:])]
    return (lines or ["no word"])[0][:150]


def run_case(sonoc, compiled, case, folder, operator):
    """Run a case through all readers."""
    tolerance = [f"--rtol={case.rtol}", f"--atol={case.atol}", f"--ulp={ULP_OF_NARROW if is_narrow(case) else 0}"]
    runs = {"interpreter": ["--expect", folder, *tolerance], **compiled}
    for reader, options in runs.items():
        status, said = run_sonoc(sonoc, folder, *options)
        if status in (3, 4) and (reader == "interpreter" or "backend " not in said):
            return Result(case.name, operator, "refused", shorten(said, folder))
        if status != 0:
            return Result(case.name, operator, "wrong", f"{reader}, status {status}: {shorten(said, folder)}")
    return Result(case.name, operator, "passed", "")


def print_table(results, verbose):
    """Print an operator a line, and every case that is wrong."""
    table = collections.defaultdict(collections.Counter)
    reasons = collections.defaultdict(collections.Counter)
    for r in results:
        table[r.operator][r.outcome] += 1
        if r.outcome == "refused":
            reasons[r.operator][r.reason] += 1
    print(f"{'operator':<28} passed refused wrong  why refused")
    for operator in sorted(table):
        n, why = table[operator], reasons[operator].most_common(1)
        print(f"{operator:<28} {n['passed']:6} {n['refused']:7} {n['wrong']:5}  {why[0][0] if why else ''}")
    for r in results:
        if r.outcome == "wrong" or (verbose and r.outcome == "refused"):
            print(f"{r.outcome}: {r.name} ({r.operator}): {r.reason}")


def main():
    """Run the cases and print what came out."""
    parser = argparse.ArgumentParser(description="Run ONNX's node test cases.")
    parser.add_argument("--sonoc", default=ROOT / "build/release/sonoc", type=Path)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--verbose", action="store_true", help="tell why each case is refused")
    parser.add_argument("--alternate", action="store_true", help="each case through one compiled form only, in turn")
    options = parser.parse_args()
    sonoc = options.sonoc.resolve()
    folder = ROOT / "build/onnx_nodes"
    cases = [case for case in load_cases() if options.only in case.name]
    operators = find_operators(cases)
    for case in cases:
        write_case(case, folder / case.name)
    compiled = available(COMPILED, sonoc)
    turns = [dict([one]) for one in compiled.items()] if options.alternate and compiled else [compiled]

    def run(number, case):
        return run_case(sonoc, turns[number % len(turns)], case, folder / case.name, operators[case.name])

    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(run, range(len(cases)), cases))
    print_table(results, options.verbose)
    n = collections.Counter(r.outcome for r in results)
    print(f"{n['passed']} passed, {n['refused']} refused, {n['wrong']} wrong")
    too_few = not options.only and n["passed"] < MINIMUM
    if too_few:
        print(f"at least {MINIMUM} should pass")
    sys.exit(bool(n["wrong"] or too_few))


if __name__ == "__main__":
    main()
