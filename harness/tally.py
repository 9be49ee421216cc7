"""What many requests came to, in little memory however many they are."""

import math
import threading

# Buckets per doubling: a percentile is off by 9 % at the most.
FINE = 8
# Told in full; of more, only how many.
FAILURES = 40


class Latencies:
    """A histogram of seconds with buckets that grow with the value."""

    def __init__(self):
        self.buckets = {}
        self.count = 0
        self.longest = 0.0

    def add(self, seconds):
        bucket = math.floor(math.log2(max(seconds, 1e-6)) * FINE)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.count += 1
        self.longest = max(self.longest, seconds)

    def percentile(self, share):
        """The upper end of the bucket that this share of all values doesn't exceed."""
        wanted = share * self.count
        for bucket in sorted(self.buckets):
            wanted -= self.buckets[bucket]
            if wanted <= 0:
                return min(2 ** ((bucket + 1) / FINE), self.longest)
        return 0.0


class Tally:
    """Answers by route, and everything that should not have been."""

    def __init__(self):
        self.answers = {}
        self.latencies = {}
        self.failures = []
        self.failed = 0
        self._lock = threading.Lock()

    def count(self, route, answer, seconds):
        with self._lock:
            answers = self.answers.setdefault(route, {})
            answers[label(answer)] = answers.get(label(answer), 0) + 1
            self.latencies.setdefault(route, Latencies()).add(seconds)

    def fail(self, text):
        with self._lock:
            self.failed += 1
            if len(self.failures) < FAILURES:
                self.failures.append(text[:600])

    @property
    def requests(self):
        with self._lock:
            return sum(latencies.count for latencies in self.latencies.values())


def label(answer):
    """The status, and what the API calls the refusal; the padding at its end varies."""
    if answer.kind == "refused":
        return f"{answer.status} {answer.why[:60].rstrip('./')}"
    return str(answer.status) if answer.status else answer.why.split(":")[0]
