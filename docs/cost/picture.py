"""Draws lines over two logarithmic axes as an SVG that is readable on light and dark backgrounds."""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 820, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 230, 40, 50
LEAST_BETWEEN_LABELS = 15

TITLE = "Cost of a month over clicks a day, both axes logarithmic"
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .grid { stroke: #8b949e; stroke-opacity: 0.3 }
  path { fill: none; stroke-width: 2 }
  .dashed { stroke-dasharray: 6 4 }
  .here { stroke: #0969da; fill: #0969da }
  .guide { stroke: #bc4c00; fill: #bc4c00 }
  .floor { stroke: #8250df; fill: #8250df }
  path.here, path.guide, path.floor { fill: none }
  text.here, text.guide, text.floor { stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .here { stroke: #58a6ff; fill: #58a6ff }
    .guide { stroke: #f0883e; fill: #f0883e }
    .floor { stroke: #bc8cff; fill: #bc8cff }
  }
"""
CLASSES = {"here": "here", "Flink, sizing guide": "guide", "Flink, floor": "floor"}


@dataclass
class Line:
    """A name, an output (all boundaries or ends only), and points of clicks a day and dollars a month."""

    name: str
    output: str
    points: list


def draw(lines):
    sizes = [size for size, _ in lines[0].points]
    amounts = [amount for line in lines for _, amount in line.points]
    lowest, highest = 10 ** math.floor(math.log10(min(amounts))), 10 ** math.ceil(math.log10(max(amounts)))

    def x(size):
        return LEFT + (WIDTH - LEFT - RIGHT) * part(size, sizes[0], sizes[-1])

    def y(amount):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part(amount, lowest, highest)

    shapes = []
    for size in sizes:
        shapes.append(f'<line class="grid" x1="{x(size):.1f}" y1="{TOP}" x2="{x(size):.1f}" y2="{HEIGHT - BOTTOM}"/>')
        label = f"{size // 1_000_000:,}"
        shapes.append(text(x(size), HEIGHT - BOTTOM + 18, label, anchor="middle"))
    shapes.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "million clicks a day", anchor="middle"))
    for amount in ticks(lowest, highest):
        shapes.append(f'<line class="grid" x1="{LEFT}" y1="{y(amount):.1f}" x2="{WIDTH - RIGHT}" y2="{y(amount):.1f}"/>')
        shapes.append(text(LEFT - 8, y(amount) + 4, f"${amount:,}", anchor="end"))
    shapes.append(text(LEFT, TOP - 16, "a month, with tables on demand or provisioned, whichever is cheaper"))
    for line in lines:
        steps = " L".join(f"{x(size):.1f} {y(amount):.1f}" for size, amount in line.points)
        dashed = " dashed" if line.output == "ends only" else ""
        shapes.append(f'<path class="{CLASSES[line.name]}{dashed}" d="M{steps}"/>')
    ends = sorted((y(line.points[-1][1]), f"{line.name}, {line.output}", CLASSES[line.name]) for line in lines)
    for place, (_, label, kind) in zip(spread([end for end, _, _ in ends]), ends):
        shapes.append(text(WIDTH - RIGHT + 6, place + 4, label, kind=kind))
    body = "\n".join(f"  {shape}" for shape in shapes)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-labelledby="title desc">\n  <title id="title">{TITLE}</title>\n'
            f'  <desc id="desc">{escape(described(lines))}</desc>\n  <style>{STYLE}  </style>\n{body}\n</svg>\n')


def part(value, low, high):
    return math.log(value / low) / math.log(high / low)


def ticks(lowest, highest):
    """1, 2 and 5 in each decade."""
    decades = [10 ** power for power in range(round(math.log10(lowest)), round(math.log10(highest)))]
    return [*(step * decade for decade in decades for step in [1, 2, 5]), highest]


def spread(places):
    """The places, ascending, moved down as far as needed to stay apart."""
    moved = []
    for place in places:
        moved.append(max(place, moved[-1] + LEAST_BETWEEN_LABELS) if moved else place)
    return moved


def text(x, y, content, anchor="start", kind=None):
    css = f' class="{kind}"' if kind else ""
    return f'<text{css} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def described(lines):
    """The points in words, for screen readers."""
    sizes = ", ".join(f"{size // 1_000_000:,}" for size, _ in lines[0].points)
    amounts = [f"{line.name}, {line.output}: " + ", ".join(f"${amount:,.0f}" for _, amount in line.points)
               for line in lines]
    return f"Dollars a month at {sizes} million clicks a day. " + ". ".join(amounts) + "."
