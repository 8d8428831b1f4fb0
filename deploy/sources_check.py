"""Checks the parameter lists of docs/sources.md: what sam reads from them, and that the template allows the values."""

import re
import sys
import tomllib

from samcli.cli.types import CfnParameterOverridesType
from samtranslator.yaml_helper import yaml_parse

from template_check import TEMPLATE

PAGE = TEMPLATE.parent / "docs" / "sources.md"


def lists(page):
    """The lists of a page, each as written: strings NAME=VALUE."""
    for block in re.findall(r"^```toml\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        yield tomllib.loads(block)["parameter_overrides"]


def faults(entries, parameters):
    """What is wrong with a list, each as a sentence."""
    written = dict(entry.split("=", 1) for entry in entries)
    read = CfnParameterOverridesType().convert(tuple(entries), None, None)
    for name, value in written.items():
        if read.get(name) != value.strip('"'):
            yield f"{name}: sam reads {read.get(name)!r} from {value!r}"
        elif name not in parameters:
            yield f"{name}: the template has no such parameter"
        else:
            yield from (f"{name}: {read[name]!r} {fault}" for fault in refusals(read[name], parameters[name]))


def refusals(value, parameter):
    """Why CloudFormation would refuse a parameter's value."""
    if not re.fullmatch(parameter.get("AllowedPattern", ".*"), value):
        yield "does not match the pattern"
    if len(value) > parameter.get("MaxLength", len(value)):
        yield "is too long"
    if value not in map(str, parameter.get("AllowedValues", [value])):
        yield "is not allowed"
    if parameter["Type"] == "Number" and not parameter["MinValue"] <= int(value) <= parameter["MaxValue"]:
        yield "is out of range"


def main():
    parameters = yaml_parse(TEMPLATE.read_text())["Parameters"]
    found = list(lists(PAGE.read_text()))
    wrong = [fault for entries in found for fault in faults(entries, parameters)]
    print("\n".join(wrong or [f"{len(found)} lists, which sam reads as written and the template allows"]))
    return bool(wrong) or not found


if __name__ == "__main__":
    sys.exit(main())
