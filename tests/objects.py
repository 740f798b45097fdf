"""Machine code to be shipped: compiles models to objects, shared libraries, assembly and LLVM IR, links them with a
small C program, runs that, and compares the bits with the interpreter's.

    python tests/objects.py --sonoc build/release/sonoc

The aarch64 object is linked and run under qemu where Debian's cross compiler and qemu-user are installed; what is not
there is reported as skipped.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from readers import has_jit

ROOT = Path(__file__).parent.parent
MAIN = Path(__file__).parent / "objects/main.c"
SMALL = """graph small(%x: f32[3,16], %flag: bool[3,1], %i: i64[3,4]) -> (%y, %again, %k, %fixed, %h) {
    %w = constant f32[16,4] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
                             12, 13, 14, 15, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1, 2, 3, 4, 5,
                             6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
    %fixed = constant i64[2] {-3, 9000000000}
    %two = constant i64[1] {2}
    %p = MatMul(%x, %w)
    %s = Softmax(%p) {axis = -1}
    %y = Where(%flag, %s, %p)
    %again = Identity(%x)
    %k = Div(%i, %two)
    %h = Cast(%y) {to = 10}
}
"""
FORMS = {  # name: how it is compiled, how it is built with the C program
    "object": (["-o", "model.o"], "gcc -o main main.c model.o"),
    "object, weights beside": (["-o", "model.o", "--weights=object"], "gcc -o main main.c model.o model_weights.o"),
    "object, caller's arena": (["-o", "model.o", "--arena=caller"], "gcc -DCALLER_ARENA -o main main.c model.o"),
    "baseline": (["-o", "model.o", "--target=baseline"], "gcc -o main main.c model.o"),
    "this machine": (["-o", "model.o", "--target=native"], "gcc -o main main.c model.o"),
    "a processor": (["-o", "model.o", "--target=x86_64-linux-gnu,cpu=haswell"], "gcc -o main main.c model.o"),
    "assembly": (["-o", "model.s"], "gcc -o main main.c model.s"),
    "LLVM IR": (["-o", "model.ll"], "clang-19 -Wno-override-module -o main main.c model.ll"),
    "shared library": (["-o", "model.so"], "gcc -o main main.c ./model.so"),
    "aarch64": (["-o", "model.o", "--target=aarch64-linux-gnu"],
                "aarch64-linux-gnu-gcc -static -o main main.c model.o"),
}
PLANS = {"baseline": "baseline", "aarch64": "aarch64"}  # the row of targets.def; all others: the default
EMULATORS = {"aarch64": "qemu-aarch64"}


def run(folder, *command, status=0, **options):
    """Run a command in a folder; return what it printed and said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, **options)
    if done.returncode != status:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout, done.stderr


def expected_bytes(sonoc, folder, model, plan):
    """Bytes of the interpreter's outputs, in the order of the ports."""
    target = [f"--target={plan}"] if plan else []
    run(folder, sonoc, "run", model, "--inputs", "in.npz", "--outputs", "out.npz", "--backend=interp", "--quiet", *target)
    with np.load(folder / "out.npz") as file:
        return b"".join(np.ascontiguousarray(file[name]).tobytes() for name in file.files)


def write_inputs(folder, arrays):
    """Write inputs for sonoc and for the C program."""
    np.savez(folder / "in.npz", **arrays)
    (folder / "in").write_bytes(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values()))


def check_answers(printed, form):
    """What the functions answer when they are given nothing: 1, a bad argument."""
    answers = [int(word) for word in printed.split() if word not in ("init", "run")]
    assert answers and all(answer == 1 for answer in answers), f"{form}: {printed}"


def check_form(sonoc, folder, model, form):
    """Compile, build, run, compare."""
    options, build = FORMS[form]
    compiler, emulator = build.split()[0], EMULATORS.get(form)
    for program in filter(None, [compiler, emulator]):
        if not shutil.which(program):
            return f"skipped: {form}: there is no {program}"
    shutil.copy(MAIN, folder / "main.c")
    run(folder, sonoc, "compile", model, *options, "--prefix=model", "--quiet")
    run(folder, *build.split()[:1], "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-command-line-argument"
        if compiler.startswith("clang") else "-O1", *build.split()[1:])
    printed, _ = run(folder, *filter(None, [emulator]), "./main")
    check_answers(printed, form)
    want = expected_bytes(sonoc, folder, model, PLANS.get(form))
    if (folder / "out").read_bytes() != want:
        raise RuntimeError(f"{model}, {form}: other bits than the interpreter's")
    return f"{form}: the same bits"


def check_refusals(sonoc, folder):
    """What cannot be had is told, and nothing is written."""
    small = folder / "small.sonoc"
    small.write_text(SMALL)
    wrong = [(["-o", "a.o", "--target=mips"], "machine code is made for"), (["-o", "a.o", "--weights=file"], "inside"),
             (["-o", "a.o", "--target=x86-64-v3,tune=x"], "machine code is made for")]
    for options, what in wrong:
        assert what in run(folder, sonoc, "compile", "small.sonoc", *options, status=3)[1]
    without = {**os.environ, "LD": "no-such-linker"}
    assert "no-such-linker" in run(folder, sonoc, "compile", "small.sonoc", "-o", "a.so", status=3, env=without)[1]
    run(folder, sonoc, "compile", "small.sonoc", "-o", "a.c", "--target=x86_64-linux-gnu", status=2)
    run(folder, sonoc, "run", "small.sonoc", "--target=aarch64-linux-gnu", status=2)
    assert not list(folder.glob("a*"))


def main():
    """Check all forms of both models."""
    parser = argparse.ArgumentParser(description="Compile models to machine code and run it.")
    parser.add_argument("--sonoc", required=True, type=Path)
    sonoc = parser.parse_args().sonoc.resolve()
    if not has_jit(sonoc):
        print("skipped: objects: sonoc was built without LLVM")
        return
    rng = np.random.default_rng(5)
    small = {"x": rng.uniform(-2, 2, (3, 16)).astype(np.float32), "flag": np.array([[True], [False], [True]]),
             "i": rng.integers(-9, 9, (3, 4))}
    image = {"image": rng.uniform(0, 1, (1, 3, 256, 256)).astype(np.float32)}
    acsnet = ROOT / "examples/acsnet/acsnet_narrow_ts17.onnx"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check_refusals(sonoc, folder)
        write_inputs(folder, small)
        for form in FORMS:
            print("small graph,", check_form(sonoc, folder, "small.sonoc", form), flush=True)
        write_inputs(folder, image)
        for form in ["object", "aarch64"]:
            print("narrow ACSNet,", check_form(sonoc, folder, acsnet, form), flush=True)


if __name__ == "__main__":
    sys.exit(main())
