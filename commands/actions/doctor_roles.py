"""What `doctor` finds of each engine's role: primary or standby, of which term, and whether its settings agree."""

from collections.abc import Iterator
from typing import Final

from commands.actions.doctor_stores import Finding, note, ok, wrong
from commands.actions.ruling import Other, others_of, ruling_term
from desk.client import command_text
from desk.plan import EnginePlan
from desk.role_file import Role, RoleFile
from desk.run_dir import NodeError
from desk.settings import Settings

_MAY_FOLLOW: Final = {
    "none": "nobody may follow it",
    "may": "a standby may follow it",
    "must": "it acknowledges nothing that a standby has not kept",
}


def role_findings(settings: Settings) -> Iterator[Finding]:
    """Yield what each engine is, and what keeps it from being what its settings say."""
    chosen = {node.name for node in settings.plan.chosen()}
    for engine in settings.plan.engines.values():
        if engine.name not in chosen:
            continue  # it is elsewhere
        file = RoleFile(settings.run_dir, engine.name)
        try:
            role = file.read()
        except NodeError as error:
            do = f"restore it from a backup; if no engine was ever promoted instead of this one, remove {file.path}"
            yield wrong("role", str(error), do)
            continue
        yield _role_finding(settings, engine, role)


def _role_finding(settings: Settings, engine: EnginePlan, role: Role) -> Finding:
    own, others = engine.settings, others_of(settings, engine.name)
    ours = ruling_term(role, follows=bool(own.follows))
    if (own.follows or own.standby != "none") and own.journal == "none":
        do = "set engine.journal to write, group or sync: a standby keeps what the journal holds"
        return wrong("role", f"{engine.name} has no journal, and {_wish(own.follows)}", do)
    if any(each.run_dir is not None and each.run_dir.resolve() == settings.run_dir.resolve() for each in others):
        return wrong(
            "role", f"{engine.name} follows itself", "set engine.follows and engine.standby_at to the other one"
        )
    if role.role == "standby" and not own.follows:
        do = "set engine.follows to where that one is; to have the place back, `promote` this one then"
        return wrong("role", f"another engine has the place of {engine.name}, of term {role.term}", do)
    if (higher := _higher(others, ours, role)) is not None:
        do = f"let this one follow it: stop it, set engine.follows to {higher.text}, and start it"
        return wrong("role", f"{engine.name} in {higher.run_dir} was promoted instead of this one", do)
    if own.follows and ours < 0:
        return _standby_finding(settings, engine, role)
    term = f", of term {role.term}" if role.term else ""
    before = f"; it was promoted, and followed {own.follows} before" if own.follows else ""
    return ok("role", f"{engine.name}: primary{term}{before}; {_MAY_FOLLOW[own.standby]}")


def _wish(follows: str) -> str:
    return f"is to follow {follows}" if follows else "a standby may follow it"


def _higher(others: list[Other], ours: int, role: Role) -> Other | None:
    """Return one that was promoted instead of an engine that takes itself for primary."""
    if ours < 0:
        return None
    found = [each for each in others if each.role is not None and each.role.role == "primary"]
    return next((each for each in found if each.role is not None and each.role.term > role.term), None)


def _standby_finding(settings: Settings, engine: EnginePlan, role: Role) -> Finding:
    follows = engine.settings.follows
    what = f"{engine.name}: standby of {follows}, knows term {role.term}"
    if role.is_whole and role.is_awaited:
        do = command_text("promote", settings.run_dir)
        return ok("role", f"{what}; has all that is acknowledged: if that one is gone, {do}")
    status = command_text("status", settings.run_dir)
    if not role.is_awaited:
        do = f"set engine.standby to must there, and let both run until `{status}` says that this one has all"
        return note("role", f"{what}; may not take its place: that one does not wait for it, or was never heard", do)
    why = "it has not had all of it yet"
    return note("role", f"{what}; may not take its place: {why}", f"let both run until `{status}` says that it has all")
