"""For the API pages: the lines `name: what it is` of a class docstring, as a list of attributes."""

import re
from typing import Any

import griffe


class Fields(griffe.Extension):
    """Rewrite such lines as an "Attributes" section, which mkdocstrings shows as a list."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """One class: what stands before its first such line stays as it is."""
        if cls.docstring is None or "Attributes:" in cls.docstring.value:
            return
        fields = {name for name, member in cls.members.items() if member.is_attribute}
        before: list[str] = []
        described: list[tuple[list[str], list[str]]] = []  # names, lines
        for line in cls.docstring.value.splitlines():
            found = re.match(r"((?:\w+, )*\w+): (.*)", line)
            if found and set(names := found[1].split(", ")) <= fields:
                described.append((names, [found[2]]))
            elif described and line.strip():
                described[-1][1].append(line.strip())
            elif line.strip() or not described:
                before.append(line)
        if described:
            lines = [f"    {n}: {' '.join(text)}" for names, text in described for n in names]
            cls.docstring.value = "\n".join([*before, "", "Attributes:", *lines])
