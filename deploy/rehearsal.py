"""The rehearsal: deploy, send clicks, compare sessions, update, compare again, delete, attach to another stream.

It does what a user would do: `sam` with samconfig.toml, and the services' APIs. Any difference raises an exception, so
the exit code is not 0.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
from boto3.dynamodb.conditions import Key
from samtranslator.yaml_helper import yaml_parse

from emulator import Emulator, deployable

PROJECT = Path(__file__).parent.parent
CLICKS = PROJECT / "testdata" / "walk.clicks.ndjson"
SESSIONS = PROJECT / "testdata" / "walk.sessions.ndjson"

STACK = "sessionizer"  # stack_name in samconfig.toml
EXISTING = "shop-clicks"  # a stream that does not belong to the stack
# The outputs with the names of the tables.
TABLES = ["SessionsTableName", "StateLogTableName", "SessionStateTableName", "RejectedRecordsTableName"]
RECORDS_PER_PUT = 500  # the limit of PutRecords
DONE_WITHIN_SECONDS = 180
OTHER_GAP_SECONDS = 3600

# Unreadable records, each with the reason it must be rejected with.
UNREADABLE = {
    b"{": "not_json",
    b'{"user_id":"rehearsal"}': "event_timestamp_missing",
    b"\xff\xfe": "not_utf8",
}


def main():
    built, architecture = Path(sys.argv[1]), sys.argv[2]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that the emulator is stopped
    with Emulator() as emulator:
        say(f"emulator at {emulator.endpoint}")
        rehearsal = Rehearsal(emulator, built, architecture)
        rehearsal.deploy({})
        rehearsal.sessions_of_the_test_stream()
        rehearsal.unreadable_records_are_kept()
        rehearsal.update_of_the_session_gap()
        rehearsal.delete()
        rehearsal.attachment_to_an_existing_stream()
    say("emulator stopped; the rehearsal succeeded")


class Rehearsal:
    def __init__(self, emulator, built, architecture):
        self.environment = dict(os.environ, AWS_ENDPOINT_URL=emulator.endpoint)
        self.architecture = architecture
        template, changed = deployable(yaml_parse(built.read_text()))
        # In the same folder as the built template, whose paths to the code are relative.
        self.template = built.with_name("template-for-the-emulator.json")
        self.template.write_text(json.dumps(template))
        say(f"the emulator does not support metric math; these alarms watch one metric instead: {', '.join(changed)}")
        session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="us-east-1")
        client = lambda service: session.client(service, endpoint_url=emulator.endpoint)
        self.cloudformation, self.kinesis, self.awslambda = map(client, ("cloudformation", "kinesis", "lambda"))
        self.dynamodb = session.resource("dynamodb", endpoint_url=emulator.endpoint)
        self.outputs = {}

    def deploy(self, parameters):
        parameters = {"Architecture": self.architecture, **parameters}
        say(f"sam deploy with {parameters}")
        self.sam(
            "deploy", "--template-file", self.template, "--no-confirm-changeset", "--no-progressbar",
            "--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items()))
        [stack] = self.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        for name, value in sorted(self.outputs.items()):
            print(f"    {name}: {value}")

    def sessions_of_the_test_stream(self):
        clicks = CLICKS.read_bytes().splitlines()
        expected = [json.loads(line) for line in SESSIONS.read_text().splitlines()]
        say(f"{len(clicks)} clicks of {CLICKS.name} into {self.outputs['ClickStreamName']}")
        self.put(clicks)
        found = self.await_sessions(lambda: self.sessions(), len(expected), lambda found: found == expected)
        if found != expected:
            raise AssertionError(f"the sessions differ from {SESSIONS.name}: {first_difference(found, expected)}")
        say(f"the sessions table contains exactly the {len(expected)} sessions of {SESSIONS.name}")

    def unreadable_records_are_kept(self):
        say(f"{len(UNREADABLE)} unreadable records into {self.outputs['ClickStreamName']}")
        self.put(list(UNREADABLE))
        table = self.dynamodb.Table(self.outputs["RejectedRecordsTableName"])
        expected = {(data, reason) for data, reason in UNREADABLE.items()}
        kept = lambda: {(item["data"].value, item["reason"]) for item in scan(table)}
        found = until(
            kept, lambda found: found == expected, lambda found: f"{len(found)} of {len(expected)} are in the table")
        if found != expected:
            raise AssertionError(f"rejected-records contains {found}")
        say("each is in rejected-records with its reason")

    def update_of_the_session_gap(self):
        self.deploy({"SessionGapSeconds": OTHER_GAP_SECONDS})
        function = self.outputs["SessionizerFunctionName"]
        variables = self.awslambda.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        if variables["SESSION_GAP_SECONDS"] != str(OTHER_GAP_SECONDS):
            raise AssertionError(f"after the update, the function's variables are {variables}")
        say(f"the function's SESSION_GAP_SECONDS is {OTHER_GAP_SECONDS}")

        # The first two clicks are half the new gap apart: one session now, two before the update. The third is a whole
        # gap later: a second session.
        gap_ms, start = OTHER_GAP_SECONDS * 1000, 1_721_400_000_000
        times = [start, start + gap_ms // 2, start + gap_ms // 2 + gap_ms]
        user = "after-the-update"
        self.put([json.dumps({"user_id": user, "event_timestamp": at}).encode() for at in times])
        expected = [(f"{user}_0", "closed", 2), (f"{user}_1", "open", None)]
        brief = lambda session: (session["session_id"], session["status"], session.get("event_count"))
        table = self.dynamodb.Table(self.outputs["SessionsTableName"])
        query = lambda: table.query(KeyConditionExpression=Key("user_id").eq(user), ConsistentRead=True)
        ours = lambda: [brief(session) for session in query()["Items"]]
        found = self.await_sessions(ours, len(expected), lambda found: found == expected)
        if found != expected:
            raise AssertionError(f"clicks after the update do not follow the new gap: {found}")
        say(f"new clicks follow the new gap: {found}")

    def delete(self):
        tables = [self.outputs[table] for table in TABLES]
        say("sam delete")
        self.sam("delete", "--region", "us-east-1", "--no-prompts")
        left = set(self.kinesis.list_streams()["StreamNames"]) - {EXISTING}
        functions = [function["FunctionName"] for function in self.awslambda.list_functions()["Functions"]]
        if left or functions:
            raise AssertionError(f"deleting the stack left {left} and {functions}")
        kept = {name: self.dynamodb.Table(name).item_count for name in tables}  # raises if a table is missing
        # session-state stays empty here: the logs are not half full, so nobody has left them.
        if not kept[self.outputs["SessionsTableName"]] or not kept[self.outputs["StateLogTableName"]]:
            raise AssertionError(f"deleting the stack emptied a table: {kept}")
        say(f"the streams and functions are gone; the tables still exist, with item counts {kept}")

    def attachment_to_an_existing_stream(self):
        for table in TABLES:  # the deleted stack retained them, so a new stack could not create them
            self.dynamodb.Table(self.outputs[table]).delete()
        self.kinesis.create_stream(StreamName=EXISTING, ShardCount=2)
        self.kinesis.get_waiter("stream_exists").wait(StreamName=EXISTING)
        arn = self.kinesis.describe_stream_summary(StreamName=EXISTING)["StreamDescriptionSummary"]["StreamARN"]
        self.deploy({"ClickStreamArn": arn, "StreamMode": "PROVISIONED", "SessionShards": 2})
        streams = self.kinesis.list_streams()["StreamNames"]
        if sorted(streams) != sorted([EXISTING, self.outputs["SessionStreamName"]]):
            raise AssertionError(f"with an existing click stream, the streams are {streams}")
        say(f"the stack reads {EXISTING} and created no click stream")
        self.put([json.dumps({"user_id": "attached", "event_timestamp": 1_721_400_000_000}).encode()])
        ids = lambda: [session["session_id"] for session in self.sessions()]
        found = self.await_sessions(ids, 1, lambda found: found == ["attached_0"])
        if found != ["attached_0"]:
            raise AssertionError(f"a click in {EXISTING} resulted in {found}")
        say("a click in it becomes a session")
        self.delete()
        if EXISTING not in self.kinesis.list_streams()["StreamNames"]:
            raise AssertionError(f"deleting the stack deleted {EXISTING}")
        say(f"{EXISTING} still exists")

    def sam(self, *arguments):
        """Runs sam and prints its output; raises an exception unless the exit code is 0."""
        command = ["sam", *map(str, arguments), "--config-file", str(PROJECT / "samconfig.toml")]
        run = subprocess.run(command, env=self.environment, cwd=self.template.parent, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in run.stdout.splitlines():
            if line.strip(" -"):
                print(f"    {line}")
        run.check_returncode()

    def put(self, records):
        """Puts records into the click stream, in order, with the user as partition key."""
        stream = self.outputs["ClickStreamName"]
        for first in range(0, len(records), RECORDS_PER_PUT):
            entries = [{"Data": data, "PartitionKey": user_of(data)} for data in records[first:first + RECORDS_PER_PUT]]
            answer = self.kinesis.put_records(StreamName=stream, Records=entries)
            if answer["FailedRecordCount"]:
                raise AssertionError(f"PutRecords failed for {answer['FailedRecordCount']} records")

    def await_sessions(self, read, count, done):
        return until(read, done, lambda found: f"{len(found)} of {count} sessions are in the table")

    def sessions(self):
        """The sessions table in the form of testdata: only the boundary's fields, without tombstones, ordered by id."""
        items = scan(self.dynamodb.Table(self.outputs["SessionsTableName"]))
        others = ("ordinal", "version", "expires_at")
        sessions = [{name: plain(value) for name, value in item.items() if name not in others}
                    for item in items if item["status"] != "retracted"]
        return sorted(sessions, key=lambda session: session["session_id"])


def until(read, done, progress):
    """Reads once a second until it is done or the time is up, and prints progress when it changes."""
    deadline = time.monotonic() + DONE_WITHIN_SECONDS
    last = None
    while True:
        found = read()
        now = progress(found)
        if now != last:
            say(now)
            last = now
        if done(found) or time.monotonic() > deadline:
            return found
        time.sleep(1)


def scan(table):
    arguments = {"ConsistentRead": True}
    while True:
        page = table.scan(**arguments)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def plain(value):
    return value if isinstance(value, str) else int(value)


def user_of(record):
    try:
        return str(json.loads(record)["user_id"])
    except (ValueError, KeyError):
        return "nobody"


def first_difference(found, expected):
    for ours, theirs in zip(found, expected):
        if ours != theirs:
            return f"found {ours}, expected {theirs}"
    return f"found {len(found)} sessions, expected {len(expected)}"


STARTED = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


if __name__ == "__main__":
    main()
