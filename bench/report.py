"""What bench.py measured, as tables in Markdown."""


def best_peer(rows):
    """Milliseconds of the fastest that is not sonoc; None if there is none."""
    times = [r["minimum_ms"] for r in rows if "unfit" not in r and not r["contestant"].startswith("sonoc")]
    return min(times, default=None)


def row_text(row, best):
    """A line of the table of contestants."""
    if "unfit" in row:
        return f"| {row['contestant']} | | | | | | | {' '.join(row['unfit'].split())[:120].replace('|', '/')} |"
    speed = f"{best / row['minimum_ms']:.2f}" if best else ""
    error = ", ".join(f"{name} {e:.1e}" for name, e in row.get("error", {}).items())
    return (f"| {row['contestant']} | {row['minimum_ms']:.1f} | {row['median_ms']:.1f} | {row['processor_ms']:.1f} | "
            f"{speed} | {row['peak_mb'] - row['base_mb']:.0f} | {row['first_s']:.1f} | {error} |")


def contestants_table(result):
    """All contestants on a model with a number of threads."""
    rows = result["rows"]
    best = best_peer(rows)
    lines = [f"## {result['model']}, {result['threads']} thread{'s' if result['threads'] > 1 else ''}", "",
             "| contestant | minimum ms | median ms | processor ms | speed | memory MB | first s | largest error |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    return lines + [row_text(row, best) for row in rows]


def roofline_table(result, most=12):
    """The kernels that take longest."""
    bench = result["kernels"]
    kernels = sorted(bench["kernels"], key=lambda k: -k["ms"])
    lines = [f"## {result['model']}: kernels", "",
             f"{len(kernels)} kernels; one core {bench['peak_gflops']:.1f} GFLOP/s, reads {bench['peak_gbytes']:.1f} "
             "GB/s, by the same compiler.", "",
             "| kernel | ms | share | 10^6 multiply-adds | GFLOP/s | of the peak | of the roof |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [f"| {k['name']} | {k['ms']:.2f} | {100 * k['share']:.1f} % | {k['multiply_adds'] / 1e6:.0f} | "
              f"{k['gflops']:.1f} | {100 * k['of_peak']:.0f} % | {100 * k['of_roof']:.0f} % |" for k in kernels[:most]]
    rest = kernels[most:]
    if rest:
        lines.append(f"| {len(rest)} others | {sum(k['ms'] for k in rest):.2f} | "
                     f"{100 * sum(k['share'] for k in rest):.1f} % | "
                     f"{sum(k['multiply_adds'] for k in rest) / 1e6:.0f} | | | |")
    return lines


def scaling_table(results):
    """What further threads bring each contestant."""
    times = {}
    for result in results:
        for row in result["rows"]:
            if "unfit" not in row:
                times.setdefault((result["model"], row["contestant"]), {})[result["threads"]] = row["minimum_ms"]
    lines = []
    for (model, contestant), by_threads in times.items():
        for threads, ms in by_threads.items():
            if threads > 1 and 1 in by_threads:
                lines.append(f"| {model} | {contestant} | {threads} | {by_threads[1] / ms:.2f} |")
    if not lines:
        return []
    return ["## Threads", "", "| model | contestant | threads | times as fast as one |",
            "| --- | --- | ---: | ---: |", *lines]


def markdown(whole):
    """All tables."""
    lines = ["# Benchmark", "",
             f"One core: {whole['gflops']:.1f} GFLOP/s, reads {whole['gbytes']:.1f} GB/s; sonoc's target is "
             f"{whole['target']}. Speed is against the fastest other engine. Memory is the peak less what a process "
             "has before it loads an engine.", ""]
    for result in whole["results"]:
        lines += contestants_table(result) + [""]
    lines += scaling_table(whole["results"]) + [""]
    for result in whole["results"]:
        if result.get("kernels"):
            lines += roofline_table(result) + [""]
    return "\n".join(lines)
