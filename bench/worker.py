"""One contestant in a process of its own, so that memory and caches are its own.

Reads commands, a line of JSON each, from standard input: {"run": true} answers with the seconds that one run took, and
those that processors spent on it;
{"error": PATH} with the largest absolute error of each output against the arrays in PATH (.npz); {"quit": true}
with the peak resident memory in bytes.
"""

import json
import resource
import sys
import time

import numpy as np
from contestants import open_contestant


def main():
    job = json.loads(sys.argv[1])
    inputs = dict(np.load(job["inputs"]))
    begin = time.perf_counter()
    runner = open_contestant(job["contestant"], job["model"], job["threads"], job["options"])
    outputs = runner.run(inputs)
    print(json.dumps({"first": time.perf_counter() - begin}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "run" in command:
            begin, spent = time.perf_counter(), time.process_time()
            outputs = runner.run(inputs)
            answer = {"seconds": time.perf_counter() - begin, "processor": time.process_time() - spent}
        elif "error" in command:
            expected = np.load(command["error"])
            names = job["outputs"]
            answer = {"error": {n: float(np.max(np.abs(o.astype(np.float64) - expected[n])))
                                for n, o in zip(names, outputs) if n in expected}}
        else:
            answer = {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        print(json.dumps(answer), flush=True)
        if "quit" in command:
            return


if __name__ == "__main__":
    main()
