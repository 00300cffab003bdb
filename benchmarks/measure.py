"""Each measured thing in a fresh process of its own, and the things in turn: A B A B."""

from __future__ import annotations

import importlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Task:
    """A function of a module of the benchmarks, called by its name in a process of its own."""

    name: str
    function: str
    arguments: dict[str, Any]


@dataclass(slots=True)
class Runs:
    """What the runs of one task gave."""

    seconds: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle one of the times."""
        return statistics.median(self.seconds)

    @property
    def most_memory_mb(self) -> float:
        """The peak of all runs."""
        return max(self.memory_mb)

    @property
    def spread(self) -> str:
        """The shortest and the longest time."""
        return f"{min(self.seconds):.3g} to {max(self.seconds):.3g} s"


@dataclass(slots=True)
class Stopwatch:
    """The seconds between the start and the end of a block."""

    seconds: float = 0.0


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Time the block; imports and preparation stay outside it."""
    watch, began = Stopwatch(), time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - began


def in_turn(tasks: Sequence[Task], repeats: int) -> dict[str, Runs]:
    """Run every task `repeats` times, one of each after the other; `{run}` in an argument is the number of the run."""
    runs = {task.name: Runs() for task in tasks}
    for number in range(repeats):
        for task in tasks:
            result = run_once(task, number)
            runs[task.name].seconds.append(result.pop("seconds"))
            runs[task.name].memory_mb.append(result.pop("memory_mb"))
            runs[task.name].results.append(result)
            print(f"  {task.name}, run {number + 1}: {runs[task.name].seconds[-1]:.3f} s", file=sys.stderr)
    return runs


def run_once(task: Task, number: int = 0) -> dict[str, Any]:
    """Run a task in a fresh process; give what it returns, and its peak memory."""
    arguments = json.dumps({**task.arguments, "run": number})
    command = [sys.executable, "-m", "benchmarks.measure", task.function, arguments]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return result


def _child(function: str, arguments: str) -> None:
    module, _, name = function.partition(":")
    result = getattr(importlib.import_module(f"benchmarks.{module}"), name)(**json.loads(arguments))
    from wellprod.jobs.process import peak_memory_mb  # only now: what is measured pays for its own imports alone

    print(json.dumps({**result, "memory_mb": peak_memory_mb()}))


if __name__ == "__main__":
    _child(*sys.argv[1:])
