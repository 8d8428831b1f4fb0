"""Whether each provisioned table scales: one target and one policy for its reads, and one of each for its writes.

cfn-lint checks only the words: it accepts a target of another table, and a policy that scales reads by the use of
writes.
"""

import re

TARGET_PERCENT = 70  # the use at which docs/cost.md calculates


def scaling(resources):
    """Faults of targets and policies, and provisioned tables that lack one, each as a sentence."""
    missing = dict(provisioned(resources))
    dimensions = {}
    for name, condition, properties in of_type(resources, "AWS::ApplicationAutoScaling::ScalableTarget"):
        resource, dimension = properties["ResourceId"], properties["ScalableDimension"]
        table = re.fullmatch(r"table/\$\{(\w+)\}", resource.get("Fn::Sub", "") if isinstance(resource, dict) else "")
        kind = re.fullmatch(r"dynamodb:table:(Read|Write)CapacityUnits", dimension)
        scaled = (table and table[1], kind and kind[1])
        if scaled not in missing:
            yield f"{name}: {resource} with {dimension} is no provisioned table of this template, or scaled twice"
            continue
        if missing.pop(scaled) != (condition, properties["MinCapacity"]):
            yield f"{name}: its condition or its floor is not that of its table"
        dimensions[name] = kind[1]
    yield from (f"{table}: nothing scales its {kind.lower()} capacity" for table, kind in missing)
    yield from policies(resources, dimensions)


def policies(resources, dimensions):
    """Policies that do not track the metric of their target (`dimensions`: Read or Write), and targets without one."""
    without = dict(dimensions)
    for name, _, properties in of_type(resources, "AWS::ApplicationAutoScaling::ScalingPolicy"):
        target = properties.get("ScalingTargetId", {}).get("Ref")
        kind = without.pop(target, None)
        if not kind:
            yield f"{name}: {target} is no target of this template, or has two policies"
            continue
        tracking = properties["TargetTrackingScalingPolicyConfiguration"]
        metric = tracking["PredefinedMetricSpecification"]["PredefinedMetricType"]
        if metric != f"DynamoDB{kind}CapacityUtilization":
            yield f"{name}: {metric} is not the metric of its target, {target}"
        if tracking["TargetValue"] != TARGET_PERCENT:
            yield f"{name}: its target is not {TARGET_PERCENT} percent"
    yield from (f"{target}: no policy scales it" for target in without)


def provisioned(resources):
    """Tables and kinds of unit that may be provisioned, with the condition and the units that a table starts with."""
    for name, _, properties in of_type(resources, "AWS::DynamoDB::Table"):
        if "ProvisionedThroughput" in properties:
            condition, units, _ = properties["ProvisionedThroughput"]["Fn::If"]
            for kind in ["Read", "Write"]:
                yield (name, kind), (condition, units[f"{kind}CapacityUnits"])


def of_type(resources, kind):
    found = [(name, resource) for name, resource in resources.items() if resource["Type"] == kind]
    return [(name, resource.get("Condition"), resource["Properties"]) for name, resource in found]
