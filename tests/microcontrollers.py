"""Runs generated C on emulated Cortex-M boards, without a library or an operating system, and checks what was foretold.

    python tests/microcontrollers.py --sonoc build/release/sonoc

The narrow ACSNet on an image of 64 x 64, and a small network for pictures of 28 x 28, are compiled for each
microcontroller: constants in flash, working memory handed in. They give the interpreter's bits for that target, which
are those of x86; flash and RAM are within 2 % of what --report said before anything was compiled, and no run takes more
stack than it said. A missing compiler or emulator is reported as skipped.
"""

import argparse
import json
import re
import shutil
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from cross_models import FOLDER, HARNESS, acsnet_models, same_bits

COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
BOARDS = {  # target: floating-point unit, board, where flash and RAM are
    "cortex-m4f": (["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"], "mps2-an386", 0x00000000, 0x20000000),
    "cortex-m7": (["-mcpu=cortex-m7", "-mfpu=fpv5-d16"], "mps2-an500", 0x00000000, 0x20000000),
    "cortex-m33": (["-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16"], "mps2-an505", 0x10000000, 0x38000000),
}
OPTIONS = ["-mfloat-abi=hard", "-mthumb", "-Os", "-ffreestanding", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
WITHIN = 0.02  # of what was foretold
SMALL = """graph small(%picture: f32[1,1,28,28]) -> (%digit) {{
    %w1 = constant f32[16,1,3,3] {{{w1}}}
    %b1 = constant f32[16] {{{b1}}}
    %c1 = Conv(%picture, %w1, %b1) {{pads = [1, 1, 1, 1]}}
    %r1 = Relu(%c1)
    %p1 = MaxPool(%r1) {{kernel_shape = [2, 2], strides = [2, 2]}}
    %w2 = constant f32[32,16,3,3] {{{w2}}}
    %b2 = constant f32[32] {{{b2}}}
    %c2 = Conv(%p1, %w2, %b2) {{pads = [1, 1, 1, 1]}}
    %r2 = Relu(%c2)
    %p2 = MaxPool(%r2) {{kernel_shape = [2, 2], strides = [2, 2]}}
    %flat = Flatten(%p2)
    %w3 = constant f32[1568,64] {{{w3}}}
    %b3 = constant f32[64] {{{b3}}}
    %d3 = Gemm(%flat, %w3, %b3)
    %r3 = Relu(%d3)
    %w4 = constant f32[64,10] {{{w4}}}
    %b4 = constant f32[10] {{{b4}}}
    %d4 = Gemm(%r3, %w4, %b4)
    %digit = Softmax(%d4)
}}
"""


def small_model():
    """A convolutional network of a hundred thousand random weights, and a random picture."""
    rng = np.random.default_rng(3)
    text = lambda *shape: ", ".join(map(str, rng.normal(0, (shape[-1] if len(shape) == 2 else 9) ** -0.5, shape)
                                        .astype(np.float32).ravel()))
    weights = {"w1": text(16, 9), "b1": text(16), "w2": text(32, 144), "b2": text(32), "w3": text(1568, 64),
               "b3": text(64), "w4": text(64, 10), "b4": text(10)}
    folder = FOLDER / "small"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.sonoc").write_text(SMALL.format(**weights))
    picture = rng.random((1, 1, 28, 28), np.float32)
    np.savez(folder / "in.npz", picture=picture)
    return folder / "small.sonoc", folder / "in.npz", picture


class Check:
    """A model on a board."""

    def __init__(self, sonoc, name, model, inputs, array, target):
        self.sonoc, self.model, self.inputs, self.array, self.target = sonoc, model, inputs, array, target
        self.name = f"{name} on {target}"
        self.folder = FOLDER / f"{target}-{name}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def run(self):
        """Return what was seen and what is wrong."""
        try:
            want = self.expected(self.target)
            wrong = [f"{self.name}: x86 has other bits" for name, value in self.expected("x86-64-v3").items()
                     if not same_bits(value, want[name])]
            report = self.compile()
            self.emulate(want)
            seen, more = self.compare(report, want)
            return f"{self.name:24} {seen}", wrong + more
        except subprocess.CalledProcessError as failed:
            return f"{self.name:24} failed", [f"{self.name}: {failed.cmd[0]}: {failed.stderr}"]

    def call(self, *command):
        """Run a tool in the folder and return what it prints."""
        return subprocess.run([str(word) for word in command], cwd=self.folder, capture_output=True, text=True,
                              check=True, timeout=300).stdout

    def expected(self, target):
        """The interpreter's outputs."""
        self.call(self.sonoc, "run", self.model, "--inputs", self.inputs, f"--target={target}", "--backend=interp",
                  "--outputs", "want.npz", "--quiet")
        with np.load(self.folder / "want.npz") as file:
            return {name: file[name] for name in file.files}

    def compile(self):
        """Make model.c, and return what sonoc foretells."""
        return json.loads(self.call(self.sonoc, "compile", self.model, "-o", "model.c", f"--target={self.target}",
                                    "--arena=caller", "--json"))

    def emulate(self, want):
        """Build the program and run it on the board."""
        unit, board, flash, ram = BOARDS[self.target]
        tensor_bytes = self.array.nbytes + sum(value.nbytes for value in want.values())
        self.array.astype("<f4").tofile(self.folder / "model.in")
        options = [COMPILER, *unit, *OPTIONS, "-I.", f"-I{HARNESS}", f"-DTENSOR_BYTES={tensor_bytes}"]
        self.call(*options, "-c", "model.c")
        self.call(*options, "-nostdlib", f"-Wl,--defsym=FLASH_AT={flash}", f"-Wl,--defsym=RAM_AT={ram}", "-T",
                  HARNESS / "cortex_m.ld", "-Wl,-Map=map", "-o", "board.elf", HARNESS / "startup.c", HARNESS / "board.c",
                  "model.o", "-lgcc")
        self.call(EMULATOR, "-M", board, "-kernel", "board.elf", "-display", "none", "-monitor", "none", "-serial",
                  "none", "-semihosting-config", "enable=on,target=native")

    def linked_bytes(self):
        """What model.o takes of the linked program's flash: code, constants and what lies between."""
        text = (self.folder / "map").read_text().partition("Linker script and memory map")[2]
        parts = re.findall(r"^ \.(?:text|rodata)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+) model\.o$", text, re.M)
        return sum(int(part, 16) for part in parts)

    def compare(self, report, want):
        """Bits, flash, RAM and stack against what was foretold."""
        wrong, at = [], 0
        bits = (self.folder / "model.out").read_bytes()
        for name, value in want.items():
            got = np.frombuffer(bits, "<f4", value.size, at).reshape(value.shape)
            at += value.nbytes
            if not same_bits(got, value):
                wrong.append(f"{self.name}: {name} has other bits than the interpreter's")
        stack = struct.unpack("<I", (self.folder / "stack.out").read_bytes())[0]
        flash, ram = self.linked_bytes(), report["arena_bytes"] + stack
        for what, is_now, foretold in (("flash", flash, report["flash_bytes"]), ("RAM", ram, report["ram_bytes"])):
            if not abs(is_now / foretold - 1) <= WITHIN:
                wrong.append(f"{self.name}: {what} is {is_now}, foretold were {foretold}")
        if stack > report["stack_bytes"]:
            wrong.append(f"{self.name}: the stack takes {stack}, foretold were {report['stack_bytes']}")
        return (f"flash {flash} ({flash / report['flash_bytes'] - 1:+.2%}), RAM {ram} "
                f"({ram / report['ram_bytes'] - 1:+.2%}), stack {stack} of {report['stack_bytes']}"), wrong


def main():
    """Check both models on all boards."""
    parser = argparse.ArgumentParser(description="Run generated C on emulated microcontrollers.")
    parser.add_argument("--sonoc", required=True, type=Path)
    options = parser.parse_args()
    missing = [tool for tool in (COMPILER, EMULATOR) if not shutil.which(tool)]
    if missing:
        print(f"skipped: {', '.join(BOARDS)}: {' and '.join(missing)} not found")
        return
    (acsnet,) = acsnet_models(["ts17"])
    models = {"acsnet": (acsnet.path, acsnet.inputs, acsnet.arrays[0]), "small": small_model()}
    sonoc = options.sonoc.resolve()
    checks = [Check(sonoc, name, *model, target) for name, model in models.items() for target in BOARDS]
    wrong = []
    with ThreadPoolExecutor(2) as pool:
        for seen, messages in pool.map(Check.run, checks):
            print(seen, flush=True)
            wrong += messages
    print("\n".join(wrong) or "the same bits, and as foretold")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
