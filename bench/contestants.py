"""The engines that the benchmark compares: each opens a model and runs it, nothing else.

A contestant has open(model, threads, options) -> runner; a runner has run(inputs: dict of arrays) -> list of
arrays, in the order of the model's outputs, and must do all its work inside that call.
"""

import ctypes
import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import numpy as np

DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i8": np.int8, "u8": np.uint8,
          "i16": np.int16, "u16": np.uint16, "i32": np.int32, "u32": np.uint32, "i64": np.int64,
          "u64": np.uint64, "bool": np.bool_}


class OnnxRuntime:
    """ONNX Runtime's CPU provider with all its graph optimisations."""

    def __init__(self, model, threads, options):
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(model), settings,
                                                    providers=["CPUExecutionProvider"])

    def run(self, inputs):
        return self.session.run(None, inputs)


class SonocC:
    """sonoc's C file, built with a C compiler into a shared object and called through ctypes."""

    def __init__(self, model, threads, options):
        self.folder = tempfile.TemporaryDirectory()
        source = Path(self.folder.name) / "model.c"
        target = options.get("target", "x86-64-v3")
        command = [options["sonoc"], "compile", str(model), "-o", str(source), "--prefix=model",
                   "--weights=incbin", f"--target={target}"] + options.get("compile", [])
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        shared = source.with_suffix(".so")
        cc = shlex.split(options.get("cc", "gcc -O3"))
        subprocess.run([*cc, "-std=c11", "-shared", "-fPIC", source.name, "-o", shared.name], check=True,
                       cwd=self.folder.name)
        self.library = ctypes.CDLL(str(shared))
        show = subprocess.run([options["sonoc"], "show", str(model), "--json"], check=True,
                              capture_output=True, text=True)
        self.ports = json.loads(show.stdout)
        self.state = ctypes.create_string_buffer(4096)
        if hasattr(self.library, "model_init"):
            self.library.model_init(self.state)

    def run(self, inputs):
        given = [np.ascontiguousarray(inputs[p["name"]]) for p in self.ports["inputs"]]
        outputs = [np.empty(p["dims"], DTYPES[p["dtype"]]) for p in self.ports["outputs"]]
        pointers = (ctypes.c_void_p * len(given))(*[a.ctypes.data for a in given])
        results = (ctypes.c_void_p * len(outputs))(*[a.ctypes.data for a in outputs])
        if self.library.model_run_ports(self.state, pointers, results):
            raise RuntimeError("the generated code reports an error")
        return outputs


CONTESTANTS = {"onnxruntime": OnnxRuntime, "sonoc-c": SonocC}


def open_contestant(name, model, threads, options):
    """A runner of the contestant `name`; pins the process to `threads` cores first."""
    cores = sorted(os.sched_getaffinity(0))[-threads:]
    os.sched_setaffinity(0, cores)
    return CONTESTANTS[name](model, threads, options)
