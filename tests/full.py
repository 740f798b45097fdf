"""Puts ACSNet at its real width through sonoc and the C compiler, and holds both to what is promised.

    python tests/full.py --sonoc build/release/sonoc [--forms ts17,dynamo21]

For every form: time and memory of `sonoc compile`, the same bytes when it is done twice, what the
object needs from outside, time and memory of gcc -O3, size of the arena and how much of it a run
touches, and the error against PyTorch in float64; time and memory of a first run through the JIT, with and without its
cache; then the model written back as ONNX: its nodes, and its error in ONNX Runtime. The first form is built as a single file, too.
Exports once, into build/acsnet64 (a gigabyte). Times are for a machine that does nothing else.
"""

import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx

from export import MOST_NODES, count_nodes, refusal, run_onnxruntime
from acsnet import FORMS, MOST_KERNELS, OUTPUTS, ROOT, dim_options, errors_against, export

MB = 1 << 20
COMPILE = (15, 1200)  # seconds and MB
BUILD_OBJECT = (40, 3072)
BUILD_LITERAL = (90, 3072)
FIRST_RESULT, FROM_CACHE = 4, 0.6  # seconds, and a run
RUN_MEMORY = 1.5  # times weights and arena
ARENA_MB = 48
WRITTEN_ERROR = 2e-4
MAY_NEED = {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_", "acsnet_weights"}


class Report:
    """What was seen, and what is wrong."""

    def __init__(self):
        self.wrong = []

    def check(self, what, value, bound, unit):
        """Print a figure beside its bound."""
        ok = value <= bound
        print(f"    {what:36} {value:10.4g} {unit:4} at most {bound:g}{'' if ok else '  WRONG'}", flush=True)
        if not ok:
            self.wrong.append(f"{what}: {value:g} {unit}, at most {bound:g}")

    def require(self, what, ok):
        """Print a fact."""
        print(f"    {what:36} {'yes' if ok else 'NO'}", flush=True)
        if not ok:
            self.wrong.append(what)


def measure(command, stdout=subprocess.DEVNULL, cache=None):
    """Run a command; return its seconds and the megabytes of the largest of its processes.

    A small process starts it: the size of the one that forks counts as the child's, too.
    """
    script = ("import resource, subprocess, sys; status = subprocess.run(sys.argv[2:]).returncode; "
              "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss; "
              "open(sys.argv[1], 'w').write(str(peak)); sys.exit(status)")
    with tempfile.NamedTemporaryFile("r") as peak:
        start = time.monotonic()
        environment = {**os.environ, **({"XDG_CACHE_HOME": str(cache)} if cache else {})}
        subprocess.run([sys.executable, "-c", script, peak.name, *command], check=True, stdout=stdout, env=environment)
        return time.monotonic() - start, int(peak.read()) / 1024


def compile_model(sonoc, model, form, folder, weights, *options):
    """Compile a model to C; return seconds, megabytes and the report."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "report.json", "w") as out:
        command = [sonoc, "compile", model, "-o", folder / "acsnet.c", f"--weights={weights}", "--json", "--quiet"]
        seconds, megabytes = measure([*command, *dim_options(form), *options], stdout=out)
    return seconds, megabytes, json.loads((folder / "report.json").read_text())


def undefined_symbols(path):
    """What an object file needs from outside."""
    done = subprocess.run(["nm", "-u", path], check=True, capture_output=True, text=True)
    return {line.split()[-1] for line in done.stdout.splitlines()}


def run_library(path, image, arena_bytes):
    """Run the model; return its outputs and how many bytes from the arena's start were touched."""
    library = ctypes.CDLL(str(path))
    memory = np.full(arena_bytes + 64, 0xA5, np.uint8)
    arena = memory[-memory.ctypes.data % 64:][:arena_bytes]
    outputs = {"class_logits": np.zeros((1, 2), np.float32), "mask_logits": np.zeros((1, 1, 256, 256), np.float32)}
    network = (ctypes.c_void_p * 2)()
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (image, *outputs.values())]
    if library.acsnet_init(network, ctypes.c_void_p(arena.ctypes.data)):
        raise RuntimeError("acsnet_init failed")
    if library.acsnet_run(network, *pointers):
        raise RuntimeError("acsnet_run failed")
    touched = np.flatnonzero(arena != 0xA5)
    return outputs, int(touched[-1]) + 1 if len(touched) else 0


def check_form(report, sonoc, form, folder):
    """Everything about one form but the literal."""
    model, out = folder / f"acsnet64_{form}.onnx", folder / form
    seconds, megabytes, facts = compile_model(sonoc, model, form, out, "object", "--arena=caller")
    report.check("sonoc compile", seconds, COMPILE[0], "s")
    report.check("sonoc compile, memory", megabytes, COMPILE[1], "MB")
    compile_model(sonoc, model, form, out / "again", "object", "--arena=caller")
    names = ["acsnet.c", "acsnet.h", "acsnet_weights.o"]
    report.require("the same bytes twice", all((out / n).read_bytes() == (out / "again" / n).read_bytes() for n in names))
    seconds, megabytes = measure(["gcc", "-O3", "-std=c11", "-fPIC", "-c", out / "acsnet.c", "-o", out / "acsnet.o"])
    report.check("gcc -O3, weights as an object", seconds, BUILD_OBJECT[0], "s")
    report.check("gcc -O3, memory", megabytes, BUILD_OBJECT[1], "MB")
    needs = undefined_symbols(out / "acsnet.o") - MAY_NEED
    report.require(f"needs nothing but memcpy, memset {' '.join(sorted(needs))}", not needs)
    library = out / "acsnet.so"
    subprocess.run(["gcc", "-shared", "-o", library, out / "acsnet.o", out / "acsnet_weights.o"], check=True)
    report.check("kernels", len(facts["kernels"]), MOST_KERNELS, "")
    report.check("arena", facts["arena_bytes"] / MB, ARENA_MB, "MB")
    with np.load(folder / "acsnet64_reference.npz") as reference:
        outputs, touched = run_library(library, np.ascontiguousarray(reference["image"]), facts["arena_bytes"])
        errors = errors_against(outputs, reference)
    report.require("a run touches what the report says", 0 <= facts["arena_bytes"] - touched < 64)
    for name, bound in OUTPUTS.items():
        report.check(f"error of {name}", errors[name], bound, "")
    check_run(report, sonoc, form, model, out, facts["arena_bytes"] / MB)


def check_run(report, sonoc, form, model, out, arena):
    """From the file to the first result through the JIT: uncached, put into the cache, and from it."""
    most = RUN_MEMORY * (model.stat().st_size / MB + arena)
    command = [sonoc, "run", model, "--backend=jit", "--json", "--quiet", *dim_options(form)]
    for way, own, seconds in (("no cache", ["--no-cache"], FIRST_RESULT), ("kept", [], FIRST_RESULT), ("again", [], FROM_CACHE)):
        with tempfile.TemporaryFile("w+") as told:
            took, megabytes = measure([*command, *own], stdout=told, cache=out / "cache")
            told.seek(0)
            run = json.load(told)["seconds"]
        report.check(f"first result, {way}", took, seconds + run, "s")
        report.check(f"first result, {way}, memory", megabytes, most, "MB")
    shutil.rmtree(out / "cache")


def check_written(report, sonoc, form, folder):
    """The model written back as ONNX."""
    out = folder / form / "written.onnx"
    subprocess.run([sonoc, "opt", folder / f"acsnet64_{form}.onnx", "-o", out, "--quiet", *dim_options(form)], check=True)
    nodes, inside = count_nodes(onnx.load(out, load_external_data=False))
    report.check(f"nodes written ({inside} with functions' own)", nodes, MOST_NODES, "")
    report.require("the checker takes it", refusal(out) is None)
    with np.load(folder / "acsnet64_reference.npz") as reference:
        outputs = dict(zip(OUTPUTS, run_onnxruntime(out, {"image": reference["image"]})))
        errors = errors_against(outputs, reference)
    for name in OUTPUTS:
        report.check(f"error of {name} in ONNX Runtime", errors[name], WRITTEN_ERROR, "")


def check_literal(report, sonoc, form, folder):
    """The single file."""
    out = folder / "literal"
    compile_model(sonoc, folder / f"acsnet64_{form}.onnx", form, out, "literal")
    report.require("the literal form is a single file", sorted(p.name for p in out.glob("acsnet*")) == ["acsnet.c", "acsnet.h"])
    seconds, megabytes = measure(["gcc", "-O3", "-std=c11", "-c", out / "acsnet.c", "-o", out / "model.o"])
    report.check("gcc -O3, weights as a literal", seconds, BUILD_LITERAL[0], "s")
    report.check("gcc -O3, memory", megabytes, BUILD_LITERAL[1], "MB")
    needs = undefined_symbols(out / "model.o") - MAY_NEED
    report.require(f"needs nothing but memcpy, memset {' '.join(sorted(needs))}", not needs)


def main():
    """Check the forms asked for."""
    parser = argparse.ArgumentParser(description="Put ACSNet at its real width through sonoc.")
    parser.add_argument("--sonoc", required=True, type=Path)
    parser.add_argument("--forms", default=",".join(FORMS))
    options = parser.parse_args()
    forms = options.forms.split(",")
    sonoc, folder, report = options.sonoc.resolve(), export(64, "random", forms), Report()
    for form in forms:
        print(f"{form}:")
        check_form(report, sonoc, form, folder)
        check_written(report, sonoc, form, folder)
    print(f"{forms[0]} as a single file:")
    check_literal(report, sonoc, forms[0], folder)
    print(f"{len(report.wrong)} wrong")
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
