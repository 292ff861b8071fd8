"""Reads synthetic sessions of Claude Code for tests."""

from routerd.events import Completion
from routerd.sources.claude_code import SOURCE
from tests.sources.claude_logs import Home
from tests.sources.reading import read


def units(home: Home, *, idle: bool = True) -> list[Completion]:
    return list(read(SOURCE, home.data, idle=idle).values())


def delegations(home: Home, *, idle: bool = True) -> list[Completion]:
    return [unit for unit in units(home, idle=idle) if unit.ran.executor == "delegate"]


def turns(home: Home, *, idle: bool = True) -> list[Completion]:
    return [unit for unit in units(home, idle=idle) if unit.ran.executor == "local"]


def delegation(home: Home, *, idle: bool = True) -> Completion:
    (unit,) = delegations(home, idle=idle)
    return unit


def turn(home: Home, *, idle: bool = True) -> Completion:
    (unit,) = turns(home, idle=idle)
    return unit
