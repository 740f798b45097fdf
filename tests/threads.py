"""Builds models with every form of --threads and compares their bits with those of one thread.

    python tests/threads.py --sonoc build/release/sonoc [--only NAME] [--models FILE ...]

Each graph runs in 1, 2 and 7 threads, in contexts side by side, and under the thread sanitizer; as machine code in
memory, too. A
graph tells how many loops its threads share: one that is not shared any more is a failure.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FORMS = {"none": 0, "pthreads": 1, "openmp": 2, "callback": 3}
FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-pthread"]
SANITIZER = ["-fsanitize=thread", "-g"]

# name: (loops that are shared at least, graph)
GRAPHS = {
    "conv": (
        1,
        """graph conv(%x: f32[1,3,131,97], %w: f32[27,3,5,5], %b: f32[27]) -> (%y) {
    %c = Conv(%x, %w, %b) {pads = [2, 2, 2, 2]}
    %y = Relu(%c)
}""",
    ),
    "small map": (
        1,
        """graph small_map(%x: f32[1,128,8,8], %w: f32[72,128,3,3]) -> (%y) {
    %y = Conv(%x, %w) {pads = [1, 1, 1, 1]}
}""",
    ),
    "groups": (
        1,
        """graph groups(%x: f32[2,64,20,20], %w: f32[64,16,3,3]) -> (%y) {
    %y = Conv(%x, %w) {group = 4, strides = [2, 2]}
}""",
    ),
    "depthwise": (
        1,
        """graph depthwise(%x: f32[1,40,60,60], %w: f32[40,1,3,3]) -> (%y) {
    %y = Conv(%x, %w) {group = 40, pads = [1, 1, 1, 1]}
}""",
    ),
    "winograd": (
        1,
        """graph winograd(%x: f32[1,32,45,53]) -> (%y) {
    %w = constant f32[40,32,3,3] {WEIGHTS}
    %y = Conv(%x, %w) {pads = [1, 1, 1, 1]}
}""".replace("WEIGHTS", ", ".join(str(i % 37 / 64 - 0.25) for i in range(40 * 32 * 9))),
    ),
    "winograd, few tiles": (
        1,
        """graph winograd(%x: f32[2,72,14,15]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {67392}
    %one = constant f32[] {1}
    %shape = constant i64[4] {104, 72, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %y = Conv(%x, %w) {pads = [1, 1, 1, 1]}
}""",
    ),
    "deformable": (
        1,
        """graph deformable(%x: f32[1,32,21,19], %w: f32[33,32,3,3], %o: f32[1,18,21,19], %m: f32[1,9,21,19]) -> (%y) {
    %y = DeformConv(%x, %w, %o, _, %m) {pads = [1, 1, 1, 1]}
}""",
    ),
    "matmul": (
        2,
        """graph matmul(%a: f32[3,70,90], %b: f32[3,90,110], %c: f32[2,500], %d: f32[500,300]) -> (%y, %z) {
    %y = MatMul(%a, %b)
    %z = MatMul(%c, %d)
}""",
    ),
    "sums": (
        2,
        """graph sums(%x: f32[1,33,150,150]) -> (%mean, %whole, %most) {
    %maps = constant i64[2] {2, 3}
    %channels = constant i64[1] {1}
    %p = MaxPool(%x) {kernel_shape = [1, 1]}
    %mean = ReduceMean(%p, %maps)
    %whole = ReduceSum(%x)
    %most = ReduceMax(%x, %channels)
}""",
    ),
    "sweep": (
        3,
        """graph sweep(%x: f32[1,16,90,90]) -> (%y, %p) {
    %s = Sigmoid(%x)
    %a = Mul(%s, %x)
    %y = Softmax(%a) {axis = 1}
    %p = AveragePool(%a) {kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]}
}""",
    ),
    "recurrent": (
        1,
        """graph recurrent(%x: f32[5,3,40], %w: f32[1,400,40], %r: f32[1,400,100]) -> (%y) {
    %y = LSTM(%x, %w, %r) {hidden_size = 100}
}""",
    ),
}


class Failure(Exception):
    """A difference, or a program that failed."""


def run(command, **more):
    """The standard output of a command that must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if done.returncode or done.stderr:
        raise Failure(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def build(sonoc, model, folder, form, flags=()):
    """Compile the model with a form of threads; give the program."""
    where = folder / (form + "".join(flags))
    where.mkdir()
    options = ["--arena=caller", "--prefix=model", f"--threads={form}", "--quiet"]
    run([sonoc, "compile", model, "-o", where / "model.c", *options])
    more = ["-fopenmp"] if form == "openmp" else []
    sources = [HERE / "threads" / "main.c", where / "model.c", *where.glob("model_weights.o")]
    run(["gcc", *FLAGS, *more, *flags, f"-DFORM={FORMS[form]}", f"-I{where}", *sources, "-o", where / "main"])
    return where / "main"


def has_jit(sonoc):
    """Is there machine code in memory?"""
    return "built without LLVM" not in run([sonoc, "--version"])


def check_backend(sonoc, model, backend, threads):
    """The bits of the interpreter, through libsonoc."""
    told = run([sonoc, "verify", model, f"--backend={backend}", f"--threads={threads}", "--cc=gcc -O1", "--quiet"])
    if "DIFFERS" in told or "the same bits" not in told:
        raise Failure(f"{backend}, {threads} threads: {told}")


def check(sonoc, model, folder, shared):
    """Compare all ways to run a model."""
    want = run([build(sonoc, model, folder, "none"), 1, 1, 1])
    for form in list(FORMS)[1:]:
        program = build(sonoc, model, folder, form)
        loops = len(re.findall(r"^static void \w+\(void \*captured", (program.parent / "model.c").read_text(), re.M))
        if loops < shared:
            raise Failure(f"{loops} loops are shared, not {shared}")
        for threads, contexts in [(1, 1), (2, 1), (7, 1), (2, 3)]:
            got = run([program, threads, contexts, 3])
            if got != want:
                raise Failure(f"{form}, {threads} threads, {contexts} contexts: {got.strip()}, not {want.strip()}")
    check_backend(sonoc, model, "c", 3)
    for threads in (1, 2, 7) if has_jit(sonoc) else ():
        check_backend(sonoc, model, "jit", threads)
    program = build(sonoc, model, folder, "pthreads", SANITIZER)
    if run([program, 3, 2, 2]) != want:
        raise Failure("other bits under the thread sanitizer")


def main():
    """Run all graphs, or those given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sonoc", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--models", type=Path, nargs="*", default=[])
    args = parser.parse_args()
    failed = 0
    if not has_jit(args.sonoc.resolve()):
        print("skipped: threads: machine code in memory: sonoc was built without LLVM")
    chosen = {name: graph for name, graph in GRAPHS.items() if args.only in name}
    jobs = [(path.stem, 1, path.resolve()) for path in args.models] or [(n, *g) for n, g in chosen.items()]
    for name, shared, graph in jobs:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            model = graph
            if isinstance(graph, str):
                model = folder / "graph.sonoc"
                model.write_text(graph)
            try:
                check(args.sonoc.resolve(), model, folder, shared)
                print(f"{name}: ok")
            except Failure as why:
                failed += 1
                print(f"{name}: FAILED: {why}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
