"""The clicks of one shard, as benches/src/workload.rs makes them, in one file for each source of the job.

Users click at random until their session of 20 clicks ends; then another user becomes active. The clicks are random but
seeded: two runs have the same.
"""

import heapq
import random
from collections import deque

CLICKS_PER_SESSION = 20
CLICKS_PER_BATCH = 8_000
BEGIN_MS = 1_721_390_000_000
EVENT_NAMES = ["search", "category", "detail", "add_to_cart", "cart", "checkout"]
DEVICE_TYPES = ["desktop", "mobile", "tablet"]

# Gap, time between two clicks of a session, and batching window, in milliseconds; numbered from 1 as in `benches`.
WORKLOADS = [
    (10_000, 2_000, 1_000),
    (10_000, 2_000, 10_000),
    (10_000, 2_000, 30_000),
    (1_800_000, 30_000, 1_000),
    (1_800_000, 30_000, 10_000),
    (1_800_000, 30_000, 30_000),
]


def active_users(workload):
    """How many active users fill a batch in one window. There are twice as many users."""
    _, spacing_ms, window_ms = workload
    return CLICKS_PER_BATCH * max(spacing_ms // window_ms, 1) // -(-window_ms // spacing_ms)


def simulated(workload, count, seed=7):
    """`count` clicks in order of time, each as the user's number and its time in Unix milliseconds."""
    gap_ms, spacing_ms, _ = workload
    rng = random.Random(seed)

    def wait_ms():
        while True:
            wait = int(rng.expovariate(1 / spacing_ms))
            if wait + 1 < gap_ms:
                return wait

    active = active_users(workload)
    order = list(range(2 * active))
    rng.shuffle(order)
    left = {user: rng.randint(1, CLICKS_PER_SESSION) for user in order[:active]}
    upcoming = [(BEGIN_MS + wait_ms(), user) for user in left]
    heapq.heapify(upcoming)
    idle = deque((0, user) for user in order[active:])
    for _ in range(count):
        ms, user = heapq.heappop(upcoming)
        yield user, ms
        left[user] -= 1
        following = ms
        if not left[user]:
            idle.append((ms + gap_ms, user))
            free_at, user = idle.popleft()
            left[user] = CLICKS_PER_SESSION
            following = max(free_at, ms)
        heapq.heappush(upcoming, (following + wait_ms(), user))


def write(workload, count, paths):
    """Writes the clicks to files, each user's to one of them. Returns how many sessions the job must find."""
    files = [path.open("w", encoding="ascii") for path in paths]
    expected = Expected(workload[0] // 1_000)
    for user, ms in simulated(workload, count):
        name, device = EVENT_NAMES[ms % len(EVENT_NAMES)], DEVICE_TYPES[user % len(DEVICE_TYPES)]
        files[user % len(files)].write(
            f'{{"user_id":"user{user:06}-0","event_timestamp":"{ms}","event_name":"{name}","event_type":"click",'
            f'"device_type":"{device}"}}\n')
        expected.click(user, ms // 1_000)
    for file in files:
        file.close()
    return expected.sessions()


class Expected:
    """The sessions that the job finds: none at a user's first second, and none where two clicks share a second."""

    def __init__(self, gap_seconds):
        self.gap_seconds = gap_seconds
        self.last = {}  # each user's last second, and whether a session starts there
        self.found = 0

    def click(self, user, second):
        previous, starts = self.last.get(user, (None, False))
        if second == previous:
            self.last[user] = (second, False)
            return
        self.found += starts
        self.last[user] = (second, previous is not None and second - previous >= self.gap_seconds)

    def sessions(self):
        return self.found + sum(starts for _, starts in self.last.values())
