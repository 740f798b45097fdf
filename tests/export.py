"""Writes models back as ONNX, and looks whether they still are what they were.

    python tests/export.py --sonoc build/release/sonoc [--all] [--only SUBSTRING]

Of each model: `sonoc opt` writes it, twice with the same bytes; ONNX's checker accepts it; ONNX Runtime gives
the original's outputs within 1e-5 (ONNX's own expected ones where ONNX Runtime lacks the original); read again,
it is the graph that was written. The models are ONNX's node cases (every tenth, or --all) and the narrow ACSNet,
which also must have fewer than 200 nodes, and nothing of ours but functions with bodies.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

ROOT = Path(__file__).parent.parent
MOST_NODES = 199  # of ACSNet's graph
SAMPLE = 10  # of the node cases, every tenth


class Wrong(Exception):
    """A model that is not as it should be."""


class Refused(Exception):
    """A model that sonoc or ONNX Runtime cannot take."""


def run_sonoc(sonoc, *arguments):
    """Run sonoc; return what it prints."""
    done = subprocess.run([sonoc, *arguments, "--quiet"], capture_output=True, text=True, timeout=120)
    if done.returncode in (3, 4):
        raise Refused(done.stderr.strip().splitlines()[0])
    if done.returncode:
        raise Wrong(f"sonoc {arguments[0]}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def run_onnxruntime(model, inputs):
    """Run a model in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        wanted = {i.name for i in session.get_inputs()}
        return session.run(None, {name: value for name, value in inputs.items() if name in wanted})
    except Exception as error:
        raise Refused(f"ONNX Runtime: {str(error).splitlines()[0]}") from error


def compare(got, want, rtol=1e-5, atol=1e-5):
    """Compare outputs."""
    for a, b in zip(got, want, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape or a.dtype != b.dtype:
            raise Wrong(f"an output is {a.dtype}{a.shape}, should be {b.dtype}{b.shape}")
        exact = a.dtype.kind in "USO"
        if not (np.array_equal(a, b) if exact else np.allclose(a, b, equal_nan=True, rtol=rtol, atol=atol)):
            raise Wrong("an output is another")


def refusal(model):
    """Say why ONNX's checker does not take a model; None: it does."""
    try:
        onnx.checker.check_model(str(model), full_check=True)
    except Exception as error:
        return str(error)
    return None


def write_back(sonoc, model, folder, *options):
    """Write a model back, check it and read it again; return its path."""
    out, again = folder / "out.onnx", folder / "again.onnx"
    run_sonoc(sonoc, "opt", model, "-o", out, *options)
    run_sonoc(sonoc, "opt", model, "-o", again, *options)
    if out.read_bytes() != again.read_bytes():
        raise Wrong("written twice, it is not the same")
    why = refusal(out)
    if why and not refusal(model):
        raise Wrong(f"the checker: {why}")
    run_sonoc(sonoc, "opt", out, "-o", again, "--passes=infer")
    first, second = (run_sonoc(sonoc, "opt", path, "--passes=infer") for path in (out, again))
    if first != second:
        raise Wrong("read again, it is another graph")
    return out


def check_case(sonoc, case, folder):
    """Check a node case; return whether ONNX Runtime could run it."""
    model = folder / "model.onnx"
    model.write_bytes(case.model.SerializeToString())
    out = write_back(sonoc, model, folder)
    names = [value.name for value in case.model.graph.input]
    values, expected = case.data_sets[0]
    to_array = lambda v: numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else np.asarray(v)
    inputs = {name: to_array(v) for name, v in zip(names, values) if v is not None}
    near = {}
    try:
        want = run_onnxruntime(model, inputs)
    except Refused:
        want, near = [to_array(v) for v in expected], {"rtol": case.rtol, "atol": max(case.atol, 1e-5)}
    try:
        got = run_onnxruntime(out, inputs)
    except Refused as why:
        if "NOT_IMPLEMENTED" not in str(why) and not near:
            raise Wrong(str(why)) from why
        return False
    compare(got, want, **near)
    return True


def count_nodes(model):
    """Count the nodes of a model's graph, and those when its functions stand in the place of their calls.

    What computes nothing, a Constant of a function, is not counted. Nodes of our domain must have functions.
    """
    functions = {(f.domain, f.name, f.overload): f for f in model.functions}

    def count(node):
        body = functions.get((node.domain, node.op_type, node.overload))
        if node.domain and body is None:
            raise Wrong(f"{node.domain}::{node.op_type} has no function")
        return sum(count(n) for n in body.node) if body else int(node.op_type != "Constant")

    return len(model.graph.node), sum(count(node) for node in model.graph.node)


def check_acsnet(sonoc, path, folder):
    """Check a narrow ACSNet, with its weights inside and outside."""
    image = {"image": np.random.default_rng(1).normal(size=(1, 3, 256, 256)).astype(np.float32)}
    want = run_onnxruntime(path, image)
    out = write_back(sonoc, path, folder)
    try:
        compare(run_onnxruntime(out, image), want, 2e-4, 2e-4)
    except Refused as why:
        raise Wrong(str(why)) from why
    nodes, inside = count_nodes(onnx.load(out))
    print(f"{path.name}: {nodes} nodes, {inside} with those of its functions in their place")
    if nodes > MOST_NODES:
        raise Wrong(f"{nodes} nodes")
    out = folder / "outside.onnx"
    run_sonoc(sonoc, "opt", path, "-o", out, "--external-data")
    onnx.checker.check_model(str(out), full_check=True)
    compare(run_onnxruntime(out, image), want, 2e-4, 2e-4)
    if run_sonoc(sonoc, "opt", out, "--passes=infer") != run_sonoc(sonoc, "opt", folder / "out.onnx", "--passes=infer"):
        raise Wrong("with its weights outside it is another graph")


def main():
    """Check all models asked for."""
    parser = argparse.ArgumentParser(description="Write models back as ONNX.")
    parser.add_argument("--sonoc", required=True, type=Path)
    parser.add_argument("--all", action="store_true", help="all node cases")
    parser.add_argument("--only", default="", help="models whose name has this in it")
    parser.add_argument("--models", default=ROOT / "examples/acsnet", type=Path, help="a folder of ACSNets")
    parser.add_argument("--verbose", action="store_true", help="tell what is refused")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cases = [c for c in collect_testcases(None) if options.only in c.name]
    cases = cases if options.all or options.only else cases[::SAMPLE]
    models = [(c.name, check_case, c) for c in cases]
    models += [(p.name, check_acsnet, p) for p in sorted(options.models.glob("*.onnx")) if options.only in p.name]
    counts = {"passed": 0, "refused": 0, "wrong": 0, "not run": 0}
    for name, check, what in models:
        with tempfile.TemporaryDirectory() as folder:
            try:
                ran = check(options.sonoc.resolve(), what, Path(folder))
                counts["passed" if ran is not False else "not run"] += 1
                if ran is False and options.verbose:
                    print(f"not run: {name}")
            except Refused as why:
                counts["refused"] += 1
                if options.verbose:
                    print(f"refused: {name}: {why}")
            except Wrong as why:
                counts["wrong"] += 1
                print(f"wrong: {name}: {why}")
    print(f"{counts['passed']} passed, {counts['not run']} not run by ONNX Runtime, "
          f"{counts['refused']} refused, {counts['wrong']} wrong")
    sys.exit(bool(counts["wrong"] or not counts["passed"]))


if __name__ == "__main__":
    main()
