"""The engines that the benchmark compares: each opens a model and runs it, nothing else.

A contestant is a class: NAME(model, threads, options) opens, and has run(inputs: dict of arrays) -> list of arrays, in
the order of the model's outputs, which does all its work inside that call. What an engine makes of a model beforehand
(options["cache"] is a folder for that) counts as part of the time to its first result. Unfit says why an engine
cannot take a model.
"""

import ctypes
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i8": np.int8, "u8": np.uint8,
          "i16": np.int16, "u16": np.uint16, "i32": np.int32, "u32": np.uint32, "i64": np.int64,
          "u64": np.uint64, "bool": np.bool_}


class Unfit(Exception):
    """Why an engine does not take a model."""


def command(arguments, folder=None):
    """Run a tool of an engine; what it says is shown if it fails."""
    arguments = [str(a) for a in arguments]
    done = subprocess.run(arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Unfit(f"{Path(arguments[0]).name}: status {done.returncode}: {done.stdout[-300:].strip()}")
    return done.stdout


def tool(name):
    """The path of a program that a Python package brought."""
    return Path(sys.executable).parent / name


class OnnxRuntime:
    """ONNX Runtime's CPU provider with all its graph optimisations."""

    def __init__(self, model, threads, options):
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])

    def run(self, inputs):
        """All outputs."""
        return self.session.run(None, inputs)


class OpenVino:
    """OpenVINO's CPU plugin, one request at a time; `precision` f32, or its own choice if empty."""

    precision = "f32"

    def __init__(self, model, threads, options):
        import openvino

        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        if self.precision:
            settings["INFERENCE_PRECISION_HINT"] = self.precision
        self.model = openvino.Core().compile_model(str(model), "CPU", settings)
        self.request = self.model.create_infer_request()

    def run(self, inputs):
        """All outputs."""
        results = self.request.infer(inputs)
        return [results[output] for output in self.model.outputs]


class OpenVinoDefault(OpenVino):
    """OpenVINO as it comes: bfloat16 where the processor has it."""

    precision = ""


class Ncnn:
    """ncnn, on pnnx's translation of the PyTorch network that stands beside the model, or of the model itself."""

    def __init__(self, model, threads, options):
        import ncnn

        folder = Path(model).parent / "ncnn"
        if not folder.exists():
            folder = self.translate(Path(model), Path(options["cache"]))
        self.ncnn, self.net = ncnn, ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.opt.use_fp16_packed = self.net.opt.use_fp16_storage = self.net.opt.use_fp16_arithmetic = False
        self.net.opt.use_bf16_storage = False
        if self.net.load_param(str(folder / "model.param")) or self.net.load_model(str(folder / "model.bin")):
            raise Unfit("ncnn cannot read what pnnx made")

    @staticmethod
    def translate(model, cache):
        """The model through pnnx."""
        folder = cache / "ncnn"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(model, folder / "model.onnx")
        command([tool("pnnx"), "model.onnx", "fp16=0", "ncnnparam=model.param", "ncnnbin=model.bin"], folder)
        return folder

    def run(self, inputs):
        """All outputs; ncnn has no batch axis, and hands over arrays of its own memory."""
        extractor = self.net.create_extractor()
        for i, array in enumerate(inputs.values()):  # pnnx calls them in0, in1, ..., out0, ...
            extractor.input(f"in{i}", self.ncnn.Mat(np.ascontiguousarray(array[0])))
        return [np.array(extractor.extract(f"out{i}")[1])[None] for i in range(len(self.net.output_names()))]


class Mnn:
    """MNN's CPU backend in high precision."""

    def __init__(self, model, threads, options):
        import MNN
        import MNN.expr
        import MNN.nn
        import onnx

        path = Path(options["cache"]) / "model.mnn"
        command([tool("mnnconvert"), "-f", "ONNX", "--modelFile", model, "--MNNModel", path, "--bizCode", "bench"])
        graph = onnx.load(str(model), load_external_data=False).graph
        constants = {t.name for t in graph.initializer}
        self.names = [i.name for i in graph.input if i.name not in constants]
        self.expr = MNN.expr
        manager = MNN.nn.create_runtime_manager(({"precision": "high", "backend": "CPU", "numThread": threads},))
        self.net = MNN.nn.load_module_from_file(str(path), self.names, [o.name for o in graph.output],
                                                runtime_manager=manager)

    def run(self, inputs):
        """All outputs."""
        given = [self.expr.const(inputs[n], list(inputs[n].shape), self.expr.NCHW) for n in self.names]
        return [self.expr.convert(y, self.expr.NCHW).read().copy() for y in self.net.forward(given)]


class Iree:
    """IREE's LLVM CPU backend, for this processor."""

    def __init__(self, model, threads, options):
        import iree.runtime

        folder = Path(options["cache"])
        command([tool("iree-import-onnx"), model, "-o", folder / "model.mlir"])
        command([tool("iree-compile"), folder / "model.mlir", "--iree-hal-target-device=local",
                 "--iree-hal-local-target-device-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host",
                 "-o", folder / "model.vmfb"])
        iree.runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
        module = iree.runtime.load_vm_flatbuffer_file(str(folder / "model.vmfb"), driver="local-task")
        name = next(n for n in module.vm_module.function_names if not n.endswith("$async") and not n.startswith("__"))
        self.function = module[name]

    def run(self, inputs):
        """All outputs."""
        results = self.function(*inputs.values())
        results = results if isinstance(results, (tuple, list)) else [results]
        return [r.to_host() for r in results]


class EmxOnnxCgen:
    """emx-onnx-cgen's C file, built by gcc; it has one thread."""

    def __init__(self, model, threads, options):
        if threads > 1:
            raise Unfit("has one thread")
        folder = Path(options["cache"])
        command([tool("emx-onnx-cgen"), "compile", Path(model).resolve(), "model.c"], folder)
        command(["gcc", "-O3", "-march=native", "-shared", "-fPIC", "model.c", "-lm", "-o", "model.so"], folder)
        library = ctypes.CDLL(str(folder.resolve() / "model.so"))
        weights = folder / "model.bin"
        if weights.exists() and not library.model_load(str(weights).encode()):
            raise Unfit("does not read its own weights")
        self.function = library.model
        self.shapes = self.output_shapes(model)

    @staticmethod
    def output_shapes(model):
        """Of the graph's outputs."""
        import onnx

        outputs = onnx.load(str(model), load_external_data=False).graph.output
        return [[d.dim_value or 1 for d in o.type.tensor_type.shape.dim] for o in outputs]

    def run(self, inputs):
        """All outputs."""
        outputs = [np.empty(shape, np.float32) for shape in self.shapes]
        arrays = [np.ascontiguousarray(a) for a in inputs.values()] + outputs
        self.function(*[ctypes.c_void_p(a.ctypes.data) for a in arrays])
        return outputs


class SonocC:
    """sonoc's C file, built with a C compiler into a shared object and called through ctypes."""

    def __init__(self, model, threads, options):
        folder = Path(options["cache"])
        target = options.get("target", "x86-64-v3")
        pool = ["--threads=pthreads"] if threads > 1 else []
        if pool and "--threads" not in command([options["sonoc"], "compile", "--help"]):
            raise Unfit("has one thread")
        command([options["sonoc"], "compile", model, "-o", folder / "model.c", "--prefix=model", "-O3",
                 "--weights=incbin", f"--target={target}", *pool])
        cc = shlex.split(options.get("cc", "gcc -O3"))
        command([*cc, "-std=c11", "-shared", "-fPIC", "model.c", "-o", "model.so"], folder)
        self.library = ctypes.CDLL(str(folder.resolve() / "model.so"))
        self.ports = json.loads(command([options["sonoc"], "show", model, "--json"]))
        self.state = (ctypes.c_double * 8192)()
        if self.library.model_init(self.state, *([threads] if pool else [])):
            raise Unfit("the generated code reports an error")

    def run(self, inputs):
        """All outputs."""
        given = [np.ascontiguousarray(inputs[p["name"]]) for p in self.ports["inputs"]]
        outputs = [np.empty(p["dims"], DTYPES[p["dtype"]]) for p in self.ports["outputs"]]
        pointers = (ctypes.c_void_p * len(given))(*[a.ctypes.data for a in given])
        results = (ctypes.c_void_p * len(outputs))(*[a.ctypes.data for a in outputs])
        if self.library.model_run_ports(self.state, pointers, results):
            raise RuntimeError("the generated code reports an error")
        return outputs


class SonocOptions(ctypes.Structure):
    """struct sonoc_options of sonoc.h, as far as it is needed here; `size` tells the library so."""

    _fields_ = [("size", ctypes.c_size_t), ("optimize", ctypes.c_int), ("exactness", ctypes.c_int),
                ("threads", ctypes.c_int), ("target", ctypes.c_char_p), ("backend", ctypes.c_char_p)]


class SonocError(ctypes.Structure):
    """struct sonoc_error."""

    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 2044)]


class SonocPort(ctypes.Structure):
    """struct sonoc_port."""

    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_int),
                ("dims", ctypes.POINTER(ctypes.c_int64)), ("count", ctypes.c_size_t), ("bytes", ctypes.c_size_t)]


class SonocJit:
    """sonoc's machine code in memory, through libsonoc."""

    REAL = 1  # enum sonoc_promise

    def __init__(self, model, threads, options):
        self.library = self.load(Path(options["sonoc"]).parent / "libsonoc.so")
        asked = SonocOptions(ctypes.sizeof(SonocOptions), 3, self.REAL, threads,
                             options.get("target", "x86-64-v3").encode(), b"jit")
        self.error = SonocError()
        error = ctypes.byref(self.error)
        self.model = self.library.sonoc_open(str(model).encode(), ctypes.byref(asked), error)
        self.context = self.model and self.library.sonoc_context_open(ctypes.c_void_p(self.model), error)
        if not self.context:
            raise Unfit(self.error.text.decode())
        self.inputs = self.ports(self.library.sonoc_input_count, self.library.sonoc_input)
        self.outputs = self.ports(self.library.sonoc_output_count, self.library.sonoc_output)

    @staticmethod
    def load(path):
        """The library, and what its functions give."""
        try:
            library = ctypes.CDLL(str(path))
        except OSError as why:
            raise Unfit(str(why)) from why
        for name in ("sonoc_open", "sonoc_context_open"):
            getattr(library, name).restype = ctypes.c_void_p
        for name in ("sonoc_input", "sonoc_output"):
            getattr(library, name).restype = ctypes.POINTER(SonocPort)
        return library

    def ports(self, count, port):
        """Names and shapes."""
        model = ctypes.c_void_p(self.model)
        found = [port(model, i).contents for i in range(count(model))]
        return [(p.name.decode(), [p.dims[d] for d in range(p.rank)]) for p in found]

    def run(self, inputs):
        """All outputs; float32 alone."""
        given = [np.ascontiguousarray(inputs[name], np.float32) for name, _ in self.inputs]
        outputs = [np.empty(shape, np.float32) for _, shape in self.outputs]
        pointers = (ctypes.c_void_p * len(given))(*[a.ctypes.data for a in given])
        results = (ctypes.c_void_p * len(outputs))(*[a.ctypes.data for a in outputs])
        if self.library.sonoc_run(ctypes.c_void_p(self.context), pointers, results, ctypes.byref(self.error)):
            raise RuntimeError(self.error.text.decode())
        return outputs


CONTESTANTS = {
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "openvino-default": OpenVinoDefault,
    "ncnn": Ncnn,
    "mnn": Mnn,
    "iree": Iree,
    "emx-onnx-cgen": EmxOnnxCgen,
    "sonoc-c": SonocC,
    "sonoc-jit": SonocJit,
}


def open_contestant(name, model, threads, options):
    """A runner of the contestant `name`; pins the process to `threads` cores first."""
    cores = sorted(os.sched_getaffinity(0))[-threads:]
    os.sched_setaffinity(0, cores)
    return CONTESTANTS[name](model, threads, options)
