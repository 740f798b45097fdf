"""What tests share about the readers of a program: the interpreter, C, and machine code by LLVM."""

import subprocess


def has_jit(sonoc):
    """Tell whether this sonoc was built with LLVM."""
    said = subprocess.run([sonoc, "--version"], capture_output=True, text=True, check=True).stdout
    return "machine code by LLVM" in said


def available(readers, sonoc):
    """Return the readers that this sonoc has; name those that are skipped."""
    if has_jit(sonoc):
        return readers
    skipped = [name for name, options in readers.items() if "--backend=jit" in options]
    for name in skipped:
        print(f"skipped: reader {name}: sonoc was built without LLVM")
    return {name: options for name, options in readers.items() if name not in skipped}
