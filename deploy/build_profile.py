"""Checks that what a deployment compiles is optimized: the profile that cargo resolves for the functions' binaries, and
that `sam build` used it. The checks themselves compile without optimization (tools.sh), which proves neither.
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
        faults.append("a build without optimization is not found")
    # cargo keeps each profile's output in a folder of its name, below that of the target. The binary itself is moved
    # from there into its package; the list of what it depends on stays.
    for binary in sorted(BINARIES):
        built = {path.parent.name for path in compiled.glob(f"*/*/{binary}.d")}
        if built != {"release"}:
            faults.append(f"sam build compiled {binary} with the profiles {sorted(built)}, expected release alone")
    for fault in faults:
        print(fault)
    if not faults:
        settings = ", ".join(f"{name} {value}" for name, value in DEPLOYED.items())
        print(f"{' and '.join(sorted(BINARIES))}: {settings}")
    return 1 if faults else 0


def faults_of(environment):
    """How the profile of each binary, as cargo resolves it in this environment, differs from what is to be deployed."""
    command = ["cargo", "build", "--release", "--locked", "--unit-graph", "-Z", "unstable-options"]
    command += [argument for name in sorted(BINARIES) for argument in ("--package", name)]
    # Only the unit graph tells resolved profiles, and a stable cargo prints it only if allowed to. Nothing is compiled.
    output = subprocess.run(command, env=dict(environment, RUSTC_BOOTSTRAP="1"), stdout=subprocess.PIPE, check=True)
    units = json.loads(output.stdout)["units"]
    found = {unit["target"]["name"]: unit["profile"] for unit in units if "bin" in unit["target"]["kind"]}
    faults = [f"cargo builds no binary {name}" for name in sorted(BINARIES - set(found))]
    for name in sorted(BINARIES & set(found)):
        for setting, expected in DEPLOYED.items():
            value = found[name][setting]
            if setting == "strip":
                value = value["resolved"].get("Named") if isinstance(value.get("resolved"), dict) else None
            if value != expected:
                faults.append(f"the profile of {name} has {setting} {value!r}, expected {expected!r}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
