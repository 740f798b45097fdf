"""Tests python/sonoc.py: models run on arrays, what is refused, threads, and that its structs are those of the header.

    python tests/python_module.py --build build/release
"""

import argparse
import ctypes
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

ROOT = Path(__file__).parent.parent
TEXT = b"""graph small(%x: f32[3,4], %n: i64[3]) -> (%y, %m) {
    %y = Tanh(%x)
    %m = Add(%n, %n)
}
"""
X, N = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4), np.array([1, -2, 1 << 40])


def refuses(kind, part, function, *arguments, **named):
    """Demand an exception that says something."""
    try:
        function(*arguments, **named)
    except kind as error:
        assert part in str(error), error
        return error
    raise AssertionError(f"nothing was refused that should say '{part}'")


def test_run(sonoc):
    """Inputs by name in both ways, strided ones too; outputs are new arrays with names and types."""
    model = sonoc.Model(TEXT, name="small.sonoc", optimize=1)
    assert model.inputs == [("x", np.dtype("f4"), (3, 4)), ("n", np.dtype("i8"), (3,))]
    assert [port.name for port in model.outputs] == ["y", "m"] and model.arena_bytes >= 0
    first = model.run({"x": X}, n=N)
    assert np.allclose(first["y"], np.tanh(X), atol=1e-6) and (first["m"] == 2 * N).all()
    again = model.run(x=np.asfortranarray(X), n=np.repeat(N, 2)[::2])
    assert again["y"] is not first["y"] and (again["y"] == first["y"]).all()


def test_backends(sonoc):
    """Every backend gives the same bits."""
    assert "interp" in sonoc.backends() and re.match(r"\d+\.\d+\.\d+$", sonoc.version)
    results = [sonoc.Model(TEXT, name="small.sonoc", backend=name).run(x=X, n=N) for name in sonoc.backends()]
    assert all((result["y"] == results[0]["y"]).all() for result in results)


def test_file(sonoc):
    """A file, with a symbolic dimension that gets its size; stages and notes are told."""
    heard = []
    graph = helper.make_graph([helper.make_node("Tanh", ["x"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("rows", 4))],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("rows", 4))])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
        model = sonoc.Model(path, dims={"rows": 5}, cache="", log=lambda kind, text: heard.append((kind, text)))
    assert model.inputs[0].shape == (5, 4) and ("stage", "reading") in heard
    assert model.run(x=np.ones((5, 4), "f4"))["y"].shape == (5, 4)


def test_refused(sonoc):
    """What is wrong is an exception that says so."""
    error = refuses(sonoc.Error, "Fly", sonoc.Model, TEXT.replace(b"Tanh", b"Fly"), name="small.sonoc")
    assert error.status == 3
    assert refuses(sonoc.Error, "no backend 'abacus'", sonoc.Model, TEXT, backend="abacus").status == 2
    refuses(sonoc.Error, "No such file", sonoc.Model, "no_such.onnx")
    refuses(TypeError, "no option 'speed'", sonoc.Model, TEXT, speed=3)
    refuses(KeyError, "roughly", sonoc.Model, TEXT, exactness="roughly")
    model = sonoc.Model(TEXT, name="small.sonoc")
    refuses(ValueError, "'n' is missing", model.run, x=X)
    refuses(ValueError, "no input 'z'", model.run, x=X, n=N, z=X)
    refuses(ValueError, "float64[3, 4], should be float32[3, 4]", model.run, x=X.astype("f8"), n=N)
    refuses(ValueError, "float32[4, 3]", model.run, x=X.T, n=N)


def test_threads(sonoc):
    """Eight threads run one model, which goes when the last has gone."""
    model, results = sonoc.Model(TEXT, name="small.sonoc"), []
    want = model.run(x=X, n=N)["y"]

    def work(model):
        results.extend([(model.run(x=X, n=N)["y"] == want).all() for _ in range(50)])

    threads = [threading.Thread(target=work, args=[model]) for _ in range(8)]
    for thread in threads:
        thread.start()
    del model
    for thread in threads:
        thread.join()
    assert len(results) == 400 and all(results)


def test_structs(sonoc):
    """The structs are those that a C compiler makes of the header."""
    structs = {"sonoc_error": sonoc._Error, "sonoc_port": sonoc._Port, "sonoc_options": sonoc._Options}
    lines = [f'    printf("%zu %zu\\n", offsetof(struct {name}, {field}), sizeof((({"struct " + name} *)0)->{field}));'
             for name, struct in structs.items() for field, _ in struct._fields_]
    lines += [f'    printf("%zu\\n", sizeof(struct {name}));' for name in structs]
    source = "#include <sonoc.h>\n#include <stdio.h>\nint main(void) {\n" + "\n".join(lines) + "\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        includes = ["-I", ROOT / "runtime", "-I", ROOT / "custom_ops"]
        subprocess.run(["cc", "-x", "c", "-", *includes, "-o", f"{folder}/sizes"], input=source, text=True, check=True)
        said = subprocess.run([f"{folder}/sizes"], capture_output=True, text=True, check=True).stdout.split("\n")
    fields = [getattr(struct, field) for struct in structs.values() for field, _ in struct._fields_]
    here = [f"{field.offset} {field.size}" for field in fields] + [str(ctypes.sizeof(s)) for s in structs.values()]
    assert said[:-1] == here, list(zip(said, here))
    listed = re.search(r"enum sonoc_dtype \{(.*?)\}", (ROOT / "custom_ops/sonoc_op.h").read_text(), re.S)[1]
    numbers = {int(number) for number in re.findall(r"= (\d+)", listed)}
    assert len(numbers) > 10 and numbers <= sonoc.DTYPES.keys()


def main():
    """Run every test."""
    parser = argparse.ArgumentParser(description="Test the Python module.")
    parser.add_argument("--build", required=True, type=Path)
    os.environ["SONOC_LIBRARY"] = str(parser.parse_args().build.resolve() / "libsonoc.so")
    sys.path.insert(0, str(ROOT / "python"))
    import sonoc

    for name, test in [item for item in globals().items() if item[0].startswith("test_")]:
        test(sonoc)
        print(f"ok {name}", flush=True)


if __name__ == "__main__":
    main()
