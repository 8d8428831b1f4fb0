"""Runs the Flink job and this pipeline in turn, and prints the CPU time per click of both. Linux only.

Flink's start-up is left out: two sizes run, and the difference of their CPU times counts. The job first has to
reproduce testdata/walk.flink.ndjson, and every run has to find the sessions it must, so no broken job is measured.
"""

import argparse
import ctypes
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import clicks

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SOURCES = 2  # files of clicks, one for each parallel source
WALK_GAP_SECONDS = 10
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def run_job(folder, gap_seconds):
    """Runs the job on the clicks below `folder`. Returns its rows, CPU seconds, wall seconds and peak memory in MiB."""
    output = folder / "sessions"
    shutil.rmtree(output, ignore_errors=True)
    began = time.monotonic()
    job = subprocess.Popen([sys.executable, HERE / "job.py", folder / "clicks", output, str(gap_seconds)])
    cpu, peak_kib, failed = 0.0, 0, False
    # The JVM that runs the job outlives the Python process that started it, so wait until no process is left.
    while True:
        try:
            pid, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        failed |= pid == job.pid and status != 0
        cpu += usage.ru_utime + usage.ru_stime
        peak_kib = max(peak_kib, usage.ru_maxrss)
    if failed:
        sys.exit("error: the Flink job failed")
    files = [file for file in output.glob("*") if file.is_file()]  # without sessions, the job writes no folder either
    rows = [line for file in files for line in file.read_text().splitlines()]
    return rows, cpu, time.monotonic() - began, peak_kib / 1024


def check_job(folder):
    """Stops unless the job makes the same rows of testdata/walk.clicks.ndjson as the original."""
    make_clicks_folder(folder)
    files = [path.open("w") for path in source_files(folder)]
    for line in (ROOT / "testdata" / "walk.clicks.ndjson").open():
        files[sum(json.loads(line)["user_id"].encode()) % SOURCES].write(line)
    for file in files:
        file.close()
    rows, *_ = run_job(folder, WALK_GAP_SECONDS)
    if sorted(rows) != sorted((ROOT / "testdata" / "walk.flink.ndjson").read_text().splitlines()):
        sys.exit("error: the job's rows of testdata/walk.clicks.ndjson are not those of testdata/walk.flink.ndjson")


def make_clicks_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "clicks").mkdir(parents=True)


def source_files(folder):
    return [folder / "clicks" / f"{number}.ndjson" for number in range(SOURCES)]


def of_flink(folders, gap_seconds):
    """CPU seconds per click, from one run of each size."""
    seconds = {}
    for count, (folder, expected) in folders.items():
        rows, seconds[count], wall, peak_mib = run_job(folder, gap_seconds)
        if len(rows) != expected:
            sys.exit(f"error: the job found {len(rows)} sessions in {count} clicks, not {expected}")
        print(f"  Flink: {count:,} clicks, {expected:,} sessions, {seconds[count]:.1f} s of CPU in {wall:.1f} s, "
              f"peak {peak_mib:,.0f} MiB", flush=True)
    small, large = sorted(seconds)
    return (seconds[large] - seconds[small]) / (large - small)


def of_ours(program, workload):
    """CPU seconds per click of whole invocations, from the table that `benches invocation` prints."""
    command = [program, "invocation", "--only", str(workload)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    titles, row = [re.split(r" {2,}", line.strip()) for line in printed.splitlines()[:2]]
    figures = dict(zip(titles, row[1:], strict=True))  # the first column has no title
    return float(figures["CPU µs/record"]) / 1e6


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write clicks and sessions")
    parser.add_argument("--workload", type=int, choices=range(1, len(clicks.WORKLOADS) + 1), default=3,
                        help="its number in `benches`, from 1 [%(default)s]")
    parser.add_argument("--clicks", type=int, nargs=2, metavar=("SMALL", "LARGE"), default=[200_000, 2_000_000],
                        help="the two sizes %(default)s")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each, in turn; medians count [%(default)s]")
    parser.add_argument("--ours", type=Path, metavar="BENCHES", default=default_program(),
                        help="release build of `benches` [%(default)s]")
    chosen = parser.parse_args()
    if not 0 < chosen.clicks[0] < chosen.clicks[1] or chosen.rounds < 1:
        parser.error("--clicks takes a smaller and a larger number, --rounds at least 1")
    return chosen


def default_program():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "benches"


def main():
    chosen = arguments()
    # Otherwise the orphaned JVM would become a child of init, and its CPU time unknown.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        sys.exit(f"error: prctl: {os.strerror(ctypes.get_errno())}")
    check_job(chosen.folder / "walk")
    workload = clicks.WORKLOADS[chosen.workload - 1]
    folders = {}
    for count in chosen.clicks:
        folder = chosen.folder / str(count)
        make_clicks_folder(folder)
        folders[count] = (folder, clicks.write(workload, count, source_files(folder)))
    gap_ms, spacing_ms, window_ms = workload
    print(f"gap {gap_ms // 1000} s, clicks {spacing_ms // 1000} s apart, window {window_ms // 1000} s (here)")
    flink, ours = [], []
    for _ in range(chosen.rounds):
        flink.append(of_flink(folders, gap_ms // 1000))
        if chosen.ours.exists():
            ours.append(of_ours(chosen.ours, chosen.workload))
            print(f"  here: {ours[-1] * 1e6:.2f} µs per click", flush=True)
    report("Flink, start-up left out", statistics.median(flink))
    if ours:
        report("here, whole invocations", statistics.median(ours))
        print(f"here / Flink: {statistics.median(ours) / statistics.median(flink):.2f}")
    else:
        print(f"{chosen.ours} is missing. For the CPU time here: cargo build --release -p benches, then run this again")


def report(name, seconds):
    print(f"{name}: {seconds * 1e6:.2f} µs of CPU per click, {1 / seconds:,.0f} clicks per CPU second")


if __name__ == "__main__":
    main()
