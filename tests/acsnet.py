"""Runs the narrow ACSNet, in the eight forms that it is exported in, through every reader.

    python tests/acsnet.py --sonoc build/release/sonoc [--forms ts17,dynamo21]

The interpreter, C under gcc -O0, gcc -O3 and clang-19 -O2, and the JIT give the same bits; these are near
what PyTorch answers in float64 and what ONNX Runtime answers. Exports once, into build/acsnet8.
"""

import argparse
import hashlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime

from readers import available

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples/acsnet"
WEIGHTS = EXAMPLE / "acsnet_narrow.npz"
MOST_KERNELS = 120
OUTPUTS = {"class_logits": 1e-6, "mask_logits": 2e-5}  # error against float64 allowed
RUNTIME_BOUND = 3e-4  # against ONNX Runtime, whose own error is larger
READERS = {
    "interp": ["--backend=interp"],
    "gcc-O0": ["--backend=c", "--cc=gcc -O0"],
    "gcc-O3": ["--backend=c", "--cc=gcc -O3"],
    "clang-O2": ["--backend=c", "--cc=clang-19 -O2"],
    "jit": ["--backend=jit"],
}
FORMS = ["ts11", "ts13", "ts17", "ts17-dynamic", "dynamo18", "dynamo20", "dynamo21", "dynamo23"]


def digest(paths):
    """Hash files."""
    return hashlib.sha256(b"".join(Path(path).read_bytes() for path in paths)).hexdigest()


def export(width, weights, forms, size=256):
    """Export ACSNet and its reference into build/acsnet<width>, unless that was done; return the folder."""
    folder = ROOT / (f"build/acsnet{width}" if size == 256 else f"build/acsnet{width}_{size}")
    sources = sorted(EXAMPLE.glob("*.py")) + ([] if weights == "random" else [weights])
    now = digest(sources)
    stamps = [folder / f"{form}.stamp" for form in forms]
    missing = [stamp.stem for stamp in stamps if not stamp.exists() or stamp.read_text() != now]
    for form in ["all"] if len(missing) == len(FORMS) else missing:
        command = [sys.executable, EXAMPLE / "export.py", "--width", str(width), "--weights", weights]
        command += ["--size", str(size)]
        command += ["--form", form, "--out", folder, "--reference"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for form in missing:
        (folder / f"{form}.stamp").write_text(now)
    return folder


def dim_options(form):
    """What sonoc must be told about a form."""
    return ["--dim", "batch=1"] if form.endswith("dynamic") else []


def run_reader(sonoc, model, form, reader, options, reference, folder):
    """Run a model through a reader; return the bytes of its outputs' file and how long it took."""
    out = folder / f"out_{form}_{reader}.npz"
    start = time.monotonic()
    command = [sonoc, "run", model, "--inputs", reference, "--outputs", out, "--quiet"]
    done = subprocess.run(command + dim_options(form) + options, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{form}, {reader}: status {done.returncode}: {done.stderr}")
    return out.read_bytes(), time.monotonic() - start


def errors_against(outputs, reference):
    """The largest absolute error of each output."""
    return {name: float(np.max(np.abs(outputs[name].astype(np.float64) - reference[name]))) for name in OUTPUTS}


def run_runtime(model, image):
    """What ONNX Runtime answers."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"image": image})))


def check_form(sonoc, readers, form, folder):
    """Run a form through all readers; return what was seen and what is wrong."""
    model, reference_path = folder / f"acsnet8_{form}.onnx", folder / "acsnet8_reference.npz"
    results = {reader: run_reader(sonoc, model, form, reader, options, reference_path, folder)
               for reader, options in readers.items()}
    wrong = [f"{form}: {reader} gives other bits than the interpreter"
             for reader in readers if results[reader][0] != results["interp"][0]]
    with np.load(folder / f"out_{form}_interp.npz") as outputs, np.load(reference_path) as reference:
        errors = errors_against(outputs, reference)
        runtime = errors_against(outputs, run_runtime(model, reference["image"]))
    wrong += [f"{form}: {name} is {errors[name]:.2g} from float64, at most {OUTPUTS[name]:.2g} is right"
              for name in OUTPUTS if not errors[name] <= OUTPUTS[name]]
    wrong += [f"{form}: {name} is {runtime[name]:.2g} from ONNX Runtime"
              for name in OUTPUTS if not runtime[name] <= RUNTIME_BOUND]
    seen = f"{form:13} " + " ".join(f"{name} {errors[name]:.2g} ({runtime[name]:.2g})" for name in OUTPUTS)
    return f"{seen}  " + " ".join(f"{reader} {results[reader][1]:.1f} s" for reader in readers), wrong


def main():
    """Check the forms asked for."""
    parser = argparse.ArgumentParser(description="Run the narrow ACSNet through every reader.")
    parser.add_argument("--sonoc", required=True, type=Path)
    parser.add_argument("--forms", default=",".join(FORMS))
    options = parser.parse_args()
    forms = options.forms.split(",")
    folder = export(8, WEIGHTS, forms)
    print("largest error against float64 (distance from ONNX Runtime), and time to build and run")
    wrong = []
    sonoc = options.sonoc.resolve()
    readers = available(READERS, sonoc)
    with ThreadPoolExecutor(2) as pool:
        for seen, messages in pool.map(lambda form: check_form(sonoc, readers, form, folder), forms):
            print(seen, flush=True)
            wrong += messages
    print("\n".join(wrong) or f"{len(forms)} forms, the same bits from {len(readers)} readers")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
