"""Processes that move generations side by side, in the database that the environment names: on
SQLite in tests/unit/timeseries/test_lifecycle.py, on PostgreSQL in tests/e2e/test_postgresql.py."""

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import django

ROOT = Path(__file__).parents[3]
MODULE = "tests.unit.timeseries.generation_mover"
LIMIT_S = 120
MOVERS = 4
ROUNDS = 25


def main(seed: str, rounds: str) -> None:
    """Any move of any generation, as it comes. Prints the numbers that it began, and all
    generations at its end."""
    django.setup()
    from timeseries.lifecycle import generation_states

    begun = move_about(random.Random(seed), int(rounds))
    states = [
        [row.number, row.state, row.is_served, row.is_previous] for row in generation_states()
    ]
    sys.stdout.write(json.dumps({"begun": begun, "states": states}))


def move_about(rng: random.Random, rounds: int) -> list[int]:
    """What is refused is refused."""
    from timeseries.errors import GenerationError
    from timeseries.lifecycle import (
        begin_generation,
        generation_states,
        give_up,
        mark_ready,
        rollback,
        swap,
    )

    begun: list[int] = []
    for _ in range(rounds):
        move = rng.choice([None, mark_ready, mark_ready, swap, swap, give_up, rollback])
        number = rng.choice(generation_states()[-4:]).number
        try:
            if move is None:
                begun.append(begin_generation())
            else:
                move(number)
        except GenerationError:
            continue
    return begun


def check_movers(environment: Mapping[str, str]) -> None:
    """Several at once: every number is begun once, one is served, and that is ready."""
    movers = [start(environment, seed, ROUNDS) for seed in range(MOVERS)]
    said = [json.loads(mover.communicate(timeout=LIMIT_S)[0]) for mover in movers]
    begun = sorted(number for each in said for number in each["begun"])
    last = json.loads(start(environment, 0, 0).communicate(timeout=LIMIT_S)[0])

    assert [mover.returncode for mover in movers] == [0] * MOVERS
    assert begun == list(range(2, len(begun) + 2))
    assert [number for number, *_ in last["states"]] == [1, *begun]
    assert [state for _, state, is_served, _ in last["states"] if is_served] == ["ready"]
    assert "dropped" not in {state for _, state, _, is_previous in last["states"] if is_previous}
    assert [state for _, state, *_ in last["states"]].count("building") <= 1
    assert len(begun) > 1


def start(environment: Mapping[str, str], seed: int, rounds: int) -> "subprocess.Popen[bytes]":
    """One of them."""
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, str(seed), str(rounds)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
