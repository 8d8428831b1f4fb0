"""Plants faults in the template, one at a time, and fails if the checks miss one."""

import sys

import template_check

SHOWN = 160  # characters of a fault: some list every name in the template

# Text to replace, its replacement, and a word that the reported fault must contain.
FAULTS = {
    "a misspelt StartingPosition": (
        "StartingPosition: TRIM_HORIZON", "StartingPosition: TRIM_HORISON", "StartingPosition"),
    "a retry count out of range": (
        "MaximumRetryAttempts: -1", "MaximumRetryAttempts: 10001", "MaximumRetryAttempts"),
    "an undefined reference in a policy": (
        "Resource: !GetAtt SessionState.Arn", "Resource: !GetAtt State.Arn", "'State' is not one of"),
    "an undefined condition": (
        "!If [ConcurrencyReserved,", "!If [Reserved,", "'Reserved' is not one of"),
    "a batching window out of range": (
        "MaxValue: 300\n", "MaxValue: 3000\n", "MaximumBatchingWindowInSeconds"),
    "an attribute definition that is in no key": (
        "- {AttributeName: user_id, KeyType: HASH}\n\n", "- {AttributeName: user, KeyType: HASH}\n\n", "KeySchema"),
    "a wildcard in a policy": (
        "Resource: !GetAtt RejectedRecords.Arn", 'Resource: "*"', "every resource"),
    "a grace as short as the batching window": (
        '["5", "10", "15", "30", "60"]', '["5", "10", "15", "30"]',
        "accept a CloseGraceSeconds of 60 with a ClickBatchingWindowSeconds of 60"),
    "a batching window without a rule": (
        "AllowedValues: [1, 2, 5, 10,", "AllowedValues: [1, 2, 5, 6, 10,", "with a ClickBatchingWindowSeconds of 6"),
    "a schedule with the role of a function": (
        "OmitName: true", "OmitName: true\n            RoleArn: !GetAtt SinkRole.Arn", "does not allow exactly to invoke"),
    "a schedule whose event the function does not know": (
        """Input: '{"sweep":{}}'""", """Input: '{"sweeps":{}}'""", "its input is not"),
    "a schedule that retries": (
        "RetryPolicy: {MaximumRetryAttempts: 0,", "RetryPolicy: {MaximumRetryAttempts: 9,", "it retries"),
    "a target of another table": (
        "table/${StateLog}", "table/${RejectedRecords}", "is no provisioned table of this template"),
    "a table whose reads nothing scales": (
        "table/${Sessions}", "table/${SessionState}", "Sessions: nothing scales its read capacity"),
    "a target with the dimension of an index": (
        "dynamodb:table:WriteCapacityUnits", "dynamodb:index:WriteCapacityUnits",
        "dynamodb:index:WriteCapacityUnits is no provisioned table"),
    "a policy with the metric of the other dimension": (
        "DynamoDBReadCapacityUtilization", "DynamoDBWriteCapacityUtilization", "is not the metric of its target"),
    "a policy of another target": (
        "ScalingTargetId: !Ref StateLogReadCapacity", "ScalingTargetId: !Ref StateLogWriteCapacity",
        "has two policies"),
    "a target with the other dimension's floor": (
        "MinCapacity: !Ref TableReadFloor", "MinCapacity: !Ref TableWriteFloor", "its floor is not that of its table"),
    "a pipe with a batch that its target does not take": (
        "BatchSize: 10 # PutEvents", "BatchSize: 0 # PutEvents", "BatchSize"),
    "a pipe that may put events on any bus": (
        "Action: events:PutEvents\n                Resource: !Ref SessionEndsBus",
        'Action: events:PutEvents\n                Resource: "*"', "every resource"),
    "a dashboard that is not JSON": (
        '"widgets": [', '"widgets": [,', "cannot parse its body"),
    "a dashboard with an undefined reference": (
        '"TableName", "${Sessions}"', '"TableName", "${Session}"', "'Session' is not one of"),
    "an alarm over a metric it does not have": (
        "100 * late / (late + applied), Label", "100 * late / (late + aplied), Label", "uses aplied"),
}


def main():
    text = template_check.TEMPLATE.read_text()
    missed = 0
    for name, (before, after, word) in FAULTS.items():
        if before not in text:
            print(f"{name}: {before!r} is no longer in the template")
            missed += 1
            continue
        found = template_check.faults_of(text.replace(before, after, 1), choices=({},))
        telling = [fault for fault in found if word in fault]
        print(f"{name}: {telling[0][:SHOWN] if telling else 'NOT FOUND'}")
        missed += not telling
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
