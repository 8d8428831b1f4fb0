"""Checks that deployed binaries are optimized: which profile cargo resolves for them, and that `sam build` used it.

The other checks compile without optimization (tools.sh) and so prove neither.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

BINARIES = {"sessionizer-fn", "sink-fn"}
DEPLOYED = {"opt_level": "3", "lto": "fat", "codegen_units": 1, "debug_assertions": False, "strip": "symbols"}


def main():
    compiled = Path(sys.argv[1])
    faults = faults_of(os.environ)
    weakened = dict(os.environ, CARGO_PROFILE_RELEASE_OPT_LEVEL="0", CARGO_PROFILE_RELEASE_LTO="off")
    if len(faults_of(weakened)) != 2 * len(BINARIES):
        faults.append("this check did not detect a build without optimization")
    # cargo writes each profile's output to TARGET/PROFILE. cargo-lambda moves the binary into its package; the list of
    # its dependencies stays.
    for binary in sorted(BINARIES):
        built = {path.parent.name for path in compiled.glob(f"*/*/{binary}.d")}
        if built != {"release"}:
            faults.append(f"sam build compiled {binary} with the profiles {sorted(built)}, expected only release")
    for fault in faults:
        print(fault)
    if not faults:
        settings = ", ".join(f"{name} {value}" for name, value in DEPLOYED.items())
        print(f"{' and '.join(sorted(BINARIES))}: {settings}")
    return 1 if faults else 0


def faults_of(environment):
    """How each binary's profile, as cargo resolves it in this environment, differs from DEPLOYED."""
    command = ["cargo", "build", "--release", "--locked", "--unit-graph", "-Z", "unstable-options"]
    command += [argument for name in sorted(BINARIES) for argument in ("--package", name)]
    # Only the unit graph contains resolved profiles. Stable cargo needs RUSTC_BOOTSTRAP to print it. Nothing is compiled.
    output = subprocess.run(command, env=dict(environment, RUSTC_BOOTSTRAP="1"), stdout=subprocess.PIPE, check=True)
    units = json.loads(output.stdout)["units"]
    found = {unit["target"]["name"]: unit["profile"] for unit in units if "bin" in unit["target"]["kind"]}
    faults = [f"cargo does not build the binary {name}" for name in sorted(BINARIES - set(found))]
    for name in sorted(BINARIES & set(found)):
        for setting, expected in DEPLOYED.items():
            value = found[name][setting]
            if setting == "strip":
                value = value["resolved"].get("Named") if isinstance(value.get("resolved"), dict) else None
            if value != expected:
                faults.append(f"{name}: the profile sets {setting} to {value!r}, expected {expected!r}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
