"""Shows on whole models that passes keep their promises, and that -O0 and -O1 give the same bits.

    python tests/models.py --sonoc build/release/sonoc [--all | MODEL ...]

Models: the narrow ACSNet in its eight forms, the light models of the onnx package, ONNX's node cases. Without names: one
form, one light model, every 16th case. Prints a line for each model. `--check-passes` demands that every pass that changed
the model could be judged. The bits are those of random inputs (of the case's own inputs) through C, or another backend.
"""

import argparse
import io
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx

from acsnet import FORMS, WEIGHTS, dim_options, export
from onnx_nodes import load_cases, write_case

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
FIRST = ["ts17", "squeezenet"]
SAMPLE = 16  # of the node cases, in the first tier
FEWEST_CASES = 0.6  # of the node cases: the others have element types, sequences or operators that sonoc lacks
REFUSED = (3, 4)


class Wrong(Exception):
    """What a model does that it should not."""


def run(command):
    """Run sonoc; return its exit status and what it says."""
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, *REFUSED):
        raise Wrong(f"status {done.returncode}: {done.stderr.strip()}")
    return done.returncode, done.stderr


def same_bits(a, b):
    """Are arrays the same, any NaN being like any other?"""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    different = np.frombuffer(a.tobytes(), np.uint8) != np.frombuffer(b.tobytes(), np.uint8)
    different = different.reshape(-1, a.dtype.itemsize).any(axis=1)
    return not np.any(different & ~np.isnan(a.astype(np.float64)).ravel()) if a.dtype.kind == "f" else not different.any()


def outputs_at(sonoc, model, level, backend, options):
    """Give the outputs of a model at -O0 or -O1; None if it is refused."""
    with tempfile.NamedTemporaryFile(suffix=".npz") as out:
        command = [sonoc, "run", model, f"-O{level}", f"--backend={backend}", "--outputs", out.name, "--quiet", *options]
        if run(command)[0] in REFUSED:
            return None
        with np.load(io.BytesIO(Path(out.name).read_bytes())) as file:
            return {name: file[name] for name in file.files}


def compare_levels(sonoc, model, backend, options):
    """Demand the same bits at -O0 and -O1; False: the model is refused."""
    plain, exact = (outputs_at(sonoc, model, level, backend, options) for level in (0, 1))
    if plain is None and exact is None:
        return False
    if plain is None or exact is None or plain.keys() != exact.keys():
        raise Wrong("-O0 and -O1 do not give the same outputs")
    wrong = [name for name in plain if not same_bits(plain[name], exact[name])]
    if wrong:
        raise Wrong(f"-O0 and -O1 give other bits in {', '.join(wrong)}")
    return True


def check_passes(sonoc, model, options):
    """Demand that every pass keeps its promise; return what was said; None if the model is refused."""
    status, said = run([sonoc, "opt", model, "--check-passes", *options])
    if "could not be checked" in said:
        raise Wrong(said.strip())
    kept = [line.partition("note: ")[2] for line in said.splitlines() if "kept their promise" in line]
    return kept[0] if kept else None


def check_model(sonoc, name, model, options, backend):
    """Put one model through both; return its line and whether it is right."""
    start = time.monotonic()
    try:
        kept = check_passes(sonoc, model, options)
        checked = time.monotonic() - start
        if kept is None or not compare_levels(sonoc, model, backend, options):
            raise Wrong("the model is refused")
    except Wrong as wrong:
        return f"{name:14} WRONG: {wrong}", False
    return f"{name:14} {kept} ({checked:.1f} s); -O0 is -O1 ({time.monotonic() - start - checked:.1f} s)", True


def check_case(sonoc, case, folder):
    """Put a node case through both; return what is wrong, "" if nothing is, None if it is refused."""
    write_case(case, folder)
    model = folder / "model.onnx"
    try:
        kept = check_passes(sonoc, model, [])
        same = kept is not None and compare_levels(sonoc, model, "interp", ["--inputs", folder])
    except Wrong as wrong:
        return str(wrong)
    return "" if same else None


def check_cases(sonoc, step):
    """Put every step-th node case through both; return a line and whether all are right."""
    cases = load_cases()[::step]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda case: check_case(sonoc, case, Path(name) / case.name), cases))
    wrong = [f"{case.name}: {text}" for case, text in zip(cases, found) if text]
    right = found.count("")
    line = f"{'node cases':14} {right} of {len(cases)} keep both, {found.count(None)} are refused, {len(wrong)} are wrong"
    return "\n".join([line, *wrong]), not wrong and right >= FEWEST_CASES * len(cases)


def model_of(name, forms):
    """Give a model's path and what sonoc must be told about it."""
    if name in FORMS:
        return export(8, WEIGHTS, forms) / f"acsnet8_{name}.onnx", dim_options(name)
    return LIGHT / f"light_{name}.onnx", []


def main():
    """Check the models that are named, or the first ones, or all."""
    parser = argparse.ArgumentParser(description="Check passes and levels on whole models.")
    parser.add_argument("--sonoc", required=True, type=Path)
    parser.add_argument("--backend", default="c", help="what compares the levels")
    parser.add_argument("--all", action="store_true", help="all models and all node cases")
    parser.add_argument("models", nargs="*")
    options = parser.parse_args()
    light = sorted(path.stem.removeprefix("light_") for path in LIGHT.glob("*.onnx"))
    names = options.models or (FORMS + light if options.all else FIRST)
    sonoc, wrong = options.sonoc.resolve(), 0
    for name in names:
        model, dims = model_of(name, [form for form in names if form in FORMS])
        line, right = check_model(sonoc, name, model, dims, options.backend)
        print(line, flush=True)
        wrong += not right
    if not options.models:
        line, right = check_cases(sonoc, 1 if options.all else SAMPLE)
        print(line)
        wrong += not right
    print(f"{len(names)} models, {wrong} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
