"""Compares engines on models, in one run: alternating, minimum and median, memory, time to the first result, error.

    bench/run [MODEL ...] [options]              installs the engines first
    python bench/bench.py [MODEL ...] [options]

A MODEL is a name of models.py (default: all of them), which makes it, or an ONNX file.

Every contestant runs in a process of its own, pinned to as many cores as it has threads; a round runs each once, so
that what disturbs the machine disturbs all. There are --rounds, or fewer if the budget of seconds is spent.
Contestants are those of contestants.py, 'sonoc-c:COMMAND' with the C compiler, NAME@FORM on another file of a model's
folder (onnxruntime@deform). One that is not installed, or does not take a model, gets a row that says so.

What was measured is kept in --out, a file for each model and number of threads, and not measured again for the same
sonoc and settings, unless --again; bench.md, bench.json and bench.svg there show all of it.
"""

import argparse
import hashlib
import json
import os
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import chart
import numpy as np
import onnx
import report

HERE = Path(__file__).resolve().parent
NAMES = ("acsnet", "resnet18", "mobilenetv2", "unet")
CONTESTANTS = ("onnxruntime", "onnxruntime@deform", "openvino", "ncnn", "sonoc-c:gcc -O3", "sonoc-c:clang-19 -O3",
               "sonoc-jit")
SLOW = ("mnn", "iree", "emx-onnx-cgen")
PATIENCE = 600  # seconds that a contestant has for an answer
LEAST_ROUNDS = 3


class Lost(Exception):
    """A contestant that ended, or took too long."""


class Worker:
    """A contestant's process and what it has measured."""

    def __init__(self, label, job):
        self.label, self.seconds, self.processor, self.unfit = label, [], [], None
        self.process = subprocess.Popen([sys.executable, str(HERE / "worker.py"), json.dumps(job)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)
        try:
            self.opened = self.answer()
            self.unfit = self.opened.get("unfit")
        except Lost as why:
            self.unfit = str(why)
        if self.unfit:
            self.process.kill()

    def answer(self):
        """What the process says next."""
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            self.process.kill()
            raise Lost(f"no answer in {PATIENCE} s")
        line = self.process.stdout.readline()
        if not line:
            raise Lost(f"ended with status {self.process.wait()}")
        return json.loads(line)

    def ask(self, **wanted):
        """Give a command; what it answers."""
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def run(self):
        """One run, timed."""
        answer = self.ask(run=True)
        self.seconds.append(answer["seconds"])
        self.processor.append(answer["processor"])

    def row(self, reference):
        """What the table tells; the process ends."""
        if self.unfit:
            return {"contestant": self.label, "unfit": self.unfit}
        row = {"contestant": self.label, "runs": len(self.seconds), "minimum_ms": min(self.seconds) * 1e3,
               "median_ms": statistics.median(self.seconds) * 1e3, "processor_ms": min(self.processor) * 1e3,
               "first_s": self.opened["first"]}
        if reference:
            row["error"] = self.ask(error=str(reference))["error"]
        peak = self.ask(quit=True)["memory"]
        self.process.wait()
        return row | {"peak_mb": peak / 1e6, "base_mb": self.opened["base"] / 1e6}


def model_ports(model, reference, folder):
    """Path of an .npz with an array for every input: from the reference, else seeded normal noise; output names."""
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


def open_worker(text, model, threads, shared, ports):
    """'sonoc-c:clang-19 -O3' is sonoc's C built by that command; 'NAME@FORM' takes FORM.onnx beside the model."""
    name, _, command = text.partition(":")
    name, _, form = name.partition("@")
    options = dict(shared)
    if command:
        options["cc"] = command
    if form:
        model = model.with_name(f"{form}.onnx")
    job = {"contestant": name, "model": str(model), "threads": threads, "options": options, "inputs": str(ports[0]),
           "outputs": ports[1]}
    return Worker(text, job)


def applies(text, model):
    """A form that a model has not is no contestant."""
    form = text.partition(":")[0].partition("@")[2]
    return not form or model.with_name(f"{form}.onnx").exists()


def run_rounds(workers, rounds, budget):
    """Let all run in turn, `rounds` times or until the budget of seconds is spent; who falls is left out."""
    begin = time.monotonic()
    for done in range(rounds):
        if done >= LEAST_ROUNDS and time.monotonic() - begin > budget:
            break
        for worker in workers:
            if worker.unfit:
                continue
            try:
                worker.run()
            except (Lost, BrokenPipeError) as why:
                worker.unfit = str(why)


def measure(model, reference, threads, arguments, cache):
    """Rows of all contestants on one model."""
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        ports, workers = model_ports(model, reference, folder), []
        for number, text in enumerate(c for c in arguments.contestants if applies(c, model)):
            own = Path(folder) / f"cache{number}"
            own.mkdir()
            shared = {"sonoc": arguments.sonoc, "target": arguments.target, "cache": str(own)}
            workers.append(open_worker(text, model.absolute(), threads, shared, ports))
            tell(f"  {text}: {workers[-1].unfit or 'ready after %.1f s' % workers[-1].opened['first']}")
        run_rounds(workers, arguments.rounds, arguments.budget)
        return [worker.row(reference) for worker in workers]


def measure_kernels(model, reference, arguments):
    """What `sonoc bench` tells of each kernel; one thread."""
    command = [arguments.sonoc, "bench", str(model), "-O3", f"--target={arguments.target}", "--json", "--quiet",
               "--runs=10", "--cc=gcc -O3", *(["--inputs", str(reference)] if reference else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def tell(text):
    """To the person who waits."""
    print(text, file=sys.stderr, flush=True)


def find_model(text, arguments):
    """(name, ONNX file, reference or None) of what the command line names."""
    if text not in NAMES:
        path = Path(text)
        return path.stem, path, arguments.reference
    folder = arguments.models / text
    command = [sys.executable, str(HERE / "models.py"), "--out", str(arguments.models), "--models", text]
    if not all((folder / name).exists() for name in ("model.onnx", "reference.npz", "ncnn")):
        tell(f"{text}: making the model")
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return text, folder / "model.onnx", folder / "reference.npz"


def fingerprint(model, threads, arguments):
    """Changes with whatever makes a measurement another one."""
    said = [str(model), threads, arguments.contestants, arguments.rounds, arguments.budget, arguments.target]
    return hashlib.sha256(Path(arguments.sonoc).read_bytes() + repr(said).encode()).hexdigest()


def measure_once(text, threads, arguments):
    """A model with a number of threads: from the file of an earlier run, or measured and written there."""
    name, model, reference = find_model(text, arguments)
    path = arguments.out / f"{name}-{threads}.json"
    mark = fingerprint(model, threads, arguments)
    if path.exists() and not arguments.again:
        result = json.loads(path.read_text())
        if result["fingerprint"] == mark:
            tell(f"{name}, {threads} threads: measured already")
            return result
    tell(f"{name}, {threads} threads")
    result = {"model": name, "threads": threads, "fingerprint": mark,
              "rows": measure(model, reference, threads, arguments, arguments.out)}
    if arguments.kernels and threads == 1:
        tell("  kernels")
        result["kernels"] = measure_kernels(model, reference, arguments)
    half = path.with_suffix(".half")
    half.write_text(json.dumps(result, indent=1))
    os.replace(half, path)
    return result


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", nargs="*", default=NAMES)
    parser.add_argument("--reference", type=Path, help="of an ONNX file: .npz with inputs and outputs by name")
    parser.add_argument("--threads", default="1,2", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--budget", type=float, default=25, help="seconds of rounds for each model and thread count")
    parser.add_argument("--sonoc", default="build/release/sonoc")
    parser.add_argument("--target", default="x86-64-v3")
    parser.add_argument("--contestants", default=",".join(CONTESTANTS),
                        help=f"with commas; slow ones: {', '.join(SLOW)}")
    parser.add_argument("--models", type=Path, default=Path("build/bench/models"))
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--kernels", action="store_true", help="and sonoc's kernels, one by one")
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    arguments.contestants = arguments.contestants.split(",")
    found = shutil.which(arguments.sonoc)
    if not found:
        parser.error(f"{arguments.sonoc} is not there: build it, or --sonoc")
    arguments.sonoc = str(Path(found).resolve())
    return arguments


def main():
    """Measure, and show all of it."""
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    operations, bandwidth = peak_of_core()
    results = [measure_once(text, threads, arguments) for text in arguments.model for threads in arguments.threads]
    whole = {"gflops": operations, "gbytes": bandwidth, "target": arguments.target, "results": results}
    (arguments.out / "bench.json").write_text(json.dumps(whole, indent=1))
    (arguments.out / "bench.svg").write_text(chart.draw(results))
    text = report.markdown(whole)
    (arguments.out / "bench.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
