"""What parts found, kept from run to run, and written as one report."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Check:
    """Something that must be so, and whether it was."""

    what: str
    held: bool


@dataclass
class Section:
    """What one part found. Confined to one thread."""

    part: str
    title: str
    text: str
    columns: Sequence[str] = ()
    rows: list[Sequence[str]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    seconds: float = 0.0
    when: str = ""
    commit: str = ""  # of the tests, and of kvstore's packages where that is another

    def row(self, *cells: object) -> None:
        self.rows.append([str(cell) for cell in cells])

    def check(self, what: str, held: object) -> None:
        self.checks.append(Check(what, bool(held)))

    @property
    def held(self) -> bool:
        """A part that checked nothing has shown nothing."""
        return bool(self.checks) and all(check.held for check in self.checks)


def keep(root: Path, section: Section, commit: str) -> None:
    """For the report, in place of what that part found before."""
    section.when = time.strftime("%Y-%m-%d %H:%M")
    section.commit = commit
    folder = root / "results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{section.part}.json").write_text(json.dumps(asdict(section), indent=1))


def kept(root: Path, parts: Sequence[str]) -> list[Section]:
    """What is known of these parts, in their order."""
    found = []
    for part in parts:
        file = root / "results" / f"{part}.json"
        if file.exists():
            known = json.loads(file.read_text())
            known["checks"] = [Check(**check) for check in known["checks"]]
            found.append(Section(**known))
    return found


def as_text(sections: Sequence[Section], brief: bool = False) -> str:
    """Markdown; brief: of what was checked the number, and what did not hold."""
    lines: list[str] = []
    for section in sections:
        lines += [f"### {section.title}", ""]
        if section.text:
            lines += [section.text, ""]
        if section.rows:
            numbers = [_is_numbers(column) for column in zip(*section.rows, strict=True)]
            lines.append(f"| {' | '.join(section.columns)} |")
            lines.append("|" + "|".join("---:" if right else "---" for right in numbers) + "|")
            lines += [f"| {' | '.join(row)} |" for row in section.rows]
            lines.append("")
        for check in section.checks:
            if not (brief and check.held):
                lines.append(f"* {'yes' if check.held else '**NO**'}: {check.what}")
        held = sum(check.held for check in section.checks)
        lines += [
            *([] if lines[-1] == "" else [""]),
            f"{held} of {len(section.checks)} checks hold ({section.part}, {section.when}, "
            f"{section.commit + ', ' if section.commit else ''}{section.seconds:.0f} s).",
            "",
        ]
    return "\n".join(lines)


def _is_numbers(cells: Iterable[str]) -> bool:
    return all(cell[:1].isdigit() or cell in ("", "-") for cell in cells)
