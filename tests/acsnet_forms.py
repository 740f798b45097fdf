"""The graph of the narrow ACSNet at -O2 is the same from each of the eight forms.

    python tests/acsnet_forms.py --sonoc build/release/sonoc [--forms ts17,dynamo21]

Looks at the graph before operators are taken apart: the deformable convolutions and the normalisations are nodes
again, nothing of what they were written as is left, and the graphs are equal up to names (same_graph.py). At -O3 each
becomes few kernels, whose memory certificate holds. That they give the right numbers is what acsnet.py checks. Exports once, into build/acsnet8.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import certificate
from acsnet import FORMS, MOST_KERNELS, WEIGHTS, dim_options, export
from same_graph import Text

WANTED = {"DeformConv": 4, "GroupNormalization": 22, "GlobalAveragePool": 9, "GlobalMaxPool": 8}
SOUP = {"Gather", "GatherElements", "Range", "Expand", "Where", "Shape", "Cast", "Floor", "Clip", "Tile", "Pad",
        "Transpose", "InstanceNormalization"}
LAST = "share_fused"  # the last pass before operators are taken apart


def check_form(sonoc, form, folder):
    """Return a form's graph as text, and what is wrong with it."""
    command = [sonoc, "opt", folder / f"acsnet8_{form}.onnx", "--verify-each", "--quiet", f"--stop-after={LAST}"]
    done = subprocess.run(command + dim_options(form), capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{form}: exit status {done.returncode}: {done.stderr}")
    graph = done.stdout
    operators = Counter(op.split(".")[0] for op, *_ in Text(graph, {}).nodes.values())
    wrong = [f"{form}: {operators[op]} {op}, should be {n}" for op, n in WANTED.items() if operators[op] != n]
    wrong += [f"{form}: {operators[op]} {op} left" for op in sorted(SOUP & operators.keys())]
    return graph, wrong


def check_kernels(sonoc, form, folder):
    """Tell whether a form becomes too many kernels, or buffers that are not as its certificate says."""
    with tempfile.TemporaryDirectory() as out:
        proof = Path(out) / "proof.json"
        command = [sonoc, "compile", folder / f"acsnet8_{form}.onnx", "-o", Path(out) / "acsnet.c", "-O3", "--quiet", "--json",
                   f"--memory-certificate={proof}", *dim_options(form)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{form}: exit status {done.returncode}: {done.stderr}")
        kernels = json.loads(done.stdout)["kernels"]
        wrong = [f"{form}: {line}" for line in certificate.check(json.loads(proof.read_text()))]
    return wrong + [f"{form} becomes {len(kernels)} kernels, should be {MOST_KERNELS} at most"] * (len(kernels) > MOST_KERNELS)


def main():
    """Check the forms asked for."""
    parser = argparse.ArgumentParser(description="Compare the graphs of the eight forms of ACSNet.")
    parser.add_argument("--sonoc", required=True, type=Path)
    parser.add_argument("--forms", default=",".join(FORMS))
    options = parser.parse_args()
    forms = options.forms.split(",")
    folder = export(8, WEIGHTS, forms)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda form: check_form(options.sonoc.resolve(), form, folder), forms))
    numbers, wrong = {}, [message for _, messages in results for message in messages]
    graphs = [Text(graph, numbers) for graph, _ in results]
    outputs = [[graph.number(name) for name in graph.outputs] for graph in graphs]
    for form in forms:
        wrong += check_kernels(options.sonoc.resolve(), form, folder)
    wrong += [f"{form} gives another graph than {forms[0]}" for form, got in zip(forms, outputs) if got != outputs[0]]
    print("\n".join(wrong) or f"{len(forms)} forms, one graph of {len(graphs[0].nodes)} values")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    sys.setrecursionlimit(100000)
    main()
