"""What bench.py measured, as a bar chart in SVG: a group for each model and number of threads, a bar a contestant."""

from html import escape

LABEL, BAR, HEIGHT, GAP, VALUE = 190, 460, 16, 30, 130
SONOC, OTHER = "#228833", "#8899aa"


def group(result, top):
    """(elements, height) of a group; a bar's length is its time against the slowest."""
    rows = [r for r in result["rows"] if "unfit" not in r]
    slowest = max((r["minimum_ms"] for r in rows), default=1)
    title = f"{result['model']}, {result['threads']} thread{'s' if result['threads'] > 1 else ''}: ms a run"
    parts = [f'<text x="8" y="{top + 12}" font-weight="bold">{escape(title)}</text>']
    for i, row in enumerate(sorted(rows, key=lambda r: r["minimum_ms"])):
        y = top + 20 + i * (HEIGHT + 4)
        width = max(1, BAR * row["minimum_ms"] / slowest)
        colour = SONOC if row["contestant"].startswith("sonoc") else OTHER
        parts += [f'<text x="{LABEL - 6}" y="{y + 12}" text-anchor="end">{escape(row["contestant"])}</text>',
                  f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="{HEIGHT}" fill="{colour}"/>',
                  f'<text x="{LABEL + width + 6:.1f}" y="{y + 12}">{row["minimum_ms"]:.1f}</text>']
    return parts, 20 + len(rows) * (HEIGHT + 4) + GAP


def draw(results):
    """The chart as text."""
    parts, top = [], 14
    for result in results:
        added, height = group(result, top)
        parts += added
        top += height
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + BAR + VALUE}" height="{top}" '
                      'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="#fff"/>',
                      *parts, "</svg>", ""])
