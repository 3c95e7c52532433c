"""The faults, by name: how each begins, how it ends, how often, and for how long."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from .stage import SIDES, Process, Stage, Tmpfs


@dataclass
class Scene:
    """What a fault may touch."""

    stage: Stage
    process: Process
    rng: random.Random
    disk: Tmpfs | None
    step: Callable[[], str]           # a change of phase; says what it was
    alter: Callable[[], str]          # a schema change


@dataclass(frozen=True)
class Fault:
    name: str
    weight: float
    seconds: tuple[float, float]      # how long it lasts
    begin: Callable[[Scene], str | None]
    end: Callable[[Scene], None]
    needs_node: str | None = None     # a cluster of our own
    needs_disk: bool = False
    needs_clock: bool = False
    costly: bool = False              # takes a JVM's start


def _nothing(_: Scene) -> None:
    pass


def _kill(scene: Scene) -> str | None:
    scene.process.kill9()
    return f"{scene.process.tear(scene.rng)} segments torn" if scene.rng.random() < 0.5 else None


def _start(scene: Scene) -> None:
    if not scene.process.running():
        scene.process.start()


def _mode(side: str, mode: str) -> Callable[[Scene], None]:
    return lambda scene: scene.stage.sides[side].proxy.set(mode)


def _signal(side: str, what: signal.Signals) -> Callable[[Scene], None]:
    return lambda scene: scene.stage.sides[side].signal(what)


def _reset_some(side: str) -> Callable[[Scene], None]:
    return lambda scene: scene.stage.sides[side].proxy.reset_some()


def _both(mode: str) -> Callable[[Scene], None]:
    return lambda scene: [scene.stage.sides[side].proxy.set(mode) for side in SIDES] and None


# Within what the gate clocks_agree allows: beyond that no scope is shadowed.
CLOCK_STEP = 400_000


def _step_clock(scene: Scene) -> str | None:
    shift = scene.rng.randrange(-CLOCK_STEP, CLOCK_STEP)
    if scene.process.clock:
        scene.process.clock.set(shift)
    return f"{shift / 1000:+.0f} ms"


def _right_clock(scene: Scene) -> None:
    if scene.process.clock:
        scene.process.clock.set(0)


def all_faults() -> list[Fault]:
    faults = [
        Fault("penumbra_kill", 5, (0.0, 0.8), _kill, _start),
        Fault("penumbra_pause", 1, (0.1, 1.5), lambda scene: scene.process.freeze(), lambda scene: scene.process.thaw()),
        Fault("both_stall", 1, (0.2, 1.5), _both("stall"), _both("open")),
        Fault("clock_step", 1.5, (0.3, 2.5), _step_clock, _right_clock, needs_clock=True),
        Fault("switch", 6, (0.0, 0.3), lambda scene: scene.step(), _nothing),
        Fault("ddl", 1, (0.0, 0.1), lambda scene: scene.alter(), _nothing),
        Fault("disk_full", 3, (0.3, 2.0), lambda scene: scene.disk.fill() if scene.disk else None,
              lambda scene: scene.disk.free() if scene.disk else None, needs_disk=True),
    ]
    for side, much in zip(SIDES, (1.0, 1.6)):
        faults += [Fault(f"{side}_{mode}", much, (0.1, 3.5), _mode(side, mode), _mode(side, "open"))
                   for mode in ("stall", "mute", "deaf", "cut")]
        faults += [
            Fault(f"{side}_resets", much, (0.0, 0.2), _reset_some(side), _reset_some(side)),
            Fault(f"{side}_pause", 1.5 * much, (0.1, 3.5), _signal(side, signal.SIGSTOP), _signal(side, signal.SIGCONT), needs_node=side),
            Fault(f"{side}_kill", 0.5, (0.0, 2.0), lambda scene, side=side: scene.stage.sides[side].kill(),
                  lambda scene, side=side: scene.stage.sides[side].restart(), needs_node=side, costly=True)]
    return faults


def run_fault(fault: Fault, scene: Scene, stopping: Callable[[], bool]) -> str:
    """Begins it, waits, ends it; also when the round is over meanwhile. Says what happened."""
    began = time.monotonic()
    said = fault.begin(scene)
    lasts = scene.rng.uniform(*fault.seconds)
    try:
        while time.monotonic() - began < lasts and not stopping():
            time.sleep(0.02)
    finally:
        fault.end(scene)
    return f"{fault.name} {time.monotonic() - began:.1f} s" + (f" ({said})" if said else "")
