"""Checks a memory certificate, knowing nothing of sonoc but this form.

    python tests/certificate.py FILE.json

What it proves, or names what is not so:
- every arena buffer lies in the arena, aligned to 64 bytes, and lives while a kernel touches it;
- two buffers that live at the same time do not overlap; but one may lie where another one does, of the same size, in the
  kernel that makes the one and reads the other for the last time, if no element is read after its place was written:
  the two accesses never touch the same place, or the read comes first, and the place tells the turn of each loop around
  both (the turns are the digits of the index: each coefficient exceeds the span of all that is smaller);
- a constant and an input are never written;
- an arena buffer is written before, or in, the first kernel that reads it;
- every access stays in its buffer. Where the index is told as a sum over loops, its range is computed afresh, and what is
  claimed must lie in it: it is narrower where a condition around the access guards it. How many need no guard is told.
"""

import json
import sys


def is_inside(lo, hi, buffer):
    """Tell whether a range of elements lies in a buffer."""
    return 0 <= lo <= hi < buffer["count"]


def is_alike(b, other):
    """Tell whether each element of one buffer lies where that of the other does."""
    return b["offset"] == other["offset"] and b["bytes"] * other["count"] == other["bytes"] * b["count"]


def check_places(certificate):
    """Yield what is wrong with the places of the arena's buffers."""
    arena = [b for b in certificate["buffers"] if b["kind"] == "arena" and b["first_kernel"] >= 0]
    for b in arena:
        if b["offset"] < 0 or b["offset"] % 64 or b["offset"] + b["bytes"] > certificate["arena_bytes"]:
            yield f"buffer {b['name']} does not lie in the arena"
    arena.sort(key=lambda b: b["first_kernel"])
    live = []
    for b in arena:
        live = [other for other in live if other["last_kernel"] >= b["first_kernel"]]
        for other in live:
            if b.get("overwrites") == other["id"] and b["first_kernel"] == other["last_kernel"] and is_alike(b, other):
                continue  # check_overwrites tells whether it may
            if b["offset"] < other["offset"] + other["bytes"] and other["offset"] < b["offset"] + b["bytes"]:
                yield f"buffers {other['name']} and {b['name']} overlap in kernel {b['first_kernel']}"
        live.append(b)


def access_range(access):
    """Compute the range of an index that is a sum over loops; None: it is not told as one."""
    if "terms" not in access:
        return None
    ends = [sorted([0, coefficient * (extent - 1)]) for coefficient, extent, _ in access["terms"]]
    return access["base"] + sum(low for low, _ in ends), access["base"] + sum(high for _, high in ends)


def rest_range(access, start):
    """Compute the range of what is left of an index without its largest terms."""
    if "terms" not in access:
        return access["lo"], access["hi"]
    return access_range({"base": access["base"], "terms": sorted(access["terms"], reverse=True)[start:]})


def shared_digits(read, write):
    """Find the loops whose turns the place of two accesses tells; None: they never touch the same place."""
    loops = set()
    pairs = zip(*(sorted(access.get("terms", []), reverse=True) for access in (read, write)))
    for number, pair in enumerate([*pairs, None]):
        (low, high), (other_low, other_high) = rest_range(read, number), rest_range(write, number)
        if high < other_low or other_high < low:
            return None
        ends = [*rest_range(read, number + 1), *rest_range(write, number + 1)]
        if not pair or pair[0][0] != pair[1][0] or pair[0][0] <= max(ends) - min(ends):
            return loops
        loops |= {pair[0][2]} & {pair[1][2]}


def is_safe(read, write):
    """Tell whether nothing is read where something was written before."""
    digits = shared_digits(read, write)
    around = [loop for loop, other in zip(read["loops"], write["loops"]) if loop == other]
    return digits is None or (read["statement"] <= write["statement"] and digits >= set(around))


def check_overwrites(kernel, buffers):
    """Yield what a kernel may read from a buffer after another one was written over it."""
    for write in kernel["accesses"]:
        over = buffers[write["buffer"]].get("overwrites") if write["write"] else None
        for read in kernel["accesses"]:
            if read["buffer"] == over and (read["write"] or not is_safe(read, write)):
                yield f"kernel {kernel['name']} reads {buffers[over]['name']} after it is overwritten"


def check_access(access, buffer):
    """Give what is wrong with an access, or None."""
    if any(extent <= 0 for _, extent, _ in access.get("terms", [])):
        return None  # the loop never runs
    if not access["proven"] or not is_inside(access["lo"], access["hi"], buffer):
        return f"index {access['lo']}..{access['hi']} of {buffer['count']} elements is not proven"
    computed = access_range(access)
    if computed and not computed[0] <= access["lo"] <= access["hi"] <= computed[1]:
        return f"index {access['lo']}..{access['hi']} is claimed, the loops give {computed[0]}..{computed[1]}"
    if access["write"] and buffer["kind"] in ("constant", "input"):
        return "is written"
    return None


def check_kernel(number, kernel, buffers, written):
    """Yield what is wrong with the accesses of a kernel; note what it writes."""
    for access in kernel["accesses"]:
        buffer = buffers[access["buffer"]]
        where = f"kernel {number} {kernel['name']}, buffer {buffer['name']}"
        wrong = check_access(access, buffer)
        if wrong:
            yield f"{where}: {wrong}"
        if buffer["kind"] == "arena" and not buffer["first_kernel"] <= number <= buffer["last_kernel"]:
            yield f"{where}: is touched outside its life"
    written |= {access["buffer"] for access in kernel["accesses"] if access["write"]}
    for access in kernel["accesses"]:
        if buffers[access["buffer"]]["kind"] == "arena" and access["buffer"] not in written:
            yield f"kernel {number} {kernel['name']} reads {buffers[access['buffer']]['name']}, which nothing wrote"


def check(certificate):
    """Yield everything that is wrong."""
    buffers = {b["id"]: b for b in certificate["buffers"]}
    written = set()
    yield from check_places(certificate)
    for number, kernel in enumerate(certificate["kernels"]):
        yield from check_kernel(number, kernel, buffers, written)
        yield from check_overwrites(kernel, buffers)


def main():
    """Check one file; print what is wrong, or what holds."""
    with open(sys.argv[1]) as file:
        certificate = json.load(file)
    wrong = sorted(set(check(certificate)))
    buffers = {b["id"]: b for b in certificate["buffers"]}
    accesses = [access for kernel in certificate["kernels"] for access in kernel["accesses"]]
    free = sum(is_inside(*(access_range(a) or (-1, -1)), buffers[a["buffer"]]) for a in accesses)
    told = f"{len(buffers)} buffers, {len(accesses)} accesses, {free} in bounds without a guard: all is in its place"
    print("\n".join(wrong) or told)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
