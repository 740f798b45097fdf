"""Compares engines on a model, in one run: alternating, minimum and median, memory, error.

    python bench/bench.py MODEL.onnx [--reference R.npz] [--threads 1] [--rounds 10] [--sonoc PATH]
                          [--contestants onnxruntime,sonoc-c:gcc -O3] [--json FILE]

Every contestant runs in a process of its own; a round runs each once.  Speed is told as a ratio against the first
contestant, of the shortest runs.  Processor time, the least of all runs, says more where a machine does other things, too.  The reference is an .npz with the inputs and, for the errors, the outputs by name (float64 say).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

HERE = Path(__file__).resolve().parent


class Worker:
    """A contestant's process and what it has measured."""

    def __init__(self, label, job):
        self.label, self.seconds, self.processor = label, [], []
        self.process = subprocess.Popen([sys.executable, str(HERE / "worker.py"), json.dumps(job)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self.answer()["first"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.label}: ended without an answer")
        return json.loads(line)

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def run(self):
        answer = self.ask(run=True)
        self.seconds.append(answer["seconds"])
        self.processor.append(answer["processor"])


def model_inputs(model, reference, folder):
    """Path of an .npz with an array for every input: from the reference, else seeded normal noise."""
    given = dict(np.load(reference)) if reference else {}
    graph = onnx.load(str(model), load_external_data=False).graph
    constants = {t.name for t in graph.initializer}
    random, arrays = np.random.default_rng(1), {}
    for value in graph.input:
        if value.name in constants:
            continue
        shape = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        arrays[value.name] = given.get(value.name, random.standard_normal(shape).astype(np.float32))
    path = Path(folder) / "inputs.npz"
    np.savez(path, **arrays)
    return path, [o.name for o in graph.output]


def peak_of_core():
    """(10^9 float32 operations a second, 10^9 bytes a second) of one core, by peak.c."""
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/peak"
        subprocess.run(["gcc", "-O3", "-march=native", str(HERE / "peak.c"), "-o", program], check=True)
        return [float(x) for x in subprocess.run([program], check=True, capture_output=True,
                                                 text=True).stdout.split()]


def contestant(text, sonoc, target):
    """'sonoc-c:clang-19 -O3' is sonoc's C built by that command; other names stand alone."""
    name, _, command = text.partition(":")
    options = {"sonoc": sonoc, "target": target}
    if command:
        options["cc"] = command
    return name, options


def measure(arguments, folder):
    inputs, outputs = model_inputs(arguments.model, arguments.reference, folder)
    workers = []
    for text in arguments.contestants.split(","):
        name, options = contestant(text, arguments.sonoc, arguments.target)
        job = {"contestant": name, "model": str(arguments.model), "threads": arguments.threads,
               "options": options, "inputs": str(inputs), "outputs": outputs}
        workers.append(Worker(text, job))
    for _ in range(arguments.rounds):
        for worker in workers:
            worker.run()
    rows = []
    for worker in workers:
        row = {"contestant": worker.label, "minimum_ms": min(worker.seconds) * 1e3,
               "median_ms": statistics.median(worker.seconds) * 1e3,
               "processor_ms": min(worker.processor) * 1e3, "first_s": worker.first}
        if arguments.reference:
            row["error"] = worker.ask(error=str(arguments.reference))["error"]
        row["memory_mb"] = worker.ask(quit=True)["memory"] / 1e6
        row["speed"] = min(workers[0].seconds) / min(worker.seconds)
        rows.append(row)
    return rows


def table(rows):
    lines = ["| contestant | minimum ms | median ms | processor ms | speed | peak MB | largest error |",
             "| --- | ---: | ---: | ---: | ---: | ---: | --- |"]
    for r in rows:
        error = ", ".join(f"{n} {e:.1e}" for n, e in r.get("error", {}).items())
        lines.append(f"| {r['contestant']} | {r['minimum_ms']:.1f} | {r['median_ms']:.1f} | "
                     f"{r['processor_ms']:.1f} | {r['speed']:.2f} | {r['memory_mb']:.0f} | {error} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--sonoc", default="build/release/sonoc")
    parser.add_argument("--target", default="x86-64-v3")
    parser.add_argument("--contestants", default="onnxruntime,sonoc-c:gcc -O3,sonoc-c:clang-19 -O3")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    operations, bandwidth = peak_of_core()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(arguments, folder)
    print(f"one core: {operations:.1f} GFLOP/s, reads {bandwidth:.1f} GB/s; threads: {arguments.threads}\n")
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps({"gflops": operations, "gbytes": bandwidth, "rows": rows}))


if __name__ == "__main__":
    main()
