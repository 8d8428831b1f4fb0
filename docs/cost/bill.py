#!/usr/bin/env python3
"""Computes docs/cost.md's tables and picture, and the README's row, from units.csv and units-columns.csv, which has the
units with four typical columns. Needs Python 3.9 and nothing else.

    cargo run --release -p benches -- units --csv --uuids > docs/cost/units.csv
    cargo run --release -p benches -- units --csv --uuids --columns --only 4,5 > docs/cost/units-columns.csv
    docs/cost/bill.py

With --check it changes nothing, and fails if any of them is not what it computes.
"""

import argparse
import csv
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
import picture  # noqa: E402

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

# Prices in us-east-1, in dollars. A month has 30 days of clicks and, as AWS counts, 730 hours.
WRITE, READ = 0.625e-6, 0.125e-6  # a unit, on demand
WRITE_HOUR, READ_HOUR = 0.00065, 0.00013  # a provisioned unit
STREAM_HOUR, STREAM_GB = 0.04, 0.08  # on demand; every record counts as 1 KB at least
REQUEST, GB_SECOND = 0.20e-6, 0.0000133334  # Lambda, arm64
KPU_HOUR = 0.11
SECONDS, HOURS = 30 * 86_400, 730

# What the template deploys, and what is measured (docs/performance.md).
TARGET_USE, FLOOR_UNITS = 0.7, 10  # of provisioned tables
MEMORY_GB, VCPU_MB = 0.5, 1769  # of a function; a vCPU is so many MB
WAIT_SECONDS = 0.020  # an invocation's time besides its CPU time
CLICKS_PER_BATCH, BOUNDARIES_PER_BATCH = 8_000, 1_000
CLICK_CPU_US = {1: 10.2, 10: 7.7}  # by window in seconds; gap 30 min
COLUMNS_CPU_US = {1: 1.5, 10: 2.2}  # more with four typical columns
BOUNDARY_CPU_US = 13.6
SINK_SHARDS = 4  # of session-stream
SWEEPS = 30 * 1_440
PEAK = 3  # times the average
CLICKS_PER_SHARD = 1_000  # a second
CLICKS_PER_KPU = 17_500  # a second of CPU time; the least that was measured (docs/performance.md)

SIZES = [1_000_000, 10_000_000, 100_000_000, 1_000_000_000]
BILLED = (1800, 30)  # gap and time between clicks of the bill, in seconds
BILLED_WINDOWS = [1, 10]
# Units per 1,000 clicks, writes and reads alike, of one item per user and batch: the design's first edition.
BEFORE = {(10, 2): {1: 797, 10: 242, 30: 113}, (1800, 30): {1: 985, 10: 859, 30: 659}}


@dataclass
class Units:
    """What 1,000 clicks consume with one workload and one number of clicks a day."""

    shards: int
    log_writes: float
    rest_writes: float
    log_reads: float
    rest_reads: float
    boundaries: float

    @property
    def writes(self):
        return self.log_writes + self.rest_writes

    @property
    def reads(self):
        return self.log_reads + self.rest_reads


def measured(name, kinds):
    """The units in a file by gap, time between clicks, window (seconds) and clicks a day; at least those of `kinds`."""
    with (HERE / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    units = {}
    for row in rows:
        key = tuple(int(row[name]) for name in ["gap_s", "spacing_s", "window_s", "clicks_per_day"])
        figures = {name: float(row[name]) for name in Units.__annotations__ if name != "shards"}
        units[key] = Units(shards=int(row["shards"]), **figures)
    missing = [(*kind, size) for kind in kinds for size in SIZES if (*kind, size) not in units]
    if missing:
        sys.exit(f"error: docs/cost/{name} has no line for {missing}")
    return units


@dataclass
class Table:
    """Units of a table in a month."""

    writes: float
    reads: float

    def dollars(self, provisioned):
        if not provisioned:
            return self.writes * WRITE + self.reads * READ
        kinds = [(self.writes, WRITE_HOUR), (self.reads, READ_HOUR)]
        return sum(max(FLOOR_UNITS, units / SECONDS / TARGET_USE) * hour * HOURS for units, hour in kinds)


class Month:
    """A month at `size` clicks a day, with all boundaries or with ends only."""

    def __init__(self, units, size, ends_only=False, click_cpu_us=CLICK_CPU_US):
        self.units = {window: units[(*BILLED, window, size)] for window in BILLED_WINDOWS}
        self.click_cpu_us = click_cpu_us
        self.clicks, self.rate = size * 30, size / 86_400
        self.boundaries = self.clicks / 1_000 * self.units[10].boundaries * (0.5 if ends_only else 1)

    def state(self, window, provisioned=False):
        units, thousands = self.units[window], self.clicks / 1_000
        log = Table(thousands * units.log_writes, thousands * units.log_reads)
        rest = Table(thousands * units.rest_writes, thousands * units.rest_reads)
        return log.dollars(provisioned) + rest.dollars(provisioned)

    def sessions(self, provisioned=False):
        return Table(self.boundaries, 0).dollars(provisioned)

    def stream(self):
        return STREAM_HOUR * HOURS + STREAM_GB * self.boundaries / 1e6

    def sessionizer(self, window):
        batches = invocations(self.clicks, self.units[window].shards, window, CLICKS_PER_BATCH)
        return function(batches + SWEEPS, self.clicks * self.click_cpu_us[window] / 1e6)

    def sink(self):
        batches = invocations(self.boundaries, SINK_SHARDS, 1, BOUNDARIES_PER_BATCH)
        return function(batches, self.boundaries * BOUNDARY_CPU_US / 1e6)

    def here(self, window, provisioned=False):
        tables = self.state(window, provisioned) + self.sessions(provisioned)
        return tables + self.stream() + self.sessionizer(window) + self.sink()

    def flink(self, kpus, provisioned=False):
        return kpus * KPU_HOUR * HOURS + self.sessions(provisioned) + self.stream() + self.sink()

    def floor_kpus(self):
        return math.ceil(PEAK * self.rate / CLICKS_PER_KPU) + 1

    def guide_kpus(self):
        """AWS' guide: 1.3 for each shard, rounded up to an even number, and one for the application."""
        shards = math.ceil(PEAK * self.rate / CLICKS_PER_SHARD)
        return 2 * math.ceil(shards * 1.3 / 2) + 1

    def rows(self):
        """Totals by name, in the order of the table."""
        totals = {"here, window 1 s": self.here(1)}
        for provisioned, suffix in [(False, ""), (True, ", provisioned")]:
            totals["here, window 10 s" + suffix] = self.here(10, provisioned)
            totals["Flink, floor" + suffix] = self.flink(self.floor_kpus(), provisioned)
            totals["Flink, sizing guide" + suffix] = self.flink(self.guide_kpus(), provisioned)
        return totals


def invocations(records, shards, window, most):
    """Invocations for so many records a month: a window begins with the first record after the last one's end."""
    between = window + SECONDS * shards / records
    return max(shards * SECONDS / between, records / most)


def function(invocations, cpu_seconds):
    vcpus = MEMORY_GB * 1024 / VCPU_MB
    return invocations * (REQUEST + WAIT_SECONDS * MEMORY_GB * GB_SECOND) + cpu_seconds / vcpus * MEMORY_GB * GB_SECOND


def dollars(amount):
    return f"${amount:,.0f}"


def millions(size):
    return f"{size // 1_000_000:,} million"


def markdown(titles, rows):
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def units_table(units, kind):
    """The table of `writes` or `reads`."""
    rows = []
    for (gap, spacing), windows in BEFORE.items():
        for window, before in windows.items():
            pace = f"gap {gap // 60} min" if gap >= 60 else f"gap {gap} s"
            name = f"{pace}, clicks {spacing} s apart, window {window} s" if window == 1 else f"window {window} s"
            found = [getattr(units[(gap, spacing, window, size)], kind) for size in SIZES]
            rows.append([name, str(before), *(f"{figure:.0f}" for figure in found)])
    titles = [f"{kind[:-1]} units of state", "before", f"{millions(SIZES[0])} clicks a day", *map(millions, SIZES[1:])]
    return markdown(titles, rows)


def parts_table(months):
    def row(name, of_month):
        return [name, *(of_month(month) for month in months)]

    def functions(month):
        both = [month.sessionizer(window) + month.sink() for window in [1, 10]]
        return f"{dollars(both[0])} ({dollars(both[1])})"

    titles = ["", f"{millions(SIZES[0])} clicks a day", *map(millions, SIZES[1:])]
    return markdown(titles, [
        row("state, window 1 s", lambda month: dollars(month.state(1))),
        row("state, window 10 s", lambda month: dollars(month.state(10))),
        row("sessions table", lambda month: dollars(month.sessions())),
        row("session-stream", lambda month: dollars(month.stream())),
        row("functions, window 1 s (10 s)", functions),
    ])


def columns_table(units_with, months):
    """What four typical columns add, for each window."""
    cpu = {window: CLICK_CPU_US[window] + COLUMNS_CPU_US[window] for window in BILLED_WINDOWS}
    pairs = [(month, Month(units_with, size, click_cpu_us=cpu)) for month, size in zip(months, SIZES)]

    def row(name, before, after):
        figures = [(before(*pair), after(*pair)) for pair in pairs]
        return [name, *(f"{without} → {with_columns}" for without, with_columns in figures)]

    rows = []
    for window in BILLED_WINDOWS:
        def units_row(kind):
            def of(which):
                return lambda *pair: f"{getattr(pair[which].units[window], kind):.0f}"
            return row(f"{kind[:-1]} units of state, window {window} s", of(0), of(1))

        def here(which):
            return lambda *pair: dollars(pair[which].here(window))

        rows += [units_row("writes"), units_row("reads"), row(f"a month, window {window} s", here(0), here(1))]
    titles = ["without → with", f"{millions(SIZES[0])} clicks a day", *map(millions, SIZES[1:])]
    return markdown(titles, rows)


def totals_table(months_by_output):
    rows = []
    for output, months in months_by_output.items():
        rows.append([f"**{output}**", *[""] * len(SIZES)])
        for name in months[0].rows():
            rows.append([name, *(dollars(month.rows()[name]) for month in months)])
    kpus = ["KPUs of Flink, floor (sizing guide)", *(f"{m.floor_kpus()} ({m.guide_kpus()})" for m in months)]
    titles = ["", f"{millions(SIZES[0])} clicks a day", *map(millions, SIZES[1:])]
    return markdown(titles, [*rows, kpus])


def verdict(months_by_output):
    """Where Flink is cheaper, as sentences."""
    lines = []
    for output, months in months_by_output.items():
        for suffix, tables in [("", "on demand"), (", provisioned", "provisioned")]:
            found = []
            for flink in ["floor", "sizing guide"]:
                pairs = [(m.rows()["here, window 10 s" + suffix], m.rows()[f"Flink, {flink}" + suffix]) for m in months]
                name = "at its floor" if flink == "floor" else "by the sizing guide"
                found.append(f"Flink {name} is {where_cheaper(pairs)}")
            lines.append(f"* {output}, tables {tables}: {'; '.join(found)}\n")
    return "".join(lines)


def where_cheaper(pairs):
    """Where the second of each pair, one for each size, is below the first one."""
    is_below = [second < first for first, second in pairs]
    if not any(is_below):
        return "dearer"
    if all(is_below):
        return "cheaper"
    text = "cheaper" if is_below[0] else "dearer"
    for place in range(1, len(SIZES)):
        if is_below[place] != is_below[place - 1]:
            at = crossing(SIZES[place - 1:place + 1], pairs[place - 1:place + 1])
            text += f" up to about {at} million clicks a day, then {'cheaper' if is_below[place] else 'dearer'}"
    return text


def crossing(sizes, pairs):
    """Where two lines cross between two sizes, both axes logarithmic, in millions with one digit."""
    left, right = (math.log(first / second) for first, second in pairs)
    size = math.exp(math.log(sizes[0]) + math.log(sizes[1] / sizes[0]) * left / (left - right)) / 1e6
    digit = 10 ** math.floor(math.log10(size))
    return f"{round(size / digit) * digit:,.0f}"


def lines_of(months_by_output):
    """The lines of the picture: what each costs in its cheaper billing mode."""
    lines = []
    names = {"here": "here, window 10 s", "Flink, sizing guide": "Flink, sizing guide", "Flink, floor": "Flink, floor"}
    for output, months in months_by_output.items():
        for name, row in names.items():
            cheaper = [min(month.rows()[row], month.rows()[row + ", provisioned"]) for month in months]
            lines.append(picture.Line(name, output.lower(), [*zip(SIZES, cheaper)]))
    return lines


def replaced(page, name, text):
    """The page with `text` between the comments that begin and end `name`."""
    pattern = re.compile(rf"(<!-- begin {name}[^>]*-->\n).*?(<!-- end {name} -->)", re.DOTALL)
    new, count = pattern.subn(lambda found: f"{found[1]}\n{text}\n{found[2]}", page)
    if count != 1:
        sys.exit(f"error: docs/cost.md has {count} places for {name}, not 1")
    return new


def readme(page, months):
    """The README with its row: from the cheapest to the dearest form with all boundaries."""
    rows = months[SIZES.index(100_000_000)].rows()
    here = [amount for name, amount in rows.items() if name.startswith("here")]
    flink = [amount for name, amount in rows.items() if name.startswith("Flink")]
    spans = [f"{dollars(min(amounts))} to {dollars(max(amounts))}" for amounts in [here, flink]]
    row = f"| a month at 100 million clicks a day | {spans[0]} | {spans[1]} | – | – | – | – |"
    new, count = re.subn(r"^\| a month at 100 million clicks a day \|.*$", row, page, flags=re.MULTILINE)
    if count != 1:
        sys.exit(f"error: README.md has {count} rows for the bill, not 1")
    return new


def computed():
    """What each file must contain."""
    billed = [(*BILLED, window) for window in BILLED_WINDOWS]
    units = measured("units.csv", [(*kind, window) for kind in BEFORE for window in BEFORE[kind]])
    units_with_columns = measured("units-columns.csv", billed)
    outputs = {"All boundaries": False, "Ends only": True}
    months = {name: [Month(units, size, ends_only) for size in SIZES] for name, ends_only in outputs.items()}
    page, start = ROOT / "docs" / "cost.md", ROOT / "README.md"
    text = page.read_text()
    text = replaced(text, "writes", units_table(units, "writes"))
    text = replaced(text, "reads", units_table(units, "reads"))
    text = replaced(text, "parts", parts_table(months["All boundaries"]))
    text = replaced(text, "totals", totals_table(months))
    text = replaced(text, "verdict", verdict(months))
    text = replaced(text, "columns", columns_table(units_with_columns, months["All boundaries"]))
    return {
        page: text,
        start: readme(start.read_text(), months["All boundaries"]),
        HERE / "bill.svg": picture.draw(lines_of(months)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file would change")
    check = parser.parse_args().check
    stale = []
    for path, text in computed().items():
        if not path.exists() or path.read_text() != text:
            stale.append(str(path.relative_to(ROOT)))
            if not check:
                path.write_text(text)
    if check and stale:
        sys.exit(f"error: not as computed from docs/cost/units.csv and units-columns.csv: {', '.join(stale)}; run docs/cost/bill.py")
    print(f"changed: {', '.join(stale)}" if stale else "all as computed")


if __name__ == "__main__":
    main()
