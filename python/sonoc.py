"""Opens ONNX models and runs them on NumPy arrays, by libsonoc.

    model = sonoc.Model("model.onnx", optimize=3)
    outputs = model.run(image=array)          # {"class_logits": array, ...}

The library is the file that SONOC_LIBRARY names, or libsonoc.so where the system looks for libraries. A model may be
run by several threads at once.
"""

import ctypes as c
import os
import threading
from collections import namedtuple

import numpy as np

# Element types, numbered as in ONNX. bfloat16 is its bits, 4-bit integers are a byte each.
DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_,
          10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64, 16: np.uint16, 21: np.uint8, 22: np.int8}
EXACTNESS = {"bit": 0, "real": 1, "fast": 2}
LOG_KINDS = ("stage", "note", "error")

Port = namedtuple("Port", "name dtype shape")


class Error(Exception):
    """What sonoc says is wrong; `status` is the command line's exit status."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class _Error(c.Structure):
    _fields_ = [("status", c.c_int), ("text", c.c_char * 2044)]


class _Port(c.Structure):
    _fields_ = [("name", c.c_char_p), ("dtype", c.c_int), ("rank", c.c_int), ("dims", c.POINTER(c.c_int64)),
                ("count", c.c_size_t), ("bytes", c.c_size_t)]


_Log = c.CFUNCTYPE(None, c.c_void_p, c.c_int, c.c_char_p)
_Texts = c.POINTER(c.c_char_p)


class _Options(c.Structure):
    _fields_ = [("size", c.c_size_t), ("optimize", c.c_int), ("exactness", c.c_int), ("threads", c.c_int),
                ("target", c.c_char_p), ("backend", c.c_char_p), ("compiler", c.c_char_p), ("dims", _Texts),
                ("passes", c.c_char_p), ("rules", c.c_char_p), ("operators", c.c_void_p), ("plugins", _Texts),
                ("max_memory", c.c_size_t), ("cache", c.c_char_p), ("cache_bytes", c.c_int64), ("log", _Log),
                ("log_context", c.c_void_p), ("allocator", c.c_void_p)]


def _load():
    library = c.CDLL(os.environ.get("SONOC_LIBRARY", "libsonoc.so.0"))
    for name, result, *arguments in (
            ("version", c.c_char_p), ("backend", c.c_char_p, c.c_int),
            ("open", c.c_void_p, c.c_char_p, c.POINTER(_Options), c.POINTER(_Error)),
            ("open_memory", c.c_void_p, c.c_char_p, c.c_size_t, c.c_char_p, c.POINTER(_Options), c.POINTER(_Error)),
            ("close", None, c.c_void_p),
            ("input_count", c.c_int, c.c_void_p), ("output_count", c.c_int, c.c_void_p),
            ("input", c.POINTER(_Port), c.c_void_p, c.c_int), ("output", c.POINTER(_Port), c.c_void_p, c.c_int),
            ("arena_bytes", c.c_size_t, c.c_void_p),
            ("context_open", c.c_void_p, c.c_void_p, c.POINTER(_Error)), ("context_close", None, c.c_void_p),
            ("run", c.c_int, c.c_void_p, c.POINTER(c.c_void_p), c.POINTER(c.c_void_p), c.POINTER(_Error))):
        function = getattr(library, f"sonoc_{name}")
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()
version = _library.sonoc_version().decode()


def backends():
    """The names of the backends; the first is the standard."""
    names = []
    while name := _library.sonoc_backend(len(names)):
        names.append(name.decode())
    return names


def _encoded(text):
    return None if text is None else os.fsencode(text)


def _texts(texts):
    return (c.c_char_p * (len(texts) + 1))(*map(_encoded, texts), None)


def _options(optimize=2, exactness="real", dims=None, plugins=(), log=None, **others):
    """The struct; what it points to lives as long as it does."""
    options = _Options(size=c.sizeof(_Options), optimize=optimize, exactness=EXACTNESS[exactness])
    options.dims = _texts([f"{name}={size}" for name, size in (dims or {}).items()])
    options.plugins = _texts(plugins)
    if log:
        options.log = _Log(lambda _, kind, text: log(LOG_KINDS[kind], text.decode(errors="replace")))
    for name, value in others.items():
        if name not in ("threads", "target", "backend", "compiler", "passes", "rules", "max_memory", "cache", "cache_bytes"):
            raise TypeError(f"there is no option '{name}'")
        setattr(options, name, value if isinstance(value, int) else _encoded(value))
    return options


class _Context:
    """Working memory of one thread; goes with the thread, or with the model."""

    def __init__(self, model):
        error = _Error()
        self.handle = _library.sonoc_context_open(model, error)
        if not self.handle:
            raise Error(error.status, error.text.decode(errors="replace"))

    def __del__(self):
        _library.sonoc_context_close(self.handle)


class Model:
    """An open model. `source` is a path, or the bytes of a file; options are those of struct sonoc_options.

    `dims` is a dictionary, `exactness` one of bit, real and fast, `log` a function of kind and text.
    """

    def __init__(self, source, name="memory", **options):
        error, self._handle = _Error(), None
        if isinstance(source, bytes):
            self._source = source  # stays as long as the model
            handle = _library.sonoc_open_memory(source, len(source), _encoded(name), _options(**options), error)
        else:
            handle = _library.sonoc_open(_encoded(source), _options(**options), error)
        if not handle:
            raise Error(error.status, error.text.decode(errors="replace"))
        self._handle, self._local = handle, threading.local()
        self.inputs = self._ports(_library.sonoc_input_count, _library.sonoc_input)
        self.outputs = self._ports(_library.sonoc_output_count, _library.sonoc_output)
        self.arena_bytes = _library.sonoc_arena_bytes(handle)

    def __del__(self):
        if self._handle:
            _library.sonoc_close(self._handle)

    def _ports(self, count, port):
        found = [port(self._handle, i).contents for i in range(count(self._handle))]
        return [Port(p.name.decode(), np.dtype(DTYPES[p.dtype]), tuple(p.dims[: p.rank])) for p in found]

    def run(self, inputs=None, /, **named):
        """Run once; inputs by name, as a dictionary or as arguments. Gives a dictionary of new arrays."""
        given = {**(inputs or {}), **named}
        arrays = [self._array(port, given) for port in self.inputs]
        if given:
            raise ValueError(f"the model has no input '{next(iter(given))}'")
        outputs = [np.empty(port.shape, port.dtype) for port in self.outputs]
        if not hasattr(self._local, "context"):
            self._local.context = _Context(self._handle)
        pointers = [(c.c_void_p * (len(side) + 1))(*(a.ctypes.data for a in side)) for side in (arrays, outputs)]
        error = _Error()
        if _library.sonoc_run(self._local.context.handle, *pointers, error):
            raise Error(error.status, error.text.decode(errors="replace"))
        return {port.name: array for port, array in zip(self.outputs, outputs)}

    @staticmethod
    def _array(port, given):
        if port.name not in given:
            raise ValueError(f"input '{port.name}' is missing")
        array = np.asarray(given.pop(port.name), order="C")
        if array.dtype != port.dtype or array.shape != port.shape:
            raise ValueError(f"input '{port.name}' is {array.dtype}{list(array.shape)}, "
                             f"should be {port.dtype}{list(port.shape)}")
        return array
