"""One contestant in a process of its own, so that memory and caches are its own.

The argument is the job as JSON. Answers are lines of JSON on standard output: first the time to the first result and
the memory before the engine was loaded, or {"unfit": why}. Then commands come, a line of JSON each: {"run": true}
answers with the seconds that one run took, and those that processors spent on it; {"error": PATH} with the largest
absolute error of each output against the arrays in PATH (.npz); {"quit": true} with the peak resident memory.
Memory is in bytes.
"""

import json
import os
import sys
import time

import numpy as np
from contestants import Unfit, open_contestant


def peak_memory():
    """Bytes resident at most until now, of this program alone: getrusage tells of its parent, too."""
    for line in open("/proc/self/status", encoding="ascii"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("the system does not tell")


def largest_error(outputs, names, path):
    """Of each output that the reference has."""
    expected = np.load(path)
    return {name: float(np.max(np.abs(output.astype(np.float64) - expected[name].reshape(output.shape))))
            for name, output in zip(names, outputs) if name in expected}


def take_silence():
    """A stream of our own for the answers: engines print to standard output, too."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def serve(job, answers):
    """Open the contestant and do as told."""

    def answer(**values):
        print(json.dumps(values), file=answers, flush=True)

    inputs = dict(np.load(job["inputs"]))
    base, begin = peak_memory(), time.perf_counter()
    try:
        runner = open_contestant(job["contestant"], job["model"], job["threads"], job["options"])
        outputs = runner.run(inputs)
    except (Unfit, ImportError) as why:
        answer(unfit=str(why))
        return
    answer(first=time.perf_counter() - begin, base=base)
    memory = 0
    for line in sys.stdin:
        wanted = json.loads(line)
        if "run" in wanted:
            begin, spent = time.perf_counter(), time.process_time()
            outputs = runner.run(inputs)
            answer(seconds=time.perf_counter() - begin, processor=time.process_time() - spent)
            memory = peak_memory()
        elif "error" in wanted:
            answer(error=largest_error(outputs, job["outputs"], wanted["error"]))
        else:
            answer(memory=memory)
            return


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]), take_silence())
