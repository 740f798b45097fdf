"""make_broken.py - runs sonoc on broken and hostile model files (broken_cases.py).

    python3 make_broken.py SONOC [--frontend] [--sanitized]    runs `SONOC show FILE` on all
    python3 make_broken.py --write FOLDER                      only writes the files
Each must end within a second and 256 MB, with the status given, and leave no file behind.
"""

import os
import subprocess
import sys
import tempfile
import time

from broken_cases import CASES, INFERENCE_CASES

SECONDS = 1.0
MEGABYTES = 256


def run_one(sonoc, path, arguments, memory):
    """Exit status, all text, seconds, megabytes."""
    with tempfile.TemporaryFile() as out:
        start = time.monotonic()
        process = subprocess.Popen(
            [sonoc, "show", path, *arguments], stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - start
        out.seek(0)
        text = out.read().decode("utf-8", "replace")
    return process.returncode, text, seconds, usage.ru_maxrss / 1024 if memory else 0


def files_of(folder):
    return sorted(
        os.path.join(where, name) for where, _, names in os.walk(folder) for name in names
    )


def faults(sonoc, write, statuses, fragments, arguments, memory, seconds_allowed):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder)
        before = files_of(folder)
        status, text, seconds, megabytes = run_one(sonoc, path, arguments, memory)
        if status not in (statuses if isinstance(statuses, tuple) else (statuses,)):
            yield f"status {status}, not {statuses}"
        for fragment in fragments:
            if fragment not in text:
                yield f"the message lacks {fragment!r}"
        if seconds > seconds_allowed:
            yield f"took {seconds:.1f} s"
        if megabytes > MEGABYTES:
            yield f"took {megabytes:.0f} MB"
        if files_of(folder) != before:
            yield "left a file behind"
        if len(text.strip()) == 0:
            yield "said nothing"


def run(sonoc, cases=None, sanitized=False):
    """Prints what failed and the closing line; true if nothing did.

    Sanitizers cost time and memory of their own."""
    passed = failed = 0
    for name, write, statuses, fragments, *arguments in cases or CASES + INFERENCE_CASES:
        seconds = SECONDS * (10 if sanitized else 1)
        found = list(faults(sonoc, write, statuses, fragments, arguments, not sanitized, seconds))
        for fault in found:
            print(f"broken file '{name}': {fault}")
        passed, failed = passed + (not found), failed + bool(found)
    print(f"{passed} passed, {failed} failed")
    return failed == 0


def write_all(folder):
    for i, (name, write, *_) in enumerate(CASES + INFERENCE_CASES):
        inside = os.path.join(
            folder, f"{i:03d}_" + "".join(c if c.isalnum() else "_" for c in name)
        )
        os.makedirs(inside)
        write(inside)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--write":
        write_all(sys.argv[2])
    elif len(sys.argv) >= 2:
        sys.exit(
            0
            if run(
                sys.argv[1],
                sanitized="--sanitized" in sys.argv,
                cases=CASES if "--frontend" in sys.argv else None,
            )
            else 1
        )
    else:
        sys.exit(__doc__)
