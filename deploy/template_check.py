"""Checks template.yaml as CloudFormation receives it: transformed by SAM, then linted and checked by our own rules.

The transformation comes first because linters ignore most properties of an AWS::Serverless::Function. They find a
misspelt StartingPosition only in the AWS::Lambda::EventSourceMapping that SAM generates.
"""

import json
import logging
import re
import sys
from pathlib import Path

from cfnlint.api import lint as cfn_lint
from cfnlint.config import ManualArgs
from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from scaling_rule import scaling

TEMPLATE = Path(__file__).parent.parent / "template.yaml"

# Regions in which the template must be deployable: cfn-lint knows which resource types each region supports.
REGIONS = ["us-east-1", "eu-central-1"]

# Parameters that make each of the template's conditions take its other branch.
OTHERWISE = {
    "EventTimestampFormat": "arrival",
    "ClickStreamArn": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
    "ClickStreamKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "StreamMode": "PROVISIONED",
    "TableBillingMode": "PROVISIONED",
    "TableDeletionProtection": "true",
    "ReservedConcurrency": "40",
    "Architecture": "x86_64",
    "SessionRetentionDays": "365",
    "AlarmEmail": "on-call@example.com",
    "NoClicksAlarmMinutes": "0",
    "SweepState": "DISABLED",
    "SessionEndsBus": "arn:aws:events:us-east-1:000000000000:event-bus/shop",
    "LogLevel": "DEBUG",
}

# The only actions that policies can allow on every resource: they do not support resource-level permissions.
WITHOUT_RESOURCES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}

SWEEP = '{"sweep":{}}'  # the event that the sessionizer knows

FEW_SECONDS = 3  # by which the grace must exceed the batching window: an invocation, and clicks that arrive unevenly

MAX_ALARM_DESCRIPTION = 1024  # characters, the limit of PutMetricAlarm
DASHBOARD_WIDTH = 24  # units


# The translator collects usage metrics and warns when nothing consumes them.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


class NoManagedPolicies(ManagedPolicyLoader):
    """The template uses no managed policies, and listing them would need an AWS account."""

    def __init__(self):
        super().__init__(None)

    def load(self):
        return {}


def transformed(text, parameters=None):
    """The CloudFormation template that SAM generates from `text`, with `parameters` in place of its defaults."""
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"  # where `sam package` would have put the code
    return transform(template, dict(parameters or {}), NoManagedPolicies())


def linted(template):
    """All findings of cfn-lint in a transformed template: errors, warnings and informational ones."""
    config = ManualArgs(regions=REGIONS, include_checks=["I"])
    matches = cfn_lint(json.dumps(template), config=config)
    return [f"{match.rule.id} {'/'.join(map(str, match.path or []))}: {match.message}" for match in matches]


def own_rules(template):
    """Faults that the linters do not look for, each as a sentence."""
    resources = template["Resources"]
    yield from grace_rule(template)
    yield from wildcards(resources)
    yield from schedules(resources)
    yield from scaling(resources)
    yield from alarms(resources)
    yield from dashboards(resources)


def grace_rule(template):
    """Pairs of values that the rules wrongly accept or refuse: the grace must exceed the window by a few seconds."""
    window, grace = "ClickBatchingWindowSeconds", "CloseGraceSeconds"
    parameters = template["Parameters"]
    defaults = {name: str(parameter["Default"]) for name, parameter in parameters.items()}
    assertions = [assertion["Assert"] for rule in template["Rules"].values() if "RuleCondition" not in rule
                  for assertion in rule["Assertions"]]
    for seconds in parameters[window]["AllowedValues"]:
        for allowed in parameters[grace]["AllowedValues"]:
            values = {**defaults, window: str(seconds), grace: str(allowed)}
            accepted = all(holds(assertion, values) for assertion in assertions)
            if accepted != (allowed - seconds >= FEW_SECONDS):
                verdict = "accept" if accepted else "refuse"
                yield f"the rules {verdict} a {grace} of {allowed} with a {window} of {seconds}"


def holds(condition, values):
    """Whether a rule's condition is true for these values of the parameters."""
    [(function, argument)] = condition.items()
    match function:
        case "Fn::And":
            return all(holds(part, values) for part in argument)
        case "Fn::Or":
            return any(holds(part, values) for part in argument)
        case "Fn::Not":
            return not holds(argument[0], values)
        case "Fn::Equals":
            return len({value_of(part, values) for part in argument}) == 1
        case "Fn::Contains":
            return value_of(argument[1], values) in [value_of(part, values) for part in argument[0]]
    raise ValueError(f"this check does not support {function}")


def value_of(part, values):
    return values[part["Ref"]] if isinstance(part, dict) else str(part)


def wildcards(resources):
    """Policies that allow more than named actions on named resources."""
    for name, resource in of_type(resources, "AWS::IAM::Role"):
        if resource["Properties"].get("ManagedPolicyArns"):
            yield f"{name}: a managed policy allows more than the function needs"
        for policy in resource["Properties"].get("Policies", []):
            for statement in map(chosen, policy["PolicyDocument"]["Statement"]):
                actions = as_list(statement["Action"])
                if any("*" in action for action in actions):
                    yield f"{name}: {statement['Sid']} has a wildcard in an action"
                if "*" in as_list(statement["Resource"]) and not set(actions) <= WITHOUT_RESOURCES:
                    yield f"{name}: {statement['Sid']} allows its actions on every resource"


def schedules(resources):
    """Schedules that do not invoke a function of this template with a sweep, once, and with permission for only that."""
    for name, resource in of_type(resources, "AWS::Scheduler::Schedule"):
        target = resource["Properties"]["Target"]
        function = target["Arn"].get("Fn::GetAtt", [None])[0]
        if resources.get(function, {}).get("Type") != "AWS::Lambda::Function":
            yield f"{name}: its target is not a function of this template"
        if target.get("Input") != SWEEP:
            yield f"{name}: its input is not {SWEEP}"
        if target.get("RetryPolicy", {}).get("MaximumRetryAttempts") != 0:
            yield f"{name}: it retries, although the next sweep makes up for one that fails"
        role = resources[target["RoleArn"]["Fn::GetAtt"][0]]["Properties"]
        trusted = [as_list(statement["Principal"]["Service"]) for statement in role["AssumeRolePolicyDocument"]["Statement"]]
        if trusted != [["scheduler.amazonaws.com"]]:
            yield f"{name}: its role trusts {trusted}"
        allowed = [(as_list(statement["Action"]), statement["Resource"]) for policy in role.get("Policies", [])
                   for statement in policy["PolicyDocument"]["Statement"]]
        if allowed != [(["lambda:InvokeFunction"], target["Arn"])]:
            yield f"{name}: its role does not allow exactly to invoke its target"


def alarms(resources):
    """Alarms without TreatMissingData or a valid description, or that refer to a metric they do not define."""
    for name, resource in of_type(resources, "AWS::CloudWatch::Alarm"):
        properties = resource["Properties"]
        if "TreatMissingData" not in properties:
            yield f"{name}: does not set TreatMissingData"
        if not 0 < len(properties.get("AlarmDescription", "")) <= MAX_ALARM_DESCRIPTION:
            yield f"{name}: its description is missing or longer than {MAX_ALARM_DESCRIPTION} characters"
        metrics = {metric["Id"]: metric for metric in properties.get("Metrics", [])}
        for metric in metrics.values():
            expression = metric.get("Expression", "")
            expression = expression.get("Fn::Sub") if isinstance(expression, dict) else expression
            yield from (f"{name}: {it}" for it in unknown_ids(expression, metrics))
        if metrics and sum(metric.get("ReturnData", True) for metric in metrics.values()) != 1:
            yield f"{name}: must return data for exactly one of its metrics"


def dashboards(resources):
    """Dashboards that are not JSON, or that contain misplaced widgets or malformed metrics."""
    for name, resource in of_type(resources, "AWS::CloudWatch::Dashboard"):
        body = resource["Properties"]["DashboardBody"]["Fn::Sub"]
        try:
            widgets = json.loads(body if isinstance(body, str) else body[0])["widgets"]
        except (ValueError, KeyError) as error:
            yield f"{name}: cannot parse its body: {error!r}"
            continue
        taken = set()
        for widget in widgets:
            place = f"{name}: the widget at {widget['x']}, {widget['y']}"
            cells = {(x, y) for x in range(widget["x"], widget["x"] + widget["width"])
                     for y in range(widget["y"], widget["y"] + widget["height"])}
            if widget["x"] + widget["width"] > DASHBOARD_WIDTH or taken & cells:
                yield f"{place} overlaps another one or the edge"
            taken |= cells
            yield from (f"{place}: {fault}" for fault in widget_metrics(widget["properties"].get("metrics", [])))


def widget_metrics(metrics):
    """Faults in a widget's metrics: [namespace, name, dimension, value, …, options], or [options] with an expression."""
    options = [metric[-1] if isinstance(metric[-1], dict) else {} for metric in metrics]
    ids = {option["id"] for option in options if "id" in option}
    for metric, option in zip(metrics, options):
        names = [part for part in metric if not isinstance(part, dict)]
        if names and (len(names) < 4 or len(names) % 2):
            yield f"{names} is not a metric"
        yield from unknown_ids(option.get("expression", ""), ids)


def unknown_ids(expression, ids):
    """Names in a metric expression that are neither ids nor functions (functions are upper case)."""
    for used in re.findall(r"\b[a-z]\w*\b", re.sub(r"\$\{.*?\}", "", expression)):
        if used not in ids:
            yield f"{expression!r} uses {used}, which is not defined"


def of_type(resources, kind):
    return [(name, resource) for name, resource in resources.items() if resource["Type"] == kind]


def chosen(statement):
    """A statement, or the one that its condition adds."""
    return statement["Fn::If"][1] if "Fn::If" in statement else statement


def as_list(value):
    return value if isinstance(value, list) else [value]


def faults_of(text, choices=({}, OTHERWISE)):
    """All faults of a template under any of the `choices` of parameters, each once."""
    found = []
    for parameters in choices:
        try:
            template = transformed(text, parameters)
        except Exception as error:  # the translator raises many types, all of which mean that SAM rejects the template
            return [f"SAM: {error}"]
        found += linted(template)
        found += own_rules(template)
    return list(dict.fromkeys(found))


def main():
    faults = faults_of(TEMPLATE.read_text())
    for fault in faults:
        print(fault)
    if faults:
        return 1
    print("no faults, neither with the defaults nor with the other branch of every condition")
    return 0


if __name__ == "__main__":
    sys.exit(main())
